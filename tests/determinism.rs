//! The same seed gives the same run, byte for byte, in whichever process it is played.

use std::fs;
use std::path::Path;

use slotquake_tests::run::Harness;

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

/// What a run leaves that must not depend on when and where it is played.
const RECORDED: [&str; 6] = [
    "plan.json",
    "history.jsonl",
    "faults.jsonl",
    "bus.jsonl",
    "views.jsonl",
    "verdict.json",
];

/// Plays a seed in a process of its own.
fn play(folder: &Path, store: &str, seed: &str) {
    let arguments = [
        "test",
        "--world",
        "sim",
        "--time-limit",
        "60s",
        "--faults",
        "kill,pause,partition",
        "--seed",
        seed,
        "--store",
        store,
    ];
    let called = HARNESS.call(folder, &arguments);
    assert_eq!(called.status, 0, "seed {seed} holds: {called:?}");
}

fn recorded(folder: &Path, store: &str, file: &str) -> Vec<u8> {
    let path = folder.join(store).join("latest").join(file);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(!bytes.is_empty(), "{file} is empty");
    bytes
}

#[test]
fn two_processes_record_the_same_for_the_same_seed() {
    let folder = tempfile::tempdir().unwrap();
    for seed in ["11", "12"] {
        let stores = [format!("once-{seed}"), format!("again-{seed}")];
        for store in &stores {
            play(folder.path(), store, seed);
        }
        for file in RECORDED {
            let [once, again] = stores
                .each_ref()
                .map(|store| recorded(folder.path(), store, file));
            assert!(once == again, "{file} of seed {seed} differs");
        }
    }
}

#[test]
fn another_seed_records_something_else() {
    let folder = tempfile::tempdir().unwrap();
    for (store, seed) in [("one", "11"), ("other", "12")] {
        play(folder.path(), store, seed);
    }
    let [one, other] = ["one", "other"].map(|store| recorded(folder.path(), store, "bus.jsonl"));
    assert!(one != other, "the seed decides the run");
}

#[test]
fn the_verdict_tells_the_trace_hash_in_words_and_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let call = |seed: &str, form: &[&str]| {
        let arguments = [
            "test",
            "--world",
            "sim",
            "--time-limit",
            "5s",
            "--seed",
            seed,
            "--store",
            "s",
        ];
        HARNESS.call(folder.path(), &[&arguments, form].concat())
    };
    let hash_of = |seed: &str| {
        let object = call(seed, &["--json"]).object();
        object["trace_hash"].as_str().unwrap().to_string()
    };
    let hash = hash_of("11");
    assert_eq!(hash.len(), 16, "{hash}");
    assert_ne!(hash, hash_of("12"));
    let words = call("11", &[]).stdout;
    assert!(words.contains(&format!("trace   {hash}")), "{words}");
}

/// What `--check-determinism` prints of a few drawn plans.
fn trace_hash(jobs: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "simulate",
        "--check-determinism",
        "--seed",
        "1..4",
        "--time-limit",
        "5s",
        "--rate",
        "20",
        "--json",
        "--jobs",
        jobs,
    ];
    let called = HARNESS.call(folder.path(), &arguments);
    assert!(matches!(called.status, 0 | 4), "{called:?}");
    let object = called.object();
    assert_eq!(object["stumbled"], 0, "{object}");
    object["trace_hash"].as_str().unwrap().to_string()
}

#[test]
fn a_campaign_has_the_same_trace_hash_in_each_process_and_on_any_number_of_threads() {
    let hash = trace_hash("1");
    assert_eq!(hash.len(), 16, "{hash}");
    assert_ne!(hash, "0000000000000000");
    assert_eq!(hash, trace_hash("3"));
}

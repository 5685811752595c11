//! `slotquake simulate` as a user meets it: the same answer each time, replays, exit statuses.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use slotquake_tests::run::{Called, Harness, WEAK};

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

/// Small runs: what is drawn is drawn, but each seed is short.
const SHORT: [&str; 4] = ["--time-limit", "3s", "--rate", "20"];

/// What every recording of the same plan has in common, byte for byte.
const RECORDED: [&str; 6] = [
    "plan.json",
    "history.jsonl",
    "faults.jsonl",
    "bus.jsonl",
    "views.jsonl",
    "verdict.json",
];

fn simulate(folder: &Path, arguments: &[&str]) -> Called {
    let all = [&["simulate"], arguments].concat();
    HARNESS.call(folder, &all)
}

/// A short campaign of these seeds, as JSON.
fn campaign(seeds: &str, arguments: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let all = [&["--seed", seeds, "--json"], &SHORT[..], arguments].concat();
    let called = simulate(folder.path(), &all);
    assert_eq!(called.stdout.lines().count(), 1, "{called:?}");
    called.object()
}

fn count(object: &Value, path: &str) -> u64 {
    let value = object.pointer(path);
    let value = value.unwrap_or_else(|| panic!("no {path} in {object}"));
    value.as_u64().unwrap()
}

#[test]
fn a_campaign_says_the_same_each_time_on_any_number_of_threads() {
    let once = |jobs: &str| {
        let folder = tempfile::tempdir().unwrap();
        let all = [&["--seed", "1..12", "--jobs", jobs], &SHORT[..]].concat();
        let called = simulate(folder.path(), &all);
        // Where a recording lies is the only thing that differs.
        let lines = called
            .stdout
            .lines()
            .filter(|line| !line.contains("report") && !line.contains("shrunk.json"));
        lines.map(String::from).collect::<Vec<String>>()
    };
    let (first, second) = (once("1"), once("3"));
    assert_eq!(first, second);
    assert!(
        first.iter().any(|line| line.contains("12 seeds")),
        "{first:?}"
    );
}

#[test]
fn the_shards_together_are_the_whole() {
    let whole = campaign("1..7", &[]);
    let shards = ["1/3", "2/3", "3/3"].map(|shard| campaign("1..7", &["--shard", shard]));
    assert_eq!(count(&whole, "/seeds"), 7);
    for path in [
        "/seeds",
        "/held",
        "/virtual_ns",
        "/events",
        "/coverage/ops",
        "/coverage/packets",
    ] {
        let sum: u64 = shards.iter().map(|shard| count(shard, path)).sum();
        assert_eq!(sum, count(&whole, path), "{path}");
    }
}

#[test]
fn seeds_that_held_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--fixed",
        "--seed",
        "11..12",
        "--time-limit",
        "15s",
        "--rate",
        "50",
    ];
    let called = simulate(folder.path(), &arguments);
    assert_eq!(called.status, 0, "{called:?}");
    let store = fs::read_dir(folder.path().join("store")).unwrap();
    assert_eq!(store.count(), 0, "{called:?}");
}

/// The drawn plan of a seed that failed is replayed by the printed command, byte for byte.
#[test]
fn a_seed_that_failed_is_recorded_and_replayed_by_its_command() {
    let folder = tempfile::tempdir().unwrap();
    // Without load and faults a run proves nothing: undecided, whatever else is drawn.
    let arguments = [
        "--seed", "4..5", "--rate", "0", "--faults", "none", "--json",
    ];
    let called = simulate(folder.path(), &arguments);
    assert_eq!(called.status, 4, "{called:?}");
    let object = called.object();
    assert_eq!(object["verdict"], "undecided");
    let failed = object["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 2, "{object}");
    assert_ne!(failed[0]["replay"], failed[1]["replay"]);
    replays(folder.path(), &failed[0]);
}

/// The campaign finds a weakness where there is one.
#[test]
fn a_violation_ends_in_1_with_the_command_that_replays_it() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&WEAK[..], &["--json"]].concat();
    let called = simulate(folder.path(), &arguments);
    assert_eq!(called.status, 1, "{called:?}");
    let object = called.object();
    assert_eq!(object["verdict"], "violated");
    let failed = &object["failed"][0];
    let told = failed["replay"].as_str().unwrap();
    assert!(called.stderr.contains(told), "{called:?}");
    replays(folder.path(), failed);
}

/// Calls the printed command and compares what it records.
fn replays(folder: &Path, failed: &Value) {
    let command = failed["replay"].as_str().unwrap();
    HARNESS.call_printed(folder, command, &["--store", "again"]);
    let first = Path::new(failed["folder"].as_str().unwrap());
    let again = folder.join("again/latest");
    for file in RECORDED {
        let [first, again] = [first, &again].map(|run| fs::read(run.join(file)).unwrap());
        assert!(first == again, "{file} differs: {command}");
    }
}

#[test]
fn a_commit_hash_is_a_seed() {
    let folder = tempfile::tempdir().unwrap();
    let hash = "20b35b9c5b2c5a3d3a4f5e6d7c8b9a0f1e2d3c4b";
    let called = simulate(folder.path(), &[&["--seed", hash], &SHORT[..]].concat());
    let opening = called.stdout.lines().next().unwrap_or_default();
    let number = opening.split(['.', ' ']).nth(1).unwrap_or_default();
    assert!(
        number.parse::<u64>().is_ok_and(|seed| seed > 0),
        "{called:?}"
    );
}

#[test]
fn bad_options_are_one_line_that_names_them() {
    let cases: [(&[&str], &[&str]); 12] = [
        (&["--bench", "--masters", "5"], &["--bench", "--masters"]),
        (&["--shard", "4/3"], &["--shard", "1/3"]),
        (&["--shard", "x"], &["--shard", "3/10"]),
        (
            &["--seeds", "2", "--shard", "3/3"],
            &["shard 3/3", "no seed"],
        ),
        (&["--seeds", "0"], &["--seeds"]),
        (&["--seed", "5..1"], &["range is empty"]),
        (&["--seed", "0..99999999999"], &["--shard"]),
        (&["--jobs", "0"], &["--jobs"]),
        (&["--faults", "kil"], &["kil", "kill, pause, partition"]),
        (&["--masters", "2", "--faults", "kill"], &["--masters 3"]),
        (&["--scenario", "x"], &["\"x\"", "double-manual-failover"]),
        (
            &["--scenario", "double-manual-failover", "--masters", "5"],
            &["--masters 5 contradicts"],
        ),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in cases {
        simulate(folder.path(), arguments).assert_bad_input(words);
    }
    let store = ["--store", "/proc/store"];
    simulate(folder.path(), &store).assert_bad_input(&["/proc/store", "--store"]);
}

/// Whoever loses patience gets what was found, and no success for what was not played.
#[test]
fn a_campaign_that_is_interrupted_sums_up_what_was_played() {
    let folder = tempfile::tempdir().unwrap();
    let all = [&["simulate", "--seeds", "10000000"], &SHORT[..]].concat();
    let mut command = HARNESS.command(folder.path(), &all);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    stdout.read_line(&mut text).unwrap();
    let asked = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(asked.unwrap().success(), "the signal was sent");
    stdout.read_to_string(&mut text).unwrap();
    let left = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&left.stderr);
    assert_eq!(left.status.code(), Some(3), "{told}");
    assert!(told.contains("interrupted by a signal"), "{told}");
    assert!(text.contains("rare events"), "{text}");
}

/// The shards of a campaign, one file each.
fn shards(folder: &Path, of: u64, arguments: &[&str]) -> Vec<String> {
    let shards = (1..=of).map(|number| {
        let shard = format!("{number}/{of}");
        let all = [
            &["--seed", "1..5", "--json", "--shard", &shard],
            &SHORT[..],
            arguments,
        ];
        let called = simulate(folder, &all.concat());
        let file = format!("{number}.json");
        fs::write(folder.join(&file), called.stdout).unwrap();
        file
    });
    shards.collect()
}

#[test]
fn merged_shards_say_what_the_whole_campaign_says() {
    let folder = tempfile::tempdir().unwrap();
    let files = shards(folder.path(), 2, &[]);
    let arguments = ["report", "merge", "--json", &files[1], &files[0]];
    let merged = HARNESS.call(folder.path(), &arguments);
    let mut merged_object: Value = serde_json::from_str(&merged.stdout).unwrap();
    let all = [&["--seed", "1..5", "--json"], &SHORT[..]].concat();
    let whole = simulate(folder.path(), &all);
    let mut whole_object: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!(merged.status, whole.status, "{merged:?}");
    for object in [&mut merged_object, &mut whole_object] {
        object.as_object_mut().unwrap().remove("speed");
        for failed in object["failed"].as_array_mut().unwrap() {
            // Where a recording lies.
            failed.as_object_mut().unwrap().remove("folder");
            failed.as_object_mut().unwrap().remove("shrunk");
        }
    }
    assert_eq!(merged_object, whole_object);
}

#[test]
fn shards_that_do_not_add_up_are_bad_input() {
    let folder = tempfile::tempdir().unwrap();
    let files = shards(folder.path(), 2, &["--masters", "3"]);
    let merge = |arguments: &[&str]| {
        HARNESS.call(folder.path(), &[&["report", "merge"], arguments].concat())
    };
    merge(&[&files[0]]).assert_bad_input(&["shard 2/2 is missing"]);
    merge(&[&files[0], &files[0]]).assert_bad_input(&["1.json", "line 1", "shard", "twice"]);
    let other = tempfile::tempdir().unwrap();
    let others = shards(other.path(), 2, &["--masters", "4"]);
    let other = other.path().join(&others[1]).display().to_string();
    merge(&[&files[0], &other]).assert_bad_input(&["line 1", "campaign", "other options"]);
    fs::write(
        folder.path().join("broken.json"),
        "{\n\"seeds\": \"many\"\n}",
    )
    .unwrap();
    merge(&["broken.json"]).assert_bad_input(&["broken.json", "line 2", "seeds"]);
    merge(&["nowhere.json"]).assert_bad_input(&["nowhere.json"]);
}

#[test]
fn a_campaign_leaves_a_junit_file_with_a_case_for_each_seed_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "--seed",
        "4..5",
        "--rate",
        "0",
        "--faults",
        "none",
        "--junit",
        "seeds.xml",
    ];
    let called = simulate(folder.path(), &arguments);
    assert_eq!(called.status, 4, "{called:?}");
    let document = fs::read_to_string(folder.path().join("seeds.xml")).unwrap();
    assert!(document.contains("errors=\"2\""), "{document}");
    assert!(document.contains("<testcase name=\"seed 4\""), "{document}");
}

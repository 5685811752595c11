//! The command line's contract: exit statuses, and one clear line for whatever cannot be used.

use std::fs;
use std::path::Path;

use slotquake_tests::run::{Called, Harness};

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

/// Calls the harness in a folder of its own.
fn call(arguments: &[&str]) -> Called {
    let folder = tempfile::tempdir().unwrap();
    HARNESS.call(folder.path(), arguments)
}

/// A small run in virtual time, whose recording is in `store/latest`.
fn record(folder: &Path) {
    let arguments = [
        "test",
        "--world",
        "sim",
        "--time-limit",
        "5s",
        "--seed",
        "3",
    ];
    let called = HARNESS.call(folder, &arguments);
    assert!(
        [0, 4].contains(&called.status),
        "the run itself is sound: {called:?}"
    );
}

#[test]
fn bad_options_are_one_line_that_names_them() {
    let cases: [(&[&str], &[&str]); 12] = [
        (&["test", "--sed", "7"], &["--sed", "--seed"]),
        (&["test", "--seed", "x"], &["--seed", "whole number"]),
        (&["test", "--seed", "5..1"], &["range is empty"]),
        (&["test", "--time-limit", "30"], &["--time-limit", "30s"]),
        (&["test", "--time-limit", "0s"], &["--time-limit"]),
        (
            &["test", "--faults", "kil"],
            &["kil", "kill, pause, partition"],
        ),
        (&["test", "--workload", "x"], &["\"x\"", "register"]),
        (
            &["test", "--scenario", "x"],
            &["\"x\"", "double-manual-failover"],
        ),
        (&["test", "--world", "moon"], &["moon", "sim"]),
        (&["test", "--rate", "x"], &["--rate"]),
        (&["explain", "vt-1"], &["vt-1", "VT-01"]),
        (&["frobnicate"], &["frobnicate"]),
    ];
    for (arguments, words) in cases {
        call(arguments).assert_bad_input(words);
    }
}

#[test]
fn impossible_topologies_are_refused_before_anything_starts() {
    let cases: [(&[&str], &[&str]); 4] = [
        (&["test", "--masters", "0"], &["master"]),
        (&["test", "--masters", "2"], &["--masters 3"]),
        (&["test", "--replicas", "60000"], &["nodes"]),
        (
            &["test", "--masters", "20000", "--replicas", "0"],
            &["16384"],
        ),
    ];
    for (arguments, words) in cases {
        call(arguments).assert_bad_input(words);
    }
}

#[test]
fn an_unknown_target_names_the_known_ones() {
    call(&["test", "--target", "rediss"]).assert_bad_input(&["rediss", "reference", "redis@"]);
}

#[test]
fn a_missing_binary_is_named() {
    call(&["test", "--target", "/no/such/redis-server"])
        .assert_bad_input(&["/no/such/redis-server"]);
}

#[test]
fn a_binary_that_is_no_server_is_named() {
    call(&["test", "--target", "/bin/true"]).assert_bad_input(&["/bin/true"]);
}

#[test]
fn an_unwritable_store_names_the_folder_and_the_way_out() {
    call(&["test", "--world", "sim", "--store", "/proc/store"])
        .assert_bad_input(&["/proc/store", "--store"]);
}

#[test]
fn what_is_no_recording_is_refused() {
    call(&["check", "."]).assert_bad_input(&["no recording", "cluster.json"]);
    call(&["check", "missing.jsonl"]).assert_bad_input(&["missing.jsonl"]);
}

#[test]
fn a_history_line_that_does_not_parse_is_named_by_number_and_reason() {
    let folder = tempfile::tempdir().unwrap();
    let good =
        r#"{"index":0,"time":1,"process":0,"type":"invoke","f":"read","key":"k","value":null}"#;
    fs::write(
        folder.path().join("bare.jsonl"),
        format!("{good}\n{{\"index\":1,\n"),
    )
    .unwrap();
    HARNESS
        .call(folder.path(), &["check", "bare.jsonl"])
        .assert_bad_input(&["bare.jsonl: line 2:", "EOF"]);
}

#[test]
fn a_corrupt_recording_names_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let bus = folder.path().join("store/latest/bus.jsonl");
    let mut text = fs::read_to_string(&bus).unwrap();
    let lines = text.lines().count();
    text.push_str("{\"time\":-1}\n");
    fs::write(&bus, text).unwrap();
    let line = format!("line {}", lines + 1);
    HARNESS
        .call(folder.path(), &["check", "store/latest"])
        .assert_bad_input(&["store/latest/bus.jsonl", &line]);
}

#[test]
fn a_run_without_faults_and_load_has_shown_nothing() {
    let arguments = [
        "test",
        "--world",
        "sim",
        "--faults",
        "none",
        "--rate",
        "0",
        "--time-limit",
        "2s",
    ];
    let called = call(&arguments);
    assert_eq!(called.status, 4, "{called:?}");
    assert!(called.stdout.contains("undecided"), "{called:?}");
}

#[test]
fn check_gives_the_verdict_of_the_run_from_its_recording_alone() {
    let folder = tempfile::tempdir().unwrap();
    record(folder.path());
    let latest = folder.path().join("store/latest");
    let told = fs::read_to_string(latest.join("verdict.json")).unwrap();
    let mut told: serde_json::Value = serde_json::from_str(&told).unwrap();
    // A run has a trace, a recording is what was seen of it.
    let hash = told.as_object_mut().unwrap().remove("trace_hash");
    assert!(hash.is_some(), "{told}");
    let called = HARNESS.call(folder.path(), &["check", "--json", "store/latest"]);
    let mut again = called.object();
    // Worked out for whoever asks, not stored.
    let outages = again.as_object_mut().unwrap().remove("outages");
    assert!(outages.is_some_and(|outages| outages.is_array()));
    assert_eq!(again, told);
}

#[test]
fn json_is_one_object_on_stdout_and_words_are_on_stderr() {
    let called = call(&[
        "test",
        "--world",
        "sim",
        "--time-limit",
        "5s",
        "--seed",
        "3",
        "--json",
    ]);
    let object = called.object();
    assert_eq!(object["seed"], 3);
    assert_eq!(object["target"], "reference");
    assert!(
        object["checks"]
            .as_array()
            .is_some_and(|checks| !checks.is_empty())
    );
    assert!(called.stderr.contains("replay"), "{}", called.stderr);
    assert_eq!(called.stdout.lines().count(), 1);
}

#[test]
fn pipes_get_no_colours() {
    let called = call(&[
        "test",
        "--world",
        "sim",
        "--time-limit",
        "2s",
        "--seed",
        "3",
    ]);
    assert!(
        !called.stdout.contains('\x1b') && !called.stderr.contains('\x1b'),
        "{called:?}"
    );
}

#[test]
fn many_seeds_print_a_line_each_and_keep_only_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "test",
        "--world",
        "sim",
        "--time-limit",
        "5s",
        "--seed",
        "1..3",
    ];
    let called = HARNESS.call(folder.path(), &arguments);
    for line in ["seed 1 ", "seed 2 ", "seed 3 ", "seeds 1..3:"] {
        assert!(
            called.stdout.lines().any(|known| known.starts_with(line)),
            "{called:?}"
        );
    }
    let kept = fs::read_dir(folder.path().join("store")).unwrap().flatten();
    let kept = kept
        .filter(|entry| entry.path().join("plan.json").exists())
        .count();
    let held = called
        .stdout
        .lines()
        .filter(|line| line.contains(" held "))
        .count();
    assert!(kept <= 4 - held.min(4), "{kept} kept: {}", called.stdout);
}

#[test]
fn the_reader_may_go_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = HARNESS
        .command(folder.path(), &["explain"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn report_names_the_newest_report() {
    let folder = tempfile::tempdir().unwrap();
    HARNESS
        .call(folder.path(), &["report"])
        .assert_bad_input(&["no run yet"]);
    record(folder.path());
    let called = HARNESS.call(folder.path(), &["report"]);
    assert_eq!(called.status, 0, "{called:?}");
    assert!(Path::new(called.stdout.trim()).exists(), "{called:?}");
}

//! Shrinking as a user meets it: a seed that fails comes with a small plan file that fails in the
//! same way, a run's faults can be played again one by one, and bad plan files are refused.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use slotquake_tests::run::{Harness, WEAK};

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

/// Ids of the checks that are violated.
fn violated(judgement: &Value) -> Vec<&str> {
    let checks = judgement["checks"].as_array().unwrap();
    let broken = checks.iter().filter(|check| check["verdict"] == "violated");
    broken.map(|check| check["id"].as_str().unwrap()).collect()
}

/// Upstream's weakness VT-08 needs one shard, its replica and two other masters; not a second row
/// of replicas, nor any client.
#[test]
fn a_seed_that_fails_comes_with_a_small_plan_that_fails_alike() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["simulate", "--replicas", "2", "--json"], &WEAK[..]].concat();
    let called = HARNESS.call(folder.path(), &arguments);
    assert_eq!(called.status, 1, "{called:?}");
    let told = called.object();
    let shrunk = &told["failed"][0]["shrunk"];
    assert_eq!(shrunk["nodes"], 6, "{shrunk}");
    assert_eq!(shrunk["operations"], 0, "{shrunk}");
    assert_eq!(shrunk["ended"], "nothing more can go");
    let symptom = shrunk["symptom"].as_str().unwrap();
    // The story names those who did it.
    for words in [
        "CLUSTER FAILOVER on n4 (3 of 3)",
        "makes itself master",
        symptom,
    ] {
        assert!(
            called.stderr.contains(words),
            "{words:?} is not in {}",
            called.stderr
        );
    }
    let again = HARNESS.call_printed(
        folder.path(),
        shrunk["replay"].as_str().unwrap(),
        &["--store", "again", "--json"],
    );
    assert_eq!(again.status, 1, "{again:?}");
    let again = again.object();
    assert!(violated(&again).contains(&symptom), "{symptom}: {again}");
    // The small run was recorded beside the large one, with its diagram.
    let recorded = Path::new(shrunk["folder"].as_str().unwrap());
    let page = fs::read_to_string(recorded.join("report.html")).unwrap();
    assert!(
        page.contains("id=\"spacetime\""),
        "the diagram is on the page"
    );
    assert!(
        page.contains("votes for epoch 4?"),
        "a request for votes is drawn"
    );
}

#[test]
fn without_shrinking_the_plan_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [&["simulate", "--no-shrink", "--json"], &WEAK[..]].concat();
    let told = HARNESS.call(folder.path(), &arguments).object();
    assert_eq!(told["failed"][0]["shrunk"], Value::Null);
    assert!(!folder.path().join("store/latest/shrunk.json").exists());
}

/// What was drawn is written down, and plays the same run byte for byte.
#[test]
fn the_script_of_a_run_plays_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let drawn = [
        "test",
        "--world",
        "sim",
        "--time-limit",
        "20s",
        "--seed",
        "11",
        "--store",
        "first",
    ];
    let called = HARNESS.call(folder.path(), &drawn);
    assert_eq!(called.status, 0, "{called:?}");
    let file = folder.path().join("first/latest/scripted.json");
    let scripted: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(
        scripted["script"].as_array().unwrap().len() >= 2,
        "{scripted}"
    );
    let plan = file.display().to_string();
    let called = HARNESS.call(
        folder.path(),
        &["test", "--plan", &plan, "--store", "again"],
    );
    assert_eq!(called.status, 0, "{called:?}");
    for name in [
        "history.jsonl",
        "bus.jsonl",
        "views.jsonl",
        "lifecycle.jsonl",
    ] {
        let of = |store: &str| fs::read(folder.path().join(store).join("latest").join(name));
        assert!(
            of("first").unwrap() == of("again").unwrap(),
            "{name} differs"
        );
    }
}

#[test]
fn a_bad_plan_file_is_refused_with_line_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let step = |changed: Value| {
        let mut step = json!({
            "at_ms": 0, "kind": "kill", "strike": { "targets": ["n1"], "duration_ms": 5_000 },
        });
        for (field, value) in changed.as_object().unwrap() {
            step[field] = value.clone();
        }
        json!({ "world": "sim", "seed": 7, "script": [step] })
    };
    let strike = |strike: Value| step(json!({ "strike": strike }));
    let cases = [
        (json!({ "world": "sim", "masters": "3" }), "line 2: masters"),
        (json!({ "world": "sim", "mastres": 3 }), "mastres"),
        (
            strike(json!({ "targets": ["n7"], "duration_ms": 1 })),
            "script[0].strike.targets: no node is named n7",
        ),
        (
            strike(json!({ "targets": ["n1"], "duration_ms": 0 })),
            "script[0].strike.duration_ms",
        ),
        (step(json!({ "at_ms": 99_000 })), "script[0].at_ms"),
        (step(json!({ "kind": "quake" })), "script[0].kind"),
    ];
    let file = folder.path().join("bad.json");
    for (plan, words) in cases {
        fs::write(&file, serde_json::to_string_pretty(&plan).unwrap()).unwrap();
        for command in ["test", "simulate"] {
            let called = HARNESS.call(folder.path(), &[command, "--plan", "bad.json"]);
            called.assert_bad_input(&["bad.json: line ", words]);
        }
    }
    let missing = HARNESS.call(folder.path(), &["test", "--plan", "none.json"]);
    missing.assert_bad_input(&["none.json", "cannot be read"]);
    let both = ["test", "--plan", "bad.json", "--masters", "5"];
    HARNESS
        .call(folder.path(), &both)
        .assert_bad_input(&["--plan", "--masters"]);
}

//! `slotquake check --model` as a user meets it: verdicts, reasons, pictures and exit statuses.

use std::path::PathBuf;

use slotquake_tests::run::{Called, Harness};

const HARNESS: Harness<'_> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Files {
        Files(tempfile::tempdir().expect("a folder of one's own"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn call(&self, arguments: &[&str]) -> Called {
        HARNESS.call(self.0.path(), arguments)
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).expect("a file in it");
        self.path(name).display().to_string()
    }
}

const STALE: &str = "\
{:process 0, :type :invoke, :f :write, :value 1}
{:process 0, :type :ok, :f :write, :value 1}
{:process 0, :type :invoke, :f :write, :value 2}
{:process 0, :type :ok, :f :write, :value 2}
{:process 1, :type :invoke, :f :read, :value nil}
{:process 1, :type :ok, :f :read, :value 1}
";

#[test]
fn a_stale_read_is_told_and_drawn() {
    let files = Files::new();
    let history = files.write("stale.edn", STALE);
    let picture = files.path("stale.svg").display().to_string();
    let ended = files.call(&["check", &history, "--model", "register", "--svg", &picture]);
    assert_eq!(ended.status, 1, "{ended:?}");
    let told = &ended.stdout;
    assert!(told.contains("read -> 1 (op 4) fits no order"), "{told}");
    assert!(
        told.contains("2 was written and gone again in between"),
        "{told}"
    );
    let svg = std::fs::read_to_string(&picture).expect("a picture");
    assert!(
        svg.starts_with("<svg") && svg.contains("read -&gt; 1"),
        "{svg}"
    );
}

#[test]
fn a_register_may_begin_with_a_value_or_with_any() {
    let files = Files::new();
    let text =
        "{:process 0, :type :invoke, :f :read}\n{:process 0, :type :ok, :f :read, :value 5}\n";
    let history = files.write("five.edn", text);
    for (initial, status) in [("nil", 1), ("5", 0), ("any", 0), ("6", 1)] {
        let arguments = [
            "check",
            &history,
            "--model",
            "register",
            "--initial",
            initial,
        ];
        let ended = files.call(&arguments);
        assert_eq!(ended.status, status, "{initial}: {ended:?}");
    }
    let arguments = ["check", &history, "--model", "set", "--initial", "5"];
    assert_eq!(files.call(&arguments).status, 2);
}

/// A long history goes down to what is wrong with its end.
#[test]
fn the_smallest_witness_says_whatever_was_before() {
    let files = Files::new();
    let mut text = String::new();
    let mut step = |process: u32, f: &str, asked: &str, told: &str| {
        text += &format!("{{:process {process}, :type :invoke, :f :{f}, :value {asked}}}\n");
        text += &format!("{{:process {process}, :type :ok, :f :{f}, :value {told}}}\n");
    };
    for _ in 0..50 {
        step(0, "write", "1", "1");
        step(0, "cas", "[1 2]", "[1 2]");
    }
    step(0, "write", "3", "3");
    step(1, "read", "nil", "1");
    let history = files.write("long.edn", &text);
    let ended = files.call(&["check", &history, "--model", "cas-register"]);
    assert_eq!(ended.status, 1, "{ended:?}");
    let told = "2 operations show it, whatever was before";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
    let told = "write 3 (op 200): then the state is 3";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
}

/// Transactions one after the other, each of a process of its own.
fn transactions(of: &[&str]) -> String {
    let event = |at: usize, process: usize, kind: &str, value: &str| {
        format!(
            "{{\"index\":{at},\"time\":{at},\"process\":{process},\"type\":\"{kind}\",\
             \"f\":\"txn\",\"value\":{value}}}\n"
        )
    };
    // All begin before any ends: only what they saw orders them.
    let begun = of.iter().enumerate();
    let begun = begun.map(|(at, value)| event(at, at, "invoke", &value.replace("[9]", "null")));
    let ended = of.iter().enumerate();
    let ended =
        ended.map(|(at, value)| event(of.len() + at, at, "ok", &value.replace("[9]", "[]")));
    begun.chain(ended).collect()
}

/// [9] stands for an empty list that was read.
const READ_SKEW: [&str; 2] = [
    r#"[["append","x",1],["append","y",1]]"#,
    r#"[["r","x",[9]],["r","y",[1]]]"#,
];

#[test]
fn read_skew_among_transactions_is_told_drawn_and_printed() {
    let files = Files::new();
    let history = files.write("skew.jsonl", &transactions(&READ_SKEW));
    let picture = files.path("skew.svg").display().to_string();
    let model = ["check", &history, "--model", "list-append"];
    let ended = files.call(&[&model[..], &["--svg", &picture]].concat());
    assert_eq!(ended.status, 1, "{ended:?}");
    let told = &ended.stdout;
    assert!(told.contains("G-single-item: read skew"), "{told}");
    assert!(told.contains("T2's append of 1"), "{told}");
    let svg = std::fs::read_to_string(&picture).expect("a picture");
    assert!(svg.starts_with("<svg"), "{svg}");
    let ended = files.call(&[&model[..], &["--json"]].concat());
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.object().to_string().contains("G-single-item"));
}

#[test]
fn the_consistency_demanded_decides_what_is_a_violation() {
    let files = Files::new();
    let history = files.write("skew.jsonl", &transactions(&READ_SKEW));
    let model = ["check", &history, "--model", "list-append", "--consistency"];
    for (demanded, status) in [
        ("read-committed", 0),
        ("snapshot-isolation", 1),
        ("nonsense", 2),
    ] {
        let ended = files.call(&[&model[..], &[demanded]].concat());
        assert_eq!(ended.status, status, "{demanded}: {ended:?}");
    }
}

#[test]
fn transactions_that_cannot_be_judged_end_with_2_or_4() {
    let files = Files::new();
    let twice = [r#"[["w","x",1]]"#, r#"[["w","x",1]]"#];
    let history = files.write("twice.jsonl", &transactions(&twice));
    let ended = files.call(&["check", &history, "--model", "rw-register"]);
    assert_eq!(ended.status, 2, "equal writes: {ended:?}");
    let history = files.write("none.jsonl", "");
    let ended = files.call(&["check", &history, "--model", "rw-register"]);
    assert_eq!(ended.status, 4, "no transaction: {ended:?}");
    let good = [r#"[["w","x",1]]"#, r#"[["r","x",1]]"#];
    let history = files.write("good.jsonl", &transactions(&good));
    let ended = files.call(&["check", &history, "--model", "rw-register"]);
    assert_eq!(ended.status, 0, "{ended:?}");
}

#[test]
fn a_history_survives_every_form() {
    let files = Files::new();
    let edn = files.write(
        "good.edn",
        &STALE.replace(":ok, :f :read, :value 1", ":ok, :f :read, :value 2"),
    );
    let binary = files.path("good.slqh").display().to_string();
    let jsonl = files.path("good.jsonl").display().to_string();
    for (from, to) in [(&edn, &binary), (&binary, &jsonl)] {
        let ended = files.call(&["check", from, "--convert", to]);
        assert_eq!(ended.status, 0, "{ended:?}");
    }
    for history in [&edn, &binary, &jsonl] {
        let ended = files.call(&["check", history, "--model", "cas-register"]);
        assert_eq!(ended.status, 0, "{ended:?}");
    }
}

#[test]
fn bad_histories_end_with_2_the_line_and_the_reason() {
    let files = Files::new();
    let deep = format!(
        "{{:process 0, :type :invoke, :f :read, :value {}",
        "[".repeat(50_000)
    );
    let cases = [
        (deep.as_str(), "line 1: edn: forms nested too deep"),
        (
            "{:process 0, :type :ok, :f :read}",
            "line 1: process 0 completes",
        ),
        (
            "{:index 3, :process 0, :type :invoke, :f :read}\n\
             {:index 3, :process 0, :type :ok, :f :read}",
            "line 2: index 3 follows index 3",
        ),
        (
            "{\"index\":0,\"time\":9,\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n\
             {\"index\":1,\"time\":8,\"process\":0,\"type\":\"ok\",\"f\":\"read\"}",
            "line 2: time 8 is before 9",
        ),
    ];
    for (text, reason) in cases {
        let history = files.write("bad", text);
        let ended = files.call(&["check", &history, "--model", "register"]);
        assert_eq!(ended.status, 2, "{ended:?}");
        assert!(ended.stderr.contains(reason), "{}", ended.stderr);
    }
}

/// A stack of many pushes and pops at once, of which one popped what nobody pushed so late.
#[test]
fn a_budget_ends_a_search_with_4_and_names_the_window() {
    let files = Files::new();
    let mut text = String::new();
    for process in 0..40 {
        text += &format!("{{:process {process}, :type :invoke, :f :push, :value {process}}}\n");
    }
    for process in 0..40 {
        text += &format!("{{:process {process}, :type :ok, :f :push, :value {process}}}\n");
    }
    for process in 0..40 {
        text += &format!("{{:process {process}, :type :invoke, :f :pop, :value nil}}\n");
    }
    for process in 0..40 {
        let taken = if process == 39 { 0 } else { process };
        text += &format!("{{:process {process}, :type :ok, :f :pop, :value {taken}}}\n");
    }
    let history = files.write("stack.edn", &text);
    let arguments = [
        "check",
        &history,
        "--model",
        "stack",
        "--budget-time",
        "300ms",
    ];
    let ended = files.call(&arguments);
    assert_eq!(ended.status, 4, "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("the time allowed ran out in the window"),
        "{}",
        ended.stdout
    );
}

//! Proofs of what is refused, and how it is said.

use super::*;

fn refusal(change: impl FnOnce(&mut Plan)) -> String {
    let mut plan = Plan::default();
    change(&mut plan);
    let error = plan.validate().expect_err("an impossible plan");
    error.to_string()
}

#[test]
fn the_default_is_possible() {
    assert_eq!(Plan::default().validate(), Ok(()));
}

#[test]
fn refuses_what_is_impossible_in_one_clear_line() {
    let cases = [
        (refusal(|plan| plan.masters = 0), "at least 1 master"),
        (refusal(|plan| plan.masters = 2), "--masters 3"),
        (refusal(|plan| plan.replicas = 400), "1203 nodes"),
        (
            refusal(|plan| plan.node_timeout_ms = 1),
            "node timeout 1 ms",
        ),
        (refusal(|plan| plan.time_limit_ms = 0), "--time-limit is 0"),
        (refusal(|plan| plan.time_limit_ms = u64::MAX), "one week"),
        (
            refusal(|plan| plan.fault_interval_ms = 0),
            "--fault-interval",
        ),
        (refusal(|plan| plan.concurrency = 0), "--concurrency is 0"),
        (refusal(|plan| plan.concurrency = 99_999), "99999 clients"),
        (refusal(|plan| plan.rate = u64::MAX), "rate"),
        (refusal(|plan| plan.load.pipeline = 5000), "from 1 to 1000"),
        (
            refusal(|plan| (plan.concurrency, plan.load.pipeline) = (1000, 16)),
            "--concurrency times --pipeline is 16000",
        ),
        (refusal(|plan| plan.load.wait_replicas = 9), "--replicas 9"),
        (
            refusal(|plan| (plan.replicas, plan.load.replica_reads_percent) = (0, 50)),
            "--replica-reads needs replicas",
        ),
        (
            refusal(|plan| plan.slotless = 99),
            "--slotless 99 is above 16",
        ),
        (
            refusal(|plan| plan.workloads = vec!["x".into()]),
            "register, read-write, set",
        ),
        (
            refusal(|plan| plan.workloads = vec![]),
            "register, read-write",
        ),
        (
            refusal(|plan| plan.faults = vec![FaultKind::SlowNet]),
            "--world sim",
        ),
        (
            refusal(|plan| plan.scenario = Some("x".into())),
            "double-manual-failover",
        ),
    ];
    for (message, expected) in cases {
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn reads_fault_lists() {
    let usual = Plan::default().faults;
    assert_eq!(parse_faults("kill, pause,partition,kill"), Ok(usual));
    let all = parse_faults("all").expect("known");
    assert!(all.contains(&FaultKind::Kill) && all.contains(&FaultKind::Reshard));
    assert_eq!(parse_faults("none"), Ok(Vec::new()));
    let error = parse_faults("kil").expect_err("unknown").to_string();
    assert!(error.contains("kill, pause, partition"), "{error}");
}

#[test]
fn survives_its_own_json() {
    let text = serde_json::to_string(&Plan::default()).expect("plain data");
    let back: Plan = serde_json::from_str(&text).expect("just written");
    assert_eq!(back, Plan::default());
}

/// A script of these steps in the default plan, as the text of a file.
fn file_of(script: &str) -> String {
    format!("{{\n\"seed\": 7,\n\"world\": \"sim\",\n\"script\": [\n{script}\n]}}\n")
}

const KILL: &str =
    r#"{"at_ms": 0, "kind": "kill", "strike": {"targets": ["n1"], "duration_ms": 5000}}"#;

#[test]
fn what_a_file_leaves_out_is_as_usual() {
    let plan = file::read(&file_of(KILL)).expect("a plan");
    assert_eq!((plan.seed, plan.world), (7, WorldKind::Sim));
    assert_eq!(plan.masters, Plan::default().masters);
    let script = plan.script.as_deref().expect("it was given");
    assert_eq!(script[0].strike.targets[0].to_string(), "n1");
    assert_eq!(script[0].end_ms(), 5000);
    let text = serde_json::to_string_pretty(&plan).expect("plain data");
    assert_eq!(file::read(&text), Ok(plan));
}

#[test]
fn a_bad_file_is_refused_with_line_and_field() {
    let cases = [
        ("".to_string(), "line 1: EOF"),
        (
            "{\n\"seed\": 1,\n\"masters\": \"3\"\n}".into(),
            "line 3: masters: invalid type: string",
        ),
        (
            "{\n\"seed\": 1,\n\"master\": 3\n}".into(),
            "line 3: unknown field `master`",
        ),
        (
            "{\n\"masters\": 0\n}".into(),
            "line 2: masters: a cluster needs",
        ),
        (
            "{\n\n\"faults\": [\n\"kil\"]\n}".into(),
            "line 4: faults[0]: unknown variant `kil`",
        ),
        (
            "{\n\"faults\": [\"kill\"],\n\"fault_interval_ms\": 0}".into(),
            "line 3: fault_interval_ms: ",
        ),
    ];
    assert_refused(&cases);
}

#[test]
fn a_bad_script_is_refused_with_line_and_field() {
    let step = |step: &str| file_of(&format!("{KILL},\n{step}"));
    let cases = [
        (
            step(
                r#"{"at_ms": 1, "kind": "kill", "strike": {"targets": ["n9"], "duration_ms": 5}}"#,
            ),
            "line 6: script[1].strike.targets: no node is named n9; with these masters and \
             replicas there are n1 to n6",
        ),
        (
            step(
                r#"{"at_ms": 1, "kind": "kill", "strike": {"targets": ["n1"], "duration_ms": 5}}"#,
            ),
            "line 6: script[1].strike.targets: n1 is still under the Kill of step 0, until 5000 ms",
        ),
        (
            step(
                r#"{"at_ms": 1, "kind": "kill", "strike": {"targets": ["n2"], "duration_ms": 0}}"#,
            ),
            "line 6: script[1].strike.duration_ms: it lasts 0 ms",
        ),
        (
            step("{\"at_ms\": 1,\n\"kind\": \"kill\",\n\"strike\": {\"targets\": [\"n2\"]}}"),
            "line 8: script[1].strike: missing field `duration_ms`",
        ),
        (
            step(r#"{"at_ms":1,"kind":"failover","strike":{"targets":["n2"],"duration_ms":5}}"#),
            "line 6: script[1].strike.orders: acts of operators are made of orders",
        ),
        (
            step(r#"{"at_ms":1,"kind":"partition","strike":{"targets":["n2"],"duration_ms":5}}"#),
            "line 6: script[1].strike.cuts: a partition without cuts",
        ),
        (
            step(r#"{"at_ms":99999,"kind":"kill","strike":{"targets":["n2"],"duration_ms":5}}"#),
            "line 6: script[1].at_ms: at 99999 ms, but the run is disturbed for 30000 ms only",
        ),
        (
            file_of(&format!(
                "{},\n{KILL}",
                KILL.replace("n1", "n2").replace(": 0", ": 9")
            )),
            "line 6: script[1].at_ms: at 0 ms, after a step at 9 ms",
        ),
    ];
    assert_refused(&cases);
}

#[test]
fn only_damage_of_single_nodes_can_wait_and_only_in_the_simulation() {
    let step = |kind: &str, moment: &str| {
        file_of(&format!(
            "{{\"at_ms\":1,\"kind\":\"{kind}\",\"strike\":{{\"targets\":[\"n2\",\"n3\"],\
             \"duration_ms\":5,\n\"awaits\":\"{moment}\"}}}}"
        ))
    };
    let cases = [
        (
            step("disconnect", "votes"),
            "line 6: script[0].strike.awaits: a disconnect strikes at its time",
        ),
        (
            step("kill", "dinner"),
            "line 6: script[0].strike.awaits: unknown variant `dinner`",
        ),
        (
            step("kill", "votes").replace("\"sim\"", "\"local\""),
            "line 6: script[0].strike.awaits: moments of an election are seen in time",
        ),
    ];
    assert_refused(&cases);
    assert!(file::read(&step("pause", "asks-for-votes")).is_ok());
}

/// Every node that an act names must be there, as in its targets.
#[test]
fn a_bad_order_is_refused_with_line_and_field() {
    let step = |step: &str| file_of(&format!("{KILL},\n{step}"));
    let cases = [
        (
            step(
                "{\"at_ms\":1,\"kind\":\"reset\",\"strike\":{\"targets\":[\"n4\"],\n\
                 \"orders\":[{\"to\":\"n4\",\"words\":\"CLUSTER RESET\"}],\n\
                 \"undo\":[{\"to\":\"owner:3\",\"words\":\"PING\"},\n\
                 {\"to\":\"n1\",\"words\":\"CLUSTER MEET {ip:n7} {port:n7}\"}],\"duration_ms\":5}}",
            ),
            "line 9: script[1].strike.undo[1]: no node is named n7",
        ),
        (
            step(
                r#"{"at_ms":1,"kind":"takeover","strike":{"targets":["n4"],
                "orders":[{"to":"n40","words":"CLUSTER FAILOVER TAKEOVER"}],"duration_ms":5}}"#,
            ),
            "line 7: script[1].strike.orders[0]: no node is named n40",
        ),
        (
            step(
                r#"{"at_ms":1,"kind":"replicate","strike":{"targets":["n4"],
                "orders":[{"to":"n4","words":"CLUSTER REPLICATE {ID:n2}"}],"duration_ms":5}}"#,
            ),
            "line 7: script[1].strike.orders[0]: {ID:n2} means nothing; there are {id:n1}, ",
        ),
    ];
    assert_refused(&cases);
}

/// How much a clock is wrong, and how long a sync takes, is said within bounds.
#[test]
fn a_bad_dose_is_refused_with_line_and_field() {
    let step = |kind: &str, dose: &str| {
        file_of(&format!(
            "{{\"at_ms\":1,\"kind\":\"{kind}\",\"strike\":{{\"targets\":[\"n2\"],\
             \"duration_ms\":5,\n{dose}\"note\":\"\"}}}}"
        ))
    };
    let cases = [
        (
            step("clock-step", ""),
            "script[0].strike.dose: a clock-step needs {\"step_ms\": N}",
        ),
        (
            step("clock-step", "\"dose\":{\"drift_ppm\":5},"),
            "line 6: script[0].strike.dose: a clock-step needs {\"step_ms\": N}",
        ),
        (
            step("clock-drift", "\"dose\":{\"drift_ppm\":0},"),
            "line 6: script[0].strike.dose: a clock-drift needs",
        ),
        (
            step("slow-disk", "\"dose\":{\"delay_ms\":60001},"),
            "line 6: script[0].strike.dose: a slow-disk needs",
        ),
        (
            step("kill", "\"dose\":{\"delay_ms\":1},"),
            "line 6: script[0].strike.dose: a kill takes no dose",
        ),
        (
            step("slow-disk", "\"dose\":{\"delay\":1},"),
            "line 6: script[0].strike.dose: unknown variant `delay`",
        ),
    ];
    assert_refused(&cases);
    assert!(file::read(&step("clock-step", "\"dose\":{\"step_ms\":-5},")).is_ok());
}

#[test]
fn a_bad_network_is_refused_with_line_and_field() {
    let cases = [
        (
            "{\n\"world\": \"sim\",\n\"network\": {\n\"delay_us\": 1000001}}".to_string(),
            "line 4: network.delay_us: 1000001 us on the way is above",
        ),
        (
            "{\n\"network\": {\n\"delay_us\": 1}}".into(),
            "line 2: network: only the simulated network",
        ),
        (
            "{\"network\": {\n\"delay\": 1}}".into(),
            "line 2: network: unknown field `delay`",
        ),
    ];
    assert_refused(&cases);
}

fn assert_refused(cases: &[(String, &str)]) {
    for (text, expected) in cases {
        let told = file::read(text).expect_err(text).to_string();
        assert!(told.contains(expected), "{told}\nfor {text}");
    }
}

#[test]
fn any_text_is_refused_without_a_panic() {
    for text in [
        "\"",
        "{\"",
        "{\"a",
        "[[[[",
        "}}",
        "{\"a\\",
        "é{\"é\":é",
        "{\"script\":[{\"é\":1}]}",
    ] {
        assert!(file::read(text).is_err(), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(file::read(&deep).is_err());
}

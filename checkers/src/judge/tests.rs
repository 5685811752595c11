//! What a run as a whole is called, from its checks and from what it put its cluster through.

use super::*;
use crate::observation::{FaultKind, FaultPhase, Server};
use crate::test_support::{RecordingBuilder, int, ints};

fn word_of(judgement: &Judgement, id: &str) -> Word {
    let mut checks = judgement.checks.iter();
    checks
        .find(|check| check.id == id)
        .expect("a check of this name")
        .verdict
}

#[test]
fn a_good_run_holds_in_every_check_it_had_a_subject_for() {
    let judgement = judge(&RecordingBuilder::good().build());
    assert_eq!(judgement.verdict, Word::Held, "{judgement:#?}");
    assert_eq!(judgement.exit_status(Strictness::Strict), 0);
    // Nobody was cut off from the majority, suspected, redirected or updated, nothing was ordered,
    // the failed master came back as a replica, and there were registers and sets only.
    let idle = [
        "HI-02",
        "HI-02/bank",
        "HI-03/counter",
        "HI-03/queue",
        "HI-01/queue",
        "HI-10",
        "RP-04",
        "RP-05",
        "HI-11",
        "HI-14",
        "PS-01/pubsub",
        "HI-12",
        "HI-13",
        "PS-02",
        "CE-06",
        "VT-02",
        "VT-13",
        "MF-08",
        "MF-03",
        "MF-02",
        "FD-01",
        "FD-19",
        "FD-05",
        "CF-10",
        "UP-13",
        "UP-12",
        "ST-02",
        "ST-03",
        "ST-04",
        "ST-05",
        "RD-01",
        "RD-02",
        "RD-03",
        "RD-04",
        "RD-05",
        "RD-07",
        "MG-02",
        "MG-02/migrate",
        "MG-03",
        "MG-04",
        "MG-05",
        "MG-07",
        "RP-03",
        "RP-02",
        "RS-02",
    ];
    let undecided = judgement
        .checks
        .iter()
        .filter(|check| check.verdict != Word::Held);
    let undecided: Vec<&str> = undecided.map(|check| &*check.id).collect();
    assert_eq!(undecided, idle, "{judgement:#?}");
    let coverage = &judgement.coverage;
    assert_eq!(
        (coverage.kills, coverage.elections, coverage.votes),
        (1, 1, 2)
    );
    assert_eq!((coverage.promotions, coverage.failovers), (1, 1));
    assert_eq!((coverage.ok_ops, coverage.indeterminate_ops), (5, 1));
}

#[test]
fn the_same_recording_is_judged_alike_online_and_again() {
    let recording = RecordingBuilder::good().build();
    assert_eq!(judge(&recording), judge(&recording.clone()));
    let written = serde_json::to_string(&judge(&recording)).unwrap();
    assert!(
        written.starts_with(r#"{"verdict":"held","why":"#),
        "{written}"
    );
    assert_eq!(
        serde_json::from_str::<Judgement>(&written).unwrap(),
        judge(&recording)
    );
}

#[test]
fn a_run_without_load_and_faults_is_undecided() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    let judgement = judge(&run.build());
    assert_eq!(judgement.verdict, Word::Undecided);
    assert_eq!(judgement.exit_status(Strictness::Lenient), 4);
    assert_eq!(judgement.why, "the run had neither load nor faults");
}

#[test]
fn a_run_with_load_and_without_faults_holds() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    run.add(1000, 0, "set", 1, 1);
    run.final_read(2000, "set", ints(&[1]), 1);
    let judgement = judge(&run.build());
    assert_eq!(judgement.verdict, Word::Held, "{judgement:#?}");
}

#[test]
fn a_run_whose_faults_nobody_noticed_is_undecided() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    run.fault(500, 1, FaultKind::Pause, FaultPhase::Installed, 5);
    run.fault(600, 1, FaultKind::Pause, FaultPhase::Healed, 5);
    run.add(1000, 0, "set", 1, 1);
    run.final_read(2000, "set", ints(&[1]), 1);
    let judgement = judge(&run.build());
    assert_eq!(judgement.verdict, Word::Undecided);
    assert!(
        judgement.why.starts_with("the faults did not bite"),
        "{}",
        judgement.why
    );
}

#[test]
fn a_run_whose_faults_were_all_skipped_is_undecided() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    let skipped = FaultPhase::Skipped("partitions need namespaces".into());
    run.fault(500, 1, FaultKind::Partition, skipped, 5);
    run.add(1000, 0, "set", 1, 1);
    run.final_read(2000, "set", ints(&[1]), 1);
    let judgement = judge(&run.build());
    assert_eq!(judgement.verdict, Word::Undecided);
    assert_eq!(judgement.why, "not one of the faults could be installed");
}

#[test]
fn a_run_in_which_nothing_succeeded_is_undecided() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    let end = crate::test_support::Ends::Fail;
    run.op(500, 5, 0, crate::history::Function::Write, "r", int(1), end);
    assert_eq!(judge(&run.build()).why, "not one operation succeeded");
}

#[test]
fn a_run_whose_bus_was_not_captured_is_undecided() {
    let mut recording = RecordingBuilder::good().build();
    recording.setting.bus_captured = false;
    recording.packets.clear();
    let judgement = judge(&recording);
    assert_eq!(word_of(&judgement, "VT-01"), Word::Undecided);
    assert_eq!(word_of(&judgement, "CF-05"), Word::Held);
}

#[test]
fn votes_are_undecided_when_the_capture_lost_packets() {
    let mut recording = RecordingBuilder::good().build();
    recording.setting.bus_packets_lost = 3;
    let judgement = judge(&recording);
    assert_eq!(word_of(&judgement, "VT-01"), Word::Undecided);
    assert_eq!(word_of(&judgement, "CE-01"), Word::Held);
    assert_eq!(judgement.verdict, Word::Undecided);
}

#[test]
fn a_violation_outweighs_everything_else() {
    let mut recording = RecordingBuilder::good().build();
    recording.packets[40].header.config_epoch = 77;
    recording.setting.bus_packets_lost = 3;
    let judgement = judge(&recording);
    assert_eq!(word_of(&judgement, "CE-04"), Word::Violated);
    assert_eq!(judgement.exit_status(Strictness::Lenient), 1);
    assert!(judgement.why.contains("CE-04: n"), "{}", judgement.why);
}

#[test]
fn a_bare_history_is_judged_by_the_history_checkers_alone() {
    let events = RecordingBuilder::good().build().events;
    let judgement = judge_history(&events);
    assert_eq!(judgement.verdict, Word::Held, "{judgement:#?}");
    let ids: Vec<&str> = judgement.checks.iter().map(|check| &*check.id).collect();
    let registers = ["HI-01", "HI-03", "HI-09"];
    assert!(registers.iter().all(|id| ids.contains(id)));
    let of_clients = |id: &&str| id.starts_with("HI-") || ["RP-04", "PS-01/pubsub"].contains(id);
    assert!(ids.iter().all(of_clients), "{ids:?}");
    assert_eq!(judge_history(&Default::default()).verdict, Word::Undecided);
}

#[test]
fn a_checker_that_is_shown_more_than_it_asks_for_says_the_same() {
    let recording = RecordingBuilder::good().build();
    let mut patient = Judge::showing_everything();
    for happening in recording.merged() {
        patient.observe(happening);
    }
    assert_eq!(patient.finish(&recording.setting), judge(&recording));
}

//! Promises that hold where redis.conf asks for them.

use super::*;
use crate::history::Function;
use crate::observation::View;
use crate::test_support::{Ends, int};

/// n4, the only replica of n1, is killed at 2 s; n1 goes on acknowledging a write a second.
fn without_a_replica(config: &[(&str, &str)], last_write: u64) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    for (name, value) in config {
        run.recording.setting.config.set(name, value);
    }
    run.calm(100, 2000);
    run.kill(2000, 4);
    run.calm(2100, 9000);
    for at in (500..=last_write).step_by(1000) {
        let value = i64::try_from(at).expect("small");
        run.write(at, 1, "r{1}", value, 1);
    }
    run
}

const ONE_WITHIN_A_SECOND: [(&str, &str); 2] = [
    ("min-replicas-to-write", "1"),
    ("min-replicas-max-lag", "1"),
];

/// Proves HI-13: a lag of 1 s, 2 s and the slack of 0.5 s after the replica's end.
#[test]
fn a_master_without_replicas_acknowledges_nothing_where_that_is_asked() {
    let in_time = check(
        &without_a_replica(&ONE_WITHIN_A_SECOND, 5500).build(),
        "HI-13",
    );
    assert_eq!((in_time.verdict, in_time.examined), (Word::Held, 6));
    let late = check(
        &without_a_replica(&ONE_WITHIN_A_SECOND, 6500).build(),
        "HI-13",
    );
    assert_eq!((late.verdict, late.violations.len()), (Word::Violated, 1));
    let told = "n1 acknowledges a write though it cannot have 1 replicas within a lag of 1 s \
                (min-replicas-to-write): the last one is silent for 4.500 s";
    assert_eq!(late.violations[0].message, told);
    let unasked = without_a_replica(&[], 6500).build();
    assert_eq!(word(&unasked, "HI-13"), Word::Undecided);
}

/// Proves HI-13: rule R4, and a replica that came back in between.
#[test]
fn a_master_that_stood_still_has_not_counted_its_replicas_again() {
    let mut run = without_a_replica(&ONE_WITHIN_A_SECOND, 6500);
    run.fault(5000, 2, FaultKind::Pause, FaultPhase::Installed, 1);
    run.fault(6400, 2, FaultKind::Pause, FaultPhase::Healed, 1);
    assert_eq!(word(&run.build(), "HI-13"), Word::Held);
    let mut back = without_a_replica(&ONE_WITHIN_A_SECOND, 6500);
    back.restart_as_replica(5000, 4, 1);
    assert_eq!(word(&back.build(), "HI-13"), Word::Held);
}

/// n1 is killed at 2 s and not replaced; its replica n4 answers a read at this time.
fn read_of_an_orphan(config: &[(&str, &str)], at: u64) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    for (name, value) in config {
        run.recording.setting.config.set(name, value);
    }
    run.calm(100, 2000);
    run.kill(2000, 1);
    run.calm(2100, 9000);
    let end = Ends::Ok(int(7));
    run.op(at, 5, 1, Function::ReplicaRead, "r{1}", int(7), end);
    if let Some(answer) = run.recording.events.last_mut() {
        answer.node = Some(name(4));
    }
    run
}

const NOTHING_STALE: [(&str, &str); 1] = [("replica-serve-stale-data", "no")];

/// Proves RP-05: two crons and the slack after the end of the master.
#[test]
fn an_orphan_answers_no_reads_where_stale_data_is_refused() {
    let late = check(&read_of_an_orphan(&NOTHING_STALE, 5000).build(), "RP-05");
    assert_eq!((late.verdict, late.violations.len()), (Word::Violated, 1));
    let told = "n4 answers a read 3.000 s after its master was killed, with \
                replica-serve-stale-data no";
    assert_eq!(late.violations[0].message, told);
    let soon = check(&read_of_an_orphan(&NOTHING_STALE, 2600).build(), "RP-05");
    assert_eq!((soon.verdict, soon.examined), (Word::Held, 1));
    assert_eq!(
        word(&read_of_an_orphan(&[], 5000).build(), "RP-05"),
        Word::Undecided
    );
}

/// Proves RP-05: who cannot have noticed, or has another master by now, is not judged.
#[test]
fn an_orphan_that_was_cut_off_or_sent_elsewhere_is_not_judged() {
    let mut cut = read_of_an_orphan(&NOTHING_STALE, 5000);
    cut.fault(1900, 2, FaultKind::Partition, FaultPhase::Installed, 4);
    assert_eq!(word(&cut.build(), "RP-05"), Word::Held);
    let mut sent = read_of_an_orphan(&NOTHING_STALE, 5000).build();
    let later = |view: &&mut View| view.node == name(4) && view.time > 5000 * MILLISECOND;
    for view in sent.views.iter_mut().filter(later) {
        Arc::make_mut(&mut view.table)[3].master = Some(id(2));
    }
    assert_eq!(word(&sent, "RP-05"), Word::Held);
}

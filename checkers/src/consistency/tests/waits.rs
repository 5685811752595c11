//! HI-12: what WAIT may answer.

use super::check;
use crate::judge::Check;
use crate::observation::Server;
use crate::test_support::RecordingBuilder;
use crate::verdict::Word;

/// n1 shows these offsets around a write at 1 s, which WAIT says its one replica n4 acknowledged;
/// n4 shows its own from then on.
fn waited(acknowledged: u32, replica: u64) -> Check {
    let mut run = waited_on(acknowledged, replica);
    run.calm(1500, 5000);
    check(&run.build(), "HI-12")
}

fn waited_on(acknowledged: u32, replica: u64) -> RecordingBuilder {
    let mut run = waited_with(acknowledged);
    run.node(4).offset = replica;
    run.calm(1100, 1500);
    run
}

fn waited_with(acknowledged: u32) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.node(1).offset = 200;
    run.node(4).offset = 200;
    run.calm(100, 1000);
    run.write(1005, 0, "{06S}r", 1, 1);
    if let Some(last) = run.recording.events.last_mut() {
        last.replicas = Some(acknowledged);
    }
    run.node(1).offset = 300;
    run
}

/// Proves HI-12: an offset of another master's stream says nothing of this one's.
#[test]
fn a_replica_that_was_away_comes_back_with_another_offset() {
    let came_back = |away: usize| {
        let mut run = waited_with(1);
        (run.node(4).master, run.node(4).offset) = (Some(away), 200);
        run.calm(1100, 2000);
        run.node(4).master = Some(1);
        run.calm(2000, 5000);
        check(&run.build(), "HI-12").verdict
    };
    assert_eq!(came_back(1), Word::Violated);
    assert_eq!(came_back(2), Word::Held);
}

/// Proves HI-12: who became a replica just then may have been counted.
#[test]
fn a_replica_that_joins_may_be_counted_before_it_shows() {
    let mut run = waited_on(2, 300);
    run.node(5).master = Some(1);
    run.calm(1500, 5000);
    assert_eq!(check(&run.build(), "HI-12").verdict, Word::Undecided);
}

/// Proves HI-12.
#[test]
fn wait_counts_nobody_who_cannot_have_the_write() {
    assert_eq!(waited(1, 300).verdict, Word::Held);
    assert_eq!(waited(0, 200).verdict, Word::Undecided);
    let stale = waited(1, 200);
    assert_eq!(stale.verdict, Word::Violated);
    let told = "and only 0 of its 1 can have";
    assert!(stale.violations[0].message.ends_with(told), "{stale:#?}");
    assert_eq!(waited(2, 300).verdict, Word::Violated);
    // A replica that is being given a snapshot shows nothing.
    assert_eq!(waited(1, 0).verdict, Word::Held);
}

//! Votes: to whom, how often, and across restarts.

use super::rig::Rig;
use crate::bus::packet::{Body, Packet};
use crate::cluster::voting::{Ballot, Delivery, Refusal, VOTE_RULES};
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::rules::first_objection;
use crate::time::Millis;

fn sound_ballot() -> Ballot {
    Ballot {
        has_voice: true,
        requested_epoch: CurrentEpoch(5),
        current_epoch: CurrentEpoch(5),
        last_vote_epoch: CurrentEpoch(4),
        is_being_replaced: false,
        master_failed: Some(true),
        is_forced: false,
        voted_ago: None,
        vote_spacing: Millis(2000),
        newer_owner: None,
        delivery: Delivery::Possible,
    }
}

fn refusal(ballot: &Ballot) -> Option<(&'static str, Refusal)> {
    first_objection(VOTE_RULES, ballot, Default::default())
}

/// Proves VO-01 to VO-07, VO-09: one rule each, over a ballot that is sound but for one thing.
#[test]
fn each_rule_refuses_for_its_own_reason() {
    assert_eq!(refusal(&sound_ballot()), None);
    type Spoil = fn(&mut Ballot);
    let cases: [(&str, Refusal, Spoil); 8] = [
        ("VO-01", Refusal::NoVoice, |ballot| ballot.has_voice = false),
        ("VO-02", Refusal::OldEpoch, |ballot| {
            ballot.requested_epoch = CurrentEpoch(4)
        }),
        ("VO-03", Refusal::VotedAlready, |ballot| {
            ballot.last_vote_epoch = CurrentEpoch(5)
        }),
        ("VO-03", Refusal::BeingReplaced, |ballot| {
            ballot.is_being_replaced = true
        }),
        ("VO-04", Refusal::NotAReplica, |ballot| {
            ballot.master_failed = None
        }),
        ("VO-04", Refusal::MasterWorks, |ballot| {
            ballot.master_failed = Some(false)
        }),
        ("VO-05", Refusal::VotedLately, |ballot| {
            ballot.voted_ago = Some(Millis(1999))
        }),
        ("VO-07", Refusal::Unreachable, |ballot| {
            ballot.delivery = Delivery::Impossible
        }),
    ];
    for (clause, reason, spoil) in cases {
        let mut ballot = sound_ballot();
        spoil(&mut ballot);
        assert_eq!(refusal(&ballot), Some((clause, reason)));
    }
}

/// Proves VO-04, MF-09: FORCEACK replaces a failing master, but not the spacing of votes.
#[test]
fn a_forced_request_needs_no_failing_master() {
    let mut ballot = sound_ballot();
    ballot.master_failed = Some(false);
    ballot.is_forced = true;
    assert_eq!(refusal(&ballot), None);
    ballot.voted_ago = Some(Millis(10));
    assert_eq!(refusal(&ballot), Some(("VO-05", Refusal::VotedLately)));
}

/// A cluster in which host 0 is FAIL everywhere; nobody has stood yet.
fn with_a_failed_master() -> Rig {
    let mut rig = Rig::cluster_with(3, 2, |config| config.cluster_replica_no_failover = true);
    let id = rig.id(0);
    rig.kill(0);
    rig.until("FAIL", 5000, |rig| {
        (1..9).all(|index| {
            rig.at(index)
                .member(id)
                .is_some_and(|member| member.is_failed())
        })
    });
    rig.sent.clear();
    rig
}

/// Asks host 1 for its vote in the name of a replica.
fn ask(rig: &mut Rig, replica: usize, epoch: u64) {
    let mut header = rig.header_of(replica);
    header.current_epoch = CurrentEpoch(epoch);
    rig.inject(
        1,
        replica,
        Packet {
            header,
            body: Body::AuthRequest,
        },
    );
}

/// Proves VO-03, VO-11, VO-08, INV-01.
#[test]
fn refuses_a_second_vote_in_the_same_epoch() {
    let mut rig = with_a_failed_master();
    ask(&mut rig, 3, 10);
    ask(&mut rig, 6, 10);
    ask(&mut rig, 3, 10);
    assert_eq!(rig.votes(), [(1, 10)]);
}

/// Proves VO-03, VO-10, VO-14: the vote is in nodes.conf before it leaves, and binds after a
/// restart; the spacing does not.
#[test]
fn refuses_a_second_vote_in_the_same_epoch_after_a_restart() {
    let mut rig = with_a_failed_master();
    ask(&mut rig, 3, 10);
    let vote = rig
        .sent
        .iter()
        .find(|sent| sent.packet.body == Body::AuthAck)
        .expect("a vote");
    let saved = String::from_utf8_lossy(&vote.nodes_conf).into_owned();
    assert!(
        saved.contains("\nvars currentEpoch 10 lastVoteEpoch 10 "),
        "{saved}"
    );
    rig.kill(1);
    rig.start(1);
    rig.run_for(1000);
    ask(&mut rig, 6, 10);
    assert_eq!(rig.votes(), [(1, 10)]);
    ask(&mut rig, 6, 11);
    assert_eq!(rig.votes(), [(1, 10), (1, 11)]);
}

/// Proves VO-01: neither replicas nor masters without slots.
#[test]
fn nobody_without_slots_of_its_own_votes() {
    let mut rig = with_a_failed_master();
    rig.run(1, "CLUSTER FLUSHSLOTS");
    for voter in [1, 4, 6] {
        rig.say(3, voter, Body::AuthRequest, |header| {
            header.current_epoch = CurrentEpoch(10);
        });
    }
    assert_eq!(rig.votes(), []);
}

/// Proves VO-07, PS-14: the vote alone is reason enough for a durable save.
#[test]
fn a_vote_in_a_known_epoch_is_saved_too() {
    let mut rig = with_a_failed_master();
    rig.say(3, 1, Body::Ping(Default::default()), |header| {
        header.current_epoch = CurrentEpoch(10);
    });
    rig.saves.clear();
    ask(&mut rig, 3, 10);
    assert_eq!(rig.votes(), [(1, 10)]);
    assert_eq!(rig.saves, [(1, crate::output::Durability::Synced)]);
}

/// Proves VO-05.
#[test]
fn votes_for_one_shard_are_two_timeouts_apart() {
    let mut rig = with_a_failed_master();
    ask(&mut rig, 3, 10);
    ask(&mut rig, 6, 11);
    assert_eq!(rig.votes(), [(1, 10)]);
    rig.run_for(2100);
    ask(&mut rig, 6, 12);
    assert_eq!(rig.votes(), [(1, 10), (1, 12)]);
}

/// Proves VO-06.
#[test]
fn refuses_a_claim_that_is_older_than_an_owner() {
    let mut rig = with_a_failed_master();
    let mut header = rig.header_of(3);
    header.current_epoch = CurrentEpoch(10);
    header.config_epoch = ConfigEpoch(0);
    rig.inject(
        1,
        3,
        Packet {
            header,
            body: Body::AuthRequest,
        },
    );
    assert_eq!(rig.votes(), []);
}

/// Proves VO-06: an owner that no longer claims the slot does not stand in the way.
#[test]
fn a_slot_its_owner_gave_up_is_no_reason_to_refuse() {
    let mut rig = with_a_failed_master();
    rig.run(2, "CLUSTER DELSLOTS 16000");
    rig.run_for(2000);
    for (number, expected) in [(15_999, vec![]), (16_000, vec![(1, 10)])] {
        let mut header = rig.header_of(3);
        header.current_epoch = CurrentEpoch(10);
        let mut slots = (*header.slots).clone();
        slots.insert(crate::slot::Slot::new(number).expect("a slot"));
        header.slots = std::sync::Arc::new(slots);
        let body = Body::AuthRequest;
        rig.inject(1, 3, Packet { header, body });
        assert_eq!(rig.votes(), expected, "slot {number}");
    }
}

/// Proves VO-02, EP-01.
#[test]
fn refuses_an_old_epoch_and_follows_a_newer_one() {
    let mut rig = with_a_failed_master();
    ask(&mut rig, 3, 50);
    assert_eq!(rig.at(1).current_epoch(), CurrentEpoch(50));
    rig.run_for(2100);
    ask(&mut rig, 6, 49);
    assert_eq!(rig.votes(), [(1, 50)]);
}

/// Proves KW-03 absent: a vote that cannot be delivered is not spent.
#[test]
fn keeps_its_vote_when_the_candidate_cannot_be_reached() {
    let mut rig = with_a_failed_master();
    let candidate = rig.id(3);
    rig.cut(1, 3);
    rig.with(1, |cluster, around, fx| {
        cluster.kill_link(candidate, crate::cluster::LinkDirection::To, around, fx);
    });
    ask(&mut rig, 3, 10);
    assert_eq!(rig.votes(), []);
    ask(&mut rig, 6, 10);
    assert_eq!(rig.votes(), [(1, 10)]);
}

/// Proves VO-12.
#[test]
fn ignores_a_request_of_a_stranger() {
    let mut rig = with_a_failed_master();
    let id = rig.id(3);
    rig.run(1, &format!("CLUSTER FORGET {id}"));
    rig.run_for(300);
    rig.sent.clear();
    let mut header = rig.header_of(3);
    header.current_epoch = CurrentEpoch(10);
    rig.inject(
        1,
        3,
        Packet {
            header,
            body: Body::AuthRequest,
        },
    );
    assert_eq!(rig.votes(), []);
}

/// Proves KW-02 absent: a voter counts once, and only for the epoch that is open.
#[test]
fn a_candidate_counts_each_voter_once_and_no_other_epoch() {
    let mut rig = Rig::cluster(3, 1);
    let id = rig.id(0);
    rig.kill(0);
    rig.until("FAIL at the replica", 5000, |rig| {
        rig.at(3)
            .member(id)
            .is_some_and(|member| member.is_failed())
    });
    // Two masters live, and both are needed; the second is cut off from the candidate.
    rig.cut(3, 2);
    rig.run_for(1400);
    let epoch = rig.at(3).current_epoch();
    for _ in 0..3 {
        let mut header = rig.header_of(1);
        header.current_epoch = epoch;
        rig.inject(
            3,
            1,
            Packet {
                header,
                body: Body::AuthAck,
            },
        );
    }
    assert!(rig.at(3).is_replica(), "one voter is no majority of three");
}

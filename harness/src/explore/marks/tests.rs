//! Each group of marks is found in a run that has it, and not in one that has not.

use slotquake_checkers::observation::FaultKind;
use slotquake_checkers::recording::Recording;

use super::*;
use crate::director;
use crate::plan::{Plan, WorldKind};
use crate::world::sim::SimWorld;

fn tally(recording: &Recording) -> Tally {
    let mut marks = Marks::new(&recording.setting);
    for happening in recording.merged() {
        marks.observe(happening);
    }
    marks.finish()
}

fn play(change: impl FnOnce(&mut Plan)) -> Recording {
    let mut plan = Plan {
        seed: 3,
        world: WorldKind::Sim,
        time_limit_ms: 15_000,
        rate: 50,
        ..Plan::default()
    };
    change(&mut plan);
    let mut world = SimWorld::boot(&plan).expect("the cluster forms");
    director::run(&plan, &mut world, &mut |_| {}).expect("the simulation goes on")
}

#[test]
fn marks_stand_in_the_order_of_their_numbers() {
    for (number, mark) in Mark::ALL.into_iter().enumerate() {
        assert_eq!(mark as usize, number, "{}", mark.told());
    }
}

#[test]
fn a_cluster_left_alone_has_none() {
    let recording = play(|plan| plan.faults.clear());
    assert_eq!(tally(&recording), Tally::default());
}

#[test]
fn a_killed_master_is_declared_failed_and_comes_back() {
    let seen = tally(&play(|plan| plan.faults = vec![FaultKind::Kill]));
    for mark in [
        Mark::FailBroadcast,
        Mark::FailWithdrawn,
        Mark::MasterDemoted,
    ] {
        assert!(seen.of(mark) > 0, "{}", mark.told());
    }
    assert_eq!(seen.of(Mark::ManualElection), 0);
}

#[test]
fn a_vote_that_is_taken_away_is_missed() {
    let mut recording = play(|plan| plan.faults = vec![FaultKind::Kill]);
    let before = tally(&recording).of(Mark::VoteWithheld);
    let is_vote = |packet: &slotquake_checkers::observation::Packet| {
        packet.kind == slotquake_checkers::observation::PacketKind::AuthAck
    };
    let vote = recording.packets.iter().position(is_vote);
    recording
        .packets
        .remove(vote.expect("there was an election"));
    assert_eq!(tally(&recording).of(Mark::VoteWithheld), before + 1);
}

#[test]
fn epochs_that_collide_are_seen() {
    let mut recording = play(|plan| plan.faults = vec![FaultKind::Kill]);
    let claims = recording.packets.iter();
    let highest = claims.map(|packet| packet.header.config_epoch).max();
    let mut last = recording.packets.last().expect("there are packets").clone();
    last.header.master = None;
    last.header.flags = 1;
    last.header.slots.insert(7);
    last.header.config_epoch = highest.expect("there are packets") + 1;
    let mut other = last.clone();
    other.from = last.to.clone();
    recording.packets.extend([last, other]);
    assert!(tally(&recording).of(Mark::EpochCollision) > 0);
}

#[test]
fn a_cut_off_master_stops_and_clients_notice() {
    let seen = tally(&play(|plan| {
        plan.faults = vec![FaultKind::Partition];
        plan.time_limit_ms = 40_000;
    }));
    for mark in [Mark::PfailWithdrawn, Mark::MinorityStopped] {
        assert!(seen.of(mark) > 0, "{}: {seen:?}", mark.told());
    }
}

#[test]
fn a_manual_failover_and_a_migration_are_seen() {
    let scenario = |name: &'static str| {
        tally(&play(|plan| {
            plan.scenario = Some(name.into());
            let entry = director::scenario::find(name).expect("registered");
            (entry.adapt)(plan);
            plan.rate = plan.rate.min(200);
        }))
    };
    assert!(scenario("double-manual-failover").of(Mark::ManualElection) > 0);
    assert!(scenario("source-fails-over").of(Mark::SlotOpened) > 0);
}

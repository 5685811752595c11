//! Each group of marks is found in a run that has it, and not in one that has not.

use slotquake_checkers::history::EventKind;
use slotquake_checkers::observation::slots::slot_of_key;
use slotquake_checkers::observation::{FaultKind, NodeId, Packet, PacketKind};
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
    let seen = tally(&play(|plan| plan.faults.clear()));
    // Replicas begin with a snapshot.
    for mark in Mark::ALL
        .into_iter()
        .filter(|mark| *mark != Mark::FullResync)
    {
        assert_eq!(seen.of(mark), 0, "{}", mark.told());
    }
}

#[test]
fn why_a_vote_was_withheld_is_read_from_what_the_voter_showed() {
    let mut recording = play(|plan| plan.faults = vec![FaultKind::Kill]);
    let before = tally(&recording).of(Mark::EpochTooOld);
    let mut packets = recording.packets.iter();
    let request = packets.find(|packet| {
        packet.kind == PacketKind::AuthRequest && packet.delivered.is_some() && {
            let mut others = recording.packets.iter();
            others.any(|other| other.kind == PacketKind::AuthAck && other.from == packet.to)
        }
    });
    let request = request.expect("a voter was asked").clone();
    let of_voter = |packet: &&mut Packet| packet.from == request.to;
    for packet in recording.packets.iter_mut().filter(of_voter) {
        packet.header.current_epoch += 100;
    }
    assert!(tally(&recording).of(Mark::EpochTooOld) > before);
}

#[test]
fn a_collision_is_resolved_by_another_epoch() {
    let mut recording = play(|plan| plan.faults.clear());
    let claims = |packet: &&Packet| packet.header.claims_slots();
    let mut last = recording
        .packets
        .iter()
        .rfind(claims)
        .expect("a master")
        .clone();
    last.header.config_epoch = 50;
    let mut other = last.clone();
    let mut others = recording.packets.iter().filter(claims);
    let other_master = others.find(|packet| packet.from != last.from);
    other.from = other_master.expect("another master").from.clone();
    let mut resolved = last.clone();
    resolved.header.config_epoch = 51;
    recording.packets.extend([last, other, resolved]);
    assert_eq!(tally(&recording).of(Mark::CollisionResolved), 1);
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
    let is_vote = |packet: &Packet| packet.kind == PacketKind::AuthAck;
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

/// The last packet of a replica of each master, and this master.
fn replicas(recording: &Recording) -> Vec<(Packet, NodeId)> {
    let mut found: Vec<(Packet, NodeId)> = Vec::new();
    for packet in recording.packets.iter().rev() {
        if let Some(master) = &packet.header.master
            && found.iter().all(|(_, other)| other != master)
        {
            found.push((packet.clone(), master.clone()));
        }
    }
    found
}

#[test]
fn a_manual_failover_is_given_up_when_nothing_came_of_it_for_long() {
    let calm = play(|plan| plan.faults.clear());
    let start_at = |at: usize| {
        let mut recording = calm.clone();
        let (mut start, _) = replicas(&calm).remove(0);
        start.kind = PacketKind::MfStart;
        start.time = calm.packets[at].time;
        recording.packets.insert(at, start);
        tally(&recording).of(Mark::ManualTimedOut)
    };
    assert_eq!(start_at(calm.packets.len() / 3), 1);
    assert_eq!(start_at(calm.packets.len() - 1), 0);
}

#[test]
fn only_a_master_without_replicas_adopts() {
    let mut recording = play(|plan| plan.faults.clear());
    let found = replicas(&recording);
    let [(first, one), (second, two), ..] = found.as_slice() else {
        panic!("three masters have a replica each");
    };
    let end = recording.packets.last().map_or(0, |packet| packet.time);
    let moved = |packet: &Packet, to: &NodeId| {
        let mut packet = packet.clone();
        packet.time = end;
        packet.header.master = Some(to.clone());
        packet
    };
    recording.packets.push(moved(first, two));
    let seen = tally(&recording);
    assert_eq!(
        (seen.of(Mark::ReplicaMoved), seen.of(Mark::OrphanAdopted)),
        (1, 0)
    );
    recording.packets.push(moved(second, one));
    let seen = tally(&recording);
    assert_eq!(
        (seen.of(Mark::ReplicaMoved), seen.of(Mark::OrphanAdopted)),
        (2, 1)
    );
}

#[test]
fn a_node_that_is_in_a_view_no_more_was_forgotten() {
    let mut recording = play(|plan| plan.faults.clear());
    let mut view = recording.views.last().expect("nodes were asked").clone();
    let mut table = view.table.to_vec();
    table.retain(|entry| entry.id == view.id);
    view.table = table.into();
    let gone = recording.views.last().map_or(0, |view| view.table.len()) - 1;
    recording.views.push(view);
    assert_eq!(tally(&recording).of(Mark::NodeForgotten), gone as u64);
}

#[test]
fn a_replica_that_had_a_slot_open_lost_it_by_a_failover() {
    let mut recording = play(|plan| plan.faults.clear());
    let mut view = recording.views.last().expect("nodes were asked").clone();
    for (flags, open) in [
        ("myself,master", vec!["7->-x".to_string()]),
        ("myself,slave", vec![]),
    ] {
        let mut table = view.table.to_vec();
        let me = table.iter_mut().find(|entry| entry.id == view.id);
        let me = me.expect("a node knows itself");
        (me.flags, me.open_slots) = (flags.into(), open);
        view.table = table.into();
        recording.views.push(view.clone());
    }
    assert_eq!(tally(&recording).of(Mark::OpenAtFailover), 1);
}

#[test]
fn moved_and_then_ask_is_told_from_either_alone() {
    let mut recording = play(|plan| plan.faults.clear());
    let slot = |key: &str| slot_of_key(key.as_bytes());
    let mut view = recording.views.last().expect("nodes were asked").clone();
    let done = recording.events.iter();
    let done = done.filter(|event| event.kind == EventKind::Ok);
    let mut event = done.last().expect("operations succeed");
    let key = event.key.clone().expect("each has a key");
    let mut table = view.table.to_vec();
    for entry in &mut table {
        entry.open_slots = match entry.id == view.id {
            true => vec![format!("{}->-x", slot(&key))],
            false => Vec::new(),
        };
    }
    view.table = table.into();
    let other = recording.views.iter().find(|other| other.node != view.node);
    let other = other.expect("there are others").node.clone();
    for hops in [vec![view.node.clone()], vec![other, view.node.clone()]] {
        event.hops = hops;
        event.time = view.time + 1;
        recording.events.push(event.clone());
    }
    recording.views.push(view);
    let seen = tally(&recording);
    assert_eq!(
        (seen.of(Mark::AskFollowed), seen.of(Mark::AskAfterMoved)),
        (2, 1)
    );
}

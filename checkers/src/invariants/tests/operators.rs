//! Manual failovers, the age of data, replicas that move.

use super::*;
use crate::history::EventKind;
use crate::observation::View;

/// Headers of n1 say PAUSED in this time.
fn paused(recording: &mut Recording, from: u64, until: u64) {
    let times = from * MILLISECOND..until * MILLISECOND;
    let packets = recording.packets.iter_mut();
    for packet in packets.filter(|packet| packet.from == name(1) && times.contains(&packet.time)) {
        packet.header.message_flags = 1;
    }
}

/// Proves MF-02, MF-05.
#[test]
fn a_paused_master_acknowledges_no_write() {
    let written_at = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3000);
        run.write(at, 0, "{06S}r", 1, 1);
        let mut recording = run.build();
        paused(&mut recording, 1000, 2000);
        word(&recording, "MF-02")
    };
    assert_eq!(written_at(1500), Word::Violated);
    assert_eq!(written_at(950), Word::Held);
    assert_eq!(written_at(2500), Word::Held);
}

/// Proves MF-11.
#[test]
fn clients_are_let_go_after_the_pause() {
    let hung_until = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 4000);
        run.write(1500, 0, "{06S}r", 1, 1);
        let mut recording = run.build();
        let last = recording
            .events
            .unpacked()
            .last_mut()
            .expect("a completion");
        (last.kind, last.time) = (EventKind::Info, at * MILLISECOND);
        paused(&mut recording, 1000, 2000);
        check(&recording, "MF-02")
    };
    assert_eq!(hung_until(2100).verdict, Word::Held);
    assert_eq!(hung_until(2700).violations[0].clause, "MF-11");
}

/// Proves MF-08.
#[test]
fn a_manual_failover_begins_at_the_offset_of_the_master() {
    let stood_at = |offset: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.packet(1000, 4, 1, PacketKind::MfStart);
        run.packet(1001, 1, 4, PacketKind::Ping);
        let told = run.recording.packets.last_mut().expect("it was sent");
        told.header.message_flags = 1;
        run.node(4).offset = offset;
        run.request_and_vote(1010, 4, 4, &[2, 3]);
        run.force_last_request();
        word(&run.build(), "MF-08")
    };
    assert_eq!(stood_at(100), Word::Held);
    assert_eq!(stood_at(90), Word::Violated);
}

/// Proves MF-08: whatever its offset, it waits for its master to pause.
#[test]
fn a_manual_failover_waits_for_the_pause() {
    let stood = |arrives: Option<bool>| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.packet(1000, 4, 1, PacketKind::MfStart);
        if let Some(arrives) = arrives {
            run.packet(1001, 1, 4, PacketKind::Ping);
            let told = run.recording.packets.last_mut().expect("it was sent");
            told.header.message_flags = 1;
            told.delivered = told.delivered.filter(|_| arrives);
        }
        run.request_and_vote(1010, 4, 4, &[2, 3]);
        run.force_last_request();
        word(&run.build(), "MF-08")
    };
    assert_eq!(stood(None), Word::Violated);
    assert_eq!(stood(Some(true)), Word::Held);
    assert_eq!(stood(Some(false)), Word::Undecided);
}

/// Proves MF-11, MF-05.
#[test]
fn a_pause_ends_by_itself() {
    let paused_until = |until: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 8000);
        run.packet(990, 4, 1, PacketKind::MfStart);
        let mut recording = run.build();
        paused(&mut recording, 1000, until);
        check(&recording, "MF-02")
    };
    assert_eq!(paused_until(6200).verdict, Word::Held);
    assert_eq!(paused_until(7000).violations[0].clause, "MF-11");
}

/// Proves MF-03, EP-09.
#[test]
fn a_takeover_takes_an_epoch_above_all_it_knows() {
    let taken = |epoch: u64, kind: FaultKind| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 2000);
        run.fault(2000, 7, kind, FaultPhase::Installed, 4);
        run.promote(2010, 4, epoch);
        word(&run.build(), "MF-03")
    };
    assert_eq!(taken(4, FaultKind::Takeover), Word::Held);
    assert_eq!(taken(2, FaultKind::Takeover), Word::Violated);
    assert_eq!(taken(1, FaultKind::Takeover), Word::Violated);
    assert_eq!(taken(1, FaultKind::ForcedFailover), Word::Undecided);
}

/// Proves VT-12.
#[test]
fn a_replica_with_old_data_does_not_stand() {
    let stood_at = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.kill(1000, 1);
        run.calm(1100, 2000);
        run.request_and_vote(at, 4, 4, &[2]);
        word(&run.build(), "VT-12")
    };
    assert_eq!(stood_at(20_000), Word::Held);
    assert_eq!(stood_at(24_000), Word::Violated);
}

/// n4 and n5 follow n1, n6 follows n2; n6 has failed in every view from `orphaned_at` on.
fn orphan(orphaned_at: u64, until: u64) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    (run.node(5).master, run.node(6).master) = (Some(1), Some(2));
    run.calm(100, until);
    let mut recording = run.build();
    let late = |view: &&mut View| view.time >= orphaned_at * MILLISECOND;
    for view in recording.views.iter_mut().filter(late) {
        Arc::make_mut(&mut view.table)[5].flags = "slave,fail".into();
    }
    recording
}

/// From this time on n4 follows n2.
fn n4_moves(recording: &mut Recording, at: u64) {
    let packets = recording.packets.iter_mut();
    let late = packets.filter(|packet| packet.time >= at * MILLISECOND && packet.from == name(4));
    for packet in late {
        packet.header.master = Some(id(2));
    }
    let late = |view: &&mut View| view.time >= at * MILLISECOND;
    for view in recording.views.iter_mut().filter(late) {
        Arc::make_mut(&mut view.table)[3].master = Some(id(2));
    }
}

/// Proves RP-03, RM-06.
#[test]
fn a_replica_moves_only_to_who_was_orphaned_for_long() {
    let moved_at = |at: u64| {
        let mut recording = orphan(1000, at + 1000);
        n4_moves(&mut recording, at);
        check(&recording, "RP-03")
    };
    assert_eq!(moved_at(6500).verdict, Word::Held);
    assert_eq!(moved_at(4000).violations[0].clause, "RM-06");
}

/// Proves RP-03, RM-03, RM-04.
#[test]
fn a_replica_moves_only_when_it_can_be_spared() {
    let with = |change: &dyn Fn(&mut View)| {
        let mut recording = orphan(1000, 8000);
        recording.views.iter_mut().for_each(change);
        n4_moves(&mut recording, 7000);
        let packets = recording.packets.iter_mut();
        packets.for_each(|packet| packet.header.state_ok = recording.views[0].state_ok);
        check(&recording, "RP-03").violations[0].clause.clone()
    };
    let alone = |view: &mut View| {
        Arc::make_mut(&mut view.table)[4].flags = "slave,fail?".into();
    };
    assert_eq!(with(&alone), "RM-04");
    assert_eq!(with(&|view| view.state_ok = false), "RM-03");
}

/// Proves RP-02.
#[test]
fn an_orphan_gets_a_spare_replica() {
    let mut moved = orphan(1000, 9000);
    n4_moves(&mut moved, 6500);
    assert_eq!(word(&moved, "RP-02"), Word::Held);
    assert_eq!(word(&orphan(1000, 9000), "RP-02"), Word::Violated);
    // Not yet due.
    assert_eq!(word(&orphan(1000, 6500), "RP-02"), Word::Held);
}

//! Who nodes are, who is told what, and who wins.

use super::*;
use crate::observation::NodeId;

fn stranger() -> NodeId {
    NodeId("9".repeat(40).into())
}

/// Proves CF-09, DU-01.
#[test]
fn a_node_keeps_its_id_over_a_restart() {
    let good = check(&RecordingBuilder::good().build(), "CF-09");
    assert_eq!(good.verdict, Word::Held);
    let renamed = |node: usize, from: u64| {
        let mut bad = RecordingBuilder::good().build();
        let own = bad
            .packets
            .iter_mut()
            .filter(|packet| packet.from == name(node));
        for packet in own.filter(|packet| packet.time > from * MILLISECOND) {
            packet.header.sender = stranger();
        }
        let own = bad.views.iter_mut().filter(|view| view.node == name(node));
        for view in own.filter(|view| view.time > from * MILLISECOND) {
            view.id = stranger();
        }
        bad
    };
    let restarted = check(&renamed(1, 4900), "CF-09");
    assert_eq!(restarted.violations.len(), 1, "{restarted:#?}");
    assert_eq!(restarted.violations[0].clause, "DU-01");
    let at_once = check(&renamed(2, 4900), "CF-09");
    assert_eq!(at_once.violations[0].clause, "CF-09");
    let mut ordered = renamed(2, 4900);
    let mut reset = ordered.faults[0].clone();
    (reset.id, reset.kind, reset.targets) = (9, FaultKind::Reset, vec![name(2)]);
    (reset.begun, reset.time) = (4800 * MILLISECOND, 5000 * MILLISECOND);
    ordered.faults.push(reset);
    assert_eq!(word(&ordered, "CF-09"), Word::Held);
}

/// Proves CF-09.
#[test]
fn no_two_nodes_have_one_id() {
    let mut bad = RecordingBuilder::good().build();
    let own = bad
        .packets
        .iter_mut()
        .filter(|packet| packet.from == name(2));
    own.for_each(|packet| packet.header.sender = id(3));
    let own = bad.views.iter_mut().filter(|view| view.node == name(2));
    own.for_each(|view| view.id = id(3));
    let twice = check(&bad, "CF-09");
    assert_eq!(twice.verdict, Word::Violated);
    assert!(twice.violations[0].message.contains("which is the id of"));
}

/// Proves CF-11.
#[test]
fn no_stranger_is_in_a_table() {
    let known_as = |flags: &str| {
        let mut bad = RecordingBuilder::good().build();
        let last = bad.views.last_mut().expect("a view");
        let table = Arc::make_mut(&mut last.table);
        let mut entry = table[4].clone();
        (entry.id, entry.flags) = (stranger(), flags.into());
        table.push(entry);
        word(&bad, "CF-11")
    };
    assert_eq!(known_as("handshake"), Word::Held);
    assert_eq!(known_as("slave"), Word::Violated);
    assert_eq!(known_as("slave,noaddr"), Word::Violated);
}

/// Proves DU-01.
#[test]
fn a_killed_node_starts_again() {
    assert_eq!(word(&RecordingBuilder::good().build(), "DU-01"), Word::Held);
    let refusing = |disk: Option<FaultKind>| {
        let mut run = RecordingBuilder::good();
        run.lifecycle(5002, 1, LifecycleKind::Died);
        if let Some(kind) = disk {
            run.fault(1500, 7, kind, FaultPhase::Installed, 1);
        }
        let mut recording = run.build();
        recording
            .packets
            .retain(|packet| packet.from != name(1) || packet.time < 5000 * MILLISECOND);
        check(&recording, "DU-01")
    };
    let refused = refusing(None);
    assert_eq!(refused.verdict, Word::Violated);
    assert!(
        refused.violations[0]
            .message
            .starts_with("n1 does not start")
    );
    assert_eq!(refusing(Some(FaultKind::FullDisk)).verdict, Word::Held);
    // Who had said something died of something else.
    let mut later = RecordingBuilder::good();
    later.lifecycle(9000, 1, LifecycleKind::Died);
    assert_eq!(word(&later.build(), "DU-01"), Word::Held);
}

/// Proves VT-09.
#[test]
fn two_candidates_must_not_both_win_an_epoch() {
    let voted = |for_n5: &[usize]| {
        let mut run = RecordingBuilder::good();
        run.request_and_vote(9000, 5, 4, for_n5);
        check(&run.build(), "VT-09")
    };
    assert_eq!(voted(&[3]).verdict, Word::Held);
    assert_eq!(voted(&[2, 3]).verdict, Word::Violated);
    // A majority stays one when it grows.
    let mut grows = RecordingBuilder::good();
    grows.packet(4115, 3, 4, PacketKind::AuthAck);
    grows.packet(4116, 2, 4, PacketKind::AuthAck);
    assert_eq!(word(&grows.build(), "VT-09"), Word::Held);
    // The same voter twice is one vote.
    assert_eq!(voted(&[3, 3]).verdict, Word::Held);
}

/// Proves VT-13: a figure, never a violation.
#[test]
fn tells_how_often_the_freshest_replica_won() {
    let won_with = |offset: u64, silent_since: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.node(5).master = Some(1);
        run.node(5).offset = 110;
        run.calm(100, silent_since);
        run.node(5).is_up = false;
        run.calm(silent_since, 4000);
        run.node(4).offset = offset;
        run.elect(4000, 4, 4, &[2, 3]);
        run.calm(4100, 5000);
        check(&run.build(), "VT-13")
    };
    let told = |check: crate::judge::Check| (check.verdict, check.why);
    let share = |best: u64| format!("{best} of 1 failovers were won by the freshest replica");
    assert_eq!(told(won_with(110, 4000)), (Word::Held, share(1)));
    assert_eq!(told(won_with(100, 4000)), (Word::Held, share(0)));
    assert_eq!(won_with(100, 2500).verdict, Word::Undecided);
}

/// Proves PS-02.
#[test]
fn a_sharded_message_stays_in_its_shard() {
    let passed_on = |from: usize, to: usize| {
        let mut run = RecordingBuilder::good();
        run.packet(9000, from, to, PacketKind::PublishShard);
        word(&run.build(), "PS-02")
    };
    assert_eq!(passed_on(2, 5), Word::Held);
    assert_eq!(passed_on(5, 2), Word::Held);
    assert_eq!(passed_on(2, 3), Word::Violated);
    assert_eq!(passed_on(2, 4), Word::Violated);
}

/// Proves FD-08: reports that were there before a pause do not count after it.
#[test]
fn a_node_that_stood_still_needs_fresh_reports() {
    let marked = |reported_at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.fail(1010, 1, 2);
        run.recording
            .packets
            .retain(|packet| packet.kind != PacketKind::Fail);
        let reports = run.recording.packets.iter_mut().rev();
        let is_report = |packet: &&mut Packet| packet.to == name(2) && packet.from == name(3);
        let report = reports.into_iter().find(is_report).expect("the report");
        report.time = reported_at * MILLISECOND;
        report.delivered = Some(report.time + MILLISECOND);
        run.fault(1100, 1, FaultKind::Pause, FaultPhase::Installed, 2);
        run.fault(3900, 1, FaultKind::Pause, FaultPhase::Healed, 2);
        run.packet(4000, 2, 3, PacketKind::Fail);
        let failed = crate::observation::Body::Failed(id(1));
        run.recording.packets.last_mut().expect("it was sent").body = failed;
        word(&run.build(), "FD-03")
    };
    assert_eq!(marked(1050), Word::Violated);
    // What came in meanwhile it reads when it goes on.
    assert_eq!(marked(1200), Word::Held);
}

/// Proves CF-02: two masters that both claim a slot at rest show unequal maps.
#[test]
fn two_owners_of_a_slot_at_rest_are_no_agreement() {
    let mut bad = RecordingBuilder::good().build();
    let late = 19_000 * MILLISECOND;
    let of_n2 = bad.views.iter_mut().filter(|view| view.node == name(2));
    for view in of_n2.filter(|view| view.time > late) {
        let table = Arc::make_mut(&mut view.table);
        table[1].slots.insert(0);
        table[3].slots.remove_all(&"0".parse().expect("a slot"));
    }
    assert_eq!(word(&bad, "CF-05"), Word::Violated);
}

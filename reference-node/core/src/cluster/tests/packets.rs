//! What any packet tells, and messages for subscribers.

use bytes::Bytes;

use super::rig::Rig;
use crate::bus::packet::{Body, Packet};
use crate::cluster::{Effect, PublishKind};
use crate::epoch::CurrentEpoch;

fn published(rig: &Rig, index: usize) -> usize {
    let effects = rig.hosts[index].effects.iter();
    effects
        .filter(|effect| matches!(effect, Effect::Publish { .. }))
        .count()
}

fn publish(rig: &mut Rig, from: usize, kind: PublishKind) {
    let text = Bytes::from_static(b"news");
    rig.with(from, |cluster, around, fx| {
        cluster.publish(kind, text.clone(), text.clone(), around, fx);
    });
    rig.run_for(0);
    rig.run(from, "CLUSTER MYID");
}

/// Proves PU-01, PU-02, PU-03.
#[test]
fn a_message_reaches_every_other_node_once() {
    let mut rig = Rig::cluster(3, 1);
    publish(&mut rig, 3, PublishKind::Global);
    let counts: Vec<usize> = (0..6).map(|index| published(&rig, index)).collect();
    assert_eq!(counts, [1, 1, 1, 0, 1, 1]);
}

/// Proves PU-08.
#[test]
fn a_shard_message_stays_in_the_shard() {
    let mut rig = Rig::cluster(3, 1);
    publish(&mut rig, 3, PublishKind::Sharded);
    let counts: Vec<usize> = (0..6).map(|index| published(&rig, index)).collect();
    assert_eq!(counts, [1, 0, 0, 0, 0, 0]);
}

/// Proves PU-05: what meets a broken link is gone, also when the link is back.
#[test]
fn a_message_to_a_node_out_of_reach_is_never_delivered() {
    let mut rig = Rig::cluster(3, 0);
    rig.cut(0, 2);
    rig.run_for(5000);
    assert!(rig.view(0, 2).open_link().is_none());
    publish(&mut rig, 0, PublishKind::Global);
    rig.heal();
    rig.run_for(10_000);
    assert!(rig.view(0, 2).open_link().is_some());
    assert_eq!([1, 2].map(|index| published(&rig, index)), [1, 0]);
}

/// Proves PU-14.
#[test]
fn a_message_of_a_stranger_is_not_delivered() {
    let mut rig = Rig::cluster(3, 0);
    let stranger = rig.id(2);
    rig.run(0, &format!("CLUSTER FORGET {stranger}"));
    rig.run_for(1000);
    publish(&mut rig, 2, PublishKind::Global);
    publish(&mut rig, 2, PublishKind::Sharded);
    assert_eq!([0, 1].map(|index| published(&rig, index)), [0, 1]);
}

/// Proves BUS-44, EP-01, GO-23: an unknown type refreshes epochs and liveness, nothing else.
#[test]
fn a_packet_of_an_unknown_type_still_carries_its_header() {
    let mut rig = Rig::cluster(2, 0);
    let mut header = rig.header_of(1);
    header.current_epoch = CurrentEpoch(77);
    header.offset = 12_345;
    rig.inject(
        0,
        1,
        Packet {
            header,
            body: Body::Unknown(99),
        },
    );
    assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(77));
    assert_eq!(rig.view(0, 1).repl_offset, 12_345);
}

/// Proves FD-11, FD-12.
#[test]
fn a_fail_message_is_believed_but_not_about_oneself() {
    let mut rig = Rig::cluster(3, 0);
    for (failed, expected) in [(0, false), (2, true)] {
        let header = rig.header_of(1);
        let id = rig.id(failed);
        rig.inject(
            0,
            1,
            Packet {
                header,
                body: Body::Fail { failed: Some(id) },
            },
        );
        assert_eq!(rig.view(0, failed).is_failed(), expected);
    }
}

/// Proves BUS-31: gossip is never about the sender, and never twice about one node.
#[test]
fn gossip_names_no_node_twice_and_never_its_sender() {
    let mut rig = Rig::cluster(4, 1);
    rig.kill(7);
    rig.run_for(5000);
    for sent in &rig.sent {
        let Body::Ping(heartbeat) = &sent.packet.body else {
            continue;
        };
        let mut ids: Vec<_> = heartbeat.gossip.iter().map(|entry| entry.id).collect();
        assert!(!ids.iter().any(|id| Some(*id) == sent.packet.header.sender));
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}

/// Proves BUS-21, BUS-28: no extension unless the peer has shown that it understands them.
#[test]
fn extensions_go_only_to_peers_that_showed_them() {
    let mut rig = Rig::cluster(2, 0);
    rig.run_for(2000);
    let extended = |rig: &Rig| {
        let beats = rig.sent.iter().filter_map(|sent| match &sent.packet.body {
            Body::Ping(beat) | Body::Pong(beat) | Body::Meet(beat) => Some((sent, beat)),
            _ => None,
        });
        let extended = beats.filter(|(_, beat)| !beat.extensions.is_empty());
        extended
            .map(|(sent, _)| sent.packet.header.message_flags.ext_data)
            .collect::<Vec<_>>()
    };
    assert!(extended(&rig).is_empty());
    let mut header = rig.header_of(1);
    header.message_flags.ext_data = true;
    rig.inject(
        0,
        1,
        Packet {
            header,
            body: Body::Ping(Default::default()),
        },
    );
    assert!(!extended(&rig).is_empty());
    assert!(extended(&rig).iter().all(|flag| *flag));
}

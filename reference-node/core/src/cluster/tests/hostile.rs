//! Hostile packets and files: any answer will do, but a panic.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::rig::Rig;
use crate::bus::codec;
use crate::bus::packet::{Body, Gossip, Header, Heartbeat, MessageFlags, NodeFlags, Packet};
use crate::cluster::Cluster;
use crate::cluster::nodes_conf::NodesConf;
use crate::config::Config;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::rng::Rng;
use crate::slot::{Slot, SlotSet};
use crate::time::Millis;

/// An id out of a few: hits known nodes often.
fn any_id(known: Vec<NodeId>) -> impl Strategy<Value = Option<NodeId>> {
    let made = NodeId::parse(&[b'z'; 40]);
    prop_oneof![
        4 => proptest::sample::select(known).prop_map(Some),
        1 => Just(made),
        1 => Just(None),
    ]
}

fn any_slots() -> impl Strategy<Value = Arc<SlotSet>> {
    (0..16_384u64, 0..16_384u64).prop_map(|(a, b)| {
        let mut set = SlotSet::default();
        let ends = [a.min(b), a.max(b)].map(|number| Slot::new(number).expect("below 16384"));
        set.insert_range(ends[0], ends[1]);
        Arc::new(set)
    })
}

fn any_header(known: Vec<NodeId>) -> impl Strategy<Value = Header> {
    let epochs = prop_oneof![0..9u64, Just(u64::MAX)];
    let figures = (
        any::<u16>(),
        any::<u64>(),
        epochs.clone(),
        epochs,
        any::<[bool; 3]>(),
    );
    let ids = (any_id(known.clone()), any_id(known));
    (ids, figures, any_slots(), any::<u16>()).prop_map(|(ids, figures, slots, flags)| Header {
        sender: ids.0,
        master: ids.1,
        port: figures.0,
        bus_port: figures.0,
        second_port: 0,
        current_epoch: CurrentEpoch(figures.2),
        config_epoch: ConfigEpoch(figures.3),
        offset: figures.1,
        slots,
        ip: figures.4[0].then_some(super::rig::LOCALHOST),
        flags: NodeFlags(flags),
        state_ok: true,
        message_flags: MessageFlags {
            paused: figures.4[1],
            force_ack: figures.4[2],
            ext_data: false,
            keeps_open_slots: false,
        },
    })
}

fn any_heartbeat(known: Vec<NodeId>) -> impl Strategy<Value = Heartbeat> {
    let entry = (any_id(known), any::<u16>(), any::<u32>()).prop_map(|(id, flags, at)| Gossip {
        id: id.unwrap_or(NodeId::parse(&[b'y'; 40]).expect("an id")),
        ping_sent_s: at,
        pong_received_s: at,
        ip: Some(super::rig::LOCALHOST),
        port: flags,
        bus_port: flags,
        second_port: 0,
        flags: NodeFlags(flags),
    });
    proptest::collection::vec(entry, 0..5).prop_map(|gossip| Heartbeat {
        gossip,
        extensions: Vec::new(),
    })
}

fn any_body(known: Vec<NodeId>) -> impl Strategy<Value = Body> {
    let beat = any_heartbeat(known.clone()).boxed();
    let update = (any_id(known.clone()), any_slots(), 0..9u64);
    prop_oneof![
        beat.clone().prop_map(Body::Ping),
        beat.clone().prop_map(Body::Pong),
        beat.prop_map(Body::Meet),
        any_id(known).prop_map(|failed| Body::Fail { failed }),
        Just(Body::AuthRequest),
        Just(Body::AuthAck),
        Just(Body::MfStart),
        Just(Body::Unknown(77)),
        update.prop_map(|(owner, slots, epoch)| Body::Update {
            owner,
            config_epoch: ConfigEpoch(epoch),
            slots,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Proves BUS-09: whatever a peer says, this node lives on and its file stays readable.
    #[test]
    fn no_sequence_of_packets_breaks_a_node(
        picks in proptest::collection::vec((0..2usize, any::<prop::sample::Index>()), 20..60),
        seed in any::<u64>(),
    ) {
        let mut rig = Rig::cluster(2, 1);
        let known: Vec<NodeId> = (0..4).map(|index| rig.id(index)).collect();
        let mut runner = proptest::test_runner::TestRunner::new_with_rng(
            ProptestConfig::default(),
            proptest::test_runner::TestRng::from_seed(
                proptest::test_runner::RngAlgorithm::ChaCha,
                &[seed.to_le_bytes(); 4].concat(),
            ),
        );
        let packets = (any_header(known.clone()), any_body(known));
        for (to, from) in picks {
            let tree = packets.new_tree(&mut runner).expect("a packet");
            let (header, body) = tree.current();
            let from = (to + 1 + from.index(3)) % 4;
            if rig.try_inject(to, from, Packet { header, body }) {
                rig.run_for(50);
            }
        }
        for host in &rig.hosts {
            let file = host.nodes_conf.as_deref().expect("saved");
            prop_assert!(NodesConf::parse(file).is_ok(), "{}", String::from_utf8_lossy(file));
        }
    }
}

proptest! {
    /// Proves BUS-08, BUS-09: no bytes make the codec panic.
    #[test]
    fn no_bytes_break_the_codec(
        kind in 0..12u16,
        tail in proptest::collection::vec(any::<u8>(), 0..400),
        spoil in proptest::collection::vec((0..2656usize, any::<u8>()), 0..20),
    ) {
        let mut bytes = vec![0; codec::HEADER_BYTES];
        bytes.extend(tail);
        let total = (bytes.len() as u32).to_be_bytes();
        bytes[..4].copy_from_slice(b"RCmb");
        bytes[4..8].copy_from_slice(&total);
        bytes[9] = 1;
        bytes[13] = kind as u8;
        for (at, byte) in spoil {
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
        }
        let _ = codec::frame_length(&bytes);
        if let Ok(packet) = codec::decode(&bytes) {
            let again = codec::decode(&codec::encode(&packet));
            if !matches!(packet.body, Body::Unknown(_) | Body::Module) {
                prop_assert_eq!(again, Ok(packet));
            }
        }
    }

    /// Proves PS-08: no file makes a node panic, and a spoilt one never yields a new identity.
    #[test]
    fn no_file_breaks_the_start(
        spoil in proptest::collection::vec((0..400usize, any::<u8>()), 1..4),
        cut in 1..400usize,
    ) {
        let id = "07c37dfeb235213a872192d90877d0cd55635b91";
        let other = "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1";
        let mut bytes = format!(
            "{id} 127.0.0.1:7000@17000,h myself,slave {other} 0 0 3 connected [1->-{other}]\n\
             {other} 127.0.0.1:7001@17001 master - 0 1 3 connected 0-16383\n\
             vars currentEpoch 6 lastVoteEpoch 5\n"
        )
        .into_bytes();
        for (at, byte) in spoil {
            if let Some(slot) = bytes.get_mut(at) {
                *slot = byte;
            }
        }
        bytes.truncate(cut);
        let boot = |bytes: &[u8]| {
            let mut fx = Vec::new();
            let config = Config::default();
            Cluster::boot(&config, Some(bytes), Rng::new(1), Millis(5), &mut fx)
        };
        if let Ok(mut cluster) = boot(&bytes) {
            let again = boot(cluster.nodes_conf().text().as_bytes());
            prop_assert_eq!(again.map(|node| node.my_id()), Ok(cluster.my_id()));
        }
    }
}

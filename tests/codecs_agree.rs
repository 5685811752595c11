//! The judges' decoder and the node's codec read the same bytes alike.
//!
//! They share no code, so that a mistake in one does not hide itself. Here packets of every kind
//! are made at random, written by the node and read by both; then bytes are spoilt, and what the
//! judges still take for a packet, the node must take for the same one. The rule that gives a key
//! its slot exists twice as well.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use slotquake_checkers::observation as judge;
use slotquake_core::bus::codec;
use slotquake_core::bus::packet::{
    Body, Extension, Gossip, Header, Heartbeat, MessageFlags, NodeFlags, Packet,
};
use slotquake_core::epoch::{ConfigEpoch, CurrentEpoch};
use slotquake_core::ids::NodeId;
use slotquake_core::slot::{Slot, SlotSet};

fn ids() -> impl Strategy<Value = NodeId> {
    let digit = prop_oneof![b'0'..=b'9', b'a'..=b'z'];
    prop::collection::vec(digit, 40).prop_map(|text| NodeId::parse(&text).unwrap())
}

/// Ranges of slots, as clusters have them, and now and then all.
fn slots() -> impl Strategy<Value = Arc<SlotSet>> {
    let range = (0..16_384_u64, 0..16_384_u64);
    prop::collection::vec(range, 0..4).prop_map(|ranges| {
        let mut slots = SlotSet::default();
        for (one, other) in ranges {
            let slot = |number| Slot::new(number).unwrap();
            slots.insert_range(slot(one.min(other)), slot(one.max(other)));
        }
        Arc::new(slots)
    })
}

fn addresses() -> impl Strategy<Value = Option<IpAddr>> {
    prop::option::of(prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ])
}

prop_compose! {
    fn headers()(
        sender in ids(),
        ports in any::<[u16; 3]>(),
        numbers in any::<[u64; 3]>(),
        slots in slots(),
        master in prop::option::of(ids()),
        ip in addresses(),
        flags in any::<u16>(),
        state_ok in any::<bool>(),
        marks in any::<[bool; 4]>(),
    ) -> Header {
        Header {
            sender: Some(sender),
            port: ports[0],
            bus_port: ports[1],
            second_port: ports[2],
            current_epoch: CurrentEpoch(numbers[0]),
            config_epoch: ConfigEpoch(numbers[1]),
            offset: numbers[2],
            slots,
            master,
            ip,
            flags: NodeFlags(flags),
            state_ok,
            message_flags: MessageFlags {
                paused: marks[0],
                force_ack: marks[1],
                ext_data: marks[2],
                keeps_open_slots: marks[3],
            },
        }
    }
}

prop_compose! {
    fn gossip()(
        id in ids(),
        seconds in any::<[u32; 2]>(),
        ip in addresses(),
        ports in any::<[u16; 3]>(),
        flags in any::<u16>(),
    ) -> Gossip {
        Gossip {
            id,
            ping_sent_s: seconds[0],
            pong_received_s: seconds[1],
            ip,
            port: ports[0],
            bus_port: ports[1],
            second_port: ports[2],
            flags: NodeFlags(flags),
        }
    }
}

fn extensions() -> impl Strategy<Value = Extension> {
    prop_oneof![
        "[a-zA-Z0-9.-]{0,40}".prop_map(Extension::Hostname),
        "[a-zA-Z0-9.-]{0,40}".prop_map(Extension::HumanNodename),
        (ids(), any::<u64>()).prop_map(|(id, ttl_s)| Extension::ForgottenNode { id, ttl_s }),
        ids().prop_map(Extension::ShardId),
        (4..u16::MAX).prop_map(Extension::Unknown),
    ]
}

fn heartbeats() -> impl Strategy<Value = Heartbeat> {
    let gossip = prop::collection::vec(gossip(), 0..5);
    let extensions = prop::collection::vec(extensions(), 0..4);
    (gossip, extensions).prop_map(|(gossip, extensions)| Heartbeat { gossip, extensions })
}

fn texts() -> impl Strategy<Value = (bytes::Bytes, bytes::Bytes)> {
    let text = || prop::collection::vec(any::<u8>(), 0..50).prop_map(bytes::Bytes::from);
    (text(), text())
}

/// Every kind of packet.
fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        heartbeats().prop_map(Body::Ping),
        heartbeats().prop_map(Body::Pong),
        heartbeats().prop_map(Body::Meet),
        ids().prop_map(|id| Body::Fail { failed: Some(id) }),
        texts().prop_map(|(channel, message)| Body::Publish { channel, message }),
        Just(Body::AuthRequest),
        Just(Body::AuthAck),
        (ids(), any::<u64>(), slots()).prop_map(|(owner, epoch, slots)| Body::Update {
            owner: Some(owner),
            config_epoch: ConfigEpoch(epoch),
            slots,
        }),
        Just(Body::MfStart),
        Just(Body::Module),
        texts().prop_map(|(channel, message)| Body::PublishShard { channel, message }),
        (11..0x8000_u16).prop_map(Body::Unknown),
    ]
}

fn packets() -> impl Strategy<Value = Packet> {
    (headers(), bodies()).prop_map(|(mut header, body)| {
        // BUS-45: extensions count only with the flag.
        if let Body::Ping(beat) | Body::Pong(beat) | Body::Meet(beat) = &body {
            header.message_flags.ext_data |= !beat.extensions.is_empty();
        }
        Packet { header, body }
    })
}

fn judged_id(id: NodeId) -> judge::NodeId {
    judge::NodeId(id.as_str().into())
}

fn judged_slots(slots: &SlotSet) -> judge::SlotSet {
    let mut judged = judge::SlotSet::default();
    for slot in slots.iter() {
        judged.insert(slot.number());
    }
    judged
}

fn judged_header(header: &Header) -> judge::Header {
    let marks = header.message_flags;
    judge::Header {
        sender: judged_id(header.sender.expect("made with one")),
        current_epoch: header.current_epoch.0,
        config_epoch: header.config_epoch.0,
        offset: header.offset,
        slots: judged_slots(&header.slots),
        master: header.master.map(judged_id),
        flags: header.flags.0,
        message_flags: u8::from(marks.paused)
            + 2 * u8::from(marks.force_ack)
            + 4 * u8::from(marks.ext_data),
        state_ok: header.state_ok,
    }
}

fn judged_body(body: &Body) -> (judge::PacketKind, judge::Body) {
    use judge::PacketKind as Kind;
    let gossip = |beat: &Heartbeat| {
        let entries = beat.gossip.iter().map(|entry| judge::GossipEntry {
            id: judged_id(entry.id),
            flags: entry.flags.0,
        });
        judge::Body::Gossip(entries.collect())
    };
    match body {
        Body::Ping(beat) => (Kind::Ping, gossip(beat)),
        Body::Pong(beat) => (Kind::Pong, gossip(beat)),
        Body::Meet(beat) => (Kind::Meet, gossip(beat)),
        Body::Fail { failed } => {
            let failed = failed.expect("made with one");
            (Kind::Fail, judge::Body::Failed(judged_id(failed)))
        }
        Body::Update {
            owner,
            config_epoch,
            slots,
        } => {
            let owner = judge::Body::Owner {
                id: judged_id(owner.expect("made with one")),
                config_epoch: config_epoch.0,
                slots: judged_slots(slots),
            };
            (Kind::Update, owner)
        }
        Body::Publish { .. } => (Kind::Publish, judge::Body::Nothing),
        Body::PublishShard { .. } => (Kind::PublishShard, judge::Body::Nothing),
        Body::AuthRequest => (Kind::AuthRequest, judge::Body::Nothing),
        Body::AuthAck => (Kind::AuthAck, judge::Body::Nothing),
        Body::MfStart => (Kind::MfStart, judge::Body::Nothing),
        Body::Module => (Kind::Module, judge::Body::Nothing),
        Body::Unknown(kind) => (Kind::Unknown(*kind), judge::Body::Nothing),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Proves BUS-11, BUS-12, BUS-45.
    #[test]
    fn both_read_what_the_node_wrote(packet in packets()) {
        let bytes = codec::encode(&packet);
        let own = codec::decode(&bytes);
        prop_assert_eq!(own.as_ref(), Ok(&packet));
        prop_assert_eq!(judge::decode::frame_length(&bytes), Ok(Some(bytes.len())));
        let decoded = judge::decode::decode(&bytes).expect("the judges read it too");
        let (kind, body) = judged_body(&packet.body);
        prop_assert_eq!(decoded.kind, kind);
        prop_assert_eq!(decoded.header, judged_header(&packet.header));
        prop_assert_eq!(decoded.body, body);
    }

    /// Proves BUS-08, BUS-09: the judges never believe a packet that a node would drop.
    #[test]
    fn what_the_judges_believe_the_node_believes(
        packet in packets(),
        spoilt in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_cut in prop::bool::weighted(0.2),
    ) {
        let mut bytes = codec::encode(&packet);
        // Spoils the parts that say how the rest is to be read: the bitmap can say anything.
        let telling: Vec<usize> = (0..40).chain(2128..bytes.len()).collect();
        for (index, byte) in spoilt {
            bytes[*index.get(&telling)] = byte;
        }
        if is_cut {
            bytes.pop();
        }
        if let Ok(decoded) = judge::decode::decode(&bytes) {
            let believed = codec::decode(&bytes);
            let is_read = believed.is_ok();
            prop_assert!(is_read, "the judges read {:?}, the node {:?}", decoded, believed);
            let believed = believed.expect("just asserted");
            let mut header = judged_header(&believed.header);
            // Bits without a meaning are kept by the judges and forgotten by the node.
            header.message_flags |= decoded.header.message_flags & !7;
            prop_assert_eq!(decoded.kind, judged_body(&believed.body).0);
            prop_assert_eq!(decoded.header, header);
        }
    }

    /// Proves RD-01: CRC16 of the key, or of its hash tag, modulo 16384.
    #[test]
    fn both_give_a_key_the_same_slot(key in prop::collection::vec(any::<u8>(), 0..40)) {
        let slot = Slot::of_key(&key).number();
        prop_assert_eq!(judge::slots::slot_of_key(&key), slot);
    }

    /// Proves RD-01 where braces are everywhere.
    #[test]
    fn both_find_the_same_hash_tag(key in "[{}ab]{0,12}") {
        let slot = Slot::of_key(key.as_bytes()).number();
        prop_assert_eq!(judge::slots::slot_of_key(key.as_bytes()), slot);
    }
}

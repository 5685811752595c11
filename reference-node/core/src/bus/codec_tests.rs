//! Worked values of cluster-bus.md section 11, lengths, and what is dropped or closed.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::bus::packet::Extension;
use crate::slot::Slot;

const ID: &[u8; 40] = b"07c37dfeb235213a872192d90877d0cd55635b91";

fn header() -> Header {
    let mut slots = SlotSet::default();
    slots.insert(Slot::new(9).expect("a slot"));
    Header {
        sender: NodeId::parse(ID),
        port: 7000,
        bus_port: 17_000,
        second_port: 0,
        current_epoch: CurrentEpoch(6),
        config_epoch: ConfigEpoch(3),
        offset: 1000,
        slots: Arc::new(slots),
        master: None,
        ip: Some(IpAddr::from([127, 0, 0, 1])),
        flags: NodeFlags(NodeFlags::MASTER | NodeFlags::MYSELF),
        state_ok: true,
        message_flags: MessageFlags::default(),
    }
}

fn gossip() -> Gossip {
    Gossip {
        id: NodeId::parse(&[b'a'; 40]).expect("an id"),
        ping_sent_s: 1,
        pong_received_s: 2,
        ip: None,
        port: 7001,
        bus_port: 17_001,
        second_port: 0,
        flags: NodeFlags(NodeFlags::MASTER),
    }
}

fn packet(body: Body) -> Packet {
    Packet {
        header: header(),
        body,
    }
}

fn ping(entries: usize, extensions: Vec<Extension>) -> Packet {
    let mut packet = packet(Body::Ping(Heartbeat {
        gossip: vec![gossip(); entries],
        extensions,
    }));
    packet.header.message_flags.ext_data = true;
    packet
}

/// Proves cluster-bus.md section 4: the exact length of each type.
#[test]
fn each_type_has_its_exact_length() {
    let message = || Bytes::from_static(b"msg");
    let cases = [
        (ping(0, Vec::new()), 2256),
        (ping(2, Vec::new()), 2464),
        (ping(3, Vec::new()), 2568),
        (
            packet(Body::Fail {
                failed: NodeId::parse(ID),
            }),
            2296,
        ),
        (
            packet(Body::Publish {
                channel: "chan".into(),
                message: message(),
            }),
            2271,
        ),
        (
            packet(Body::PublishShard {
                channel: "chan".into(),
                message: message(),
            }),
            2271,
        ),
        (packet(Body::AuthRequest), 2256),
        (packet(Body::AuthAck), 2256),
        (packet(Body::MfStart), 2256),
        (
            packet(Body::Update {
                owner: NodeId::parse(ID),
                config_epoch: ConfigEpoch(3),
                slots: Arc::default(),
            }),
            4352,
        ),
    ];
    for (packet, length) in cases {
        let bytes = encode(&packet);
        assert_eq!(bytes.len(), length);
        assert_eq!(frame_length(&bytes), Ok(Some(length)));
        assert_eq!(decode(&bytes), Ok(packet));
    }
}

/// Proves BUS-11 and the offsets of section 2.
#[test]
fn the_header_has_its_fields_where_they_belong() {
    let bytes = encode(&packet(Body::AuthRequest));
    assert_eq!(bytes[..12], *b"RCmb\x00\x00\x08\xd0\x00\x01\x1b\x58");
    assert_eq!(bytes[12..14], [0, 5]);
    assert_eq!(
        (bytes[23], bytes[31], bytes[38..40].to_vec()),
        (6, 3, vec![3, 232])
    );
    assert_eq!(bytes[40..80], *ID);
    assert_eq!(bytes[81], 1 << 1, "slot 9 is bit 1 of byte 1");
    assert_eq!(bytes[2128..2168], [0; 40]);
    assert_eq!(bytes[2168..2178], *b"127.0.0.1\0");
    assert_eq!(bytes[2248..2254], [0x42, 0x68, 0, 17, 0, 0]);
}

/// Proves the worked values of section 11 for extensions.
#[test]
fn extensions_are_padded_to_eight_bytes() {
    let bytes = |extension| encode(&ping(0, vec![extension]))[HEADER_BYTES..].to_vec();
    let hostname = bytes(Extension::Hostname("abc".into()));
    assert_eq!(
        hostname,
        [0, 0, 0, 16, 0, 0, 0, 0, 97, 98, 99, 0, 0, 0, 0, 0]
    );
    let id = NodeId::parse(ID).expect("an id");
    let shard = bytes(Extension::ShardId(id));
    assert_eq!(
        (shard.len(), &shard[..8]),
        (48, &[0, 0, 0, 48, 0, 3, 0, 0][..])
    );
    let forgotten = bytes(Extension::ForgottenNode { id, ttl_s: 60 });
    assert_eq!(
        (forgotten.len(), forgotten[3], forgotten[5], forgotten[55]),
        (56, 56, 2, 60)
    );
}

/// Proves BUS-08.
#[test]
fn only_signature_and_minimal_length_close_a_link() {
    assert_eq!(frame_length(b"RCmb"), Ok(None));
    assert_eq!(
        frame_length(b"RCmx\0\0\x08\xd0"),
        Err(FrameError::Signature(*b"RCmx"))
    );
    assert_eq!(
        frame_length(b"RCmb\0\0\x08\xcf"),
        Err(FrameError::Length(2255))
    );
    assert_eq!(
        frame_length(b"RCmb\xff\xff\xff\xff"),
        Ok(Some(u32::MAX as usize))
    );
}

/// Proves BUS-09, and the order of section 9.
#[test]
fn a_malformed_packet_is_dropped_with_its_reason() {
    let spoil = |packet: &Packet, at: usize, bytes: &[u8]| {
        let mut frame = encode(packet);
        frame[at..at + bytes.len()].copy_from_slice(bytes);
        decode(&frame).expect_err("dropped")
    };
    let whole = ping(1, vec![Extension::Hostname("abc".into())]);
    assert_eq!(spoil(&whole, 8, &[0, 2]), DropReason::Version(2));
    assert!(matches!(
        spoil(&whole, 4, &[0, 0, 0x20, 0]),
        DropReason::Truncated { .. }
    ));
    let extension = HEADER_BYTES + GOSSIP_BYTES;
    assert_eq!(
        spoil(&whole, extension, &[0, 0, 0, 9]),
        DropReason::Padding(9)
    );
    let too_long = DropReason::Extension {
        length: 24,
        left: 16,
    };
    assert_eq!(spoil(&whole, extension, &[0, 0, 0, 24]), too_long);
    assert!(matches!(
        spoil(&whole, 14, &[0, 9]),
        DropReason::Length { kind: 0, .. }
    ));
    let publish = packet(Body::Publish {
        channel: "c".into(),
        message: "m".into(),
    });
    let huge = spoil(&publish, HEADER_BYTES, &[0xff; 8]);
    assert!(matches!(huge, DropReason::Length { kind: 4, .. }));
    assert!(matches!(decode(b"RCmb"), Err(DropReason::Truncated { .. })));
}

/// Proves BUS-45: extensions count only with their flag.
#[test]
fn extension_bytes_without_the_flag_are_a_wrong_length() {
    let mut packet = ping(0, vec![Extension::Hostname("abc".into())]);
    packet.header.message_flags.ext_data = false;
    let reason = decode(&encode(&packet)).expect_err("dropped");
    assert!(matches!(
        reason,
        DropReason::Length {
            kind: 0,
            expected: 2256,
            got: 2272
        }
    ));
}

/// Proves BUS-43, CF-14: what would break a table or a file does not get in.
#[test]
fn invalid_names_do_not_get_in() {
    let mut frame = encode(&ping(2, vec![Extension::Hostname("abc".into())]));
    frame[HEADER_BYTES] = b'A';
    let at = HEADER_BYTES + 2 * GOSSIP_BYTES + 8;
    frame[at] = b' ';
    frame[40] = 0;
    let packet = decode(&frame).expect("well formed");
    assert_eq!(packet.header.sender, None);
    let Body::Ping(heartbeat) = packet.body else {
        panic!("a ping expected");
    };
    assert_eq!(heartbeat.gossip.len(), 1);
    assert_eq!(heartbeat.extensions, [Extension::Unknown(0)]);
}

/// Proves BUS-44.
#[test]
fn unknown_types_have_any_length() {
    let mut frame = encode(&packet(Body::Unknown(4321)));
    frame.extend([1; 10]);
    let total = (frame.len() as u32).to_be_bytes();
    frame[4..8].copy_from_slice(&total);
    assert_eq!(
        decode(&frame).map(|packet| packet.body),
        Ok(Body::Unknown(4321))
    );
}

/// Proves BUS-13: in other types the counts of gossip and extensions say nothing.
#[test]
fn counts_mean_nothing_but_in_heartbeats() {
    let message = || Bytes::from_static(b"msg");
    let bodies = [
        Body::Fail {
            failed: NodeId::parse(ID),
        },
        Body::Publish {
            channel: message(),
            message: message(),
        },
        Body::AuthRequest,
        Body::AuthAck,
        Body::Update {
            owner: NodeId::parse(ID),
            config_epoch: ConfigEpoch(3),
            slots: Arc::default(),
        },
        Body::MfStart,
        Body::Module,
        Body::PublishShard {
            channel: message(),
            message: message(),
        },
        Body::Unknown(11),
    ];
    for body in bodies {
        let mut whole = packet(body);
        whole.header.message_flags.ext_data = true;
        let mut frame = encode(&whole);
        assert_eq!(
            (&frame[14..16], &frame[2214..2216]),
            (&[0; 2][..], &[0; 2][..])
        );
        frame[14..16].copy_from_slice(&[0, 9]);
        frame[2214..2216].copy_from_slice(&[0, 3]);
        assert_eq!(decode(&frame), Ok(whole));
    }
    let mut beat = encode(&ping(0, Vec::new()));
    beat[15] = 1;
    assert!(matches!(decode(&beat), Err(DropReason::Length { .. })));
}

/// Proves BUS-02: packets follow each other with nothing in between.
#[test]
fn a_stream_is_cut_into_its_packets() {
    let packets = [
        ping(2, vec![Extension::Hostname("abc".into())]),
        packet(Body::AuthAck),
        ping(0, Vec::new()),
    ];
    let stream: Vec<u8> = packets.iter().flat_map(encode).collect();
    let mut rest = &stream[..];
    for packet in packets {
        let length = frame_length(rest).expect("a packet").expect("enough bytes");
        assert_eq!(decode(&rest[..length]), Ok(packet));
        rest = &rest[length..];
    }
    assert!(rest.is_empty());
}

/// Proves BUS-12: only zero bytes make a master; a name that cannot be read names nobody known.
#[test]
fn a_sender_that_names_any_master_is_none() {
    let mut frame = encode(&packet(Body::AuthRequest));
    let master = |frame: &[u8]| decode(frame).expect("well formed").header.master;
    assert_eq!(master(&frame), None);
    frame[2128..2168].copy_from_slice(ID);
    assert_eq!(master(&frame), NodeId::parse(ID));
    frame[2130] = b' ';
    assert_eq!(master(&frame), Some(NodeId::UNREADABLE));
    assert_eq!(NodeId::parse(NodeId::UNREADABLE.as_bytes()), None);
    let again = decode(&frame).map(|packet| encode(&packet));
    assert_eq!(
        again.map(|bytes| master(&bytes)),
        Ok(Some(NodeId::UNREADABLE))
    );
}

//! Worked values of cluster-bus.md section 11, malformed packets, and random bytes.
//!
//! Each packet is built here by hand, byte by byte, so that no codec vouches for itself.

use proptest::prelude::*;

use super::*;

/// A packet of this type with a header of recognisable values, and this body.
fn packet(type_number: u16, count: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    let length = u32::try_from(HEADER_BYTES + body.len()).unwrap();
    bytes[..4].copy_from_slice(b"RCmb");
    bytes[4..8].copy_from_slice(&length.to_be_bytes());
    bytes[8..10].copy_from_slice(&1u16.to_be_bytes());
    bytes[12..14].copy_from_slice(&type_number.to_be_bytes());
    bytes[14..16].copy_from_slice(&count.to_be_bytes());
    bytes[16..24].copy_from_slice(&7u64.to_be_bytes());
    bytes[24..32].copy_from_slice(&5u64.to_be_bytes());
    bytes[32..40].copy_from_slice(&1000u64.to_be_bytes());
    bytes[40..80].copy_from_slice(&[b'a'; 40]);
    bytes[80] = 0b0000_0101;
    bytes[2250..2252].copy_from_slice(&17u16.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn gossip_entry(id: u8, flags: u16) -> Vec<u8> {
    let mut entry = vec![0; GOSSIP_BYTES];
    entry[..40].copy_from_slice(&[id; 40]);
    entry[98..100].copy_from_slice(&flags.to_be_bytes());
    entry
}

/// Proves BUS-11, BUS-12 and the worked value of an empty PING (section 11).
#[test]
fn decodes_an_empty_ping() {
    let bytes = packet(0, 0, &[]);
    assert_eq!(bytes[..8], [0x52, 0x43, 0x6d, 0x62, 0, 0, 0x08, 0xd0]);
    let decoded = decode(&bytes).unwrap();
    assert_eq!(decoded.kind, PacketKind::Ping);
    assert_eq!(&*decoded.header.sender.0, "a".repeat(40));
    assert_eq!(decoded.header.slots.to_string(), "0 2");
    assert_eq!(decoded.header.current_epoch, 7);
    assert_eq!(decoded.header.config_epoch, 5);
    assert_eq!(decoded.header.offset, 1000);
    assert_eq!(decoded.header.flags, 17);
    assert!(decoded.header.is_master() && decoded.header.state_ok);
    assert_eq!(decoded.body, Body::Gossip([].into()));
}

/// Proves the lengths of section 11: 2464 bytes with two gossip entries, 2568 with three.
#[test]
fn decodes_gossip_at_the_worked_lengths() {
    let entries = [gossip_entry(b'b', 4), gossip_entry(b'c', 8)].concat();
    let two = packet(1, 2, &entries);
    assert_eq!(two.len(), 0x9a0);
    let expected = vec![
        GossipEntry {
            id: NodeId("b".repeat(40).into()),
            flags: 4,
        },
        GossipEntry {
            id: NodeId("c".repeat(40).into()),
            flags: 8,
        },
    ];
    assert_eq!(decode(&two).unwrap().body, Body::Gossip(expected.into()));
    let three = packet(1, 3, &[entries, gossip_entry(b'd', 1)].concat());
    assert_eq!(three.len(), 0xa08);
    assert!(decode(&three).is_ok());
}

#[test]
fn decodes_a_fail_and_an_update() {
    let fail = packet(3, 0, &[b'f'; 40]);
    assert_eq!(fail.len(), 0x8f8);
    let failed = NodeId("f".repeat(40).into());
    assert_eq!(decode(&fail).unwrap().body, Body::Failed(failed));

    let mut owner = vec![0; 2096];
    owner[..8].copy_from_slice(&9u64.to_be_bytes());
    owner[8..48].copy_from_slice(&[b'e'; 40]);
    owner[48 + 2047] = 0x80;
    let update = packet(7, 0, &owner);
    assert_eq!(update.len(), 0x1100);
    let Body::Owner {
        id,
        config_epoch,
        slots,
    } = decode(&update).unwrap().body
    else {
        panic!("an UPDATE names an owner");
    };
    assert_eq!((&*id.0, config_epoch), ("e".repeat(40).as_str(), 9));
    assert_eq!(slots.to_string(), "16383");
}

/// Proves the worked extensions of section 11 (HOSTNAME, SHARDID, FORGOTTEN_NODE).
#[test]
fn walks_extensions_when_the_flag_says_there_are_some() {
    let hostname = b"\x00\x00\x00\x10\x00\x00\x00\x00abc\x00\x00\x00\x00\x00".to_vec();
    let mut shard_id = b"\x00\x00\x00\x30\x00\x03\x00\x00".to_vec();
    shard_id.extend_from_slice(&[b's'; 40]);
    let mut forgotten = b"\x00\x00\x00\x38\x00\x02\x00\x00".to_vec();
    forgotten.extend_from_slice(&[b'f'; 40]);
    forgotten.extend_from_slice(&60u64.to_be_bytes());
    let body = [gossip_entry(b'b', 1), hostname, shard_id, forgotten].concat();
    let mut bytes = packet(0, 1, &body);
    bytes[2215] = 3;
    bytes[2253] = 4;
    assert!(decode(&bytes).is_ok());
    bytes[2253] = 0;
    assert!(matches!(
        decode(&bytes),
        Err(DecodeError::LengthMismatch { .. })
    ));
}

#[test]
fn refuses_extensions_that_do_not_fit() {
    for length in [0u32, 4, 12, 24, u32::MAX] {
        let mut extension = vec![0; 16];
        extension[..4].copy_from_slice(&length.to_be_bytes());
        let mut bytes = packet(0, 0, &extension);
        bytes[2215] = 1;
        bytes[2253] = 4;
        let error = decode(&bytes).unwrap_err();
        assert!(matches!(error, DecodeError::Extension { .. }), "{error}");
    }
}

#[test]
fn tells_the_type_of_votes_and_tolerates_unknown_types() {
    assert_eq!(
        decode(&packet(5, 0, &[])).unwrap().kind,
        PacketKind::AuthRequest
    );
    assert_eq!(
        decode(&packet(6, 0, &[])).unwrap().kind,
        PacketKind::AuthAck
    );
    let unknown = decode(&packet(77, 9, b"anything")).unwrap();
    assert_eq!(unknown.kind, PacketKind::Unknown(77));
    assert_eq!(unknown.body, Body::Nothing);
}

/// Proves BUS-43.
#[test]
fn voids_a_gossip_section_with_an_impossible_id() {
    let body = [gossip_entry(b'b', 1), gossip_entry(b'B', 1)].concat();
    let decoded = decode(&packet(0, 2, &body)).unwrap();
    assert_eq!(decoded.body, Body::Gossip([].into()));
}

#[test]
fn refuses_lengths_that_do_not_match_the_type() {
    for bytes in [
        packet(6, 0, &[0; 1]),
        packet(3, 0, &[b'a'; 39]),
        packet(0, 1, &[]),
        packet(4, 0, &[0; 4]),
        packet(4, 0, &[0xff; 8]),
        packet(9, 0, &[0xff; 13]),
        packet(7, 0, &[b'a'; 2095]),
    ] {
        let error = decode(&bytes).unwrap_err();
        assert!(
            matches!(error, DecodeError::LengthMismatch { .. }),
            "{error}"
        );
    }
    assert!(decode(&packet(4, 0, b"\0\0\0\x04\0\0\0\x03chanmsg")).is_ok());
}

/// Proves BUS-08.
#[test]
fn splits_a_stream_by_signature_and_length() {
    let ping = packet(0, 0, &[]);
    assert_eq!(frame_length(&[]), Ok(None));
    assert_eq!(frame_length(&ping[..7]), Ok(None));
    assert_eq!(frame_length(&ping[..8]), Ok(Some(2256)));
    assert!(matches!(
        frame_length(b"RCx"),
        Err(DecodeError::Signature(_))
    ));
    assert_eq!(
        frame_length(b"RCmb\x00\x00\x08\xcf\x00\x01\x00\x00\x00\x00"),
        Err(DecodeError::LengthTooSmall { length: 2255 })
    );
    assert_eq!(
        frame_length(b"RCmb\x00\x00\x00\x20\x00\x01\x00\x00\x80\x04"),
        Ok(Some(32))
    );
    assert!(matches!(
        frame_length(b"RCmb\xff\xff\xff\xff"),
        Err(DecodeError::LengthTooLarge { .. })
    ));
}

#[test]
fn refuses_light_messages_and_other_versions_by_name() {
    let mut light = b"RCmb\x00\x00\x00\x18\x00\x01\x00\x00\x80\x04\x00\x00".to_vec();
    light.extend_from_slice(&[0; 8]);
    assert_eq!(decode(&light), Err(DecodeError::Light(4)));
    let mut future = packet(0, 0, &[]);
    future[9] = 2;
    assert_eq!(decode(&future), Err(DecodeError::Version(2)));
}

proptest! {
    #[test]
    fn never_panics_on_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = frame_length(&bytes);
        let _ = decode(&bytes);
    }

    #[test]
    fn never_panics_on_a_damaged_packet(
        type_number in 0u16..12,
        count in 0u16..4,
        body in prop::collection::vec(any::<u8>(), 0..512),
        damage in prop::collection::vec((0usize..2800, any::<u8>()), 0..12),
        kept in 0usize..2800,
    ) {
        let mut bytes = packet(type_number, count, &body);
        for (at, byte) in damage {
            if let Some(target) = bytes.get_mut(at) {
                *target = byte;
            }
        }
        let _ = decode(&bytes);
        bytes.truncate(kept);
        let _ = decode(&bytes);
    }
}

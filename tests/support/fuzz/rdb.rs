//! RDB bytes: payloads of DUMP and RESTORE, and whole files.

use slotquake_core::keyspace::Keyspace;
use slotquake_core::rdb::crc64::crc64;
use slotquake_core::rdb::{decode_dump, encode_dump, encode_file};
use slotquake_core::replication::entries;
use slotquake_core::time::Millis;

/// A payload as it is, then as the value in front of a right footer.
pub(super) fn dump(input: &[u8]) {
    round_trip(input);
    let mut repaired = input.to_vec();
    repaired.extend_from_slice(&9_u16.to_le_bytes());
    let crc = crc64(0, &repaired);
    repaired.extend_from_slice(&crc.to_le_bytes());
    round_trip(&repaired);
}

fn round_trip(payload: &[u8]) {
    if let Ok(value) = decode_dump(payload) {
        assert!(!value.is_empty_collection(), "an empty collection");
        // The version written keeps less of a stream than later ones: what it keeps must stay.
        let written = encode_dump(&value);
        let again = decode_dump(&written).expect("a node reads what it writes");
        assert_eq!(encode_dump(&again), written, "written and read again");
    }
}

/// A file as it is, then with an end that is not checked (zeros for the checksum).
pub(super) fn file(input: &[u8]) {
    load_and_save(input);
    let mut repaired = input.to_vec();
    repaired.push(0xff);
    repaired.extend_from_slice(&[0; 8]);
    load_and_save(&repaired);
}

fn load_and_save(bytes: &[u8]) {
    let Ok(keys) = entries(bytes) else {
        return;
    };
    let mut keyspace = Keyspace::default();
    for (key, entry) in keys {
        keyspace.insert_entry(key, entry);
    }
    let saved = encode_file(&keyspace, Millis(0));
    let mut again = Keyspace::default();
    for (key, entry) in entries(&saved).expect("a node reads what it writes") {
        again.insert_entry(key, entry);
    }
    assert_eq!(encode_file(&again, Millis(0)), saved, "saved and loaded");
}

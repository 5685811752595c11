//! The packet filter as nf_tables: three rules, and the sets of paths they drop.
//!
//! One rule looks up the pair of addresses, the two others also the port the packet comes from or
//! goes to. The rules stay; a fault only adds paths to the sets or removes them, all in one
//! transaction, so a partition of any shape begins at one instant on all links. Packets are dropped
//! on arrival (the input hook): a drop on the way out would be an error the sender can see. Numbers
//! are those of linux/netfilter/nf_tables.h; the table goes with the network namespace.

use nix::errno::Errno;

use super::netlink::{Attributes, Batch, Link, NLM_F_ACK, NLM_F_CREATE};
use super::path::Path;

/// The filter of this network namespace.
#[derive(Debug)]
pub(super) struct Nft {
    link: Link,
}

impl Nft {
    /// Makes the table with its empty sets.
    pub(super) fn open() -> Result<Nft, Errno> {
        let nft = Nft {
            link: Link::open()?,
        };
        let hook = Attributes::default()
            .number(1, HOOK_INPUT)
            .number(2, PRIORITY_FILTER);
        let chain = named(1).text(3, TABLE).nest(4, hook).text(7, "filter");
        nft.transact(&[
            (NEW_TABLE, named(1)),
            (NEW_SET, PAIRS.declaration()),
            (NEW_SET, PORTS.declaration()),
            (NEW_CHAIN, chain),
            (NEW_RULE, rule(&PAIRS, None)),
            (NEW_RULE, rule(&PORTS, Some(SOURCE_PORT_OFFSET))),
            (NEW_RULE, rule(&PORTS, Some(TARGET_PORT_OFFSET))),
        ])?;
        Ok(nft)
    }

    /// Adds and removes paths, all at one instant.
    pub(super) fn change(&self, added: &[Path], removed: &[Path]) -> Result<(), Errno> {
        let mut messages = Vec::new();
        for (kind, paths) in [(DELETE_ELEMENT, removed), (NEW_ELEMENT, added)] {
            for set in [&PAIRS, &PORTS] {
                let keys: Vec<Vec<u8>> = paths.iter().filter_map(|path| set.key(path)).collect();
                let chunks = keys.chunks(KEYS_PER_MESSAGE);
                messages.extend(chunks.map(|keys| (kind, set.elements(keys))));
            }
        }
        match messages.is_empty() {
            true => Ok(()),
            false => self.transact(&messages),
        }
    }

    fn transact(&self, messages: &[(u16, Attributes)]) -> Result<(), Errno> {
        let none = Attributes::default();
        let mut batch = Batch::default();
        batch.push(BATCH_BEGIN, 0, &[0, 0, 0, SUBSYSTEM as u8], &none);
        for (kind, attributes) in messages {
            let kind = (SUBSYSTEM << 8) | kind;
            batch.push(
                kind,
                NLM_F_ACK | NLM_F_CREATE,
                &[FAMILY_IPV4, 0, 0, 0],
                attributes,
            );
        }
        batch.push(BATCH_END, 0, &[0, 0, 0, SUBSYSTEM as u8], &none);
        self.link.transact(&batch)
    }
}

/// A set of paths.
struct Set {
    name: &'static str,
    number: u32,
    key_type: u32,
    key_bytes: u32,
}

impl Set {
    fn declaration(&self) -> Attributes {
        named(1)
            .text(2, self.name)
            .number(4, self.key_type)
            .number(5, self.key_bytes)
            .number(10, self.number)
    }

    /// The key of a path; none if it belongs to the other set.
    fn key(&self, path: &Path) -> Option<Vec<u8>> {
        let mut key = [path.source.octets(), path.target.octets()].concat();
        if let Some(port) = path.port {
            key.extend(port.to_be_bytes());
            // Every part of a key begins at a multiple of four bytes.
            key.extend([0, 0]);
        }
        (key.len() == self.key_bytes as usize).then_some(key)
    }

    fn elements(&self, keys: &[Vec<u8>]) -> Attributes {
        let list = keys.iter().fold(Attributes::default(), |list, key| {
            let key = Attributes::default().bytes(1, key);
            list.nest(1, Attributes::default().nest(1, key))
        });
        named(1).text(2, self.name).nest(3, list)
    }
}

fn named(kind: u16) -> Attributes {
    Attributes::default().text(kind, TABLE)
}

/// Drops what is in the set; with the port at this offset of the transport header, if any.
fn rule(set: &Set, port_offset: Option<u32>) -> Attributes {
    let load = |register: u32, header: u32, offset: u32, bytes: u32| {
        let load = Attributes::default()
            .number(1, register)
            .number(2, header)
            .number(3, offset)
            .number(4, bytes);
        ("payload", load)
    };
    // Source and destination stand side by side in the IPv4 header: one load takes both.
    let mut expressions = vec![load(REGISTER, NETWORK_HEADER, SOURCE_OFFSET, 8)];
    expressions.extend(port_offset.map(|at| load(REGISTER_THIRD_WORD, TRANSPORT_HEADER, at, 2)));
    let lookup = Attributes::default()
        .text(1, set.name)
        .number(2, REGISTER)
        .number(4, set.number);
    let verdict = Attributes::default().nest(2, Attributes::default().number(1, DROP));
    let drop = Attributes::default()
        .number(1, REGISTER_VERDICT)
        .nest(2, verdict);
    expressions.extend([("lookup", lookup), ("immediate", drop)]);
    let list = expressions
        .into_iter()
        .fold(Attributes::default(), |list, (name, body)| {
            list.nest(1, Attributes::default().text(1, name).nest(2, body))
        });
    named(1).text(2, TABLE).nest(4, list)
}

const TABLE: &str = "slotquake";
/// What `nft list` prints as `ipv4_addr . ipv4_addr`: two types of number 7, 6 bits each.
const PAIRS: Set = Set {
    name: "pairs",
    number: 1,
    key_type: (7 << 6) | 7,
    key_bytes: 8,
};
/// The same with `inet_service`, number 13.
const PORTS: Set = Set {
    name: "ports",
    number: 2,
    key_type: (7 << 12) | (7 << 6) | 13,
    key_bytes: 12,
};
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const NEW_SET: u16 = 9;
const NEW_ELEMENT: u16 = 12;
const DELETE_ELEMENT: u16 = 14;
const FAMILY_IPV4: u8 = 2;
const HOOK_INPUT: u32 = 1;
const PRIORITY_FILTER: u32 = 0;
/// Sixteen bytes, which are also the words 8 to 11.
const REGISTER: u32 = 1;
const REGISTER_THIRD_WORD: u32 = 10;
const REGISTER_VERDICT: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
const SOURCE_OFFSET: u32 = 12;
/// In TCP and UDP alike.
const SOURCE_PORT_OFFSET: u32 = 0;
const TARGET_PORT_OFFSET: u32 = 2;
const DROP: u32 = 0;
/// At most 24 bytes each; an attribute holds less than 64 KiB.
const KEYS_PER_MESSAGE: usize = 1000;

//! The packet filter as nf_tables: one rule, and a set of address pairs it drops.
//!
//! The rule stays; a fault only adds pairs to the set or removes them, all in one transaction, so a
//! partition of any shape begins at one instant on all links. It drops on arrival (the input hook):
//! a drop on the way out would be an error the sender can see. Numbers are those of
//! linux/netfilter/nf_tables.h; the table goes with the network namespace.

use std::net::Ipv4Addr;

use nix::errno::Errno;

use super::netlink::{Attributes, Batch, Link, NLM_F_ACK, NLM_F_CREATE};

/// The filter of this network namespace.
#[derive(Debug)]
pub(super) struct Nft {
    link: Link,
}

impl Nft {
    /// Makes the table with its empty set of pairs.
    pub(super) fn open() -> Result<Nft, Errno> {
        let nft = Nft {
            link: Link::open()?,
        };
        let named = |kind| Attributes::default().text(kind, NAME);
        let hook = Attributes::default()
            .number(1, HOOK_INPUT)
            .number(2, PRIORITY_FILTER);
        let set = named(1)
            .text(2, NAME)
            .number(4, TYPE_ADDRESS_PAIR)
            .number(5, 8)
            .number(10, 1);
        let chain = named(1).text(3, NAME).nest(4, hook).text(7, "filter");
        // Source and destination stand side by side in the IPv4 header: one load takes both.
        let load = Attributes::default()
            .number(1, REGISTER)
            .number(2, NETWORK_HEADER)
            .number(3, SOURCE_OFFSET)
            .number(4, 8);
        let lookup = Attributes::default()
            .text(1, NAME)
            .number(2, REGISTER)
            .number(4, 1);
        let verdict = Attributes::default().nest(2, Attributes::default().number(1, DROP));
        let drop = Attributes::default()
            .number(1, REGISTER_VERDICT)
            .nest(2, verdict);
        let expressions = [("payload", load), ("lookup", lookup), ("immediate", drop)]
            .into_iter()
            .fold(Attributes::default(), |list, (name, body)| {
                list.nest(1, Attributes::default().text(1, name).nest(2, body))
            });
        let rule = named(1).text(2, NAME).nest(4, expressions);
        nft.transact(&[
            (NEW_TABLE, named(1)),
            (NEW_SET, set),
            (NEW_CHAIN, chain),
            (NEW_RULE, rule),
        ])?;
        Ok(nft)
    }

    /// Adds and removes pairs, all at one instant.
    pub(super) fn change(
        &self,
        added: &[(Ipv4Addr, Ipv4Addr)],
        removed: &[(Ipv4Addr, Ipv4Addr)],
    ) -> Result<(), Errno> {
        let chunks = |kind, pairs: &[(Ipv4Addr, Ipv4Addr)]| {
            pairs
                .chunks(PAIRS_PER_MESSAGE)
                .map(|chunk| (kind, elements(chunk)))
                .collect::<Vec<_>>()
        };
        let mut messages = chunks(DELETE_ELEMENT, removed);
        messages.extend(chunks(NEW_ELEMENT, added));
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

fn elements(pairs: &[(Ipv4Addr, Ipv4Addr)]) -> Attributes {
    let list = pairs
        .iter()
        .fold(Attributes::default(), |list, (source, target)| {
            let key = [source.octets(), target.octets()].concat();
            let key = Attributes::default().bytes(1, &key);
            list.nest(1, Attributes::default().nest(1, key))
        });
    Attributes::default()
        .text(1, NAME)
        .text(2, NAME)
        .nest(3, list)
}

const NAME: &str = "slotquake";
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
const REGISTER: u32 = 1;
const REGISTER_VERDICT: u32 = 0;
const NETWORK_HEADER: u32 = 1;
const SOURCE_OFFSET: u32 = 12;
const DROP: u32 = 0;
/// What `nft list` prints as `ipv4_addr . ipv4_addr`: two types of number 7, 6 bits each.
const TYPE_ADDRESS_PAIR: u32 = (7 << 6) | 7;
/// 20 bytes each; an attribute holds less than 64 KiB.
const PAIRS_PER_MESSAGE: usize = 1000;

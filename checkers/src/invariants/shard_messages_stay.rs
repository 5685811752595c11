//! PS-02: messages of sharded channels go to the nodes of the publisher's shard only.
//!
//! A PUBLISHSHARD packet names its sender and its receiver. They belong together if one was ever
//! seen as a replica of the other, or both as replicas of the same third node: failovers keep a
//! shard's nodes together, and who migrated to another shard may be remembered in the old one.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Packet, PacketKind, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "PS-02",
    title: "sharded messages stay in their shard",
    clauses: &["PS-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "SPUBLISH is passed on to the nodes of the slot's shard, and to nobody else: that is \
           what makes sharded channels scale. Judged is each PUBLISHSHARD packet: its receiver \
           must have been seen as a replica of its sender, as its master, or as a replica of the \
           same master, at any time before.",
    make: || Box::new(ShardMessagesStay::default()),
};

/// The checker of PS-02.
#[derive(Debug, Default)]
pub struct ShardMessagesStay {
    tally: Tally,
}

impl Checker for ShardMessagesStay {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        if let Happening::Packet(packet) = happening
            && packet.kind == PacketKind::PublishShard
        {
            self.judge(packet, scene);
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let nothing = "no sharded message was passed on";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl ShardMessagesStay {
    fn judge(&mut self, packet: &Packet, scene: &Scene) {
        // Who was never asked is a stranger to this check.
        let Some(receiver) = scene.view_of(&packet.to) else {
            return;
        };
        // Who was reset has a new name, and is still called by the old one.
        let view = scene.view_of(&packet.from);
        if view.is_none_or(|view| view.entry(&receiver.id).is_none()) {
            return;
        }
        self.tally.examined += 1;
        let sender = &packet.header.sender;
        let master = packet.header.master.as_ref();
        let its_master = receiver.my_master();
        // Heartbeats are rare: what a view shows may not have been on the bus yet.
        let are_in_one_shard = its_master == Some(sender)
            || master == Some(&receiver.id)
            || (master.is_some() && master == its_master)
            || scene.timeline().were_together(sender, &receiver.id);
        if !are_in_one_shard {
            let what = format!("passes a sharded message on to {}", packet.to);
            let found = finding("PS-02", packet.time, &packet.from, what);
            self.tally.findings.push(found);
        }
    }
}

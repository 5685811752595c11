//! CLUSTER SETSLOT: opening a slot at both ends, and closing it.
//!
//! Clauses: SM-01, SM-11 to SM-19, EP-09, KW-08.

use bytes::Bytes;

use super::commands::{error, unknown_node};
use super::members::MemberIndex;
use super::slot_commands::slot_argument;
use super::turn::Turn;
use super::{Cluster, Profile};
use crate::ids::NodeId;
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};
use crate::resp::Reply;
use crate::slot::{Slot, SlotSet};

impl Cluster {
    /// CLUSTER SETSLOT, every form.
    pub(super) fn set_slot(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        // SM-16.
        if !self.members.me().is_master() {
            return error("Please use SETSLOT only with masters.");
        }
        let slot = match slot_argument(&args[2]) {
            Ok(slot) => slot,
            Err(reply) => return reply,
        };
        let outcome = match &args[3..] {
            [word, peer] if word.eq_ignore_ascii_case(b"migrating") => self.migrating(slot, peer),
            [word, peer] if word.eq_ignore_ascii_case(b"importing") => self.importing(slot, peer),
            [word] if word.eq_ignore_ascii_case(b"stable") => {
                // SM-15.
                self.slots.migrating.remove(&slot);
                self.slots.importing.remove(&slot);
                Ok(())
            }
            [word, owner] if word.eq_ignore_ascii_case(b"node") => self.assign(slot, owner, turn),
            _ => Err(error(
                "Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
            )),
        };
        if let Err(reply) = outcome {
            return reply;
        }
        self.after_slot_change();
        Reply::OK
    }

    /// SM-01: a slot of mine is to go.
    fn migrating(&mut self, slot: Slot, peer: &[u8]) -> Result<(), Reply> {
        if !self.is_mine(slot) {
            let n = slot.number();
            return Err(error(&format!("I'm not the owner of hash slot {n}")));
        }
        let peer = self.slot_peer(peer)?;
        self.slots.migrating.insert(slot, self.members[peer].id);
        Ok(())
    }

    /// SM-01: a slot of another node is to come.
    fn importing(&mut self, slot: Slot, peer: &[u8]) -> Result<(), Reply> {
        if self.is_mine(slot) {
            let n = slot.number();
            return Err(error(&format!("I'm already the owner of hash slot {n}")));
        }
        let peer = self.slot_peer(peer)?;
        self.slots.importing.insert(slot, self.members[peer].id);
        Ok(())
    }

    fn slot_peer(&self, name: &[u8]) -> Result<MemberIndex, Reply> {
        let Some(peer) = self.lookup(name) else {
            let name = String::from_utf8_lossy(name);
            return Err(error(&format!("I don't know about node {name}")));
        };
        if self.members[peer].is_replica() {
            return Err(error("Target node is not a master"));
        }
        Ok(peer)
    }

    /// SM-11 to SM-14: the slot has its owner.
    fn assign(&mut self, slot: Slot, name: &[u8], turn: &mut Turn) -> Result<(), Reply> {
        let Some(owner) = self.lookup(name) else {
            return Err(unknown_node(name));
        };
        if self.members[owner].is_replica() {
            return Err(error("Target node is not a master"));
        }
        let me = self.members.my_index();
        let keys = turn.keys.count_in_slot(slot);
        let was_mine = self.is_mine(slot);
        // SM-11: keys are not left behind.
        if was_mine && owner != me && keys > 0 && !self.mutant.is(Mutant::GivesAwayKeys) {
            let n = slot.number();
            return Err(error(&format!(
                "Can't assign hashslot {n} to a different node while I still hold keys for this \
                 hash slot."
            )));
        }
        // SM-12.
        if keys == 0 {
            self.slots.migrating.remove(&slot);
        }
        self.slots.bind(&mut self.members, slot, owner);
        self.slots.given.remove(&slot);
        if was_mine && owner != me && self.profile == Profile::Reference {
            self.slots.given.insert(slot, self.members[owner].id);
        }
        let is_emptied = was_mine && owner != me && self.members.me().slot_count == 0;
        if is_emptied && turn.config.cluster_allow_replica_migration {
            // SM-14.
            let id = self.members[owner].id;
            turn.log(
                LogLevel::Notice,
                format!("Configuration change detected. Reconfiguring myself as a replica of {id}"),
            );
            self.become_replica_of(owner, turn);
        }
        if owner == me && self.slots.importing.remove(&slot).is_some() {
            self.finish_import(slot, turn);
        }
        Ok(())
    }

    /// A node claims slots: what was given to it has arrived.
    pub(super) fn note_arrival(&mut self, claimant: MemberIndex, claimed: &SlotSet) {
        let id = self.members[claimant].id;
        self.slots
            .given
            .retain(|slot, to| *to != id || !claimed.contains(*slot));
    }

    /// DEVIATION(SM-12): a slot that was given to a node which failed, or was demoted, before it
    /// ever claimed it has no owner anywhere else. Who gave it takes it back, still on its way to
    /// that node's shard, where its keys are (KW-08). A later claim by SETSLOT NODE wins over this
    /// one, because it has a new epoch (SM-13).
    pub(super) fn take_back_what_was_lost(&mut self, turn: &mut Turn) {
        let me = self.members.my_index();
        for (slot, to) in std::mem::take(&mut self.slots.given) {
            let receiver = self.members.find(to);
            let is_waiting = receiver.is_some_and(|index| {
                let member = &self.members[index];
                self.slots.owner(slot) == Some(index) && member.is_master() && !member.is_failed()
            });
            if is_waiting {
                self.slots.given.insert(slot, to);
                continue;
            }
            let is_unowned = self
                .slots
                .owner(slot)
                .is_none_or(|owner| Some(owner) == receiver);
            if !self.members.me().is_master() || !is_unowned {
                continue;
            }
            let n = slot.number();
            let text =
                format!("Slot {n} was given to {to}, who never claimed it: it is mine again.");
            turn.log(LogLevel::Warning, text);
            self.slots.bind(&mut self.members, slot, me);
            let heir = self.heir_in_table(receiver).unwrap_or(to);
            self.slots.migrating.insert(slot, heir);
            self.after_slot_change();
        }
    }

    /// The master that a demoted node follows now.
    fn heir_in_table(&self, demoted: Option<MemberIndex>) -> Option<NodeId> {
        let master = self.members[demoted?].master()?;
        Some(self.members[master].id)
    }

    /// SM-13, EP-09: a new version makes the claim win everywhere.
    fn finish_import(&mut self, slot: Slot, turn: &mut Turn) {
        if !self.mutant.is(Mutant::ImportKeepsEpoch) {
            self.bump_epoch();
        }
        self.pending.save(Durability::Synced);
        let epoch = self.config_epoch().0;
        let n = slot.number();
        turn.log(
            LogLevel::Notice,
            format!("Importing slot {n} done, configEpoch is {epoch}"),
        );
        self.broadcast_pong(turn);
    }
}

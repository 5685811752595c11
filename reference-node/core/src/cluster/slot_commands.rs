//! ADDSLOTS, DELSLOTS and their ranges, FLUSHSLOTS, and the questions about keys of a slot.
//!
//! All arguments are read before the first change, and checked in order; an error changes nothing.
//! Clauses: UP-16, UP-17, SM-19, SM-22, RS-12; cluster-commands.md 2.1.

use bytes::Bytes;

use super::Cluster;
use super::commands::{error, integer, wrong_arity};
use super::turn::Turn;
use crate::output::{Durability, LogLevel};
use crate::resp::Reply;
use crate::slot::{Slot, SlotSet};

/// What is to become of the named slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Add,
    Delete,
}

/// Most keys GETKEYSINSLOT is prepared for at once.
const KEYS_MAX: i64 = i64::MAX;

impl Cluster {
    pub(super) fn add_slots(&mut self, args: &[Bytes], _turn: &mut Turn) -> Reply {
        self.change_slots(Change::Add, singles(&args[2..]))
    }

    pub(super) fn delete_slots(&mut self, args: &[Bytes], _turn: &mut Turn) -> Reply {
        self.change_slots(Change::Delete, singles(&args[2..]))
    }

    pub(super) fn add_slot_ranges(&mut self, args: &[Bytes], _turn: &mut Turn) -> Reply {
        match args.len() % 2 {
            0 => self.change_slots(Change::Add, ranges(&args[2..])),
            _ => wrong_arity("addslotsrange"),
        }
    }

    pub(super) fn delete_slot_ranges(&mut self, args: &[Bytes], _turn: &mut Turn) -> Reply {
        match args.len() % 2 {
            0 => self.change_slots(Change::Delete, ranges(&args[2..])),
            _ => wrong_arity("delslotsrange"),
        }
    }

    fn change_slots(&mut self, change: Change, named: Result<Vec<(Slot, Slot)>, Reply>) -> Reply {
        let named = match named {
            Ok(named) => named,
            Err(reply) => return reply,
        };
        let mut slots = SlotSet::default();
        for (first, last) in named {
            let within = Slot::all()
                .skip(first.index())
                .take(last.index() - first.index() + 1);
            for slot in within {
                if let Some(reply) = self.objection(change, slot, &slots) {
                    return reply;
                }
                slots.insert(slot);
            }
        }
        let me = self.members.my_index();
        for slot in slots.iter() {
            match change {
                Change::Add => self.slots.bind(&mut self.members, slot, me),
                Change::Delete => self.slots.unbind(&mut self.members, slot),
            }
            // SM-19.
            self.slots.importing.remove(&slot);
            // The operator's word is the last one: it does not come back (SM-12).
            self.slots.given.remove(&slot);
        }
        self.after_slot_change();
        Reply::OK
    }

    fn objection(&self, change: Change, slot: Slot, named: &SlotSet) -> Option<Reply> {
        let n = slot.number();
        match (change, self.slots.owner(slot)) {
            (Change::Add, Some(_)) => Some(error(&format!("Slot {n} is already busy"))),
            (Change::Delete, None) => Some(error(&format!("Slot {n} is already unassigned"))),
            (Change::Add, None) | (Change::Delete, Some(_)) => named
                .contains(slot)
                .then(|| error(&format!("Slot {n} specified multiple times"))),
        }
    }

    /// RS-12.
    pub(super) fn flush_slots(&mut self, _args: &[Bytes], turn: &mut Turn) -> Reply {
        if !turn.keys.has_no_keys() {
            return error("DB must be empty to perform CLUSTER FLUSHSLOTS.");
        }
        let me = self.members.my_index();
        self.slots.unbind_all(&mut self.members, me);
        self.slots.given.clear();
        self.after_slot_change();
        Reply::OK
    }

    pub(super) fn count_keys(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let Some(number) = integer(&args[2]) else {
            return error("value is not an integer or out of range");
        };
        match u64::try_from(number).ok().and_then(Slot::new) {
            Some(slot) => Reply::Integer(turn.keys.count_in_slot(slot) as i64),
            None => error("Invalid slot"),
        }
    }

    pub(super) fn get_keys(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let (Some(number), Some(count)) = (integer(&args[2]), integer(&args[3])) else {
            return error("value is not an integer or out of range");
        };
        let slot = u64::try_from(number).ok().and_then(Slot::new);
        let (Some(slot), 0..=KEYS_MAX) = (slot, count) else {
            return error("Invalid slot or number of keys");
        };
        let keys = turn.keys.keys_in_slot(slot, count as usize);
        Reply::Array(keys.into_iter().map(Reply::Bulk).collect())
    }

    /// SM-22: the data of the disk, against the slots of nodes.conf.
    pub(super) fn claim_slots_of_keys(&mut self, turn: &mut Turn) {
        if self.is_replica() {
            return;
        }
        let me = self.members.my_index();
        for slot in Slot::all().filter(|slot| turn.keys.count_in_slot(*slot) > 0) {
            let n = slot.number();
            match self.slots.owner(slot) {
                Some(owner) if owner == me => continue,
                Some(owner) if !self.slots.importing.contains_key(&slot) => {
                    let id = self.members[owner].id;
                    let text = format!("I have keys for slot {n}, owned by {id}: importing it.");
                    turn.log(LogLevel::Warning, text);
                    self.slots.importing.insert(slot, id);
                }
                Some(_) => continue,
                None => {
                    let text = format!("I have keys for unassigned slot {n}. Taking it.");
                    turn.log(LogLevel::Notice, text);
                    self.slots.bind(&mut self.members, slot, me);
                }
            }
            self.after_slot_change();
        }
    }

    /// Slots changed by this node's own hand.
    pub(super) fn after_slot_change(&mut self) {
        self.clockwork.slots_changed = true;
        self.pending.evaluate_state = true;
        self.pending.tell_open_slots = true;
        self.pending.save(Durability::Buffered);
    }
}

/// A slot argument.
pub(super) fn slot_argument(text: &[u8]) -> Result<Slot, Reply> {
    let slot = integer(text)
        .and_then(|number| u64::try_from(number).ok())
        .and_then(Slot::new);
    slot.ok_or_else(|| error("Invalid or out of range slot"))
}

fn singles(args: &[Bytes]) -> Result<Vec<(Slot, Slot)>, Reply> {
    args.iter()
        .map(|arg| slot_argument(arg).map(|slot| (slot, slot)))
        .collect()
}

fn ranges(args: &[Bytes]) -> Result<Vec<(Slot, Slot)>, Reply> {
    let pair = |pair: &[Bytes]| {
        let (first, last) = (slot_argument(&pair[0])?, slot_argument(&pair[1])?);
        if first > last {
            let (first, last) = (first.number(), last.number());
            return Err(error(&format!(
                "start slot number {first} is greater than end slot number {last}"
            )));
        }
        Ok((first, last))
    };
    args.chunks_exact(2).map(pair).collect()
}

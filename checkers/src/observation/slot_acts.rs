//! What operators ordered about slots, from the commands and answers in the fault log.
//!
//! Only CLUSTER SETSLOT opens, closes and hands over slots. Where an order and its answer are in
//! the log, it is known when a node's open slots may have changed and when they cannot have.

use super::fault::{Fault, FaultPhase};
use super::names::{NodeId, NodeName};

/// A command that was sent to a node, and its answer.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The node.
    pub node: &'a NodeName,
    /// When it was sent, ns.
    pub asked: u64,
    /// When it was answered, or when nobody waited any more, ns.
    pub answered: u64,
    /// The command.
    pub words: &'a str,
    /// The answer as RESP writes it, or `?` and why there was none.
    pub reply: &'a str,
}

/// What CLUSTER SETSLOT says of a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SlotWord {
    /// It goes to this node.
    Migrating(NodeId),
    /// It comes from this node.
    Importing(NodeId),
    /// It is this node's.
    Node(NodeId),
    /// It stays where it is.
    Stable,
}

/// What a node said to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// OK.
    Yes,
    /// An error.
    No,
    /// Nothing: it may have been carried out, or may be later.
    Nothing,
}

/// One CLUSTER SETSLOT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotAct {
    /// To whom it was said.
    pub node: NodeName,
    /// Of which slot.
    pub slot: u16,
    /// What.
    pub word: SlotWord,
    /// When it was sent, ns.
    pub asked: u64,
    /// When it was answered, ns; `u64::MAX` if it never was.
    pub answered: u64,
    /// What the node said.
    pub said: Said,
}

/// Every CLUSTER SETSLOT of a run, in order of the answers.
#[derive(Debug, Default)]
pub struct SlotActs {
    acts: Vec<SlotAct>,
}

impl<'a> Exchange<'a> {
    /// The command and answer of this step, if it is one.
    pub fn of(fault: &'a Fault) -> Option<Exchange<'a>> {
        let FaultPhase::Answered(reply) = &fault.phase else {
            return None;
        };
        Some(Exchange {
            node: fault.targets.first()?,
            asked: fault.begun,
            answered: fault.time,
            words: &fault.note,
            reply,
        })
    }

    /// Slot and answer of CLUSTER COUNTKEYSINSLOT.
    pub fn count(&self) -> Option<(u16, u64)> {
        let mut words = self.words.split(' ');
        let is_count = words.next()?.eq_ignore_ascii_case("cluster")
            && words.next()?.eq_ignore_ascii_case("countkeysinslot");
        let slot = words.next()?.parse().ok().filter(|_| is_count)?;
        Some((slot, self.reply.strip_prefix(':')?.parse().ok()?))
    }

    /// Slot, limit and number of keys in the answer of CLUSTER GETKEYSINSLOT.
    pub fn listed(&self) -> Option<(u16, u64, u64)> {
        let mut words = self.words.split(' ');
        let is_list = words.next()?.eq_ignore_ascii_case("cluster")
            && words.next()?.eq_ignore_ascii_case("getkeysinslot");
        let slot = words.next()?.parse().ok().filter(|_| is_list)?;
        let limit = words.next()?.parse().ok()?;
        Some((slot, limit, self.reply.strip_prefix('*')?.parse().ok()?))
    }

    /// How many keys a MIGRATE that leaves none behind has moved: `MIGRATE … KEYS … (2)`.
    pub fn migrated(&self) -> Option<u64> {
        let mut words = self.words.split(' ');
        let is_move = words.next()?.eq_ignore_ascii_case("migrate")
            && !words.any(|word| word.eq_ignore_ascii_case("copy"))
            && self.reply == "+OK";
        let (_, count) = self.words.rsplit_once('(').filter(|_| is_move)?;
        count.strip_suffix(')')?.parse().ok()
    }

    /// The order, if it is CLUSTER SETSLOT.
    pub fn slot_act(&self) -> Option<SlotAct> {
        let mut words = self.words.split(' ');
        let is_setslot = words.next()?.eq_ignore_ascii_case("cluster")
            && words.next()?.eq_ignore_ascii_case("setslot");
        let slot = words.next()?.parse().ok().filter(|_| is_setslot)?;
        let (word, whom) = (words.next()?, words.next());
        let word = match (word.to_ascii_lowercase().as_str(), whom) {
            ("migrating", Some(id)) => SlotWord::Migrating(NodeId(id.into())),
            ("importing", Some(id)) => SlotWord::Importing(NodeId(id.into())),
            ("node", Some(id)) => SlotWord::Node(NodeId(id.into())),
            ("stable", None) => SlotWord::Stable,
            (_, _) => return None,
        };
        let said = match self.reply.as_bytes().first() {
            Some(b'+') => Said::Yes,
            Some(b'-') => Said::No,
            Some(_) | None => Said::Nothing,
        };
        Some(SlotAct {
            node: self.node.clone(),
            slot,
            word,
            asked: self.asked,
            answered: match said {
                Said::Yes | Said::No => self.answered,
                Said::Nothing => u64::MAX,
            },
            said,
        })
    }
}

impl SlotAct {
    /// To whom it was said.
    pub fn node(&self) -> &NodeName {
        &self.node
    }
}

impl SlotActs {
    /// Takes in a step of a fault.
    pub fn observe(&mut self, fault: &Fault) {
        self.acts
            .extend(Exchange::of(fault).and_then(|exchange| exchange.slot_act()));
    }

    /// Whether an order about this slot may have been carried out by this node in this time. What
    /// is known of the end of a run: an order is noted when it is answered.
    pub fn touch(&self, node: &NodeName, slot: u16, from: u64, to: u64) -> bool {
        let is_of = |act: &&SlotAct| act.node == *node && act.slot == slot && act.said != Said::No;
        let mut acts = self.acts.iter().filter(is_of);
        acts.any(|act| act.asked <= to && act.answered >= from)
    }

    /// What was said of this slot, and not refused.
    pub fn about(&self, slot: u16) -> impl Iterator<Item = &SlotAct> {
        let acts = self.acts.iter();
        acts.filter(move |act| act.slot == slot && act.said != Said::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::FaultKind;

    fn answered(words: &str, reply: &str) -> Fault {
        Fault {
            time: 20,
            begun: 10,
            id: 1,
            kind: FaultKind::Reshard,
            phase: FaultPhase::Answered(reply.into()),
            targets: vec![NodeName::numbered(1)],
            cuts: Vec::new(),
            note: words.into(),
        }
    }

    #[test]
    fn an_order_counts_from_its_sending_to_its_answer_and_without_one_for_ever() {
        let touched = |reply: &str, from: u64, to: u64| {
            let mut acts = SlotActs::default();
            acts.observe(&answered("CLUSTER SETSLOT 7 MIGRATING abc", reply));
            acts.touch(&NodeName::numbered(1), 7, from, to)
        };
        assert!(touched("+OK", 20, 30) && touched("+OK", 0, 10));
        assert!(!touched("+OK", 21, 30) && !touched("+OK", 0, 9));
        assert!(touched("?no answer", 500, 600));
        assert!(!touched("-ERR I'm not the owner of hash slot 7", 10, 20));
    }

    #[test]
    fn reads_what_was_ordered_and_nothing_else() {
        let act = |words: &str| Exchange::of(&answered(words, "+OK"))?.slot_act();
        let word = |words: &str| act(words).map(|act| (act.slot, act.word));
        let id = || NodeId("abc".into());
        assert_eq!(
            word("CLUSTER SETSLOT 7 NODE abc"),
            Some((7, SlotWord::Node(id())))
        );
        assert_eq!(
            word("cluster setslot 7 stable"),
            Some((7, SlotWord::Stable))
        );
        assert_eq!(word("CLUSTER SETSLOT 7 NODE"), None);
        assert_eq!(word("CLUSTER COUNTKEYSINSLOT 7"), None);
        let count = answered("CLUSTER COUNTKEYSINSLOT 7", ":3");
        assert_eq!(Exchange::of(&count).and_then(|it| it.count()), Some((7, 3)));
    }

    #[test]
    fn reads_how_many_keys_were_listed_and_moved() {
        let fault = |words: &str, reply: &str| answered(words, reply);
        let listed = |words: &str, reply: &str| Exchange::of(&fault(words, reply))?.listed();
        let list = "CLUSTER GETKEYSINSLOT 7 1000";
        assert_eq!(listed(list, "*3"), Some((7, 1000, 3)));
        assert_eq!(listed(list, "-ERR no"), None);
        assert_eq!(listed("CLUSTER COUNTKEYSINSLOT 7", ":3"), None);
        let moved = |words: &str, reply: &str| Exchange::of(&fault(words, reply))?.migrated();
        let migrate = "MIGRATE 127.0.0.2 7000 \"\" 0 2000";
        let told = |options: &str| format!("{migrate}{options} KEYS … (3)");
        assert_eq!(moved(&told(""), "+OK"), Some(3));
        assert_eq!(moved(&told(" REPLACE"), "+OK"), Some(3));
        assert_eq!(moved(&told(" COPY"), "+OK"), None);
        assert_eq!(moved(&told(""), "+NOKEY"), None);
    }
}

//! What the director means to do at a later time, in one total order.

use std::collections::BTreeMap;

/// A thing to do later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// This client may begin its next operation.
    Client(usize),
    /// Ask all nodes for their views.
    Look,
    /// Break something.
    Strike,
    /// Kill who came to the moment that an ambush waited for.
    Ambush,
    /// End this fault.
    Heal(u32),
    /// Go on with the commands of this fault.
    Errand(u32),
    /// Compare the data of replicas and masters.
    Rest,
    /// The scenario asked to be woken.
    Scenario,
}

/// Things to do, by time; those of one time in the order in which they were put in.
#[derive(Debug, Default)]
pub struct Agenda {
    entries: BTreeMap<(u64, u64), Due>,
    sequence: u64,
    announced: Option<u64>,
}

impl Agenda {
    /// Puts in a thing to do at `time`, ns.
    pub fn add(&mut self, time: u64, due: Due) {
        self.entries.insert((time, self.sequence), due);
        self.sequence += 1;
    }

    /// Takes out the earliest thing that is due.
    pub fn pop(&mut self, now: u64) -> Option<Due> {
        let first = self.entries.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// Takes note of a wake-up. A world keeps the earliest time only, so whatever was announced
    /// later than the one that just came is to be announced again.
    pub fn woke(&mut self) {
        self.announced = None;
    }

    /// When the world is to wake us, if it does not know that yet.
    pub fn to_announce(&mut self, now: u64) -> Option<u64> {
        let earliest = self.entries.first_key_value()?.0.0;
        let is_known = |known: u64| known > now && known <= earliest;
        if self.announced.is_some_and(is_known) {
            return None;
        }
        self.announced = Some(earliest);
        Some(earliest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announces_again_what_an_earlier_wake_up_displaced() {
        let mut agenda = Agenda::default();
        agenda.add(10, Due::Strike);
        assert_eq!(agenda.to_announce(0), Some(10));
        // Another happening came first and took the strike along; the world still wakes at 10.
        assert!(agenda.pop(11).is_some());
        agenda.add(20, Due::Strike);
        assert_eq!(agenda.to_announce(11), Some(20));
        agenda.woke();
        assert_eq!(agenda.to_announce(12), Some(20));
    }

    #[test]
    fn gives_things_in_order_of_time_then_of_arrival() {
        let mut agenda = Agenda::default();
        agenda.add(20, Due::Strike);
        agenda.add(10, Due::Client(1));
        agenda.add(10, Due::Client(0));
        assert_eq!(agenda.pop(9), None);
        let order: Vec<Due> = std::iter::from_fn(|| agenda.pop(30)).collect();
        assert_eq!(order, [Due::Client(1), Due::Client(0), Due::Strike]);
    }

    #[test]
    fn announces_only_what_the_world_does_not_know() {
        let mut agenda = Agenda::default();
        agenda.add(20, Due::Look);
        assert_eq!(agenda.to_announce(0), Some(20));
        assert_eq!(agenda.to_announce(1), None);
        agenda.add(10, Due::Look);
        assert_eq!(agenda.to_announce(2), Some(10));
        agenda.pop(10);
        assert_eq!(agenda.to_announce(10), Some(20));
    }
}

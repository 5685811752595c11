//! All operations of a run, kept once for all judges: 64 bytes each, values as one word.
//!
//! An operation is entered when it is invoked and amended when it ends, so they stand in order of
//! invocation; in which order they ended is kept beside. Each key tells what it was used for
//! ([`Uses`]), so that a judge need not look at keys that are none of its business.

use std::collections::BTreeMap;

use super::by_process::ByProcess;
use super::compact::{Atom, Collector, KeyId, Log, Op};
use super::event::{Event, EventKind, Function};
use super::operation::{Operation, Outcome};
use super::value::Value;
use crate::observation::NodeName;

/// Place of an operation, in order of invocation.
pub type Place = u32;

/// An operation, and what only judges of clusters need of it.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// The operation; its result is what its completion said, `ok` or not.
    pub op: Op,
    /// Number of the node that gave the deciding answer.
    node: u32,
    /// Part of the reading at the end.
    pub final_read: bool,
}

/// The operations of a run.
#[derive(Debug, Default)]
pub struct Docket {
    names: Collector,
    all: Vec<Kept>,
    open: ByProcess<Place>,
    ended: Vec<Place>,
    nodes: Vec<NodeName>,
    /// How many replicas acknowledged, where WAIT told.
    replicas: BTreeMap<Place, u32>,
    uses: Vec<Uses>,
    all_uses: Uses,
    arranged: Arranged,
}

/// Places by key, in order of invocation.
#[derive(Debug, Default)]
struct Arranged {
    /// Where the places of each key begin, and where those of the last end.
    starts: Vec<usize>,
    places: Vec<Place>,
}

/// What a key was used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uses(u32);

impl Uses {
    fn of(f: Function) -> Uses {
        Uses(1 << f as u32)
    }

    /// Whether any of these functions was used.
    pub fn has(self, functions: &[Function]) -> bool {
        functions.iter().any(|f| self.0 & Uses::of(*f).0 != 0)
    }

    /// Whether no others were used.
    pub fn has_only(self, functions: &[Function]) -> bool {
        let listed = LISTS | REPLICAS_LISTS;
        let allowed = functions
            .iter()
            .fold(listed, |bits, f| bits | Uses::of(*f).0);
        self.0 & !allowed == 0
    }

    /// Whether a read of a master showed a list.
    pub fn shows_lists(self) -> bool {
        self.0 & LISTS != 0
    }

    /// Whether any read did.
    pub fn shows_lists_anywhere(self) -> bool {
        self.0 & (LISTS | REPLICAS_LISTS) != 0
    }

    fn add(&mut self, other: Uses) {
        self.0 |= other.0;
    }
}

impl Docket {
    /// Takes in the next event; gives the operation that is over with it.
    ///
    /// Events that break the rules of histories are left out: the reader reports them.
    pub fn observe(&mut self, event: &Event) -> Option<Place> {
        match event.kind {
            EventKind::Invoke => {
                let place = self.enter(event);
                let before = self.open.insert(event.process, place);
                self.ended.extend(before);
                before
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                let place = self.open.remove(event.process)?;
                self.amend(place, event);
                self.ended.push(place);
                Some(place)
            }
        }
    }

    fn enter(&mut self, event: &Event) -> Place {
        let key = self.names.key(event.key.as_deref().unwrap_or_default());
        let place = Place::try_from(self.all.len()).expect("memory ends before");
        self.all.push(Kept {
            op: Op {
                invoked: event.time,
                completed: u64::MAX,
                argument: self.names.atom(&event.value),
                result: Atom::NIL,
                index: event.index,
                process: event.process,
                key,
                f: event.f,
                outcome: Outcome::Unknown,
            },
            node: NO_NODE,
            final_read: event.final_read,
        });
        let number = key.0 as usize;
        if number == self.uses.len() {
            self.uses.push(Uses::default());
        }
        self.uses[number].add(Uses::of(event.f));
        self.all_uses.add(Uses::of(event.f));
        place
    }

    fn amend(&mut self, place: Place, event: &Event) {
        let result = self.names.atom(&event.value);
        let node = event
            .node
            .as_ref()
            .map_or(NO_NODE, |node| self.node_number(node));
        let kept = &mut self.all[place as usize];
        (kept.op.result, kept.node) = (result, node);
        kept.final_read |= event.final_read;
        (kept.op.outcome, kept.op.completed) = match event.kind {
            EventKind::Ok => (Outcome::Ok, event.time),
            EventKind::Fail => (Outcome::Fail, event.time),
            EventKind::Invoke | EventKind::Info => (Outcome::Unknown, u64::MAX),
        };
        if let Value::List(_) = event.value {
            let uses = &mut self.uses[kept.op.key.0 as usize];
            if kept.op.f == Function::Read {
                uses.add(Uses(LISTS));
            } else if kept.op.f == Function::ReplicaRead {
                uses.add(Uses(REPLICAS_LISTS));
            }
        }
        if let Some(replicas) = event.replicas {
            self.replicas.insert(place, replicas);
        }
    }

    fn node_number(&mut self, node: &NodeName) -> u32 {
        let known = self.nodes.iter().position(|known| known == node);
        known.unwrap_or_else(|| {
            self.nodes.push(node.clone());
            self.nodes.len() - 1
        }) as u32
    }

    /// The run is over: operations still open stay so, and all are arranged by key.
    pub fn end(&mut self) {
        let mut open = self.open.drain();
        open.sort_unstable();
        self.ended.extend(open);
        let mut starts = vec![0; self.uses.len() + 1];
        for kept in &self.all {
            starts[kept.op.key.0 as usize + 1] += 1;
        }
        for number in 1..starts.len() {
            starts[number] += starts[number - 1];
        }
        let mut next = starts.clone();
        let mut places = vec![0; self.all.len()];
        for (place, kept) in self.all.iter().enumerate() {
            let next = &mut next[kept.op.key.0 as usize];
            places[*next] = place as Place;
            *next += 1;
        }
        self.arranged = Arranged { starts, places };
    }

    /// The keys, values and texts.
    pub fn log(&self) -> &Log {
        self.names.log()
    }

    /// All keys in order of their names, with what they were used for.
    pub fn keys(&self) -> Vec<(KeyId, Uses)> {
        let mut keys: Vec<KeyId> = (0..self.uses.len() as u32).map(KeyId).collect();
        keys.sort_by_key(|key| &self.log().keys[key.0 as usize]);
        let with_uses = |key: KeyId| (key, self.uses[key.0 as usize]);
        keys.into_iter().map(with_uses).collect()
    }

    /// What this key was used for.
    pub fn uses(&self, key: KeyId) -> Uses {
        self.uses[key.0 as usize]
    }

    /// What any key was used for.
    pub fn all_uses(&self) -> Uses {
        self.all_uses
    }

    /// The operations of a key in order of invocation; none before the end of the run.
    pub fn of_key(&self, key: KeyId) -> impl DoubleEndedIterator<Item = (Place, &Kept)> {
        let number = key.0 as usize;
        let range = match self.arranged.starts.get(number..number + 2) {
            Some(bounds) => bounds[0]..bounds[1],
            None => 0..0,
        };
        let places = self.arranged.places[range].iter();
        places.map(|place| (*place, &self.all[*place as usize]))
    }

    /// All operations in the order in which they ended; those that never did come last.
    pub fn in_order_of_ending(&self) -> impl Iterator<Item = (Place, &Kept)> {
        let places = self.ended.iter();
        places.map(|place| (*place, &self.all[*place as usize]))
    }

    /// An operation in full.
    pub fn operation(&self, place: Place) -> Operation {
        let Kept {
            op,
            node,
            final_read,
        } = &self.all[place as usize];
        let log = self.log();
        Operation {
            index: op.index,
            process: op.process,
            f: op.f,
            key: log.keys[op.key.0 as usize].clone(),
            argument: log.atoms.value(op.argument).into_owned(),
            result: log.atoms.value(op.result).into_owned(),
            outcome: op.outcome,
            invoked: op.invoked,
            completed: op.completed,
            node: self.nodes.get(*node as usize).cloned(),
            replicas: self.replicas.get(&place).copied(),
            final_read: *final_read,
        }
    }
}

/// A bit of no function: a read showed a list.
const LISTS: u32 = 1 << 31;
/// The same of a read of a replica.
const REPLICAS_LISTS: u32 = 1 << 30;
/// No node has this number.
const NO_NODE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Pairing;
    use crate::test_support::RecordingBuilder;

    #[test]
    fn an_operation_takes_64_bytes() {
        assert_eq!(size_of::<Kept>(), 64);
    }

    #[test]
    fn operations_are_those_that_pairing_gives_in_its_order() {
        let recording = RecordingBuilder::good().build();
        let (mut docket, mut pairing) = (Docket::default(), Pairing::default());
        let mut paired = Vec::new();
        recording.events.each(|event| {
            let operation = pairing.observe(event);
            let place = docket.observe(event);
            assert_eq!(place.map(|place| docket.operation(place)), operation);
            paired.extend(operation);
        });
        paired.extend(pairing.finish());
        docket.end();
        let ended = docket.in_order_of_ending();
        let ended: Vec<Operation> = ended.map(|(place, _)| docket.operation(place)).collect();
        assert!(ended.len() > 2 && ended == paired);
        let by_key = docket.keys().into_iter().flat_map(|(key, uses)| {
            let of_key = docket.of_key(key);
            of_key.inspect(move |(_, kept)| assert!(kept.op.key == key && uses.has(&[kept.op.f])))
        });
        assert_eq!(by_key.count(), paired.len());
    }
}

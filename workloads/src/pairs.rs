//! Pairs: two keys of one slot, always written together by MSET and read together by MGET.
//!
//! What is written are a number and its negative, so a pair has the sum zero, or is not there.
//! Where the slot is on its way to another node, half of a pair must never be seen (MG-07).

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::keys::{Elements, Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "pairs",
    help: "two keys at once by MSET and MGET, a number and its negative",
    is_default: false,
    make: |load| Box::new(Pairs::new(load)),
};

/// Number of pairs, each in a slot of its own.
const PAIRS: u64 = 12;
/// Share of reads, percent.
const READ_PERCENT: u64 = 60;

/// The workload.
#[derive(Debug)]
pub struct Pairs {
    keys: Keys,
    elements: Elements,
}

impl Pairs {
    /// The workload under this load.
    pub fn new(load: &Load) -> Pairs {
        // Each pair has a hash tag of its own.
        let load = Load {
            hash_tags: 0,
            ..*load
        };
        Pairs {
            keys: Keys::new("", Spread::even(PAIRS), &load),
            elements: Elements::default(),
        }
    }
}

/// What is done with each half of a pair.
fn op(pair: u64, kind: &str, halves: [Value; 2]) -> Op {
    let key: Key = format!("{{pair{pair}}}").into();
    let micros = ["a", "b"].into_iter().zip(halves).map(|(name, value)| {
        let half = Value::Text(format!("{key}{name}").into());
        Value::List(vec![Value::Text(kind.into()), half, value])
    });
    let micros = Value::List(micros.collect());
    Op::on(Shape::Pair, key, Function::Txn, micros)
}

fn read(pair: u64) -> Op {
    op(pair, "r", [Value::Nil, Value::Nil])
}

impl Workload for Pairs {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let pair = self.keys.position(rng);
        if rng.chance(READ_PERCENT) {
            return read(pair);
        }
        let number = self.elements.fresh();
        op(pair, "w", [Value::Int(number), Value::Int(-number)])
    }

    fn final_reads(&self) -> Vec<Op> {
        self.keys
            .used()
            .map(|pair| read(pair).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_named_and_their_numbers_add_up_to_zero() {
        let (mut pairs, mut rng) = (Pairs::new(&Load::default()), Rng::new(1));
        let mut written = 0;
        for _ in 0..300 {
            let Value::List(halves) = pairs.next(0, &mut rng).value else {
                panic!("two halves");
            };
            let numbers = halves.iter().map(|half| match half {
                Value::List(parts) => parts[2].as_int(),
                Value::Nil | Value::Int(_) | Value::Text(_) => panic!("a half: {half:?}"),
            });
            let numbers: Vec<Option<i64>> = numbers.collect();
            assert_eq!(numbers.len(), 2);
            if let [Some(one), Some(other)] = numbers[..] {
                assert_eq!(one + other, 0);
                written += 1;
            }
        }
        assert!((80..160).contains(&written), "{written}");
        assert_eq!(pairs.final_reads().len(), PAIRS as usize);
    }
}

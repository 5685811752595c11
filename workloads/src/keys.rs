//! Which key an operation uses, which keys were used, and fresh elements to write.
//!
//! A workload says how many keys it has and which of them are hot; [`Load`] may say otherwise.
//! Elements are unique in the run. Names have a hash tag if the load asks for it, so that keys
//! share slots.

use std::fmt::Display;

use slotquake_checkers::history::{Key, Value};

use crate::load::{Load, Skew};
use crate::rng::Rng;
use crate::workload::{Op, Shape};

/// How a workload spreads its operations over its keys, unless the load says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Number of keys.
    pub keys: u64,
    /// The first so many are hot.
    pub hot: u64,
    /// Share of operations on hot keys, percent.
    pub hot_percent: u64,
}

impl Spread {
    /// All keys alike.
    pub fn even(keys: u64) -> Spread {
        Spread {
            keys,
            hot: 0,
            hot_percent: 0,
        }
    }
}

/// The keys of one workload, each known by its position from 0.
#[derive(Debug)]
pub struct Keys {
    prefix: &'static str,
    spread: Spread,
    /// Sums of the weights up to each position, if the keys are not drawn by the spread.
    weights: Vec<u64>,
    hash_tags: u64,
    /// Whether each position was used, up to the last that was.
    used: Vec<bool>,
}

impl Keys {
    /// Keys named after the prefix.
    pub fn new(prefix: &'static str, usual: Spread, load: &Load) -> Keys {
        let keys = load.keys.unwrap_or(usual.keys).max(1);
        let usual = Spread {
            keys,
            hot: usual.hot.min(keys - 1),
            ..usual
        };
        let spread = match load.skew {
            Skew::Hot => usual,
            Skew::Uniform | Skew::Zipf => Spread::even(keys),
        };
        let weights = match load.skew {
            Skew::Hot | Skew::Uniform => Vec::new(),
            Skew::Zipf => zipf(keys),
        };
        Keys {
            prefix,
            spread,
            weights,
            hash_tags: load.hash_tags,
            used: Vec::new(),
        }
    }

    /// Draws the position of a key, which counts as used from now on.
    pub fn position(&mut self, rng: &mut Rng) -> u64 {
        let Spread {
            keys,
            hot,
            hot_percent,
        } = self.spread;
        let position = match self.weights.last() {
            Some(total) => {
                let drawn = rng.below(*total);
                self.weights.partition_point(|sum| *sum <= drawn) as u64
            }
            None if hot == 0 => rng.below(keys),
            None if !rng.chance(hot_percent) => hot + rng.below(keys - hot),
            None if hot == 1 => 0,
            None => rng.below(hot),
        };
        let at = position as usize;
        if at >= self.used.len() {
            self.used.resize(at + 1, false);
        }
        self.used[at] = true;
        position
    }

    /// Draws a key.
    pub fn draw(&mut self, rng: &mut Rng) -> Key {
        let position = self.position(rng);
        self.name(position, position)
    }

    /// The key of that name at a position.
    pub fn name(&self, position: u64, name: impl Display) -> Key {
        let prefix = self.prefix;
        match position.checked_rem(self.hash_tags) {
            None => format!("{prefix}{name}").into(),
            Some(tag) => format!("{{t{tag}}}{prefix}{name}").into(),
        }
    }

    /// The positions used so far, in order.
    pub fn used(&self) -> impl Iterator<Item = u64> {
        let used = self.used.iter().zip(0..).filter(|(is_used, _)| **is_used);
        used.map(|(_, position)| position)
    }

    /// A read of each key used, for the end.
    pub fn final_reads(&self, shape: Shape) -> Vec<Op> {
        self.used()
            .map(|position| Op::read(self.name(position, position), shape).at_the_end())
            .collect()
    }
}

/// Weights that fall with the rank, 1/1, 1/2, 1/3, …, as sums.
fn zipf(keys: u64) -> Vec<u64> {
    let mut sum = 0;
    let weight = |rank: u64| (WEIGHT_MAX / rank).max(1);
    let sums = (1..=keys).map(|rank| {
        sum += weight(rank);
        sum
    });
    sums.collect()
}

/// Weight of the first key.
const WEIGHT_MAX: u64 = 1 << 32;

/// Values that no other operation of the run writes.
#[derive(Debug, Default)]
pub struct Elements {
    last: i64,
}

impl Elements {
    /// A fresh one.
    pub fn fresh(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    /// A fresh one, as a value.
    pub fn value(&mut self) -> Value {
        Value::Int(self.fresh())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use slotquake_checkers::observation::slots::slot_of_key;

    use super::*;

    fn drawn(load: &Load) -> (Keys, Vec<u64>) {
        let usual = Spread {
            keys: 20,
            hot: 2,
            hot_percent: 50,
        };
        let (mut keys, mut rng) = (Keys::new("k", usual, load), Rng::new(1));
        let positions = (0..10_000).map(|_| keys.position(&mut rng)).collect();
        (keys, positions)
    }

    fn share(positions: &[u64], of: impl Fn(u64) -> bool) -> usize {
        positions.iter().filter(|position| of(**position)).count()
    }

    #[test]
    fn hot_keys_are_drawn_as_often_as_the_spread_says() {
        let (keys, positions) = drawn(&Load::default());
        let hot = share(&positions, |position| position < 2);
        assert!((4500..5500).contains(&hot), "{hot}");
        assert_eq!(keys.used().count(), 20);
    }

    #[test]
    fn zipf_halves_from_the_first_key_to_the_second() {
        let load = Load {
            keys: Some(1000),
            skew: Skew::Zipf,
            ..Load::default()
        };
        let (_, positions) = drawn(&load);
        let first = share(&positions, |position| position == 0);
        let second = share(&positions, |position| position == 1);
        assert!((1100..1600).contains(&first), "{first}");
        assert!((first * 4 / 10..first * 6 / 10).contains(&second));
        assert!(positions.iter().all(|position| *position < 1000));
    }

    #[test]
    fn hash_tags_bring_keys_together() {
        let load = Load {
            hash_tags: 3,
            ..Load::default()
        };
        let (keys, positions) = drawn(&load);
        let names = positions.iter().map(|at| keys.name(*at, at));
        let slots: BTreeSet<u16> = names.map(|name| slot_of_key(name.as_bytes())).collect();
        assert_eq!(slots.len(), 3);
    }

    #[test]
    fn one_key_is_drawn_whatever_the_spread() {
        for skew in [Skew::Hot, Skew::Uniform, Skew::Zipf] {
            let load = Load {
                keys: Some(1),
                skew,
                ..Load::default()
            };
            assert!(drawn(&load).1.iter().all(|position| *position == 0));
        }
    }
}

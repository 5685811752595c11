//! Banks: accounts of one slot, transfers by MULTI … EXEC, reads of all accounts at once.
//!
//! Accounts begin empty and may go below zero, so the total is zero at every moment.

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::keys::{Keys, Spread};
use crate::load::Load;
use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "bank",
    help: "transfers between accounts of one slot, and reads of all of them",
    is_default: false,
    make: |load| Box::new(Bank::new(load)),
};

/// Number of banks, each in a slot of its own.
const BANKS: u64 = 10;
/// Accounts of a bank.
const ACCOUNTS: u8 = 6;
/// Share of transfers that touch the first account, percent.
const HOT_PERCENT: u64 = 40;
/// Share of reads, percent.
const READ_PERCENT: u64 = 40;
/// Largest amount.
const AMOUNT_MAX: u64 = 20;

/// The workload.
#[derive(Debug)]
pub struct Bank {
    keys: Keys,
}

impl Bank {
    /// The workload under this load.
    pub fn new(load: &Load) -> Bank {
        // Each bank has a hash tag of its own.
        let load = Load {
            hash_tags: 0,
            ..*load
        };
        Bank {
            keys: Keys::new("", Spread::even(BANKS), &load),
        }
    }
}

const SHAPE: Shape = Shape::Bank { accounts: ACCOUNTS };

fn key_of(number: u64) -> Key {
    format!("{{bank{number}}}").into()
}

impl Workload for Bank {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let key = key_of(self.keys.position(rng));
        if rng.chance(READ_PERCENT) {
            return Op::read(key, SHAPE);
        }
        let accounts = u64::from(ACCOUNTS);
        let from = match rng.chance(HOT_PERCENT) {
            true => 0,
            false => rng.below(accounts),
        };
        // Never to itself.
        let to = (from + 1 + rng.below(accounts - 1)) % accounts;
        let parts = [from, to, rng.within(1, AMOUNT_MAX)];
        let parts = parts.map(|part| Value::Int(part as i64));
        Op::on(SHAPE, key, Function::Transfer, Value::List(parts.to_vec()))
    }

    fn final_reads(&self) -> Vec<Op> {
        self.keys
            .used()
            .map(|number| Op::read(key_of(number), SHAPE).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_between_two_accounts_of_a_bank() {
        let (mut bank, mut rng) = (Bank::new(&Load::default()), Rng::new(1));
        for _ in 0..1000 {
            let op = bank.next(0, &mut rng);
            if let Value::List(parts) = &op.value {
                let parts: Vec<i64> = parts.iter().filter_map(Value::as_int).collect();
                assert!(parts.len() == 3 && parts[0] != parts[1], "{parts:?}");
                assert!(parts[..2].iter().all(|at| (0..6).contains(at)), "{parts:?}");
            }
        }
        assert_eq!(bank.final_reads().len(), BANKS as usize);
    }
}

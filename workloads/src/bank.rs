//! Banks: accounts of one slot, transfers by MULTI … EXEC, reads of all accounts at once.
//!
//! Accounts begin empty and may go below zero, so the total is zero at every moment.

use std::collections::BTreeSet;

use slotquake_checkers::history::{Function, Key, Process, Value};

use crate::registry::Entry;
use crate::rng::Rng;
use crate::workload::{Done, Op, Shape, Workload};

/// This workload's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "bank",
    help: "transfers between accounts of one slot, and reads of all of them",
    is_default: false,
    make: || Box::new(Bank::default()),
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
#[derive(Debug, Default)]
pub struct Bank {
    used: BTreeSet<u64>,
}

const SHAPE: Shape = Shape::Bank { accounts: ACCOUNTS };

fn key_of(number: u64) -> Key {
    format!("{{bank{number}}}").into()
}

impl Workload for Bank {
    fn next(&mut self, _process: Process, rng: &mut Rng) -> Op {
        let number = rng.below(BANKS);
        self.used.insert(number);
        let key = key_of(number);
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

    fn done(&mut self, _process: Process, _op: &Op, _done: Done<'_>) {}

    fn final_reads(&self) -> Vec<Op> {
        let numbers = self.used.iter();
        numbers
            .map(|number| Op::read(key_of(*number), SHAPE).at_the_end())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_between_two_accounts_of_a_bank() {
        let (mut bank, mut rng) = (Bank::default(), Rng::new(1));
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

//! HI-02 for banks: transfers never make or destroy money, whoever answers the read.
//!
//! A transfer takes from one account what it gives to another in one MULTI … EXEC, and that is
//! replicated whole. So even a stale read, and one after a failover that lost transfers, shows
//! accounts whose sum is what it was at first: nothing.

use std::collections::BTreeMap;

use crate::checker::{Entry, Evidence, Need, OfOperations};
use crate::history::docket::Uses;
use crate::history::{Function, Key, Operation, Outcome, Value};
use crate::observation::Setting;
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-02/bank",
    title: "transfers between accounts of one slot keep their total",
    clauses: &["HI-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::History,
    help: "All accounts of a bank lie in one slot and begin empty; a transfer is one MULTI … EXEC \
           and balances may go below zero. Every read of all accounts must sum to zero, also \
           after failovers: a transaction reaches a replica whole or not at all.",
    make: || Box::new(Banks::default()),
};

/// The checker of banks.
#[derive(Debug, Default)]
pub struct Banks {
    banks: BTreeMap<Key, Bank>,
}

#[derive(Debug, Default)]
struct Bank {
    transfers: u64,
    reads: Vec<Operation>,
}

impl OfOperations for Banks {
    fn concerns(&self, key: Uses, _all: Uses) -> bool {
        key.has(&[Function::Transfer])
    }

    fn keep(&mut self, operation: &Operation) {
        if operation.outcome != Outcome::Ok {
            return;
        }
        let is_list = matches!(operation.result, Value::List(_));
        if operation.f == Function::Transfer {
            self.banks
                .entry(operation.key.clone())
                .or_default()
                .transfers += 1;
        } else if operation.f == Function::Read && is_list {
            let bank = self.banks.entry(operation.key.clone()).or_default();
            bank.reads.push(operation.clone());
        }
    }

    fn judge(&mut self, _setting: &Setting, _scene: &Scene) -> Verdict {
        let mut findings = Findings::default();
        let mut examined = 0;
        for (key, bank) in self.banks.iter().filter(|(_, bank)| bank.transfers > 0) {
            for read in &bank.reads {
                examined += 1;
                let total = total(read);
                if total != 0 {
                    findings.push(violation(key, read, total));
                }
            }
        }
        findings.conclude(examined, "no bank was read")
    }
}

fn total(read: &Operation) -> i128 {
    match &read.result {
        Value::List(accounts) => accounts
            .iter()
            .map(|account| i128::from(account.as_int().unwrap_or(0)))
            .sum(),
        Value::Nil | Value::Int(_) | Value::Text(_) => 0,
    }
}

fn violation(key: &Key, read: &Operation, total: i128) -> Violation {
    let accounts: Vec<String> = match &read.result {
        Value::List(accounts) => accounts
            .iter()
            .map(|account| account.as_int().unwrap_or(0).to_string())
            .collect(),
        Value::Nil | Value::Int(_) | Value::Text(_) => Vec::new(),
    };
    let told = format!("reads [{}] (op {})", accounts.join(" "), read.index);
    Violation {
        clause: "HI-02".into(),
        time: read.completed,
        message: format!("bank {key}: the accounts sum to {total}, not to 0"),
        witness: Witness::default().step(read.completed, format!("client {}", read.process), told),
        known: None,
    }
}

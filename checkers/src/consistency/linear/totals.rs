//! Banks, as a bare history shows them: every read of all accounts sums to the same, because
//! transfers neither make nor destroy money. Whether reads are in order is not asked.
//!
//! A read is a list of balances, or of pairs of account and balance, as Jepsen's bank test has it.

use super::budget::Budget;
use super::fast::broken;
use super::judges::{ObjectJudge, Scope};
use super::ruling::Ruling;
use super::search::{Decision, Initial};
use crate::history::compact::{Log, Op};
use crate::history::operation::Outcome;
use crate::history::{Function, Value};

/// The judge of banks.
pub struct BankTotals;

impl ObjectJudge for BankTotals {
    fn name(&self) -> &'static str {
        "bank"
    }

    fn help(&self) -> &'static str {
        "transfer between accounts: each read of all has the same total"
    }

    fn scope(&self) -> Scope {
        Scope::Key
    }

    fn has_writes(&self) -> bool {
        false
    }

    fn rule(&self, log: &Log, ops: &[Op], _budget: Budget<'_>) -> Ruling {
        let is_read = |op: &Op| op.f == Function::Read && op.outcome == Outcome::Ok;
        let reads = ops.iter().enumerate().filter(|(_, op)| is_read(op));
        let mut totals = reads.map(|(at, op)| (at, total(&log.atoms.value(op.result))));
        let Some((first, expected)) = totals.next() else {
            return Ruling::Holds;
        };
        match totals.find(|(_, total)| *total != expected) {
            None => Ruling::Holds,
            Some((at, total)) => {
                let why = format!("Its accounts sum to {total}, those of the first to {expected}.");
                broken(ops, vec![first, at], why)
            }
        }
    }

    fn rule_from_anything(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Option<Ruling> {
        Some(self.rule(log, ops, budget))
    }

    fn search(&self, log: &Log, ops: &[Op], budget: Budget<'_>) -> Decision {
        match self.rule(log, ops, budget) {
            Ruling::Broken(broken) => Decision::NotLinearizable {
                stuck: broken.stuck,
                is_unfounded: false,
            },
            Ruling::Holds | Ruling::Undecided { .. } => Decision::Linearizable,
        }
    }

    fn states(&self, log: &Log, _initial: Initial, order: &[Op]) -> Vec<String> {
        let told = |op: &Op| format!("a total of {}", total(&log.atoms.value(op.result)));
        order.iter().map(told).collect()
    }
}

fn total(read: &Value) -> i128 {
    let Value::List(accounts) = read else {
        return 0;
    };
    let balance = |account: &Value| match account {
        Value::List(pair) => pair.get(1).and_then(Value::as_int),
        Value::Nil | Value::Int(_) | Value::Text(_) => account.as_int(),
    };
    let balances = accounts.iter().filter_map(balance);
    balances.map(i128::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::compact::Collector;
    use crate::history::edn::Keys;
    use crate::history::format::{Format, each};

    fn ruling(reads: [&str; 2]) -> Ruling {
        let mut text = String::from(
            "{:process 0 :type :invoke :f :transfer :value {:from 0 :to 1 :amount 5}}\n\
             {:process 0 :type :ok :f :transfer :value {:from 0 :to 1 :amount 5}}\n",
        );
        for read in reads {
            text += "{:process 1 :type :invoke :f :read}\n";
            text += &format!("{{:process 1 :type :ok :f :read :value {read}}}\n");
        }
        let mut collector = Collector::default();
        let read = each(Format::Edn, Keys::Apart, text.as_bytes(), |event| {
            collector.observe(event);
        });
        read.expect("a good history");
        let log = collector.finish();
        BankTotals.rule(&log, &log.ops[0], Budget::steps(1))
    }

    #[test]
    fn every_read_of_a_bank_has_the_same_total() {
        assert_eq!(ruling(["{0 10, 1 0}", "{0 5, 1 5}"]), Ruling::Holds);
        assert_eq!(ruling(["[10 0]", "[5 5]"]), Ruling::Holds);
        let Ruling::Broken(broken) = ruling(["{0 10, 1 0}", "{0 5, 1 0}"]) else {
            panic!("money was lost");
        };
        assert!(broken.why.contains("sum to 5, those of the first to 10"));
        assert_eq!(broken.witness.len(), 2);
    }
}

//! What was found in a history of transactions, and what it means for consistency models.

use std::collections::BTreeMap;

use serde::Serialize;

use super::anomaly::AnomalyKind;
use super::models::{ConsistencyModel, ruled_out};

/// One instance of an anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Case {
    /// What is wrong, in one sentence.
    pub message: String,
    /// The transactions it takes; in a cycle each comes before the next, and the last before the
    /// first.
    pub transactions: Vec<ToldTxn>,
    /// Why each comes before the next, if it is a cycle.
    pub edges: Vec<ToldEdge>,
}

/// A transaction as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldTxn {
    /// `T1`, `T2`, …
    pub name: String,
    /// Index of its invocation.
    pub index: u64,
    /// Who.
    pub process: u32,
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was over, ns; none if nobody knows.
    pub completed: Option<u64>,
    /// Its micro-operations.
    pub steps: Vec<String>,
    /// `ok`, `aborted` or `unknown`.
    pub outcome: &'static str,
}

/// Why one transaction comes before another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToldEdge {
    /// Position of the first in the list of transactions.
    pub from: usize,
    /// Position of the second.
    pub to: usize,
    /// `ww`, `wr`, `rw`, `process` or `realtime`.
    pub kind: &'static str,
    /// Why, in a sentence.
    pub because: String,
}

impl Case {
    /// A case that is no cycle.
    pub fn told(message: String, transactions: Vec<ToldTxn>) -> Case {
        Case {
            message,
            transactions,
            edges: Vec::new(),
        }
    }
}

/// The instances of one anomaly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// Which.
    pub name: AnomalyKind,
    /// What it means.
    pub meaning: &'static str,
    /// How many were found.
    pub count: u64,
    /// The first of them; shortest cycles first.
    pub cases: Vec<Case>,
}

/// Anomalies as they are found.
#[derive(Debug, Default)]
pub struct Findings {
    found: BTreeMap<AnomalyKind, (u64, Vec<Case>)>,
}

/// Cases of one anomaly that are told.
const CASES_TOLD_MAX: usize = 8;
/// Cases of one anomaly that are kept until the shortest are picked.
const CASES_KEPT_MAX: usize = 64;

impl Findings {
    /// Takes in a case; it is not put into words if there are plenty already.
    pub fn add(&mut self, kind: AnomalyKind, case: impl FnOnce() -> Case) {
        let (count, cases) = self.found.entry(kind).or_default();
        *count += 1;
        if cases.len() < CASES_KEPT_MAX {
            cases.push(case());
        }
    }

    /// All anomalies, worst first.
    pub fn into_anomalies(self) -> Vec<Anomaly> {
        let anomaly = |(name, (count, mut cases)): (AnomalyKind, (u64, Vec<Case>))| {
            shorten(&mut cases);
            let meaning = name.meaning();
            Anomaly {
                name,
                meaning,
                count,
                cases,
            }
        };
        self.found.into_iter().map(anomaly).collect()
    }
}

fn shorten(cases: &mut Vec<Case>) {
    // Stable: among equally short ones the first found stay first.
    cases.sort_by_key(|case| case.edges.len());
    cases.truncate(CASES_TOLD_MAX);
}

/// What a history of transactions shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TxnReport {
    /// The model that was demanded.
    pub demanded: ConsistencyModel,
    /// Transactions that committed.
    pub committed: u64,
    /// Those of which nobody knows.
    pub unknown: u64,
    /// Those that aborted.
    pub aborted: u64,
    /// Micro-operations of all of them.
    pub micro_operations: u64,
    /// Keys.
    pub keys: u64,
    /// Anomalies, worst first.
    pub anomalies: Vec<Anomaly>,
    /// The weakest models that are ruled out.
    pub not: Vec<ConsistencyModel>,
    /// What else is ruled out, because it includes one of those.
    pub also_not: Vec<ConsistencyModel>,
    /// Searches that ran out of budget.
    pub unfinished: Vec<String>,
}

impl TxnReport {
    /// Fills in which models are out.
    pub fn with_models(mut self) -> TxnReport {
        let direct = self
            .anomalies
            .iter()
            .flat_map(|found| found.name.rules_out());
        let (not, also_not) = ruled_out(direct.copied());
        (self.not, self.also_not) = (not, also_not);
        self
    }

    /// Whether the demanded model is ruled out.
    pub fn is_violated(&self) -> bool {
        let mut out = self.not.iter().chain(&self.also_not);
        out.any(|model| *model == self.demanded)
    }

    /// The anomalies that rule out the demanded model, worst first.
    pub fn violations(&self) -> impl Iterator<Item = &Anomaly> {
        self.anomalies.iter().filter(|found| {
            let mut out = found.name.rules_out().iter();
            out.any(|model| self.demanded.is_at_least(*model))
        })
    }

    /// The case that shows a violation with the fewest transactions.
    pub fn shortest(&self) -> Option<(&Anomaly, &Case)> {
        let first = |anomaly| -> Option<(&Anomaly, &Case)> {
            let anomaly: &Anomaly = anomaly;
            Some((anomaly, anomaly.cases.first()?))
        };
        self.violations()
            .filter_map(first)
            .min_by_key(|(_, case)| case.transactions.len())
    }
}

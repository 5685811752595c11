//! From transactions to a report.

use super::cycles::{self, Cycle};
use super::demand::Demand;
use super::explain::Teller;
use super::graph::{Edges, Graph};
use super::ingest::{Dialect, Transactions, TxnId, TxnProblem};
use super::orders::Orders;
use super::report::{Case, Findings, ToldEdge, TxnReport};
use super::{list_append, list_findings, register_findings, rw_register};
use crate::history::{Event, Outcome};

/// Judges a whole history; what is no transaction in it is left out.
///
/// # Errors
/// What cannot be judged about it.
pub fn check<'a>(
    events: impl IntoIterator<Item = &'a Event>,
    dialect: Dialect,
    demand: Demand,
) -> Result<TxnReport, TxnProblem> {
    let mut transactions = Transactions::new(dialect);
    for event in events {
        transactions.observe(event)?;
    }
    transactions.finish()?;
    Ok(report(transactions, demand))
}

/// Judges transactions that were read.
pub fn report(mut transactions: Transactions, demand: Demand) -> TxnReport {
    let orders = Orders::new(&mut transactions);
    let mut findings = Findings::default();
    let edges = match transactions.dialect {
        Dialect::ListAppend => {
            list_findings::find(&transactions, &orders, demand.beginning, &mut findings);
            list_append::edges(&transactions, &orders)
        }
        Dialect::RwRegister => {
            let versions = rw_register::Versions::new(&transactions, demand.beginning);
            register_findings::find(&transactions, &orders, &versions, &mut findings);
            rw_register::edges(&transactions, &versions, demand.order())
        }
    };
    let unfinished = find_cycles(&transactions, &orders, edges, demand, &mut findings);
    let with = |outcome| {
        let txns = transactions.txns.iter();
        txns.filter(|txn| txn.outcome == outcome).count() as u64
    };
    TxnReport {
        demanded: demand.model,
        committed: with(Outcome::Ok),
        unknown: with(Outcome::Unknown),
        aborted: with(Outcome::Fail),
        micro_operations: transactions.micro_operations(),
        keys: transactions.keys.len() as u64,
        anomalies: findings.into_anomalies(),
        not: Vec::new(),
        also_not: Vec::new(),
        unfinished,
    }
    .with_models()
}

fn find_cycles(
    transactions: &Transactions,
    orders: &Orders,
    edges: Edges,
    demand: Demand,
    findings: &mut Findings,
) -> Vec<String> {
    let graph = Graph::new(transactions, edges);
    let found = cycles::search(&graph, demand.order());
    let teller = Teller::new(transactions, orders);
    for cycle in &found.cycles {
        findings.add(cycle.kind, || told(&teller, cycle));
    }
    let mut unfinished = found.unfinished;
    if found.unsearched > 0 {
        unfinished.push(format!(
            "{} more components with cycles were not searched",
            found.unsearched
        ));
    }
    unfinished
}

fn told(teller: &Teller<'_>, cycle: &Cycle) -> Case {
    let ids: Vec<TxnId> = cycle.edges.iter().map(|(id, _)| *id).collect();
    let transactions = teller.told_all(&ids);
    let count = ids.len();
    let edge = |at: usize| {
        let to = (at + 1) % count;
        let (from_name, to_name) = (&*transactions[at].name, &*transactions[to].name);
        let kind = cycle.edges[at].1;
        ToldEdge {
            from: at,
            to,
            kind: kind.name(),
            because: teller.because((ids[at], from_name), (ids[to], to_name), kind),
        }
    };
    let edges: Vec<ToldEdge> = (0..count).map(edge).collect();
    let names = transactions.iter().map(|txn| txn.name.as_str());
    let chain: Vec<&str> = names.chain(["T1"]).collect();
    Case {
        message: format!("{}: each must come before the next", chain.join(" → ")),
        transactions,
        edges,
    }
}

//! Transactions over lists and registers: which anomalies a history shows, and which consistency
//! models these rule out.
//!
//! After Adya's definitions and Elle's method: reads of lists, or of registers whose values are
//! unique, show in which order versions followed each other ([`orders`], [`list_append`],
//! [`rw_register`]); that order, those of the processes and real time make a graph ([`graph`]);
//! a cycle in it ([`components`], [`cycles`]) is an anomaly with a name ([`anomaly`]), and rules
//! out consistency models ([`models`]). All in time and memory linear in the number of
//! micro-operations, as long as nothing is wrong.

pub mod anomaly;
pub mod components;
pub mod cycles;
pub mod demand;
pub mod explain;
pub mod graph;
pub mod ingest;
pub mod judgement;
pub mod list_append;
pub mod list_findings;
pub mod models;
pub mod orders;
pub mod picture;
pub mod register_findings;
pub mod report;
pub mod rw_register;
pub mod way_back;

pub use anomaly::AnomalyKind;
pub use demand::{Beginning, Demand};
pub use ingest::{Dialect, Transactions, TxnProblem};
pub use judgement::check;
pub use models::ConsistencyModel;
pub use report::TxnReport;

#[cfg(test)]
mod tests;

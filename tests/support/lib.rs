//! Support for the end-to-end tests: the binary, a browser, and hand-made recordings.
//!
//! [`run`] calls the harness as a user would, [`browser`] opens a report in headless Chromium,
//! [`sample`] makes recordings whose verdict is known, [`live`] runs servers on loopback, and
//! [`histories`] draws what clients did, [`dataset`] fills servers with keys of all types.
//! [`sources`] reads the tree for the guards, and
//! [`clauses`] says which clauses it implements and proves. [`voting`] is a small model, explored
//! exhaustively, and [`properties`] plays random plans.

pub mod bare;
pub mod browser;
pub mod clauses;
pub mod dataset;
pub mod fuzz;
pub mod histories;
pub mod live;
pub mod paper;
pub mod properties;
pub mod run;
pub mod sample;
pub mod sources;
pub mod transactional;
pub mod voting;

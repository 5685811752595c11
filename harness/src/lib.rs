//! slotquake: breaks Redis clusters and proves what held.
//!
//! The harness room: [`plan`] (a run as data), [`director`] (the run itself, pure), [`world`] (the
//! doers: local processes, or the simulation), [`explore`] (many seeds), [`nemesis`] (faults),
//! [`target`] (servers to test), [`sandbox`] (namespaces), [`observe`] (bus tap and views),
//! [`store`] (recordings on disk), [`report`], and [`cli`].

pub mod cli;
pub mod director;
pub mod explore;
pub mod nemesis;
pub mod observe;
pub mod plan;
pub mod report;
pub mod sandbox;
pub mod store;
pub mod target;
pub mod world;

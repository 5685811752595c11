//! Campaigns: many seeds in virtual time.
//!
//! ```text
//! swarm ──plan of each seed──► campaign (threads, nothing shared) ──trials, in order──► summary
//! ```
//!
//! [`selection`] says which seeds, [`swarm`] draws a plan for each, [`stories`] tells courses of
//! events, [`trial`] plays and judges one, [`shrink`] makes the plan of one that failed small,
//! [`divergence`] plays one again and says where it parts, [`marks`] counts rare events,
//! [`campaign`] spreads seeds over threads, [`summary`] and [`mod@merge`] add up.
//! [`mod@bench`] measures one standard scenario, [`growth`] clusters of up to a thousand nodes.
//! Nothing here writes files or prints: `cli/simulate` does.

pub mod bench;
pub mod campaign;
pub mod divergence;
mod given;
pub mod growth;
pub mod marks;
pub mod merge;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod selection;
pub mod shrink;
pub mod stories;
pub mod summary;
pub mod swarm;
pub mod trial;

pub use campaign::Campaign;
pub use selection::{Selection, Shard};
pub use summary::Summary;
pub use swarm::{Given, Source, Variety};
pub use trial::Trial;

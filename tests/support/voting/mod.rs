//! An exhaustive small model of failover voting, over the node's real cluster room.
//!
//! Three masters A, B, C and two replicas R1, R2 of A; A is dead and everybody knows. From there
//! every interleaving is visited: deliveries of the packets that elections are made of (in any
//! order, late, or never), ends of waits, crashes with restarts from what is on disk.
//!
//! [`node`] steps one real `Cluster`, [`explorer`] visits all states breadth first, [`rules`] says
//! what must hold, [`sabotage`] breaks a node on purpose, [`story`] tells a trace. What the model
//! leaves out stands in `docs/simulation.md`.

pub mod explorer;
pub mod node;
pub mod rules;
pub mod sabotage;
pub mod story;

use slotquake_core::cluster::Profile;

use sabotage::Sabotage;

/// How much is explored.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// New epochs that candidates may begin, altogether.
    pub elections: u64,
    /// Crashes, each followed by a restart, altogether.
    pub crashes: u8,
    /// How often a packet may arrive.
    pub delivery: Delivery,
    /// Which known weaknesses the nodes have.
    pub profile: Profile,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
    /// States after which the search gives up.
    pub states_max: usize,
}

/// How often a packet may arrive; in any order, however late, and also never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At most once, as bytes on a connection do.
    Once,
    /// Any number of times: more than any network does, but with fewer states, because it does not
    /// matter which packets have arrived. What holds here holds for `Once`.
    AnyNumber,
}

impl Default for Scope {
    fn default() -> Scope {
        Scope {
            elections: 3,
            crashes: 1,
            delivery: Delivery::AnyNumber,
            profile: Profile::Reference,
            sabotage: Sabotage::None,
            states_max: 50_000_000,
        }
    }
}

//! Clusters of our nodes and real ones, 6.2.14, 7.0.15 and 8.2.3: nobody notices the difference.
//!
//! Each claim is made of each real version, side by side; what fails says with which. Servers run
//! on loopback, on ports of their own, so that claims may run at the same time. [`stage`] builds
//! clusters and compares what their nodes say, [`corpus`] fills them with every type.

mod channels;
mod corpus;
mod extensions;
mod files;
mod joining;
mod membership;
mod replication;
mod restarts;
mod slots;
mod stage;
mod votes;

//! Tests of the way of a command through the node, with a fake cluster and fake replication.

mod blocking;
mod fixture;
mod migrate;
mod replication;
mod routing;
mod streams;
mod table;
mod transactions;

//! Tests of transactions.
//!
//! Histories are told in one line a transaction: `0 1.. ok ax1 ry[1,2]` is process 0, invoked at
//! time 0 and completed at time 1; see [`story`].

mod anomalies;
mod brute_force;
mod story;

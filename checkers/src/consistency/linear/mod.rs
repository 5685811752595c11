//! Linearizability: one order of the operations that respects real time and the object.
//!
//! [`model`] says what an object is and [`models`] are those that come along; [`zones`] decides
//! registers with unique values in O(n log n), [`fast`] sets, lists and queues; [`search`] decides
//! everything else, within a [`budget`]. [`judges`] has them all by name;
//! [`report`], [`shrink`] and [`picture`] say why there is no order.

pub mod budget;
pub mod fast;
pub mod judges;
mod longest;
pub mod model;
pub mod models;
pub mod picture;
pub mod report;
pub mod ruling;
pub mod search;
pub mod shrink;
pub mod totals;
pub mod zones;

pub use budget::{Budget, Spent};
pub use model::{Call, Model, Shape};
pub use search::{Decision, Initial};

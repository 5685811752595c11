//! Producers of observations: what nodes say of the cluster ([`views`]).

pub mod tap;
pub mod views;

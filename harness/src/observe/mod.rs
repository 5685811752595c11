//! Producers of observations: what nodes say of the cluster ([`views`]).

pub mod views;

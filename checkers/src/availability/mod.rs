//! Measurements, never verdicts.

pub mod coverage;

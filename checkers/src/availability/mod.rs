//! Measurements, never verdicts.

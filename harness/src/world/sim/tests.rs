//! Proofs of the simulated world.

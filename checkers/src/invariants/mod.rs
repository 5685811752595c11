//! The invariants of the cluster, one file each, named by its claim.
//!
//! What they share: [`bus_evidence`] (what a capture allows to conclude), [`links`] (one direction
//! of one TCP connection), [`promotions`] (replicas that became masters) and [`convergence`] (from
//! when on all nodes said the same).

pub mod bus_evidence;
pub mod config_epoch_never_above_current;
pub mod config_epoch_never_decreases;
pub mod convergence;
pub mod current_epoch_never_decreases;
pub mod election_epoch_is_unique;
pub mod full_recovery;
pub mod links;
pub mod minority_stops_writing;
pub mod one_master_per_slot_and_epoch;
pub mod one_vote_per_epoch;
mod ordered_takeovers;
pub mod promotion_has_majority;
pub mod promotions;
pub mod slot_maps_agree;
pub mod voter_owns_slots;

#[cfg(test)]
mod tests;

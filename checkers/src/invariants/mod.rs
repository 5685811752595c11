//! The invariants of the cluster, one file each, named by its claim.
//!
//! What they share: [`bus_evidence`] (what a capture allows to conclude), [`links`] (one direction
//! of one TCP connection), [`promotions`] (replicas that became masters), [`convergence`] (from
//! when on all nodes said the same), [`evidence`] (last views, FAIL messages, who heard whom),
//! `by_table` (what follows from a node's table) and [`spare_replicas`] (who could spare one).

pub mod asks_only_while_migrating;
pub mod attempts_are_spaced;
pub mod blocked_clients_are_released;
pub mod bus_evidence;
mod by_table;
pub mod catches_up_first;
pub mod clocks_follow;
pub mod collisions_are_resolved;
pub mod comes_back_late;
pub mod config_epoch_never_above_current;
pub mod config_epoch_never_decreases;
pub mod convergence;
pub mod current_epoch_never_decreases;
mod data_cuts;
pub mod data_is_young_enough;
pub mod election_epoch_is_unique;
pub mod elections_wait;
pub mod every_slot_is_owned;
pub mod evidence;
pub mod failure_is_kept;
pub mod failure_is_told;
pub mod failure_marks_go;
pub mod failure_needs_quorum;
pub mod forgotten_stay_away;
pub mod freshest_replica_wins;
pub mod full_recovery;
pub mod full_slots_are_kept;
pub mod heard_claims;
pub mod ids_are_stable;
pub mod importers_serve_who_asks;
pub mod imports_raise_the_epoch;
pub mod keys_stay_with_owners;
pub mod links;
pub mod majority_serves_again;
pub mod minority_stops_writing;
pub mod moved_keys_leave;
pub mod newest_claim_wins;
pub mod offsets_settle;
pub mod one_master_per_slot_and_epoch;
pub mod one_vote_per_epoch;
pub mod one_winner_per_epoch;
pub mod open_slots_survive;
mod ordered_takeovers;
pub mod orphans_get_replicas;
pub mod promotion_has_majority;
pub mod promotion_takes_every_slot;
pub mod promotions;
pub mod promotions_are_told;
pub mod quiet_without_faults;
mod redirections;
pub mod redirections_end;
pub mod redirections_name_the_owner;
pub mod redirections_name_the_slot;
pub mod replicas_move_with_care;
pub mod replicas_own_nothing;
pub mod restarts_keep_state;
pub mod roles_settle;
pub mod serves_own_slots;
pub mod shard_messages_stay;
pub mod slot_maps_agree;
pub mod slots_move_by_newer_claims;
pub mod spare_replicas;
pub mod stale_claims_are_answered;
pub mod stale_data_is_refused;
pub mod starts_after_a_kill;
pub mod state_follows_view;
pub mod stops_serving_when_down;
pub mod strangers_stay_out;
pub mod suspects_are_told;
pub mod suspicion_comes_in_time;
pub mod suspicion_needs_silence;
pub mod takeovers_take_an_epoch;
pub mod told_epochs_are_kept;
pub mod updates_are_truthful;
pub mod voter_owns_slots;
pub mod votes_against_failed_masters;
pub mod votes_are_durable;
pub mod votes_are_for_the_present;
pub mod votes_are_spaced;
pub mod wait_counts_who_has_it;
pub mod writes_need_replicas;
pub mod writes_wait_for_failover;

#[cfg(test)]
mod tests;

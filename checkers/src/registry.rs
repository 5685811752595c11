//! Every checker, one line each.
//!
//! What there is to say about a checker stands in its own file as an [`Entry`]; the command line,
//! the documentation and the report are made from this list.

use crate::checker::Entry;
use crate::consistency::{
    bank, counter, deliveries, expiry, invented_values, isolation, lineage, linearizable,
    lost_writes, pairs_are_whole, queue_delivery, queue_order, replica_reads, split_brain_reads,
};
use crate::invariants::{
    asks_only_while_migrating, attempts_are_spaced, blocked_clients_are_released, catches_up_first,
    clocks_follow, collisions_are_resolved, comes_back_late, config_epoch_never_above_current,
    config_epoch_never_decreases, current_epoch_never_decreases, data_is_young_enough,
    election_epoch_is_unique, elections_wait, every_slot_is_owned, failure_is_kept,
    failure_is_told, failure_marks_go, failure_needs_quorum, forgotten_stay_away,
    freshest_replica_wins, full_recovery, full_slots_are_kept, ids_are_stable,
    importers_serve_who_asks, imports_raise_the_epoch, keys_stay_with_owners,
    majority_serves_again, minority_stops_writing, moved_keys_leave, newest_claim_wins,
    offsets_settle, one_master_per_slot_and_epoch, one_vote_per_epoch, one_winner_per_epoch,
    open_slots_survive, orphans_get_replicas, promotion_has_majority, promotion_takes_every_slot,
    promotions_are_told, quiet_without_faults, redirections_end, redirections_name_the_owner,
    redirections_name_the_slot, replicas_move_with_care, replicas_own_nothing, restarts_keep_state,
    roles_settle, serves_own_slots, shard_messages_stay, slot_maps_agree,
    slots_move_by_newer_claims, stale_claims_are_answered, stale_data_is_refused,
    starts_after_a_kill, state_follows_view, stops_serving_when_down, strangers_stay_out,
    suspects_are_told, suspicion_comes_in_time, suspicion_needs_silence, takeovers_take_an_epoch,
    told_epochs_are_kept, updates_are_truthful, voter_owns_slots, votes_against_failed_masters,
    votes_are_durable, votes_are_for_the_present, votes_are_spaced, wait_counts_who_has_it,
    writes_need_replicas, writes_wait_for_failover,
};

/// The checkers, in the order in which they are reported.
pub const CHECKERS: &[Entry] = &[
    linearizable::ENTRY,
    isolation::ENTRY,
    bank::ENTRY,
    lost_writes::ENTRY,
    counter::ENTRY,
    queue_delivery::ENTRY,
    queue_order::ENTRY,
    invented_values::ENTRY,
    lineage::ENTRY,
    replica_reads::ENTRY,
    stale_data_is_refused::ENTRY,
    split_brain_reads::ENTRY,
    expiry::ENTRY,
    deliveries::ENTRY,
    wait_counts_who_has_it::ENTRY,
    writes_need_replicas::ENTRY,
    shard_messages_stay::ENTRY,
    current_epoch_never_decreases::ENTRY,
    clocks_follow::ENTRY,
    config_epoch_never_decreases::ENTRY,
    config_epoch_never_above_current::ENTRY,
    election_epoch_is_unique::ENTRY,
    collisions_are_resolved::ENTRY,
    one_vote_per_epoch::ENTRY,
    voter_owns_slots::ENTRY,
    promotion_has_majority::ENTRY,
    one_winner_per_epoch::ENTRY,
    votes_against_failed_masters::ENTRY,
    votes_are_spaced::ENTRY,
    votes_are_durable::ENTRY,
    votes_are_for_the_present::ENTRY,
    attempts_are_spaced::ENTRY,
    elections_wait::ENTRY,
    data_is_young_enough::ENTRY,
    freshest_replica_wins::ENTRY,
    promotion_takes_every_slot::ENTRY,
    promotions_are_told::ENTRY,
    catches_up_first::ENTRY,
    takeovers_take_an_epoch::ENTRY,
    writes_wait_for_failover::ENTRY,
    suspicion_needs_silence::ENTRY,
    suspicion_comes_in_time::ENTRY,
    suspects_are_told::ENTRY,
    failure_needs_quorum::ENTRY,
    failure_is_told::ENTRY,
    failure_is_kept::ENTRY,
    failure_marks_go::ENTRY,
    one_master_per_slot_and_epoch::ENTRY,
    slot_maps_agree::ENTRY,
    newest_claim_wins::ENTRY,
    slots_move_by_newer_claims::ENTRY,
    every_slot_is_owned::ENTRY,
    roles_settle::ENTRY,
    updates_are_truthful::ENTRY,
    told_epochs_are_kept::ENTRY,
    stale_claims_are_answered::ENTRY,
    replicas_own_nothing::ENTRY,
    ids_are_stable::ENTRY,
    strangers_stay_out::ENTRY,
    state_follows_view::ENTRY,
    minority_stops_writing::ENTRY,
    stops_serving_when_down::ENTRY,
    comes_back_late::ENTRY,
    majority_serves_again::ENTRY,
    full_recovery::ENTRY,
    quiet_without_faults::ENTRY,
    redirections_name_the_owner::ENTRY,
    redirections_name_the_slot::ENTRY,
    redirections_end::ENTRY,
    asks_only_while_migrating::ENTRY,
    importers_serve_who_asks::ENTRY,
    blocked_clients_are_released::ENTRY,
    serves_own_slots::ENTRY,
    keys_stay_with_owners::ENTRY,
    moved_keys_leave::ENTRY,
    full_slots_are_kept::ENTRY,
    imports_raise_the_epoch::ENTRY,
    open_slots_survive::ENTRY,
    pairs_are_whole::ENTRY,
    offsets_settle::ENTRY,
    replicas_move_with_care::ENTRY,
    orphans_get_replicas::ENTRY,
    restarts_keep_state::ENTRY,
    starts_after_a_kill::ENTRY,
    forgotten_stay_away::ENTRY,
];

/// The checkers that judge this clause, or go by this name.
pub fn checkers_of(clause: &str) -> impl Iterator<Item = &'static Entry> {
    CHECKERS.iter().filter(move |entry| {
        let mut names = entry.clauses.iter().chain(std::iter::once(&entry.id));
        names.any(|name| name.eq_ignore_ascii_case(clause))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_entry_explains_itself() {
        let names: BTreeSet<&str> = CHECKERS.iter().map(|entry| entry.id).collect();
        assert_eq!(names.len(), CHECKERS.len());
        for entry in CHECKERS {
            assert!(entry.help.len() > 100, "{} has too little help", entry.id);
            assert!(
                !entry.clauses.is_empty() && !entry.title.is_empty(),
                "{}",
                entry.id
            );
        }
    }

    #[test]
    fn finds_a_checker_by_clause() {
        let found: Vec<&str> = checkers_of("hi-04").map(|entry| entry.id).collect();
        assert_eq!(found, ["HI-03"]);
    }
}

//! The small model of failover voting, all of it: no interleaving breaks a rule, and a node that is
//! broken on purpose is found by a shortest trace.

use slotquake_tests::voting::explorer::{Explorer, Found};
use slotquake_tests::voting::sabotage::Sabotage;
use slotquake_tests::voting::{Delivery, Scope, story};

/// Explores, and prints what there was to see.
fn explored(scope: Scope) -> (Found, String) {
    let mut explorer = Explorer::new(scope);
    let found = explorer.run();
    let told = story::told(&found, &mut explorer, &scope);
    print!("{told}");
    (found, told)
}

fn assert_holds(scope: Scope) {
    let (found, told) = explored(scope);
    assert!(found.is_complete, "{told}");
    assert!(found.victories > 100, "replicas became masters: {told}");
    assert!(found.unique > 100_000, "{told}");
}

/// Proves INV-01, INV-03, VO-03, EL-23, EP-06.
#[test]
fn no_interleaving_of_two_elections_breaks_a_rule() {
    assert_holds(Scope {
        elections: 2,
        crashes: 0,
        ..Scope::default()
    });
}

/// Proves INV-01, INV-03, VO-03, VO-10, EP-06.
#[test]
fn no_crash_during_an_election_breaks_a_rule() {
    assert_holds(Scope {
        elections: 1,
        crashes: 2,
        ..Scope::default()
    });
}

/// Breadth first: no shorter trace would do. `Once`, so that the story is one of a real network.
#[test]
fn a_broken_node_is_found_by_a_shortest_trace() {
    let cases = [
        (Sabotage::VoteNotNoted, 0, 4, "B votes for R1 and for"),
        (Sabotage::VoteNotSaved, 1, 5, "B votes for R1 and for"),
        (Sabotage::SendsBeforeSaving, 1, 4, "B votes for R1 and for"),
        (
            Sabotage::EpochNotSaved,
            1,
            2,
            "currentEpoch of R1 goes back from 4 to 3",
        ),
    ];
    for (sabotage, crashes, steps, rule) in cases {
        let (found, told) = explored(Scope {
            elections: 2,
            crashes,
            delivery: Delivery::Once,
            sabotage,
            ..Scope::default()
        });
        let (broken, trace) = found.broken.unwrap_or_else(|| panic!("missed: {told}"));
        assert!(broken.to_string().starts_with(rule), "{told}");
        assert_eq!(trace.len(), steps, "{told}");
        assert!(told.contains(&format!("{steps}. ")), "{told}");
    }
}

/// Upstream counts a vote as often as it arrives (KW-02).
#[test]
fn a_candidate_that_counts_a_vote_twice_is_found() {
    let (found, told) = explored(Scope {
        elections: 1,
        crashes: 0,
        profile: slotquake_core::cluster::Profile::Upstream70,
        ..Scope::default()
    });
    assert!(found.broken.is_some(), "{told}");
    assert!(
        told.contains("R1 becomes master in epoch 4 with 1 of 2 votes"),
        "{told}"
    );
}

#[test]
fn a_search_that_gave_up_is_not_complete() {
    let (found, told) = explored(Scope {
        states_max: 1000,
        ..Scope::default()
    });
    assert!(!found.is_complete, "{told}");
    assert!(told.contains("given up"), "{told}");
}

//! Failover safety, as properties over random plans; `docs/properties.md` explains them.
//!
//! `PROPTEST_CASES=1000` plays more, and others each time.

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use slotquake::plan::Profile;
use slotquake_tests::properties::{Blow, Harm, Tale, Victim, config, plans, play};

/// Cases of each property: a few CPU seconds for all of them.
const CASES: u32 = 16;

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn a_voter_has_one_vote_in_an_epoch(tale in plans()) {
        play(&tale).keeps("VT-01")?;
    }

    #[test]
    fn a_slot_has_one_owner_in_an_epoch(tale in plans()) {
        let run = play(&tale);
        run.keeps("CF-01")?;
        run.keeps("CE-07")?;
    }

    #[test]
    fn no_epoch_goes_back(tale in plans()) {
        let run = play(&tale);
        run.keeps("CE-01")?;
        run.keeps("CE-03")?;
        run.keeps("CE-04")?;
    }

    #[test]
    fn a_promotion_has_the_votes_of_a_majority(tale in plans()) {
        play(&tale).keeps("VT-08")?;
    }

    #[test]
    fn what_is_healed_converges(tale in plans()) {
        let run = play(&tale);
        run.keeps("CF-05")?;
        run.keeps("ST-06")?;
    }

    #[test]
    fn no_acknowledged_write_is_lost_outside_the_windows(tale in plans()) {
        let run = play(&tale);
        run.keeps("HI-03")?;
        run.keeps("HI-09")?;
    }
}

/// The properties are not empty: the plans bring about what they speak of.
#[test]
fn the_plans_cause_elections_and_lost_writes() {
    let mut runner = TestRunner::new(config(CASES));
    let sums = std::cell::Cell::new((0, 0, 0));
    let played = runner.run(&plans(), |tale| {
        let run = play(&tale);
        let (elections, failovers, failed) = sums.get();
        let coverage = run.coverage();
        sums.set((
            elections + coverage.elections,
            failovers + coverage.failovers,
            failed + coverage.failed_ops,
        ));
        Ok(())
    });
    assert!(played.is_ok(), "{played:?}");
    let (elections, failovers, failed) = sums.get();
    assert!(elections > 3 && failovers > 3 && failed > 3, "{sums:?}");
}

/// The same cluster, with manual failovers of one shard in quick succession.
fn hurried(tale: Tale) -> Tale {
    let hurry = |blow: Blow| Blow {
        rest_tenths: blow.rest_tenths / 10,
        harm: Harm::Failover,
        victim: match blow.victim {
            Victim::OfFirstShard(number) | Victim::Any(number) => Victim::OfFirstShard(number),
        },
        lasts_tenths: 3 + blow.lasts_tenths / 10,
    };
    let blows = tale.blows.iter().copied().map(hurry).collect();
    Tale { blows, ..tale }
}

/// The smallest plan that makes a property fail.
fn counterexample(profile: Profile) -> Option<(String, Tale)> {
    let mut runner = TestRunner::new(config(60));
    let plans = plans().prop_map(move |tale| hurried(tale).with_profile(profile));
    match runner.run(&plans, |tale| play(&tale).keeps("VT-08")) {
        Ok(()) => None,
        Err(TestError::Fail(why, tale)) => Some((why.to_string(), tale)),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

/// Upstream 7.0 keeps the votes of an election that is over (VT-08 of part C).
#[test]
fn a_weakness_shrinks_to_a_plan_that_a_person_can_read() {
    let found = counterexample(Profile::Upstream70);
    let (why, tale) = found.expect("upstream's nodes are promoted with old votes");
    let told = format!("{tale:?}");
    println!("{why}\n{told}");
    assert!(why.contains("VT-08"), "{why}");
    assert!((2..=4).contains(&tale.blows.len()), "{told}");
    assert_eq!((tale.masters, tale.replicas), (3, 1), "{told}");
    assert_eq!(told.lines().count(), 1 + tale.blows.len(), "{told}");
    let again = play(&tale).keeps("VT-08");
    assert!(again.is_err(), "what was printed fails again: {told}");
    let healthy = play(&tale.with_profile(Profile::Default)).keeps("VT-08");
    assert!(healthy.is_ok(), "{healthy:?}");
}

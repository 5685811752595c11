//! The judges of objects against a checker that tries every order.
//!
//! `JUDGES_CASES=1000000 cargo test --release -p slotquake-tests --test judges` draws as many
//! histories as that; without it, few enough for every build.

use slotquake_checkers::consistency::linear::judges::{JUDGES, ObjectJudge, Scope, judge_of};
use slotquake_checkers::consistency::linear::models::Register;
use slotquake_checkers::consistency::linear::ruling::Ruling;
use slotquake_checkers::consistency::linear::search::decide;
use slotquake_checkers::consistency::linear::{Budget, Decision, Initial};
use slotquake_checkers::history::compact::{Log, Op};
use slotquake_tests::histories::{brute, log, small};
use slotquake_workloads::rng::Rng;

fn cases() -> u64 {
    let given = std::env::var("JUDGES_CASES").ok();
    given.and_then(|cases| cases.parse().ok()).unwrap_or(40_000)
}

fn objects(judge: &dyn ObjectJudge, log: &Log) -> Vec<Vec<Op>> {
    match judge.scope() {
        Scope::Key => log.ops.clone(),
        Scope::Whole => vec![log.ops.concat()],
    }
}

/// Those who ask for an order.
fn ordered() -> Vec<&'static dyn ObjectJudge> {
    let judges = JUDGES.iter().copied();
    judges.filter(|judge| judge.name() != "bank").collect()
}

#[test]
fn every_judge_agrees_with_trying_all_orders() {
    let mut rng = Rng::new(11);
    let judges = ordered();
    let (mut held, mut broken) = ([0u64; 16], [0u64; 16]);
    for case in 0..cases() {
        let number = (case % judges.len() as u64) as usize;
        let judge = judges[number];
        let drafts = small::draw(judge.name(), 7, &mut rng);
        let log = log(&drafts);
        for ops in objects(judge, &log) {
            let expected = brute::is_linearizable(judge.name(), &log, &ops);
            let budget = Budget::steps(1_000_000);
            let ruled = judge.rule(&log, &ops, budget);
            let searched = judge.search(&log, &ops, budget);
            let shown = || -> String {
                let told = ops
                    .iter()
                    .map(|op| format!("{}..{} {}\n", op.invoked, op.completed, log.told(op)));
                format!("{} case {case}\n{}", judge.name(), told.collect::<String>())
            };
            assert_eq!(
                ruled == Ruling::Holds,
                expected,
                "rule: {ruled:?} {}",
                shown()
            );
            let is_found = searched == Decision::Linearizable;
            assert_eq!(is_found, expected, "search: {searched:?} {}", shown());
            *(if expected {
                &mut held[number]
            } else {
                &mut broken[number]
            }) += 1;
        }
    }
    for (number, judge) in judges.iter().enumerate() {
        let (held, broken) = (held[number], broken[number]);
        println!("{}: {held} held, {broken} did not", judge.name());
        let (enough, name) = (cases() / 1000, judge.name());
        assert!(
            held > enough && broken > enough,
            "{name} draws only one kind"
        );
    }
}

/// Proves HI-01: a piece of a history may begin with any value.
#[test]
fn a_register_that_begins_unknown_agrees_with_trying_all_values() {
    let mut rng = Rng::new(12);
    let mut held = 0;
    for case in 0..cases() / 4 {
        let name = ["register", "cas-register"][(case % 2) as usize];
        let log = log(&small::draw(name, 6, &mut rng));
        for ops in &log.ops {
            let expected = brute::is_register_from_anything(&log, ops);
            let budget = Budget::steps(1_000_000);
            let decision = decide(&Register, Initial::Unknown, &log, ops, budget);
            let told: Vec<_> = ops
                .iter()
                .map(|op| (op.invoked, op.completed, log.told(op)))
                .collect();
            assert_eq!(
                decision == Decision::Linearizable,
                expected,
                "{decision:?} {told:#?}"
            );
            held += u64::from(expected);
        }
    }
    assert!(held > 0 && held < cases() / 4, "only one kind was drawn");
}

#[test]
fn every_judge_is_found_by_its_name() {
    assert!(JUDGES.iter().all(|judge| judge_of(judge.name()).is_some()));
    assert!(judge_of("no such object").is_none());
}

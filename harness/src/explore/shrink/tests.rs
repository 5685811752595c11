//! Proofs that a search finds the little that matters, and how it ends. The runs are made up: what
//! fails is said by a rule about the plan.

use slotquake_checkers::observation::{FaultKind, NodeName};

use super::ddmin::ddmin;
use super::*;
use crate::nemesis::{Moment, Strike};

fn step(at_ms: u64, kind: FaultKind, node: usize, duration_ms: u64) -> ScriptedStrike {
    let cuts = match kind {
        FaultKind::Partition => vec![
            (NodeName::numbered(node), NodeName::numbered(node % 3 + 1)),
            (NodeName::numbered(node % 3 + 1), NodeName::numbered(node)),
        ],
        _ => Vec::new(),
    };
    ScriptedStrike {
        at_ms,
        kind,
        strike: Strike {
            targets: vec![NodeName::numbered(node)],
            cuts,
            note: format!("{kind:?} n{node}"),
            duration_ms,
            ..Strike::default()
        },
    }
}

/// Nine faults in a cluster of fifteen nodes under load.
fn large() -> Plan {
    let kinds = [FaultKind::Kill, FaultKind::Pause, FaultKind::Partition];
    let steps = (0..9).map(|index| {
        let at_ms = 1_230 + 4_567 * index as u64;
        step(at_ms, kinds[index % 3], index + 1, 2_345)
    });
    Plan {
        masters: 5,
        replicas: 2,
        time_limit_ms: 60_000,
        ..Plan::default()
    }
    .scripted(steps.collect())
}

fn effort(candidates_max: u64) -> Effort<'static> {
    Effort {
        candidates_max,
        go_on: &|| true,
    }
}

/// What a made-up run does: every client does a hundred operations.
fn sight_of(plan: &Plan) -> Sight {
    let all = (0..plan.concurrency).flat_map(|client| (0..100).map(move |number| (client, number)));
    let all: Vec<(u32, u64)> = match plan.rate {
        0 => Vec::new(),
        _ => plan.operations.clone().unwrap_or_else(|| all.collect()),
    };
    Sight {
        at_ms: None,
        script: plan.script.clone().unwrap_or_default(),
        operations: all,
    }
}

fn kinds(plan: &Plan) -> Vec<FaultKind> {
    plan.script.iter().flatten().map(|step| step.kind).collect()
}

#[test]
fn a_list_shrinks_to_the_items_that_are_needed_together() {
    let mut asked = 0;
    let kept = ddmin((0..200).collect(), &mut |items: &[u32]| {
        asked += 1;
        [3, 77, 78, 199].iter().all(|needed| items.contains(needed))
    });
    assert_eq!(kept, [3, 77, 78, 199]);
    assert!(asked < 200, "{asked} questions");
}

#[test]
fn a_list_of_which_nothing_is_needed_is_emptied_at_once() {
    let mut asked = 0;
    let kept = ddmin(vec![1; 50], &mut |_| {
        asked += 1;
        true
    });
    assert_eq!((kept.len(), asked), (0, 1));
    assert!(ddmin(Vec::<u8>::new(), &mut |_| true).is_empty());
}

/// Fails as long as something is paused after something was killed.
fn pause_after_kill(plan: &Plan) -> Option<Sight> {
    let steps = plan.script.as_deref().unwrap_or_default();
    let killed = steps.iter().position(|step| step.kind == FaultKind::Kill)?;
    let is_paused = steps[killed..]
        .iter()
        .any(|step| step.kind == FaultKind::Pause);
    is_paused.then(|| sight_of(plan))
}

#[test]
fn what_does_not_matter_goes() {
    let shrunk = shrink(&large(), effort(1_000), &mut pause_after_kill).expect("it fails");
    let plan = &shrunk.plan;
    assert_eq!(kinds(plan), [FaultKind::Kill, FaultKind::Pause]);
    assert_eq!(shrunk.steps(), Some(2));
    // Two nodes of two shards are struck.
    assert_eq!((plan.masters, plan.replicas, plan.rate), (2, 0, 0));
    assert!(plan.time_limit_ms <= 1_000, "{}", plan.time_limit_ms);
    let starts: Vec<u64> = plan
        .script
        .iter()
        .flatten()
        .map(|step| step.at_ms)
        .collect();
    assert_eq!(starts, [0, 0]);
    assert_eq!(shrunk.ended, Ended::Minimal);
    assert_eq!(plan.validate(), Ok(()));
    assert!(pause_after_kill(plan).is_some(), "what is left still fails");
}

#[test]
fn the_same_plan_shrinks_to_the_same_plan() {
    let once = || shrink(&large(), effort(300), &mut pause_after_kill);
    assert_eq!(once(), once());
}

#[test]
fn operations_that_matter_are_found_among_many() {
    let needed = [(0, 17), (0, 63)];
    let mut play = |plan: &Plan| {
        let sight = sight_of(plan);
        needed
            .iter()
            .all(|one| sight.operations.contains(one))
            .then_some(sight)
    };
    let shrunk = shrink(&large(), effort(1_000), &mut play).expect("it fails");
    assert_eq!(shrunk.plan.operations.as_deref(), Some(&needed[..]));
    assert_eq!(shrunk.plan.concurrency, 1);
    assert_eq!(kinds(&shrunk.plan), []);
}

/// Nodes that are struck keep their places in their shards, under new names.
#[test]
fn a_smaller_cluster_renames_the_nodes_of_its_script() {
    // The second replica of the fourth of five masters: n14.
    let plan = Plan { rate: 0, ..large() }.scripted(vec![
        step(0, FaultKind::Kill, 4, 100),
        step(0, FaultKind::Pause, 14, 100),
    ]);
    let mut play = |plan: &Plan| {
        let steps = plan.script.as_deref()?;
        let masters = usize::from(plan.masters);
        let [killed, paused] = steps else { return None };
        let number = |step: &ScriptedStrike| {
            let name = &step.strike.targets[0].0;
            name.trim_start_matches('n')
                .parse::<usize>()
                .expect("a number")
                - 1
        };
        let (killed, paused) = (number(killed), number(paused));
        let is_shard = killed < masters && paused >= masters && paused % masters == killed;
        (is_shard && plan.masters >= 3).then(|| sight_of(plan))
    };
    let shrunk = shrink(&plan, effort(1_000), &mut play).expect("it fails");
    assert_eq!((shrunk.plan.masters, shrunk.plan.replicas), (3, 1));
}

#[test]
fn times_become_round() {
    let mut play = |plan: &Plan| {
        let step = plan.script.as_deref()?.first()?;
        let lasts = step.strike.duration_ms >= 2_200;
        lasts.then(|| sight_of(plan))
    };
    let shrunk = shrink(&large(), effort(1_000), &mut play).expect("it fails");
    let step = &shrunk.plan.script.as_deref().expect("a script")[0];
    assert_eq!((step.at_ms, step.strike.duration_ms), (0, 3_000));
    assert_eq!(shrunk.plan.time_limit_ms, 100);
}

#[test]
fn a_search_ends_when_its_budget_is_spent_or_patience_is_lost() {
    let spent = shrink(&large(), effort(5), &mut pause_after_kill).expect("it fails");
    assert_eq!((spent.tried, spent.ended), (5, Ended::OutOfBudget));
    let impatient = Effort {
        candidates_max: 100,
        go_on: &|| false,
    };
    let left = shrink(&large(), impatient, &mut pause_after_kill).expect("it fails");
    assert_eq!((left.tried, left.ended), (1, Ended::Interrupted));
    assert_eq!(left.plan, large());
}

#[test]
fn a_plan_that_does_not_fail_is_not_shrunk() {
    assert!(shrink(&large(), effort(100), &mut |_| None).is_none());
}

/// Drawn faults are fixed first, so that they can be dropped one by one.
#[test]
fn drawn_faults_become_a_script() {
    let drawn = Plan::default();
    let script = large().script.expect("scripted")[..3].to_vec();
    let mut play = |plan: &Plan| {
        let script = plan.script.clone().unwrap_or(script.clone());
        let has_pause = script.iter().any(|step| step.kind == FaultKind::Pause);
        has_pause.then(|| Sight {
            script,
            ..sight_of(plan)
        })
    };
    let shrunk = shrink(&drawn, effort(1_000), &mut play).expect("it fails");
    assert_eq!(kinds(&shrunk.plan), [FaultKind::Pause]);
}

/// Nothing can be dropped as long as the time of the kill holds it all together.
#[test]
fn a_kill_that_hit_a_vote_by_chance_is_made_to_wait_for_it() {
    let original = Plan {
        world: crate::plan::WorldKind::Sim,
        ..large()
    };
    let mut play = |plan: &Plan| {
        let mut steps = plan.script.iter().flatten();
        let is_untouched = plan.script == original.script;
        let is_paused = steps.clone().any(|step| step.kind == FaultKind::Pause);
        let waits = steps.any(|step| step.strike.awaits == Some(Moment::Votes));
        (is_untouched || is_paused && waits).then(|| sight_of(plan))
    };
    let shrunk = shrink(&original, effort(1_000), &mut play).expect("it fails");
    assert_eq!(shrunk.steps(), Some(2));
    let steps = shrunk.plan.script.as_deref().expect("a script");
    let waiting = steps.iter().find(|step| step.strike.awaits.is_some());
    let waiting = waiting.expect("the kill that waits");
    let [target] = waiting.strike.targets.as_slice() else {
        panic!("one target is enough: {waiting:?}");
    };
    assert_eq!(waiting.strike.note, format!("kill {target} as it votes"));
}

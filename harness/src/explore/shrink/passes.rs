//! What is tried to make a plan smaller, the boldest first.
//!
//! Each proposal is smaller in some way, so that taking them one after the other ends.

use slotquake_checkers::observation::NodeName;
use slotquake_workloads::load::Load;

use super::Sight;
use crate::plan::{Network, Plan, ScriptedStrike};

/// Ends the run soon after the symptom, or sooner.
pub fn shorter_run(plan: &Plan, sight: &Sight) -> Vec<Plan> {
    let limit = plan.time_limit_ms;
    let after_symptom = sight.at_ms.map(|at_ms| at_ms + 1);
    let last_step = plan
        .script
        .iter()
        .flatten()
        .map(|step| step.at_ms + 1)
        .max();
    let wanted = [
        last_step,
        after_symptom.map(|ms| ms / 2),
        after_symptom,
        Some(limit / 2),
        Some(limit / 4 * 3),
        Some(limit / 10 * 9),
    ];
    let limits = wanted
        .into_iter()
        .flatten()
        .map(|ms| ms.next_multiple_of(TIME_GRAIN_MS));
    let shorter = limits.filter(|ms| *ms < limit);
    shorter.map(|ms| cut_short(plan, ms)).collect()
}

fn cut_short(plan: &Plan, time_limit_ms: u64) -> Plan {
    let within = |steps: &Vec<ScriptedStrike>| {
        let kept = steps.iter().filter(|step| step.at_ms < time_limit_ms);
        kept.cloned().collect()
    };
    Plan {
        time_limit_ms,
        script: plan.script.as_ref().map(within),
        ..plan.clone()
    }
}

/// Leaves out a kind of faults, where faults are drawn.
pub fn fewer_kinds(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    if !plan.draws_faults() {
        return Vec::new();
    }
    let without = |left_out: usize| {
        let kinds = plan.faults.iter().enumerate();
        let kept = kinds.filter(|(index, _)| *index != left_out);
        Plan {
            faults: kept.map(|(_, kind)| *kind).collect(),
            ..plan.clone()
        }
    };
    (0..plan.faults.len()).map(without).collect()
}

/// Leaves out one fault of a short script, and tries other seeds: the rest of the run is another
/// one without it.
pub fn fewer_faults(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    let steps = plan.script.as_deref().unwrap_or_default();
    if steps.len() > SHORT_SCRIPT_MAX {
        return Vec::new();
    }
    let without = |left_out: usize| {
        let mut kept = steps.to_vec();
        kept.remove(left_out);
        plan.scripted(kept)
    };
    (0..steps.len())
        .map(without)
        .flat_map(with_other_seeds)
        .collect()
}

/// The plan by its own seed, and by a few others.
pub fn with_other_seeds(plan: Plan) -> impl Iterator<Item = Plan> {
    let seeds = [plan.seed].into_iter().chain(OTHER_SEEDS);
    seeds.map(move |seed| Plan {
        seed,
        ..plan.clone()
    })
}

/// Strikes at fewer nodes, and cuts fewer paths.
pub fn slimmer_faults(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    let mut proposals = Vec::new();
    for (index, step) in plan.script.iter().flatten().enumerate() {
        let slimmer = without_each_target(step).into_iter();
        let slimmer = slimmer.chain(in_one_direction(step));
        let slimmer = slimmer.chain(with_half_the_dose(step));
        for step in slimmer.chain(without_each_order(step)) {
            proposals.push(with_step(plan, index, step));
        }
    }
    proposals
}

fn with_half_the_dose(step: &ScriptedStrike) -> Option<ScriptedStrike> {
    let dose = step.strike.dose?.half()?;
    let mut slimmer = step.clone();
    slimmer.strike.dose = Some(dose);
    slimmer.strike.note = note_of(&slimmer);
    Some(slimmer)
}

fn without_each_target(step: &ScriptedStrike) -> Vec<ScriptedStrike> {
    let targets = &step.strike.targets;
    // Whom an act of an operator concerns is what its orders say.
    if targets.len() < 2 || !step.strike.orders.is_empty() {
        return Vec::new();
    }
    let without = |left_out| {
        let mut slimmer = step.clone();
        slimmer.strike.targets.retain(|node| node != left_out);
        let kept = slimmer.strike.targets.clone();
        // Paths from the side cut off to the rest, of which the node is now one.
        let is_across = |(from, to): &(NodeName, NodeName)| {
            from != left_out && to != left_out && kept.contains(from) != kept.contains(to)
        };
        slimmer.strike.cuts.retain(is_across);
        slimmer.strike.note = note_of(&slimmer);
        slimmer
    };
    targets.iter().map(without).collect()
}

/// An act of an operator that is interrupted earlier, or leaves out a step. All of its heal stays.
fn without_each_order(step: &ScriptedStrike) -> Vec<ScriptedStrike> {
    let count = step.strike.orders.len();
    let without = |left_out| {
        let mut slimmer = step.clone();
        slimmer.strike.orders.remove(left_out);
        slimmer
    };
    match count {
        0 | 1 => Vec::new(),
        _ => (0..count).map(without).collect(),
    }
}

/// A partition that drops what its targets send, or what is sent to them.
fn in_one_direction(step: &ScriptedStrike) -> Vec<ScriptedStrike> {
    let targets = &step.strike.targets;
    let (out, back): (Vec<_>, Vec<_>) = step
        .strike
        .cuts
        .iter()
        .cloned()
        .partition(|(from, _)| targets.contains(from));
    if out.is_empty() || back.is_empty() {
        return Vec::new();
    }
    let with_cuts = |cuts| {
        let mut slimmer = step.clone();
        slimmer.strike.cuts = cuts;
        slimmer.strike.note = note_of(&slimmer);
        slimmer
    };
    vec![with_cuts(out), with_cuts(back)]
}

/// What a strike does that is no longer what its note says.
pub fn note_of(step: &ScriptedStrike) -> String {
    let names: Vec<String> = step
        .strike
        .targets
        .iter()
        .map(ToString::to_string)
        .collect();
    let names = names.join(", ");
    let kind = match step.strike.dose {
        Some(dose) => format!("{} by {dose}", step.kind.name()),
        None => step.kind.name().to_owned(),
    };
    if let Some(moment) = step.strike.awaits {
        let first = match step.strike.targets.len() {
            1 => names,
            count => format!("the first of {count} nodes"),
        };
        return format!("{kind} {first} {}", moment.told());
    }
    let (mut sent, mut heard) = (false, false);
    for (from, _) in &step.strike.cuts {
        match step.strike.targets.contains(from) {
            true => sent = true,
            false => heard = true,
        }
    }
    match (sent, heard) {
        (true, true) => format!("cut off {names}"),
        (true, false) => format!("nobody hears {names}"),
        (false, true) => format!("{names} hears nobody"),
        (false, false) => format!("{kind} {names}"),
    }
}

/// Fewer workloads, clients and operations.
pub fn lighter_load(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    let mut proposals = Vec::new();
    let mut propose = |change: &dyn Fn(&mut Plan)| {
        let mut lighter = plan.clone();
        change(&mut lighter);
        proposals.push(lighter);
    };
    // The pace of the clients decides which operation is which: it stays once they are listed.
    if plan.rate == 0 || plan.operations.is_some() {
        return Vec::new();
    }
    propose(&|plan| (plan.rate, plan.concurrency) = (0, 1));
    if plan.workloads.len() > 1 {
        for name in &plan.workloads {
            propose(&|plan| plan.workloads = vec![name.clone()]);
        }
    }
    if !plan.load.is_usual() {
        propose(&|plan| plan.load = Load::default());
        propose(&|plan| plan.load.pipeline = 1);
    }
    for clients in [1, plan.concurrency / 2] {
        if (1..plan.concurrency).contains(&clients) {
            propose(&|plan| plan.concurrency = clients);
        }
    }
    for rate in [1, 2, 5, 10, 20, 50, plan.rate / 2] {
        if (1..plan.rate).contains(&rate) {
            propose(&|plan| plan.rate = rate);
        }
    }
    proposals
}

/// A network that is as usual, or nearer to it.
pub fn calmer_network(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    if plan.network.is_usual() {
        return Vec::new();
    }
    let (now, usual) = (plan.network, Network::default());
    let proposals = [
        usual,
        Network {
            uneven_us: usual.uneven_us,
            ..now
        },
        Network {
            jitter_us: now.jitter_us.min(usual.jitter_us),
            ..now
        },
        Network {
            delay_us: now.delay_us.min(usual.delay_us),
            ..now
        },
    ];
    let calmer = proposals.into_iter().filter(|network| *network != now);
    calmer
        .map(|network| Plan {
            network,
            ..plan.clone()
        })
        .collect()
}

/// Rounder and earlier times, shorter faults.
pub fn rounder_times(plan: &Plan, _sight: &Sight) -> Vec<Plan> {
    let mut proposals = Vec::new();
    let steps = plan.script.iter().flatten();
    let first_ms = steps.clone().map(|step| step.at_ms).min().unwrap_or(0);
    if first_ms > 0 {
        proposals.extend(with_other_seeds(earlier(plan, first_ms)));
    }
    let mut before_ms = first_ms;
    for (index, step) in steps.enumerate() {
        let half = (before_ms + (step.at_ms - before_ms) / 2).next_multiple_of(TIME_GRAIN_MS);
        let sooner = [before_ms, half].into_iter().chain(rounder(step.at_ms));
        for at_ms in sooner.filter(|ms| (before_ms..step.at_ms).contains(ms)) {
            let step = ScriptedStrike {
                at_ms,
                ..step.clone()
            };
            proposals.push(with_step(plan, index, step));
        }
        before_ms = step.at_ms;
        let duration_ms = step.strike.duration_ms;
        let half = (duration_ms / 2).next_multiple_of(TIME_GRAIN_MS);
        let shorter = [half].into_iter().filter(|ms| *ms < duration_ms);
        for duration_ms in shorter.chain(rounder(duration_ms)) {
            let mut rounder = step.clone();
            rounder.strike.duration_ms = duration_ms;
            proposals.push(with_step(plan, index, rounder));
        }
    }
    for time_limit_ms in rounder(plan.time_limit_ms) {
        proposals.push(Plan {
            time_limit_ms,
            ..plan.clone()
        });
    }
    proposals
}

/// All steps that much earlier, and the end too.
fn earlier(plan: &Plan, by_ms: u64) -> Plan {
    let mut plan = plan.clone();
    for step in plan.script.iter_mut().flatten() {
        step.at_ms -= by_ms;
    }
    plan.time_limit_ms = plan.time_limit_ms.saturating_sub(by_ms).max(TIME_GRAIN_MS);
    plan
}

/// Multiples of a coarser grain than the time has: below it and a little above it, none of them 0.
fn rounder(ms: u64) -> Vec<u64> {
    let coarser = GRAINS_MS
        .into_iter()
        .take_while(|grain| !ms.is_multiple_of(*grain));
    let near = coarser.flat_map(|grain| [ms / grain * grain, ms.next_multiple_of(grain)]);
    near.filter(|near| (1..=ms / 4 * 5).contains(near))
        .collect()
}

fn with_step(plan: &Plan, index: usize, step: ScriptedStrike) -> Plan {
    let mut plan = plan.clone();
    if let Some(place) = plan.script.iter_mut().flatten().nth(index) {
        *place = step;
    }
    plan
}

const GRAINS_MS: [u64; 4] = [5_000, 1_000, 500, 100];
const TIME_GRAIN_MS: u64 = 100;
const OTHER_SEEDS: [u64; 4] = [1, 2, 3, 4];
/// Longest script whose faults are left out one by one, with other seeds.
pub(super) const SHORT_SCRIPT_MAX: usize = 6;

//! Kills that hit a moment of an election by their time alone.
//!
//! A kill a millisecond after a vote is one by chance: whatever else changes in the run shifts the
//! vote, and nothing can be dropped. So while a script is long, such a kill is made to wait for the
//! moment itself: for that of anybody first, then of its own target.

use slotquake_checkers::observation::{Damage, NodeName};

use super::Sight;
use super::passes::{SHORT_SCRIPT_MAX, note_of, with_other_seeds};
use crate::nemesis::Moment;
use crate::plan::{Plan, ScriptedStrike, WorldKind};

/// Proposes that a kill about the time of the symptom waits, if none does yet: the boldest first.
pub fn awaited_kills(plan: &Plan, sight: &Sight) -> Vec<Plan> {
    let steps = plan.script.as_deref().unwrap_or_default();
    let is_waited = steps.iter().any(|step| step.strike.awaits.is_some());
    if plan.world != WorldKind::Sim || steps.len() <= SHORT_SCRIPT_MAX || is_waited {
        return Vec::new();
    }
    let kills = steps.iter().enumerate();
    let kills = kills.filter(|(_, step)| step.kind.damage() == Some(Damage::Kill));
    let mut kills: Vec<(usize, &ScriptedStrike)> = kills.collect();
    let seen_ms = sight.at_ms.unwrap_or(plan.time_limit_ms);
    kills.sort_by_key(|(_, step)| step.at_ms.abs_diff(seen_ms));
    kills.truncate(KILLS_MAX);
    let with_moment = |(index, step)| Moment::ALL.map(|moment| (index, step, moment));
    let choices = || kills.iter().copied().flat_map(with_moment);
    let all = (1..=plan.node_count() as usize).map(NodeName::numbered);
    let all: Vec<NodeName> = all.collect();
    // Whether a crash loses what was not synced is a matter of the seed.
    let bold = choices().flat_map(|(index, step, moment)| {
        let waiting = with_wait(plan, index, waiting(step, 0, moment, &all));
        with_other_seeds(waiting)
    });
    let careful = choices().flat_map(|(index, step, moment)| {
        // It struck at the first whole millisecond after the moment.
        let from_ms = step.at_ms.saturating_sub(1);
        let targets = [&all, &step.strike.targets];
        targets.map(|targets| with_wait(plan, index, waiting(step, from_ms, moment, targets)))
    });
    bold.chain(careful).collect()
}

fn waiting(
    step: &ScriptedStrike,
    at_ms: u64,
    moment: Moment,
    targets: &[NodeName],
) -> ScriptedStrike {
    let mut waiting = ScriptedStrike {
        at_ms,
        ..step.clone()
    };
    waiting.strike.awaits = Some(moment);
    waiting.strike.targets = targets.to_vec();
    waiting.strike.note = note_of(&waiting);
    waiting
}

fn with_wait(plan: &Plan, index: usize, step: ScriptedStrike) -> Plan {
    let mut steps = plan.script.clone().unwrap_or_default();
    steps.remove(index);
    let place = steps.partition_point(|other| other.at_ms <= step.at_ms);
    steps.insert(place, step);
    plan.scripted(steps)
}

/// How many kills are tried, those next to the symptom.
const KILLS_MAX: usize = 2;

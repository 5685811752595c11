//! ST-06: within H_state after the last heal, with all nodes alive, every node says the cluster is
//! ok and no client is told that it is down.
//!
//! A node that died by itself and stays dead is a crash of the system under test: recovery did not
//! happen. A node that the nemesis killed and nobody started again leaves the entry undecided.

use super::convergence::{Calm, Runs};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::Event;
use crate::observation::bounds::{MILLISECOND, seconds};
use crate::observation::{Bounds, LifecycleKind, NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation, Word};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-06",
    title: "the cluster is ok again after the heal",
    clauses: &["ST-06"],
    need: Need::Essential,
    evidence: Evidence::Cluster,
    help: "Within 4 NT + 7 s + slack after the last heal or restart, with all nodes alive, \
           every node answers cluster_state:ok and no client gets CLUSTERDOWN. A process that \
           died by itself and stayed dead counts as a failure.",
    make: || Box::new(FullRecovery::default()),
};

/// The checker of ST-06.
#[derive(Debug, Default)]
pub struct FullRecovery {
    calm: Calm,
    runs: Runs<State>,
    last_refusal: Option<(u64, String)>,
    recovered_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Fail,
}

impl Checker for FullRecovery {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Op, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::View(view) => {
                let state = if view.state_ok {
                    State::Ok
                } else {
                    State::Fail
                };
                self.runs.observe(view, state);
            }
            Happening::Op(event) => self.observe_refusal(event),
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Packet(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        let examined = self.runs.answers();
        let since = match self.calm.since(setting) {
            Ok(since) => since,
            Err(why) => return Verdict::undecided(examined, why),
        };
        let dead = self.calm.dead();
        if let Some(node) = died(&dead) {
            let what = "its process died by itself and was not started again";
            return violated(examined.max(1), since, setting.ended_at, node, what);
        }
        if let Some(node) = self.runs.silent(setting, since).first() {
            let why = match dead.contains_key(node) {
                true => format!("{node} was killed and never started again"),
                false => format!("{node} was not asked after {}", seconds(since)),
            };
            return Verdict::undecided(examined, why);
        }
        let verdict = self.judge_states(setting, since);
        match (setting.too_slow_to_time(), verdict.word) {
            (Some(why), Word::Violated) => Verdict::undecided(examined, why),
            (Some(_) | None, _) => verdict,
        }
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        let figure = self
            .recovered_ms
            .map(|time| ("state_ok_after_heal_ms", time));
        figure.into_iter().collect()
    }
}

impl FullRecovery {
    fn observe_refusal(&mut self, event: &Event) {
        let error = event.error.as_deref().unwrap_or_default();
        if error.contains("CLUSTERDOWN") {
            let key = event.key.as_deref().unwrap_or_default();
            self.last_refusal = Some((event.time, format!("{:?} of {key}: {error}", event.f)));
        }
    }

    fn judge_states(&mut self, setting: &Setting, since: u64) -> Verdict {
        let examined = self.runs.answers();
        let deadline = since + Bounds::of(setting).state_ok();
        let unwanted = self.runs.last_unwanted(since, |state| *state == State::Ok);
        if let Some((node, asked)) = unwanted.filter(|(_, asked)| *asked > deadline) {
            return violated(
                examined,
                since,
                asked,
                node,
                "it answers cluster_state:fail",
            );
        }
        if let Some((time, what)) = self.last_refusal.as_ref().filter(|last| last.0 > deadline) {
            let client = NodeName("client".into());
            return violated(examined, since, *time, &client, what);
        }
        let last = self.runs.last_since(since);
        if last.is_empty() {
            return Verdict::undecided(examined, "no node was asked after the heal");
        }
        if let Some((node, _)) = last.iter().find(|(_, run)| run.answer == State::Fail) {
            let why = format!(
                "{node} was not ok, but the run ended before {}",
                seconds(deadline)
            );
            return Verdict::undecided(examined, why);
        }
        let lasted = unwanted.map_or(0, |(_, asked)| asked - since);
        self.recovered_ms = Some(lasted / MILLISECOND);
        Verdict::from_findings(examined, Vec::new(), "")
    }
}

fn died<'a>(
    dead: &std::collections::BTreeMap<&'a NodeName, LifecycleKind>,
) -> Option<&'a NodeName> {
    let mut died = dead.iter().filter(|(_, end)| **end == LifecycleKind::Died);
    died.next().map(|(node, _)| *node)
}

fn violated(examined: u64, since: u64, time: u64, node: &NodeName, what: &str) -> Verdict {
    let violation = Violation {
        clause: "ST-06".into(),
        time,
        message: format!("{node} had not recovered at {}: {what}", seconds(time)),
        witness: Witness::default()
            .step(since, "nemesis", "the last disturbance is over")
            .step(time, node, what),
        known: None,
    };
    Verdict::from_findings(examined, vec![violation], "")
}

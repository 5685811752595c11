//! From when on all nodes said the same, and from when the clock of such a demand runs.
//!
//! Demands of class E hold "at the latest X after the heal". [`Calm`] finds the instant after which
//! nothing disturbed the cluster any more; [`Runs`] keeps what each node said as runs of equal
//! answers, and tells which answers after that instant were not the wanted ones.

use std::collections::{BTreeMap, BTreeSet};

use crate::checker::Happening;
use crate::observation::bounds::seconds;
use crate::observation::{
    Fault, FaultKind, FaultPhase, Incarnations, LifecycleKind, NodeName, Setting, View,
};

/// When the last disturbance ended.
#[derive(Debug, Default)]
pub struct Calm {
    open: BTreeMap<u32, String>,
    last: u64,
    incarnations: Incarnations,
}

impl Calm {
    /// Takes in a fault or a lifecycle; other happenings do not matter.
    pub fn observe(&mut self, happening: Happening<'_>) {
        match happening {
            Happening::Fault(fault) => self.observe_fault(fault),
            Happening::Lifecycle(lifecycle) => self.incarnations.observe(lifecycle),
            Happening::Op(_) | Happening::Packet(_) | Happening::View(_) => {}
        }
    }

    fn observe_fault(&mut self, fault: &Fault) {
        match &fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                self.last = self.last.max(fault.time);
                // A manual failover is one act: there is nothing to heal.
                if fault.kind != FaultKind::Failover {
                    self.open.insert(fault.id, fault.note.clone());
                }
            }
            FaultPhase::Healed => {
                self.last = self.last.max(fault.time);
                self.open.remove(&fault.id);
            }
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => {}
        }
    }

    /// The instant after which nothing disturbed the cluster, ns.
    ///
    /// # Errors
    /// Why there is none: a fault was never healed.
    pub fn since(&self, setting: &Setting) -> Result<u64, String> {
        let last = self.last.max(self.incarnations.last_start());
        match (setting.healed_at, self.open.values().next()) {
            (Some(healed), _) => Ok(last.max(healed)),
            (None, None) => Ok(last),
            (None, Some(fault)) => Err(format!("{fault:?} was never healed")),
        }
    }

    /// Nodes whose process is dead, and how it ended.
    pub fn dead(&self) -> BTreeMap<&NodeName, LifecycleKind> {
        let dead = self.incarnations.dead();
        dead.filter_map(|(node, life)| Some((node, life.end?)))
            .collect()
    }
}

/// A run of equal answers of one node.
#[derive(Debug, Clone)]
pub struct Run<T> {
    /// The answer.
    pub answer: T,
    /// When the first of the run was complete, ns.
    pub first: u64,
    /// When the last of the run was asked for, ns.
    pub last_asked: u64,
}

/// What became of a demand that must hold by some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled<'a> {
    /// So many nodes gave a wanted answer last.
    InTime(u64),
    /// This node gave an unwanted one after the deadline, when it was asked at this time.
    Late(&'a NodeName, u64),
}

/// What each node said over time.
#[derive(Debug)]
pub struct Runs<T> {
    runs: BTreeMap<NodeName, Vec<Run<T>>>,
    answers: u64,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Runs {
            runs: BTreeMap::new(),
            answers: 0,
        }
    }
}

impl<T: PartialEq> Runs<T> {
    /// Takes in an answer.
    pub fn observe(&mut self, view: &View, answer: T) {
        self.answers += 1;
        let runs = match self.runs.get_mut(&view.node) {
            Some(runs) => runs,
            None => self.runs.entry(view.node.clone()).or_default(),
        };
        match runs.last_mut() {
            Some(run) if run.answer == answer => run.last_asked = view.asked,
            Some(_) | None => runs.push(Run {
                answer,
                first: view.time,
                last_asked: view.asked,
            }),
        }
    }

    /// Number of answers taken in.
    pub fn answers(&self) -> u64 {
        self.answers
    }

    /// The last answer of each node that was asked after this instant.
    pub fn last_since(&self, since: u64) -> BTreeMap<&NodeName, &Run<T>> {
        let last = self
            .runs
            .iter()
            .filter_map(|(node, runs)| Some((node, runs.last()?)));
        last.filter(|(_, run)| run.last_asked >= since).collect()
    }

    /// The node that gave an unwanted answer last after this instant, and when it was asked.
    pub fn last_unwanted(
        &self,
        since: u64,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Option<(&NodeName, u64)> {
        let all = self
            .runs
            .iter()
            .flat_map(|(node, runs)| runs.iter().map(move |run| (node, run)));
        all.filter(|(_, run)| run.last_asked >= since && !is_wanted(&run.answer))
            .map(|(node, run)| (node, run.last_asked))
            .max_by_key(|(_, asked)| *asked)
    }

    /// How an unwanted answer after the deadline, or an early end, judges a demand that must hold
    /// by then: who broke it, or how many nodes gave a wanted answer last.
    ///
    /// # Errors
    /// Why it is open: nobody was asked, or the run ended before the deadline with a node that did
    /// not give one.
    pub fn settled(
        &self,
        healed: u64,
        deadline: u64,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Settled<'_>, String> {
        let unwanted = self.last_unwanted(healed, &is_wanted);
        if let Some((node, asked)) = unwanted.filter(|(_, asked)| *asked > deadline) {
            return Ok(Settled::Late(node, asked));
        }
        let last = self.last_since(healed);
        if last.is_empty() {
            return Err("no node was asked after the heal".into());
        }
        match last.iter().find(|(_, run)| !is_wanted(&run.answer)) {
            Some((node, _)) => Err(format!(
                "{node} was not there yet, but the run ended before {}",
                seconds(deadline)
            )),
            None => Ok(Settled::InTime(last.len() as u64)),
        }
    }

    /// Nodes of the setting that gave no answer after this instant.
    pub fn silent<'a>(&self, setting: &'a Setting, since: u64) -> BTreeSet<&'a NodeName> {
        let heard = self.last_since(since);
        let names = setting.nodes.iter().map(|node| &node.name);
        names.filter(|name| !heard.contains_key(name)).collect()
    }
}

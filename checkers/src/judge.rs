//! All checkers over one recording, and what they say together.
//!
//! [`judge`] reads a whole recording; [`Judge`] takes happenings as they come (the simulator). Both
//! give a [`Judgement`], which is `verdict.json`. The run is as bad as its worst checker, but a
//! checker whose subject did not occur does not spoil it; a run without load and faults, or whose
//! faults nobody noticed, is undecided: it has shown nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::assumptions;
use crate::availability::coverage::{Coverage, CoverageCounter};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, OfOperations, Sort};
use crate::history::Events;
use crate::history::compact::KeyId;
use crate::observation::Setting;
use crate::recording::Recording;
use crate::registry::CHECKERS;
use crate::scene::Scene;
use crate::verdict::{Verdict, Violation, Word};

/// What one checker said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Name of the checker.
    pub id: String,
    /// Its claim in one line.
    pub title: String,
    /// The word.
    pub verdict: Word,
    /// How many events it judged.
    pub examined: u64,
    /// Why it is undecided, or a remark with figures.
    pub why: String,
    /// What is broken, in order of time.
    pub violations: Vec<Violation>,
}

/// Measured times of the run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timing {
    /// From nothing to `cluster_state:ok` on every node, ms.
    pub cluster_ok_ms: u64,
    /// Length of the run, ms.
    pub run_ms: u64,
    /// From the last heal to the last unequal slot map, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maps_equal_after_heal_ms: Option<u64>,
    /// From the last heal to the last `cluster_state:fail`, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_ok_after_heal_ms: Option<u64>,
    /// CPU time that judging took, ms; filled in by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judging_cpu_ms: Option<u64>,
    /// The most memory the harness ever held, MB; filled in by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb_max: Option<u64>,
}

/// What all checkers say of one run: `verdict.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The word for the whole run.
    pub verdict: Word,
    /// Why, in one line.
    pub why: String,
    /// What was tested; filled in by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Which weaknesses its reference nodes have; filled in by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The seed; filled in by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The trace hash of a simulated run; filled in by the harness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_hash: Option<String>,
    /// What each checker said, in the order of the registry.
    pub checks: Vec<Check>,
    /// What the run put its cluster through.
    pub coverage: Coverage,
    /// Measured times.
    pub timing: Timing,
}

/// Whether known upstream weaknesses fail a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strictness {
    /// They are reported, no more.
    #[default]
    Lenient,
    /// They fail it.
    Strict,
}

impl Judgement {
    /// Exit status of the command: 0 held, 1 violated, 4 undecided; known is 0, or 1 if strict.
    pub fn exit_status(&self, strictness: Strictness) -> u8 {
        match (self.verdict, strictness) {
            (Word::Held, _) | (Word::Known, Strictness::Lenient) => 0,
            (Word::Violated, _) | (Word::Known, Strictness::Strict) => 1,
            (Word::Undecided, _) => 4,
        }
    }

    /// All violations of all checkers, in order of time.
    pub fn violations(&self) -> Vec<&Violation> {
        let mut all: Vec<&Violation> = self
            .checks
            .iter()
            .flat_map(|check| &check.violations)
            .collect();
        all.sort_by_key(|violation| violation.time);
        all
    }
}

/// Judges happening by happening.
pub struct Judge {
    benches: Vec<(&'static Entry, Box<dyn Checker + Send>)>,
    /// Places in `benches` of those who look at each sort of happening.
    audience: [Vec<usize>; Sort::ALL.len()],
    coverage: CoverageCounter,
    scene: Scene,
    scope: Scope,
}

/// What there is to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Run,
    BareHistory,
}

impl Default for Judge {
    fn default() -> Self {
        Judge::new()
    }
}

impl Judge {
    /// All checkers, before anything happened.
    pub fn new() -> Judge {
        Judge::with_scope(Scope::Run)
    }

    fn with_scope(scope: Scope) -> Judge {
        let is_wanted = |entry: &&Entry| match scope {
            Scope::Run => true,
            Scope::BareHistory => entry.evidence == Evidence::History,
        };
        let wanted = CHECKERS.iter().filter(is_wanted);
        let benches: Vec<_> = wanted.map(|entry| (entry, (entry.make)())).collect();
        let audience = Sort::ALL.map(|sort| {
            let lookers = benches.iter().enumerate();
            let lookers = lookers.filter(|(_, (_, checker))| checker.looks_at().contains(&sort));
            lookers.map(|(place, _)| place).collect()
        });
        Judge {
            benches,
            audience,
            coverage: CoverageCounter::default(),
            scene: Scene::default(),
            scope,
        }
    }

    /// The same, every checker shown everything: it must say the same, and only takes longer.
    pub fn showing_everything() -> Judge {
        let mut judge = Judge::new();
        let all: Vec<usize> = (0..judge.benches.len()).collect();
        judge.audience = Sort::ALL.map(|_| all.clone());
        judge
    }

    /// Takes in a happening; they must come in order of time.
    pub fn observe(&mut self, happening: Happening<'_>) {
        self.scene.observe(happening);
        self.coverage.observe(happening);
        for place in &self.audience[happening.sort() as usize] {
            let (_, checker) = &mut self.benches[*place];
            checker.observe(happening, &self.scene);
        }
    }

    /// What all checkers say. `setting` holds what is known only at the end.
    pub fn finish(mut self, setting: &Setting) -> Judgement {
        self.scene.end();
        self.show_operations();
        let mut checks = Vec::new();
        let mut figures = BTreeMap::new();
        let mut essential = Vec::new();
        for (entry, checker) in &mut self.benches {
            let verdict = match not_judged(entry, setting, &self.scene) {
                Some(why) => Verdict::undecided(0, why),
                None => checker.finish(setting, &self.scene),
            };
            figures.extend(checker.figures());
            let counts = entry.need == Need::Essential
                || verdict.word != Word::Undecided
                || verdict.examined > 0;
            essential.push(counts);
            checks.push(check(entry, verdict));
        }
        let coverage = self.coverage.finish(setting, &figures, &self.scene);
        let counted = checks.iter().zip(&essential).filter(|(_, counts)| **counts);
        let worst = counted
            .map(|(check, _)| check)
            .max_by_key(|check| check.verdict);
        let (verdict, why) = match (worst, self.shows_nothing(&coverage)) {
            (Some(worst), _) if worst.verdict == Word::Violated => {
                (Word::Violated, why_of(&checks, Word::Violated))
            }
            (_, Some(why)) => (Word::Undecided, why),
            (None, None) => (Word::Undecided, "nothing was judged".into()),
            (Some(worst), None) if worst.verdict == Word::Undecided => {
                (Word::Undecided, format!("{}: {}", worst.id, worst.why))
            }
            (Some(worst), None) => (worst.verdict, why_of(&checks, worst.verdict)),
        };
        Judgement {
            verdict,
            why,
            target: None,
            profile: None,
            seed: None,
            trace_hash: None,
            checks,
            coverage,
            timing: Timing {
                cluster_ok_ms: setting.cluster_ok_ms,
                run_ms: setting.ended_at / 1_000_000,
                maps_equal_after_heal_ms: figures.get("maps_equal_after_heal_ms").copied(),
                state_ok_after_heal_ms: figures.get("state_ok_after_heal_ms").copied(),
                judging_cpu_ms: None,
                memory_mb_max: None,
            },
        }
    }

    /// Shows each operation to those whom its key concerns.
    fn show_operations(&mut self) {
        let docket = self.scene.docket();
        let all = docket.all_uses();
        let checkers = self.benches.iter_mut();
        let mut keepers: Vec<&mut dyn OfOperations> = checkers
            .filter_map(|(_, checker)| checker.keeper())
            .collect();
        let whom = |key: KeyId| {
            let uses = docket.uses(key);
            let keepers = keepers.iter().enumerate();
            let concerned = keepers.filter(|(_, keeper)| keeper.concerns(uses, all));
            concerned.fold(0_u64, |bits, (place, _)| bits | 1 << place)
        };
        let keys = 0..docket.log().keys.len() as u32;
        let audience: Vec<u64> = keys.map(|key| whom(KeyId(key))).collect();
        if audience.iter().all(|bits| *bits == 0) {
            return;
        }
        for (place, kept) in docket.in_order_of_ending() {
            let mut bits = audience[kept.op.key.0 as usize];
            if bits == 0 {
                continue;
            }
            let operation = docket.operation(place);
            while bits != 0 {
                keepers[bits.trailing_zeros() as usize].keep(&operation);
                bits &= bits - 1;
            }
        }
    }

    /// Why a run in which nothing is wrong has shown nothing, if so.
    fn shows_nothing(&self, coverage: &Coverage) -> Option<String> {
        let is_idle = coverage.ops == 0;
        let why = match (self.scope, coverage.faults_installed) {
            (Scope::BareHistory, _) if is_idle => "the history holds no operation",
            (Scope::Run, 0) if is_idle => "the run had neither load nor faults",
            (Scope::Run, 0) if coverage.faults_skipped + coverage.faults_indeterminate > 0 => {
                "not one of the faults could be installed"
            }
            (_, _) if !is_idle && coverage.ok_ops == 0 => "not one operation succeeded",
            (Scope::Run, installed) if installed > 0 && !self.coverage.did_bite(coverage) => {
                "the faults did not bite: no failure told, no election, no failed, unknown, \
                 redirected or stalled operation"
            }
            (Scope::Run | Scope::BareHistory, _) => return None,
        };
        Some(why.into())
    }
}

/// Judges a whole recording.
pub fn judge(recording: &Recording) -> Judgement {
    let mut judge = Judge::new();
    recording.each(|happening| judge.observe(happening));
    judge.finish(&recording.setting)
}

/// Judges a bare history, of which nothing is known but what the clients saw.
pub fn judge_history(events: &Events) -> Judgement {
    let mut judge = Judge::with_scope(Scope::BareHistory);
    events.each(|event| judge.observe(Happening::Op(event)));
    judge.finish(&Setting::of_bare_history(events.end()))
}

/// Why there is nothing to judge for a checker, whatever it saw.
fn not_judged(entry: &Entry, setting: &Setting, scene: &Scene) -> Option<String> {
    let acted = match entry.need {
        Need::WhenUnattended if scene.is_attended() => "an operator acted on the cluster (R8)",
        Need::WhenSlotsStay if scene.are_slots_moved() => {
            "an operator moved slots or changed the members (R8)"
        }
        Need::Essential | Need::WhenItHappens | Need::WhenUnattended | Need::WhenSlotsStay => {
            return assumptions::broken(entry.id, &setting.config);
        }
    };
    Some(acted.into())
}

fn check(entry: &Entry, verdict: Verdict) -> Check {
    Check {
        id: entry.id.into(),
        title: entry.title.into(),
        verdict: verdict.word,
        examined: verdict.examined,
        why: verdict.why,
        violations: verdict.violations,
    }
}

fn why_of(checks: &[Check], word: Word) -> String {
    let same = checks.iter().filter(|check| check.verdict == word);
    match word {
        Word::Held => {
            let examined: u64 = same.clone().map(|check| check.examined).sum();
            format!("{} checks held over {examined} judged events", same.count())
        }
        Word::Known | Word::Undecided | Word::Violated => {
            let names = same.map(|check| match check.violations.first() {
                Some(first) => format!("{}: {}", check.id, first.message),
                None => check.id.clone(),
            });
            names.collect::<Vec<_>>().join("; ")
        }
    }
}

#[cfg(test)]
mod tests;

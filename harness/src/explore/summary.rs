//! What a campaign adds up to: verdicts, virtual time, CPU time and coverage.
//!
//! Everything but the CPU time follows from the seeds and the options alone.

use std::time::Duration;

use serde::Serialize;
use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::verdict::Word;

use super::marks::{Mark, Tally};
use super::trial::Trial;

/// The sums of a campaign.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Seeds that were tried.
    pub seeds: u64,
    /// Seeds of which everything held.
    pub held: u64,
    /// Seeds that showed known weaknesses and no others.
    pub known: u64,
    /// Seeds that proved nothing.
    pub undecided: u64,
    /// Seeds that broke a promise.
    pub violated: u64,
    /// Seeds on which the harness or the node itself stumbled; they may have a verdict besides.
    pub stumbled: u64,
    /// Length of all runs, virtual ns.
    pub virtual_ns: u64,
    /// Events of the simulation.
    pub events: u64,
    /// What all runs put their clusters through.
    pub coverage: Coverage,
    /// All trace hashes together, in the order of the seeds; 0 if none was asked for.
    #[serde(skip)]
    pub trace_hash: u64,
    /// How often each rare event happened.
    #[serde(skip)]
    pub marks: Tally,
    /// CPU time of the threads that played.
    #[serde(skip)]
    pub cpu: Duration,
}

impl Summary {
    /// Adds a trial.
    pub fn add(&mut self, trial: &Trial) {
        self.seeds += 1;
        self.cpu += trial.cpu;
        self.stumbled += u64::from(trial.trouble.is_some());
        if let Some(hash) = trial.trace_hash {
            self.trace_hash = (self.trace_hash ^ hash).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        }
        let Some(judged) = &trial.judged else {
            return;
        };
        match judged.word {
            Word::Held => self.held += 1,
            Word::Known => self.known += 1,
            Word::Undecided => self.undecided += 1,
            Word::Violated => self.violated += 1,
        }
        self.virtual_ns += judged.virtual_ns;
        self.events += judged.events;
        self.marks.add(&judged.marks);
        add_coverage(&mut self.coverage, &judged.coverage);
    }

    /// Adds the sums of other seeds.
    pub fn add_sums(&mut self, other: &Summary) {
        self.seeds += other.seeds;
        self.held += other.held;
        self.known += other.known;
        self.undecided += other.undecided;
        self.violated += other.violated;
        self.stumbled += other.stumbled;
        self.virtual_ns += other.virtual_ns;
        self.events += other.events;
        self.marks.add(&other.marks);
        self.cpu += other.cpu;
        add_coverage(&mut self.coverage, &other.coverage);
    }

    /// The worst word of all seeds; a seed without verdict proved nothing.
    pub fn word(&self) -> Word {
        let unjudged = self.stumbled + self.undecided;
        match (self.violated, unjudged, self.known) {
            (0, 0, 0) => Word::Held,
            (0, 0, _) => Word::Known,
            (0, _, _) => Word::Undecided,
            (_, _, _) => Word::Violated,
        }
    }

    /// The rare events that never happened.
    pub fn gaps(&self) -> Vec<Mark> {
        let all = Mark::ALL.into_iter();
        all.filter(|mark| self.marks.of(*mark) == 0).collect()
    }
}

/// Every field, so that a new one is not forgotten.
fn add_coverage(sum: &mut Coverage, one: &Coverage) {
    let Coverage {
        faults_installed,
        faults_skipped,
        faults_indeterminate,
        kills,
        pauses,
        partitions,
        manual_failovers,
        acts,
        crashes,
        elections,
        votes,
        promotions,
        failovers,
        packets,
        views,
        ops,
        ok_ops,
        failed_ops,
        indeterminate_ops,
        redirects,
        stalled_ops,
        losses_inside_windows,
        losses_outside_windows,
        losses,
    } = one;
    sum.faults_installed += faults_installed;
    sum.faults_skipped += faults_skipped;
    sum.faults_indeterminate += faults_indeterminate;
    sum.kills += kills;
    sum.pauses += pauses;
    sum.partitions += partitions;
    sum.manual_failovers += manual_failovers;
    sum.crashes += crashes;
    sum.elections += elections;
    sum.votes += votes;
    sum.promotions += promotions;
    sum.failovers += failovers;
    sum.packets += packets;
    sum.views += views;
    sum.ops += ops;
    sum.ok_ops += ok_ops;
    sum.failed_ops += failed_ops;
    sum.indeterminate_ops += indeterminate_ops;
    sum.redirects += redirects;
    sum.stalled_ops += stalled_ops;
    sum.losses_inside_windows += losses_inside_windows;
    sum.losses_outside_windows += losses_outside_windows;
    for (kind, count) in acts {
        *sum.acts.entry(kind.clone()).or_default() += count;
    }
    for (window, count) in losses {
        *sum.losses.entry(window.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::trial::Judged;
    use crate::plan::Plan;

    fn trial(word: Word, votes: u64, window: &str) -> Trial {
        let coverage = Coverage {
            votes,
            losses: [(window.to_string(), 2)].into(),
            ..Coverage::default()
        };
        Trial {
            plan: Plan::default(),
            judged: Some(Judged {
                word,
                why: String::new(),
                broken: Vec::new(),
                coverage,
                virtual_ns: 5,
                events: 7,
                marks: Tally::default(),
            }),
            trouble: None,
            ordered: Default::default(),
            trace_hash: None,
            cpu: Duration::from_millis(1),
        }
    }

    #[test]
    fn adds_words_times_and_coverage() {
        let mut summary = Summary::default();
        summary.add(&trial(Word::Held, 3, "HI-04"));
        summary.add(&trial(Word::Violated, 4, "HI-04"));
        summary.add(&Trial {
            judged: None,
            trouble: Some("it panicked".into()),
            ..trial(Word::Held, 9, "HI-05")
        });
        let words = (summary.held, summary.violated, summary.stumbled);
        assert_eq!((summary.seeds, words), (3, (1, 1, 1)));
        assert_eq!((summary.virtual_ns, summary.coverage.votes), (10, 7));
        assert_eq!(summary.coverage.losses, [("HI-04".to_string(), 4)].into());
    }
}

//! Seeds in parallel: one thread for each job, nothing shared but the next seed's position.
//!
//! Trials are handed over in the order of the seeds, whichever thread ends first, so that what a
//! campaign says does not depend on the threads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};

use super::selection::Selection;
use super::swarm::Source;
use super::trial::Trial;
use crate::plan::Plan;

/// Many seeds.
#[derive(Debug, Clone)]
pub struct Campaign {
    /// Where their plans come from.
    pub source: Source,
    /// Which seeds.
    pub selection: Selection,
    /// Threads.
    pub jobs: usize,
    /// How a seed is played.
    pub play: fn(Plan) -> Trial,
}

impl Campaign {
    /// Plays all seeds; `on_trial` gets each trial, in the order of the seeds. An error of it ends
    /// the campaign: the seeds being played are finished, no other is begun.
    ///
    /// # Errors
    /// That of `on_trial`.
    pub fn run<E>(&self, mut on_trial: impl FnMut(Trial) -> Result<(), E>) -> Result<(), E> {
        let next = AtomicU64::new(0);
        let (sender, receiver) = sync_channel(WAITING_MAX);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || self.work(next, &sender));
            }
            drop(sender);
            // The receiver dies with this closure: a sender that finds it gone stops.
            let mut waiting: BTreeMap<u64, Trial> = BTreeMap::new();
            let mut due = 0;
            for (position, trial) in receiver {
                waiting.insert(position, trial);
                while let Some(trial) = waiting.remove(&due) {
                    on_trial(trial)?;
                    due += 1;
                }
            }
            Ok(())
        })
    }

    fn work(&self, next: &AtomicU64, sender: &SyncSender<(u64, Trial)>) {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(seed) = self.selection.at(position) else {
                return;
            };
            let trial = (self.play)(self.source.plan(seed));
            if sender.send((position, trial)).is_err() {
                return;
            }
        }
    }
}

/// Trials that may wait for the one who takes them.
const WAITING_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::selection::Shard;
    use crate::explore::swarm::{Given, Variety};

    fn campaign(jobs: usize) -> Campaign {
        Campaign {
            source: Source {
                given: Given {
                    time_limit_ms: Some(1_000),
                    rate: Some(5),
                    ..Given::default()
                },
                variety: Variety::Swarm,
                whole: None,
            },
            selection: Selection {
                first: 1,
                last: 8,
                shard: Shard::WHOLE,
            },
            jobs,
            play: Trial::of,
        }
    }

    fn played(jobs: usize) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        let ended = campaign(jobs).run(|trial| {
            let judged = trial.judged.expect("it is played");
            all.push((trial.plan.seed, format!("{:?}", judged.coverage)));
            Ok::<(), ()>(())
        });
        assert_eq!(ended, Ok(()));
        all
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let (alone, together) = (played(1), played(4));
        assert_eq!(alone, together);
        let seeds: Vec<u64> = alone.iter().map(|(seed, _)| *seed).collect();
        assert_eq!(seeds, (1..=8).collect::<Vec<u64>>());
    }

    #[test]
    fn an_error_ends_it() {
        let mut seen = 0;
        let ended = campaign(3).run(|_| {
            seen += 1;
            match seen {
                3 => Err("enough"),
                _ => Ok(()),
            }
        });
        assert_eq!((ended, seen), (Err("enough"), 3));
    }
}

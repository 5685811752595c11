//! Where two runs part: the trace hash of a run, and the first difference of two.
//!
//! ```text
//! first run ──► one 32-bit print for each happening, and their rolling hash = the trace
//! second run ─► compared print by print; at the first that differs, both are played again as far
//! ```
//!
//! A happening is anything that a recording holds (packet on the bus, operation, view of a node,
//! fault, start or end of a process), in the order of virtual time. A trace costs four bytes for
//! each, so that thousands of seeds can be checked; texts are made only for what differs.

use std::fmt;
use std::fmt::Write as _;

use slotquake_checkers::checker::Happening;
use slotquake_checkers::recording::Recording;

use crate::director::play;
use crate::plan::Plan;
use crate::world::sim::SimWorld;

/// What a run came to, small enough to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// All of it in one number: equal for equal runs, in any process and build.
    pub hash: u64,
    prints: Vec<u32>,
}

/// The first difference of two runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// How many happenings they have in common before it.
    pub after: usize,
    /// What came next in each; none if that run was over.
    pub next: [Option<Seen>; 2],
}

/// A happening, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Virtual time, ns.
    pub time: u64,
    /// Which node, or which client.
    pub node: String,
    /// What.
    pub what: String,
}

impl Trace {
    /// The trace of what was seen.
    pub fn of(recording: &Recording) -> Trace {
        let mut printer = Printer::default();
        let merged = recording.merged();
        let prints = merged.iter().map(|happening| printer.print(happening));
        let prints = prints.collect();
        Trace {
            hash: printer.hash.0,
            prints,
        }
    }

    /// Plays a plan in virtual time.
    ///
    /// # Errors
    /// Why it could not be played.
    pub fn of_plan(plan: &Plan) -> Result<Trace, String> {
        Ok(Trace::of(&recorded(plan)?))
    }

    /// How many happenings there were.
    pub fn len(&self) -> usize {
        self.prints.len()
    }

    /// Whether nothing happened.
    pub fn is_empty(&self) -> bool {
        self.prints.is_empty()
    }

    /// Where another trace parts from this one.
    pub fn parts_from(&self, other: &Trace) -> Option<usize> {
        let pairs = self.prints.iter().zip(&other.prints);
        let common = pairs.take_while(|(mine, theirs)| mine == theirs).count();
        match common == self.len() && common == other.len() {
            true => None,
            false => Some(common),
        }
    }
}

/// Plays two plans, or one twice, and looks for the first difference.
///
/// # Errors
/// Why one of them could not be played.
pub fn first_divergence(first: &Plan, second: &Plan) -> Result<Option<Divergence>, String> {
    let trace = Trace::of_plan(first)?;
    parting(&trace, first, second)
}

/// As [`first_divergence`], with the trace of the first plan at hand.
///
/// # Errors
/// As there.
pub fn parting(trace: &Trace, first: &Plan, second: &Plan) -> Result<Option<Divergence>, String> {
    let again = recorded(second)?;
    let Some(after) = trace.parts_from(&Trace::of(&again)) else {
        return Ok(None);
    };
    let seen = |recording: &Recording| recording.merged().get(after).map(Seen::of);
    // A plan whose runs differ may give a third one: then at least the second is told as it was.
    let next = [seen(&recorded(first)?), seen(&again)];
    Ok(Some(Divergence { after, next }))
}

fn recorded(plan: &Plan) -> Result<Recording, String> {
    plan.validate().map_err(|error| error.to_string())?;
    let mut world = SimWorld::boot(plan).map_err(|error| format!("{error:#}"))?;
    let played = play(plan, &mut world, &mut |_| {});
    match played.trouble {
        None => Ok(played.recording),
        Some(trouble) => Err(format!("{trouble:#}")),
    }
}

impl Seen {
    fn of(happening: &Happening<'_>) -> Seen {
        let (node, mut what) = match happening {
            Happening::Op(event) => (format!("client {}", event.process), format!("{event:?}")),
            Happening::Packet(packet) => (packet.from.to_string(), format!("{packet:?}")),
            Happening::View(view) => (view.node.to_string(), format!("{view:?}")),
            Happening::Fault(fault) => ("the nemesis".into(), format!("{fault:?}")),
            Happening::Lifecycle(lifecycle) => {
                (lifecycle.node.to_string(), format!("{lifecycle:?}"))
            }
        };
        if what.chars().count() > WHAT_CHARS_MAX {
            what = what.chars().take(WHAT_CHARS_MAX).chain(['…']).collect();
        }
        Seen {
            time: happening.time(),
            node,
            what,
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "two runs part after {} equal happenings: ", self.after)?;
        for (name, seen) in ["first", "second"].iter().zip(&self.next) {
            match seen {
                None => write!(out, "the {name} run is over")?,
                Some(Seen { time, node, what }) => {
                    let (ms, us) = (time / 1_000_000, time / 1000 % 1000);
                    write!(out, "in the {name} run, at {ms}.{us:03} ms, {node}: {what}")?;
                }
            }
            if *name == "first" {
                out.write_str("; ")?;
            }
        }
        Ok(())
    }
}

/// Makes prints of happenings; the hash runs on over all of them.
#[derive(Default)]
struct Printer {
    hash: Fnv,
    text: String,
}

impl Printer {
    fn print(&mut self, happening: &Happening<'_>) -> u32 {
        self.text.clear();
        let written = match happening {
            Happening::Op(event) => write!(self.text, "{event:?}"),
            Happening::Packet(packet) => write!(self.text, "{packet:?}"),
            Happening::View(view) => write!(self.text, "{view:?}"),
            Happening::Fault(fault) => write!(self.text, "{fault:?}"),
            Happening::Lifecycle(lifecycle) => write!(self.text, "{lifecycle:?}"),
        };
        written.expect("writing to a string cannot fail");
        self.hash.take(self.text.as_bytes());
        (self.hash.0 ^ (self.hash.0 >> 32)) as u32
    }
}

/// FNV-1a, 64 bits: the same on every machine and in every build.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

const WHAT_CHARS_MAX: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::WorldKind;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            world: WorldKind::Sim,
            time_limit_ms: 3000,
            rate: 20,
            ..Plan::default()
        }
    }

    #[test]
    fn a_plan_played_twice_has_one_trace() {
        let traces = [1, 2].map(|_| Trace::of_plan(&plan(7)).expect("it can be played"));
        assert_eq!(traces[0], traces[1]);
        assert!(traces[0].len() > 1000, "{}", traces[0].len());
        assert_eq!(first_divergence(&plan(7), &plan(7)), Ok(None));
    }

    /// A divergence made on purpose: the same seed, with operations of which one is left out.
    #[test]
    fn the_first_difference_is_found_with_time_node_and_event() {
        let trial = crate::explore::Trial::of(plan(7));
        let all = trial.ordered.operations.clone();
        let mut fewer = all.clone();
        let (process, number) = fewer.remove(fewer.len() / 2);
        let with = |operations| Plan {
            operations: Some(operations),
            ..plan(7)
        };
        let found = first_divergence(&with(all), &with(fewer));
        let found = found.expect("both can be played").expect("they differ");
        assert!(found.after > 100, "{found}");
        let [Some(first), Some(second)] = &found.next else {
            panic!("both go on: {found}");
        };
        assert!(first != second, "{found}");
        assert!(
            first.node.starts_with("client "),
            "operation {number} of {process}: {found}"
        );
        assert!(first.time <= second.time, "{found}");
    }

    #[test]
    fn a_run_that_ends_sooner_parts_where_it_ends() {
        let long = Trace {
            hash: 1,
            prints: vec![1, 2, 3],
        };
        let short = Trace {
            hash: 2,
            prints: vec![1, 2],
        };
        assert_eq!(long.parts_from(&short), Some(2));
        assert_eq!(short.parts_from(&long), Some(2));
        assert_eq!(long.parts_from(&long), None);
    }
}

//! HI-11: a deposed master answers reads only as long as it cannot know better.
//!
//! A read that a former owner of the slot answered, straight and not after ASK, while the bus
//! shows another owner, is stale in general. It is allowed as long as a cut keeps the news away and
//! the node has not stopped serving by itself (ST-02, ST-03), around a pause, and until the new map
//! must have arrived. Later ones are violations, whatever they returned.

use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::consistency::windows::{Stale, Windows};
use crate::history::{Event, Function, Operation, Outcome};
use crate::observation::bounds::seconds;
use crate::observation::slots::slot_of_key;
use crate::observation::{NodeName, Setting};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict, Violation};
use crate::witness::Witness;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "HI-11",
    title: "a deposed master stops answering reads in time",
    clauses: &["HI-11"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Who owned a slot and lost it in a failover may answer reads from old data only while \
           it is cut off and has not noticed (until 1.5 NT + 0.2 s + slack), right after a pause, \
           and until the new slot map must have reached it (2 NT + 2 s + slack). Judged from \
           reads it answered and the claims on the bus. Stale reads inside are counted.",
    make: || Box::new(SplitBrainReads::default()),
};

/// The checker of HI-11.
#[derive(Debug, Default)]
pub struct SplitBrainReads {
    /// Reads answered by who was known to have lost the slot.
    reads: Vec<Operation>,
}

impl Checker for SplitBrainReads {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => self.note(event, scene),
            Happening::Packet(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let windows = Windows::new(scene.timeline(), setting);
        let mut findings = Findings::default();
        let (mut examined, mut inside) = (0, 0);
        for read in &self.reads {
            let Some((node, stale)) = read.node.as_ref().zip(windows.stale(read)) else {
                continue;
            };
            examined += 1;
            match stale {
                Stale::Excused => inside += 1,
                Stale::Unexcused { since } => findings.push(violation(read, node, since)),
            }
        }
        let nothing = "no deposed master was asked for a key";
        let verdict = findings.conclude(examined, nothing);
        match (setting.too_slow_to_time(), inside) {
            (Some(why), _) => Verdict::undecided(examined, why),
            (None, 0) => verdict,
            (None, inside) => verdict.with_remark(format!("{inside} reads of deposed masters")),
        }
    }
}

impl SplitBrainReads {
    fn note(&mut self, event: &Event, scene: &Scene) {
        let takeovers = scene.ownership().takeovers();
        // An importing node serves after ASK what is not its own.
        if takeovers.is_empty() || event.f != Function::Read || !event.hops.is_empty() {
            return;
        }
        let Some(operation) = scene.operation() else {
            return;
        };
        let (Some(node), Outcome::Ok) = (&operation.node, operation.outcome) else {
            return;
        };
        let slot = slot_of_key(operation.key.as_bytes());
        let mut later = takeovers.iter().rev();
        let last = later.find(|takeover| takeover.slots.contains(slot));
        let owner = last.and_then(|takeover| scene.ownership().name(&takeover.to));
        if owner.is_some_and(|owner| owner != node) {
            self.reads.push(operation.clone());
        }
    }
}

fn violation(read: &Operation, node: &NodeName, since: u64) -> Violation {
    let client = format!("client {}", read.process);
    Violation {
        clause: "HI-11".into(),
        time: read.completed,
        message: format!(
            "{node} answers a read {} after another node took the slot over: {}",
            seconds(read.invoked.saturating_sub(since)),
            read.told()
        ),
        witness: Witness::default()
            .step(since, node, "loses the slot to another master")
            .step(read.invoked, client, read.told())
            .step(read.completed, node, "answers it"),
        known: None,
    }
}

//! RP-05: with `replica-serve-stale-data no`, a replica without its master answers MASTERDOWN.
//!
//! A replica whose master was killed loses the link at once. A read that it answers two crons and
//! the slack later, its views before and after naming that master, the master still down, came from
//! data that it should not give away. Where the path between them was cut, or the replica stood
//! still, it may not have noticed.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::data_cuts::DataCuts;
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Function, Operation, Outcome};
use crate::observation::bounds::{CRON, seconds};
use crate::observation::{Bounds, NodeId, NodeName, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RP-05",
    title: "replicas refuse stale data where that is configured",
    clauses: &["RP-05", "CF-20"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "With replica-serve-stale-data no (option --config), a replica whose link to the master \
           is broken answers MASTERDOWN. Judged from reads of replicas (option --replica-reads) \
           that succeeded 0.2 s + slack after their master was killed, and before it was back or \
           replaced.",
    make: || Box::new(StaleDataIsRefused::default()),
};

/// The checker of RP-05.
#[derive(Debug, Default)]
pub struct StaleDataIsRefused {
    cuts: DataCuts,
    /// Reads that wait for the next view of their node.
    waiting: BTreeMap<NodeName, Vec<Read>>,
    /// Reads at a replica of a dead master.
    reads: Vec<Read>,
    /// Reads of replicas.
    all: u64,
}

/// A read that a replica answered while its master was dead.
#[derive(Debug)]
struct Read {
    node: NodeName,
    master: NodeId,
    completed: u64,
    /// For how long the master was dead when the read was sent, ns.
    dead: u64,
}

impl Checker for StaleDataIsRefused {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op, Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(_) => {
                if let Some(operation) = scene.operation()
                    && operation.f == Function::ReplicaRead
                    && operation.outcome == Outcome::Ok
                {
                    self.note(operation, scene);
                }
            }
            Happening::View(view) => self.confirm(view),
            Happening::Fault(fault) => self.cuts.observe(fault),
            Happening::Lifecycle(lifecycle) => {
                self.waiting.remove(&lifecycle.node);
            }
            Happening::Packet(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        if setting.config.get("replica-serve-stale-data") != Some("no") {
            return Verdict::undecided(0, "replicas may serve what is stale: the default");
        }
        let late = 2 * CRON + Bounds::of(setting).slack;
        let mut tally = Tally {
            examined: self.all,
            ..Tally::default()
        };
        for read in self.reads.drain(..).filter(|read| read.dead > late) {
            let what = format!(
                "answers a read {} after its master was killed, with replica-serve-stale-data no",
                seconds(read.dead)
            );
            let found = finding("RP-05", read.completed, &read.node, what);
            tally.findings.push(found);
        }
        let nothing = "no replica was read";
        tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl StaleDataIsRefused {
    fn note(&mut self, operation: &Operation, scene: &Scene) {
        self.all += 1;
        let Some(node) = &operation.node else {
            return;
        };
        let seen = scene.view_of(node);
        let seen = seen.filter(|seen| seen.time <= operation.invoked);
        let master = seen.and_then(|seen| seen.my_master());
        let Some((id, name)) = master.and_then(|id| Some((id, scene.node_of(id)?))) else {
            return;
        };
        let outages = scene.timeline().outages.iter();
        let mut of_master = outages.filter(|outage| outage.node == *name);
        let Some(outage) = of_master.rfind(|outage| outage.ended <= operation.invoked) else {
            return;
        };
        let (begin, end) = (outage.ended, operation.completed);
        let mut cuts = self.cuts.between(name, node);
        let is_dead = outage.restarted > end;
        let is_cut = cuts.any(|(cut, healed)| cut <= end && healed >= begin);
        if is_dead && !is_cut && !is_paused_within(scene, node, begin, end) {
            let read = Read {
                node: node.clone(),
                master: id.clone(),
                completed: operation.completed,
                dead: operation.invoked - outage.ended,
            };
            self.waiting.entry(node.clone()).or_default().push(read);
        }
    }

    /// The reads after which the node still names the same master.
    fn confirm(&mut self, view: &View) {
        let Some(waiting) = self.waiting.get_mut(&view.node) else {
            return;
        };
        let own = view.table.iter().find(|entry| entry.id == view.id);
        let master = own.and_then(|own| own.master.as_ref());
        let ripe = waiting.extract_if(.., |read| read.completed < view.asked);
        let confirmed = ripe.filter(|read| Some(&read.master) == master);
        self.reads.extend(confirmed);
    }
}

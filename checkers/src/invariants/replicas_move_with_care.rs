//! RP-03: a replica moves to another master only if its own can spare it and the other needs it.
//!
//! A move shows where a replica's headers name another master than before, although the old one is
//! still in office. Judged by what the replica itself said in its views before: its state (RM-03),
//! its working siblings (RM-04), and since when its new master has been without replicas (RM-06).

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::by_table::ByTable;
use super::evidence::finding;
use super::spare_replicas::{BARRIER, Replicas, replicas};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{NodeId, NodeName, Packet, Setting, View, bounds::CRON};
use crate::observation::{bounds::MILLISECOND, bounds::seconds};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RP-03",
    title: "replicas move only where they are needed, and can be spared",
    clauses: &["RP-03", "RM-03", "RM-04", "RM-06", "RM-10"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Replica migration gives a spare replica to a master that has lost all of its own. \
           The mover's state must be ok, its old master must keep a healthy replica, and the new \
           one must have been an orphan for 5 s, all in the mover's own view. Replicas that \
           follow a failover do not count as movers.",
    make: || Box::new(ReplicasMoveWithCare::default()),
};

/// The checker of RP-03.
#[derive(Debug, Default)]
pub struct ReplicasMoveWithCare {
    masters: BTreeMap<NodeName, Following>,
    /// Moves that left a master without a healthy replica, unless the next view shows one.
    bereaving: BTreeMap<NodeName, (u64, NodeId, NodeId)>,
    /// When a node's views last showed a master with a working replica, ns.
    attended: BTreeMap<NodeName, Vec<(NodeId, u64)>>,
    counts: ByTable<BTreeMap<NodeId, Replicas>>,
    tally: Tally,
}

impl Checker for ReplicasMoveWithCare {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message, Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.note_master(packet, scene),
            Happening::View(view) => self.note_view(view, scene),
            Happening::Lifecycle(lifecycle) => {
                self.masters.remove(&lifecycle.node);
                self.bereaving.remove(&lifecycle.node);
                self.attended.remove(&lifecycle.node);
            }
            Happening::Op(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no replica moved to another master",
        )
    }
}

impl ReplicasMoveWithCare {
    fn note_view(&mut self, view: &View, scene: &Scene) {
        let Some(seen) = scene.view_of(&view.node) else {
            return;
        };
        let counts = self.counts.of(&view.node, &seen.table, |table| {
            let counts = replicas(table).into_iter();
            counts.map(|(id, count)| (id.clone(), count)).collect()
        });
        if let Some((time, from, to)) = self.bereaving.remove(&view.node) {
            let left = counts.get(&from).copied().unwrap_or_default();
            if left.healthy < BARRIER {
                let what = format!("moves to {to} although {from} has no other healthy replica");
                self.tally
                    .findings
                    .push(finding("RM-04", time, &view.node, what));
            }
        }
        // A view may show the move before the next header does.
        let following = self.masters.get_mut(&view.node);
        let Some(following) = following.filter(|it| seen.my_master() == Some(&it.master)) else {
            return;
        };
        let spared = counts.get(&following.master).copied().unwrap_or_default();
        following.is_needed = [following.is_needed[1], spared.healthy <= BARRIER];
        following.is_down = [following.is_down[1], !seen.state_ok];
        let attended = match self.attended.get_mut(&view.node) {
            Some(attended) => attended,
            None => self.attended.entry(view.node.clone()).or_default(),
        };
        for (master, _) in counts.iter().filter(|(_, count)| count.working > 0) {
            match attended.iter_mut().find(|(id, _)| id == master) {
                Some((_, at)) => *at = seen.asked,
                None => attended.push((master.clone(), seen.asked)),
            }
        }
    }

    fn note_master(&mut self, packet: &Packet, scene: &Scene) {
        let Some(master) = &packet.header.master else {
            if self.masters.contains_key(&packet.from) {
                self.masters.remove(&packet.from);
            }
            return;
        };
        let following = self.masters.get(&packet.from);
        if following.is_some_and(|following| following.master == *master) {
            return;
        }
        let moved = Following {
            master: master.clone(),
            is_needed: [false; 2],
            is_down: [false; 2],
        };
        if let Some(old) = self.masters.insert(packet.from.clone(), moved)
            && is_in_office(&old.master, scene)
            && is_in_office(master, scene)
            && !self.is_replica(&old.master, scene)
        {
            self.judge(packet, &old, master);
        }
    }

    /// Whether a node last said that it is a replica, which its own replicas leave (UP-10).
    fn is_replica(&self, id: &NodeId, scene: &Scene) -> bool {
        let name = scene.node_of(id);
        name.is_some_and(|name| self.masters.contains_key(name))
    }

    fn judge(&mut self, packet: &Packet, old: &Following, to: &NodeId) {
        self.tally.examined += 1;
        let mut attended = self.attended.get(&packet.from).into_iter().flatten();
        let attended = attended.find(|(master, _)| master == to);
        let orphaned_for = attended.map(|(_, at)| packet.time - at);
        let what = match orphaned_for {
            _ if old.is_down == [true; 2] && !packet.header.state_ok => {
                ("RM-03", format!("moves to {to} while its state is fail"))
            }
            _ if old.is_needed == [true; 2] => {
                let bereaving = (packet.time, old.master.clone(), to.clone());
                self.bereaving.insert(packet.from.clone(), bereaving);
                return;
            }
            Some(span) if span + CRON < ORPHANED_FOR => {
                let what = format!(
                    "moves to {to}, which had a working replica only {} before",
                    seconds(span)
                );
                ("RM-06", what)
            }
            Some(_) | None => return,
        };
        self.tally
            .findings
            .push(finding(what.0, packet.time, &packet.from, what.1));
    }
}

/// Whether this master still owns slots, as far as anybody claimed.
fn is_in_office(master: &NodeId, scene: &Scene) -> bool {
    let name = scene.ownership().name(master);
    name.is_some_and(|name| scene.ownership().holding(name).is_some())
}

/// A replica, and what its last two views said before it moved.
#[derive(Debug)]
struct Following {
    master: NodeId,
    /// Whether its master had no other healthy replica.
    is_needed: [bool; 2],
    /// Whether its state was fail.
    is_down: [bool; 2],
}

/// RM-06, ns.
const ORPHANED_FOR: u64 = 5000 * MILLISECOND;

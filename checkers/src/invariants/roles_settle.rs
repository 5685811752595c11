//! CF-07, CF-08: at rest no former owner is an empty master, and no replica follows a replica.
//!
//! Judged in views asked for after H_map and a node timeout since the last disturbance.

use super::bus_evidence::{Completeness, Tally};
use super::convergence::{Calm, Runs};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, NodeName, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "CF-07",
    title: "roles settle after the heal",
    clauses: &["CF-07", "CF-08"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A master that lost its last slot becomes a replica of who took it (CF-07), and a \
           replica whose master became a replica moves up to that one's master (CF-08). Both \
           must be so in every view from H_map and a node timeout after the last disturbance \
           on. Upstream's servers are known to leave chains (UP-10).",
    make: || Box::new(RolesSettle::default()),
};

/// The checker of CF-07.
#[derive(Debug, Default)]
pub struct RolesSettle {
    calm: Calm,
    runs: Runs<Roles>,
    tally: Tally,
}

impl Checker for RolesSettle {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => {
                let roles = roles(view, scene);
                self.runs.observe(view, roles);
            }
            Happening::Fault(_) | Happening::Lifecycle(_) => self.calm.observe(happening),
            Happening::Packet(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let last = scene
            .ownership()
            .takeovers()
            .last()
            .map_or(0, |last| last.time);
        let since = match self.calm.since(setting) {
            Ok(since) => since.max(last) + bounds.maps_equal() + bounds.node_timeout,
            Err(why) => return Verdict::undecided(0, why),
        };
        if setting.too_slow_to_time().is_none() {
            self.tally.examined = self.runs.last_since(since).len() as u64;
            if let Some((node, asked)) = self
                .runs
                .last_unwanted(since, |roles| *roles == Roles::Settled)
            {
                let runs = self.runs.last_since(since);
                let answer = runs.get(node).map(|run| run.answer);
                let what = match answer == Some(Roles::EmptyMaster) {
                    true => ("CF-07", "is a master without slots, which it had"),
                    false => ("CF-08", "shows a replica that follows a replica"),
                };
                let mut finding = finding(what.0, asked, node, what.1.into());
                if answer == Some(Roles::Chain) {
                    finding.known = stays_behind(node, setting, scene);
                }
                self.tally.findings.push(finding);
            }
        }
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "the run ended before roles were due to settle",
        )
    }
}

/// Why upstream's servers may leave a chain, if one of them does: they look for it only after a
/// claim that is news (UP-10), and before 7.0 not at all.
fn stays_behind(node: &NodeName, setting: &Setting, scene: &Scene) -> Option<String> {
    let table = &scene.view_of(node)?.table;
    let is_replica = |id: &NodeId| {
        let mut named = table.iter().filter(|entry| entry.id == *id);
        named.any(|entry| entry.master.is_some())
    };
    let mut behind = table
        .iter()
        .filter(|entry| entry.master.as_ref().is_some_and(is_replica));
    let name = scene.node_of(&behind.next()?.id)?;
    setting.runs_upstream(name).then(|| {
        format!(
            "UP-10: {name} looks whether its master is a replica only after a claim that is news \
             to it (before 7.0 never)"
        )
    })
}

/// What a view says of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Roles {
    Settled,
    /// The node itself is a master without slots, and had some.
    EmptyMaster,
    /// A replica of a replica.
    Chain,
}

fn roles(view: &View, scene: &Scene) -> Roles {
    let entry_of = |id: &NodeId| view.table.iter().find(|entry| entry.id == *id);
    let mine = entry_of(&view.id);
    let is_empty = mine.is_some_and(|mine| mine.master.is_none() && mine.slots.is_empty());
    if is_empty && scene.ownership().has_claimed(&view.node) {
        return Roles::EmptyMaster;
    }
    let mut masters = view.table.iter().filter_map(|entry| entry.master.as_ref());
    match masters.any(|id| entry_of(id).is_some_and(|master| master.master.is_some())) {
        true => Roles::Chain,
        false => Roles::Settled,
    }
}

//! RS-02: a node that was forgotten is not taken back from gossip for a minute.
//!
//! Who was told CLUSTER FORGET, and said OK or shows the node no more in a view, must not show it
//! as long as the id is on its blacklist. A MEET, which ends the act, or a restart brings it back.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::bounds::MILLISECOND;
use crate::observation::slot_acts::Exchange;
use crate::observation::{Fault, FaultKind, FaultPhase, NodeId, NodeName, Setting, View};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RS-02",
    title: "forgotten nodes stay away",
    clauses: &["RS-01", "RS-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "CLUSTER FORGET puts an id on a blacklist for 60 s, so that gossip of nodes that were \
           not told yet does not bring the node back. Judged by views: who showed the node no \
           more after the order must not show it again before the minute is over or a MEET.",
    make: || Box::new(ForgottenStayAway::default()),
};

/// The checker of RS-02.
#[derive(Debug, Default)]
pub struct ForgottenStayAway {
    forgotten: BTreeMap<u32, Forgotten>,
    /// Who said OK to which of these orders, and when, ns.
    obeyed: BTreeMap<(u32, NodeName), u64>,
    /// Whether identities changed by other acts.
    is_muddled: bool,
    examined: u64,
}

/// A node that others were told to forget.
#[derive(Debug)]
struct Forgotten {
    name: NodeName,
    id: NodeId,
    begun: u64,
    /// When it was to be met again, ns.
    over: u64,
    /// Who showed it no more.
    without: BTreeSet<NodeName>,
    /// Who was restarted since, and has no blacklist any more.
    restarted: BTreeSet<NodeName>,
    /// Who showed it again, and when.
    again: Vec<(NodeName, u64)>,
}

impl Checker for ForgottenStayAway {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Fault(fault) => self.note(fault, scene),
            Happening::View(view) => self.look(view),
            Happening::Lifecycle(lifecycle) => {
                for forgotten in self.forgotten.values_mut() {
                    forgotten.without.remove(&lifecycle.node);
                    forgotten.restarted.insert(lifecycle.node.clone());
                }
                self.obeyed.retain(|(_, node), _| *node != lifecycle.node);
            }
            Happening::Packet(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, _setting: &Setting, scene: &Scene) -> Verdict {
        let mut findings = Findings::default();
        let is_timed = !scene.timeline().was_a_clock_wrong(u64::MAX);
        let all = std::mem::take(&mut self.forgotten).into_values();
        for forgotten in all.filter(|_| is_timed && !self.is_muddled) {
            let until = forgotten.over.min(forgotten.begun + BLACKLISTED);
            let again = forgotten.again.iter().filter(|(_, at)| *at < until);
            for (node, at) in again {
                let what = format!("takes back {}, which it was told to forget", forgotten.name);
                findings.push(finding("RS-02", *at, node, what));
            }
        }
        findings.conclude(self.examined, "nobody was told to forget a node")
    }
}

impl ForgottenStayAway {
    fn note(&mut self, fault: &Fault, scene: &Scene) {
        let is_done = !matches!(fault.phase, FaultPhase::Skipped(_));
        let changes_ids = matches!(fault.kind, FaultKind::Reset | FaultKind::ReplaceNode);
        self.is_muddled |= changes_ids && is_done;
        if fault.kind != FaultKind::Forget {
            return;
        }
        if let Some(order) = Exchange::of(fault) {
            if order
                .words
                .to_ascii_lowercase()
                .starts_with("cluster meet ")
            {
                // Whoever it meets, by another act, takes it in again.
                let met = self.forgotten.values_mut();
                for forgotten in met.filter(|forgotten| forgotten.name == *order.node) {
                    forgotten.over = forgotten.over.min(fault.begun);
                }
            }
            if is_obeyed(order) {
                self.obeyed
                    .insert((fault.id, order.node.clone()), order.answered);
            }
            return;
        }
        match &fault.phase {
            FaultPhase::Installed => {
                let known = fault.targets.first();
                let known = known.and_then(|name| Some((name, scene.view_of(name)?)));
                if let Some((name, view)) = known {
                    let forgotten = Forgotten {
                        name: name.clone(),
                        id: view.id.clone(),
                        begun: fault.begun,
                        over: u64::MAX,
                        without: BTreeSet::new(),
                        restarted: BTreeSet::new(),
                        again: Vec::new(),
                    };
                    self.forgotten.insert(fault.id, forgotten);
                }
            }
            FaultPhase::Healed
            | FaultPhase::Indeterminate(_)
            | FaultPhase::Skipped(_)
            | FaultPhase::Answered(_) => {
                if let Some(forgotten) = self.forgotten.get_mut(&fault.id) {
                    forgotten.over = forgotten.over.min(fault.begun);
                }
            }
        }
    }

    fn look(&mut self, view: &View) {
        for (fault, forgotten) in &mut self.forgotten {
            let is_free = forgotten.restarted.contains(&view.node);
            if is_free || view.node == forgotten.name || view.asked < forgotten.begun {
                continue;
            }
            let obeyed = self.obeyed.get(&(*fault, view.node.clone()));
            let is_obeyed = obeyed.is_some_and(|at| view.asked > at + CARRIED_OUT);
            let mut table = view.table.iter();
            let is_there = table.any(|entry| entry.id == forgotten.id);
            match is_there {
                false => {
                    self.examined += 1;
                    forgotten.without.insert(view.node.clone());
                }
                true if is_obeyed || forgotten.without.contains(&view.node) => {
                    forgotten.again.push((view.node.clone(), view.asked));
                }
                true => {}
            }
        }
    }
}

/// Whether a node said OK to CLUSTER FORGET.
fn is_obeyed(order: Exchange<'_>) -> bool {
    let words = order.words.to_ascii_lowercase();
    words.starts_with("cluster forget ") && order.reply.starts_with('+')
}

/// What was answered so long ago was carried out, whichever way the question took, ns.
const CARRIED_OUT: u64 = 200 * MILLISECOND;
/// The blacklist's time, and a second less for what is between an order and its record, ns.
const BLACKLISTED: u64 = 59_000 * MILLISECOND;

//! RD-07: who waits at a node for an element is let go when the node can no longer serve it.
//!
//! A wait that the server ended by its own time, or that the client gave up, lasted as long as was
//! asked. If the node said all along, for longer than two crons and the slack, that its state is
//! fail, or claimed the slot no more, it should have sent the client away. A server looks at each
//! client about once a second, so that is allowed for besides. A client that was sent on did not
//! wait for all of its time: operations with redirections are not judged.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Event, EventKind, Operation, Value};
use crate::observation::bounds::{CRON, MILLISECOND};
use crate::observation::{Bounds, NodeName, Setting, View, slots::slot_of_key};
use crate::scene::Scene;
use crate::verdict::{Verdict, Word};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-07",
    title: "clients that wait are let go when the node cannot serve them",
    clauses: &["RD-07"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "A client that waits in BLPOP or XREADGROUP gets MOVED when the slot has gone to \
           another node, CLUSTERDOWN when the cluster state is fail, UNBLOCKED when the master \
           was demoted, within 0.2 s + slack after the next look at it, about once a second. \
           Judged from waits that lasted to their end (the workload `blocking`), against the \
           node's views and its claims on the bus meanwhile.",
    make: || Box::new(BlockedClientsAreReleased::default()),
};

/// The checker of RD-07.
#[derive(Debug, Default)]
pub struct BlockedClientsAreReleased {
    /// Times in which a node said, in view after view, that its state is fail.
    down: BTreeMap<NodeName, Vec<Span>>,
    /// Times in which a node answered nobody, its question unanswered for long.
    silent: BTreeMap<NodeName, Vec<(u64, u64)>>,
    /// Waits that lasted to their end.
    waits: Vec<Wait>,
    examined: u64,
}

/// From the first view that said so to the last, ns.
#[derive(Debug, Clone, Copy)]
struct Span {
    since: u64,
    until: u64,
    is_open: bool,
}

/// A client that waited in vain.
#[derive(Debug)]
struct Wait {
    node: NodeName,
    slot: u16,
    begun: u64,
    ended: u64,
    told: String,
}

impl Checker for BlockedClientsAreReleased {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op, Sort::View, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => {
                if let Some(operation) = scene.operation() {
                    self.note(event, operation);
                }
            }
            Happening::View(view) => self.hear(view),
            Happening::Lifecycle(lifecycle) => self.end_span(&lifecycle.node),
            Happening::Packet(_) | Happening::Fault(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let limit = CHECK_PERIOD + 2 * CRON + bounds.slack;
        let mut tally = Tally {
            examined: self.examined,
            ..Tally::default()
        };
        for wait in &self.waits {
            let is_shaken = is_paused_within(scene, &wait.node, wait.begun, wait.ended)
                || self.was_silent(wait)
                || scene.timeline().was_a_clock_wrong(wait.ended);
            let overdue = self
                .was_down(wait, limit)
                .or_else(|| has_lost_slot(wait, limit, scene));
            let Some(why) = overdue.filter(|_| !is_shaken) else {
                continue;
            };
            let what = format!("keeps a client waiting though {why}: {}", wait.told);
            tally
                .findings
                .push(finding("RD-07", wait.ended, &wait.node, what));
        }
        let nothing = "no client waited for an element to the end";
        let verdict = tally.conclude(setting, Completeness::Helpful, nothing);
        match (verdict.word, setting.too_slow_to_time()) {
            (Word::Violated, Some(why)) => Verdict::undecided(self.examined, why),
            (_, _) => verdict,
        }
    }
}

impl BlockedClientsAreReleased {
    fn note(&mut self, event: &Event, operation: &Operation) {
        let (Some(wait_ms), Some(node)) = (operation.argument.wait_ms(), &event.node) else {
            return;
        };
        let wait = wait_ms.saturating_mul(MILLISECOND);
        let is_in_vain = match event.kind {
            EventKind::Ok => operation.result == Value::Nil,
            // What a consumer group has not delivered did not happen.
            EventKind::Info | EventKind::Fail => event.error.as_deref() == Some("timed out"),
            EventKind::Invoke => false,
        };
        self.examined += 1;
        let begun = event.time.saturating_sub(wait).max(operation.invoked);
        if is_in_vain && event.hops.is_empty() && wait >= WAIT_MIN {
            self.waits.push(Wait {
                node: node.clone(),
                slot: slot_of_key(operation.key.as_bytes()),
                begun,
                ended: event.time,
                told: operation.told(),
            });
        }
    }

    fn hear(&mut self, view: &View) {
        // A slow disk, or another reason to stand still that is no pause.
        if view.time > view.asked.saturating_add(CHECK_PERIOD / 2) {
            let silent = self.silent.entry(view.node.clone()).or_default();
            silent.push((view.asked, view.time));
        }
        if view.state_ok {
            return self.end_span(&view.node);
        }
        if !self.down.contains_key(&view.node) {
            self.down.insert(view.node.clone(), Vec::new());
        }
        let Some(spans) = self.down.get_mut(&view.node) else {
            return;
        };
        match spans.last_mut() {
            Some(span) if span.is_open => span.until = view.asked,
            Some(_) | None => spans.push(Span {
                since: view.time,
                until: view.asked,
                is_open: true,
            }),
        }
    }

    fn end_span(&mut self, node: &NodeName) {
        if let Some(span) = self.down.get_mut(node).and_then(|spans| spans.last_mut()) {
            span.is_open = false;
        }
    }

    fn was_silent(&self, wait: &Wait) -> bool {
        let mut silent = self.silent.get(&wait.node).into_iter().flatten();
        silent.any(|(from, to)| *from < wait.ended && *to > wait.begun)
    }

    fn was_down(&self, wait: &Wait, limit: u64) -> Option<&'static str> {
        let mut spans = self.down.get(&wait.node)?.iter();
        let is_overdue = |span: &Span| {
            let (from, to) = (span.since.max(wait.begun), span.until.min(wait.ended));
            to > from.saturating_add(limit)
        };
        spans
            .any(is_overdue)
            .then_some("it says that the cluster is down")
    }
}

/// Whether the node, which owned the slot, claimed it no more for too long.
fn has_lost_slot(wait: &Wait, limit: u64, scene: &Scene) -> Option<&'static str> {
    let claims = scene.ownership().claims().iter();
    let own = claims.filter(|claim| claim.name == wait.node);
    let mut own = own.skip_while(|claim| !claim.slots.contains(wait.slot));
    let lost = own.find(|claim| !claim.slots.contains(wait.slot) && claim.time >= wait.begun)?;
    let is_overdue = wait.ended > lost.time.saturating_add(limit);
    let is_back = own.any(|claim| claim.time <= wait.ended && claim.slots.contains(wait.slot));
    let acts = scene.slot_acts();
    let later = lost.time.saturating_add(limit / 2);
    let is_ordered = acts.touch(&wait.node, wait.slot, later, wait.ended);
    let life = scene.timeline().outages.iter();
    let mut ends = life.filter(|out| out.node == wait.node);
    let is_gone = ends.any(|out| out.ended <= wait.ended && out.restarted >= wait.begun);
    (is_overdue && !is_back && !is_ordered && !is_gone).then_some("the slot is no more its own")
}

/// A server looks at each of its clients that often, ns.
const CHECK_PERIOD: u64 = 1000 * MILLISECOND;
/// Shorter waits end before the time to let go is over, ns.
const WAIT_MIN: u64 = 1500 * MILLISECOND;

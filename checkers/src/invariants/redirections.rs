//! Redirections at which operations ended, each between two views of the node that said it.
//!
//! What a node knew when it answered was in no view; but where its last view before the operation
//! and its first one after the answer show the same, it had nothing else in between.

use std::collections::BTreeMap;

use super::evidence::Seen;
use crate::history::{Event, EventKind};
use crate::observation::{Lifecycle, NodeName, View};
use crate::scene::Scene;

/// A redirection, with what its judge kept of the view before it.
#[derive(Debug)]
pub struct Told<B> {
    /// When the answer came, ns.
    pub time: u64,
    /// The slot it is about.
    pub slot: u16,
    /// Where it sends the client, as printed.
    pub address: String,
    /// Of the node's last view before the operation.
    pub before: B,
}

/// The redirections of one word that wait for the next view of their node.
#[derive(Debug)]
pub struct Redirections<B> {
    word: &'static str,
    waiting: BTreeMap<NodeName, Vec<Told<B>>>,
}

impl<B> Redirections<B> {
    /// Of the errors that begin with `word`, `MOVED` or `ASK`.
    pub const fn new(word: &'static str) -> Self {
        Self {
            word,
            waiting: BTreeMap::new(),
        }
    }

    /// Keeps what `before` makes of the view before, if the operation ended at a redirection and
    /// there is such a view.
    pub fn note(
        &mut self,
        event: &Event,
        scene: &Scene,
        before: impl FnOnce(&Seen, u16, &str) -> Option<B>,
    ) {
        let (EventKind::Fail, Some(node)) = (event.kind, &event.node) else {
            return;
        };
        let words = event.error.as_deref();
        let Some((slot, address)) = words.and_then(|words| self.destination(words)) else {
            return;
        };
        let invoked = scene.operation().map(|operation| operation.invoked);
        let seen = scene.view_of(node);
        let seen = seen.filter(|seen| invoked.is_some_and(|invoked| seen.time <= invoked));
        if let Some(before) = seen.and_then(|seen| before(seen, slot, address)) {
            let told = Told {
                time: event.time,
                slot,
                address: address.into(),
                before,
            };
            self.waiting.entry(node.clone()).or_default().push(told);
        }
    }

    /// A process that started or ended knows nothing of what it said.
    pub fn forget(&mut self, lifecycle: &Lifecycle) {
        self.waiting.remove(&lifecycle.node);
    }

    /// Those that the node had said before it was asked for this view.
    pub fn settled_by(&mut self, view: &View) -> Vec<Told<B>> {
        let Some(waiting) = self.waiting.get_mut(&view.node) else {
            return Vec::new();
        };
        let is_ripe = |told: &Told<B>| told.time < view.asked;
        let (ripe, rest) = std::mem::take(waiting).into_iter().partition(is_ripe);
        *waiting = rest;
        ripe
    }

    /// Slot and address; none if the error is another one or names no host (RD-07).
    fn destination<'a>(&self, error: &'a str) -> Option<(u16, &'a str)> {
        let rest = error.strip_prefix(self.word)?.strip_prefix(' ')?;
        let (slot, address) = rest.split_once(' ')?;
        let is_whole = !address.starts_with([':', '?']);
        is_whole.then_some((slot.parse().ok()?, address))
    }
}

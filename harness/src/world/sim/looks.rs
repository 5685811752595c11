//! The observer's looks at the nodes, without the detour of texts.
//!
//! A look is a question that reaches the node as a client's would: not at all when it is down, late
//! when it stands still. What the node would print is compared with what it showed last, so that
//! views of an unchanged table share it. Where the codec is in the loop, the texts are too.

use std::sync::Arc;

use slotquake_checkers::observation::{NodeId, View, ViewEntry};
use slotquake_core::cluster::Outline;

use super::host::Arrival;
use super::queue::Event;
use super::{Codec, Happening, SimWorld};

/// What a node last showed.
#[derive(Debug)]
pub struct Shown {
    id: NodeId,
    outline: Outline,
    table: Arc<Vec<ViewEntry>>,
}

impl SimWorld {
    /// Asks a host for its view.
    pub(super) fn look(&mut self, host: usize) {
        match self.codec {
            Codec::InTheLoop => self.look_as_client(host),
            Codec::Typed => {
                let asked = self.now;
                let at = asked + self.net.latency();
                self.queue.push(at, Event::Look { host, asked });
            }
        }
    }

    pub(super) fn on_look(&mut self, host: usize, asked: u64) {
        if self.hosts[host].node.is_some() {
            self.arrive(host, Arrival::Asked(asked));
        }
    }

    pub(super) fn show(&mut self, host: usize, asked: u64) {
        let place = &mut self.hosts[host];
        let Some(node) = &place.node else {
            return;
        };
        let mut known = place.shown.take();
        let last = known.as_mut().map(|known| &mut known.outline);
        let is_shown = last.is_some_and(|last| node.shows(last));
        let shown = match known {
            Some(known) if is_shown => known,
            known => {
                let Some(outline) = node.outline() else {
                    place.shown = known;
                    return;
                };
                let before = known
                    .as_ref()
                    .map(|known| (&known.outline, known.table.as_slice()));
                Shown {
                    id: self.adapter.id(outline.myself),
                    table: Arc::new(self.adapter.table(&outline, before)),
                    outline,
                }
            }
        };
        self.happenings.push_back(Happening::View(View {
            time: self.now,
            asked,
            node: place.name.clone(),
            id: shown.id.clone(),
            state_ok: shown.outline.is_ok,
            current_epoch: shown.outline.current_epoch.0,
            my_epoch: shown.outline.my_epoch.0,
            size: shown.outline.size as u32,
            table: Arc::clone(&shown.table),
        }));
        place.shown = Some(shown);
    }
}

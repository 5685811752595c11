//! EP-01: a node's currentEpoch follows the largest that it hears.
//!
//! A header that reached a node and shows a larger epoch raises the node's clock: every header that
//! the node sends from then on shows at least as much. Senders that the receiver does not know, and
//! receivers that stood still, are left out.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Bounds, NodeId, NodeName, Packet, Setting};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "EP-01",
    title: "every clock follows the largest currentEpoch it hears",
    clauses: &["EP-01", "CE-01"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "currentEpoch is a logical clock of the cluster: any packet of a known node with a \
           larger one raises the receiver's. Judged from deliveries: a header that still shows \
           less than what a known node told its sender before is a violation. A clock that lags \
           lets a voter serve epochs that are over.",
    make: || Box::new(ClocksFollow::default()),
};

/// The checker of EP-01.
#[derive(Debug, Default)]
pub struct ClocksFollow {
    clocks: BTreeMap<NodeName, Clock>,
    /// The longest of each node.
    lags: BTreeMap<NodeName, Lag>,
    tally: Tally,
}

impl Checker for ClocksFollow {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => {
                self.judge(packet, scene);
                self.note(packet, scene);
            }
            Happening::View(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let reading = Bounds::of(setting).reading;
        for (node, lag) in std::mem::take(&mut self.lags) {
            let is_paused = is_paused_within(scene, &node, lag.heard.delivered, lag.time);
            if lag.heard.delivered + reading >= lag.time || is_paused {
                continue;
            }
            let what = format!(
                "shows currentEpoch {} after it was told {} by {}",
                lag.shown, lag.heard.epoch, lag.heard.by
            );
            self.tally
                .findings
                .push(finding("EP-01", lag.time, &node, what));
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no clock was raised")
    }
}

impl ClocksFollow {
    /// What the receiver is told, if it is more than it showed and sooner than it was told before.
    fn note(&mut self, packet: &Packet, scene: &Scene) {
        let epoch = packet.header.current_epoch;
        let Some(delivered) = packet.delivered else {
            return;
        };
        let Some(clock) = self.clocks.get_mut(&packet.to) else {
            return;
        };
        let is_known = |heard: &Heard| heard.epoch >= epoch && heard.delivered <= delivered;
        if epoch <= clock.shown || clock.heard.iter().any(is_known) {
            return;
        }
        // HS-15: of a stranger nothing is taken.
        let seen = scene.view_of(&packet.to);
        let by = seen.and_then(|seen| seen.entry(&packet.header.sender));
        if by.is_none_or(|by| by.has_flag("handshake")) {
            return;
        }
        self.tally.examined += 1;
        clock.heard.push(Heard {
            epoch,
            delivered,
            by: packet.header.sender.clone(),
        });
    }

    fn judge(&mut self, packet: &Packet, scene: &Scene) {
        let shown = packet.header.current_epoch;
        let Some(clock) = self.clocks.get_mut(&packet.from) else {
            let clock = Clock {
                shown,
                heard: Vec::new(),
            };
            self.clocks.insert(packet.from.clone(), clock);
            return;
        };
        if clock.shown == shown && clock.heard.is_empty() {
            return;
        }
        clock.shown = shown;
        clock.heard.retain(|heard| heard.epoch > shown);
        let since = scene.incarnations().life(&packet.from).since;
        let heard = clock.heard.iter().filter(|heard| {
            // R6: what an earlier life was told is gone.
            heard.delivered >= since && heard.delivered < packet.time
        });
        let Some(heard) = heard.min_by_key(|heard| heard.delivered) else {
            return;
        };
        let lag = Lag {
            time: packet.time,
            shown,
            heard: heard.clone(),
        };
        let length = |lag: &Lag| lag.time - lag.heard.delivered;
        let longest = self.lags.get(&packet.from).map_or(0, length);
        if length(&lag) > longest {
            self.lags.insert(packet.from.clone(), lag);
        }
    }
}

/// What a node showed, and what it was told beyond that.
#[derive(Debug)]
struct Clock {
    shown: u64,
    heard: Vec<Heard>,
}

/// A larger epoch that was delivered, or will be.
#[derive(Debug, Clone)]
struct Heard {
    epoch: u64,
    delivered: u64,
    by: NodeId,
}

/// A header that shows less than its sender was told.
#[derive(Debug)]
struct Lag {
    time: u64,
    shown: u64,
    heard: Heard,
}

//! RD-02: a redirection names the slot of the key.
//!
//! A client stops at a MOVED for a foreign slot and keeps the text. Where a redirection leads is
//! the matter of RD-01 and RD-03.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Event, EventKind};
use crate::observation::{Setting, slots::slot_of_key};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-02",
    title: "redirections name the key's slot",
    clauses: &["RD-02"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "MOVED names the slot of the key: CRC16 of the key, or of its hash tag, modulo 16384. \
           Judged from the error of an operation that stopped at it.",
    make: || Box::new(RedirectionsNameTheSlot::default()),
};

/// The checker of RD-02.
#[derive(Debug, Default)]
pub struct RedirectionsNameTheSlot {
    tally: Tally,
}

impl Checker for RedirectionsNameTheSlot {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op]
    }

    fn observe(&mut self, happening: Happening<'_>, _scene: &Scene) {
        match happening {
            Happening::Op(event) => self.judge(event),
            Happening::Packet(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no operation was redirected",
        )
    }
}

impl RedirectionsNameTheSlot {
    fn judge(&mut self, event: &Event) {
        if event.kind == EventKind::Invoke {
            return;
        }
        self.tally.examined += u64::from(!event.hops.is_empty());
        let error = event
            .error
            .as_deref()
            .and_then(|error| error.strip_prefix("MOVED "));
        let slot = error.and_then(|rest| rest.split(' ').next()?.parse::<u16>().ok());
        let key = event.key.as_ref().filter(|key| !key.is_empty());
        if let (Some(slot), Some(key), Some(node)) = (slot, key, &event.node) {
            self.tally.examined += 1;
            let right = slot_of_key(key.as_bytes());
            if slot != right {
                let what = format!("answers MOVED {slot} for key {key}, whose slot is {right}");
                self.tally
                    .findings
                    .push(finding("RD-02", event.time, node, what));
            }
        }
    }
}

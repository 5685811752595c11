//! RD-01, RD-02, RD-03: a redirection names the slot of the key, and another node.
//!
//! The hops of an operation are the nodes that sent it on; one that sends it on to itself again and
//! again does not know whose slot it is. A client stops at a MOVED for a foreign slot and keeps the
//! text.

use super::bus_evidence::{Completeness, conclude};
use super::evidence::finding;
use crate::checker::{Checker, Entry, Evidence, Happening, Need};
use crate::history::{Event, EventKind};
use crate::observation::{NodeName, Setting, slots::slot_of_key};
use crate::scene::Scene;
use crate::verdict::{Findings, Verdict};

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "RD-03",
    title: "redirections name the key's slot and another node",
    clauses: &["RD-01", "RD-02", "RD-03"],
    need: Need::WhenItHappens,
    evidence: Evidence::Cluster,
    help: "MOVED says which node owns the slot of the key, in the view of the node that \
           answers: it cannot be that node itself, twice in a row, and the slot is CRC16 of the \
           key modulo 16384. Judged from the hops of every operation, and from the error of one \
           that failed.",
    make: || Box::new(RedirectionsLeadOn::default()),
};

/// The checker of RD-03.
#[derive(Debug, Default)]
pub struct RedirectionsLeadOn {
    examined: u64,
    findings: Findings,
}

impl Checker for RedirectionsLeadOn {
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
        let findings = std::mem::take(&mut self.findings);
        let nothing = "no operation was redirected";
        conclude(
            setting,
            Completeness::Helpful,
            self.examined,
            findings,
            nothing,
        )
    }
}

impl RedirectionsLeadOn {
    fn judge(&mut self, event: &Event) {
        if event.kind == EventKind::Invoke {
            return;
        }
        self.examined += u64::from(!event.hops.is_empty());
        let path: Vec<&NodeName> = event.hops.iter().chain(&event.node).collect();
        let looped = path
            .windows(3)
            .find(|hops| hops[0] == hops[1] && hops[1] == hops[2]);
        if let Some(hops) = looped {
            let what = "sends an operation on to itself, again and again".to_string();
            self.findings
                .push(finding("RD-03", event.time, hops[0], what));
        }
        let error = event
            .error
            .as_deref()
            .and_then(|error| error.strip_prefix("MOVED "));
        let slot = error.and_then(|rest| rest.split(' ').next()?.parse::<u16>().ok());
        let key = event.key.as_ref().filter(|key| !key.is_empty());
        if let (Some(slot), Some(key), Some(node)) = (slot, key, &event.node) {
            self.examined += 1;
            let right = slot_of_key(key.as_bytes());
            if slot != right {
                let what = format!("answers MOVED {slot} for key {key}, whose slot is {right}");
                self.findings.push(finding("RD-02", event.time, node, what));
            }
        }
    }
}

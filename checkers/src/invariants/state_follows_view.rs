//! ST-01: a node that sees no majority, or a slot without a working owner, is not ok.
//!
//! State and table come from two commands; a node is at fault if two successive views show the same
//! fault and it was ok in both (R1). Full coverage is required, as by default.

use std::sync::Arc;

use super::bus_evidence::{Completeness, Tally};
use super::by_table::ByTable;
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{Setting, View, ViewEntry, slots::SLOT_COUNT};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-01",
    title: "ok needs a majority and every slot served",
    clauses: &["ST-01"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A node's own table decides its state: it must be fail while fewer than a majority of \
           the masters with slots are reachable there, or a slot has no owner, or one that is \
           FAIL. A node that says ok in two successive views whose tables both show the same \
           reason against it breaks the rule.",
    make: || Box::new(StateFollowsView::default()),
};

/// The checker of ST-01.
#[derive(Debug, Default)]
pub struct StateFollowsView {
    objections: ByTable<Option<String>>,
    tally: Tally,
}

impl Checker for StateFollowsView {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => {
                if let Some(before) = scene.view_before() {
                    self.judge(before, view);
                }
            }
            Happening::Packet(_)
            | Happening::Op(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, _scene: &Scene) -> Verdict {
        self.tally.conclude(
            setting,
            Completeness::Helpful,
            "no two views of one node were seen",
        )
    }
}

impl StateFollowsView {
    fn judge(&mut self, before: &Seen, view: &View) {
        self.tally.examined += 1;
        let is_same = Arc::ptr_eq(&before.table, &view.table) || before.table == view.table;
        if !before.state_ok || !view.state_ok || !is_same {
            return;
        }
        if let Some(why) = self.objections.of(&view.node, &view.table, objection) {
            let what = format!("says ok although {why}");
            self.tally
                .findings
                .push(finding("ST-01", view.time, &view.node, what));
        }
    }
}

/// Why a node with this table is not ok.
fn objection(table: &[ViewEntry]) -> Option<String> {
    let is_suspect = |entry: &&ViewEntry| entry.has_flag("fail?") || entry.has_flag("fail");
    let owners = || table.iter().filter(|entry| !entry.slots.is_empty());
    let (all, lost) = (owners().count(), owners().filter(is_suspect).count());
    if all - lost < all / 2 + 1 {
        return Some(format!(
            "only {} of {all} masters are reachable",
            all - lost
        ));
    }
    if let Some(failed) = owners().find(|entry| entry.has_flag("fail")) {
        return Some(format!("{} failed and owns slots", failed.id));
    }
    let owned: usize = owners().map(|entry| entry.slots.len()).sum();
    let missing = usize::from(SLOT_COUNT).saturating_sub(owned);
    (missing > 0).then(|| format!("{missing} slots have no owner"))
}

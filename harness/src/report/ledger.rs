//! The lost-write ledger: each acknowledged addition that the final reads do not have.
//!
//! Found and held against the documented windows by the checkers' own means; here it is only put
//! in rows, with the fault that was near.

use serde::Serialize;
use slotquake_checkers::checker::Happening;
use slotquake_checkers::consistency::set_full::Sets;
use slotquake_checkers::consistency::timeline::Timeline;
use slotquake_checkers::consistency::windows::Windows;
use slotquake_checkers::history::operation::short;
use slotquake_checkers::history::{Operation, Pairing};
use slotquake_checkers::observation::slots::slot_of_key;
use slotquake_checkers::recording::Recording;

use super::bands::{Band, Certainty};
use super::evidence::NS_PER_TICK;

/// One acknowledged and missing write.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loss {
    /// Index of the invocation in the history.
    pub index: u64,
    /// Key.
    pub key: String,
    /// Slot of the key.
    pub slot: u16,
    /// Value.
    pub value: String,
    /// The node that acknowledged it.
    pub node: String,
    /// When it was invoked, ns.
    pub invoked: u64,
    /// When it was acknowledged, ns.
    pub acknowledged: u64,
    /// The documented window that allows the loss, as clause and name; none: a violation.
    pub window: Option<(&'static str, &'static str)>,
    /// What was going on: the fault nearest to the acknowledgement.
    pub near: String,
}

/// What the final reads say about acknowledged adds.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Ledger {
    /// Acknowledged adds whose key was read at the end.
    pub examined: u64,
    /// The missing ones, in order of acknowledgement.
    pub losses: Vec<Loss>,
}

/// Holds the acknowledged additions of a recording against its final reads.
pub fn ledger(recording: &Recording, bands: &[Band]) -> Ledger {
    let (mut pairing, mut sets) = (Pairing::default(), Sets::default());
    let mut timeline = Timeline::default();
    recording.each(|happening| match happening {
        Happening::Op(event) => {
            if let Some(operation) = pairing.observe(event) {
                sets.keep(&operation);
            }
        }
        Happening::Packet(_)
        | Happening::View(_)
        | Happening::Fault(_)
        | Happening::Lifecycle(_) => timeline.observe(happening),
    });
    let windows = Windows::new(&timeline, &recording.setting);
    let findings = sets.findings();
    let mut losses: Vec<Loss> = findings
        .lost
        .iter()
        .map(|(add, _)| loss(recording, bands, &windows, add))
        .collect();
    losses.sort_by_key(|loss| (loss.acknowledged, loss.index));
    Ledger {
        examined: findings.examined,
        losses,
    }
}

fn loss(recording: &Recording, bands: &[Band], windows: &Windows<'_>, add: &Operation) -> Loss {
    let node = add
        .node
        .as_ref()
        .map_or("?".to_string(), ToString::to_string);
    Loss {
        index: add.index,
        key: add.key.to_string(),
        slot: slot_of_key(add.key.as_bytes()),
        value: short(&add.argument),
        invoked: add.invoked,
        acknowledged: add.completed,
        window: windows
            .excuse(add)
            .map(|window| (window.clause(), window.name())),
        near: near(bands, recording, add.completed, &node),
        node,
    }
}

/// The fault on the acknowledging node that was in force, or the next one to come.
fn near(bands: &[Band], recording: &Recording, at: u64, node: &str) -> String {
    let position = recording
        .setting
        .nodes
        .iter()
        .position(|setting| &*setting.name.0 == node);
    let tick = at / NS_PER_TICK;
    let aimed = bands.iter().filter(|band| {
        band.certainty != Certainty::Skipped
            && position.is_some_and(|position| band.nodes.contains(&position))
            && band.to.0 + NEAR_TICKS >= tick
            && band.from.0 <= tick + NEAR_TICKS
    });
    let nearest = aimed.min_by_key(|band| {
        let before = band.from.0.saturating_sub(tick);
        let after = tick.saturating_sub(band.to.0);
        before.max(after)
    });
    match nearest {
        None => "no fault near".to_string(),
        Some(band) if band.from.0 > tick => {
            format!("{} ms before “{}”", (band.from.0 - tick) / 10, band.note)
        }
        Some(band) if band.to.0 < tick => {
            format!(
                "{} ms after the end of “{}”",
                (tick - band.to.0) / 10,
                band.note
            )
        }
        Some(band) => format!("{} ms into “{}”", (tick - band.from.0) / 10, band.note),
    }
}

/// Ten seconds.
const NEAR_TICKS: u64 = 100_000;

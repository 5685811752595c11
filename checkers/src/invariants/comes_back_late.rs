//! ST-04: a master that restarts, or comes back from a minority, does not serve at once.
//!
//! The state is that of each header it sends. A master that heard so few masters for T_pfail that
//! it had no majority was fail; from the packet that gave it a majority back it waits for a node
//! timeout, between 0.5 and 5 s. After a start it waits for 2 s; the first start is not judged.

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Heard, finding, is_paused_within};
use super::links::ByLife;
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::{
    Bounds, NodeName, Packet, Setting, bounds::CRON, bounds::MILLISECOND, bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-04",
    title: "a master that comes back waits before it serves",
    clauses: &["ST-04"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "Others may have replaced a master while it was away. A restarted master waits 2 s, \
           one that was in a minority clamp(node timeout, 0.5 s, 5 s) from when it hears a \
           majority again, until it says ok. Judged from its headers, less one tick; masters \
           that stood still meanwhile are left out.",
    make: || Box::new(ComesBackLate::default()),
};

/// The checker of ST-04.
#[derive(Debug, Default)]
pub struct ComesBackLate {
    was_ok: ByLife<bool>,
    returns: Vec<Return>,
    tally: Tally,
}

impl Checker for ComesBackLate {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Heartbeat, Sort::Message]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Packet(packet) => self.judge(packet, scene),
            Happening::Op(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        let bounds = Bounds::of(setting);
        let rejoin = bounds
            .node_timeout
            .clamp(500 * MILLISECOND, 5000 * MILLISECOND)
            - CRON;
        for one in std::mem::take(&mut self.returns) {
            let (since, due, what) = match &one.from {
                From::Start => (one.since, 2000 * MILLISECOND - CRON, "started"),
                From::Minority { needed, silences } => {
                    let back = majority_back(*needed, silences, bounds.suspected());
                    let Some((since, silence)) = back else {
                        continue;
                    };
                    let begun = since - silence;
                    let is_paused = is_paused_within(scene, &one.node, begun, one.time);
                    if begun < one.since || is_paused {
                        continue;
                    }
                    (since, rejoin, "heard a majority again")
                }
            };
            self.tally.examined += 1;
            if one.time - since < due {
                let what = format!("says ok {} after it {what}", seconds(one.time - since));
                self.tally
                    .findings
                    .push(finding("ST-04", one.time, &one.node, what));
            }
        }
        self.tally
            .conclude(setting, Completeness::Helpful, "no master came back")
    }
}

impl ComesBackLate {
    fn judge(&mut self, packet: &Packet, scene: &Scene) {
        let (node, header) = (&packet.from, &packet.header);
        let is_ok = header.state_ok && header.claims_slots();
        let was_ok = self.was_ok.insert(scene.life(), is_ok).unwrap_or(false);
        if !is_ok || was_ok {
            return;
        }
        let life = scene.incarnations().life(node);
        if life.incarnation > 1 && packet.time - life.since < 3000 * MILLISECOND {
            self.push(packet, life.since, From::Start);
        }
        // The masters it hears, this one apart, and how many it needs.
        let needed = scene.voters_before() / 2;
        let heard = scene.hearing().of(node);
        let masters = heard.filter(|(name, _)| scene.ownership().has_claimed(name));
        // What left earlier than this packet may arrive long after it: that was not heard yet.
        let until_now = |heard: &Heard| {
            let silences = heard.silences.iter().copied();
            silences.filter(|(end, _)| *end <= packet.time).collect()
        };
        let silences = masters.map(|(_, heard)| until_now(heard)).collect();
        let from = From::Minority { needed, silences };
        self.push(packet, life.since, from);
    }

    fn push(&mut self, packet: &Packet, since: u64, from: From) {
        self.returns.push(Return {
            time: packet.time,
            node: packet.from.clone(),
            since,
            from,
        });
    }
}

/// A master that says ok again.
#[derive(Debug)]
struct Return {
    time: u64,
    node: NodeName,
    /// When its process started, ns.
    since: u64,
    from: From,
}

/// Where it was.
#[derive(Debug)]
enum From {
    Start,
    Minority {
        /// How many other masters make a majority with it.
        needed: usize,
        /// The silences of each other master: when it was heard again, and for how long it was not.
        silences: Vec<Vec<(u64, u64)>>,
    },
}

/// When a master heard a majority again after it heard none for longer than this: the packet of the
/// master that completed it, and how long that one had been silent.
fn majority_back(needed: usize, silences: &[Vec<(u64, u64)>], limit: u64) -> Option<(u64, u64)> {
    let of_one = |silences: &Vec<(u64, u64)>| {
        let mut long = silences.iter().filter(|(_, length)| *length > limit);
        long.next_back().copied().unwrap_or((0, 0))
    };
    let mut back: Vec<(u64, u64)> = silences.iter().map(of_one).collect();
    back.sort_unstable();
    let completing = back.get(needed.checked_sub(1)?).copied()?;
    (completing.0 > 0).then_some(completing)
}

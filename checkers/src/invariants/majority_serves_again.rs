//! ST-05: the majority side serves the slots of a lost master again.
//!
//! An *episode* begins when one master with slots is killed, stands still or is cut off from
//! everybody, while all others see nothing wrong and a replica of it lives; it ends when that fault
//! is healed or another one begins. Operations of an episode that were invoked after
//! T_promote and a second must not be told CLUSTERDOWN by any other node.

use std::collections::BTreeMap;

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{Seen, finding};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::history::{Event, EventKind, Operation, Outcome};
use crate::observation::fault::{Damage, Ports};
use crate::observation::slots::slot_of_key;
use crate::observation::{
    Bounds, Fault, FaultPhase, LifecycleKind, NodeName, Setting, SlotSet, ViewEntry,
    bounds::MILLISECOND, bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "ST-05",
    title: "the majority serves all slots again soon",
    clauses: &["ST-05"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "When a master is lost and the others are a majority, one of its replicas replaces it: \
           FAIL within 2 NT + 0.5 s, an election of 1 s and another one for each better sibling, \
           and 1 s to tell. From then on no node of the majority answers CLUSTERDOWN. Judged \
           where one master is killed, paused or cut off from all, all views were sound before \
           and nothing else was wrong for 2 NT + 2 s + slack, and a replica lives. An election \
           that was seen lost earns another max(4 NT, 4 s), once for each replica.",
    make: || Box::new(MajorityServesAgain::default()),
};

/// The checker of ST-05.
#[derive(Debug, Default)]
pub struct MajorityServesAgain {
    /// Faults by number: begin and end, ns.
    faults: BTreeMap<u32, (u64, u64)>,
    /// The episode that is going on, and the fault it began with.
    open: Option<(u32, Episode)>,
    episodes: Vec<(u32, Episode)>,
    /// Ends of processes that nobody ordered.
    crashes: Vec<u64>,
    tally: Tally,
}

/// A master is lost, and nothing else is wrong.
#[derive(Debug)]
struct Episode {
    time: u64,
    lost: NodeName,
    slots: SlotSet,
    /// Its replicas that live, and since when the youngest of them had been one process.
    replicas: u64,
    since: u64,
    /// The last takeover before.
    last_takeover: u64,
    elections_before: usize,
    elections: usize,
    /// The last operation on its slots that succeeded: when it was invoked.
    last_ok: u64,
    refusals: Vec<Refusal>,
}

/// CLUSTERDOWN.
#[derive(Debug)]
struct Refusal {
    invoked: u64,
    time: u64,
    by: NodeName,
    what: String,
}

impl Checker for MajorityServesAgain {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::Op, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::Op(event) => {
                if let (Some((_, episode)), Some(operation)) = (&mut self.open, scene.operation()) {
                    episode.note(event, operation);
                }
            }
            Happening::Fault(fault) => self.note_fault(fault, scene),
            // Kills and restarts are on record as faults.
            Happening::Lifecycle(lifecycle) if lifecycle.what == LifecycleKind::Died => {
                self.close(scene);
                self.crashes.push(lifecycle.time);
            }
            Happening::Packet(_) | Happening::View(_) | Happening::Lifecycle(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        self.close(scene);
        let bounds = Bounds::of(setting);
        for (fault, episode) in std::mem::take(&mut self.episodes) {
            let Some(end) = self.end_of(fault, &episode, &bounds) else {
                continue;
            };
            let due = episode.due(&bounds, setting);
            let mut late = episode.refusals.iter();
            let late = late.find(|refusal| refusal.invoked > due && refusal.time < end);
            let was_served = episode.last_ok > due;
            self.tally.examined += u64::from(was_served || late.is_some());
            if let Some(late) = late {
                let what = format!(
                    "still answers {} {} after {} was lost",
                    late.what,
                    seconds(late.invoked - episode.time),
                    episode.lost
                );
                let found = finding("ST-05", late.time, &late.by, what);
                self.tally.findings.push(found);
            }
        }
        if let Some(why) = setting.too_slow_to_time() {
            return Verdict::undecided(self.tally.examined, why);
        }
        let nothing = "no master was lost for long enough while nothing else was wrong";
        self.tally.conclude(setting, Completeness::Helpful, nothing)
    }
}

impl MajorityServesAgain {
    fn note_fault(&mut self, fault: &Fault, scene: &Scene) {
        match &fault.phase {
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => return,
            FaultPhase::Installed | FaultPhase::Indeterminate(_) => {
                self.faults.insert(fault.id, (fault.begun, u64::MAX));
            }
            FaultPhase::Healed => {
                let span = self.faults.entry(fault.id);
                let span = span.or_insert((fault.begun, fault.time));
                span.1 = fault.time;
            }
        }
        self.close(scene);
        if fault.phase == FaultPhase::Installed
            && let Some(episode) = begun_by(fault, scene)
        {
            self.open = Some((fault.id, episode));
        }
    }

    fn close(&mut self, scene: &Scene) {
        if let Some((fault, mut episode)) = self.open.take() {
            episode.elections = scene.promotions().elections();
            self.episodes.push((fault, episode));
        }
    }

    /// Until when nothing else was wrong; none if something was, just before.
    fn end_of(&self, own: u32, episode: &Episode, bounds: &Bounds) -> Option<u64> {
        let quiet_since = episode.time.saturating_sub(bounds.maps_equal());
        if episode.since > quiet_since || episode.last_takeover > quiet_since {
            return None;
        }
        let mut end = u64::MAX;
        for (fault, (begun, ended)) in &self.faults {
            match *fault == own {
                true => end = end.min(*ended),
                false if *ended < quiet_since => {}
                false if *begun <= episode.time => return None,
                false => end = end.min(*begun),
            }
        }
        for crash in &self.crashes {
            match *crash <= episode.time {
                true if *crash > quiet_since => return None,
                true => {}
                false => end = end.min(*crash),
            }
        }
        Some(end)
    }
}

impl Episode {
    fn note(&mut self, event: &Event, operation: &Operation) {
        let is_down = |error: &&std::sync::Arc<str>| error.contains("CLUSTERDOWN");
        if event.kind == EventKind::Ok {
            let is_served = operation.outcome == Outcome::Ok && operation.f.is_for_the_owner();
            if is_served && self.slots.contains(slot_of_key(operation.key.as_bytes())) {
                self.last_ok = self.last_ok.max(operation.invoked);
            }
        } else if let (Some(error), Some(by)) = (event.error.as_ref().filter(is_down), &event.node)
            && *by != self.lost
        {
            self.refusals.push(Refusal {
                invoked: operation.invoked,
                time: event.time,
                by: by.clone(),
                what: format!("{error:?} to {} of {}", operation.f.name(), operation.key),
            });
        }
    }

    fn due(&self, bounds: &Bounds, setting: &Setting) -> u64 {
        let ranks = self.replicas.saturating_sub(1) * 1000 * MILLISECOND;
        let seen_lost = (self.elections - self.elections_before).saturating_sub(1) as u64;
        let lost = match setting.bus_captured && setting.bus_packets_lost == 0 {
            true => seen_lost.min(self.replicas),
            false => self.replicas,
        };
        self.time + bounds.available() + ranks + lost * bounds.retry()
    }
}

/// The episode that a fault begins, if it takes away one master that has a replica.
fn begun_by(fault: &Fault, scene: &Scene) -> Option<Episode> {
    let [lost] = fault.targets.as_slice() else {
        return None;
    };
    let claim = scene.ownership().holding(lost)?;
    // Q: the others are a majority.
    if scene.ownership().voters() < 3 {
        return None;
    }
    let names: Vec<&NodeName> = scene.nodes().collect();
    match fault.kind.damage()? {
        Damage::Kill | Damage::Pause => {}
        Damage::Cut(Ports::All | Ports::Bus) => {
            let mut others = names.iter().filter(|name| **name != lost);
            let is_cut = |from: &NodeName, to: &NodeName| {
                fault.cuts.iter().any(|cut| cut.0 == *from && cut.1 == *to)
            };
            if !others.all(|other| is_cut(lost, other) && is_cut(other, lost)) {
                return None;
            }
        }
        Damage::Cut(Ports::Data) | Damage::Net(_) | Damage::Clock(_) | Damage::Disk(_) => {
            return None;
        }
    }
    // Nothing that was wrong before is still to be seen.
    let is_well = |seen: &Seen| {
        let fails = |entry: &ViewEntry| entry.has_flag("fail") || entry.has_flag("fail?");
        let is_sound = |entry: &ViewEntry| !fails(entry) && entry.connected;
        seen.state_ok && seen.asked + RECENT >= fault.begun && seen.table.iter().all(is_sound)
    };
    let mut others = names.iter().filter(|name| **name != lost);
    if !others.all(|name| scene.view_of(name).is_some_and(is_well)) {
        return None;
    }
    let replicas = scene.nodes().filter_map(|name| {
        let seen = scene.view_of(name)?;
        let life = scene.incarnations().life(name);
        let follows = seen.my_master() == Some(&claim.id) && life.ended.is_none();
        follows.then_some(life.since)
    });
    let lives: Vec<u64> = replicas.collect();
    let takeovers = scene.ownership().takeovers();
    Some(Episode {
        time: fault.time,
        lost: lost.clone(),
        slots: claim.slots.clone(),
        replicas: lives.len() as u64,
        since: *lives.iter().max()?,
        last_takeover: takeovers.last().map_or(0, |last| last.time),
        elections_before: scene.promotions().elections(),
        elections: 0,
        last_ok: 0,
        refusals: Vec::new(),
    })
}

/// A view of this age tells how things were, ns.
const RECENT: u64 = 600 * MILLISECOND;

//! FD-02: who hears nothing of a node any more suspects it by T_pfail.
//!
//! A node is *gone* for another one while its process is dead, or while no path leads from it to
//! the other, not even through third nodes: a third node that still hears it passes the time of its
//! last PONG on, and keeps suspicion away. Each view asked for while it is gone shows it as `fail?`
//! or `fail` once the bound is over, if the viewer had a link to it when that began and was not
//! disturbed itself.

use std::collections::{BTreeMap, BTreeSet};

use super::bus_evidence::{Completeness, Tally};
use super::evidence::{finding, is_paused_within};
use crate::checker::{Checker, Entry, Evidence, Happening, Need, Sort};
use crate::observation::fault::{Damage, Ports};
use crate::observation::{
    Bounds, Fault, FaultPhase, Lifecycle, LifecycleKind, NodeId, NodeName, Setting, View,
    ViewEntry, bounds::MILLISECOND, bounds::seconds,
};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// How the registry knows it.
pub const ENTRY: Entry = Entry {
    id: "FD-02",
    title: "a node that is gone is suspected in time",
    clauses: &["FD-02"],
    need: Need::WhenUnattended,
    evidence: Evidence::Cluster,
    help: "A node pings each other one at the latest half a node timeout after its last answer, \
           and suspects it a node timeout later: 1.5 NT + 0.2 s + slack after the last data \
           (T_pfail). Judged after each kill, and each cut that leaves no path from a node to \
           the viewer, by the views of nodes that had a link to it then: none that was asked for \
           after the bound may show it without fail? or fail. Viewers that stood still or were \
           restarted meanwhile are left out.",
    make: || Box::new(SuspicionComesInTime::default()),
};

/// The checker of FD-02.
#[derive(Debug, Default)]
pub struct SuspicionComesInTime {
    /// Processes that are dead.
    dead: BTreeSet<NodeName>,
    /// Directed pairs that are cut, by fault.
    cuts: BTreeMap<u32, Vec<(NodeName, NodeName)>>,
    /// Who waits to be suspected by whom.
    gone: BTreeMap<(NodeName, NodeName), Gone>,
    /// What is over.
    waits: Vec<Wait>,
}

/// A node that cannot be heard any more.
#[derive(Debug)]
struct Gone {
    id: NodeId,
    since: u64,
    /// The viewer's life.
    incarnation: u32,
    /// Last data before the last two views without suspicion, and when those were asked for.
    before: Option<(u64, u64)>,
    last: Option<(u64, u64)>,
}

/// A viewer did not suspect a node for so long.
#[derive(Debug)]
struct Wait {
    by: NodeName,
    of: NodeName,
    /// Its last data, or when it was gone for certain, ns.
    silent_since: u64,
    /// When the last view without suspicion was asked for, ns.
    asked: u64,
    is_over: IsOver,
}

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IsOver {
    /// The next view showed the suspicion.
    Suspected,
    /// The node came back, or one of them was forgotten or restarted, or the run ended.
    Back,
}

impl Checker for SuspicionComesInTime {
    fn looks_at(&self) -> &'static [Sort] {
        &[Sort::View, Sort::Fault, Sort::Lifecycle]
    }

    fn observe(&mut self, happening: Happening<'_>, scene: &Scene) {
        match happening {
            Happening::View(view) => self.note_view(view, scene),
            Happening::Fault(fault) => self.note_cut(fault, scene),
            Happening::Lifecycle(lifecycle) => self.note_life(lifecycle, scene),
            Happening::Packet(_) | Happening::Op(_) => {}
        }
    }

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        self.end_all(u64::MAX, |_| true);
        let bounds = Bounds::of(setting);
        let mut tally = Tally::default();
        for wait in std::mem::take(&mut self.waits) {
            let lasted = wait.asked.saturating_sub(wait.silent_since);
            let is_late = lasted > bounds.suspected();
            let is_judged = is_late || wait.is_over == IsOver::Suspected;
            // R4: the timers of who stands still stand still.
            if !is_judged || is_paused_within(scene, &wait.by, wait.silent_since, wait.asked) {
                continue;
            }
            tally.examined += 1;
            if is_late {
                let what = format!(
                    "does not suspect {} {} after it could be heard last",
                    wait.of,
                    seconds(lasted)
                );
                let found = finding("FD-02", wait.asked, &wait.by, what);
                tally.findings.push(found);
            }
        }
        if let Some(why) = setting.too_slow_to_time() {
            return Verdict::undecided(tally.examined, why);
        }
        let nothing = "nobody was gone for long enough to be suspected";
        tally.conclude(setting, Completeness::Proving, nothing)
    }
}

impl SuspicionComesInTime {
    fn note_view(&mut self, view: &View, scene: &Scene) {
        let mut over = Vec::new();
        for ((of, by), gone) in &mut self.gone {
            if *by != view.node || view.asked < gone.since {
                continue;
            }
            let entry = view.table.iter().find(|entry| entry.id == gone.id);
            let is_same_life = scene.incarnations().life(by).incarnation == gone.incarnation;
            if !is_same_life || entry.is_none() {
                over.push((of.clone(), by.clone(), IsOver::Back));
            } else if entry.is_some_and(|entry| !is_healthy(entry)) {
                over.push((of.clone(), by.clone(), IsOver::Suspected));
            } else {
                let heard = scene.hearing().between(by, of);
                let silent_since = heard.map_or(gone.since, |heard| heard.last.max(gone.since));
                gone.before = gone.last.replace((silent_since, view.asked));
            }
        }
        for (of, by, is_over) in over {
            self.end((of, by), u64::MAX, is_over);
        }
    }

    fn note_cut(&mut self, fault: &Fault, scene: &Scene) {
        let Some(Damage::Cut(Ports::All | Ports::Bus)) = fault.kind.damage() else {
            return;
        };
        match &fault.phase {
            FaultPhase::Installed => {
                self.cuts.insert(fault.id, fault.cuts.clone());
                self.look(fault.time, scene);
            }
            FaultPhase::Healed => {
                self.cuts.remove(&fault.id);
                self.look(fault.begun, scene);
            }
            FaultPhase::Skipped(_) | FaultPhase::Indeterminate(_) | FaultPhase::Answered(_) => {}
        }
    }

    fn note_life(&mut self, lifecycle: &Lifecycle, scene: &Scene) {
        match lifecycle.what {
            LifecycleKind::Started => self.dead.remove(&lifecycle.node),
            LifecycleKind::Killed | LifecycleKind::Died => self.dead.insert(lifecycle.node.clone()),
        };
        self.look(lifecycle.time, scene);
    }

    /// Who is gone for whom, now that a process or a path came or went.
    fn look(&mut self, time: u64, scene: &Scene) {
        let mut pairs = BTreeSet::new();
        for of in scene.nodes() {
            let hearing = self.who_hears(of, scene);
            let deaf = scene.nodes().filter(|by| !hearing.contains(*by));
            let living = deaf.filter(|by| !self.dead.contains(*by));
            pairs.extend(living.map(|by| (of.clone(), by.clone())));
        }
        self.end_all(time, |pair| !pairs.contains(pair));
        for (of, by) in pairs {
            let Some(id) = id_of_linked(&of, &by, time, scene) else {
                continue;
            };
            let gone = Gone {
                id,
                since: time,
                incarnation: scene.incarnations().life(&by).incarnation,
                before: None,
                last: None,
            };
            self.gone.entry((of, by)).or_insert(gone);
        }
    }

    /// The node, if it lives, and all that a word of it can reach.
    fn who_hears<'a>(&self, of: &'a NodeName, scene: &'a Scene) -> BTreeSet<&'a NodeName> {
        let mut hearing = BTreeSet::from([of]);
        let mut fresh = match self.dead.contains(of) {
            true => Vec::new(),
            false => vec![of],
        };
        while let Some(from) = fresh.pop() {
            let living = scene.nodes().filter(|to| !self.dead.contains(*to));
            for to in living {
                let mut cuts = self.cuts.values().flatten();
                let is_cut = cuts.any(|(one, other)| one == from && other == to);
                if !is_cut && hearing.insert(to) {
                    fresh.push(to);
                }
            }
        }
        hearing
    }

    fn end_all(&mut self, until: u64, is_over: impl Fn(&(NodeName, NodeName)) -> bool) {
        let over = self.gone.keys().filter(|pair| is_over(pair));
        for pair in over.cloned().collect::<Vec<_>>() {
            self.end(pair, until, IsOver::Back);
        }
    }

    fn end(&mut self, pair: (NodeName, NodeName), until: u64, is_over: IsOver) {
        let Some(gone) = self.gone.remove(&pair) else {
            return;
        };
        let shown = [gone.last, gone.before].into_iter().flatten();
        let mut within = shown.filter(|(_, asked)| *asked < until);
        if let Some((silent_since, asked)) = within.next() {
            let (of, by) = pair;
            self.waits.push(Wait {
                by,
                of,
                silent_since,
                asked,
                is_over,
            });
        }
    }
}

/// The id of a node that another one knew well and had a link to, by its view just before.
fn id_of_linked(of: &NodeName, by: &NodeName, time: u64, scene: &Scene) -> Option<NodeId> {
    let seen = scene
        .view_of(by)
        .filter(|seen| seen.asked + RECENT >= time)?;
    let mut known = seen.table.iter();
    let entry = known.find(|entry| scene.node_of(&entry.id) == Some(of))?;
    (entry.connected && is_healthy(entry)).then(|| entry.id.clone())
}

/// Whether a node is to be suspected when it falls silent, and is not yet.
fn is_healthy(entry: &ViewEntry) -> bool {
    let flags = ["fail", "fail?", "handshake", "noaddr"];
    !flags.iter().any(|flag| entry.has_flag(flag))
}

/// A view of this age tells of the links there were, ns.
const RECENT: u64 = 600 * MILLISECOND;

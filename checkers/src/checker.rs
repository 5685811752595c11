//! The trait of every checker.

use crate::history::docket::Uses;
use crate::history::{Event, EventKind, Operation};
use crate::observation::{Fault, Lifecycle, Packet, Setting, View};
use crate::scene::Scene;
use crate::verdict::Verdict;

/// Anything a recording holds, in order of time.
#[derive(Debug, Clone, Copy)]
pub enum Happening<'a> {
    /// A client began or ended an operation.
    Op(&'a Event),
    /// A packet was seen on the cluster bus.
    Packet(&'a Packet),
    /// A node was asked for its view.
    View(&'a View),
    /// A fault was installed, healed, skipped, …
    Fault(&'a Fault),
    /// A process began or ended.
    Lifecycle(&'a Lifecycle),
}

impl Happening<'_> {
    /// When it happened, ns since the start.
    pub fn time(&self) -> u64 {
        match self {
            Happening::Op(event) => event.time,
            Happening::Packet(packet) => packet.time,
            Happening::View(view) => view.time,
            Happening::Fault(fault) => fault.time,
            Happening::Lifecycle(lifecycle) => lifecycle.time,
        }
    }

    /// What sort it is of.
    pub fn sort(&self) -> Sort {
        match self {
            Happening::Op(event) if event.kind == EventKind::Invoke => Sort::Begin,
            Happening::Op(_) => Sort::Op,
            Happening::Packet(packet) if packet.kind.is_heartbeat() => Sort::Heartbeat,
            Happening::Packet(_) => Sort::Message,
            Happening::View(_) => Sort::View,
            Happening::Fault(_) => Sort::Fault,
            Happening::Lifecycle(_) => Sort::Lifecycle,
        }
    }
}

/// What a checker may ask to be shown, and no more: most happenings are heartbeats, and most
/// checkers look at something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// PING, PONG, MEET.
    Heartbeat,
    /// Any other packet.
    Message,
    /// A view.
    View,
    /// The end of an operation.
    Op,
    /// An invocation.
    Begin,
    /// A step of a fault.
    Fault,
    /// A process that began or ended.
    Lifecycle,
}

impl Sort {
    /// Every sort.
    pub const ALL: [Sort; 7] = [
        Sort::Heartbeat,
        Sort::Message,
        Sort::View,
        Sort::Op,
        Sort::Begin,
        Sort::Fault,
        Sort::Lifecycle,
    ];
}

/// A judge of one promise. It sees each happening once, in order of time, and must be incremental:
/// the same code runs online in the simulator.
pub trait Checker {
    /// The sorts of happenings it is shown, the same for its whole life. What is left out here is
    /// never seen: a checker that says nothing is shown everything.
    fn looks_at(&self) -> &'static [Sort] {
        &Sort::ALL
    }

    /// Takes in one happening; the scene has taken it in already.
    fn observe(&mut self, happening: Happening<'_>, scene: &Scene);

    /// Says what it found. `setting` holds what is known only at the end: losses of the capture,
    /// the time of the heal.
    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict;

    /// Figures for the coverage of the run, asked after `finish`: name and count.
    fn figures(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Who is to be shown the operations before `finish`.
    fn keeper(&mut self) -> Option<&mut dyn OfOperations> {
        None
    }
}

/// A checker that needs nothing but client operations and, at the end, the scene.
pub trait OfOperations {
    /// Whether it is to be shown the operations of a key that was used like this, in a run whose
    /// keys were used like `all`. One that looks at the docket itself needs to be shown none.
    fn concerns(&self, _key: Uses, _all: Uses) -> bool {
        true
    }

    /// Takes in an operation, after the run; they come in the order in which they ended, and those
    /// that never did come last.
    fn keep(&mut self, operation: &Operation);

    /// Says what it found, as [`Checker::finish`].
    fn judge(&mut self, setting: &Setting, scene: &Scene) -> Verdict;

    /// As [`Checker::figures`].
    fn figures(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

impl<C: OfOperations> Checker for C {
    fn looks_at(&self) -> &'static [Sort] {
        &[]
    }

    fn observe(&mut self, _happening: Happening<'_>, _scene: &Scene) {}

    fn finish(&mut self, setting: &Setting, scene: &Scene) -> Verdict {
        self.judge(setting, scene)
    }

    fn keeper(&mut self) -> Option<&mut dyn OfOperations> {
        Some(self)
    }

    fn figures(&self) -> Vec<(&'static str, u64)> {
        OfOperations::figures(self)
    }
}

/// Whether a run may do without the checker's subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The run is undecided if this checker is.
    Essential,
    /// It judges what need not occur (votes, writes of some workload): nothing examined is no
    /// blemish of the run.
    WhenItHappens,
    /// As [`Need::WhenItHappens`], and only where no operator acted on the cluster but to fail
    /// over: other acts are free of the rules for a while (R8), and it is not said for how long.
    WhenUnattended,
    /// As [`Need::WhenItHappens`], and only where no operator moved slots by hand or changed who is
    /// a member. Failovers in all forms and new epochs by order do not matter, nor do clocks.
    WhenSlotsStay,
}

/// What a checker reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// Client operations first of all: it can judge a bare history.
    History,
    /// Bus, views, faults.
    Cluster,
}

/// What there is to say about a checker; it stands in the checker's own file.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name: the clause it is named after.
    pub id: &'static str,
    /// Its claim in one line.
    pub title: &'static str,
    /// The clauses it judges.
    pub clauses: &'static [&'static str],
    /// Whether a run may do without it.
    pub need: Need,
    /// What it reads.
    pub evidence: Evidence,
    /// What it says, where it comes from and how it is checked, for `slotquake explain`.
    pub help: &'static str,
    /// Makes one.
    pub make: fn() -> Box<dyn Checker + Send>,
}

//! What many checkers need to know of a run, worked out once for each happening.
//!
//! The judge shows a happening to the [`Scene`] first and to the checkers next, with the scene at
//! hand: who owns which slots, who was promoted, to which life and link a packet belongs, which
//! operation an event completes, the view before the one at hand. Nothing here judges.

use std::collections::BTreeMap;

use crate::checker::Happening;
use crate::consistency::timeline::Timeline;
use crate::history::Operation;
use crate::history::docket::Docket;
use crate::invariants::evidence::{FailWords, Hearing, LastViews, Seen};
use crate::invariants::links::{LifeNumber, LinkNumber, PairNumber};
use crate::invariants::promotions::{Promotion, Promotions};
use crate::observation::fault::Damage;
use crate::observation::ownership::Claim;
use crate::observation::slot_acts::SlotActs;
use crate::observation::{Fault, FaultKind, FaultPhase, Incarnations, NodeId, NodeName, Ownership};

/// A run so far.
#[derive(Debug, Default)]
pub struct Scene {
    timeline: Timeline,
    views: LastViews,
    words: FailWords,
    hearing: Hearing,
    docket: Docket,
    operation: Option<Operation>,
    slot_acts: SlotActs,
    is_attended: bool,
    are_slots_moved: bool,
    /// Faults by number: begin and end, ns.
    faults: BTreeMap<u32, (u64, u64)>,
}

impl Scene {
    /// Takes in a happening; they must come in order of time.
    pub fn observe(&mut self, happening: Happening<'_>) {
        self.operation = match happening {
            Happening::Op(event) => {
                let place = self.docket.observe(event);
                place.map(|place| self.docket.operation(place))
            }
            Happening::Packet(_)
            | Happening::View(_)
            | Happening::Fault(_)
            | Happening::Lifecycle(_) => None,
        };
        if let Happening::Fault(fault) = happening {
            self.note_operator(fault);
            self.note_fault(fault);
            self.slot_acts.observe(fault);
        }
        self.timeline.observe(happening);
        self.views.observe(happening, &self.timeline.incarnations);
        if let Happening::Packet(packet) = happening {
            self.words.observe(packet);
            self.hearing.observe(packet, self.pair());
        }
    }

    fn note_operator(&mut self, fault: &Fault) {
        // Clocks and disks bend the very times that most of those rules are about.
        let is_act = match fault.kind.damage() {
            None => fault.kind != FaultKind::Failover,
            Some(Damage::Clock(_) | Damage::Disk(_)) => true,
            Some(Damage::Kill | Damage::Pause | Damage::Cut(_) | Damage::Net(_)) => false,
        };
        let is_done = match fault.phase {
            FaultPhase::Installed | FaultPhase::Healed | FaultPhase::Indeterminate(_) => true,
            FaultPhase::Skipped(_) | FaultPhase::Answered(_) => false,
        };
        self.is_attended |= is_act && is_done;
        let moves_slots = fault.kind.is_administrative() && !fault.kind.keeps_slots();
        self.are_slots_moved |= moves_slots && is_done;
    }

    fn note_fault(&mut self, fault: &Fault) {
        let span = self
            .faults
            .entry(fault.id)
            .or_insert((fault.begun, u64::MAX));
        match &fault.phase {
            FaultPhase::Installed | FaultPhase::Indeterminate(_) | FaultPhase::Answered(_) => {}
            FaultPhase::Healed => span.1 = fault.time,
            FaultPhase::Skipped(_) => {
                self.faults.remove(&fault.id);
            }
        }
    }

    /// What operators ordered about slots.
    pub fn slot_acts(&self) -> &SlotActs {
        &self.slot_acts
    }

    /// Whether no fault was in force between these times, ns.
    pub fn is_calm(&self, from: u64, to: u64) -> bool {
        let mut faults = self.faults.values();
        faults.all(|(begun, ended)| *ended < from || *begun > to)
    }

    /// Whether an operator acted on the cluster, other than by a manual failover (R8).
    pub fn is_attended(&self) -> bool {
        self.is_attended
    }

    /// Whether an operator moved slots by hand, or changed who is a member (R8).
    pub fn are_slots_moved(&self) -> bool {
        self.are_slots_moved
    }

    /// The run is over: operations still open stay so.
    pub fn end(&mut self) {
        self.docket.end();
    }

    /// The operation that the event at hand completes.
    pub fn operation(&self) -> Option<&Operation> {
        self.operation.as_ref()
    }

    /// All operations so far.
    pub fn docket(&self) -> &Docket {
        &self.docket
    }

    /// The link of the packet at hand.
    pub fn link(&self) -> LinkNumber {
        self.timeline.latest.origin.link
    }

    /// The life of the packet's sender.
    pub fn life(&self) -> LifeNumber {
        self.timeline.latest.origin.life
    }

    /// Sender and receiver of the packet at hand.
    pub fn pair(&self) -> PairNumber {
        self.timeline.latest.origin.pair
    }

    /// How often the sender of the packet at hand had been started.
    pub fn incarnation(&self) -> u32 {
        self.timeline.latest.origin.incarnation
    }

    /// The view of the node before the one at hand, if it is of the same life.
    pub fn view_before(&self) -> Option<&Seen> {
        self.views.before()
    }

    /// The last view of a node, if it is of its present life.
    pub fn view_of(&self, node: &NodeName) -> Option<&Seen> {
        self.views.of(node, self.incarnations())
    }

    /// The node that was the first to answer with this id.
    pub fn node_of(&self, id: &NodeId) -> Option<&NodeName> {
        self.views.name(id)
    }

    /// The nodes that ever answered, in order of their names.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeName> {
        self.views.nodes()
    }

    /// Who was told of which failure.
    pub fn fail_words(&self) -> &FailWords {
        &self.words
    }

    /// Who heard whom.
    pub fn hearing(&self) -> &Hearing {
        &self.hearing
    }

    /// The claim that the packet or view at hand is the first to show.
    pub fn new_claim(&self) -> Option<&Claim> {
        let claims = self.ownership().claims();
        claims.last().filter(|_| self.timeline.latest.is_new_claim)
    }

    /// The promotion that the packet at hand is the first to show.
    pub fn new_promotion(&self) -> Option<&Promotion> {
        let promotions = self.promotions().promotions();
        let is_new = self.timeline.latest.is_new_promotion;
        promotions.last().filter(|_| is_new)
    }

    /// Number of masters that owned slots before the packet at hand.
    pub fn voters_before(&self) -> usize {
        self.timeline.latest.voters_before
    }

    /// Who owns which slots.
    pub fn ownership(&self) -> &Ownership {
        &self.timeline.ownership
    }

    /// Promotions, and the votes before them.
    pub fn promotions(&self) -> &Promotions {
        &self.timeline.promotions
    }

    /// The lives of the processes.
    pub fn incarnations(&self) -> &Incarnations {
        &self.timeline.incarnations
    }

    /// What became of the slots, and why.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }
}

//! Breadth first through all states, each visited once.
//!
//! A node steps only once for each of its own states and each input: what came of it is kept by
//! numbers, so that a state of the model is a handful of small integers. States are told apart by a
//! 64-bit fingerprint; for n states the chance that two share one is below n² / 2⁶⁵.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use slotquake_core::bus::codec;
use slotquake_core::bus::packet::{Body, Packet};
use slotquake_core::cluster::Candidacy;
use slotquake_core::ids::NodeId;

use super::node::{Did, FIRST_EPOCH, Input, LIVING, LocalNode, NAMES, number_of};
use super::rules::{Broken, Chronicle, Consequence, Vote};
use super::{Delivery, Scope};

/// A packet between two nodes.
#[derive(Debug, Clone)]
pub struct Message {
    /// Who sent it.
    pub from: usize,
    /// To whom.
    pub to: usize,
    /// What.
    pub packet: Packet,
}

/// What a node does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// Takes in a packet.
    Deliver(u16),
    /// A wait of its ends.
    WaitEnds,
    /// It gives its open election up for the next.
    GiveUp,
    /// It dies, and starts from its disk.
    Crash,
}

/// One step of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Position in [`LIVING`].
    pub place: u8,
    /// What it does.
    pub act: Act,
    /// How it comes out: 0 as it should; above, the process dies in the midst.
    pub variant: u8,
}

/// What came of an act in a local state.
#[derive(Debug, Clone)]
pub struct Move {
    /// The local state after it.
    pub after: u32,
    /// Packets that left.
    pub sent: Vec<u16>,
    /// What it means for the rules.
    pub means: Consequence,
    /// Whether it took a crash.
    pub is_crash: bool,
}

/// A state of the model: local states, packets under way, history.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    locals: [u32; 4],
    under_way: Vec<u16>,
    crashes_left: u8,
    chronicle: Chronicle,
}

/// What the search found.
#[derive(Debug)]
pub struct Found {
    /// Transitions taken.
    pub visited: u64,
    /// Different states.
    pub unique: usize,
    /// Steps to the farthest state.
    pub depth: usize,
    /// Different states of single nodes.
    pub local_states: usize,
    /// Steps of the real room.
    pub room_steps: usize,
    /// Different packets.
    pub packets: usize,
    /// States in which a replica became master.
    pub victories: u64,
    /// Whether everything within the scope was visited.
    pub is_complete: bool,
    /// The first broken rule, by a shortest way.
    pub broken: Option<(Broken, Vec<Step>)>,
}

/// The search.
pub struct Explorer {
    scope: Scope,
    locals: Vec<LocalNode>,
    local_numbers: HashMap<u64, u32>,
    messages: Vec<Message>,
    message_numbers: HashMap<(usize, usize, Vec<u8>), u16>,
    moves: HashMap<(u32, Act), Rc<Vec<Move>>>,
    waits: HashMap<u32, Rc<Vec<Act>>>,
}

impl Explorer {
    /// A search of that scope.
    pub fn new(scope: Scope) -> Explorer {
        Explorer {
            scope,
            locals: Vec::new(),
            local_numbers: HashMap::new(),
            messages: Vec::new(),
            message_numbers: HashMap::new(),
            moves: HashMap::new(),
            waits: HashMap::new(),
        }
    }

    /// Visits everything, or until a rule is broken.
    pub fn run(&mut self) -> Found {
        let first = self.first_state();
        let mut seen = HashSet::from([fingerprint(&first)]);
        // For each state in the order of discovery: whence, and by which step.
        let mut ways: Vec<(u32, Step)> = vec![(0, NO_STEP)];
        let mut layer = vec![(0_u32, first)];
        let (mut visited, mut depth, mut victories) = (0, 0, 0);
        let mut broken = None;
        'layers: while !layer.is_empty() && ways.len() < self.scope.states_max {
            let mut next_layer = Vec::new();
            for (number, state) in &layer {
                for (step, outcome) in self.successors(state) {
                    visited += 1;
                    match outcome {
                        Err(rule) => {
                            let mut trace = way_to(*number, &ways);
                            trace.push(step);
                            broken = Some((rule, trace));
                            break 'layers;
                        }
                        Ok(next) if seen.insert(fingerprint(&next)) => {
                            let is_won = next.chronicle.winners != state.chronicle.winners;
                            victories += u64::from(is_won);
                            next_layer.push((ways.len() as u32, next));
                            ways.push((*number, step));
                        }
                        Ok(_) => {}
                    }
                }
            }
            depth += usize::from(!next_layer.is_empty());
            layer = next_layer;
        }
        Found {
            visited,
            unique: seen.len(),
            depth,
            local_states: self.locals.len(),
            room_steps: self.moves.len(),
            packets: self.messages.len(),
            victories,
            is_complete: layer.is_empty() && broken.is_none(),
            broken,
        }
    }

    /// The trace again, step by step: each move with the node before and after it.
    pub fn replay(&mut self, trace: &[Step]) -> Vec<(Step, Move, LocalNode, LocalNode)> {
        let mut locals = self.first_state().locals;
        let mut told = Vec::new();
        for step in trace {
            let local = &mut locals[usize::from(step.place)];
            let before = self.locals[*local as usize].clone();
            let made = self.moves_of(*local, step.act)[usize::from(step.variant)].clone();
            *local = made.after;
            let after = self.locals[made.after as usize].clone();
            told.push((*step, made, before, after));
        }
        told
    }

    /// A packet of a trace.
    pub fn message(&self, number: u16) -> &Message {
        &self.messages[usize::from(number)]
    }

    fn first_state(&mut self) -> State {
        let scope = self.scope;
        let locals = LIVING.map(|who| self.number_local(LocalNode::at_start(who, &scope)));
        State {
            locals,
            under_way: Vec::new(),
            crashes_left: scope.crashes,
            chronicle: Chronicle::default(),
        }
    }

    fn successors(&mut self, state: &State) -> Vec<(Step, Result<State, Broken>)> {
        let mut all = Vec::new();
        for (place, living) in LIVING.iter().enumerate() {
            let local = state.locals[place];
            let to_me = state.under_way.iter().copied();
            let to_me = to_me.filter(|number| self.message(*number).to == *living);
            let mut acts: Vec<Act> = to_me.map(Act::Deliver).collect();
            acts.extend(self.waits_of(local).iter());
            if state.crashes_left > 0 {
                acts.push(Act::Crash);
            }
            for act in acts {
                let moves = self.moves_of(local, act);
                for (variant, made) in moves.iter().enumerate() {
                    // Who ignores a packet could as well meet it later: nothing is gained.
                    let is_idle = made.after == local && made.sent.is_empty();
                    if is_idle || (made.is_crash && state.crashes_left == 0) {
                        continue;
                    }
                    let step = Step {
                        place: place as u8,
                        act,
                        variant: variant as u8,
                    };
                    all.push((step, self.after(state, step, made)));
                }
            }
        }
        all
    }

    /// The ends of waits that a node may meet. No candidate begins an election beyond the scope.
    fn waits_of(&mut self, local: u32) -> Rc<Vec<Act>> {
        if let Some(known) = self.waits.get(&local) {
            return Rc::clone(known);
        }
        let node = &self.locals[local as usize];
        let view = node.view(&self.scope);
        let is_last = view.current_epoch.0 >= FIRST_EPOCH + self.scope.elections;
        let me = &view.members[0];
        let mut acts = Vec::new();
        let asks_next = matches!(view.candidacy, Candidacy::Waiting { .. });
        if node.next_wait(&self.scope).is_some() && !(asks_next && is_last) {
            acts.push(Act::WaitEnds);
        }
        if node.retry_wait(&self.scope).is_some() && !is_last && !me.is_master {
            acts.push(Act::GiveUp);
        }
        let acts = Rc::new(acts);
        self.waits.insert(local, Rc::clone(&acts));
        acts
    }

    fn moves_of(&mut self, local: u32, act: Act) -> Rc<Vec<Move>> {
        if let Some(known) = self.moves.get(&(local, act)) {
            return Rc::clone(known);
        }
        let before = self.locals[local as usize].clone();
        let scope = self.scope;
        let input = match act {
            Act::Deliver(number) => {
                let message = self.message(number).clone();
                Some((message.from, message.packet))
            }
            Act::WaitEnds | Act::GiveUp | Act::Crash => None,
        };
        let moves = match (act, &input) {
            (Act::Crash, _) => {
                let after = before.restarted_from(before.disk.clone(), &scope);
                vec![self.record(&before, after, &[], true)]
            }
            (Act::WaitEnds, _) => self.step(&before, &Input::WaitEnds),
            (Act::GiveUp, _) => self.step(&before, &Input::GiveUp),
            (Act::Deliver(_), Some((from, packet))) => {
                self.step(&before, &Input::Packet(*from, packet))
            }
            (Act::Deliver(_), None) => Vec::new(),
        };
        let moves = Rc::new(moves);
        self.moves.insert((local, act), Rc::clone(&moves));
        moves
    }

    fn step(&mut self, before: &LocalNode, input: &Input) -> Vec<Move> {
        let scope = self.scope;
        let mut after = before.clone();
        let did = scope.sabotage.step(&mut after, input, &scope);
        let mut moves = vec![self.record(before, after, &did, false)];
        // It may die between any two outputs. Where the file is written first, that is the same as
        // dying afterwards, with packets that are never delivered; so only other orders are tried.
        let last_save = did.iter().rposition(|did| matches!(did, Did::Saved(_)));
        for cut in 1..=last_save.unwrap_or(0) {
            let done = &did[..cut];
            if done.iter().any(|did| matches!(did, Did::Sent(..))) {
                let saved = done.iter().rev().find_map(|did| match did {
                    Did::Saved(bytes) => Some(bytes.clone()),
                    Did::Sent(..) => None,
                });
                let disk = saved.unwrap_or_else(|| before.disk.clone());
                let restarted = before.restarted_from(disk, &scope);
                moves.push(self.record(before, restarted, done, true));
            }
        }
        moves
    }

    fn record(
        &mut self,
        before: &LocalNode,
        after: LocalNode,
        did: &[Did],
        is_crash: bool,
    ) -> Move {
        let (old, new) = (before.view(&self.scope), after.view(&self.scope));
        let mut means = Consequence::default();
        let mut sent = Vec::new();
        for did in did {
            if let Did::Sent(to, packet) = did {
                let message = Message {
                    from: before.who,
                    to: *to,
                    packet: (**packet).clone(),
                };
                if packet.body == Body::AuthAck {
                    means.votes.push(Vote {
                        voter: before.who as u8,
                        epoch: packet.header.current_epoch.0 as u8,
                        candidate: *to as u8,
                    });
                }
                sent.push(self.number_message(message));
            }
        }
        let is_promoted = !old.members[0].is_master && new.members[0].is_master;
        means.promoted = is_promoted.then(|| new.members[0].config_epoch.0 as u8);
        let (from, to) = (old.current_epoch.0, new.current_epoch.0);
        means.went_back = (to < from).then_some((from, to));
        let after = self.number_local(after);
        Move {
            after,
            sent,
            means,
            is_crash,
        }
    }

    /// The state after a move, if it keeps the rules.
    fn after(&self, state: &State, step: Step, made: &Move) -> Result<State, Broken> {
        let mut next = state.clone();
        let place = usize::from(step.place);
        next.chronicle.note(LIVING[place] as u8, &made.means)?;
        next.locals[place] = made.after;
        if let (Act::Deliver(number), Delivery::Once) = (step.act, self.scope.delivery) {
            next.under_way.retain(|other| *other != number);
        }
        // A set: a second copy of a packet that is still under way brings nothing new.
        for number in &made.sent {
            if let Err(position) = next.under_way.binary_search(number) {
                next.under_way.insert(position, *number);
            }
        }
        next.crashes_left -= u8::from(made.is_crash);
        Ok(next)
    }

    fn number_local(&mut self, node: LocalNode) -> u32 {
        let fingerprint = node.fingerprint(&self.scope);
        *self.local_numbers.entry(fingerprint).or_insert_with(|| {
            self.locals.push(node);
            (self.locals.len() - 1) as u32
        })
    }

    fn number_message(&mut self, message: Message) -> u16 {
        let key = (
            message.from,
            message.to,
            codec::encode(&message.packet).to_vec(),
        );
        *self.message_numbers.entry(key).or_insert_with(|| {
            self.messages.push(message);
            u16::try_from(self.messages.len() - 1).expect("a small model has few packets")
        })
    }
}

fn way_to(number: u32, ways: &[(u32, Step)]) -> Vec<Step> {
    let mut trace = Vec::new();
    let mut at = number;
    while at != 0 {
        let (whence, step) = ways[at as usize];
        trace.push(step);
        at = whence;
    }
    trace.reverse();
    trace
}

fn fingerprint(state: &State) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

/// The name of a node, for people.
pub fn name_of(id: NodeId) -> &'static str {
    number_of(id).map_or("?", |who| NAMES[who])
}

const NO_STEP: Step = Step {
    place: 0,
    act: Act::Crash,
    variant: 0,
};

//! The director: phases, and who hears of what.
//!
//! Each call of [`Director::on`] takes one happening, then does all that has become due, then moves
//! to the next phase if this one is over. Every wait has a bound: a cluster that never agrees
//! again is read as it is, and the checkers say so.

use slotquake_checkers::history::Events;
use slotquake_checkers::observation::{
    Fault, FaultKind, FaultPhase, Lifecycle, NodeSetting, Packet, View,
};

use super::agenda::{Agenda, Due};
use super::ambush::Ambush;
use super::chart::Chart;
use super::clients::{Begun, Clients, Pace, Turn};
use super::errands::Errands;
use super::rest::Rest;
use super::run::Ordered;
use super::scenario::{self, Act, Beat, Scenario};
use super::schedule::{Drawn, Source};
use super::strikes::{News, Strikes};
use crate::nemesis::{self, Hold, Skip};
use crate::plan::{Plan, ScriptedStrike};
use crate::world::{Command, FaultSpec, Happening};

const MS: u64 = 1_000_000;
/// From one look at all nodes to the next, ns.
const LOOK_NS: u64 = 250 * MS;
/// The same while the cluster settles, ns.
const LOOK_SETTLING_NS: u64 = 100 * MS;
/// Load without faults before the first one, ns.
const WARM_NS: u64 = 1000 * MS;
/// How long all views must agree before the cluster counts as settled, ns (CF-05: three polls).
const STABLE_NS: u64 = 2200 * MS;
/// Longest wait for operations on their way, ns.
const DRAIN_NS_MAX: u64 = 20_000 * MS;
/// Longest reading, ns.
const READ_NS_MAX: u64 = 60_000 * MS;
/// From a strike that was not possible to the next attempt, ns.
const STRIKE_AGAIN_NS: u64 = 500 * MS;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Until all nodes agree on the cluster.
    Boot,
    /// Load, no faults.
    Warm,
    /// Load and faults, or the scenario.
    Disturb,
    /// Until the last fault is healed.
    Heal,
    /// Until all nodes agree again.
    Settle,
    /// Until the last operation is over.
    Drain,
    /// The final reads.
    Read,
    /// Until replicas have the data of their masters.
    Rest,
    /// Nothing more to do.
    Over,
}

/// What was seen in a run, in order of arrival.
#[derive(Debug, Default)]
pub struct Seen {
    /// Views.
    pub views: Vec<View>,
    /// Steps of faults.
    pub faults: Vec<Fault>,
    /// Beginnings and ends of processes.
    pub lifecycles: Vec<Lifecycle>,
    /// Packets that the world gave at once.
    pub packets: Vec<Packet>,
}

/// A run.
pub struct Director {
    plan: Plan,
    pub(super) nodes: Vec<NodeSetting>,
    phase: Phase,
    phase_since: u64,
    pub(super) agenda: Agenda,
    pub(super) chart: Chart,
    clients: Clients,
    source: Source,
    pub(super) strikes: Strikes,
    pub(super) errands: Errands,
    pub(super) rest: Rest,
    pub(super) ambush: Ambush,
    scenario: Option<Box<dyn Scenario>>,
    is_scenario_over: bool,
    agreed_since: Option<u64>,
    /// Why the last attempt to strike was not possible, if it was written down.
    noted_skip: Option<&'static str>,
    healed_at: Option<u64>,
    pub(super) seen: Seen,
    ordered: Ordered,
}

impl Director {
    /// A run of this plan, which was validated, on these nodes, which are up.
    pub fn new(plan: Plan, nodes: &[NodeSetting], now: u64) -> Director {
        let names = nodes.iter().map(|node| node.name.clone());
        let mut agenda = Agenda::default();
        agenda.add(now, Due::Look);
        Director {
            chart: Chart::new(names, plan.node_timeout_ms, now),
            clients: Clients::new(Pace::idle(), Vec::new(), nodes),
            source: Source::of(&plan),
            strikes: Strikes::default(),
            errands: Errands::default(),
            rest: Rest::default(),
            ambush: Ambush::new(plan.seed),
            scenario: None,
            is_scenario_over: false,
            agreed_since: None,
            noted_skip: None,
            healed_at: None,
            seen: Seen::default(),
            ordered: Ordered::default(),
            nodes: nodes.to_vec(),
            phase: Phase::Boot,
            phase_since: now,
            agenda,
            plan,
        }
    }

    /// The first commands.
    ///
    /// # Errors
    /// As [`Director::on`].
    pub fn begin(&mut self, now: u64) -> Result<Vec<Command>, String> {
        self.on(now, Happening::Woke)
    }

    /// Takes in what happened and says what to do.
    ///
    /// # Errors
    /// The scenario cannot be played on this cluster.
    pub fn on(&mut self, now: u64, happening: Happening) -> Result<Vec<Command>, String> {
        let mut out = Vec::new();
        if happening == Happening::Woke {
            self.agenda.woke();
        }
        self.take(now, happening, &mut out);
        while let Some(due) = self.agenda.pop(now) {
            self.do_due(now, due, &mut out);
        }
        while let Some(next) = self.next_phase(now) {
            (self.phase, self.phase_since) = (next, now);
            self.enter(now, next, &mut out)?;
        }
        if let Some(time) = self.agenda.to_announce(now) {
            out.push(Command::WakeAt(time));
        }
        Ok(out)
    }

    fn take(&mut self, now: u64, happening: Happening, out: &mut Vec<Command>) {
        match happening {
            Happening::Completed { process, outcome } => {
                if let Some((position, due)) = self.clients.end(process, outcome, now) {
                    self.agenda.add(due, Due::Client(position));
                }
            }
            Happening::Fault(fault) => {
                self.tell_scenario(now, Beat::Fault(&fault), out);
                self.take_fault(now, fault);
            }
            Happening::View(view) => {
                self.chart.take(&view);
                self.follow_agreement(now);
                self.tell_scenario(now, Beat::View(&view), out);
                self.seen.views.push(view);
            }
            Happening::Answer { tag, reply } => {
                self.take_answer(now, tag, &reply, out);
                let beat = Beat::Answer { tag, reply: &reply };
                self.tell_scenario(now, beat, out);
            }
            Happening::Lifecycle(lifecycle) => self.seen.lifecycles.push(lifecycle),
            Happening::Packet(packet) => self.seen.packets.push(*packet),
            Happening::Moment { node, moment } => self.on_moment(now, &node, moment),
            Happening::Woke => {}
        }
    }

    pub(super) fn take_fault(&mut self, now: u64, fault: Fault) {
        let holds = nemesis::of(fault.kind).is_none_or(|known| known.hold == Hold::Targets);
        match self.strikes.take(&fault) {
            News::Struck { spec, heal_in_ms } => {
                for node in spec.targets.iter().filter(|_| holds) {
                    self.chart.strike(node);
                }
                self.agenda.add(now + heal_in_ms * MS, Due::Heal(spec.id));
            }
            News::Released(spec) => {
                self.errands.forget(spec.id);
                for node in spec.targets.iter().filter(|_| holds) {
                    self.chart.release(node, now);
                }
            }
            News::HealAgain { in_ms } => self.agenda.add(now + in_ms * MS, Due::Heal(fault.id)),
            News::Nothing => {}
        }
        self.seen.faults.push(fault);
    }

    /// Keeps since when all nodes have agreed, judged on views asked for in this phase.
    fn follow_agreement(&mut self, now: u64) {
        let is_awaited = matches!(self.phase, Phase::Boot | Phase::Settle);
        let agrees = is_awaited && self.chart.agrees(self.phase_since);
        self.agreed_since = match agrees {
            true => self.agreed_since.or(Some(now)),
            false => None,
        };
    }

    fn do_due(&mut self, now: u64, due: Due, out: &mut Vec<Command>) {
        match due {
            Due::Client(position) => self.let_client_work(now, position, out),
            Due::Look => {
                out.extend(self.chart.to_ask(now).into_iter().map(Command::Look));
                let is_settling = matches!(self.phase, Phase::Boot | Phase::Settle);
                let gap = if is_settling {
                    LOOK_SETTLING_NS
                } else {
                    LOOK_NS
                };
                self.agenda.add(now + gap, Due::Look);
            }
            Due::Strike => self.strike(now, out),
            Due::Ambush => self.spring_ambush(now, out),
            Due::Heal(id) => self.heal(now, id, out),
            Due::Errand(id) => self.drive_errand(now, id, out),
            Due::Rest => self.rest(now, out),
            Due::Scenario => self.tell_scenario(now, Beat::Woke, out),
        }
    }

    fn let_client_work(&mut self, now: u64, position: usize, out: &mut Vec<Command>) {
        let begun = match self.phase {
            Phase::Warm | Phase::Disturb | Phase::Heal | Phase::Settle => {
                match self.clients.begin(position, now) {
                    Turn::Begun(begun) => Some(begun),
                    Turn::Passed { due } => {
                        self.agenda.add(due, Due::Client(position));
                        None
                    }
                    Turn::Busy => None,
                }
            }
            Phase::Read => self.clients.read(position, now),
            Phase::Boot | Phase::Drain | Phase::Rest | Phase::Over => None,
        };
        if let Some(Begun { process, op }) = begun {
            out.push(Command::Invoke { process, op });
        }
    }

    fn strike(&mut self, now: u64, out: &mut Vec<Command>) {
        if self.phase != Phase::Disturb {
            return;
        }
        let begun = self.phase_since;
        let drawn = match &mut self.source {
            Source::Drawn(schedule) => {
                let mut picture = self.chart.picture(now);
                picture.busy_slots = self.clients.slots_used();
                picture.world = self.plan.world;
                let mut drawn = schedule.draw(&picture);
                if let Ok(drawn) = &mut drawn {
                    self.ambush.prepare(drawn, &picture, now);
                }
                drawn
            }
            Source::Scripted(script) => match script.take() {
                Some(drawn) => Ok(drawn),
                None => return,
            },
            Source::Nothing => return,
        };
        let next = match drawn {
            Ok(drawn) => {
                self.noted_skip = None;
                self.inject(now, drawn, out);
                match &mut self.source {
                    Source::Drawn(schedule) => Some(now + schedule.next_gap_ms() * MS),
                    Source::Scripted(script) => script.next_ms().map(|at_ms| begun + at_ms * MS),
                    Source::Nothing => None,
                }
            }
            Err((kind, Skip(why))) => {
                self.note_skip(now, kind, why);
                Some(now + STRIKE_AGAIN_NS)
            }
        };
        if let Some(time) = next {
            self.agenda.add(time, Due::Strike);
        }
    }

    pub(super) fn inject(&mut self, now: u64, drawn: Drawn, out: &mut Vec<Command>) {
        let Some(Drawn { kind, strike }) = self.ambush.lay(drawn) else {
            return;
        };
        self.ordered.script.push(ScriptedStrike {
            at_ms: (now - self.phase_since) / MS,
            kind,
            strike: strike.clone(),
        });
        let spec = FaultSpec {
            id: self.strikes.fresh_id(),
            kind,
            targets: strike.targets.clone(),
            cuts: strike.cuts.clone(),
            dose: strike.dose,
            note: strike.note.clone(),
        };
        self.strikes.order(spec.clone(), strike.duration_ms);
        match strike.orders.is_empty() {
            true => out.push(Command::Inject(spec)),
            false => self.begin_errand(now, spec, strike, out),
        }
    }

    /// Writes down a strike that was not possible, once until one is or the reason changes: it is
    /// tried again shortly, and most waits are for a recovery.
    fn note_skip(&mut self, now: u64, kind: FaultKind, why: &'static str) {
        if self.noted_skip.replace(why) == Some(why) {
            return;
        }
        self.seen.faults.push(Fault {
            time: now,
            begun: now,
            id: self.strikes.fresh_id(),
            kind,
            phase: FaultPhase::Skipped(why.into()),
            targets: Vec::new(),
            cuts: Vec::new(),
            note: "not now".into(),
        });
    }

    pub(super) fn tell_scenario(&mut self, now: u64, beat: Beat<'_>, out: &mut Vec<Command>) {
        let Some(scenario) = &mut self.scenario else {
            return;
        };
        if self.phase != Phase::Disturb {
            return;
        }
        for act in scenario.on(now, beat) {
            match act {
                Act::Ask { node, args, tag } => out.push(Command::Ask { node, args, tag }),
                Act::Look(node) => out.push(Command::Look(node)),
                Act::Strike(kind, strike) => self.inject(now, Drawn { kind, strike }, out),
                Act::Record(fault) => {
                    let is_installed = fault.phase == FaultPhase::Installed;
                    self.strikes.installed += u64::from(is_installed);
                    self.seen.faults.push(fault);
                }
                Act::WakeAt(time) => self.agenda.add(time, Due::Scenario),
                Act::Done => self.is_scenario_over = true,
            }
        }
    }

    /// The phase to go to now, if this one is over.
    fn next_phase(&self, now: u64) -> Option<Phase> {
        let elapsed = now - self.phase_since;
        let is_stable = |needed: u64| self.agreed_since.is_some_and(|since| since + needed <= now);
        match self.phase {
            Phase::Boot if is_stable(0) || elapsed >= self.settle_ns_max() => Some(Phase::Warm),
            Phase::Warm if elapsed >= WARM_NS => Some(Phase::Disturb),
            Phase::Disturb if self.is_scenario_over => Some(Phase::Heal),
            Phase::Disturb if elapsed >= self.plan.time_limit_ms * MS => Some(Phase::Heal),
            Phase::Heal if self.strikes.is_empty() => Some(Phase::Settle),
            Phase::Settle if is_stable(STABLE_NS) || elapsed >= self.settle_ns_max() => {
                Some(Phase::Drain)
            }
            Phase::Drain if self.clients.is_idle() || elapsed >= DRAIN_NS_MAX => Some(Phase::Read),
            Phase::Read if self.clients.has_read_all() || elapsed >= READ_NS_MAX => {
                Some(Phase::Rest)
            }
            Phase::Rest if self.has_rested(now, elapsed) || elapsed >= self.settle_ns_max() => {
                Some(Phase::Over)
            }
            Phase::Boot | Phase::Warm | Phase::Disturb | Phase::Heal => None,
            Phase::Settle | Phase::Drain | Phase::Read | Phase::Rest | Phase::Over => None,
        }
    }

    /// Longest wait for agreement, ns: H_state of the catalogue, with a slack of 1 s, and the time
    /// it takes to see that it is stable.
    fn settle_ns_max(&self) -> u64 {
        (4 * self.plan.node_timeout_ms + 8000) * MS + 2 * STABLE_NS
    }

    fn enter(&mut self, now: u64, phase: Phase, out: &mut Vec<Command>) -> Result<(), String> {
        match phase {
            Phase::Warm => self.begin_load(now)?,
            Phase::Disturb => {
                self.ordered.disturbed_at = Some(now);
                self.tell_scenario(now, Beat::Begin, out);
                if let Some(at_ms) = self.source.first_ms() {
                    self.agenda.add(now + at_ms * MS, Due::Strike);
                }
            }
            Phase::Settle => {
                self.healed_at = Some(now);
                self.agreed_since = None;
            }
            Phase::Read => {
                self.clients.begin_reading();
                for position in 0..self.clients.count() {
                    self.agenda.add(now, Due::Client(position));
                }
            }
            Phase::Rest => self.rest(now, out),
            Phase::Boot | Phase::Heal | Phase::Drain | Phase::Over => {}
        }
        Ok(())
    }

    fn begin_load(&mut self, now: u64) -> Result<(), String> {
        let entry = self.plan.scenario.as_deref().and_then(scenario::find);
        let workloads = match entry {
            Some(entry) => {
                let scenario = (entry.make)(&self.chart.picture(now), &self.nodes)?;
                let workload = scenario.workload();
                self.scenario = Some(scenario);
                vec![workload]
            }
            None => {
                let names = self.plan.workloads.iter();
                let entries = names.filter_map(|name| slotquake_workloads::registry::find(name));
                entries.map(|entry| (entry.make)(&self.plan.load)).collect()
            }
        };
        let pace = Pace {
            seed: self.plan.seed,
            clients: self.plan.process_count(),
            rate: self.plan.rate,
            begin: now,
            load: self.plan.load,
        };
        self.clients = Clients::new(pace, workloads, &self.nodes).under(&self.plan);
        for (position, due) in self.clients.first_dues().into_iter().enumerate() {
            self.agenda.add(due, Due::Client(position));
        }
        Ok(())
    }

    /// The phase and when it began, ns.
    pub(super) fn phase_and_begin(&self) -> (Phase, u64) {
        (self.phase, self.phase_since)
    }

    /// How far the run is.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Operations that ended ok, fail, info.
    pub fn tally(&self) -> [u64; 3] {
        self.clients.tally
    }

    /// Faults confirmed as installed.
    pub fn faults_installed(&self) -> u64 {
        self.strikes.installed
    }

    /// When all faults were healed, ns; none if the run did not get there.
    pub fn healed_at(&self) -> Option<u64> {
        self.healed_at
    }

    /// What was seen, what was ordered, and what the clients did.
    pub fn into_seen(self) -> (Seen, Ordered, Events) {
        let ordered = Ordered {
            operations: self.clients.begun,
            ..self.ordered
        };
        (self.seen, ordered, self.clients.events)
    }
}

//! Stories of whole runs, played in a world that answers everything at once.

use std::sync::Arc;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;

use slotquake_checkers::history::{Event, EventKind, Key, Value};
use slotquake_checkers::observation::setting::Server;
use slotquake_checkers::observation::{
    Fault, FaultKind, FaultPhase, NodeId, NodeName, NodeSetting, Setting, View, ViewEntry,
};
use slotquake_checkers::recording::Recording;
use slotquake_workloads::client::{Outcome, RespValue};

use super::run;
use crate::nemesis::Strike;
use crate::plan::{Plan, ScriptedStrike, WorldKind};
use crate::world::{Command, FaultSpec, Happening, Remains, World};

/// Whether the nodes of the obliging world ever agree.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Agreeing,
    Quarrelling,
    Falling,
}

/// Six nodes that do as they are told.
struct Obliging {
    now: u64,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    nodes: Vec<NodeSetting>,
    mood: Mood,
    /// Which node is master of the first shard: 1 or 4.
    first_master: usize,
    asked: Vec<NodeName>,
}

const LATENCY_NS: u64 = 1_000_000;

impl Obliging {
    fn new(mood: Mood) -> Obliging {
        let node = |number: usize| NodeSetting {
            name: NodeName::numbered(number),
            address: SocketAddrV4::new([10, 0, 0, number as u8].into(), 6379),
            bus_port: 16_379,
            server: Server::Reference,
        };
        Obliging {
            now: 0,
            queue: BTreeMap::new(),
            sequence: 0,
            nodes: (1..=6).map(node).collect(),
            mood,
            first_master: 1,
            asked: Vec::new(),
        }
    }

    fn later(&mut self, happening: Happening) {
        self.at(self.now + LATENCY_NS, happening);
    }

    fn at(&mut self, time: u64, happening: Happening) {
        self.queue.insert((time, self.sequence), happening);
        self.sequence += 1;
    }

    fn fault(&self, spec: FaultSpec, phase: FaultPhase) -> Happening {
        Happening::Fault(Fault {
            time: self.now,
            begun: self.now,
            id: spec.id,
            kind: spec.kind,
            phase,
            targets: spec.targets,
            cuts: spec.cuts,
            note: spec.note,
        })
    }

    fn view(&self, node: &NodeName) -> View {
        let id = |number: usize| NodeId(format!("{number:040}").into());
        let entry = |number: usize| {
            let shard = (number - 1) % 3;
            let master = if shard == 0 {
                self.first_master
            } else {
                shard + 1
            };
            let is_master = number == master;
            let slots = match is_master {
                true => format!("{}-{}", shard * 5461, shard * 5461 + 5460 + shard / 2),
                false => String::new(),
            };
            ViewEntry {
                id: id(number),
                address: String::new(),
                flags: if is_master { "master" } else { "slave" }.into(),
                master: (!is_master).then(|| id(master)),
                config_epoch: 1,
                connected: true,
                slots: slots.parse().expect("slot ranges"),
                open_slots: Vec::new(),
            }
        };
        let number = self.nodes.iter().position(|setting| setting.name == *node);
        View {
            time: self.now + LATENCY_NS,
            asked: self.now,
            node: node.clone(),
            id: id(number.expect("a known node") + 1),
            state_ok: self.mood != Mood::Quarrelling,
            current_epoch: 3,
            my_epoch: 1,
            size: 3,
            table: Arc::new((1..=6).map(entry).collect()),
        }
    }
}

impl World for Obliging {
    fn now(&self) -> u64 {
        self.now
    }

    fn nodes(&self) -> &[NodeSetting] {
        &self.nodes
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Invoke { process, op } => {
                let outcome = Outcome {
                    kind: if op.value.as_int().is_some_and(|value| value % 50 == 7) {
                        EventKind::Info
                    } else {
                        EventKind::Ok
                    },
                    value: op.value,
                    node: Some(self.nodes[0].address),
                    hops: vec![self.nodes[1].address],
                    error: None,
                    replicas: None,
                };
                self.later(Happening::Completed { process, outcome });
            }
            Command::Inject(_) if self.mood == Mood::Falling => panic!("it falls"),
            Command::Inject(spec) => {
                let fault = self.fault(spec, FaultPhase::Installed);
                self.later(fault);
            }
            Command::Heal(spec) => {
                let fault = self.fault(spec, FaultPhase::Healed);
                self.later(fault);
            }
            Command::Look(node) => {
                let view = self.view(&node);
                self.later(Happening::View(view));
            }
            Command::Ask { args, tag, .. } if args[0] == "DEBUG" || args[0] == "INFO" => {
                let reply = Ok(RespValue::Error("ERR command not allowed".into()));
                self.later(Happening::Answer { tag, reply });
            }
            Command::Ask { node, tag, .. } => {
                self.first_master = if &*node.0 == "n1" { 1 } else { 4 };
                self.asked.push(node);
                let reply = Ok(RespValue::Simple("OK".into()));
                self.later(Happening::Answer { tag, reply });
            }
            Command::WakeAt(time) => self.at(time, Happening::Woke),
        }
    }

    fn next(&mut self) -> anyhow::Result<Happening> {
        let first = self.queue.pop_first();
        let ((time, _), happening) = first.ok_or(anyhow::anyhow!("nothing to come"))?;
        self.now = time.max(self.now);
        Ok(happening)
    }

    fn finish(&mut self) -> anyhow::Result<Remains> {
        let mut setting = Setting::of_bare_history(self.now);
        setting.nodes = self.nodes.clone();
        Ok(Remains {
            packets: Vec::new(),
            setting,
        })
    }
}

fn play(plan: &Plan, world: &mut Obliging) -> Recording {
    assert_eq!(plan.validate(), Ok(()));
    run(plan, world, &mut |_| {}).expect("the world obliges")
}

fn plan() -> Plan {
    Plan {
        seed: 7,
        ..Plan::default()
    }
}

#[test]
fn every_fault_is_healed_before_the_end_and_every_kind_was_tried() {
    let recording = play(&plan(), &mut Obliging::new(Mood::Agreeing));
    let healed_at = recording.setting.healed_at.expect("the run got there");
    for kind in [FaultKind::Kill, FaultKind::Pause, FaultKind::Partition] {
        let of_kind = recording.faults.iter().filter(|fault| fault.kind == kind);
        let in_phase = |phase| of_kind.clone().filter(move |fault| fault.phase == phase);
        let installed: Vec<&Fault> = in_phase(FaultPhase::Installed).collect();
        let healed: Vec<&Fault> = in_phase(FaultPhase::Healed).collect();
        assert!(!installed.is_empty(), "{kind:?}");
        assert_eq!(installed.len(), healed.len(), "{kind:?}");
        assert!(healed.iter().all(|fault| fault.time <= healed_at));
    }
}

#[test]
fn reads_at_the_end_what_was_written() {
    let recording = play(&plan(), &mut Obliging::new(Mood::Agreeing));
    let healed_at = recording.setting.healed_at.expect("the run got there");
    let is_final = |event: &&Event| event.final_read && event.kind == EventKind::Ok;
    let read: Vec<&Key> = recording
        .events
        .ready()
        .expect("few events are not packed")
        .iter()
        .filter(is_final)
        .filter_map(|event| event.key.as_ref())
        .collect();
    let begun = recording
        .events
        .ready()
        .expect("few events are not packed")
        .iter()
        .filter(|event| event.value != Value::Nil);
    for key in begun.filter_map(|event| event.key.as_ref()) {
        assert!(read.contains(&key), "{key} was not read at the end");
    }
    let reads = recording.events.iter().filter(|event| event.final_read);
    assert!(reads.into_iter().all(|event| event.time > healed_at));
}

/// The history is well formed: one operation at a time for each process, none after `info`.
#[test]
fn a_process_works_alone_and_never_after_an_unknown_outcome() {
    let recording = play(&plan(), &mut Obliging::new(Mood::Agreeing));
    let mut last: BTreeMap<u32, EventKind> = BTreeMap::new();
    let mut unknown = 0;
    for (index, event) in recording.events.iter().enumerate() {
        assert_eq!(event.index, index as u64);
        let before = last.insert(event.process, event.kind);
        match event.kind {
            EventKind::Invoke => {
                assert!(!matches!(before, Some(EventKind::Invoke | EventKind::Info)));
            }
            EventKind::Ok | EventKind::Fail | EventKind::Info => {
                assert_eq!(before, Some(EventKind::Invoke));
                assert_eq!(event.hops, [NodeName::numbered(2)]);
                unknown += u32::from(event.kind == EventKind::Info);
            }
        }
    }
    assert!(unknown > 10);
}

#[test]
fn keeps_the_rate_it_was_given() {
    let recording = play(&plan(), &mut Obliging::new(Mood::Agreeing));
    let invoked = recording.events.iter().filter(|event| {
        event.kind == EventKind::Invoke && (5..25).contains(&(event.time / 1_000_000_000))
    });
    let rate = invoked.count() / 20;
    assert!((180..=220).contains(&rate), "{rate} per second");
}

/// Functions of each client's operations, in order.
fn functions_of_clients(faults: Vec<FaultKind>) -> BTreeMap<u32, Vec<String>> {
    let plan = Plan { faults, ..plan() };
    let recording = play(&plan, &mut Obliging::new(Mood::Agreeing));
    let mut clients: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for event in recording
        .events
        .ready()
        .expect("few events are not packed")
        .iter()
        .filter(|event| event.kind == EventKind::Invoke)
    {
        let ops = clients.entry(event.process % plan.concurrency).or_default();
        if ops.len() < 300 {
            ops.push(format!("{:?} {:?}", event.f, event.key));
        }
    }
    clients
}

#[test]
fn dropping_a_kind_of_fault_does_not_reshuffle_what_clients_do() {
    let all = functions_of_clients(vec![FaultKind::Kill, FaultKind::Pause]);
    assert_eq!(all, functions_of_clients(vec![FaultKind::Pause]));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let first = play(&plan(), &mut Obliging::new(Mood::Agreeing));
    assert_eq!(first, play(&plan(), &mut Obliging::new(Mood::Agreeing)));
    let other = Plan { seed: 8, ..plan() };
    assert_ne!(first, play(&other, &mut Obliging::new(Mood::Agreeing)));
}

/// What was installed, at which ms after the first operation could begin to be disturbed.
#[test]
fn a_script_is_carried_out_in_order_and_on_time() {
    let step = |at_ms, kind, node, duration_ms| ScriptedStrike {
        at_ms,
        kind,
        strike: Strike {
            targets: vec![NodeName::numbered(node)],
            note: format!("step at {at_ms}"),
            duration_ms,
            ..Strike::default()
        },
    };
    let script = vec![
        step(1_500, FaultKind::Kill, 1, 4_000),
        step(1_500, FaultKind::Pause, 5, 700),
        step(9_000, FaultKind::Pause, 2, 3_000),
    ];
    let plan = plan().scripted(script.clone());
    let recording = play(&plan, &mut Obliging::new(Mood::Agreeing));
    let in_phase = |phase| {
        recording
            .faults
            .iter()
            .filter(move |fault| fault.phase == phase)
    };
    let installed: Vec<&Fault> = in_phase(FaultPhase::Installed).collect();
    let notes: Vec<&str> = installed.iter().map(|fault| fault.note.as_str()).collect();
    assert_eq!(notes, ["step at 1500", "step at 1500", "step at 9000"]);
    let gaps: Vec<u64> = installed
        .iter()
        .map(|fault| (fault.time - installed[0].time) / 1_000_000)
        .collect();
    assert_eq!(gaps, [0, 0, 7_500]);
    for (fault, step) in installed.iter().zip(&script) {
        let healed = in_phase(FaultPhase::Healed).find(|healed| healed.id == fault.id);
        let lasted_ms = (healed.expect("it is healed").time - fault.time) / 1_000_000;
        let expected = step.strike.duration_ms;
        assert!((expected..expected + 3).contains(&lasted_ms), "{lasted_ms}");
    }
}

#[test]
fn a_cluster_that_never_agrees_is_read_as_it_is() {
    let recording = play(&plan(), &mut Obliging::new(Mood::Quarrelling));
    assert!(recording.events.iter().any(|event| event.final_read));
}

#[test]
fn what_was_ordered_before_a_panic_is_kept() {
    let mut world = Obliging::new(Mood::Falling);
    let plan = Plan {
        world: WorldKind::Sim,
        ..plan()
    };
    let Err(fallen) = super::play_or_fall(&plan, &mut world) else {
        panic!("the world falls at the first fault");
    };
    assert_eq!(fallen.ordered.script.len(), 1);
    assert!(!fallen.ordered.operations.is_empty());
    assert_eq!(fallen.panic.downcast_ref::<&str>(), Some(&"it falls"));
}

#[test]
fn a_run_without_load_and_faults_leaves_no_operation() {
    let plan = Plan {
        rate: 0,
        faults: Vec::new(),
        time_limit_ms: 2000,
        ..plan()
    };
    let recording = play(&plan, &mut Obliging::new(Mood::Agreeing));
    assert!(recording.events.is_empty());
    assert!(recording.faults.is_empty());
}

#[test]
fn the_double_manual_failover_orders_three_failovers_and_pins_its_writers() {
    let entry = super::scenario::find("double-manual-failover").expect("registered");
    let mut plan = Plan {
        scenario: Some(entry.name.into()),
        ..plan()
    };
    (entry.adapt)(&mut plan);
    let mut world = Obliging::new(Mood::Agreeing);
    let recording = play(&plan, &mut world);
    let names: Vec<String> = world.asked.iter().map(NodeName::to_string).collect();
    assert_eq!(names, ["n4", "n1", "n4"]);
    let phases: Vec<&FaultPhase> = recording.faults.iter().map(|fault| &fault.phase).collect();
    assert_eq!(
        phases,
        [&FaultPhase::Installed, &FaultPhase::Healed].repeat(3)
    );
    let keys = recording.events.iter().filter_map(|event| event.key);
    let keys: std::collections::BTreeSet<Key> = keys.collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn a_scenario_refuses_a_plan_that_lacks_what_it_needs() {
    let plan = Plan {
        scenario: Some("double-manual-failover".into()),
        replicas: 0,
        node_timeout_ms: 15_000,
        ..plan()
    };
    let error = plan.validate().expect_err("no replica").to_string();
    assert!(error.contains("--replicas 1"), "{error}");
}

fn play_scenario(name: &str) -> (Obliging, Recording) {
    let entry = super::scenario::find(name).expect("registered");
    let mut plan = Plan {
        scenario: Some(entry.name.into()),
        ..plan()
    };
    (entry.adapt)(&mut plan);
    let mut world = Obliging::new(Mood::Agreeing);
    let recording = play(&plan, &mut world);
    (world, recording)
}

/// Kind, phase and target of each step.
fn steps(recording: &Recording) -> Vec<(FaultKind, &FaultPhase, String)> {
    let steps = recording.faults.iter();
    steps
        .map(|fault| (fault.kind, &fault.phase, fault.targets[0].to_string()))
        .collect()
}

#[test]
fn the_source_of_a_migration_is_killed_once_the_slot_is_open_at_both_ends() {
    let (world, recording) = play_scenario("source-fails-over");
    let names: Vec<String> = world.asked.iter().map(NodeName::to_string).collect();
    assert_eq!(names, ["n2", "n1"], "the target first");
    let step = |phase| (FaultKind::Kill, phase, "n1".to_string());
    let expected = [FaultPhase::Installed, FaultPhase::Healed];
    assert_eq!(steps(&recording), expected.each_ref().map(step));
    let back = recording.faults[1].time;
    let end = recording.setting.healed_at.expect("it came to its end");
    assert!(
        end >= back + 8_000_000_000,
        "the cluster has time to recover"
    );
}

#[test]
fn the_deposed_master_stands_still_long_enough_for_an_election() {
    let (_, recording) = play_scenario("deposed-master-resumes");
    let step = |phase| (FaultKind::Pause, phase, "n1".to_string());
    let expected = [FaultPhase::Installed, FaultPhase::Healed];
    assert_eq!(steps(&recording), expected.each_ref().map(step));
    let [stopped, resumed] = [0, 1].map(|step| recording.faults[step].time);
    assert!(
        resumed - stopped >= 4_500_000_000,
        "2 NT, an election, a second"
    );
}

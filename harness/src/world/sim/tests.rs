//! Proofs of the simulated world: whole runs of the reference node in virtual time.

use std::collections::{BTreeMap, BTreeSet};

use slotquake_checkers::history::{EventKind, Function, Value};
use slotquake_checkers::observation::{
    FaultKind, FaultPhase, LifecycleKind, NodeName, Packet, PacketKind, View,
};
use slotquake_checkers::recording::Recording;
use slotquake_core::output::File;

use super::SimWorld;
use super::disk::Left;
use crate::director;
use crate::nemesis::Dose;
use crate::plan::{Plan, WorldKind};
use crate::world::{Command, FaultSpec, Happening, World};

fn plan(seed: u64) -> Plan {
    Plan {
        seed,
        world: WorldKind::Sim,
        time_limit_ms: 15_000,
        ..Plan::default()
    }
}

fn play(plan: &Plan) -> Recording {
    let mut world = SimWorld::boot(plan).expect("the cluster forms");
    director::run(plan, &mut world, &mut |_| {}).expect("the simulation goes on")
}

#[test]
fn six_nodes_form_a_cluster_in_a_few_virtual_seconds() {
    let world = SimWorld::boot(&plan(1)).expect("the cluster forms");
    assert!(world.now() < 5_000_000_000, "{} ns", world.now());
}

/// The observer's short way past the texts shows what the texts say.
#[test]
fn a_look_shows_what_the_node_would_print() {
    let mut world = SimWorld::boot(&plan(1)).expect("the cluster forms");
    world.happenings.clear();
    let mut views = [Vec::new(), Vec::new()];
    for (way, look) in [SimWorld::look, SimWorld::look_as_client]
        .into_iter()
        .enumerate()
    {
        (0..6).for_each(|host| look(&mut world, host));
        while views[way].len() < 6 {
            if let Happening::View(view) = world.next().expect("the simulation goes on") {
                views[way].push(view);
            }
        }
        views[way].sort_by(|a, b| a.node.cmp(&b.node));
    }
    for (short, long) in views[0].iter().zip(&views[1]) {
        assert_eq!(short.table, long.table);
        let facts = |view: &View| (view.id.clone(), view.state_ok, view.size);
        assert_eq!(facts(short), facts(long));
        let epochs = |view: &View| (view.current_epoch, view.my_epoch);
        assert_eq!(epochs(short), epochs(long));
    }
}

/// Wake-ups that an earlier one displaced must not pile up: each would wake the director for good.
#[test]
fn the_director_is_woken_once_at_each_time_it_asked_for() {
    let mut world = SimWorld::boot(&plan(1)).expect("the cluster forms");
    world.happenings.clear();
    let start = world.now();
    let at = |ms: u64| start + ms * super::MS;
    for ms in [5, 3] {
        world.execute(Command::WakeAt(at(ms)));
    }
    let mut woken = Vec::new();
    while world.now() < at(20) {
        if world.next().expect("the simulation goes on") == Happening::Woke {
            woken.push((world.now() - start) / super::MS);
            let next = if woken.len() == 1 { 5 } else { 20 };
            world.execute(Command::WakeAt(at(next)));
        }
    }
    assert_eq!(woken, [3, 5, 20]);
}

#[test]
fn the_same_seed_gives_the_same_recording() {
    let first = play(&plan(11));
    let second = play(&plan(11));
    assert_eq!(first.events, second.events);
    assert!(
        first == second,
        "views, packets, faults or lifecycles differ"
    );
    assert!(first.events != play(&plan(12)).events);
}

/// Everything but the numbers of the faults, and the attempts that were no faults.
fn course_of(recording: &Recording) -> Vec<String> {
    let faults = recording.faults.iter();
    let faults = faults.filter(|fault| !matches!(fault.phase, FaultPhase::Skipped(_)));
    let steps = faults.map(|fault| (fault.time, &fault.note, &fault.phase, &fault.cuts));
    steps.map(|step| format!("{step:?}")).collect()
}

#[test]
fn the_script_that_a_run_leaves_plays_the_same_run() {
    for seed in [3, 8, 21] {
        let drawn = Plan {
            fault_interval_ms: 2_000,
            ..plan(seed)
        };
        let mut world = SimWorld::boot(&drawn).expect("the cluster forms");
        let played = director::play(&drawn, &mut world, &mut |_| {});
        assert!(
            played.ordered.script.len() >= 4,
            "{:?}",
            played.ordered.script
        );
        let scripted = drawn.scripted(played.ordered.script.clone());
        assert_eq!(scripted.validate(), Ok(()));
        let mut world = SimWorld::boot(&scripted).expect("the cluster forms");
        let again = director::play(&scripted, &mut world, &mut |_| {});
        assert_eq!(again.ordered.script, played.ordered.script);
        let (first, again) = (played.recording, again.recording);
        assert_eq!(course_of(&first), course_of(&again));
        assert!(first.events == again.events, "seed {seed}: other history");
        assert!(first.packets == again.packets, "seed {seed}: other packets");
        assert!(first.views == again.views, "seed {seed}: other views");
        assert!(first.lifecycles == again.lifecycles, "seed {seed}");
        assert!(first.setting == again.setting, "seed {seed}");
    }
}

#[test]
fn a_killed_master_is_replaced_by_election() {
    let plan = Plan {
        faults: vec![FaultKind::Kill],
        ..plan(3)
    };
    let recording = play(&plan);
    let kinds = recording.packets.iter().map(|packet| packet.kind);
    let votes = kinds.filter(|kind| *kind == PacketKind::AuthAck).count();
    assert!(votes >= 2, "{votes} votes");
    assert!(recording.setting.healed_at.is_some());
}

#[test]
fn a_run_without_faults_loses_nothing_and_elects_nobody() {
    let plan = Plan {
        faults: Vec::new(),
        time_limit_ms: 5000,
        ..plan(5)
    };
    let recording = play(&plan);
    let mut kinds = recording.packets.iter().map(|packet| packet.kind);
    assert!(!kinds.any(|kind| kind == PacketKind::AuthRequest));
    let errors: Vec<_> = recording
        .events
        .ready()
        .expect("few events are not packed")
        .iter()
        .filter_map(|event| event.error.clone())
        .collect();
    let is_mismatch = |error: &str| error.contains("expected one") || error.contains("watched");
    assert!(errors.iter().all(|error| is_mismatch(error)), "{errors:?}");
}

#[test]
fn no_packet_crosses_a_cut() {
    let plan = Plan {
        faults: vec![FaultKind::Partition],
        ..plan(9)
    };
    let recording = play(&plan);
    let installed = recording
        .faults
        .iter()
        .filter(|fault| fault.phase == FaultPhase::Installed);
    let mut examined = 0;
    for fault in installed {
        let healed = recording
            .faults
            .iter()
            .find(|other| other.id == fault.id && other.phase == FaultPhase::Healed);
        let end = healed.expect("each fault is healed").time;
        for packet in &recording.packets {
            let is_cut = fault
                .cuts
                .contains(&(packet.from.clone(), packet.to.clone()));
            let during = packet
                .delivered
                .is_some_and(|at| at > fault.time && at < end);
            assert!(!(is_cut && during), "{packet:?}");
            examined += u32::from(is_cut);
        }
    }
    assert!(examined > 0);
}

/// The three failovers of invariants.md C.1, with these directives on every node.
fn double_manual_failover(directives: &BTreeMap<String, String>) -> Recording {
    let mut plan = Plan {
        scenario: Some("double-manual-failover".into()),
        ..plan(1)
    };
    let entry = director::scenario::find("double-manual-failover").expect("registered");
    (entry.adapt)(&mut plan);
    plan.rate = 800;
    let mut world = SimWorld::boot_with(&plan, directives).expect("the cluster forms");
    director::run(&plan, &mut world, &mut |_| {}).expect("the simulation goes on")
}

/// Acknowledged elements that no final read shows.
fn lost_elements(recording: &Recording) -> usize {
    let ok = recording
        .events
        .ready()
        .expect("few events are not packed")
        .iter()
        .filter(|event| event.kind == EventKind::Ok);
    let (reads, adds): (Vec<_>, Vec<_>) = ok.partition(|event| event.f == Function::Read);
    let mut present: BTreeSet<&Value> = BTreeSet::new();
    for event in reads.iter().filter(|event| event.final_read) {
        if let Value::List(elements) = &event.value {
            present.extend(elements);
        }
    }
    adds.iter()
        .filter(|event| !present.contains(&event.value))
        .count()
}

/// The reference node clears its votes, so three manual failovers in a row lose nothing (MF-01).
#[test]
fn the_reference_node_survives_three_manual_failovers() {
    let recording = double_manual_failover(&BTreeMap::new());
    assert_eq!(lost_elements(&recording), 0);
    let reigns = recording
        .views
        .iter()
        .filter(|view| view.my_epoch >= 4 && view.size == 3);
    assert!(reigns.count() > 0, "no failover won");
    let healed = recording
        .faults
        .iter()
        .filter(|fault| fault.phase == FaultPhase::Healed);
    assert_eq!(healed.count(), 3);
}

/// The scenario shows what it is there to show: a node with upstream's weakness loses writes.
#[test]
fn the_upstream_profile_loses_acknowledged_writes_to_three_manual_failovers() {
    let profile = ("slotquake-profile".to_string(), "upstream-7.0".to_string());
    let recording = double_manual_failover(&BTreeMap::from([profile]));
    assert!(lost_elements(&recording) > 0);
}

/// A booted cluster, and a fault in it.
struct Stage {
    world: SimWorld,
    seen: Vec<Happening>,
}

impl Stage {
    fn new() -> Stage {
        let mut world = SimWorld::boot(&plan(1)).expect("the cluster forms");
        world.happenings.clear();
        Stage {
            world,
            seen: Vec::new(),
        }
    }

    fn fault(&mut self, kind: FaultKind, target: &str, dose: Option<Dose>) -> FaultSpec {
        let spec = FaultSpec {
            id: 1,
            kind,
            targets: vec![NodeName(target.into())],
            cuts: Vec::new(),
            dose,
            note: String::new(),
        };
        self.world.execute(Command::Inject(spec.clone()));
        spec
    }

    fn bump_epoch(&mut self, node: &str) {
        self.world.execute(Command::Ask {
            node: NodeName(node.into()),
            args: vec!["CLUSTER".into(), "BUMPEPOCH".into()],
            tag: 1,
        });
    }

    fn go_on_for(&mut self, ms: u64) {
        let until = self.world.now() + ms * super::MS;
        self.world.execute(Command::WakeAt(until));
        while self.world.now() < until {
            let happening = self.world.next().expect("the simulation goes on");
            self.seen.push(happening);
        }
    }

    fn has_answered(&self) -> bool {
        let mut seen = self.seen.iter();
        seen.any(|happening| matches!(happening, Happening::Answer { reply: Ok(_), .. }))
    }

    fn lives(&self) -> Vec<LifecycleKind> {
        let lives = self.seen.iter().filter_map(|happening| match happening {
            Happening::Lifecycle(life) => Some(life.what),
            _ => None,
        });
        lives.collect()
    }
}

/// Proves EP-05: what must be on disk is there before the answer leaves.
#[test]
fn a_node_on_a_slow_disk_answers_when_its_sync_is_done() {
    let mut stage = Stage::new();
    stage.fault(FaultKind::SlowDisk, "n1", Some(Dose::DelayMs(500)));
    stage.bump_epoch("n1");
    stage.go_on_for(499);
    assert!(!stage.has_answered());
    stage.go_on_for(10);
    assert!(stage.has_answered());
}

/// Proves PS-13.
#[test]
fn a_node_without_room_on_its_disk_ends_and_is_started_again_at_the_heal() {
    let mut stage = Stage::new();
    let full = stage.fault(FaultKind::FullDisk, "n1", None);
    stage.bump_epoch("n1");
    stage.go_on_for(100);
    assert_eq!(stage.lives(), [LifecycleKind::Died]);
    assert!(!stage.has_answered());
    stage.world.execute(Command::Heal(full));
    stage.go_on_for(100);
    assert_eq!(stage.lives()[1..], [LifecycleKind::Started]);
}

/// Proves DU-01: a start that fails is on record as one.
#[test]
fn a_node_that_refuses_its_files_starts_and_ends() {
    let mut stage = Stage::new();
    let kill = stage.fault(FaultKind::Kill, "n1", None);
    let host = stage.world.host_of(&NodeName("n1".into()));
    let host = &mut stage.world.hosts[host.expect("it is a node")];
    host.disk.spoil(File::NodesConf, Left::Half);
    stage.world.execute(Command::Heal(kill));
    stage.go_on_for(100);
    let started_and_ended = [LifecycleKind::Started, LifecycleKind::Died];
    assert_eq!(stage.lives()[1..], started_and_ended);
}

#[test]
fn a_node_whose_clock_is_set_back_goes_on_with_its_pings() {
    let mut stage = Stage::new();
    stage.fault(FaultKind::ClockStep, "n1", Some(Dose::StepMs(-60_000)));
    stage.go_on_for(10_000);
    let since = stage.world.now() - 5_000 * super::MS;
    let remains = stage.world.finish().expect("the run ends");
    let is_ping = |packet: &&Packet| packet.kind == PacketKind::Ping && packet.time > since;
    let pings = remains.packets.iter().filter(is_ping);
    let pings = pings.filter(|packet| packet.from == NodeName("n1".into()));
    assert!(pings.count() >= 10);
}

/// Bytes wait at the receiver's kernel, or on the way, whatever became of who sent them.
#[test]
fn what_a_dead_node_had_sent_still_arrives() {
    let mut stage = Stage::new();
    let cut = FaultSpec {
        id: 2,
        cuts: vec![(NodeName("n1".into()), NodeName("n2".into()))],
        ..stage.fault(FaultKind::ClockDrift, "n1", Some(Dose::DriftPpm(1)))
    };
    let cut = FaultSpec {
        kind: FaultKind::BusCut,
        ..cut
    };
    stage.world.execute(Command::Inject(cut.clone()));
    stage.go_on_for(900);
    stage.fault(FaultKind::Kill, "n1", None);
    let death = stage.world.now();
    stage.world.execute(Command::Heal(cut));
    stage.go_on_for(1_000);
    let remains = stage.world.finish().expect("the run ends");
    let is_late = |packet: &&Packet| {
        let is_of_the_dead = packet.from == NodeName("n1".into()) && packet.time < death;
        is_of_the_dead
            && packet
                .delivered
                .is_some_and(|time| time > death + 1_000_000)
    };
    assert!(remains.packets.iter().any(|packet| is_late(&packet)));
}

//! The sandbox and the local world with a real server, without a test framework: the sandbox must
//! be entered before any thread starts, and libtest starts threads.
//!
//! First the sandbox is killed from outside and must leave nothing; then this process enters it
//! itself and breaks one cluster of redis-server 7.0.15 in several ways.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command as Process, ExitCode, Stdio};
use std::time::{Duration, Instant};

use slotquake::plan::{Plan, WorldKind};
use slotquake::sandbox::cuts::{self, Cuts};
use slotquake::sandbox::probe::probe;
use slotquake::sandbox::{self, Entered, Isolation, Sandbox, Wanted};
use slotquake::target::{self, Launch};
use slotquake::world::local::{LocalOptions, LocalWorld};
use slotquake::world::{Command, FaultSpec, Happening, World};
use slotquake_checkers::history::{EventKind, Function, Value};
use slotquake_checkers::observation::{
    Fault, FaultKind, FaultPhase, LifecycleKind, NodeName, PacketKind, View,
};
use slotquake_workloads::workload::{Aim, Op, Shape};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    match words.get(1).map(String::as_str) {
        Some("--victim") => victim(&words[2], &words[3]),
        Some("--list") => {
            println!("local_world: test");
            ExitCode::SUCCESS
        }
        Some(_) | None => all(),
    }
}

fn all() -> ExitCode {
    for wanted in ["best", "plain"] {
        leaves_nothing_behind_when_killed(wanted);
    }
    let launches = target::resolve("redis@7.0.15", 6).expect("a real server");
    let store = tempfile::tempdir().expect("a temporary folder");
    match sandbox::enter(Wanted::Best).expect("a sandbox") {
        Entered::Outer(status) => ExitCode::from(status),
        Entered::Inside(sandbox) => {
            both_packet_filters_cut_alike(&sandbox);
            breaks_a_real_cluster_and_sees_it(&sandbox, launches, store.path());
            // The folder is the outer process's to remove.
            let _kept = store.keep();
            ExitCode::SUCCESS
        }
    }
}

/// nf_tables, and the `iptables` program that stands in for it.
fn both_packet_filters_cut_alike(sandbox: &Sandbox) {
    let path = |source: u8, target: u8, port: Option<u16>| cuts::Path {
        source: Ipv4Addr::new(127, 0, 3, source),
        target: Ipv4Addr::new(127, 0, 3, target),
        port,
    };
    let (whole, way_back) = (path(1, 2, None), path(2, 1, None));
    let (port, other_port) = (path(3, 4, Some(7000)), path(3, 4, Some(7001)));
    let all = BTreeSet::from([whole, way_back, port, other_port]);
    for open in [Cuts::open, Cuts::by_program] {
        let mut cuts = open(sandbox).expect("a packet filter");
        for wanted in [
            BTreeSet::from([whole, port]),
            BTreeSet::from([port]),
            BTreeSet::new(),
        ] {
            cuts.set(&wanted).expect("a change that is taken");
            assert_eq!(probe(&all).expect("the control arrives").cut, wanted);
        }
    }
    println!("both_packet_filters_cut_alike ... ok");
}

/// The harness that will be killed: enters the sandbox, leaves a process running and waits.
fn victim(wanted: &str, mark: &str) -> ExitCode {
    let wanted = match wanted {
        "plain" => Wanted::Plain,
        _ => Wanted::Best,
    };
    match sandbox::enter(wanted).expect("a sandbox") {
        Entered::Outer(status) => ExitCode::from(status),
        Entered::Inside(sandbox) => {
            let folder = sandbox.scratch().join("node");
            std::fs::create_dir(&folder).expect("the scratch folder takes a folder");
            println!("{}", sandbox.scratch().display());
            let mut sleep = Process::new("sleep");
            sleep.args([mark, mark]);
            if matches!(sandbox.isolation(), Isolation::Namespaces) {
                // No death signal: the pid namespace must do.
                let mut child = sleep.spawn().expect("sleep runs");
                child.wait().expect("sleep ends");
            }
            std::thread::sleep(Duration::from_secs(60));
            ExitCode::SUCCESS
        }
    }
}

fn leaves_nothing_behind_when_killed(wanted: &str) {
    // A number of seconds that nobody else sleeps for.
    let mark = format!("{}.25", 100_000 + std::process::id());
    let mut harness = start_victim(wanted, &mark);
    let mut line = String::new();
    let out = harness.stdout.take().expect("its output is piped");
    BufReader::new(out)
        .read_line(&mut line)
        .expect("it says where its folder is");
    let scratch = Path::new(line.trim());
    if wanted == "best" && scratch.starts_with("/sys") {
        until("the node runs", || !processes_with(&mark).is_empty());
    }
    harness.kill().expect("it runs");
    harness.wait().expect("it was started here");
    until("all its processes are gone", || {
        processes_with(&mark).is_empty()
    });
    until("its folder is gone", || !scratch.join("node").exists());
    println!("leaves_nothing_behind_when_killed ({wanted}) ... ok");
}

fn start_victim(wanted: &str, mark: &str) -> Child {
    Process::new(std::env::current_exe().expect("this program has a path"))
        .args(["--victim", wanted, mark])
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs")
}

/// Processes with this word on their command line, the harness itself included.
fn processes_with(mark: &str) -> Vec<String> {
    let lines = std::fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| {
            let line = std::fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
    lines
        .filter(|line| line.contains(mark) && line.starts_with("sleep"))
        .collect()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "waited 10 s until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn breaks_a_real_cluster_and_sees_it(sandbox: &Sandbox, launches: Vec<Launch>, store: &Path) {
    let plan = Plan {
        world: WorldKind::Local,
        node_timeout_ms: 1000,
        faults: vec![FaultKind::FullDisk],
        ..Plan::default()
    };
    let options = LocalOptions {
        plan: &plan,
        launches,
        artefacts: store.to_owned(),
        sandbox,
    };
    let world = LocalWorld::boot(options).expect("the cluster comes up");
    let mut story = Story {
        world,
        seen: Vec::new(),
    };
    let partitions = matches!(sandbox.isolation(), Isolation::Namespaces);

    story.writes_and_reads();
    story.a_killed_master_is_replaced_and_comes_back();
    story.a_paused_node_does_not_answer();
    if partitions {
        story.a_cut_off_master_is_replaced();
        story.a_cut_of_the_bus_leaves_clients_alone();
        story.a_cut_of_data_leaves_the_bus_alone();
        story.a_disk_is_full_until_the_heal();
    }
    let remains = story.world.finish().expect("the run ends");
    let setting = &remains.setting;
    println!(
        "cluster ok in {} ms, canary {} ms, {} packets, {} lost",
        setting.cluster_ok_ms,
        setting.canary_delay_ms,
        remains.packets.len(),
        setting.bus_packets_lost
    );
    assert!(setting.cluster_ok_ms < 20_000);
    if partitions {
        let votes = remains
            .packets
            .iter()
            .filter(|packet| packet.kind == PacketKind::AuthAck);
        let delivered = votes.filter(|vote| vote.delivered.is_some_and(|time| time >= vote.time));
        let voters: Vec<String> = delivered
            .map(|vote| format!("{}>{}", vote.from, vote.to))
            .collect();
        println!("votes {voters:?}");
        assert!(
            voters.len() >= 4,
            "two elections have two votes each at least"
        );
        assert!(
            store
                .join("bus.pcapng")
                .metadata()
                .is_ok_and(|file| file.len() > 100_000)
        );
    }
    for file in ["redis.conf", "log", "nodes.conf", "nodes.conf.1"] {
        assert!(store.join("nodes/n1").join(file).is_file(), "{file}");
    }
    println!("breaks_a_real_cluster_and_sees_it ... ok");
}

/// The world, and all it said.
struct Story {
    world: LocalWorld,
    seen: Vec<Happening>,
}

impl Story {
    /// The next happening for which `pick` gives something.
    fn await_happening<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Happening) -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(
                Instant::now() < deadline,
                "waited 30 s for {what}: {:?}",
                self.seen
            );
            self.world
                .execute(Command::WakeAt(self.world.now() + 50_000_000));
            let happening = self.world.next().expect("the world goes on");
            let picked = pick(&happening);
            if !matches!(happening, Happening::Woke) {
                self.seen.push(happening);
            }
            if let Some(picked) = picked {
                return picked;
            }
        }
    }

    fn await_view(&mut self, node: &str, what: &str, holds: impl Fn(&View) -> bool) -> View {
        let name = NodeName(node.into());
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            assert!(
                Instant::now() < deadline,
                "waited 30 s until {node} says {what}"
            );
            self.world.execute(Command::Look(name.clone()));
            let view = self.await_happening(what, |happening| match happening {
                Happening::View(view) if view.node == name => Some(Some(view.clone())),
                Happening::Woke => Some(None),
                _ => None,
            });
            if let Some(view) = view.filter(|view| holds(view)) {
                return view;
            }
        }
    }

    fn step(&mut self, command: Command) -> Fault {
        self.world.execute(command);
        self.await_happening("the fault's step", |happening| match happening {
            Happening::Fault(fault) => Some(fault.clone()),
            _ => None,
        })
    }

    fn writes_and_reads(&mut self) {
        let ops = [
            (Function::Write, Value::Int(7)),
            (Function::Read, Value::Nil),
        ];
        for (f, value) in ops {
            let op = Op {
                f,
                key: "k1".into(),
                value,
                shape: Shape::Register,
                final_read: false,
                aim: Aim::Owner,
                patience_ms: 1000,
                value_bytes: 0,
                wait: None,
            };
            self.world.execute(Command::Invoke { process: 0, op });
            let outcome =
                self.await_happening("the operation's end", |happening| match happening {
                    Happening::Completed { outcome, .. } => Some(outcome.clone()),
                    _ => None,
                });
            assert_eq!(outcome.kind, EventKind::Ok, "{outcome:?}");
            if f == Function::Read {
                assert_eq!(outcome.value, Value::Int(7));
            }
        }
        println!("writes_and_reads ... ok");
    }

    fn a_killed_master_is_replaced_and_comes_back(&mut self) {
        let kill = spec(1, FaultKind::Kill, &["n1"], &[]);
        let fault = self.step(Command::Inject(kill.clone()));
        assert_eq!(fault.phase, FaultPhase::Installed);
        assert!(self.seen.iter().any(|happening| matches!(
            happening,
            Happening::Lifecycle(life) if life.what == LifecycleKind::Killed
        )));
        self.await_view("n4", "that it is a master", is_master);
        let healed = self.step(Command::Heal(kill));
        assert_eq!(healed.phase, FaultPhase::Healed);
        self.await_view("n1", "that it follows", |view| {
            view.state_ok && !is_master(view)
        });
        println!("a_killed_master_is_replaced_and_comes_back ... ok");
    }

    fn a_paused_node_does_not_answer(&mut self) {
        let pause = spec(2, FaultKind::Pause, &["n3"], &[]);
        let fault = self.step(Command::Inject(pause.clone()));
        assert_eq!(fault.phase, FaultPhase::Installed);
        assert!(fault.time - fault.begun < 1_000_000_000);
        let ask = Command::Ask {
            node: NodeName("n3".into()),
            args: vec!["PING".into()],
            tag: 9,
        };
        self.world.execute(ask);
        let reply = self.await_happening("no answer", |happening| match happening {
            Happening::Answer { tag: 9, reply } => Some(reply.clone()),
            _ => None,
        });
        assert!(reply.is_err(), "{reply:?}");
        assert_eq!(self.step(Command::Heal(pause)).phase, FaultPhase::Healed);
        self.await_view("n3", "ok", |view| view.state_ok);
        println!("a_paused_node_does_not_answer ... ok");
    }

    fn a_cut_off_master_is_replaced(&mut self) {
        let others = ["n1", "n3", "n4", "n5", "n6"];
        let cuts: Vec<(&str, &str)> = others
            .iter()
            .flat_map(|other| [("n2", *other), (*other, "n2")])
            .collect();
        let partition = spec(3, FaultKind::Partition, &["n2"], &cuts);
        let fault = self.step(Command::Inject(partition.clone()));
        assert_eq!(fault.phase, FaultPhase::Installed);
        println!("cut in {} us", (fault.time - fault.begun) / 1000);
        self.await_view("n2", "fail", |view| !view.state_ok);
        self.await_view("n5", "that it is a master", is_master);
        let healed = self.step(Command::Heal(partition));
        assert_eq!(healed.phase, FaultPhase::Healed);
        self.await_view("n2", "that it follows", |view| {
            view.state_ok && !is_master(view)
        });
        println!("a_cut_off_master_is_replaced ... ok");
    }
}

impl Story {
    fn a_cut_of_the_bus_leaves_clients_alone(&mut self) {
        let others = ["n1", "n2", "n4", "n5", "n6"];
        let cuts: Vec<(&str, &str)> = others
            .iter()
            .flat_map(|other| [("n3", *other), (*other, "n3")])
            .collect();
        let cut = spec(4, FaultKind::BusCut, &["n3"], &cuts);
        assert_eq!(
            self.step(Command::Inject(cut.clone())).phase,
            FaultPhase::Installed
        );
        assert_eq!(self.open_ports("n3", "n1"), [false, true]);
        assert_eq!(self.open_ports("n1", "n3"), [false, true]);
        self.await_view("n3", "fail", |view| !view.state_ok);
        assert_eq!(self.step(Command::Heal(cut)).phase, FaultPhase::Healed);
        assert_eq!(self.open_ports("n3", "n1"), [true, true]);
        self.await_view("n3", "ok", |view| view.state_ok);
        println!("a_cut_of_the_bus_leaves_clients_alone ... ok");
    }

    fn a_cut_of_data_leaves_the_bus_alone(&mut self) {
        let cut = spec(5, FaultKind::DataCut, &["n1"], &[("n1", "n4")]);
        assert_eq!(
            self.step(Command::Inject(cut.clone())).phase,
            FaultPhase::Installed
        );
        assert_eq!(self.open_ports("n1", "n4"), [true, false]);
        assert_eq!(self.open_ports("n4", "n1"), [true, true]);
        assert_eq!(self.step(Command::Heal(cut)).phase, FaultPhase::Healed);
        println!("a_cut_of_data_leaves_the_bus_alone ... ok");
    }

    /// Whether packets of the bus and of clients pass, in this direction.
    fn open_ports(&self, from: &str, to: &str) -> [bool; 2] {
        let node = |name: &str| {
            let mut nodes = self.world.nodes().iter();
            let found = nodes.find(|node| node.name == NodeName(name.into()));
            found.expect("a node of the cluster").clone()
        };
        let (from, to) = (node(from), node(to));
        [to.bus_port, to.address.port()].map(|port| {
            let path = cuts::Path {
                source: *from.address.ip(),
                target: *to.address.ip(),
                port: Some(port),
            };
            let seen = probe(&BTreeSet::from([path])).expect("the control arrives");
            seen.open.contains(&path)
        })
    }

    fn a_disk_is_full_until_the_heal(&mut self) {
        let full = spec(6, FaultKind::FullDisk, &["n4"], &[]);
        assert_eq!(
            self.step(Command::Inject(full.clone())).phase,
            FaultPhase::Installed
        );
        assert_eq!(self.step(Command::Heal(full)).phase, FaultPhase::Healed);
        println!("a_disk_is_full_until_the_heal ... ok");
    }
}

fn is_master(view: &View) -> bool {
    let myself = view.table.iter().find(|entry| entry.has_flag("myself"));
    myself.is_some_and(|entry| entry.has_flag("master") && !entry.slots.is_empty())
}

fn spec(id: u32, kind: FaultKind, targets: &[&str], cuts: &[(&str, &str)]) -> FaultSpec {
    let name = |name: &str| NodeName(name.into());
    FaultSpec {
        id,
        kind,
        targets: targets.iter().copied().map(name).collect(),
        cuts: cuts
            .iter()
            .map(|(from, to)| (name(from), name(to)))
            .collect(),
        dose: None,
        note: format!("{kind:?} {targets:?}"),
    }
}

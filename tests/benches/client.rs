//! How fast the workload client is, beside `redis-benchmark --cluster` in the same run.
//!
//! `cargo bench -p slotquake-tests --bench client -- [rounds=N] [seconds=N] [clients=N]
//! [bytes=N] [pipelines=1,16]` starts a cluster of three masters of redis-server 7.0.15 in the
//! sandbox and loads it in turn with redis-benchmark (SET, then GET, random keys) and with a run of
//! the `read-write` workload, as `slotquake test --rate max` does it: operations drawn, routed,
//! carried out and recorded with both times. Values of the same size, as many operations on their
//! way; ours in two shapes, because each client of redis-benchmark talks to one node only:
//! - *as many clients*: each has a connection to each node, and a share of its pipeline on each;
//! - *as many connections*: a third of the clients, with three times the pipeline.
//!
//! Then the recording is judged. Operations per second, CPU time of the client's process per
//! operation, memory. `docs/benchmarks.md` has results.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use slotquake::director::{self, Phase};
use slotquake::plan::{Plan, WorldKind};
use slotquake::sandbox::{self, Entered, Sandbox, Wanted};
use slotquake::target::{self, Launch};
use slotquake::world::World;
use slotquake::world::local::{LocalOptions, LocalWorld};
use slotquake_checkers::history::EventKind;
use slotquake_checkers::judge::judge;
use slotquake_checkers::observation::NodeSetting;
use slotquake_checkers::recording::Recording;
use slotquake_workloads::load::{Arrival, Load};

const MASTERS: u16 = 3;
const TARGET: &str = "redis@7.0.15";
const USAGE: &str = "usage: client [rounds=N] [seconds=N] [clients=N] [bytes=N] [pipelines=N,N]";

fn main() -> ExitCode {
    let Some(options) = Options::parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let launches = match target::resolve(TARGET, MASTERS.into()) {
        Ok(launches) => launches,
        Err(error) => {
            eprintln!("{error}\nremedy: slotquake servers fetch {TARGET}");
            return ExitCode::from(3);
        }
    };
    if Command::new(PEER).arg("--version").output().is_err() {
        eprintln!("there is no {PEER}\nremedy: apt-get install redis-tools");
        return ExitCode::from(3);
    }
    match sandbox::enter(Wanted::Best) {
        Ok(Entered::Outer(status)) => ExitCode::from(status),
        Ok(Entered::Inside(sandbox)) => {
            measure(&options, &sandbox, &launches);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

struct Options {
    rounds: usize,
    seconds: u64,
    clients: u32,
    bytes: u32,
    pipelines: Vec<u16>,
}

impl Options {
    fn parse() -> Option<Options> {
        let mut options = Options {
            rounds: 3,
            seconds: 10,
            clients: 50,
            bytes: 64,
            pipelines: vec![1, 16],
        };
        // Cargo itself passes --bench.
        for word in std::env::args().skip(1).filter(|word| word != "--bench") {
            let (name, value) = word.split_once('=')?;
            match name {
                "rounds" => options.rounds = value.parse().ok().filter(|n| *n > 0)?,
                "seconds" => options.seconds = value.parse().ok().filter(|n| *n > 0)?,
                "clients" => options.clients = value.parse().ok().filter(|n| *n > 0)?,
                "bytes" => options.bytes = value.parse().ok()?,
                "pipelines" => {
                    let numbers: Result<Vec<u16>, _> = value.split(',').map(str::parse).collect();
                    options.pipelines = numbers.ok()?;
                }
                _ => return None,
            }
        }
        Some(options)
    }

    fn plan(&self, shape: Shape, pipeline: u16) -> Plan {
        let (concurrency, pipeline) = match shape {
            Shape::Clients => (self.clients, pipeline),
            Shape::Connections => (self.clients.div_ceil(MASTERS.into()), pipeline * MASTERS),
        };
        Plan {
            world: WorldKind::Local,
            target: TARGET.into(),
            masters: MASTERS,
            replicas: 0,
            workloads: vec!["read-write".into()],
            faults: Vec::new(),
            time_limit_ms: self.seconds * 1000,
            concurrency,
            load: Load {
                arrival: Arrival::Closed,
                value_bytes: self.bytes,
                pipeline,
                ..Load::default()
            },
            ..Plan::default()
        }
    }
}

/// What ours has as many of as redis-benchmark.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Clients,
    Connections,
}

const SHAPES: [(Shape, &str); 2] = [
    (Shape::Clients, "slotquake, as many clients"),
    (Shape::Connections, "slotquake, as many connections"),
];

fn measure(options: &Options, sandbox: &Sandbox, launches: &[Launch]) {
    println!(
        "{:<32}  pipeline     ops/s  CPU us/op  CPU %  judged in, s   ops judged  RSS MB",
        "client"
    );
    for pipeline in &options.pipelines {
        let mut peers = Vec::new();
        let mut owns = SHAPES.map(|_| Vec::new());
        for round in 0..options.rounds {
            for ((shape, _), own_samples) in SHAPES.iter().zip(&mut owns) {
                let plan = options.plan(*shape, *pipeline);
                let folder = format!("bench-{pipeline}-{round}-{shape:?}");
                let folder = sandbox.scratch().join(folder);
                std::fs::create_dir(&folder).expect("the scratch folder takes a folder");
                let booted = boot(&plan, launches, sandbox, &folder);
                let node = booted.nodes()[0].clone();
                // Values are there before they are read.
                peers.push(peer(options, &node, *pipeline));
                own_samples.push(own(&plan, booted));
            }
        }
        let peer = median(peers);
        peer.print(PEER, *pipeline);
        for ((_, name), samples) in SHAPES.iter().zip(owns) {
            let own = median(samples);
            own.print(name, *pipeline);
            println!(
                "{:<32}  {pipeline:>8}  {:>8.2}  {:>9.2}",
                "ratio",
                own.rate / peer.rate,
                own.cpu_us / peer.cpu_us,
            );
        }
    }
}

fn boot(plan: &Plan, launches: &[Launch], sandbox: &Sandbox, folder: &Path) -> LocalWorld {
    let options = LocalOptions {
        plan,
        launches: launches.to_vec(),
        artefacts: folder.to_owned(),
        sandbox,
    };
    LocalWorld::boot(options).expect("the cluster comes up")
}

/// One load.
#[derive(Debug, Clone, Copy)]
struct Sample {
    /// Operations a second.
    rate: f64,
    /// CPU time of the client's process for an operation, us.
    cpu_us: f64,
    /// Seconds that judging took, and operations that were judged.
    judged: Option<(f64, usize)>,
}

impl Sample {
    fn print(&self, name: &str, pipeline: u16) {
        let cpu_percent = self.rate * self.cpu_us / 1e4;
        print!(
            "{name:<32}  {pipeline:>8}  {:>8.0}  {:>9.2}  {cpu_percent:>5.0}",
            self.rate, self.cpu_us
        );
        match self.judged {
            Some((seconds, count)) => println!("  {seconds:>12.2}  {count:>11}  {:>6}", peak_mb()),
            None => println!(),
        }
    }
}

fn median(mut samples: Vec<Sample>) -> Sample {
    samples.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    samples[samples.len() / 2]
}

/// SET, then GET; the mean of both by time.
fn peer(options: &Options, node: &NodeSetting, pipeline: u16) -> Sample {
    // First as many operations as tell the speed, then as many as fill the time.
    let probe = peer_run(options, node, pipeline, 50_000);
    let wanted = probe.rate * options.seconds as f64 / 2.0;
    peer_run(options, node, pipeline, wanted as u64)
}

fn peer_run(options: &Options, node: &NodeSetting, pipeline: u16, count: u64) -> Sample {
    let before = cpu_of_children();
    let address = node.address;
    let output = Command::new(PEER)
        .args(["--cluster", "-h", &address.ip().to_string()])
        .args(["-p", &address.port().to_string()])
        .args(["-c", &options.clients.to_string(), "-n", &count.to_string()])
        .args([
            "-d",
            &options.bytes.to_string(),
            "-P",
            &pipeline.to_string(),
        ])
        .args(["-r", "100000", "-t", "set,get", "--csv"])
        .stdin(Stdio::null())
        .output()
        .expect("redis-benchmark runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = |name: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(name));
        let field = line.and_then(|line| line.split(',').nth(1));
        let number = field.and_then(|field| field.trim_matches('"').parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in what redis-benchmark says: {text}"))
    };
    let (set, get) = (rate("\"SET\""), rate("\"GET\""));
    Sample {
        rate: 2.0 / (1.0 / set + 1.0 / get),
        cpu_us: (cpu_of_children() - before).as_secs_f64() * 1e6 / (2 * count) as f64,
        judged: None,
    }
}

/// A run, as `slotquake test` plays and judges it.
fn own(plan: &Plan, mut world: LocalWorld) -> Sample {
    let before = cpu_of_self();
    let mut after = before;
    let played = director::play(plan, &mut world, &mut |progress| {
        // Reading at the end, and stopping the nodes, is no load.
        if progress.phase < Phase::Drain {
            after = cpu_of_self();
        }
    });
    assert!(played.trouble.is_none(), "{:?}", played.trouble);
    let cpu = after - before;
    let begun = played.ordered.disturbed_at.expect("the run came so far");
    let ended = begun + plan.time_limit_ms * 1_000_000;
    let events = &played.recording.events;
    let (mut all, mut in_time) = (0, 0);
    events.each(|event| {
        if event.kind == EventKind::Ok {
            all += 1;
            in_time += u64::from((begun..ended).contains(&event.time));
        }
    });
    assert!(
        all * 2 > events.len() * 9 / 10,
        "too many operations failed"
    );
    Sample {
        rate: in_time as f64 / (plan.time_limit_ms as f64 / 1000.0),
        cpu_us: cpu.as_secs_f64() * 1e6 / all as f64,
        judged: Some((judging(&played.recording), all)),
    }
}

fn judging(recording: &Recording) -> f64 {
    let begun = Instant::now();
    let judgement = judge(recording);
    assert_eq!(judgement.coverage.losses_outside_windows, 0);
    begun.elapsed().as_secs_f64()
}

fn cpu_of_self() -> Duration {
    cpu("self", 13)
}

/// Of the children that have ended: the servers still run.
fn cpu_of_children() -> Duration {
    cpu("self", 15)
}

/// User and system time from /proc, fields counted from 0 behind the name.
fn cpu(process: &str, field: usize) -> Duration {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(path).expect("/proc is there");
    let behind = text.rsplit_once(") ").expect("a name in brackets").1;
    let ticks: u64 = behind
        .split(' ')
        .skip(field - 2)
        .take(2)
        .map(|number| number.parse::<u64>().expect("ticks"))
        .sum();
    Duration::from_millis(ticks * 10)
}

fn peak_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("/proc is there");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or_default()
        / 1024
}

const PEER: &str = "redis-benchmark";

//! What a node of an idle cluster costs, beside redis-server 7.0.15 in the same run.
//!
//! `cargo bench -p slotquake-tests --bench scale -- [NODES]... [rounds=N] [window=SECONDS]`
//! starts clusters of 6, 30 and 100 processes (half of them replicas, node timeout 15 s), ours and
//! upstream's in turn, each alone in a network of its own. Formation is by MEET, from the first
//! process to every node being ok and knowing all. Then a window without clients: CPU time of all
//! processes, bytes on the loopback device (nothing but the bus and replication speaks; headers
//! and acknowledgements count), resident and proportional memory. `docs/benchmarks.md` has results.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use slotquake::sandbox::{self, Entered, Wanted};
use slotquake::target::servers;
use slotquake_tests::live::{Client, Mode, Program, Server, wait_until};

const SLOTS: usize = 16_384;
const NODE_TIMEOUT_MS: u64 = 15_000;
const USAGE: &str = "usage: scale [NODES]... [rounds=N] [window=SECONDS]";

fn main() -> ExitCode {
    let Some(options) = Options::parse() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let known = servers::KNOWN
        .iter()
        .find(|known| known.name == "redis@7.0.15");
    let installed = match servers::ensure(known.expect("a known server")) {
        Ok(installed) => installed,
        Err(error) => {
            eprintln!("{error}\nremedy: slotquake servers fetch redis@7.0.15");
            return ExitCode::from(3);
        }
    };
    match sandbox::enter(Wanted::Best) {
        Ok(Entered::Outer(status)) => return ExitCode::from(status),
        Ok(Entered::Inside(_)) => {}
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(3);
        }
    }
    let programs = [
        (
            "reference",
            Program::reference(env!("CARGO_BIN_EXE_slotquake-under-test")),
        ),
        ("redis 7.0.15", Program::redis(&installed)),
    ];
    println!("nodes  server        formed s  CPU ms/s  bus KB/s  RSS MB/node  PSS MB/node");
    for nodes in options.nodes {
        let mut samples: [Vec<Sample>; 2] = Default::default();
        for _round in 0..options.rounds {
            for (index, (_, program)) in programs.iter().enumerate() {
                samples[index].push(measure(program, nodes, options.window));
            }
        }
        let [ours, theirs] = samples.map(|samples| median(&samples));
        for ((name, _), sample) in programs.iter().zip([&ours, &theirs]) {
            sample.print(nodes, name);
        }
        let part = |mine: f64, yours: f64| mine / yours;
        println!(
            "       ratio         {:>8.2}  {:>8.2}  {:>8.2}  {:>11.2}  {:>11.2}",
            part(ours.formed, theirs.formed),
            part(ours.cpu, theirs.cpu),
            part(ours.bus, theirs.bus),
            part(ours.resident, theirs.resident),
            part(ours.proportional, theirs.proportional),
        );
    }
    ExitCode::SUCCESS
}

struct Options {
    nodes: Vec<usize>,
    rounds: usize,
    window: Duration,
}

impl Options {
    fn parse() -> Option<Options> {
        let mut options = Options {
            nodes: Vec::new(),
            rounds: 3,
            window: Duration::from_secs(20),
        };
        // Cargo itself passes --bench.
        for word in std::env::args().skip(1).filter(|word| word != "--bench") {
            match word.split_once('=') {
                Some(("rounds", count)) => {
                    options.rounds = count.parse().ok().filter(|n| *n > 0)?
                }
                Some(("window", count)) => {
                    let seconds = count.parse().ok().filter(|n| *n > 0)?;
                    options.window = Duration::from_secs(seconds);
                }
                Some(_) => return None,
                None => options
                    .nodes
                    .push(word.parse().ok().filter(|n| n % 2 == 0 && *n > 2)?),
            }
        }
        if options.nodes.is_empty() {
            options.nodes = vec![6, 30, 100];
        }
        Some(options)
    }
}

/// One cluster, measured.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    /// Seconds from the first process to a whole cluster.
    formed: f64,
    /// Milliseconds of CPU in a second, all processes together.
    cpu: f64,
    /// Kilobytes on the loopback device in a second.
    bus: f64,
    /// Megabytes of a process, its share of libraries counted in full.
    resident: f64,
    /// Megabytes of a process, shared pages divided among those that share them.
    proportional: f64,
}

impl Sample {
    fn print(&self, nodes: usize, name: &str) {
        println!(
            "{nodes:>5}  {name:<12}  {:>8.2}  {:>8.1}  {:>8.1}  {:>11.1}  {:>11.1}",
            self.formed, self.cpu, self.bus, self.resident, self.proportional,
        );
    }
}

fn median(samples: &[Sample]) -> Sample {
    let middle = |value: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Sample {
        formed: middle(|sample| sample.formed),
        cpu: middle(|sample| sample.cpu),
        bus: middle(|sample| sample.bus),
        resident: middle(|sample| sample.resident),
        proportional: middle(|sample| sample.proportional),
    }
}

fn measure(program: &Program, count: usize, window: Duration) -> Sample {
    let mut program = program.clone();
    program.settings += &format!("cluster-node-timeout {NODE_TIMEOUT_MS}\n");
    let start = Instant::now();
    let nodes: Vec<Server> = (0..count)
        .map(|_| Server::start(&program, Mode::Cluster))
        .collect();
    form(&nodes);
    let formed = start.elapsed().as_secs_f64();
    // The links of the mesh, and the first synchronisations, are not the steady state.
    std::thread::sleep(Duration::from_secs(5) + Duration::from_millis(50) * count as u32);
    let before = (cpu_ns(&nodes), loopback_bytes());
    let begun = Instant::now();
    std::thread::sleep(window);
    let seconds = begun.elapsed().as_secs_f64();
    let after = (cpu_ns(&nodes), loopback_bytes());
    let per_node = |kilobytes: u64| kilobytes as f64 / 1024.0 / count as f64;
    Sample {
        formed,
        cpu: (after.0 - before.0) as f64 / 1e6 / seconds,
        bus: (after.1 - before.1) as f64 / 1e3 / seconds,
        resident: per_node(memory_kb(&nodes, "Rss:")),
        proportional: per_node(memory_kb(&nodes, "Pss:")),
    }
}

/// The first half are masters, the second half their replicas.
fn form(nodes: &[Server]) {
    let masters = nodes.len() / 2;
    let mut clients: Vec<Client> = nodes.iter().map(Server::client).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        if index < masters {
            let (first, last) = (index * SLOTS / masters, (index + 1) * SLOTS / masters - 1);
            let (first, last) = (first.to_string(), last.to_string());
            client.call(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        client.call(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
    }
    for server in &nodes[1..] {
        clients[0].call(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string()]);
    }
    let known = format!("cluster_known_nodes:{}", nodes.len());
    for client in &mut clients {
        wait_until("every node to know all", || info(client).contains(&known));
    }
    for index in masters..nodes.len() {
        let master = nodes[index - masters].id();
        clients[index].call(&["CLUSTER", "REPLICATE", &master]);
    }
    for (index, client) in clients.iter_mut().enumerate() {
        wait_until("every node to be ok", || {
            info(client).contains("cluster_state:ok")
        });
        if index >= masters {
            wait_until("every replica to have its link", || {
                text(client, &["INFO", "replication"]).contains("master_link_status:up")
            });
        }
    }
}

fn info(client: &mut Client) -> String {
    text(client, &["CLUSTER", "INFO"])
}

fn text(client: &mut Client, words: &[&str]) -> String {
    client.call(words).text().unwrap_or_default().to_string()
}

/// CPU time of the processes, all threads.
fn cpu_ns(nodes: &[Server]) -> u64 {
    let of_thread = |path: std::path::PathBuf| -> u64 {
        let text = fs::read_to_string(path.join("schedstat")).expect("schedstat");
        let first = text
            .split(' ')
            .next()
            .and_then(|number| number.parse().ok());
        first.expect("nanoseconds on the CPU")
    };
    let of_process = |pid: u32| -> u64 {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("a running process");
        threads
            .map(|thread| of_thread(thread.expect("a thread").path()))
            .sum()
    };
    nodes.iter().map(|node| of_process(node.pid())).sum()
}

fn memory_kb(nodes: &[Server], field: &str) -> u64 {
    let of_process = |pid: u32| -> u64 {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(path).expect("smaps_rollup");
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|rest| rest.split_whitespace().next());
        number.and_then(|kb| kb.parse().ok()).expect("kilobytes")
    };
    nodes.iter().map(|node| of_process(node.pid())).sum()
}

/// What the loopback device of this network has carried.
fn loopback_bytes() -> u64 {
    let text = fs::read_to_string("/proc/self/net/dev").expect("/proc/self/net/dev");
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix("lo:"));
    let received = line.and_then(|rest| rest.split_whitespace().next());
    received
        .and_then(|bytes| bytes.parse().ok())
        .expect("bytes received on lo")
}

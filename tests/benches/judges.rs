//! What the judges of objects cost: CPU seconds and peak memory on histories drawn from seeds.
//!
//! `cargo bench -p slotquake-tests --bench judges [-- PART-OF-A-NAME]... [--peer PROGRAM]`;
//! docs/benchmarks.md has results. *Loading* is from bytes in memory to operations by key,
//! *checking* from there to the verdict; memory is what the allocator held at most above what was
//! held before.
//!
//! A peer is another judge, held against the same histories: `PROGRAM MODEL FILE SECONDS` reads
//! JSON lines and prints `held`, `violated` or `undecided`, the CPU seconds it took to check, and
//! its peak memory in MB.

use std::io::Write;
use std::process::Command;

use peak_alloc::PeakAlloc;
use slotquake_checkers::consistency::linear::judges::{ObjectJudge, judge_of};
use slotquake_checkers::consistency::linear::ruling::Ruling;
use slotquake_checkers::consistency::linear::{Budget, Decision};
use slotquake_checkers::history::Event;
use slotquake_checkers::history::binary::BinaryWriter;
use slotquake_checkers::history::compact::Log;
use slotquake_checkers::history::edn::Keys;
use slotquake_checkers::history::format::{Format, collect};
use slotquake_checkers::history::jsonl::HistoryWriter;
use slotquake_tests::histories::large::{
    Shape, registers, with_phantom, with_stale_read, with_wrong_reads,
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const UNIQUE: Shape = Shape {
    ops: 1_000_000,
    clients: 25,
    keys: 0,
    unknown_percent: 20,
    values: None,
    cas_percent: 0,
};

const CAS: Shape = Shape {
    ops: 1000,
    clients: 25,
    keys: 0,
    unknown_percent: 0,
    values: Some(5),
    cas_percent: 40,
};

/// By which way to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Fastest,
    Search,
}

type Case = (&'static str, &'static str, Way, fn() -> Vec<Event>);

const CASES: &[Case] = &[
    (
        "unique register, 1M ops, 25 clients, 20 % unknown",
        "register",
        Way::Fastest,
        || registers(UNIQUE, 1),
    ),
    (
        "unique register, 1M ops, 100 clients, 20 % unknown",
        "register",
        Way::Fastest,
        || {
            registers(
                Shape {
                    clients: 100,
                    ..UNIQUE
                },
                2,
            )
        },
    ),
    (
        "unique register, 1M ops, 1000 clients, 20 % unknown",
        "register",
        Way::Fastest,
        || {
            registers(
                Shape {
                    clients: 1000,
                    ..UNIQUE
                },
                3,
            )
        },
    ),
    ("the same, one stale read", "register", Way::Fastest, || {
        with_stale_read(registers(
            Shape {
                clients: 1000,
                ..UNIQUE
            },
            3,
        ))
    }),
    (
        "1M ops on 1000 keys, 25 clients",
        "register",
        Way::Fastest,
        || {
            registers(
                Shape {
                    keys: 1000,
                    unknown_percent: 1,
                    ..UNIQUE
                },
                4,
            )
        },
    ),
    (
        "100k ops on one key, 5 clients, unique, by search",
        "register",
        Way::Search,
        || {
            registers(
                Shape {
                    ops: 100_000,
                    clients: 5,
                    unknown_percent: 0,
                    ..UNIQUE
                },
                5,
            )
        },
    ),
    (
        "100k ops on one key, 5 clients, 5 values, cas",
        "cas-register",
        Way::Search,
        || {
            registers(
                Shape {
                    ops: 100_000,
                    clients: 5,
                    ..CAS
                },
                6,
            )
        },
    ),
    (
        "cas of 5 values, 1k ops, 25 clients",
        "cas-register",
        Way::Search,
        || registers(CAS, 7),
    ),
    (
        "cas of 5 values, 1k ops, 25 clients, 5 % unknown",
        "cas-register",
        Way::Search,
        || {
            registers(
                Shape {
                    unknown_percent: 5,
                    ..CAS
                },
                8,
            )
        },
    ),
    (
        "the same, one phantom read",
        "cas-register",
        Way::Search,
        || {
            with_phantom(registers(
                Shape {
                    unknown_percent: 5,
                    ..CAS
                },
                8,
            ))
        },
    ),
    (
        "cas of 5 values, 1k ops, 25 clients, wrong reads",
        "cas-register",
        Way::Search,
        || with_wrong_reads(registers(CAS, 9), 5),
    ),
    ("the same, 5 % unknown", "cas-register", Way::Search, || {
        with_wrong_reads(
            registers(
                Shape {
                    unknown_percent: 5,
                    ..CAS
                },
                9,
            ),
            5,
        )
    }),
    (
        "cas of 5 values, 1k ops, 10 clients, wrong reads",
        "cas-register",
        Way::Search,
        || with_wrong_reads(registers(Shape { clients: 10, ..CAS }, 9), 5),
    ),
    (
        "cas, unique values, 10k ops, 25 clients, 5 % unknown",
        "cas-register",
        Way::Search,
        || {
            registers(
                Shape {
                    ops: 10_000,
                    unknown_percent: 5,
                    values: None,
                    ..CAS
                },
                10,
            )
        },
    ),
];

fn main() {
    let (mut wanted, mut peer) = (Vec::new(), None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            // Cargo itself passes it.
            "--bench" => {}
            "--peer" => peer = words.next(),
            _ => wanted.push(word),
        }
    }
    println!("check s  load s   MB  verdict     case");
    for (name, model, way, draw) in CASES {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            let judge = judge_of(model).expect("a known model");
            let events = draw();
            measure(name, judge, *way, &events);
            if let Some(peer) = &peer {
                compare(peer, model, &events);
            }
        }
    }
}

/// What a peer says of the same history.
fn compare(peer: &str, model: &str, events: &[Event]) {
    let mut file = tempfile::NamedTempFile::new().expect("a file of one's own");
    file.write_all(&json_lines(events)).expect("room for it");
    let called = Command::new(peer)
        .args([model.as_ref(), file.path().as_os_str()])
        .arg(PEER_SECONDS_MAX)
        .output();
    let told = match called {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_string()
        }
        Ok(output) => format!("ended with {}", output.status),
        Err(error) => format!("cannot be run: {error}"),
    };
    println!("        peer: {told}");
}

fn json_lines(events: &[Event]) -> Vec<u8> {
    let mut jsonl = HistoryWriter::new(Vec::new()).expect("memory");
    events
        .iter()
        .for_each(|event| jsonl.write(event).expect("memory"));
    jsonl.finish().expect("memory")
}

fn measure(name: &str, judge: &dyn ObjectJudge, way: Way, events: &[Event]) {
    let mut binary = BinaryWriter::new(Vec::new()).expect("memory");
    events
        .iter()
        .for_each(|event| binary.write(event).expect("memory"));
    let binary = binary.finish().expect("memory");
    let jsonl = json_lines(events);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let (log, by_jsonl) = timed(|| load(Format::Jsonl, &jsonl));
    let (_, by_binary) = timed(|| load(Format::Binary, &binary));
    let (verdict, checked) = timed(|| decide(judge, way, &log));
    let peak = (HEAP.peak_usage() - before) as f64 / 1e6;
    println!("{checked:>7.3} {by_jsonl:>7.3} {peak:>5.0}  {verdict:<10}  {name}");
    if events.len() > 1_000_000 {
        let mega = |bytes: &[u8]| bytes.len() as f64 / 1e6;
        println!(
            "        {by_binary:>7.3}        as binary: {:.0} MB, as JSON lines {:.0} MB",
            mega(&binary),
            mega(&jsonl)
        );
    }
    std::io::stdout().flush().expect("a terminal or a file");
}

fn load(format: Format, bytes: &[u8]) -> Log {
    collect(format, Keys::Apart, bytes).expect("a good history")
}

fn decide(judge: &dyn ObjectJudge, way: Way, log: &Log) -> &'static str {
    let begun = cpu_seconds();
    let is_over = move || cpu_seconds() - begun > 60.0;
    let budget = Budget {
        steps_max: u64::MAX,
        bytes_max: 4 << 30,
        is_over: Some(&is_over),
    };
    let mut verdict = "held";
    for ops in &log.ops {
        let is_broken = match way {
            Way::Fastest => match judge.rule(log, ops, budget) {
                Ruling::Holds => false,
                Ruling::Broken(_) => true,
                Ruling::Undecided { .. } => return "undecided",
            },
            Way::Search => match judge.search(log, ops, budget) {
                Decision::Linearizable => false,
                Decision::NotLinearizable { .. } => true,
                Decision::Undecided { .. } => return "undecided",
            },
        };
        if is_broken {
            verdict = "violated";
        }
    }
    verdict
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = cpu_seconds();
    let done = work();
    (done, cpu_seconds() - begun)
}

/// CPU time of this process so far.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").expect("a Linux with schedstat");
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse::<f64>().ok());
    nanoseconds.expect("CPU time in the first field") / 1e9
}

/// How long a peer may take.
const PEER_SECONDS_MAX: &str = "60";

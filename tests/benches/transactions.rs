//! How fast and in how little memory transactions are judged.
//!
//! `cargo bench -p slotquake-tests --bench transactions [-- SIZE …]`: for each number of
//! transactions a seeded history of a strictly serializable store, with one transaction in a
//! hundred unknown. *read* is from JSON lines to events, *take* from events to the compact form,
//! *judge* from there to the report; memory is the peak of the heap while taking and judging, and
//! what share of it a micro-operation has.

use peak_alloc::PeakAlloc;
use slotquake_checkers::history::Event;
use slotquake_checkers::lines::{Lines, write_line};
use slotquake_checkers::transactions::judgement::report;
use slotquake_checkers::transactions::{Demand, Dialect, Transactions};
use slotquake_tests::transactional::{TxnHistory, TxnShape};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Events made ahead, so that making them is not measured.
const CHUNK: usize = 20_000;

fn main() {
    let sizes: Vec<u64> = std::env::args()
        .filter_map(|word| word.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![10_000, 100_000, 1_000_000]
    } else {
        sizes
    };
    println!(
        "| transactions | micro-operations | read, s | take, s | judge, s | peak, MB | B each |"
    );
    println!("|---:|---:|---:|---:|---:|---:|---:|");
    for size in sizes {
        measure(size);
    }
}

fn measure(transactions: u64) {
    let mut history = TxnHistory::new(TxnShape {
        seed: 7,
        transactions,
        processes: 20,
        keys: 100,
        appends_per_key: 100,
        unknown_per_mille: 10,
    });
    let (mut read_ns, mut take_ns) = (0, 0);
    let mut taken = Transactions::new(Dialect::ListAppend);
    let mut peak = 0;
    loop {
        let before = HEAP.current_usage();
        let chunk: Vec<Event> = history.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            break;
        }
        let chunk_bytes = HEAP.current_usage() - before;
        read_ns += reading(&chunk);
        HEAP.reset_peak_usage();
        let begin = cpu_ns();
        for event in &chunk {
            taken.observe(event).expect("a good history");
        }
        take_ns += cpu_ns() - begin;
        peak = peak.max(HEAP.peak_usage() - chunk_bytes);
    }
    taken.finish().expect("a good history");
    HEAP.reset_peak_usage();
    let begin = cpu_ns();
    let found = report(taken, Demand::STRICT);
    let judge_ns = cpu_ns() - begin;
    assert!(found.anomalies.is_empty(), "{:#?}", found.anomalies);
    let peak = peak.max(HEAP.peak_usage());
    println!(
        "| {transactions} | {} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} |",
        found.micro_operations,
        seconds(read_ns),
        seconds(take_ns),
        seconds(judge_ns),
        peak as f64 / 1e6,
        peak as f64 / found.micro_operations as f64
    );
}

/// CPU time to read these events from JSON lines, ns.
fn reading(events: &[Event]) -> u64 {
    let mut text = Vec::new();
    for event in events {
        write_line(&mut text, event).expect("memory takes all");
    }
    let begin = cpu_ns();
    let mut lines = Lines::new(&*text);
    let mut count = 0;
    while lines.next_value::<Event>().expect("a good line").is_some() {
        count += 1;
    }
    assert_eq!(count, events.len());
    cpu_ns() - begin
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// CPU time of this thread, ns.
fn cpu_ns() -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat");
    let told = told.expect("the kernel tells of each thread");
    let first = told.split_whitespace().next();
    first
        .and_then(|ns| ns.parse().ok())
        .expect("the first number is the time on a CPU")
}

//! One load on several simulators: a mesh of six nodes, and what an event costs.
//!
//! Each node sends ten messages a second to the other five in turn, each is answered once, latency
//! is 1 to 5 ms. An event is a message sent or received: 240 in a virtual second. Measured is the
//! CPU time of the process, so start it alone.
//!
//! `cargo run --release`, in this folder, prints the table; with the path of a `slotquake` as its
//! argument, `slotquake simulate --bench` runs as well: real cluster nodes, clients and checkers.

mod heap;
mod on_madsim;
mod on_turmoil;

use std::process::{Command, ExitCode};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nodes of the mesh.
pub const NODES: u64 = 6;
/// From one message of a node to its next.
pub const PERIOD: Duration = Duration::from_millis(100);
/// Shortest time on the way.
pub const LATENCY_MIN: Duration = Duration::from_millis(1);
/// Longest time on the way.
pub const LATENCY_MAX: Duration = Duration::from_millis(5);

/// Whom a node sends its n-th message to: all others in turn.
pub fn target(node: u64, number: u64) -> u64 {
    (node + 1 + number % (NODES - 1)) % NODES
}

/// Plays the mesh for that many virtual seconds; gives the events.
type Engine = fn(virtual_s: u64) -> u64;

/// Name, engine, and virtual seconds that take some CPU seconds.
const ENGINES: [(&str, Engine, u64); 4] = [
    (
        "turmoil, a tick of 1 ms (its default), UDP",
        on_turmoil::fine,
        60,
    ),
    ("turmoil, a tick of 10 ms, UDP", on_turmoil::coarse, 600),
    ("madsim, Endpoint", on_madsim::mesh, 3_000),
    (
        "a heap of (time, sequence, event), no network",
        heap::mesh,
        60_000,
    ),
];

fn main() -> ExitCode {
    println!(
        "{:<46} {:>14} {:>14} {:>10}",
        "engine", "events", "events/CPU s", "x time"
    );
    for (name, engine, virtual_s) in ENGINES {
        let begun = cpu();
        let events = engine(virtual_s);
        let seconds = (cpu() - begun).as_secs_f64();
        let expected = virtual_s * NODES * 10 * 4;
        // What is under way at the end has not arrived.
        assert!(
            events.abs_diff(expected) < expected / 50,
            "{name}: {events} of {expected}"
        );
        println!(
            "{name:<46} {events:>14} {:>14.0} {:>10.0}",
            events as f64 / seconds,
            virtual_s as f64 / seconds
        );
    }
    match std::env::args().nth(1) {
        None => ExitCode::SUCCESS,
        Some(slotquake) => ours(&slotquake),
    }
}

/// The standard scenario of slotquake, which is more than this mesh.
fn ours(slotquake: &str) -> ExitCode {
    println!("\n{slotquake} simulate --bench");
    match Command::new(slotquake)
        .args(["simulate", "--bench"])
        .status()
    {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("{slotquake}: {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{slotquake}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cpu() -> Duration {
    let used = clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID);
    used.map(Duration::from).unwrap_or_default()
}

//! The mesh on turmoil: a host for each node, UDP between them.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use turmoil::net::UdpSocket;

use crate::{LATENCY_MAX, LATENCY_MIN, NODES, PERIOD, target};

const PORT: u16 = 7000;

/// With its default tick.
pub fn fine(virtual_s: u64) -> u64 {
    mesh(virtual_s, Duration::from_millis(1))
}

/// With a tick of 10 ms: the times of messages are that coarse.
pub fn coarse(virtual_s: u64) -> u64 {
    mesh(virtual_s, Duration::from_millis(10))
}

fn mesh(virtual_s: u64, tick: Duration) -> u64 {
    let span = Duration::from_secs(virtual_s);
    let mut sim = turmoil::Builder::new()
        .tick_duration(tick)
        .simulation_duration(span + Duration::from_secs(1))
        .min_message_latency(LATENCY_MIN)
        .max_message_latency(LATENCY_MAX)
        .rng_seed(1)
        .build();
    let events = Rc::new(Cell::new(0));
    for node in 0..NODES {
        let events = Rc::clone(&events);
        sim.host(name(node), move || play(node, Rc::clone(&events)));
    }
    sim.client("clock", async move {
        tokio::time::sleep(span).await;
        Ok(())
    });
    sim.run().expect("the mesh plays to its end");
    events.get()
}

async fn play(node: u64, events: Rc<Cell<u64>>) -> turmoil::Result {
    let socket = UdpSocket::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
    let count = |by: u64| events.set(events.get() + by);
    let mut next = tokio::time::interval(PERIOD);
    let mut number = 0;
    let mut bytes = [0; 16];
    loop {
        tokio::select! {
            _ = next.tick() => {
                let to = name(target(node, number));
                socket.send_to(b"ping", (to, PORT)).await?;
                number += 1;
                count(1);
            }
            came = socket.recv_from(&mut bytes) => {
                let (length, from) = came?;
                count(1);
                if &bytes[..length] == b"ping" {
                    socket.send_to(b"pong", from).await?;
                    count(1);
                }
            }
        }
    }
}

fn name(node: u64) -> String {
    format!("node{node}")
}

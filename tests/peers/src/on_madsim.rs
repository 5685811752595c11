//! The mesh on madsim: a node each, tagged messages between their endpoints.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use madsim::net::{Endpoint, NetSim};
use madsim::runtime::{Handle, Runtime};
use madsim::time;

use crate::{LATENCY_MAX, LATENCY_MIN, NODES, PERIOD, target};

const PING: u64 = 1;
const PONG: u64 = 2;

/// Plays the mesh.
pub fn mesh(virtual_s: u64) -> u64 {
    let runtime = Runtime::with_seed_and_config(1, madsim::Config::default());
    let events = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&events);
    runtime.block_on(async move {
        NetSim::current().update_config(|config| config.send_latency = LATENCY_MIN..LATENCY_MAX);
        for node in 0..NODES {
            let events = Arc::clone(&counted);
            let place = Handle::current()
                .create_node()
                .ip(address(node).ip())
                .build();
            place.spawn(async move { play(node, events).await });
        }
        time::sleep(std::time::Duration::from_secs(virtual_s)).await;
    });
    events.load(Ordering::Relaxed)
}

async fn play(node: u64, events: Arc<AtomicU64>) {
    let endpoint = Endpoint::bind(address(node))
        .await
        .expect("an address of its own");
    let endpoint = Arc::new(endpoint);
    madsim::task::spawn(answer(Arc::clone(&endpoint), Arc::clone(&events)));
    madsim::task::spawn(hear(Arc::clone(&endpoint), Arc::clone(&events)));
    let mut next = time::interval(PERIOD);
    for number in 0.. {
        next.tick().await;
        let to = address(target(node, number));
        endpoint
            .send_to(to, PING, b"ping")
            .await
            .expect("the network is whole");
        events.fetch_add(1, Ordering::Relaxed);
    }
}

async fn answer(endpoint: Arc<Endpoint>, events: Arc<AtomicU64>) {
    let mut bytes = [0; 16];
    loop {
        let came = endpoint.recv_from(PING, &mut bytes).await;
        let (_, from) = came.expect("the network is whole");
        endpoint
            .send_to(from, PONG, b"pong")
            .await
            .expect("the network is whole");
        events.fetch_add(2, Ordering::Relaxed);
    }
}

async fn hear(endpoint: Arc<Endpoint>, events: Arc<AtomicU64>) {
    let mut bytes = [0; 16];
    loop {
        endpoint
            .recv_from(PONG, &mut bytes)
            .await
            .expect("the network is whole");
        events.fetch_add(1, Ordering::Relaxed);
    }
}

fn address(node: u64) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, node as u8 + 1], 7000))
}

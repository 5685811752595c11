//! Known upstream weaknesses: each story is played by both profiles.
//!
//! A test fails if the weakness does not show under `upstream-7.0`, which is there to show it, and
//! if it shows by default. The catalogue is `docs/weaknesses.md`; those that need processes, disks
//! or clients are in the end-to-end test of the same name.

mod data;
mod detection;
mod slots;
mod votes;

use super::rig::Rig;
use crate::cluster::PROFILE_DIRECTIVE;
use crate::slot::Slot;
use crate::time::Millis;

/// AUTH_REQUEST, as DEBUG CLUSTER-PACKET-FILTER numbers it.
const AUTH_REQUEST: u16 = 5;
/// MEET, likewise.
const MEET: u16 = 2;

/// What a story shows under upstream's profile, and by default.
#[derive(Debug)]
struct Told<T> {
    upstream: T,
    default: T,
}

/// Plays a story with both profiles.
fn told<T>(story: impl Fn(&str) -> T) -> Told<T> {
    Told {
        upstream: story("upstream-7.0"),
        default: story("default"),
    }
}

fn cluster(profile: &str, masters: usize, replicas: usize, node_timeout: u64) -> Rig {
    Rig::cluster_with(masters, replicas, |config| {
        let directive = PROFILE_DIRECTIVE.into();
        config.other.insert(directive, profile.into());
        config.cluster_node_timeout = Millis(node_timeout);
    })
}

fn strangers(profile: &str, count: usize, node_timeout: u64) -> Rig {
    Rig::strangers_with(count, |config| {
        let directive = PROFILE_DIRECTIVE.into();
        config.other.insert(directive, profile.into());
        config.cluster_node_timeout = Millis(node_timeout);
    })
}

fn drop_packets(rig: &mut Rig, host: usize, kind: Option<u16>) {
    let cluster = rig.hosts[host].cluster.as_mut().expect("it runs");
    cluster.drop_packets_of_type(kind);
}

/// Kills host 0, which is FAIL for these hosts from then on.
fn kill_first(rig: &mut Rig, seen_by: &[usize]) {
    let id = rig.id(0);
    rig.kill(0);
    rig.until("FAIL", 60_000, |rig| {
        let sees = |host: &usize| rig.at(*host).member(id).is_some_and(|m| m.is_failed());
        seen_by.iter().all(sees)
    });
    rig.sent.clear();
}

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("a slot")
}

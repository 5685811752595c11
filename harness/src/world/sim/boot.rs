//! The cluster as it lies on the disks before the first start: nodes.conf of every node.
//!
//! Masters come first (`n1` to `nM`), then the replicas of `n1`, `n2`, … in turn, then masters
//! without slots. Slots are dealt in equal ranges; master k has configEpoch k, the idle ones 0, as
//! nodes that have just joined.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use anyhow::Context;
use slotquake_checkers::observation::setting::Server;
use slotquake_checkers::observation::slots::SLOT_COUNT;
use slotquake_checkers::observation::{Directives, NodeName, NodeSetting};
use slotquake_core::config::Config;
use slotquake_core::config::directives::set_at_start;
use slotquake_core::output::{Durability, File};
use slotquake_core::time::Millis;
use slotquake_workloads::rng::Rng;

use super::disk::Delay;
use super::host::Host;
use crate::plan::Plan;

const PORT: u16 = 6379;

/// Names and addresses.
pub fn settings(plan: &Plan) -> Vec<NodeSetting> {
    let setting = |index: u32| NodeSetting {
        name: NodeName::numbered(index as usize + 1),
        address: SocketAddrV4::new(ip_of(index), PORT),
        bus_port: PORT + 10_000,
        server: Server::Reference,
    };
    (0..plan.node_count()).map(setting).collect()
}

fn ip_of(index: u32) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, (index / 250) as u8, (index % 250 + 1) as u8)
}

/// Hosts whose first nodes.conf names all nodes.
///
/// # Errors
/// A directive that no node knows, or its value.
pub fn hosts(
    plan: &Plan,
    settings: &[NodeSetting],
    directives: &BTreeMap<String, String>,
) -> anyhow::Result<Vec<Host>> {
    let ids = random_ids(plan, settings.len());
    let text = |myself| nodes_conf(plan, settings, &ids, myself);
    hosts_with(plan, settings, directives, text)
}

/// Hosts whose first nodes.conf names only themselves: masters, the first ones with their slots.
///
/// # Errors
/// As [`hosts`].
pub fn strangers(plan: &Plan, settings: &[NodeSetting]) -> anyhow::Result<Vec<Host>> {
    let ids = random_ids(plan, settings.len());
    let masters = usize::from(plan.masters);
    let text = |myself: usize| {
        let (address, bus) = (settings[myself].address, settings[myself].bus_port);
        let slots = match myself < masters {
            true => {
                let (first, last) = slots_of(myself, masters);
                format!(" {first}-{last}")
            }
            false => String::new(),
        };
        // Epochs that differ, as after `redis-cli --cluster create`.
        let epoch = myself + 1;
        format!(
            "{} {address}@{bus} myself,master - 0 0 {epoch} connected{slots}\n\
             vars currentEpoch {epoch} lastVoteEpoch 0\n",
            ids[myself]
        )
    };
    hosts_with(plan, settings, &BTreeMap::new(), text)
}

/// Says why no node takes these directives, if so.
///
/// # Errors
/// The first one that is not known, or whose value is none.
pub fn try_directives(directives: &Directives) -> Result<(), String> {
    let mut config = Config::default();
    directives.iter().try_for_each(|(name, value)| {
        let refused = |error| format!("directive {name} {value}: {error}");
        set_at_start(&mut config, name, value).map_err(refused)
    })
}

fn hosts_with(
    plan: &Plan,
    settings: &[NodeSetting],
    directives: &BTreeMap<String, String>,
    nodes_conf: impl Fn(usize) -> String,
) -> anyhow::Result<Vec<Host>> {
    let mut hosts = Vec::new();
    for (index, setting) in settings.iter().enumerate() {
        let mut config = Config {
            port: PORT,
            cluster_enabled: true,
            cluster_node_timeout: Millis(plan.node_timeout_ms),
            ..Config::default()
        };
        // At the end the data of replicas is compared with that of their masters.
        let of_tests = ("enable-debug-command", "yes");
        let given = directives
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(plan.config.iter());
        for (name, value) in given.chain([of_tests]) {
            set_at_start(&mut config, name, value)
                .with_context(|| format!("directive {name} {value}"))?;
        }
        let name = setting.name.clone();
        let rng = Rng::named(plan.seed, &format!("node {name}"));
        let mut host = Host::new(name, IpAddr::V4(*setting.address.ip()), config, rng);
        host.disk.write(
            File::NodesConf,
            nodes_conf(index).into(),
            Durability::Synced,
            Delay::None,
        );
        hosts.push(host);
    }
    Ok(hosts)
}

fn random_ids(plan: &Plan, count: usize) -> Vec<String> {
    let mut rng = Rng::named(plan.seed, "ids");
    (0..count).map(|_| random_id(&mut rng)).collect()
}

fn random_id(rng: &mut Rng) -> String {
    let digit = |_| char::from(b"0123456789abcdef"[rng.below(16) as usize]);
    (0..40).map(digit).collect()
}

fn nodes_conf(plan: &Plan, settings: &[NodeSetting], ids: &[String], myself: usize) -> String {
    let masters = usize::from(plan.masters);
    let seats = masters * (1 + usize::from(plan.replicas));
    let mut text = String::new();
    for (index, (setting, id)) in settings.iter().zip(ids).enumerate() {
        let mark = if index == myself { "myself," } else { "" };
        let (address, bus) = (setting.address, setting.bus_port);
        let end = match index < masters {
            true => {
                let (first, last) = slots_of(index, masters);
                format!("{mark}master - 0 0 {} connected {first}-{last}", index + 1)
            }
            false if index < seats => {
                let master = index % masters;
                format!("{mark}slave {} 0 0 {} connected", ids[master], master + 1)
            }
            false => format!("{mark}master - 0 0 0 connected"),
        };
        writeln!(text, "{id} {address}@{bus} {end}").expect("a string takes any text");
    }
    text + &format!("vars currentEpoch {masters} lastVoteEpoch 0\n")
}

fn slots_of(index: usize, masters: usize) -> (usize, usize) {
    let count = usize::from(SLOT_COUNT);
    (index * count / masters, (index + 1) * count / masters - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deals_all_slots_and_names_one_node_as_myself() {
        let plan = Plan::default();
        let settings = settings(&plan);
        let ids: Vec<String> = (0..6).map(|index| format!("{index:040}")).collect();
        let text = nodes_conf(&plan, &settings, &ids, 4);
        assert_eq!(text.lines().count(), 7);
        assert_eq!(text.matches("myself").count(), 1);
        for expected in [
            "10.0.0.1:6379@16379 master - 0 0 1 connected 0-5460",
            "master - 0 0 2 connected 5461-10921",
            "master - 0 0 3 connected 10922-16383",
            "vars currentEpoch 3 lastVoteEpoch 0",
        ] {
            assert!(text.contains(expected), "{expected} in\n{text}");
        }
        let replica = format!("{:040} 10.0.0.5:6379@16379 myself,slave {:040} 0 0 2", 4, 1);
        assert!(text.contains(&replica), "{text}");
    }
}

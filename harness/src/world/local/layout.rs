//! What a cluster looks like before it starts: ids, slots, addresses, and the files of each node.
//!
//! Pure. Every node finds a nodes.conf in which it already knows the whole cluster, so no MEET and
//! no gossip round is needed. Upstream 6.2, 7.0 and 8.2 accept the same file.

use std::fmt::Write as _;
use std::net::SocketAddrV4;

use slotquake_checkers::observation::NodeSetting;
use slotquake_checkers::observation::setting::Server;
use slotquake_checkers::observation::slots::SLOT_COUNT;
use slotquake_workloads::rng::Rng;

use crate::plan::{Plan, config};
use crate::target::Launch;

/// From a client port to the bus port of the same node.
pub(super) const BUS_OFFSET: u16 = 10_000;

/// Who is whose master, and who owns what.
#[derive(Debug)]
pub(super) struct Layout {
    addresses: Vec<SocketAddrV4>,
    ids: Vec<String>,
    masters: usize,
    /// Behind the replicas come masters without slots.
    slotless: usize,
}

impl Layout {
    /// The first `masters` nodes are masters, the others their replicas in turn, the last ones
    /// masters without slots.
    pub(super) fn new(
        seed: u64,
        (masters, slotless): (usize, usize),
        addresses: Vec<SocketAddrV4>,
    ) -> Layout {
        assert!(
            masters > 0 && masters + slotless <= addresses.len(),
            "{masters} masters and {slotless} without slots"
        );
        let mut rng = Rng::named(seed, "node ids");
        let mut digit = || char::from(b"0123456789abcdef"[rng.below(16) as usize]);
        Layout {
            ids: addresses
                .iter()
                .map(|_| (0..40).map(|_| digit()).collect())
                .collect(),
            addresses,
            masters,
            slotless,
        }
    }

    /// Whether this node starts as a master.
    pub(super) fn is_master(&self, node: usize) -> bool {
        node < self.masters || node >= self.addresses.len() - self.slotless
    }

    /// nodes.conf of this node.
    pub(super) fn nodes_conf(&self, node: usize) -> String {
        let mut text = String::new();
        for (other, (id, address)) in self.ids.iter().zip(&self.addresses).enumerate() {
            let master = other % self.masters;
            let myself = if other == node { "myself," } else { "" };
            let bus_port = address.port() + BUS_OFFSET;
            let (role, master_id, slots, epoch) = match self.is_master(other) {
                true if other < self.masters => {
                    ("master", "-", format!(" {}", self.slots(other)), other + 1)
                }
                true => ("master", "-", String::new(), 0),
                false => {
                    let master_id = self.ids[master].as_str();
                    ("slave", master_id, String::new(), master + 1)
                }
            };
            writeln!(
                text,
                "{id} {address}@{bus_port} {myself}{role} {master_id} 0 0 {epoch} connected{slots}"
            )
            .expect("a String takes any text");
        }
        writeln!(text, "vars currentEpoch {} lastVoteEpoch 0", self.masters)
            .expect("a String takes any text");
        text
    }

    /// The slots of a master, shared out as `redis-cli --cluster create` does.
    fn slots(&self, master: usize) -> String {
        let (count, masters) = (usize::from(SLOT_COUNT), self.masters);
        let edge = |master: usize| (2 * master * count + masters) / (2 * masters);
        format!("{}-{}", edge(master), edge(master + 1) - 1)
    }
}

/// redis.conf of a node.
pub(super) fn redis_conf(node: &NodeSetting, launch: &Launch, plan: &Plan) -> String {
    let address = node.address.ip().to_string();
    let mut settings: Vec<(&str, String)> = vec![
        ("port", node.address.port().to_string()),
        ("bind", address.clone()),
        ("protected-mode", "no".into()),
        ("daemonize", "no".into()),
        ("cluster-enabled", "yes".into()),
        ("cluster-config-file", "nodes.conf".into()),
        ("cluster-node-timeout", plan.node_timeout_ms.to_string()),
        ("save", "\"\"".into()),
        ("appendonly", "no".into()),
        // The default of 5 s would dominate the start of a replica.
        ("repl-diskless-sync-delay", "0".into()),
    ];
    // The tap and the cuts tell nodes by their addresses. Older servers use the first "bind".
    if knows_bind_source(&launch.server) {
        settings.push(("bind-source-addr", address));
        // At the end the data of replicas is compared with that of their masters.
        settings.push(("enable-debug-command", "yes".into()));
    }
    // What was given comes last: the last line of a directive counts.
    settings.extend(config::lines(&plan.config));
    if launch.server == Server::Reference
        && let Some((name, value)) = plan.profile.directive()
    {
        settings.push((name, value.into()));
    }
    settings
        .into_iter()
        .fold(String::new(), |mut text, (name, value)| {
            writeln!(text, "{name} {value}").expect("a String takes any text");
            text
        })
}

fn knows_bind_source(server: &Server) -> bool {
    match server {
        Server::Reference => true,
        Server::Redis(version) => {
            let major = version
                .split('.')
                .next()
                .and_then(|major| major.parse::<u32>().ok());
            major.is_some_and(|major| major >= 7)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn layout(masters: usize, nodes: u8) -> Layout {
        let address = |last| SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, last), 6379);
        Layout::new(1, (masters, 0), (1..=nodes).map(address).collect())
    }

    #[test]
    fn slots_are_shared_out_as_redis_cli_does() {
        let layout = layout(3, 6);
        let slots: Vec<String> = (0..3).map(|master| layout.slots(master)).collect();
        assert_eq!(slots, ["0-5460", "5461-10922", "10923-16383"]);
    }

    #[test]
    fn every_slot_has_one_owner_whatever_the_number_of_masters() {
        for masters in 1..=200 {
            let layout = layout(masters, 200);
            let mut next = 0;
            for master in 0..masters {
                let slots = layout.slots(master);
                let (first, last) = slots.split_once('-').expect("a range");
                assert_eq!(first.parse(), Ok(next), "{masters} masters");
                next = last.parse::<u32>().expect("a slot") + 1;
            }
            assert_eq!(next, u32::from(SLOT_COUNT));
        }
    }

    #[test]
    fn a_replica_names_its_master_and_itself() {
        let layout = layout(3, 6);
        let text = layout.nodes_conf(4);
        let mine = text.lines().nth(4).expect("five lines");
        assert!(mine.contains("myself,slave"), "{mine}");
        assert!(
            mine.contains(&format!("slave {} 0 0 2", layout.ids[1])),
            "{mine}"
        );
        assert!(
            text.ends_with("vars currentEpoch 3 lastVoteEpoch 0\n"),
            "{text}"
        );
    }
}

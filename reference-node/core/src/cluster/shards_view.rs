//! CLUSTER SLOTS, SHARDS, LINKS and REPLICAS as replies (cluster-commands.md 2.3 to 2.6).
//!
//! Clauses: RD-07, RP-13, CF-16.

use super::Cluster;
use super::members::{Member, MemberIndex, MemberLink};
use super::routing::ip_text;
use super::turn::Turn;
use super::views::range_ends;
use crate::config::EndpointType;
use crate::resp::Reply;
use crate::slot::Slot;

impl Cluster {
    /// CLUSTER SLOTS: one element per run of slots with one owner, ascending.
    pub(super) fn slots_reply(&self, turn: &Turn) -> Reply {
        let mut runs: Vec<(Slot, Slot, MemberIndex)> = Vec::new();
        for (index, member) in self.members.iter() {
            runs.extend(
                member
                    .slots
                    .ranges()
                    .into_iter()
                    .map(|(a, b)| (a, b, index)),
            );
        }
        runs.sort();
        let elements = runs.into_iter().map(|(first, last, owner)| {
            let mut element = vec![number(first.number()), number(last.number())];
            element.push(slots_node(&self.members[owner], turn));
            let replicas = self.members.replicas_of(owner);
            let in_sync = replicas
                .filter(|(index, member)| !member.is_failed() && self.offset_of(*index, turn) > 0);
            element.extend(in_sync.map(|(_, member)| slots_node(member, turn)));
            Reply::Array(element)
        });
        Reply::Array(elements.collect())
    }

    /// CLUSTER SHARDS: one element per master, also those without slots.
    pub(super) fn shards_reply(&self, turn: &Turn) -> Reply {
        let masters = self.members.iter().filter(|(_, member)| member.is_master());
        let shards = masters.map(|(index, master)| {
            let ends = range_ends(&master.slots)
                .into_iter()
                .map(|slot| number(slot.number()));
            let replicas = self.members.replicas_of(index).map(|(replica, _)| replica);
            let nodes = std::iter::once(index).chain(replicas);
            let nodes = nodes.map(|node| self.shard_node(node, turn));
            Reply::Map(vec![
                (Reply::text("slots"), Reply::Array(ends.collect())),
                (Reply::text("nodes"), Reply::Array(nodes.collect())),
            ])
        });
        Reply::Array(shards.collect())
    }

    fn shard_node(&self, index: MemberIndex, turn: &Turn) -> Reply {
        let member = &self.members[index];
        let offset = self.offset_of(index, turn);
        let mut fields = vec![(Reply::text("id"), Reply::text(member.id.as_str()))];
        let mut add = |name: &str, value: Reply| fields.push((Reply::text(name), value));
        if member.address.port != 0 {
            add("port", number(member.address.port));
        }
        add("ip", Reply::text(ip_text(member)));
        add("endpoint", Reply::text(shard_endpoint(member, turn)));
        if !member.hostname.is_empty() {
            add("hostname", Reply::text(&member.hostname));
        }
        add(
            "role",
            Reply::text(if member.is_replica() {
                "replica"
            } else {
                "master"
            }),
        );
        add("replication-offset", Reply::Integer(offset as i64));
        let health = match (member.is_failed(), member.is_replica() && offset == 0) {
            (true, _) => "fail",
            (false, true) => "loading",
            (false, false) => "online",
        };
        add("health", Reply::text(health));
        Reply::Map(fields)
    }

    /// RP-13: how far a node's data goes.
    fn offset_of(&self, index: MemberIndex, turn: &Turn) -> u64 {
        if index == self.members.my_index() {
            turn.replication.offset
        } else {
            self.members[index].repl_offset
        }
    }

    /// CLUSTER LINKS.
    pub(super) fn links_reply(&self) -> Reply {
        let mut links = Vec::new();
        for (_, member) in self.members.others() {
            let both = [("to", member.outbound), ("from", member.inbound)];
            for (direction, link) in both {
                links.extend(link.map(|link| {
                    let waiting = self.links.get(link.id).map_or(0, |link| link.waiting_bytes);
                    link_reply(direction, member, link, waiting)
                }));
            }
        }
        Reply::Array(links)
    }

    /// CLUSTER REPLICAS.
    pub(super) fn replicas_reply(&self, master: MemberIndex) -> Reply {
        let replicas = self.members.replicas_of(master);
        Reply::Array(
            replicas
                .map(|(index, _)| Reply::text(self.node_line(index)))
                .collect(),
        )
    }
}

fn link_reply(direction: &str, member: &Member, link: MemberLink, waiting_bytes: u64) -> Reply {
    let events = if waiting_bytes > 0 { "rw" } else { "r" };
    let waiting = Reply::Integer(waiting_bytes as i64);
    Reply::Map(vec![
        (Reply::text("direction"), Reply::text(direction)),
        (Reply::text("node"), Reply::text(member.id.as_str())),
        (
            Reply::text("create-time"),
            Reply::Integer(link.created_at.0 as i64),
        ),
        (Reply::text("events"), Reply::text(events)),
        (Reply::text("send-buffer-allocated"), waiting.clone()),
        (Reply::text("send-buffer-used"), waiting),
    ])
}

/// One node in CLUSTER SLOTS: endpoint, port, id, and what else names it.
fn slots_node(member: &Member, turn: &Turn) -> Reply {
    let preferred = turn.config.cluster_preferred_endpoint_type;
    let endpoint = match preferred {
        EndpointType::Ip => Reply::text(ip_text(member)),
        EndpointType::Hostname if member.hostname.is_empty() => Reply::text("?"),
        EndpointType::Hostname => Reply::text(&member.hostname),
        EndpointType::Unknown => Reply::Nil,
    };
    let mut names = Vec::new();
    if preferred != EndpointType::Ip {
        names.push((Reply::text("ip"), Reply::text(ip_text(member))));
    }
    if preferred != EndpointType::Hostname && !member.hostname.is_empty() {
        names.push((Reply::text("hostname"), Reply::text(&member.hostname)));
    }
    Reply::Array(vec![
        endpoint,
        number(member.address.port),
        Reply::text(member.id.as_str()),
        Reply::Map(names),
    ])
}

fn shard_endpoint(member: &Member, turn: &Turn) -> String {
    match turn.config.cluster_preferred_endpoint_type {
        EndpointType::Ip => ip_text(member),
        EndpointType::Hostname if member.hostname.is_empty() => "?".into(),
        EndpointType::Hostname => member.hostname.clone(),
        EndpointType::Unknown => String::new(),
    }
}

fn number(n: u16) -> Reply {
    Reply::Integer(i64::from(n))
}

//! Joining: a cluster meets another one, and all nodes say the same of all.

use std::collections::BTreeSet;

use slotquake_tests::live::{Mode, Program, Server, wait_until};
use slotquake_workloads::client::resp::RespValue;

use crate::corpus::{flat, table};
use crate::stage::{
    Part, Real, count, field, form, form_crossed, meet, ours, replicate, text, view,
    wait_all_known, wait_settled, with, with_each_real,
};

/// Proves HS-05, HS-07, HS-08, HS-11, HS-21, GO-12 and EP-22 between different makes.
#[test]
fn two_clusters_of_different_make_become_one_whichever_meets_the_other() {
    with_each_real(|real| {
        let start = |program: &Program| Server::start(program, Mode::Cluster);
        let pair = |program: &Program| [start(program), start(program)];
        for who_asks in [0, 1] {
            let pairs = [pair(&ours()), pair(&real.program)];
            for [one, other] in &pairs {
                meet(one, other);
                wait_all_known([one, other]);
            }
            meet(&pairs[who_asks][0], &pairs[1 - who_asks][1]);
            let nodes: Vec<Server> = pairs.into_iter().flatten().collect();
            wait_all_known(&nodes);
            wait_until("config epochs to be distinct, and told to all", || {
                let views: Vec<_> = nodes.iter().map(view).collect();
                let epochs: BTreeSet<u64> = views[0].values().map(|line| line.epoch).collect();
                epochs.len() == nodes.len() && views.iter().all(|view| *view == views[0])
            });
        }
    });
}

/// Proves GO-06, RP-13 and ST-13 between different makes: nodes that live are never
/// suspected, and CLUSTER NODES, SLOTS and SHARDS say the same wherever they are asked.
#[test]
fn all_nodes_agree_and_nobody_is_suspected() {
    with_each_real(|real| {
        let (ours, theirs) = (ours(), &real.program);
        let nodes = form_crossed(&ours, theirs);
        let slots = |node: &Server| sorted_slots(node.client().call(&["CLUSTER", "SLOTS"]));
        wait_until("CLUSTER SLOTS to be the same everywhere", || {
            let first = slots(&nodes[0]);
            first.len() == 2
                && first.iter().all(|run| run.len() == 2 + 2)
                && nodes.iter().all(|node| slots(node) == first)
        });
        if real.has_7_0() {
            wait_until("CLUSTER SHARDS to be the same everywhere", || {
                let first = shards(&nodes[0]);
                first.len() == 2 && nodes.iter().all(|node| shards(node) == first)
            });
        }
        // So many answered pings later nobody was ever suspected.
        let pongs = |node| {
            let name = "cluster_stats_messages_pong_received";
            count(node, &["CLUSTER", "INFO"], name)
        };
        let until: Vec<u64> = nodes.iter().map(|node| pongs(node) + 12).collect();
        wait_until("pongs", || {
            for node in &nodes {
                let text = text(&mut node.client(), &["CLUSTER", "NODES"]);
                assert!(
                    !text.contains("fail"),
                    "{} suspects: {text}",
                    node.address()
                );
            }
            nodes
                .iter()
                .zip(&until)
                .all(|(node, until)| pongs(node) >= *until)
        });
        for node in &nodes {
            assert_eq!(field(node, &["CLUSTER", "INFO"], "cluster_size"), "2");
            assert_eq!(
                field(node, &["CLUSTER", "INFO"], "cluster_known_nodes"),
                "4"
            );
        }
    });
}

// First and last slot, then master and replicas, by id; replicas in any order.
fn sorted_slots(reply: RespValue) -> Vec<Vec<String>> {
    let RespValue::Array(Some(runs)) = reply else {
        panic!("no slots: {reply:?}");
    };
    let run = |run: RespValue| {
        let RespValue::Array(Some(parts)) = run else {
            panic!("no run: {run:?}");
        };
        let mut words: Vec<String> = parts[..2].iter().cloned().flat_map(flat).collect();
        // Address, port, id; 7.0 adds more.
        let nodes = parts[2..].iter().cloned().map(flat);
        words.extend(nodes.map(|node| node[..3].join(" ")));
        words[3..].sort();
        words
    };
    let mut runs: Vec<Vec<String>> = runs.into_iter().map(run).collect();
    runs.sort();
    runs
}

/// A node of a shard: id, port, role, health, hostname.
type ShardNode = [String; 5];

fn shards(node: &Server) -> BTreeSet<(String, BTreeSet<ShardNode>)> {
    let RespValue::Array(Some(shards)) = node.client().call(&["CLUSTER", "SHARDS"]) else {
        panic!("no shards");
    };
    let shard = |shard: RespValue| {
        let RespValue::Array(Some(parts)) = shard else {
            panic!("no shard: {shard:?}");
        };
        let RespValue::Array(Some(nodes)) = parts[3].clone() else {
            panic!("no nodes: {parts:?}");
        };
        let nodes = nodes.into_iter().map(|node| {
            let table = table(node);
            let field = |name| table.get(name).cloned().unwrap_or_default();
            ["id", "port", "role", "health", "hostname"].map(field)
        });
        (flat(parts[1].clone()).join(" "), nodes.collect())
    };
    shards.into_iter().map(shard).collect()
}

/// Proves BUS-21, BUS-24 and PS-04 between different makes.
#[test]
fn hostnames_are_known_to_all_and_their_end_too() {
    with_each_real(|real| {
        if !real.has_7_0() {
            return;
        }
        let named =
            |program, name: &str| with(program, &format!("cluster-announce-hostname {name}\n"));
        let (one, two) = (
            named(&ours(), "our.host-1"),
            named(&real.program, "their.host-2"),
        );
        let nodes = form(&[(&one, Part::Master), (&two, Part::Master)]);
        let names = |node: &Server| {
            let view = view(node);
            let name = |one: &Server| view[&one.id()].hostname.clone();
            nodes.iter().map(name).collect::<Vec<_>>()
        };
        let wait_names = |expected: [&str; 2]| {
            wait_until(&format!("hostnames {expected:?}"), || {
                nodes.iter().all(|node| names(node) == expected)
            });
        };
        wait_names(["our.host-1", "their.host-2"]);
        for (node, name) in nodes.iter().zip(["changed", ""]) {
            let words = ["CONFIG", "SET", "cluster-announce-hostname", name];
            crate::stage::ok(&mut node.client(), &words);
        }
        wait_names(["changed", ""]);
    });
}

/// And CLUSTER REPLICAS says so, wherever it is asked.
#[test]
fn an_empty_master_of_either_make_becomes_a_replica_of_the_other() {
    with_each_real(|real: &Real| {
        let (ours, theirs) = (ours(), &real.program);
        for (first, second) in [(&ours, theirs), (theirs, &ours)] {
            let mut nodes = form(&[(first, Part::Master)]);
            nodes.push(Server::start(second, Mode::Cluster));
            meet(&nodes[1], &nodes[0]);
            wait_all_known(&nodes);
            replicate(&nodes[1], &nodes[0]);
            wait_settled(&nodes);
            let id = nodes[0].id();
            for node in &nodes {
                let reply = node.client().call(&["CLUSTER", "REPLICAS", &id]);
                let lines = flat(reply);
                assert_eq!(lines.len(), 1, "{lines:?}");
                assert!(lines[0].starts_with(&nodes[1].id()), "{lines:?}");
            }
        }
    });
}

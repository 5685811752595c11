//! Several nodes as processes: they form a cluster, copy data, fail over, come back.

mod support;

use support::{Client, NodeProcess, Reply, cluster, wait_ok, wait_until};

/// Keys, one of each node's slots at least.
const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn set_all(nodes: &[NodeProcess], value: &str) {
    for key in KEYS {
        wait_until("some master to take the write", || {
            nodes.iter().any(|node| {
                let reply = Client::connect(node.port).try_call(&["SET", key, value]);
                reply == Some(Reply::Text("OK".into()))
            })
        });
    }
}

fn values(node: &NodeProcess) -> Vec<String> {
    let mut client = node.client();
    client.ok(&["READONLY"]);
    let replies = KEYS.iter().map(|key| client.call(&["GET", key]));
    replies
        .filter_map(|reply| {
            if let Reply::Text(text) = reply {
                Some(text)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn a_replica_holds_what_its_master_was_given() {
    let nodes = cluster(3);
    set_all(&nodes, "1");
    for (master, replica) in nodes[..3].iter().zip(&nodes[3..]) {
        wait_until("the replica to have what its master has", || {
            values(master) == values(replica)
        });
    }
    let total: usize = nodes[3..].iter().map(|node| values(node).len()).sum();
    assert_eq!(total, KEYS.len());
}

/// Proves RP-04, RP-06, RP-07 over processes.
#[test]
fn a_killed_master_is_replaced_and_comes_back_as_a_replica() {
    let mut nodes = cluster(3);
    set_all(&nodes, "1");
    nodes[0].kill();
    let mut heir = nodes[3].client();
    wait_until("the replica of the killed master to be promoted", || {
        heir.field(&["INFO", "replication"], "role") == "master"
    });
    wait_until("the cluster to be ok again", || {
        heir.field(&["CLUSTER", "INFO"], "cluster_state") == "ok"
    });
    set_all(&nodes[1..], "2");
    nodes[0].restart();
    let mut old = nodes[0].client();
    wait_until("the old master to be a linked replica", || {
        old.field(&["INFO", "replication"], "role") == "slave"
            && old.field(&["INFO", "replication"], "master_link_status") == "up"
    });
    wait_until("the old master to have what its heir has", || {
        values(&nodes[0]) == values(&nodes[3]) && !values(&nodes[0]).is_empty()
    });
    wait_ok(&nodes);
}

/// Proves MF-10 over processes: and no snapshot is needed afterwards.
#[test]
fn a_manual_failover_swaps_roles_without_a_snapshot() {
    let nodes = cluster(3);
    set_all(&nodes, "1");
    let mut heir = nodes[3].client();
    heir.ok(&["CLUSTER", "FAILOVER"]);
    wait_until("the replica to be promoted", || {
        heir.field(&["INFO", "replication"], "role") == "master"
    });
    let mut old = nodes[0].client();
    wait_until("the old master to be a linked replica", || {
        old.field(&["INFO", "replication"], "role") == "slave"
            && old.field(&["INFO", "replication"], "master_link_status") == "up"
    });
    assert!(
        !nodes[3].log().contains("Full resync"),
        "a partial one is enough"
    );
    wait_until("the same data on both", || {
        values(&nodes[0]) == values(&nodes[3])
    });
}

/// Proves RW-38.
#[test]
fn wait_counts_replicas_that_have_the_write() {
    let nodes = cluster(3);
    let mut client = nodes[0].client();
    let key = KEYS
        .iter()
        .find(|key| client.call(&["SET", key, "1"]) == Reply::Text("OK".into()));
    assert!(key.is_some(), "one of the keys is of the first master");
    assert_eq!(client.call(&["WAIT", "1", "5000"]), Reply::Integer(1));
}

//! A node that was killed comes back as itself, in a cluster of the other make.

use slotquake_tests::live::{Server, wait_until};

use crate::corpus::{self, assert_same, contents};
use crate::replication::assert_in_step;
use crate::stage::{form_crossed, meet, ours, view, wait_settled, with, with_each_real};

/// Proves PS-02 and EP-07 between different makes.
#[test]
fn after_kill_9_every_node_is_back_with_its_id_slots_and_data() {
    with_each_real(|real| {
        let kept = "appendonly yes\nappendfsync always\n";
        let (ours, theirs) = (with(&ours(), kept), with(&real.program, kept));
        let mut nodes = form_crossed(&ours, &theirs);
        for (node, tag) in [(0, "third"), (1, "n2")] {
            corpus::write(&mut nodes[node].client(), tag);
            assert_in_step(&nodes[node], &nodes[node + 2]);
        }
        let before = view(&nodes[0]);
        let data = [0, 1].map(|node| contents(&mut nodes[node].client()));
        for node in [2, 3, 0, 1] {
            let id = nodes[node].id();
            nodes[node].kill();
            nodes[node].restart();
            assert_eq!(nodes[node].id(), id, "the same node");
            wait_settled(&nodes);
            assert_eq!(view(&nodes[node]), before, "and nothing else has changed");
        }
        for node in [0, 1] {
            assert_same(&data[node], &contents(&mut nodes[node].client()));
            assert_in_step(&nodes[node], &nodes[node + 2]);
        }
    });
}

/// Proves GO-11, GO-17, HS-10 and HS-12 between different makes.
#[test]
fn a_node_that_comes_back_on_another_port_is_found_again() {
    with_each_real(|real| {
        let (ours, theirs) = (ours(), &real.program);
        let mut nodes = form_crossed(&ours, theirs);
        let are_found = |nodes: &[Server]| {
            let ports: Vec<String> = nodes.iter().map(Server::address).collect();
            wait_until("the new port to be known to all", || {
                nodes.iter().all(|node| {
                    let view = view(node);
                    let mut known = nodes.iter().zip(&ports);
                    known.all(|(node, port)| view[&node.id()].address.starts_with(port))
                })
            });
            wait_settled(nodes);
        };
        for moved in [3, 2, 0, 1] {
            nodes[moved].kill();
            nodes[moved].restart_elsewhere();
            if moved < 2 {
                // Who meets a node that it knows of old learns no second one.
                meet(&nodes[3 - moved], &nodes[moved]);
            }
            are_found(&nodes);
        }
        // Replicas follow their masters to where these are now.
        assert_in_step(&nodes[0], &nodes[2]);
        assert_in_step(&nodes[1], &nodes[3]);
    });
}

//! nodes.conf: each make starts from the file that the other wrote.

use std::collections::BTreeSet;

use slotquake_core::cluster::nodes_conf::NodesConf;
use slotquake_tests::live::{Program, Server};

use crate::stage::{
    Line, count, form_crossed, ok, open_slots, ours, text, view, wait_settled, with, with_each_real,
};

/// Proves PS-02, PS-18 and SM-17 between different makes: programs change places, each
/// starts in the folder of the other, and nobody else sees a difference; then back again.
#[test]
fn nodes_of_either_make_go_on_from_the_file_of_the_other() {
    with_each_real(|real| {
        let (ours, theirs) = match real.has_7_0() {
            true => (named(&ours(), "host-a"), named(&real.program, "host-b")),
            false => (ours(), real.program.clone()),
        };
        let theirs = match real.has_8_2() {
            true => with(&theirs, "cluster-announce-human-nodename their-name\n"),
            false => theirs,
        };
        let mut nodes = form_crossed(&ours, &theirs);
        open_some(&nodes);
        bump(&nodes);
        let expected = told(&nodes);
        let mut programs = [&ours, &theirs, &theirs, &ours];
        for _ in 0..2 {
            programs = programs.map(|program| other_than(program, [&ours, &theirs]));
            nodes.iter_mut().for_each(Server::kill);
            for node in &nodes {
                assert_is_read(node);
            }
            for (node, program) in nodes.iter_mut().zip(programs) {
                node.restart_as(program);
            }
            wait_settled(&nodes);
            let found = told(&nodes);
            assert_eq!(found.ids, expected.ids, "nobody became somebody else");
            assert_eq!(found.open, expected.open, "open slots stay open");
            assert_eq!(found.lines, expected.lines, "epochs, slots and masters");
            assert!(
                found
                    .epochs
                    .iter()
                    .all(|epoch| *epoch >= expected.epochs[0])
            );
        }
    });
}

fn named(program: &Program, name: &str) -> Program {
    with(program, &format!("cluster-announce-hostname {name}\n"))
}

fn other_than<'a>(program: &'a Program, both: [&'a Program; 2]) -> &'a Program {
    if program.path == both[0].path {
        both[1]
    } else {
        both[0]
    }
}

// Slot 7 goes from ours to theirs, slot 16000 from theirs to ours; both ends have them open.
fn open_some(nodes: &[Server]) {
    let ids = [nodes[0].id(), nodes[1].id()];
    for (slot, from, to) in [("7", 0, 1), ("16000", 1, 0)] {
        let importing = ["CLUSTER", "SETSLOT", slot, "IMPORTING", &ids[from]];
        ok(&mut nodes[to].client(), &importing);
        let migrating = ["CLUSTER", "SETSLOT", slot, "MIGRATING", &ids[to]];
        ok(&mut nodes[from].client(), &migrating);
    }
}

// Epochs that are not just those of the start.
fn bump(nodes: &[Server]) {
    for node in [0, 1, 0] {
        let said = text(&mut nodes[node].client(), &["CLUSTER", "BUMPEPOCH"]);
        assert!(said.starts_with("BUMPED "), "{said}");
        wait_settled(nodes);
    }
}

/// What must be the same before and after.
struct Told {
    ids: Vec<String>,
    lines: Vec<Line>,
    open: Vec<BTreeSet<String>>,
    epochs: Vec<u64>,
}

fn told(nodes: &[Server]) -> Told {
    let epoch = |node| count(node, &["CLUSTER", "INFO"], "cluster_current_epoch");
    Told {
        ids: nodes.iter().map(Server::id).collect(),
        // A hostname is that of the program that runs now.
        lines: view(&nodes[0])
            .into_values()
            .map(|line| Line {
                hostname: String::new(),
                ..line
            })
            .collect(),
        open: nodes.iter().map(open_slots).collect(),
        epochs: nodes.iter().map(epoch).collect(),
    }
}

// Our reader alone, on the file as it lies there.
fn assert_is_read(node: &Server) {
    let bytes = std::fs::read(node.file("nodes.conf")).unwrap();
    let shown = String::from_utf8_lossy(&bytes);
    match NodesConf::parse(&bytes) {
        Ok(conf) => assert_eq!(conf.nodes.len(), 4, "{shown}"),
        Err(error) => panic!("{error}:\n{shown}"),
    }
}

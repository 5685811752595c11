//! Extensions of pings: spoken with those who speak them, and only with them.

use slotquake_tests::live::{Server, wait_until};

use crate::stage::{
    Part, form, newest, ok, oldest, ours, text, view, wait_settled, with, with_each_real,
};

/// Proves BUS-22, BUS-23, BUS-26 and BUS-28: one of 6.2, which drops whatever is extended, one of
/// 8.2, which extends, and ours between them; shard ids come through where they can.
#[test]
fn shard_ids_reach_8_2_while_6_2_stays_in_touch() {
    let (ours, oldest, newest) = (ours(), oldest(), newest());
    let nodes = form(&[
        (&ours, Part::Master),
        (&newest.program, Part::Master),
        (&oldest.program, Part::Master),
        (&newest.program, Part::ReplicaOf(0)),
        (&ours, Part::ReplicaOf(1)),
        (&ours, Part::ReplicaOf(2)),
    ]);
    let shard = |reader: &Server, of: &Server| {
        let conf = std::fs::read_to_string(reader.file("nodes.conf")).unwrap();
        let id = of.id();
        let line = conf.lines().find(|line| line.starts_with(&id));
        let line = line.unwrap_or_else(|| panic!("no {id}: {conf}"));
        let (_, rest) = line.split_once("shard-id=").unwrap_or_default();
        rest.get(..40).unwrap_or_default().to_string()
    };
    let newer = [&nodes[1], &nodes[3]];
    wait_until("8.2 to have the shard ids of ours, and of its own", || {
        newer.iter().all(|reader| {
            let own = |node: &Server| text(&mut node.client(), &["CLUSTER", "MYSHARDID"]);
            shard(reader, &nodes[0]) == shard(reader, &nodes[3])
                && shard(reader, &nodes[1]) == shard(reader, &nodes[4])
                && shard(reader, &nodes[0]) != shard(reader, &nodes[1])
                && shard(reader, &nodes[1]) == own(&nodes[1])
                && shard(reader, &nodes[3]) == own(&nodes[3])
        })
    });
    for node in newer {
        let log = node.log();
        assert!(!log.contains("Received invalid"), "{log}");
        assert!(!log.contains("unknown extension"), "{log}");
    }
    wait_settled(&nodes);
}

/// Proves BUS-25 and RS-04 with 8.2: to tell one node is enough.
#[test]
fn word_of_a_forgotten_node_spreads_between_ours_and_8_2() {
    let (ours, newest) = (ours(), newest());
    let mut nodes = form(&[
        (&ours, Part::Master),
        (&newest.program, Part::Master),
        (&ours, Part::ReplicaOf(0)),
        (&newest.program, Part::ReplicaOf(1)),
    ]);
    for asked in [0, 1] {
        let gone = nodes.pop().expect("a replica is left");
        let id = gone.id();
        drop(gone);
        ok(&mut nodes[asked].client(), &["CLUSTER", "FORGET", &id]);
        wait_until("all to have forgotten it", || {
            nodes.iter().all(|node| !view(node).contains_key(&id))
        });
    }
    wait_settled(&nodes);
}

/// Proves BUS-24 with 8.2: a name for humans is announced, and shown.
#[test]
fn a_name_for_humans_reaches_8_2() {
    let ours = with(&ours(), "cluster-announce-human-nodename our-name\n");
    let nodes = form(&[(&ours, Part::Master), (&newest().program, Part::Master)]);
    wait_until("8.2 to have our name", || {
        let conf = std::fs::read_to_string(nodes[1].file("nodes.conf")).unwrap();
        conf.contains("nodename=our-name")
    });
}

/// Proves BUS-21 with 6.2 and 7.0: without a hostname there is nothing they could stumble over.
#[test]
fn without_a_hostname_older_versions_get_pings_without_extensions() {
    with_each_real(|real| {
        if real.has_8_2() {
            return;
        }
        let ours = with(&ours(), "cluster-announce-human-nodename our-name\n");
        let nodes = form(&[(&ours, Part::Master), (&real.program, Part::Master)]);
        let log = nodes[1].log();
        assert!(!log.contains("nknown extension"), "{log}");
    });
}

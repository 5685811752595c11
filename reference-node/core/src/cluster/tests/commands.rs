//! CLUSTER's replies and errors that no other file covers.

use super::rig::{Rig, error_text};
use crate::config::EndpointType;
use crate::resp::Reply;
use crate::slot::Slot;

/// Proves cluster-commands.md section 1, HS-02, EP-04 and the errors of section 2.1.
#[test]
fn errors_are_upstream_s_to_the_byte() {
    let mut rig = Rig::cluster(2, 1);
    let (me, other, replica) = (rig.id(0), rig.id(1), rig.id(2));
    let cases = [
        (
            "".to_owned(),
            "wrong number of arguments for 'cluster' command",
        ),
        (
            " NOSUCH".into(),
            "unknown subcommand 'NOSUCH'. Try CLUSTER HELP.",
        ),
        (
            " INFO x".into(),
            "wrong number of arguments for 'cluster|info' command",
        ),
        (
            " MEET 127.0.0.1 x".into(),
            "Invalid TCP base port specified: x",
        ),
        (
            " MEET 127.0.0.1 7000 x".into(),
            "Invalid TCP bus port specified: x",
        ),
        (
            " MEET localhost 7000".into(),
            "Invalid node address specified: localhost:7000",
        ),
        (
            " MEET 127.0.0.1 0".into(),
            "Invalid node address specified: 127.0.0.1:0",
        ),
        (
            " MEET 127.0.0.1 60000".into(),
            "Invalid node address specified: 127.0.0.1:60000",
        ),
        (format!(" REPLICATE {me}"), "Can't replicate myself"),
        (
            format!(" REPLICATE {replica}"),
            "I can only replicate a master, not a replica.",
        ),
        (
            format!(" REPLICATE {other}"),
            "To set a master the node must be empty and without assigned slots.",
        ),
        (
            format!(" REPLICAS {replica}"),
            "The specified node is not a master",
        ),
        (" COUNT-FAILURE-REPORTS x".into(), "Unknown node x"),
        (" RESET NOW".into(), "syntax error"),
        (
            " SET-CONFIG-EPOCH -1".into(),
            "Invalid config epoch specified: -1",
        ),
        (
            " SET-CONFIG-EPOCH 1".into(),
            "The user can assign a config epoch only when the node does not know any other node.",
        ),
    ];
    for (args, expected) in cases {
        let reply = rig.run(0, &format!("CLUSTER{args}"));
        assert_eq!(error_text(&reply), format!("ERR {expected}"), "{args}");
    }
    rig.hosts[0].keys.0.insert(Slot::new(1).expect("a slot"), 1);
    let reply = rig.run(0, "CLUSTER RESET");
    let expected = "ERR CLUSTER RESET can't be called with master nodes containing keys";
    assert_eq!(error_text(&reply), expected);
}

/// Proves EP-04.
#[test]
fn a_config_epoch_is_set_once_and_only_alone() {
    let mut rig = Rig::strangers(1);
    assert_eq!(rig.run(0, "CLUSTER SET-CONFIG-EPOCH 7"), Reply::OK);
    assert_eq!(rig.at(0).current_epoch().0, 7);
    let reply = rig.run(0, "CLUSTER SET-CONFIG-EPOCH 8");
    assert_eq!(
        error_text(&reply),
        "ERR Node config epoch is already non-zero"
    );
}

/// Proves RD-05, RD-07, CF-16.
#[test]
fn a_node_is_named_as_the_operator_prefers() {
    let mut rig = Rig::cluster(2, 0);
    let other = rig.id(1);
    let mut config = rig.hosts[0].config.clone();
    let mut name = |kind| {
        config.cluster_preferred_endpoint_type = kind;
        rig.at(0).endpoint_of(other, &config)
    };
    assert_eq!(name(EndpointType::Ip), ("127.0.0.1".into(), 7001));
    assert_eq!(name(EndpointType::Hostname), ("?".into(), 7001));
    assert_eq!(name(EndpointType::Unknown), (String::new(), 7001));
    rig.run_for(0);
}

/// Proves RD-17: clients are sent there nevertheless, to an address that is none.
#[test]
fn a_node_without_address_is_still_named() {
    let mut rig = Rig::cluster(3, 0);
    let gone = rig.id(2);
    rig.run(2, "CLUSTER RESET HARD");
    rig.until("the old node is without address", 5000, |rig| {
        rig.at(0)
            .member(gone)
            .is_some_and(|member| member.is_without_address)
    });
    let slot = Slot::new(16_000).expect("a slot");
    assert_eq!(rig.at(0).slot_owner(slot).map(|owner| owner.id), Some(gone));
    let route = crate::route::Route::Moved(slot, gone);
    let refusal = crate::route::refusal(route, rig.at(0), &rig.hosts[0].config);
    let text = refusal.map(|refusal| refusal.to_string());
    assert_eq!(text.as_deref(), Some("MOVED 16000 :0"));
}

/// Proves cluster-commands.md 2.4 and 2.5, RP-13: an unsynced replica is left out, or loading.
#[test]
fn slots_and_shards_show_replicas_as_they_are() {
    let mut rig = Rig::cluster(1, 1);
    let Reply::Array(runs) = rig.run(0, "CLUSTER SLOTS") else {
        panic!("an array expected");
    };
    let [Reply::Array(run)] = &runs[..] else {
        panic!("one run expected, got {runs:?}");
    };
    assert_eq!(run[..2], [Reply::Integer(0), Reply::Integer(16_383)]);
    assert_eq!(run.len(), 4);
    rig.hosts[1].replication.offset = 0;
    rig.run_for(3000);
    let Reply::Array(runs) = rig.run(0, "CLUSTER SLOTS") else {
        panic!("an array expected");
    };
    assert!(matches!(&runs[0], Reply::Array(run) if run.len() == 3));
    let shards = format!("{:?}", rig.run(0, "CLUSTER SHARDS"));
    assert!(shards.contains("loading"), "{shards}");
}

/// Proves cluster-commands.md 2.6.
#[test]
fn links_are_listed_in_both_directions() {
    let mut rig = Rig::cluster(3, 0);
    let Reply::Array(links) = rig.run(0, "CLUSTER LINKS") else {
        panic!("an array expected");
    };
    assert_eq!(links.len(), 4);
}

/// Proves every subcommand of the table answers without an error where it takes no argument.
#[test]
fn plain_subcommands_answer() {
    let mut rig = Rig::cluster(1, 1);
    for name in [
        "INFO",
        "NODES",
        "SLOTS",
        "SHARDS",
        "LINKS",
        "MYID",
        "HELP",
        "SAVECONFIG",
    ] {
        let reply = rig.run(1, &format!("CLUSTER {name}"));
        assert!(!matches!(reply, Reply::Error(_)), "{name}: {reply:?}");
    }
    let slot = rig.run(0, "CLUSTER KEYSLOT 123456789");
    assert_eq!(slot, Reply::Integer(0x31c3));
}

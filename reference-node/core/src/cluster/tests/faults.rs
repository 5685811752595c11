//! Faults on purpose: links killed, packets ignored, queues too long.

use super::rig::{Rig, error_text};
use crate::cluster::{Effect, PublishKind};
use crate::resp::Reply;

fn has_both_links(rig: &Rig, of: usize, to: usize) -> bool {
    let member = rig.view(of, to);
    member.outbound.is_some() && member.inbound.is_some()
}

#[test]
fn links_that_debug_kills_are_made_anew() {
    let mut rig = Rig::cluster(2, 0);
    assert!(has_both_links(&rig, 0, 1));
    let peer = rig.id(1);
    let reply = rig.run(0, &format!("DEBUG CLUSTERLINK KILL ALL {peer}"));
    assert_eq!(reply, Reply::OK);
    assert!(rig.view(0, 1).outbound.is_none());
    rig.until("both links", 3000, |rig| has_both_links(rig, 0, 1));
}

#[test]
fn debug_refuses_unknown_nodes_and_words() {
    let mut rig = Rig::strangers(1);
    for (command, error) in [
        ("DEBUG CLUSTERLINK KILL ALL x", "ERR Unknown node x"),
        (
            "DEBUG DROP-CLUSTER-PACKET-FILTER x",
            "ERR value is not an integer or out of range",
        ),
        (
            "DEBUG CLUSTERLINK",
            "ERR unknown subcommand or wrong number of arguments. Try DEBUG HELP.",
        ),
    ] {
        assert_eq!(error_text(&rig.run(0, command)), error);
    }
}

#[test]
fn packets_of_a_dropped_type_are_ignored_until_further_notice() {
    let mut rig = Rig::cluster(2, 0);
    let delivered = |rig: &mut Rig| {
        rig.with(0, |cluster, around, fx| {
            cluster.publish(PublishKind::Global, "c".into(), "m".into(), around, fx);
        });
        rig.run(0, "CLUSTER MYID");
        let effects = std::mem::take(&mut rig.hosts[1].effects);
        let is_delivery = |effect: &&Effect| matches!(effect, Effect::Publish { .. });
        effects.iter().filter(is_delivery).count()
    };
    assert_eq!(delivered(&mut rig), 1);
    rig.run(1, "DEBUG DROP-CLUSTER-PACKET-FILTER 4");
    assert_eq!(delivered(&mut rig), 0);
    rig.run(1, "DEBUG DROP-CLUSTER-PACKET-FILTER -1");
    assert_eq!(delivered(&mut rig), 1);
}

/// Proves CF-17.
#[test]
fn a_link_with_too_long_a_queue_is_closed_and_made_anew() {
    let mut rig = Rig::cluster_with(2, 0, |config| config.cluster_link_sendbuf_limit = 1000);
    let link = rig.view(0, 1).outbound.expect("linked").id;
    rig.with(0, |cluster, around, fx| {
        cluster.on_link_queue(link, 1000, around, fx);
    });
    let is_shown = format!("{:?}", rig.run(0, "CLUSTER LINKS")).contains("Integer(1000)");
    assert!(is_shown, "CLUSTER LINKS tells of the queue");
    rig.with(0, |cluster, around, fx| {
        cluster.on_link_queue(link, 1001, around, fx);
    });
    assert!(rig.view(0, 1).outbound.is_none());
    let Reply::Verbatim(info) = rig.run(0, "CLUSTER INFO") else {
        panic!("CLUSTER INFO is a text");
    };
    assert!(info.contains("total_cluster_links_buffer_limit_exceeded:1\r\n"));
    rig.until("both links", 3000, |rig| has_both_links(rig, 0, 1));
}

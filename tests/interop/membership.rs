//! Leaving and coming back: FORGET, RESET and MEET among nodes of both makes.

use slotquake_tests::live::{Server, wait_until};
use slotquake_workloads::client::resp::RespValue;

use crate::stage::{
    count, field, form_crossed, meet, ok, ours, replicate, view, wait_all_known, wait_settled,
    with_each_real,
};

/// Proves RS-01, RS-02 and HS-20 between different makes.
#[test]
fn a_node_is_forgotten_reset_and_met_again() {
    with_each_real(|real| {
        let (ours, theirs) = (ours(), &real.program);
        let nodes = form_crossed(&ours, theirs);
        // From 7.2 on word of a forgotten id goes round for a minute, and only a new one may come.
        let mild = if real.has_8_2() { "HARD" } else { "SOFT" };
        for (leaver, master, form) in [(2, 0, mild), (3, 1, "HARD")] {
            let id = nodes[leaver].id();
            let others: Vec<&Server> = (0..4)
                .filter(|node| *node != leaver)
                .map(|node| &nodes[node])
                .collect();
            for other in &others {
                forget(other, &id);
            }
            // Gossip goes on, and does not bring it back: it is blacklisted everywhere.
            let pongs = |node: &Server| {
                let name = "cluster_stats_messages_pong_received";
                count(node, &["CLUSTER", "INFO"], name)
            };
            let until = pongs(others[0]) + 8;
            wait_until("further gossip", || {
                for other in &others {
                    assert!(
                        !view(other).contains_key(&id),
                        "{} knows it",
                        other.address()
                    );
                }
                pongs(others[0]) >= until
            });
            ok(&mut nodes[leaver].client(), &["CLUSTER", "RESET", form]);
            let is_same = nodes[leaver].id() == id;
            assert_eq!(is_same, form == "SOFT", "HARD makes a new id");
            assert_eq!(view(&nodes[leaver]).len(), 1);
            // MEET overrules the blacklist of the one who asks; the others are asked in turn.
            for other in &others {
                meet(other, &nodes[leaver]);
            }
            wait_all_known(&nodes);
            replicate(&nodes[leaver], &nodes[master]);
            wait_settled(&nodes);
        }
    });
}

// In 7.2 and later word of it spreads, and may have come first.
fn forget(node: &Server, id: &str) {
    match node.client().call(&["CLUSTER", "FORGET", id]) {
        RespValue::Simple(text) => assert_eq!(text, "OK"),
        RespValue::Error(text) => assert!(text.contains("Unknown node"), "{text}"),
        other => panic!("{other:?}"),
    }
}

/// Proves RS-03, HS-02, HS-13 and EP-04 between different makes: what cannot be is refused
/// in the same words.
#[test]
fn what_cannot_be_forgotten_or_met_is_refused_in_the_same_words() {
    with_each_real(|real| {
        let (ours, theirs) = (ours(), &real.program);
        let nodes = form_crossed(&ours, theirs);
        let ids: Vec<String> = nodes.iter().map(Server::id).collect();
        let nobody = "0".repeat(40);
        // Ours beside theirs, in the same place of the cluster.
        let ask = |node: usize, words: &[&str]| nodes[node].client().call(words);
        for (mine, their) in [(0, 1), (3, 2)] {
            let master = |node: usize| ids[[0, 1, 0, 1][node]].clone();
            let cases = |node: usize| {
                [
                    vec!["CLUSTER".to_string(), "FORGET".into(), ids[node].clone()],
                    vec!["CLUSTER".into(), "FORGET".into(), nobody.clone()],
                    vec!["CLUSTER".into(), "FORGET".into(), master(node)],
                    vec!["CLUSTER".into(), "REPLICATE".into(), ids[node].clone()],
                    vec!["CLUSTER".into(), "REPLICATE".into(), nobody.clone()],
                    vec!["CLUSTER".into(), "MEET".into(), "x".into(), "1".into()],
                    vec!["CLUSTER".into(), "SET-CONFIG-EPOCH".into(), "9".into()],
                ]
            };
            for (mine_words, their_words) in cases(mine).iter().zip(cases(their)) {
                let words = |words: &[String]| words.to_vec();
                let (one, two) = (words(mine_words), words(&their_words));
                let said = |node, words: &[String]| {
                    let words: Vec<&str> = words.iter().map(String::as_str).collect();
                    generic(ask(node, &words), words.last().unwrap_or(&""))
                };
                assert_eq!(said(mine, &one), said(their, &two), "{one:?}");
            }
        }
        // A dead end is met, and given up.
        for node in &nodes[..2] {
            ok(&mut node.client(), &["CLUSTER", "MEET", "127.0.0.1", "1"]);
            wait_until("the handshake to be given up", || {
                field(node, &["CLUSTER", "INFO"], "cluster_known_nodes") == "4"
            });
        }
        wait_settled(&nodes);
    });
}

// An error without the id that it names.
fn generic(reply: RespValue, id: &str) -> String {
    let RespValue::Error(text) = reply else {
        panic!("not refused: {reply:?}");
    };
    text.replace(id, "ID")
}

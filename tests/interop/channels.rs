//! Messages of channels and shard channels, over a bus of both makes.

use slotquake_tests::live::{Client, Server};
use slotquake_workloads::client::resp::RespValue;

use crate::corpus::flat;
use crate::stage::{form_crossed, number, ours, with_each_real};

/// Proves PU-01 and PU-02 between different makes.
#[test]
fn a_message_published_anywhere_reaches_subscribers_everywhere() {
    with_each_real(|real| {
        let nodes = mixed(real);
        let mut listeners: Vec<Client> = nodes.iter().map(Server::client).collect();
        for listener in &mut listeners {
            listener.call(&["SUBSCRIBE", "news"]);
            listener.call(&["PSUBSCRIBE", "n?ws"]);
        }
        let long = "x".repeat(100_000);
        for (from, node) in nodes.iter().enumerate() {
            for message in [format!("from {from}"), long.clone(), String::new()] {
                let words = ["PUBLISH", "news", &message];
                assert_eq!(number(&mut node.client(), &words), 2, "its own subscriber");
                for (to, listener) in listeners.iter_mut().enumerate() {
                    let why = format!("from {from} to {to}");
                    let expected = ["message", "news", &message];
                    assert_eq!(heard(listener, &why), expected, "{why}");
                    let expected = ["pmessage", "n?ws", "news", &message];
                    assert_eq!(heard(listener, &why), expected, "{why}");
                }
            }
        }
    });
}

/// Proves PU-07, PU-08 and PU-09 between different makes.
#[test]
fn a_shard_message_reaches_the_other_nodes_of_its_shard() {
    with_each_real(|real| {
        if !real.has_7_0() {
            return;
        }
        let nodes = mixed(real);
        for (shard, channel) in [([0, 2], "third"), ([1, 3], "n2")] {
            let mut listeners = shard.map(|node| nodes[node].client());
            for listener in &mut listeners {
                let reply = flat(listener.call(&["SSUBSCRIBE", channel]));
                assert_eq!(reply, ["ssubscribe", channel, "1"]);
            }
            for from in shard {
                let message = format!("from {from}");
                let mut client = nodes[from].client();
                number(&mut client, &["SPUBLISH", channel, &message]);
                for (to, listener) in listeners.iter_mut().enumerate() {
                    let why = format!("from {from} to the shard's node {to}");
                    let expected = ["smessage", channel, &message];
                    assert_eq!(heard(listener, &why), expected, "{why}");
                }
            }
            let elsewhere = nodes[1 - shard[0]]
                .client()
                .call(&["SPUBLISH", channel, "x"]);
            let is_moved =
                matches!(&elsewhere, RespValue::Error(text) if text.starts_with("MOVED "));
            assert!(is_moved, "{elsewhere:?}");
        }
    });
}

fn mixed(real: &crate::stage::Real) -> Vec<Server> {
    let (ours, theirs) = (ours(), &real.program);
    form_crossed(&ours, theirs)
}

fn heard(listener: &mut Client, why: &str) -> Vec<String> {
    let message = listener.next_reply();
    flat(message.unwrap_or_else(|| panic!("nothing came {why}")))
}

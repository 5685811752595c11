//! nodes.conf: refused, or the node that it describes; never another one.

use slotquake_core::cluster::nodes_conf::NodesConf;
use slotquake_core::config::Config;
use slotquake_core::output::File;
use slotquake_core::time::Millis;
use slotquake_core::{Boot, Node, Output};

use super::rig::{assert_goes_on, identity};

/// A file: what the parser takes, the node boots from, keeps its id, and writes back.
pub(super) fn file(input: &[u8]) {
    let parsed = NodesConf::parse(input);
    let booted = boot(input);
    match parsed {
        Err(error) => {
            assert!(
                booted.is_err(),
                "a node starts from what is refused: {error}"
            );
        }
        Ok(before) => {
            let mut outputs = booted.expect("a node starts from what is read");
            outputs.retain(is_nodes_conf);
            for output in &outputs {
                if let Output::Persist { content, .. } = output {
                    let after = NodesConf::parse(&content.bytes());
                    let after = after.expect("a node writes what it reads");
                    assert_goes_on(&before, &after);
                    assert!(!identity(&after).is_empty());
                }
            }
        }
    }
}

fn is_nodes_conf(output: &Output) -> bool {
    matches!(
        output,
        Output::Persist {
            file: File::NodesConf,
            ..
        }
    )
}

// The start, and the end: what it writes when somebody asks it to.
fn boot(input: &[u8]) -> Result<Vec<Output>, slotquake_core::BootError> {
    let boot = Boot {
        config: Config {
            cluster_enabled: true,
            ..Config::default()
        },
        config_file: String::new(),
        config_text: String::new(),
        nodes_conf: Some(input.to_vec().into()),
        rdb: None,
        append_only: None,
        seed: 3,
        pid: 1,
    };
    let now = Millis(1_000_000);
    let mut outputs = Vec::new();
    let mut node = Node::boot(boot, now, &mut outputs)?;
    let client = slotquake_core::ids::ClientId(1);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 5000));
    node.step(
        now,
        slotquake_core::Input::ClientOpened {
            client,
            peer: address,
            local: address,
        },
        &mut outputs,
    );
    for words in [&["cluster", "saveconfig"][..], &["cluster", "nodes"]] {
        let args = words.iter().map(|word| (*word).into()).collect();
        let input = slotquake_core::Input::ClientCommand { client, args };
        node.step(now, input, &mut outputs);
    }
    Ok(outputs)
}

//! DEBUG subcommands about the bus: faults on purpose, for tests (cluster-commands.md section 7).
//!
//! DROP-CLUSTER-PACKET-FILTER ignores all packets of one type; CLUSTERLINK KILL closes links.
//! Neither waits for an answer of the other side, and neither is remembered over a restart.

use bytes::Bytes;

use super::commands::{error, integer, unknown_node};
use super::links::LinkDirection;
use super::turn::Turn;
use super::{Cluster, Surroundings};
use crate::cluster::Effect;
use crate::resp::Reply;

impl Cluster {
    /// DEBUG and its two subcommands that are about the bus.
    pub(super) fn run_debug(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let words: Vec<String> = args[1..]
            .iter()
            .map(|arg| String::from_utf8_lossy(arg).to_ascii_lowercase())
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["drop-cluster-packet-filter", kind] => match integer(kind.as_bytes()) {
                Some(kind) => {
                    self.drop_packets_of_type(u16::try_from(kind).ok());
                    Reply::OK
                }
                None => error("value is not an integer or out of range"),
            },
            ["clusterlink", "kill", "to", _] => self.kill_links(&args[4], &[To], turn),
            ["clusterlink", "kill", "from", _] => self.kill_links(&args[4], &[From], turn),
            ["clusterlink", "kill", "all", _] => self.kill_links(&args[4], &[To, From], turn),
            _ => error("unknown subcommand or wrong number of arguments. Try DEBUG HELP."),
        }
    }

    fn kill_links(&mut self, name: &[u8], ways: &[LinkDirection], turn: &mut Turn) -> Reply {
        let Some(index) = self.lookup(name) else {
            return unknown_node(name);
        };
        for way in ways {
            let member = &self.members[index];
            let link = match way {
                To => member.outbound,
                From => member.inbound,
            };
            if let Some(link) = link {
                self.close_link(link.id, turn);
            }
        }
        Reply::OK
    }

    /// So many bytes wait on a link, as the shell saw it last (CLUSTER LINKS). One that exceeds
    /// `cluster-link-sendbuf-limit` is closed (CF-17).
    pub fn on_link_queue(
        &mut self,
        link: crate::ids::LinkId,
        waiting_bytes: u64,
        around: &Surroundings,
        fx: &mut Vec<Effect>,
    ) {
        let Some(entry) = self.links.get_mut(link) else {
            return;
        };
        entry.waiting_bytes = waiting_bytes;
        let limit = around.config.cluster_link_sendbuf_limit;
        if limit > 0 && waiting_bytes > limit {
            let text = format!("Freeing a cluster link: {waiting_bytes} bytes wait on it.");
            let turn = &mut Turn::new(around, fx);
            turn.log(crate::output::LogLevel::Warning, text);
            self.on_link_overflow(link, around, fx);
        }
    }
}

use LinkDirection::{From, To};

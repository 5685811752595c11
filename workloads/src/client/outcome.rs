//! What became of an operation: the one table of what each error says about "did it happen?".
//!
//! The rule is R7. An error reply that refuses a command before running it is a definite `fail`;
//! a redirection is one that may be followed. An error whose code is not in the table decides
//! nothing, so it is `info`. A lost answer to a write is `info`; a lost answer to a read is `fail`,
//! because a read that nobody saw has no effect and constrains no order.

use std::net::{Ipv4Addr, SocketAddrV4};

use slotquake_checkers::history::{EventKind, Value};

/// The end of one operation, as the history records it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// `Ok`, `Fail` or `Info`.
    pub kind: EventKind,
    /// The result if `Ok`.
    pub value: Value,
    /// The node that gave the deciding answer, or was asked for it in vain.
    pub node: Option<SocketAddrV4>,
    /// The nodes that redirected it, in order.
    pub hops: Vec<SocketAddrV4>,
    /// Why it failed or is unknown.
    pub error: Option<String>,
    /// Replicas that acknowledged it, if it was followed by WAIT.
    pub replicas: Option<u32>,
}

/// What an error reply means for the attempt that got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Not run; this node owns the slot.
    Moved {
        /// The slot.
        slot: u16,
        /// Its owner.
        to: SocketAddrV4,
    },
    /// Not run; ask this node, once, after ASKING.
    Ask {
        /// Where to.
        to: SocketAddrV4,
    },
    /// Not run; the same node can serve it soon.
    TryAgain,
    /// Not run, and the route to this node may be out of date.
    RefusedHere,
    /// Not run.
    Refused,
    /// Nobody knows.
    Unknown,
}

/// Reads an error reply (without its dash) that came from `node`.
pub fn meaning(error: &str, node: SocketAddrV4) -> Meaning {
    let mut words = error.split_ascii_whitespace();
    let code = words.next().unwrap_or_default();
    match code {
        "MOVED" => match redirection(words, node) {
            Some((slot, to)) => Meaning::Moved { slot, to },
            None => Meaning::Refused,
        },
        "ASK" => match redirection(words, node) {
            Some((_, to)) => Meaning::Ask { to },
            None => Meaning::Refused,
        },
        "TRYAGAIN" => Meaning::TryAgain,
        // R7: refused before running, by a node that does not serve the key now. EXECABORT hides
        // the redirection of a queued command (RD-10).
        "CLUSTERDOWN" | "READONLY" | "LOADING" | "MASTERDOWN" | "EXECABORT" => Meaning::RefusedHere,
        // R7, and replies that upstream gives before it runs a command: never run.
        "CROSSSLOT" | "UNBLOCKED" | "MISCONF" | "OOM" | "NOREPLICAS" | "NOAUTH" | "NOPERM"
        | "WRONGPASS" | "WRONGTYPE" | "NOGROUP" | "BUSYGROUP" | "BUSY" | "DENIED" | "NOPROTO"
        | "ERR" => Meaning::Refused,
        _ => Meaning::Unknown,
    }
}

/// `<slot> <ip>:<port>`; an empty ip or `?` means the node that answered (RD-07).
fn redirection<'a>(
    mut words: impl Iterator<Item = &'a str>,
    node: SocketAddrV4,
) -> Option<(u16, SocketAddrV4)> {
    let slot = words.next()?.parse().ok()?;
    let (host, port) = words.next()?.rsplit_once(':')?;
    let to = SocketAddrV4::new(host_ip(host, node)?, port.parse().ok()?);
    (slot < slotquake_checkers::observation::slots::SLOT_COUNT).then_some((slot, to))
}

/// The ip that a node names in a redirection or in CLUSTER SLOTS.
pub(super) fn host_ip(host: &str, node: SocketAddrV4) -> Option<Ipv4Addr> {
    match host {
        "" | "?" => Some(*node.ip()),
        host => host.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(last: u8) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, last), 6379)
    }

    /// Proves R7, RD-05, RD-06, RD-07, RD-10.
    #[test]
    fn each_error_has_its_meaning() {
        let moved = Meaning::Moved {
            slot: 866,
            to: node(2),
        };
        let table = [
            ("MOVED 866 10.0.0.2:6379", moved),
            (
                "MOVED 866 :6379",
                Meaning::Moved {
                    slot: 866,
                    to: node(1),
                },
            ),
            ("ASK 866 10.0.0.2:6379", Meaning::Ask { to: node(2) }),
            ("MOVED 16384 10.0.0.2:6379", Meaning::Refused),
            ("MOVED 1 nonsense", Meaning::Refused),
            ("MOVED", Meaning::Refused),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                Meaning::TryAgain,
            ),
            ("CLUSTERDOWN The cluster is down", Meaning::RefusedHere),
            ("CLUSTERDOWN Hash slot not served", Meaning::RefusedHere),
            (
                "READONLY You can't write against a read only replica.",
                Meaning::RefusedHere,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                Meaning::RefusedHere,
            ),
            ("MASTERDOWN Link with MASTER is down", Meaning::RefusedHere),
            ("CROSSSLOT Keys in request", Meaning::Refused),
            ("EXECABORT Transaction discarded", Meaning::RefusedHere),
            ("UNBLOCKED force unblock", Meaning::Refused),
            ("MISCONF Redis is configured", Meaning::Refused),
            ("OOM command not allowed", Meaning::Refused),
            ("NOREPLICAS Not enough good replicas", Meaning::Refused),
            ("ERR unknown command", Meaning::Refused),
            ("WRONGTYPE Operation against", Meaning::Refused),
            ("SURPRISE of a later version", Meaning::Unknown),
            ("", Meaning::Unknown),
        ];
        for (error, expected) in table {
            assert_eq!(meaning(error, node(1)), expected, "{error}");
        }
    }
}

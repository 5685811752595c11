//! Whether a cut is in force, by trying: a datagram along each pair, and a control beside it.
//!
//! A datagram that arrives proves that a pair is open. One that does not arrive proves a cut only
//! if the control, sent after it to the same socket from an address that is never cut, did arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use super::cuts::Pair;

/// What probing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Pairs whose datagram arrived.
    pub open: BTreeSet<Pair>,
    /// Pairs whose datagram did not arrive while the control did.
    pub cut: BTreeSet<Pair>,
}

/// Probes each pair.
///
/// # Errors
/// When the control itself did not arrive, or no socket could be had: nothing is known then.
pub fn probe(pairs: &BTreeSet<Pair>) -> io::Result<Probe> {
    let control = UdpSocket::bind((CONTROL, 0))?;
    let mut sockets = BTreeMap::new();
    for address in pairs.iter().flat_map(|(source, target)| [*source, *target]) {
        if let std::collections::btree_map::Entry::Vacant(place) = sockets.entry(address) {
            let socket = UdpSocket::bind((address, 0))?;
            socket.set_read_timeout(Some(CONTROL_WAIT))?;
            place.insert(socket);
        }
    }
    for (source, target) in pairs {
        let arrival = sockets[target].local_addr()?;
        // A cut on the way out shows as an error of the sender; it is a cut all the same.
        let _sent = sockets[source].send_to(PROBE, arrival);
    }
    let mut open = BTreeSet::new();
    let targets: BTreeSet<Ipv4Addr> = pairs.iter().map(|(_, target)| *target).collect();
    for target in targets {
        let socket = &sockets[&target];
        control.send_to(PROBE, socket.local_addr()?)?;
        loop {
            let (_, from) = socket.recv_from(&mut [0_u8; 16])?;
            match from.ip() {
                std::net::IpAddr::V4(CONTROL) => break,
                std::net::IpAddr::V4(source) => open.insert((source, target)),
                std::net::IpAddr::V6(_) => continue,
            };
        }
    }
    let cut = pairs.difference(&open).copied().collect();
    Ok(Probe { open, cut })
}

/// Never a node's address, so never cut.
const CONTROL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const CONTROL_WAIT: Duration = Duration::from_millis(500);
const PROBE: &[u8] = b"slotquake probe";

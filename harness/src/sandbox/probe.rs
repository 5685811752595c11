//! Whether a cut is in force, by trying: datagrams along each path, and a control beside them.
//!
//! A datagram that arrives proves that a path is open. One that does not arrive proves a cut only
//! if the control, sent after it to the same socket from an address that is never cut, did arrive.
//! A path of one port is tried with datagrams to it and from it: ports of UDP are free, whoever
//! listens on the same one with TCP.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use super::cuts::Path;

/// What probing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Paths of which a datagram arrived.
    pub open: BTreeSet<Path>,
    /// Paths of which none arrived while the control did.
    pub cut: BTreeSet<Path>,
}

/// An address and a port; 0 for any port.
type Place = (Ipv4Addr, u16);

/// Probes each path.
///
/// # Errors
/// When the control itself did not arrive, or no socket could be had: nothing is known then.
pub fn probe(paths: &BTreeSet<Path>) -> io::Result<Probe> {
    let control = UdpSocket::bind((CONTROL, 0))?;
    let numbered: Vec<Path> = paths.iter().copied().collect();
    let mut sockets: BTreeMap<Place, UdpSocket> = BTreeMap::new();
    for (source, target) in numbered.iter().flat_map(ways) {
        for place in [source, target] {
            if let std::collections::btree_map::Entry::Vacant(vacant) = sockets.entry(place) {
                let socket = UdpSocket::bind(place)?;
                socket.set_read_timeout(Some(CONTROL_WAIT))?;
                vacant.insert(socket);
            }
        }
    }
    for (number, path) in numbered.iter().enumerate() {
        for (source, target) in ways(path) {
            let arrival = sockets[&target].local_addr()?;
            let datagram = (number as u64).to_le_bytes();
            // A cut on the way out shows as an error of the sender; it is a cut all the same.
            let _sent = sockets[&source].send_to(&datagram, arrival);
        }
    }
    let mut open = BTreeSet::new();
    let targets: BTreeSet<Place> = numbered.iter().flat_map(ways).map(|(_, to)| to).collect();
    for target in targets {
        let socket = &sockets[&target];
        control.send_to(PROBE, socket.local_addr()?)?;
        loop {
            let mut datagram = [0_u8; 8];
            let (_, from) = socket.recv_from(&mut datagram)?;
            if from.ip() == CONTROL {
                break;
            }
            let number = u64::from_le_bytes(datagram) as usize;
            open.extend(numbered.get(number).copied());
        }
    }
    let cut = paths.difference(&open).copied().collect();
    Ok(Probe { open, cut })
}

/// The datagrams that try a path.
fn ways(path: &Path) -> Vec<(Place, Place)> {
    let (source, target) = (path.source, path.target);
    match path.port {
        None => vec![((source, 0), (target, 0))],
        Some(port) => vec![((source, 0), (target, port)), ((source, port), (target, 0))],
    }
}

/// Never a node's address, so never cut.
const CONTROL: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
const CONTROL_WAIT: Duration = Duration::from_millis(500);
const PROBE: &[u8] = b"control!";

//! What a master may say to our replica: the handshake, a snapshot, the stream of commands.

use bytes::Bytes;
use slotquake_core::Input;

use super::resp::pieces;
use super::rig::Rig;

/// All of it in pieces, while time goes by.
pub(super) fn stream(input: &[u8]) {
    let mut rig = Rig::replica();
    // The links to the other nodes open first, then the one to its master.
    for _ in 0..30 {
        if rig.upstream.is_some() {
            break;
        }
        rig.pass_time();
    }
    for piece in pieces(input) {
        let Some(upstream) = rig.upstream else {
            return;
        };
        rig.take_in(Input::UpstreamBytes {
            upstream,
            bytes: Bytes::copy_from_slice(piece),
        });
    }
    rig.pass_time();
    if let Some(upstream) = rig.upstream {
        rig.take_in(Input::UpstreamClosed { upstream });
    }
}

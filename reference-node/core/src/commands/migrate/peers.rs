//! Connections to targets of MIGRATE, kept for the next one.
//!
//! One per host and port, at most 64, dropped after more than 10 s without use
//! (cluster-commands.md section 4). Past 64 the one longest unused goes, where upstream takes any.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::ids::PeerId;
use crate::output::{Output, Outputs, PeerAct};
use crate::time::Millis;

/// Host and port as they were written.
pub type Target = (Bytes, Bytes);

/// The connections, by target.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    kept: BTreeMap<Target, Kept>,
    opened: u64,
}

/// One connection.
#[derive(Debug, Clone)]
struct Kept {
    peer: PeerId,
    /// The database selected, if that is known.
    db: Option<i64>,
    used: Millis,
}

impl Peers {
    /// The connection to a target, if there is one, and the database selected on it.
    pub fn find(&mut self, target: &Target, now: Millis) -> Option<(PeerId, Option<i64>)> {
        let kept = self.kept.get_mut(target)?;
        kept.used = now;
        Some((kept.peer, kept.db))
    }

    /// Opens a connection to a target that has none.
    pub fn open(&mut self, target: &Target, now: Millis, out: &mut Outputs) -> PeerId {
        if self.kept.len() >= KEPT_MAX {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used);
            let oldest = oldest.map(|(target, _)| target.clone());
            oldest.inspect(|target| self.close(target, out));
        }
        self.opened += 1;
        let (peer, db, used) = (PeerId(self.opened), None, now);
        let was_there = self.kept.insert(target.clone(), Kept { peer, db, used });
        assert!(was_there.is_none(), "a target has one connection");
        let host = String::from_utf8_lossy(&target.0).into_owned();
        // As upstream reads it: digits at the front; what is no port is connected to in vain.
        let digits = target.1.iter().take_while(|byte| byte.is_ascii_digit());
        let text: String = digits.map(|byte| char::from(*byte)).collect();
        let port = text.parse().unwrap_or(0);
        out.push(Output::Peer {
            peer,
            act: PeerAct::Open { host, port },
        });
        peer
    }

    /// Notes the database selected on a connection that was just used; none if unknown.
    pub fn used(&mut self, target: &Target, db: Option<i64>, now: Millis) {
        if let Some(kept) = self.kept.get_mut(target) {
            (kept.db, kept.used) = (db, now);
        }
    }

    /// Closes the connection to a target.
    pub fn close(&mut self, target: &Target, out: &mut Outputs) {
        if let Some(kept) = self.kept.remove(target) {
            out.push(closed(kept.peer));
        }
    }

    /// A connection is gone by itself.
    pub fn lost(&mut self, peer: PeerId) {
        self.kept.retain(|_, kept| kept.peer != peer);
    }

    /// A connection that nobody uses said something: it is of no use any more.
    pub fn spoke_unasked(&mut self, peer: PeerId, out: &mut Outputs) {
        if self.kept.values().any(|kept| kept.peer == peer) {
            self.lost(peer);
            out.push(closed(peer));
        }
    }

    /// Closes those not used for long, but for the one in use.
    pub fn close_idle(&mut self, in_use: Option<PeerId>, now: Millis, out: &mut Outputs) {
        self.kept.retain(|_, kept| {
            let stays = in_use == Some(kept.peer) || kept.used + IDLE_MAX >= now;
            if !stays {
                out.push(closed(kept.peer));
            }
            stays
        });
    }

    /// When [`Peers::close_idle`] has something to do.
    pub fn next_due(&self, in_use: Option<PeerId>) -> Option<Millis> {
        let idle = self.kept.values().filter(|kept| in_use != Some(kept.peer));
        let oldest = idle.map(|kept| kept.used).min()?;
        Some(oldest + IDLE_MAX + Millis(1))
    }
}

fn closed(peer: PeerId) -> Output {
    let act = PeerAct::Close;
    Output::Peer { peer, act }
}

const KEPT_MAX: usize = 64;
const IDLE_MAX: Millis = Millis(10_000);

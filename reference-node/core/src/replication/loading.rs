//! Data on its way in: a snapshot that is here but takes its time to be loaded.
//!
//! Nothing takes time in this room by itself; `key-load-delay` and `rdb-key-save-delay` make it,
//! as upstream's tests use them. The data in place stays as it is until the new one is whole, so
//! that a link that breaks meanwhile leaves a usable replica (RW-28).

use bytes::Bytes;

use super::replica::{Follower, LinkState};
use super::room::{Event, log};
use super::{ReplId, ReplOffset, Replication};
use crate::config::Config;
use crate::keyspace::Entry;
use crate::output::{LogLevel, Outputs};
use crate::rng::Rng;
use crate::time::Millis;

/// A snapshot that is being loaded.
#[derive(Debug)]
pub struct Loading {
    /// Its keys.
    pub entries: Vec<(Bytes, Entry)>,
    /// The history it is of.
    pub id: ReplId,
    /// Where in it.
    pub offset: ReplOffset,
    /// When it was whole.
    pub began: Millis,
}

impl Loading {
    /// When all keys are loaded, at the present pace.
    pub fn due(&self, config: &Config) -> Millis {
        self.began + span(config, "key-load-delay", self.entries.len())
    }
}

/// Whether data is being loaded, and whether the old data is served meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadState {
    /// Nothing is.
    #[default]
    Idle,
    /// In place of the old data: `-LOADING`.
    Loading,
    /// Beside the old data (`repl-diskless-load swapdb`).
    LoadingBeside,
}

impl Replication {
    /// Whether data is being loaded.
    pub fn load_state_now(&self, config: &Config) -> LoadState {
        let is_beside = config
            .other
            .get("repl-diskless-load")
            .is_some_and(|way| way == "swapdb");
        let is_coming = self.follower.as_ref().is_some_and(Follower::is_receiving);
        match (is_beside, self.loading.is_some()) {
            (true, true) => LoadState::LoadingBeside,
            (true, false) if is_coming => LoadState::LoadingBeside,
            (true, false) | (false, false) => LoadState::Idle,
            (false, true) => LoadState::Loading,
        }
    }

    /// It is loaded: the data is that of the master, at that place.
    pub(super) fn loaded(
        &mut self,
        loading: Loading,
        config: &Config,
        now: Millis,
        out: &mut Outputs,
    ) -> Event {
        // RW-16.
        self.history
            .adopt(loading.id, loading.offset, config.repl_backlog_size);
        self.close_replicas();
        if let Some(follower) = &mut self.follower {
            follower.ack(loading.offset, now, out);
        }
        let text = "MASTER <-> REPLICA sync: Finished with success";
        out.push(log(LogLevel::Notice, text));
        Event::Replace(loading.entries)
    }

    /// The master sent a command that this node does not have.
    ///
    /// DEVIATION(RW-34): upstream counts it as applied, and from then on has other data than its
    /// master. Here the link and the history are given up for a full copy, which is refused in
    /// turn, for ever, while it holds what this node cannot (RW-28); the old data stays.
    pub fn refuse_command(
        &mut self,
        name: &[u8],
        (rng, now): (&mut Rng, Millis),
        out: &mut Outputs,
    ) {
        let name = String::from_utf8_lossy(name);
        let name: String = name.chars().take(NAME_CHARACTERS_MAX).collect();
        let text = format!(
            "The master sent {name:?}, which this node does not know: giving up the stream for a \
             full copy"
        );
        out.push(log(LogLevel::Warning, &text));
        self.leave_master(now, out);
        self.close_replicas();
        // No master knows this one, so that the answer is all of its data.
        self.history.drop_backlog(rng);
    }

    /// The state of the link to the master; up only with all data loaded.
    pub(super) fn link_state(&self, follower: &Follower) -> LinkState {
        match self.loading {
            Some(_) => LinkState::Sync,
            None => follower.state(),
        }
    }
}

/// Of a name in the log.
const NAME_CHARACTERS_MAX: usize = 64;

/// How long so many keys take at a pace in microseconds per key; below 0, so many keys take one.
pub(super) fn span(config: &Config, pace: &str, keys: usize) -> Millis {
    let pace = config.other.get(pace).and_then(|text| text.parse().ok());
    let keys = keys as u64;
    let micros = match pace.unwrap_or(0i64) {
        pace if pace < 0 => keys / pace.unsigned_abs(),
        pace => keys.saturating_mul(pace.unsigned_abs()),
    };
    Millis(micros / 1000)
}

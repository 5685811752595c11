//! Which history of commands this node's data is, how far, and what of it can be sent again.
//!
//! Invariant: id and offset always describe the data as it is. A full resync changes both in one
//! step, so a broken transfer leaves a state from which a partial resync may still succeed.

use bytes::Bytes;

use super::backlog::Backlog;
use super::{ReplId, ReplOffset};
use crate::mutants::{Chosen, Mutant};
use crate::rng::Rng;

/// Ids, offset and backlog.
#[derive(Debug, Clone)]
pub struct History {
    id: ReplId,
    /// The history before, and the first offset that is no longer part of it (RW-12, RW-15).
    second: Option<(ReplId, ReplOffset)>,
    offset: ReplOffset,
    backlog: Option<Backlog>,
}

impl History {
    /// A new history.
    pub fn new(rng: &mut Rng) -> History {
        let id = ReplId::random(rng);
        History {
            id,
            second: None,
            offset: ReplOffset(0),
            backlog: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> ReplId {
        self.id
    }

    /// The id before, valid below the offset beside it.
    pub fn second(&self) -> Option<(ReplId, ReplOffset)> {
        self.second
    }

    /// Bytes so far.
    pub fn offset(&self) -> ReplOffset {
        self.offset
    }

    /// The backlog, if there is one.
    pub fn backlog(&self) -> Option<&Backlog> {
        self.backlog.as_ref()
    }

    /// Appends to the stream. RW-42: without a backlog nobody counts.
    pub fn append(&mut self, bytes: &[u8]) {
        if let Some(backlog) = &mut self.backlog {
            backlog.append(bytes);
            self.offset = self.offset.plus(bytes.len());
        }
    }

    /// Makes sure of a backlog on a replica, where the history stays the same.
    pub fn keep_backlog(&mut self, size: u64) {
        if self.backlog.is_none() {
            self.backlog = Some(Backlog::new(size, self.offset));
        }
    }

    /// CONFIG SET repl-backlog-size: what is there is cut to fit, or may grow.
    pub fn fit_backlog(&mut self, size: u64) {
        if let Some(backlog) = &mut self.backlog {
            backlog.resize(size);
        }
    }

    /// The first replica of a master attached: RW-15 (i), what was written uncounted belongs to
    /// no history that anybody else may have.
    pub fn start_backlog(&mut self, size: u64, rng: &mut Rng) {
        if self.backlog.is_none() {
            self.id = ReplId::random(rng);
            self.second = None;
            self.backlog = Some(Backlog::new(size, self.offset));
        }
    }

    /// No replica for long: RW-15 (iii).
    pub fn drop_backlog(&mut self, rng: &mut Rng) {
        self.backlog = None;
        self.id = ReplId::random(rng);
        self.second = None;
    }

    /// Another id, and none before it (DEBUG CHANGE-REPL-ID).
    pub fn change_id(&mut self, rng: &mut Rng) {
        self.id = ReplId::random(rng);
        self.second = None;
    }

    /// Promotion. RP-06, RW-15 (ii): siblings can go on from the old id.
    pub fn shift(&mut self, rng: &mut Rng) {
        self.second = Some((self.id, self.offset.plus(1)));
        self.id = ReplId::random(rng);
    }

    /// RW-13: the master goes on under another id.
    pub fn renamed(&mut self, id: ReplId) {
        if id != self.id {
            self.second = Some((self.id, self.offset.plus(1)));
            self.id = id;
        }
    }

    /// RW-16: the data was replaced by a snapshot of that history.
    pub fn adopt(&mut self, id: ReplId, offset: ReplOffset, backlog_size: u64) {
        self.id = id;
        self.second = None;
        self.offset = offset;
        self.backlog = Some(Backlog::new(backlog_size, offset));
    }

    /// The bytes that someone at `next` of history `id` lacks; none if only a snapshot helps.
    pub fn since(&self, id: ReplId, next: ReplOffset, mutant: Chosen) -> Option<Bytes> {
        // RW-12.
        let is_endless = mutant.is(Mutant::SecondIdWithoutEnd);
        let is_second = self
            .second
            .is_some_and(|(second, end)| second == id && (next <= end || is_endless));
        if id != self.id && !is_second && !mutant.is(Mutant::AnyHistoryContinues) {
            return None;
        }
        self.backlog.as_ref()?.since(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> (History, Rng) {
        let mut rng = Rng::new(1);
        let mut history = History::new(&mut rng);
        history.start_backlog(0, &mut rng);
        history.append(b"0123456789");
        (history, rng)
    }

    /// Proves RW-12, RW-15, RP-06.
    #[test]
    fn siblings_of_a_promoted_replica_go_on_up_to_where_it_was_promoted() {
        let (mut history, mut rng) = history();
        let old = history.id();
        history.shift(&mut rng);
        history.append(b"abc");
        assert_eq!(
            history
                .since(old, ReplOffset(11), Chosen::default())
                .as_deref(),
            Some(&b"abc"[..])
        );
        assert_eq!(
            history
                .since(old, ReplOffset(9), Chosen::default())
                .as_deref(),
            Some(&b"89abc"[..])
        );
        assert_eq!(
            history.since(old, ReplOffset(12), Chosen::default()),
            None,
            "diverged"
        );
        assert_eq!(
            history
                .since(history.id(), ReplOffset(12), Chosen::default())
                .as_deref(),
            Some(&b"bc"[..])
        );
    }

    /// Proves RW-42.
    #[test]
    fn nothing_is_counted_without_a_backlog_and_the_id_changes_when_one_starts() {
        let mut rng = Rng::new(1);
        let mut history = History::new(&mut rng);
        let uncounted = history.id();
        history.append(b"abc");
        assert_eq!(history.offset(), ReplOffset(0));
        history.start_backlog(0, &mut rng);
        assert_ne!(history.id(), uncounted);
        assert_eq!(
            history.since(uncounted, ReplOffset(1), Chosen::default()),
            None
        );
    }

    /// Proves RW-13.
    #[test]
    fn a_renamed_history_remembers_its_old_name() {
        let (mut history, mut rng) = history();
        let (old, new) = (history.id(), ReplId::random(&mut rng));
        history.renamed(new);
        assert_eq!(history.id(), new);
        assert_eq!(history.second(), Some((old, ReplOffset(11))));
    }

    /// Proves RW-16.
    #[test]
    fn a_snapshot_replaces_everything() {
        let (mut history, mut rng) = history();
        let new = ReplId::random(&mut rng);
        history.adopt(new, ReplOffset(500), 0);
        assert_eq!((history.id(), history.offset()), (new, ReplOffset(500)));
        assert_eq!(
            history
                .since(new, ReplOffset(501), Chosen::default())
                .as_deref(),
            Some(&b""[..])
        );
    }
}

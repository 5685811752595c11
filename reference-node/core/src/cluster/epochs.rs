//! Epochs: the logical clock, and the versions of claims.
//!
//! Absorbing those of others, resolving collisions, and bumping one's own. Every change of a
//! configEpoch is on disk before a packet that shows it leaves (PS-14).
//! Clauses: EP-01, EP-02, EP-05, EP-09, EP-20 to EP-24.

use super::members::MemberIndex;
use super::turn::Turn;
use super::{Cluster, Profile};
use crate::bus::packet::Header;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::mutants::Mutant;
use crate::output::{Durability, LogLevel};

/// What came of a bump (EP-05).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bump {
    /// This node has a new epoch.
    Bumped(ConfigEpoch),
    /// It had the greatest already.
    Still(ConfigEpoch),
}

impl Cluster {
    /// EP-01, EP-02: takes in the epochs of a header from a known node.
    pub(super) fn absorb_epochs(&mut self, sender: MemberIndex, header: &Header) {
        let is_ignored = self.mutant.is(Mutant::EpochNotAdopted);
        if header.current_epoch > self.current_epoch && !is_ignored {
            self.current_epoch = header.current_epoch;
            // DEVIATION(EP-01): saved, so that the clock does not go back over a restart (EP-06).
            if self.profile == Profile::Reference {
                self.pending.save(Durability::Buffered);
            }
        }
        // DEVIATION(EP-02): only from a master, as in Valkey 8: a replica shows its master's epoch.
        let is_claim_of_sender = header.master.is_none() || self.profile == Profile::Upstream70;
        if is_claim_of_sender && header.config_epoch > self.members[sender].config_epoch {
            self.members[sender].config_epoch = header.config_epoch;
            self.pending.save(Durability::Synced);
        }
    }

    /// EP-20: two masters with one configEpoch: the one with the smaller id moves.
    pub(super) fn resolve_collision(
        &mut self,
        sender: MemberIndex,
        header: &Header,
        turn: &mut Turn,
    ) {
        let me = self.members.me();
        let other = &self.members[sender];
        // EP-23: between masters only. EP-21: also at configEpoch 0.
        let collides = me.is_master()
            && other.is_master()
            && header.master.is_none()
            && header.config_epoch == me.config_epoch;
        // EP-22: the master with the greatest id never moves.
        let stays = match me.id >= other.id {
            _ if self.mutant.is(Mutant::CollisionStays) => true,
            _ if self.mutant.is(Mutant::CollisionMovesBoth) => false,
            is_larger => is_larger != self.mutant.is(Mutant::CollisionMovesLarger),
        };
        if !collides || stays {
            return;
        }
        let epoch = self.take_next_epoch();
        turn.log(
            LogLevel::Verbose,
            format!("WARNING: configEpoch collision, mine is now {}", epoch.0),
        );
        // DEVIATION(EP-20): two masters that both serve a slot is nothing to sit out until the next
        // heartbeat: the new epoch is told at once (KW-07).
        let both_serve = !self
            .members
            .me()
            .slots
            .intersection(&header.slots)
            .is_empty();
        if both_serve && self.profile == Profile::Reference {
            self.broadcast_pong(turn);
        }
    }

    /// EP-05: makes sure that this node's claim is the newest known.
    pub(super) fn bump_epoch(&mut self) -> Bump {
        let mine = self.members.me().config_epoch;
        if mine != ConfigEpoch(0) && mine == self.greatest_epoch() {
            return Bump::Still(mine);
        }
        Bump::Bumped(self.take_next_epoch())
    }

    /// The greatest of currentEpoch and all known configEpochs.
    pub(super) fn greatest_epoch(&self) -> ConfigEpoch {
        let known = self.members.iter().map(|(_, member)| member.config_epoch);
        known.fold(self.current_epoch.as_config(), ConfigEpoch::max)
    }

    fn take_next_epoch(&mut self) -> ConfigEpoch {
        let before = self.members.me().config_epoch;
        self.current_epoch = CurrentEpoch(self.greatest_epoch().0).next();
        let epoch = self.current_epoch.as_config();
        // INV-04.
        assert!(
            epoch > before || epoch.0 == u64::MAX,
            "a bump grows: {before:?} to {epoch:?}"
        );
        self.members.me_mut().config_epoch = epoch;
        self.pending.save(Durability::Synced);
        epoch
    }
}

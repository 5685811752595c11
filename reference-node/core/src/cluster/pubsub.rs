//! Messages for subscribers of other nodes (PU-01, PU-02, PU-05, PU-08).

use bytes::Bytes;

use super::members::{Member, MemberIndex};
use super::turn::Turn;
use super::{Cluster, PublishKind};
use crate::bus::packet::Body;
use crate::mutants::Mutant;

impl Cluster {
    /// Sends a message to every node, or to those of this node's shard. No link, no message.
    pub(super) fn broadcast_message(
        &mut self,
        kind: PublishKind,
        channel: Bytes,
        message: Bytes,
        turn: &mut Turn,
    ) {
        match kind {
            PublishKind::Global => self.broadcast(&Body::Publish { channel, message }, turn),
            PublishKind::Sharded => {
                let master = self.members.my_shard_master();
                let is_for_all = self.mutant.is(Mutant::ShardMessagesToAll);
                let is_mine = |index: MemberIndex, member: &Member| {
                    index == master || member.master() == Some(master)
                };
                let shard: Vec<MemberIndex> = self
                    .members
                    .others()
                    .filter(|(index, member)| is_mine(*index, member) || is_for_all)
                    .map(|(index, _)| index)
                    .collect();
                let body = Body::PublishShard { channel, message };
                for index in shard {
                    self.send_to(index, body.clone(), turn);
                }
            }
        }
    }
}

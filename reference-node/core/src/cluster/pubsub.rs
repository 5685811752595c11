//! Messages for subscribers of other nodes (PU-01, PU-02, PU-05, PU-08).

use bytes::Bytes;

use super::members::MemberIndex;
use super::turn::Turn;
use super::{Cluster, PublishKind};
use crate::bus::packet::Body;

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
                let shard: Vec<MemberIndex> = self
                    .members
                    .others()
                    .filter(|(index, member)| *index == master || member.master() == Some(master))
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

//! What commands read of replication and do to it.

use std::net::SocketAddr;

use bytes::Bytes;

use super::replica::LinkState;
use super::{Attached, Demand, LoadState, MasterAddress, ReplOffset, Replication, SyncCounts};
use crate::cluster::{LinkFigures, ReplicationFigures};
use crate::commands::{ReplicationDoor, ReplicationSurroundings};
use crate::config::Config;
use crate::ids::ClientId;
use crate::output::Outputs;
use crate::resp::Reply;
use crate::rng::Rng;
use crate::time::Millis;

impl ReplicationDoor for Replication {
    fn propagate(&mut self, args: &[Bytes], out: &mut Outputs) {
        self.put_data(args, out);
    }

    fn figures(&self) -> ReplicationFigures {
        // EL-02, RP-13.
        let link = match &self.follower {
            Some(follower) if self.link_state(follower) == LinkState::Connected => {
                LinkFigures::Up {
                    last_interaction: follower.last_heard(),
                }
            }
            Some(_) | None => LinkFigures::Down {
                since: self.down_since,
            },
        };
        // RP-13: data that is being replaced counts for nothing.
        let offset = match self.loading {
            Some(_) => 0,
            None => self.history.offset().0,
        };
        ReplicationFigures { offset, link }
    }

    fn load_state(&self, config: &Config) -> LoadState {
        self.load_state_now(config)
    }

    fn master_link(&self) -> Option<SocketAddr> {
        let follower = self.follower.as_ref()?;
        follower.upstream()?;
        follower.master.map(SocketAddr::from)
    }

    fn close_master_link(&mut self, now: Millis, out: &mut Outputs) {
        self.leave_master(now, out);
    }

    fn acked(&self, offset: u64) -> usize {
        self.replicas.acked(ReplOffset(offset))
    }

    fn request_acks(&mut self, out: &mut Outputs) {
        self.ask_for_acks(out);
    }

    fn good_replicas(&self, now: Millis, lag_max: Millis) -> u64 {
        self.replicas.heard_within(now, lag_max)
    }

    fn command(
        &mut self,
        client: ClientId,
        args: &[Bytes],
        around: &mut ReplicationSurroundings,
        out: &mut Outputs,
    ) -> Reply {
        let peer = around.peer;
        if args[0].eq_ignore_ascii_case(b"replconf") {
            self.replconf(client, args, peer, around.now)
        } else {
            self.sync(client, args, peer, around, out)
        }
    }

    fn is_replica_client(&self, client: ClientId) -> bool {
        self.replicas.is_online(client)
    }

    fn client_closed(&mut self, client: ClientId) {
        self.forget(client);
    }

    fn is_following(&self) -> bool {
        self.follower.is_some()
    }

    fn follow_master(&mut self, demand: Demand, to: MasterAddress, time: (Millis, &mut Outputs)) {
        self.follow_with(demand, Some(to), time.0, time.1);
    }

    fn lead_again(&mut self, rng: &mut Rng, now: Millis, out: &mut Outputs) {
        self.lead(rng, now, out);
    }

    fn hold_stream(&mut self, until: Option<Millis>, out: &mut Outputs) {
        match until {
            Some(until) => self.stand_still(until),
            None => self.go_on(out),
        }
    }

    fn sync_counts(&self) -> SyncCounts {
        self.counts
    }

    fn change_id(&mut self, rng: &mut Rng) {
        self.history.change_id(rng);
    }

    fn reset_sync_counts(&mut self) {
        self.counts = SyncCounts::default();
    }

    fn attached(&self) -> Vec<Attached> {
        self.attached_now()
    }

    fn role(&self, config: &Config, _now: Millis) -> Reply {
        self.role_reply(config)
    }

    fn info(&self, config: &Config, now: Millis) -> String {
        self.info_lines(config, now)
    }
}

//! What the commands need of the rooms beside them: the cluster and replication.
//!
//! Two traits instead of the types themselves, so that command handlers and routing are tested
//! with small fakes; the node gives the real ones. Effects of a command on those rooms stay
//! theirs: an implementation keeps them, and the node carries them out after the command.

use std::net::SocketAddr;

use bytes::Bytes;

use crate::cluster::{PublishKind, ReplicationFigures, Surroundings};
use crate::config::Config;
use crate::ids::{ClientId, NodeId};
use crate::keyspace::Keyspace;
use crate::output::Outputs;
use crate::replication::{Attached, Demand, LoadState, MasterAddress, SyncCounts};
use crate::resp::Reply;
use crate::rng::Rng;
use crate::slot::Slot;
use crate::time::Millis;

/// What routing reads of the cluster.
pub trait ClusterReads {
    /// Whether the cluster state is ok (ST clauses).
    fn is_ok(&self) -> bool;
    /// This node.
    fn myself(&self) -> NodeId;
    /// My master; none if I am a master, or a replica whose master is unknown.
    fn my_master(&self) -> Option<NodeId>;
    /// Whether I am a replica.
    fn is_replica(&self) -> bool;
    /// Who owns a slot.
    fn slot_owner(&self, slot: Slot) -> Option<NodeId>;
    /// Where a slot of mine migrates to (SM-01).
    fn migrating_to(&self, slot: Slot) -> Option<NodeId>;
    /// Where a slot is imported from (SM-01).
    fn importing_from(&self, slot: Slot) -> Option<NodeId>;
    /// How clients reach a node: by `cluster-preferred-endpoint-type` (RD-07), and the port;
    /// an empty address and 0 where unknown (RD-17).
    fn endpoint_of(&self, node: NodeId, config: &Config) -> (String, u16);
}

/// What commands do to the cluster.
pub trait ClusterDoor: ClusterReads {
    /// CLUSTER and its subcommands; `args[0]` is the command name.
    fn command(&mut self, around: &Surroundings, args: &[Bytes], out: &mut Outputs) -> Reply;
    /// Sends PUBLISH or SPUBLISH over the bus (PU-02, PU-08).
    fn publish(&mut self, channel: &Bytes, message: &Bytes, kind: PublishKind, out: &mut Outputs);
    /// This node as a reader of the cluster.
    fn reads(&self) -> &dyn ClusterReads;
}

/// What the replication room may read when a replica attaches or asks.
pub struct ReplicationSurroundings<'a> {
    /// Now.
    pub now: Millis,
    /// Settings.
    pub config: &'a Config,
    /// The data, to be sent.
    pub keyspace: &'a Keyspace,
    /// Random numbers, for replication ids.
    pub rng: &'a mut Rng,
    /// Address that the client connected from.
    pub peer: Option<std::net::IpAddr>,
}

/// What commands read of replication and do to it.
pub trait ReplicationDoor {
    /// Appends a command to the stream of a master (RW-31); a replica ignores it (RP-09).
    fn propagate(&mut self, args: &[Bytes], out: &mut Outputs);
    /// Offset of the stream, and the link to the master.
    fn figures(&self) -> ReplicationFigures;
    /// Replicas that acknowledged this offset (RW-38).
    fn acked(&self, offset: u64) -> usize;
    /// Asks replicas for acknowledgements (REPLCONF GETACK, RW-38).
    fn request_acks(&mut self, out: &mut Outputs);
    /// Online replicas heard of within this lag (min-replicas-to-write).
    fn good_replicas(&self, now: Millis, lag_max: Millis) -> u64;
    /// PSYNC, SYNC and REPLCONF of a client; `Reply::None` where nothing is answered.
    fn command(
        &mut self,
        client: ClientId,
        args: &[Bytes],
        around: &mut ReplicationSurroundings,
        out: &mut Outputs,
    ) -> Reply;
    /// Whether this client is an attached replica.
    fn is_replica_client(&self, client: ClientId) -> bool;
    /// Whether data is being loaded.
    fn load_state(&self, _config: &Config) -> LoadState {
        LoadState::Idle
    }
    /// Where the master is, while there is a connection to it.
    fn master_link(&self) -> Option<SocketAddr> {
        None
    }
    /// Closes the connection to the master; it will be made anew.
    fn close_master_link(&mut self, _now: Millis, _out: &mut Outputs) {}
    /// A client is gone; it may have been a replica.
    fn client_closed(&mut self, client: ClientId);
    /// Whether this node follows a master.
    fn is_following(&self) -> bool {
        false
    }
    /// Follows a master (REPLICAOF), or asks it to take over first (FAILOVER).
    fn follow_master(
        &mut self,
        _demand: Demand,
        _to: MasterAddress,
        _time: (Millis, &mut Outputs),
    ) {
    }
    /// Follows nobody any more (REPLICAOF NO ONE).
    fn lead_again(&mut self, _rng: &mut Rng, _now: Millis, _out: &mut Outputs) {}
    /// Holds the stream still until then, or lets it go on.
    fn hold_stream(&mut self, _until: Option<Millis>, _out: &mut Outputs) {}
    /// Synchronisations given so far.
    fn sync_counts(&self) -> SyncCounts {
        SyncCounts::default()
    }
    /// A new replication id for the same data (DEBUG CHANGE-REPL-ID).
    fn change_id(&mut self, _rng: &mut Rng) {}
    /// Forgets how many they were (CONFIG RESETSTAT).
    fn reset_sync_counts(&mut self) {}
    /// Where the attached replicas are, and whether they have all that was written.
    fn attached(&self) -> Vec<Attached> {
        Vec::new()
    }
    /// The answer of ROLE.
    fn role(&self, config: &Config, now: Millis) -> Reply;
    /// The lines of `# Replication` in INFO, each ended by CR LF, without the title.
    fn info(&self, config: &Config, now: Millis) -> String;
}

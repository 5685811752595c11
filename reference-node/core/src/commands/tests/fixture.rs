//! A node's parts around a fake cluster and fake replication, and words for stories about it.

use bytes::Bytes;

use crate::cluster::{LinkFigures, PublishKind, ReplicationFigures, Surroundings};
use crate::commands::{
    self, Clients, ClusterDoor, ClusterReads, Parts, ReplicationDoor, ReplicationSurroundings,
    Server,
};
use crate::config::Config;
use crate::ids::{ClientId, NodeId};
use crate::keyspace::Keyspace;
use crate::output::{Output, Outputs, PeerAct, Protocol};
use crate::resp::Reply;
use crate::resp::request::RequestParser;
use crate::rng::Rng;
use crate::slot::Slot;
use crate::time::Millis;

/// A cluster in which one node owns all slots.
pub struct FakeCluster {
    pub owner: Option<NodeId>,
    pub is_ok: bool,
    pub is_replica: bool,
    pub importing: Option<NodeId>,
    pub published: usize,
}

pub fn node(letter: char) -> NodeId {
    NodeId::parse(letter.to_string().repeat(40).as_bytes()).unwrap()
}

impl ClusterReads for FakeCluster {
    fn is_ok(&self) -> bool {
        self.is_ok
    }
    fn myself(&self) -> NodeId {
        node('a')
    }
    fn my_master(&self) -> Option<NodeId> {
        self.is_replica.then(|| node('b'))
    }
    fn is_replica(&self) -> bool {
        self.is_replica
    }
    fn slot_owner(&self, _: Slot) -> Option<NodeId> {
        self.owner
    }
    fn migrating_to(&self, _: Slot) -> Option<NodeId> {
        None
    }
    fn importing_from(&self, _: Slot) -> Option<NodeId> {
        self.importing
    }
    fn endpoint_of(&self, _: NodeId, _: &Config) -> (String, u16) {
        ("10.0.0.9".into(), 7000)
    }
}

impl ClusterDoor for FakeCluster {
    fn command(&mut self, _: &Surroundings, _: &[Bytes], _: &mut Outputs) -> Reply {
        Reply::OK
    }
    fn publish(&mut self, _: &Bytes, _: &Bytes, _: PublishKind, _: &mut Outputs) {
        self.published += 1;
    }
    fn reads(&self) -> &dyn ClusterReads {
        self
    }
}

/// Replication that keeps what it is given, as lines.
#[derive(Default)]
pub struct FakeReplication {
    pub stream: Vec<String>,
    pub acked: usize,
    pub good: u64,
}

impl ReplicationDoor for FakeReplication {
    fn propagate(&mut self, args: &[Bytes], _: &mut Outputs) {
        let words = args
            .iter()
            .map(|arg| String::from_utf8_lossy(arg).into_owned());
        self.stream.push(words.collect::<Vec<_>>().join(" "));
    }
    fn figures(&self) -> ReplicationFigures {
        let link = LinkFigures::Down { since: Millis(0) };
        ReplicationFigures {
            offset: self.stream.len() as u64,
            link,
        }
    }
    fn acked(&self, _: u64) -> usize {
        self.acked
    }
    fn request_acks(&mut self, _: &mut Outputs) {}
    fn good_replicas(&self, _: Millis, _: Millis) -> u64 {
        self.good
    }
    fn command(
        &mut self,
        _: ClientId,
        _: &[Bytes],
        _: &mut ReplicationSurroundings,
        _: &mut Outputs,
    ) -> Reply {
        Reply::OK
    }
    fn is_replica_client(&self, _: ClientId) -> bool {
        false
    }
    fn client_closed(&mut self, _: ClientId) {}
    fn role(&self, _: &Config, _: Millis) -> Reply {
        Reply::Nil
    }
    fn info(&self, _: &Config, _: Millis) -> String {
        String::new()
    }
}

/// The parts of a node, owned.
pub struct Fixture {
    pub now: Millis,
    pub config: Config,
    pub keyspace: Keyspace,
    pub clients: Clients,
    pub cluster: FakeCluster,
    pub replication: FakeReplication,
    pub server: Server,
    rng: Rng,
}

impl Fixture {
    /// A cluster node that owns all slots, with clients 1, 2 and 3.
    pub fn new() -> Fixture {
        let mut fixture = Fixture {
            now: Millis(1_000_000),
            config: Config {
                cluster_enabled: true,
                ..Config::default()
            },
            keyspace: Keyspace::default(),
            clients: Clients::default(),
            cluster: FakeCluster {
                owner: Some(node('a')),
                is_ok: true,
                is_replica: false,
                importing: None,
                published: 0,
            },
            replication: FakeReplication::default(),
            server: Server::default(),
            rng: Rng::new(1),
        };
        for id in 1..=3 {
            fixture.on(|parts| {
                let address = "127.0.0.1:5000".parse().unwrap();
                commands::client_opened(parts, ClientId(id), address, address);
            });
        }
        fixture
    }

    /// Runs something on the parts; gives the replies as `client: text`.
    pub fn on(&mut self, run: impl FnOnce(&mut Parts)) -> Vec<String> {
        let mut out = Vec::new();
        run(&mut Parts {
            now: self.now,
            config: &mut self.config,
            keyspace: &mut self.keyspace,
            clients: &mut self.clients,
            cluster: &mut self.cluster,
            replication: &mut self.replication,
            rng: &mut self.rng,
            server: &mut self.server,
            out: &mut out,
        });
        out.iter().filter_map(shown).collect()
    }

    /// A client sends a line; gives all replies of that step.
    pub fn says(&mut self, client: u64, line: &str) -> Vec<String> {
        let args = words(line);
        self.on(|parts| commands::client_command(parts, ClientId(client), args))
    }

    /// Client 1 sends a line; gives its reply alone.
    pub fn reply(&mut self, line: &str) -> String {
        let replies = self.says(1, line);
        let reply = replies.iter().find_map(|reply| reply.strip_prefix("1: "));
        reply.unwrap_or("nothing").into()
    }

    /// The master sends a line.
    pub fn master_says(&mut self, line: &str) -> commands::Applied {
        let args = words(line);
        let mut applied = commands::Applied::Now;
        self.on(|parts| applied = commands::apply_from_master(parts, args));
        applied
    }

    /// Time passes, and the node is woken when it wants to be.
    pub fn passes(&mut self, span_ms: u64) -> Vec<String> {
        let end = self.now + Millis(span_ms);
        let mut replies = Vec::new();
        loop {
            let role = commands::Role::of(&self.config, &self.cluster, &self.replication);
            let next = commands::next_wakeup(&self.keyspace, &self.clients, &self.server, role);
            if next > end {
                self.now = end;
                return replies;
            }
            self.now = next.max(self.now);
            replies.extend(self.on(commands::wake));
        }
    }

    /// What was replicated since last asked.
    pub fn stream(&mut self) -> Vec<String> {
        std::mem::take(&mut self.replication.stream)
    }
}

fn words(line: &str) -> Vec<Bytes> {
    line.split(' ')
        .map(|word| Bytes::copy_from_slice(word.as_bytes()))
        .collect()
}

fn shown(output: &Output) -> Option<String> {
    match output {
        Output::Reply { client, reply, .. } => {
            let mut bytes = Vec::new();
            reply.encode(Protocol::Resp2, &mut bytes);
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", " ");
            Some(format!("{}: {}", client.0, text.trim_end()))
        }
        Output::CloseClient { client } => Some(format!("{}: closed", client.0)),
        Output::Log { text, .. } => Some(format!("log: {text}")),
        Output::Peer { peer, act } => Some(match act {
            PeerAct::Open { host, port } => format!("peer {}: {host}:{port}", peer.0),
            PeerAct::Send(bytes) => format!("peer {}:{}", peer.0, requests(bytes)),
            PeerAct::Close => format!("peer {}: closed", peer.0),
        }),
        _ => None,
    }
}

// Commands as words; a payload as its length.
fn requests(bytes: &Bytes) -> String {
    let mut parser = RequestParser::default();
    parser.feed(bytes);
    let mut text = String::new();
    while let Some(args) = parser.next_command().unwrap() {
        for (place, arg) in args.iter().enumerate() {
            let is_payload = place == 3;
            text += &match is_payload {
                true => format!(" <{}>", arg.len()),
                false => format!(" {}", String::from_utf8_lossy(arg)),
            };
        }
    }
    text
}

//! One node of the model: a real `Cluster`, its file, and a clock of its own.
//!
//! Clocks are not synchronized: a node's clock stands still until the model lets one of its waits
//! end, and then jumps. So every order of deliveries and timeouts is a run of the model.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use slotquake_core::Output;
use slotquake_core::bus::packet::{Body, Packet};
use slotquake_core::cluster::nodes_conf::NodesConf;
use slotquake_core::cluster::{
    Candidacy, Cluster, Effect, LinkFigures, PROFILE_DIRECTIVE, ReplicationFigures, Surroundings,
    VotingView,
};
use slotquake_core::config::Config;
use slotquake_core::ids::{LinkId, NodeId};
use slotquake_core::keyspace::Keyspace;
use slotquake_core::rng::Rng;
use slotquake_core::time::Millis;

use super::Scope;

/// Everybody, in the order of their numbers. A is dead, R1 and R2 are its replicas.
pub const NAMES: [&str; 5] = ["A", "B", "C", "R1", "R2"];
/// Those who live.
pub const LIVING: [usize; 4] = [1, 2, 3, 4];
/// The logical clock at the start.
pub const FIRST_EPOCH: u64 = 3;
/// Votes that make a master, of three masters with slots (EL-23).
pub const QUORUM: usize = 2;

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const BUS_PORT: u16 = 17_000;
const START: Millis = Millis(1_700_000_000_000);
const SLOTS: [&str; 3] = ["0-5460", "5461-10922", "10923-16383"];

/// A node between two steps.
#[derive(Clone)]
pub struct LocalNode {
    /// Its number.
    pub who: usize,
    /// Its file.
    pub disk: Bytes,
    cluster: Cluster,
    now: Millis,
    links: BTreeMap<LinkId, usize>,
}

/// What can happen to a node.
#[derive(Debug, Clone)]
pub enum Input<'a> {
    /// A packet of that node comes in.
    Packet(usize, &'a Packet),
    /// Its next wait ends: the delay before an election, the time to ask again, the spacing of
    /// votes.
    WaitEnds,
    /// As `WaitEnds`, but a candidate gives its open election up and plans the next.
    GiveUp,
}

/// What a node did, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Did {
    /// Replaced its file.
    Saved(Bytes),
    /// Sent a packet.
    Sent(usize, Box<Packet>),
}

/// The name that a node has on the bus.
pub fn id_of(who: usize) -> NodeId {
    let text = format!("{}{:0>38}", ["a", "b", "c", "d", "e"][who], "") + "0";
    NodeId::parse(text.as_bytes()).expect("forty characters of [0-9a-z]")
}

/// Whose name that is.
pub fn number_of(id: NodeId) -> Option<usize> {
    (0..NAMES.len()).find(|who| id_of(*who) == id)
}

impl LocalNode {
    /// The node at the start of the model: everybody knows that A fails.
    pub fn at_start(who: usize, scope: &Scope) -> LocalNode {
        LocalNode::boot(who, Bytes::from(first_file(who)), START, scope)
    }

    /// A node that starts from its file, with links to all who live.
    pub fn boot(who: usize, disk: Bytes, now: Millis, scope: &Scope) -> LocalNode {
        let config = config(who, scope);
        let mut fx = Vec::new();
        let rng = Rng::new(who as u64 + 1);
        let cluster = Cluster::boot(&config, Some(&disk), rng, now, &mut fx);
        let mut node = LocalNode {
            who,
            disk,
            cluster: cluster.expect("the file is its own"),
            now,
            links: BTreeMap::new(),
        };
        // The first tick opens the links; its heartbeats are among the packets that get lost.
        let opened = node.turn(scope, |cluster, around, fx| cluster.on_wake(around, fx));
        fx.extend(opened);
        for effect in fx {
            if let Effect::Do(Output::OpenLink { link, port, .. }) = effect
                && LIVING.contains(&usize::from(port - BUS_PORT))
            {
                node.links.insert(link, usize::from(port - BUS_PORT));
            }
        }
        for link in node.links.clone().into_keys() {
            node.turn(scope, |cluster, around, fx| {
                cluster.on_link_opened(link, ADDRESS, around, fx);
            });
        }
        for peer in LIVING.into_iter().filter(|peer| *peer != who) {
            node.turn(scope, |cluster, around, fx| {
                cluster.on_link_accepted(inbound_from(peer), ADDRESS, ADDRESS, around, fx);
            });
        }
        node
    }

    /// One step of the real room; gives what it did.
    pub fn take(&mut self, input: &Input, scope: &Scope) -> Vec<Did> {
        let fx = match input {
            Input::Packet(from, packet) => {
                let link = inbound_from(*from);
                self.turn(scope, |cluster, around, fx| {
                    cluster.on_packet(link, packet, around, fx);
                })
            }
            Input::WaitEnds => self.pass_time(self.next_wait(scope), scope),
            Input::GiveUp => self.pass_time(self.retry_wait(scope), scope),
        };
        fx.into_iter()
            .filter_map(|effect| self.did(effect))
            .collect()
    }

    /// The process dies and starts again from this file.
    pub fn restarted_from(&self, disk: Bytes, scope: &Scope) -> LocalNode {
        LocalNode::boot(self.who, disk, self.now, scope)
    }

    /// Whether it waits for anything but packets.
    pub fn next_wait(&self, scope: &Scope) -> Option<Millis> {
        let view = self.view(scope);
        let withheld = view.members.iter().map(|member| member.vote_withheld_for);
        let spacing = withheld.filter(|span| span.0 > 0).max();
        let election = match view.candidacy {
            Candidacy::Idle => None,
            Candidacy::Waiting { due_in, .. } => Some(due_in),
            Candidacy::Asked {
                asked_ago,
                begun_ago,
                retry_in,
                ..
            } => {
                let again = Millis(1000).since(asked_ago);
                let is_open = begun_ago + again <= Millis(2000);
                Some(if is_open { again } else { retry_in })
            }
        };
        // A replica has no voice, a voter is no candidate.
        election.or(spacing)
    }

    /// How long until an open election may be given up for the next.
    pub fn retry_wait(&self, scope: &Scope) -> Option<Millis> {
        match self.view(scope).candidacy {
            Candidacy::Idle | Candidacy::Waiting { .. } => None,
            Candidacy::Asked { retry_in, .. } => Some(retry_in),
        }
    }

    /// What its votes and its candidacy follow from.
    pub fn view(&self, scope: &Scope) -> VotingView {
        let config = config(self.who, scope);
        let keyspace = Keyspace::default();
        self.cluster
            .voting_view(&surroundings(&config, &keyspace, self.now))
    }

    /// Two nodes of one fingerprint behave alike in the model.
    pub fn fingerprint(&self, scope: &Scope) -> u64 {
        let mut view = self.view(scope);
        if let Candidacy::Waiting { due_in, .. } = &mut view.candidacy {
            // Drawn at random; the model's clock jumps to its end, however far that is.
            *due_in = Millis(0);
        }
        let promised = NodesConf::parse_as(scope.profile, &self.disk);
        let promised = promised.expect("the node wrote it");
        let mut hasher = DefaultHasher::new();
        (self.who, view, format!("{promised:?}")).hash(&mut hasher);
        hasher.finish()
    }

    fn pass_time(&mut self, wait: Option<Millis>, scope: &Scope) -> Vec<Effect> {
        let wait = wait.expect("the model lets only those waits end that there are");
        self.now = self.now + wait;
        self.turn(scope, |cluster, around, fx| {
            cluster.consider_election(around, fx)
        })
    }

    fn turn(
        &mut self,
        scope: &Scope,
        act: impl FnOnce(&mut Cluster, &Surroundings, &mut Vec<Effect>),
    ) -> Vec<Effect> {
        let config = config(self.who, scope);
        let keyspace = Keyspace::default();
        let around = surroundings(&config, &keyspace, self.now);
        let mut fx = Vec::new();
        act(&mut self.cluster, &around, &mut fx);
        self.cluster.before_sleep(&around, &mut fx);
        fx
    }

    fn did(&mut self, effect: Effect) -> Option<Did> {
        match effect {
            Effect::Do(Output::Persist { content, .. }) => {
                let bytes = content.bytes();
                self.disk = bytes.clone();
                Some(Did::Saved(bytes))
            }
            Effect::Do(Output::SendPacket { link, mut packet }) => {
                // What it says about third nodes, and when it pinged them, decides nothing here.
                if let Body::Pong(heartbeat) = &mut packet.body {
                    heartbeat.gossip.clear();
                }
                let to = self.links.get(&link)?;
                Some(Did::Sent(*to, packet))
            }
            Effect::Do(Output::OpenLink { .. } | Output::CloseLink { .. }) => {
                panic!("links come and go in ticks, and the model has none after the start")
            }
            Effect::Do(_)
            | Effect::Follow(_)
            | Effect::Lead
            | Effect::DeleteSlot(_)
            | Effect::FlushAll
            | Effect::ForeignData
            | Effect::PauseWrites(_)
            | Effect::ResumeWrites
            | Effect::Publish { .. }
            | Effect::SlotsChanged => None,
        }
    }
}

/// The link on which a node hears another one.
fn inbound_from(peer: usize) -> LinkId {
    LinkId::inbound(peer as u64 + 1)
}

fn config(who: usize, scope: &Scope) -> Config {
    let mut config = Config {
        port: 7000 + who as u16,
        cluster_enabled: true,
        cluster_node_timeout: Millis(1000),
        ..Config::default()
    };
    let (name, value) = (
        PROFILE_DIRECTIVE.to_string(),
        scope.profile.name().to_string(),
    );
    config.other.insert(name, value);
    config
}

fn surroundings<'a>(config: &'a Config, keyspace: &'a Keyspace, now: Millis) -> Surroundings<'a> {
    // Far ahead of now: the replicas' data is never too old (EL-03).
    let last_interaction = now + Millis(1 << 40);
    Surroundings {
        now,
        config,
        keyspace,
        replication: ReplicationFigures {
            offset: 100,
            link: LinkFigures::Up { last_interaction },
        },
    }
}

fn first_file(who: usize) -> String {
    let line = |node: usize| {
        let myself = if node == who { "myself," } else { "" };
        let (role, master) = match node {
            0 => ("master,fail", "-".to_string()),
            1 | 2 => ("master", "-".to_string()),
            _ => ("slave", id_of(0).to_string()),
        };
        let epoch = if node < 3 { node + 1 } else { 1 };
        let slots = SLOTS.get(node).copied().unwrap_or_default();
        let (port, bus) = (7000 + node, usize::from(BUS_PORT) + node);
        let id = id_of(node);
        format!("{id} 127.0.0.1:{port}@{bus} {myself}{role} {master} 0 1 {epoch} connected {slots}")
    };
    let lines: Vec<String> = (0..NAMES.len()).map(line).collect();
    let vars = format!("vars currentEpoch {FIRST_EPOCH} lastVoteEpoch 0");
    format!("{}\n{vars}\n", lines.join("\n"))
}

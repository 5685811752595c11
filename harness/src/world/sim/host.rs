//! A host: one node, its disk and its sockets, and how it starts, stops and stands still.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use slotquake_checkers::observation::{Lifecycle, LifecycleKind, NodeName};
use slotquake_core::config::Config;
use slotquake_core::output::{Content, Durability, File};
use slotquake_core::time::Millis;
use slotquake_core::{Boot, BootError, Input, Node, Outputs};
use slotquake_workloads::rng::Rng;

use super::clock::Clock;
use super::disk::{Crash, Disk};
use super::looks::Shown;
use super::net::{ConnId, Handle, Payload, Way};
use super::queue::Event;
use super::{Happening, MS, SimWorld};

/// Lines of log kept of each node.
const LOG_LINES_MAX: usize = 500;

/// One host.
pub struct Host {
    /// The node's name.
    pub name: NodeName,
    /// Its address.
    pub ip: IpAddr,
    /// Its settings.
    pub config: Config,
    /// What it takes for the time.
    pub clock: Clock,
    /// Its files.
    pub disk: Disk,
    /// What it waits for before it goes on.
    pub sync: Option<Sync>,
    /// The process; none while it is down.
    pub node: Option<Node>,
    /// Times it was started.
    pub incarnation: u32,
    /// Whether it stands still.
    pub gait: Gait,
    /// Its ends of connections.
    pub ends: BTreeMap<Handle, (ConnId, Way)>,
    /// What reached it while it stood still.
    pub inbox: VecDeque<Arrival>,
    /// Last lines of its log.
    pub log: VecDeque<String>,
    /// Connections accepted so far.
    pub accepted: u64,
    /// What it last showed to the observer.
    pub shown: Option<Shown>,
    wake_at: Option<u64>,
    rng: Rng,
}

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gait {
    /// It does.
    Running,
    /// SIGSTOP: the kernel works for it, it does not.
    Stopped,
}

/// A sync that takes its time: the process does nothing else meanwhile.
#[derive(Debug)]
pub struct Sync {
    /// When it is done, ns.
    pub until: u64,
    /// The file.
    pub file: File,
    /// What it will hold for sure.
    pub content: Content,
    /// What the node wants done after it.
    pub rest: Outputs,
}

/// Something that reached a host.
#[derive(Debug)]
pub enum Arrival {
    /// A connection was accepted.
    Accepted(ConnId),
    /// A connection it opened is open.
    Opened(Handle),
    /// A connection it opened was refused.
    Refused(Handle),
    /// The observer asked, at this time.
    Asked(u64),
    /// Something came in on a connection.
    Came(ConnId, Way, Payload),
}

impl Host {
    /// A host whose node has not started yet.
    pub fn new(name: NodeName, ip: IpAddr, config: Config, rng: Rng) -> Host {
        Host {
            name,
            ip,
            config,
            clock: Clock::default(),
            disk: Disk::default(),
            sync: None,
            node: None,
            incarnation: 0,
            gait: Gait::Running,
            ends: BTreeMap::new(),
            inbox: VecDeque::new(),
            log: VecDeque::new(),
            accepted: 0,
            shown: None,
            wake_at: None,
            rng,
        }
    }

    /// The record of its first start.
    pub fn first_start(&self) -> Lifecycle {
        Lifecycle {
            time: 0,
            node: self.name.clone(),
            incarnation: 1,
            what: LifecycleKind::Started,
            detail: String::new(),
        }
    }

    /// Whether its node is a replica.
    pub fn follows(&self) -> bool {
        let outline = self.node.as_ref().and_then(Node::outline);
        outline.is_some_and(|outline| {
            let mut members = outline.members.iter();
            members.any(|member| member.id == outline.myself && member.master.is_some())
        })
    }

    /// Whether its nodes.conf says that it is a replica.
    pub fn is_to_follow(&self) -> bool {
        let stored = self.disk.read(File::NodesConf).unwrap_or_default();
        String::from_utf8_lossy(&stored).contains("myself,slave")
    }

    /// Whether its node believes the cluster ok and knows this many nodes.
    pub fn sees_all(&self, nodes: usize) -> bool {
        let outline = self.node.as_ref().and_then(Node::outline);
        outline.is_some_and(|outline| outline.is_ok && outline.members.len() == nodes)
    }

    /// Whether its process can take something in.
    pub fn is_free(&self) -> bool {
        self.gait == Gait::Running && self.sync.is_none()
    }

    /// Adds a line to its log.
    pub fn note(&mut self, now: u64, text: &str) {
        if self.log.len() == LOG_LINES_MAX {
            self.log.pop_front();
        }
        self.log
            .push_back(format!("{}.{:03} {text}", now / 1000 / MS, now / MS % 1000));
    }
}

impl SimWorld {
    /// Starts a host's node from its disk.
    pub(super) fn start(&mut self, host: usize) -> Result<(), BootError> {
        let place = &mut self.hosts[host];
        let now = place.clock.millis(self.now);
        assert!(place.node.is_none(), "{} runs already", place.name);
        place.incarnation += 1;
        place.gait = Gait::Running;
        let boot = Boot {
            config: place.config.clone(),
            config_file: String::new(),
            config_text: String::new(),
            nodes_conf: place.disk.read(File::NodesConf),
            rdb: place.disk.read(File::Rdb),
            append_only: None,
            seed: place.rng.next_u64(),
            pid: 1000 + place.incarnation,
        };
        let mut outputs = Vec::new();
        place.node = Some(Node::boot(boot, now, &mut outputs)?);
        self.record_lifecycle(host, LifecycleKind::Started, String::new());
        self.carry_out(host, &mut outputs);
        Ok(())
    }

    /// Ends a host's process; the kernel closes its sockets.
    pub(super) fn stop(&mut self, host: usize, crash: Crash) {
        let place = &mut self.hosts[host];
        place.node = None;
        place.wake_at = None;
        place.sync = None;
        place.inbox.clear();
        // Another life of the node counts its changes anew.
        place.shown = None;
        place.disk.crash(crash);
        let ends = std::mem::take(&mut place.ends);
        for (conn, way) in ends.into_values() {
            *self.net.conn(conn).receiver(way.reverse()) = super::net::End::Gone;
            self.put(conn, way, Payload::Close);
        }
    }

    pub(super) fn record_lifecycle(&mut self, host: usize, what: LifecycleKind, detail: String) {
        let place = &self.hosts[host];
        self.happenings.push_back(Happening::Lifecycle(Lifecycle {
            time: self.now,
            node: place.name.clone(),
            incarnation: place.incarnation,
            what,
            detail,
        }));
    }

    /// Lets a host that stood still go on: what came in first, then its timers (R4).
    pub(super) fn resume(&mut self, host: usize) {
        self.hosts[host].gait = Gait::Running;
        self.on_synced(host);
        self.catch_up(host);
    }

    /// A sync may be done: then the node goes on where it waited.
    pub(super) fn on_synced(&mut self, host: usize) {
        let now = self.now;
        let place = &mut self.hosts[host];
        if place.gait == Gait::Stopped {
            return;
        }
        let Some(mut sync) = place.sync.take_if(|sync| sync.until <= now) else {
            return;
        };
        let delay = self.bugs.write_delay();
        place
            .disk
            .write(sync.file, sync.content, Durability::Synced, delay);
        self.carry_out(host, &mut sync.rest);
        self.catch_up(host);
    }

    /// Takes in what came in meanwhile, until it has to wait again.
    fn catch_up(&mut self, host: usize) {
        while self.hosts[host].is_free() {
            let Some(arrival) = self.hosts[host].inbox.pop_front() else {
                return self.wake_node(host);
            };
            self.handle(host, arrival);
        }
    }

    pub(super) fn wake_node(&mut self, host: usize) {
        let place = &mut self.hosts[host];
        let is_due = place.wake_at.is_some_and(|at| at <= self.now);
        if !is_due || place.node.is_none() || !place.is_free() {
            return;
        }
        place.wake_at = None;
        self.step(host, Input::Wake);
    }

    /// One input, then all its outputs.
    pub(super) fn step(&mut self, host: usize, input: Input) {
        let place = &mut self.hosts[host];
        let now = place.clock.millis(self.now);
        let Some(node) = &mut place.node else {
            return;
        };
        let mut outputs = std::mem::take(&mut self.outputs);
        node.step(now, input, &mut outputs);
        self.carry_out(host, &mut outputs);
        self.outputs = outputs;
    }

    /// Arranges the node's next wake-up, if it is earlier than the one arranged.
    pub(super) fn arrange_wake(&mut self, host: usize) {
        let place = &mut self.hosts[host];
        let Some(node) = &place.node else {
            return;
        };
        let wakeup = node.next_wakeup();
        if wakeup == Millis(u64::MAX) {
            return;
        }
        // A wake-up that is overdue comes with the next ms: the node's clock must have moved.
        let next = place.clock.millis(self.now) + Millis(1);
        let at = place.clock.time_of(wakeup.max(next), self.now);
        if place.wake_at.is_none_or(|arranged| at < arranged) {
            place.wake_at = Some(at);
            self.queue.push(at, Event::NodeWake { host });
        }
    }
}

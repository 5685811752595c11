//! The simulated world: the node core in virtual time.
//!
//! ```text
//! queue   what happens next, in one total order; time jumps from event to event
//! net     connections between ends; bytes wait where a path is cut and flow when it heals
//! hosts   a node, its disk, its sockets; killed, restarted, paused
//! callers simulated clients, and the observer that asks nodes for their views
//! faults  kill, pause, partition put in force and healed
//! ```
//!
//! No clock, thread, socket, file or entropy: the same plan gives the same recording, byte for
//! byte. Randomness comes from streams named by concern, so that one concern drawing more numbers
//! does not reshuffle the others.

mod adapter;
mod boot;
mod callers;
mod clock;
mod disk;
mod faults;
mod host;
mod looks;
mod net;
mod outputs;
mod queue;
mod replies;
pub mod seeded;
mod strangers;
#[cfg(test)]
mod tests;
mod wires;

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use anyhow::{Context, bail, ensure};
use slotquake_checkers::observation::{Directives, NodeName, NodeSetting, Packet, Setting};
use slotquake_checkers::recording::RECORDING_FORMAT;
use slotquake_core::Outputs;
use slotquake_workloads::rng::Rng;

use self::adapter::Adapter;
use self::callers::Callers;
use self::host::Host;
use self::net::{Net, Service};
use self::queue::{Event, Queue};
use self::seeded::Bugs;
use super::{Command, Happening, Remains, World};
use crate::plan::Plan;

pub use boot::try_directives;
pub use strangers::Doubt;

/// One ms of virtual time, ns.
const MS: u64 = 1_000_000;
/// From one look at the booting cluster to the next, virtual ns.
const BOOT_LOOK_NS: u64 = 20 * MS;
/// Longest boot, virtual ns.
const BOOT_NS_MAX: u64 = 60_000 * MS;

/// A cluster in virtual time.
pub struct SimWorld {
    now: u64,
    queue: Queue,
    net: Net,
    hosts: Vec<Host>,
    /// Which host listens at an address.
    doors: BTreeMap<(Service, IpAddr, u16), usize>,
    callers: Callers,
    settings: Vec<NodeSetting>,
    node_timeout_ms: u64,
    config: Directives,
    codec: Codec,
    adapter: Adapter,
    packets: Vec<Packet>,
    bus: Bus,
    happenings: VecDeque<Happening>,
    /// An empty list, kept for its memory.
    outputs: Outputs,
    /// When the director is to be woken.
    armed: Option<u64>,
    disk_rng: Rng,
    cluster_ok_ms: u64,
    bugs: Bugs,
}

/// Whether packets travel as bytes or as types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Each is encoded and decoded on its way.
    InTheLoop,
    /// As types: faster.
    Typed,
}

/// Whether bus packets are kept for the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bus {
    Recorded,
    Unrecorded,
}

impl SimWorld {
    /// Boots the plan's cluster until every node says ok.
    ///
    /// # Errors
    /// The nodes refuse to start, or do not form a cluster in a minute of virtual time.
    pub fn boot(plan: &Plan) -> anyhow::Result<SimWorld> {
        let directive = plan.profile.directive();
        let directive = directive.map(|(name, value)| (name.into(), value.into()));
        let bug = Bugs::of(plan)?.directive;
        SimWorld::boot_with(plan, &directive.into_iter().chain(bug).collect())
    }

    /// As [`SimWorld::boot`], each node with these directives of redis.conf besides the plan's.
    ///
    /// # Errors
    /// As [`SimWorld::boot`], or a directive that no node knows.
    pub fn boot_with(
        plan: &Plan,
        directives: &BTreeMap<String, String>,
    ) -> anyhow::Result<SimWorld> {
        // One seed in sixteen keeps the codec honest.
        let codec = match Rng::named(plan.seed, "codec").below(16) {
            0 => Codec::InTheLoop,
            _ => Codec::Typed,
        };
        SimWorld::boot_through(plan, directives, codec)
    }

    /// As [`SimWorld::boot_with`], with this codec instead of the seed's choice: to measure it.
    ///
    /// # Errors
    /// As [`SimWorld::boot_with`].
    pub fn boot_through(
        plan: &Plan,
        directives: &BTreeMap<String, String>,
        codec: Codec,
    ) -> anyhow::Result<SimWorld> {
        let settings = boot::settings(plan);
        let hosts = boot::hosts(plan, &settings, directives)?;
        let replicas = hosts.iter().filter(|host| host.is_to_follow()).count();
        let mut world = SimWorld::bare(plan, settings, hosts, codec)?;
        for host in 0..world.hosts.len() {
            world
                .start(host)
                .context("a node of the simulation does not start")?;
        }
        world.await_cluster()?;
        let following = world.hosts.iter().filter(|host| host.follows()).count();
        ensure!(
            following == replicas,
            "nodes.conf makes {replicas} nodes replicas, and {following} are"
        );
        Ok(world)
    }

    /// Hosts that are down, and nothing happening.
    fn bare(
        plan: &Plan,
        settings: Vec<NodeSetting>,
        hosts: Vec<Host>,
        codec: Codec,
    ) -> anyhow::Result<SimWorld> {
        let mut doors = BTreeMap::new();
        for (place, host) in hosts.iter().enumerate() {
            let bus = (Service::Bus, host.config.bus_port());
            for (service, port) in [bus, (Service::Clients, host.config.port)] {
                doors.entry((service, host.ip, port)).or_insert(place);
            }
        }
        Ok(SimWorld {
            now: 0,
            queue: Queue::default(),
            net: Net::new(settings.len(), Rng::named(plan.seed, "network"))
                .shaped(plan.network, Rng::named(plan.seed, "network shape")),
            hosts,
            doors,
            callers: Callers::of(plan),
            settings,
            node_timeout_ms: plan.node_timeout_ms,
            config: plan.config.clone(),
            codec,
            adapter: Adapter::default(),
            packets: Vec::new(),
            bus: Bus::Recorded,
            happenings: VecDeque::new(),
            outputs: Outputs::new(),
            armed: None,
            disk_rng: Rng::named(plan.seed, "disk"),
            cluster_ok_ms: 0,
            bugs: Bugs::of(plan)?,
        })
    }

    /// Runs until every node would say ok, looked at again and again.
    fn await_cluster(&mut self) -> anyhow::Result<()> {
        let mut next_look = 0;
        while !self
            .hosts
            .iter()
            .all(|host| host.sees_all(self.hosts.len()))
        {
            if self.now > BOOT_NS_MAX {
                bail!("the simulated nodes form no cluster in 60 s of virtual time");
            }
            next_look += BOOT_LOOK_NS;
            self.execute(Command::WakeAt(next_look));
            while self.next()? != Happening::Woke {}
        }
        self.cluster_ok_ms = self.now / MS;
        // The lifecycles seen so far belong to the recording.
        self.happenings.clear();
        for host in 0..self.hosts.len() {
            self.happenings
                .push_back(Happening::Lifecycle(self.hosts[host].first_start()));
        }
        Ok(())
    }

    fn host_of(&self, name: &NodeName) -> Option<usize> {
        self.settings
            .iter()
            .position(|setting| setting.name == *name)
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::NodeWake { host } => self.wake_node(host),
            Event::Syn { conn } => self.on_syn(conn),
            Event::Established { conn } => self.on_established(conn),
            Event::Refused { conn } => self.on_refused(conn),
            Event::Deliver { conn, way } => self.on_deliver(conn, way),
            Event::ReplyDue { conn, request } => self.on_reply_due(conn, request),
            Event::Listened { conn, request } => self.on_listened(conn, request),
            Event::Look { host, asked } => self.on_look(host, asked),
            Event::Synced { host } => self.on_synced(host),
            Event::SessionWaited { process } => self.on_session_waited(process),
            Event::Wake => self.wake_director(),
        }
    }

    /// The earliest time asked for counts; the director asks again for later ones.
    fn arm(&mut self, time: u64) {
        if self.armed.is_none_or(|armed| time < armed) {
            self.armed = Some(time);
            self.queue.push(time, Event::Wake);
        }
    }

    /// Unless an earlier time was asked for since: then this one is no longer wanted.
    fn wake_director(&mut self) {
        if self.armed.take_if(|armed| *armed == self.now).is_some() {
            self.happenings.push_back(Happening::Woke);
        }
    }

    /// How many events have happened so far: deliveries, wake-ups, looks, timeouts.
    pub fn events_played(&self) -> u64 {
        self.queue.taken()
    }

    /// What the nodes wrote to their logs last, oldest first; for people who debug.
    pub fn log_of(&self, name: &NodeName) -> Vec<String> {
        let host = self.host_of(name).map(|host| &self.hosts[host]);
        host.map(|host| host.log.iter().cloned().collect())
            .unwrap_or_default()
    }
}

impl World for SimWorld {
    fn now(&self) -> u64 {
        self.now
    }

    fn nodes(&self) -> &[NodeSetting] {
        &self.settings
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Invoke { process, op } => self.invoke(process, &op),
            Command::Inject(spec) => self.inject(spec),
            Command::Heal(spec) => self.heal(spec),
            Command::Look(node) => {
                if let Some(host) = self.host_of(&node) {
                    self.look(host);
                }
            }
            Command::Ask { node, args, tag } => match self.host_of(&node) {
                Some(host) => self.ask(host, args, tag),
                None => {
                    let reply = Err(format!("no node is named {node}"));
                    self.happenings.push_back(Happening::Answer { tag, reply });
                }
            },
            Command::WakeAt(time) => self.arm(time.max(self.now)),
        }
    }

    fn next(&mut self) -> anyhow::Result<Happening> {
        loop {
            if let Some(happening) = self.happenings.pop_front() {
                return Ok(happening);
            }
            let (time, event) = self.queue.pop().context("nothing will ever happen again")?;
            assert!(
                time >= self.now,
                "time goes forward: {time} after {}",
                self.now
            );
            self.now = time;
            self.dispatch(event);
        }
    }

    fn finish(&mut self) -> anyhow::Result<Remains> {
        let setting = Setting {
            format: RECORDING_FORMAT,
            world: "sim".into(),
            nodes: self.settings.clone(),
            node_timeout_ms: self.node_timeout_ms,
            config: self.config.clone(),
            bus_captured: true,
            bus_packets_lost: 0,
            canary_delay_ms: 0,
            cluster_ok_ms: self.cluster_ok_ms,
            healed_at: None,
            ended_at: self.now,
            datasets: Vec::new(),
        };
        let packets = std::mem::take(&mut self.packets);
        Ok(Remains { packets, setting })
    }
}

//! From nothing to a cluster in which every node says ok.
//!
//! All files are written first, then all processes start at once, then each node is asked until it
//! knows everyone, sees all slots served and, as a replica, has its link. The time of that counts
//! from before the first process.
//!
//! The floor of real servers is 2000 ms: a master that starts in the failed state stays there for
//! that long whatever it sees (ST-02, a constant of upstream). All else takes under 0.1 s for six
//! nodes, so nothing faster is to be had from a fresh process; our own node has the delay as a
//! setting.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use slotquake_checkers::observation::{FaultKind, LifecycleKind, NodeName, NodeSetting, Setting};
use slotquake_workloads::load::Arrival;

use super::canary::Canary;
use super::desk::{Desk, Expected, Job, Link};
use super::faults::Partitions;
use super::fleet::{Fleet, Haste, Size};
use super::layout::{BUS_OFFSET, Layout, redis_conf};
use super::process::{CONFIG, NODES_CONF, NodeProcess};
use super::{LocalOptions, LocalWorld};
use crate::observe::tap::{Tap, TapOptions};
use crate::sandbox::disk::SmallDisk;
use crate::sandbox::{Isolation, stop};

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    /// Not as many launches as nodes: a mistake of the caller.
    #[error("{launches} servers for {nodes} nodes")]
    Launches {
        /// Servers given.
        launches: usize,
        /// Nodes planned.
        nodes: usize,
    },
    /// A folder or file cannot be written.
    #[error("cannot write {path}: {why}")]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// No two free ports for a node.
    #[error("no free ports on {0}; end other servers on this machine")]
    NoPorts(Ipv4Addr),
    /// A port is taken.
    #[error("{address} of {node} is in use; end the server that has it")]
    PortInUse {
        /// Whose.
        node: NodeName,
        /// Which.
        address: SocketAddrV4,
    },
    /// A thread or a process could not be started.
    #[error("cannot start {what}: {why}")]
    Start {
        /// Which.
        what: String,
        /// What the system said.
        why: io::Error,
    },
    /// A server ended at its start.
    #[error("{node} ended while it started: {detail}")]
    Died {
        /// Which.
        node: NodeName,
        /// Its status and its last log lines.
        detail: String,
    },
    /// The user had enough.
    #[error("interrupted by a signal while the cluster started")]
    Interrupted,
    /// The cluster never became ok.
    #[error("the cluster is not ok after {seconds} s; not ready: {waiting}")]
    NeverOk {
        /// How long it was waited for.
        seconds: u64,
        /// The nodes that are not ready, with their last log lines.
        waiting: String,
    },
}

impl LocalWorld {
    /// Starts the cluster, and waits until every node says ok.
    ///
    /// # Errors
    /// [`BootError`]; nothing is left running then.
    pub fn boot(options: LocalOptions<'_>) -> Result<LocalWorld, BootError> {
        let nodes = settings(&options)?;
        let plan = options.plan;
        let addresses = nodes.iter().map(|node| node.address).collect();
        let layout = Layout::new(
            plan.seed,
            (plan.masters.into(), plan.slotless.into()),
            addresses,
        );
        let mut processes = Vec::with_capacity(nodes.len());
        let mut disks = Vec::new();
        for (position, (node, launch)) in nodes.iter().zip(&options.launches).enumerate() {
            let files = [
                (CONFIG, redis_conf(node, launch, plan)),
                (NODES_CONF, layout.nodes_conf(position)),
            ];
            let name = node.name.to_string();
            // One folder for each run: a sandbox may see several.
            let folder = options
                .sandbox
                .scratch()
                .join(format!("run-{}", plan.seed))
                .join(&name);
            let artefacts = options.artefacts.join("nodes").join(&name);
            let refused = |why| BootError::Write {
                path: artefacts.clone(),
                why,
            };
            if plan.can_bring(FaultKind::FullDisk) {
                disks.push(SmallDisk::mount(options.sandbox, &folder).map_err(refused)?);
            }
            let process = NodeProcess::prepare(launch.clone(), folder, artefacts.clone(), &files);
            processes.push(process.map_err(refused)?);
        }
        let mut world = LocalWorld::assemble(&options, nodes, processes)?;
        world.disks = disks;
        world.start_all()?;
        world.await_ok(&layout)?;
        Ok(world)
    }

    fn assemble(
        options: &LocalOptions<'_>,
        nodes: Vec<NodeSetting>,
        processes: Vec<NodeProcess>,
    ) -> Result<LocalWorld, BootError> {
        let started = |what: &str| {
            let what = what.to_owned();
            move |why| BootError::Start { what, why }
        };
        let start = Instant::now();
        let tap = start_tap(options, &nodes, start);
        let (out, happenings) = mpsc::channel();
        let size = Size {
            clients: options.plan.concurrency.max(1) as usize,
            pipeline: options.plan.load.pipeline.into(),
            haste: match options.plan.load.arrival {
                Arrival::Closed => Haste::Throughput,
                Arrival::Paced | Arrival::Open => Haste::Latency,
            },
        };
        let addresses = nodes.iter().map(|node| node.address).collect();
        let fleet = Fleet::open(size, addresses).map_err(started("the clients"))?;
        let desk = Desk::open(start, nodes.clone(), (out, fleet.bell()));
        let desk = desk.map_err(started("the desk's thread"))?;
        let canary = Canary::start().map_err(started("the canary's thread"))?;
        let setting = Setting {
            format: 1,
            world: "local".to_owned(),
            nodes: nodes.clone(),
            node_timeout_ms: options.plan.node_timeout_ms,
            config: options.plan.config.clone(),
            bus_captured: tap.is_some(),
            bus_packets_lost: 0,
            canary_delay_ms: 0,
            cluster_ok_ms: 0,
            healed_at: None,
            ended_at: 0,
            datasets: Vec::new(),
        };
        Ok(LocalWorld {
            start,
            told_at: 0,
            nodes,
            processes,
            partitions: Partitions::open(options.sandbox),
            disks: Vec::new(),
            desk,
            fleet,
            happenings,
            queue: Default::default(),
            wake_at: Default::default(),
            reaped_at: Instant::now(),
            tap,
            canary,
            setting,
        })
    }

    fn start_all(&mut self) -> Result<(), BootError> {
        for node in 0..self.processes.len() {
            self.processes[node]
                .start()
                .map_err(|why| BootError::Start {
                    what: self.nodes[node].name.to_string(),
                    why,
                })?;
            let started = self.lifecycle(node, LifecycleKind::Started, String::new());
            self.queue.push_back(started);
        }
        Ok(())
    }

    fn await_ok(&mut self, layout: &Layout) -> Result<(), BootError> {
        let (ready, readiness) = mpsc::channel();
        let nodes = self.nodes.len();
        for node in 0..nodes {
            let expect = Expected {
                nodes,
                link: match layout.is_master(node) {
                    true => Link::None,
                    false => Link::Up,
                },
                interval: Duration::from_millis(5 + nodes as u64 / 2),
            };
            self.desk.take(Job::AwaitCluster {
                node,
                ready: ready.clone(),
                expect,
            });
        }
        let deadline = Instant::now() + OK_PATIENCE;
        let mut waiting: Vec<usize> = (0..nodes).collect();
        while !waiting.is_empty() {
            match readiness.recv_timeout(Duration::from_millis(10)) {
                Ok(node) => waiting.retain(|other| *other != node),
                Err(RecvTimeoutError::Timeout) => self.refuse_deaths()?,
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if stop::is_requested() {
                return Err(BootError::Interrupted);
            }
            if Instant::now() > deadline {
                return Err(self.never_ok(&waiting));
            }
        }
        self.told_at = self.clock();
        self.setting.cluster_ok_ms = self.told_at / 1_000_000;
        Ok(())
    }

    fn refuse_deaths(&mut self) -> Result<(), BootError> {
        for (node, process) in self.nodes.iter().zip(&mut self.processes) {
            if let Some(detail) = process.reap() {
                let node_name = node.name.clone();
                return Err(match detail.contains("Address already in use") {
                    true => BootError::PortInUse {
                        node: node_name,
                        address: node.address,
                    },
                    false => BootError::Died {
                        node: node_name,
                        detail,
                    },
                });
            }
        }
        Ok(())
    }

    fn never_ok(&self, waiting: &[usize]) -> BootError {
        let tell = |node: &usize| {
            format!(
                "{} ({})",
                self.nodes[*node].name,
                self.processes[*node].log_tail()
            )
        };
        BootError::NeverOk {
            seconds: OK_PATIENCE.as_secs(),
            waiting: waiting.iter().map(tell).collect::<Vec<_>>().join("; "),
        }
    }
}

/// The tap, where the network is our own; elsewhere there is none, and the setting says so.
fn start_tap(options: &LocalOptions<'_>, nodes: &[NodeSetting], start: Instant) -> Option<Tap> {
    match options.sandbox.isolation() {
        Isolation::Plain { .. } => None,
        Isolation::Namespaces => {
            let owner = |node: &NodeSetting| (*node.address.ip(), node.name.clone());
            let started = Tap::start(TapOptions {
                bus_port: CLIENT_PORT + BUS_OFFSET,
                owners: nodes.iter().map(owner).collect::<BTreeMap<_, _>>(),
                start,
                pcapng: options.artefacts.join("bus.pcapng"),
            });
            started
                .inspect_err(|why| tracing::warn!("no bus tap: {why}"))
                .ok()
        }
    }
}

fn settings(options: &LocalOptions<'_>) -> Result<Vec<NodeSetting>, BootError> {
    let nodes = options.plan.node_count() as usize;
    if options.launches.len() != nodes {
        return Err(BootError::Launches {
            launches: options.launches.len(),
            nodes,
        });
    }
    let mut settings = Vec::with_capacity(nodes);
    for (position, launch) in options.launches.iter().enumerate() {
        let address = Ipv4Addr::from_bits(FIRST_ADDRESS.to_bits() + position as u32);
        let port = match options.sandbox.isolation() {
            Isolation::Namespaces => CLIENT_PORT,
            Isolation::Plain { .. } => free_port(address)?,
        };
        settings.push(NodeSetting {
            name: NodeName::numbered(position + 1),
            address: SocketAddrV4::new(address, port),
            bus_port: port + BUS_OFFSET,
            server: launch.server.clone(),
        });
    }
    Ok(settings)
}

/// A port that is free together with its bus port, on a machine whose loopback others use too.
fn free_port(address: Ipv4Addr) -> Result<u16, BootError> {
    for _attempt in 0..200 {
        let port = TcpListener::bind((address, 0)).and_then(|listener| listener.local_addr());
        let Ok(port) = port.map(|local| local.port()) else {
            continue;
        };
        let bus_port = port.checked_add(BUS_OFFSET);
        if bus_port.is_some_and(|port| TcpListener::bind((address, port)).is_ok()) {
            return Ok(port);
        }
    }
    Err(BootError::NoPorts(address))
}

/// Nodes live at 127.0.1.1 and the following addresses.
const FIRST_ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 1);
const CLIENT_PORT: u16 = 6379;
const OK_PATIENCE: Duration = Duration::from_secs(60);

//! The local world: nodes as processes on this machine, in the sandbox.
//!
//! ```text
//! main thread    director ⇄ LocalWorld: processes, cuts, the queue of happenings, all clients
//! desk thread    sockets (tokio): views, questions, waiting for restarts
//! tap thread     the bus tap             canary thread   how late this machine runs
//! ```
//! It carries out commands and decides nothing. Construction ([`LocalWorld::boot`], in `boot`)
//! returns when every node says `cluster_state:ok`. Time 0 is just before the first process starts.
//!
//! Rooms: `layout` (what is written before the start), `process`, `faults`; `desk` and `wire` of
//! the questions; `fleet`, `switch` and `line` of the clients.

mod boot;
mod canary;
mod desk;
mod faults;
mod fleet;
mod layout;
mod line;
mod process;
mod switch;
mod wire;

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use slotquake_checkers::observation::{Lifecycle, LifecycleKind, NodeName, NodeSetting, Setting};

pub use boot::BootError;

use super::{Command, Happening, Remains, World};
use crate::observe::tap::{Tap, Tapped};
use crate::plan::Plan;
use crate::sandbox::disk::SmallDisk;
use crate::sandbox::{Sandbox, stop};
use crate::target::Launch;
use canary::Canary;
use desk::{Desk, Job};
use faults::Partitions;
use fleet::Fleet;
use process::NodeProcess;

/// What a local cluster is made of.
#[derive(Debug)]
pub struct LocalOptions<'a> {
    /// The run.
    pub plan: &'a Plan,
    /// How to start each node, in order of their names.
    pub launches: Vec<Launch>,
    /// The recording's folder: `nodes/` and `bus.pcapng` go there.
    pub artefacts: PathBuf,
    /// Where the nodes live.
    pub sandbox: &'a Sandbox,
}

/// A cluster of processes.
#[derive(Debug)]
pub struct LocalWorld {
    start: Instant,
    /// When the last happening was told, ns: one look at the clock for each, however often the
    /// director asks. What is begun then is sent later, and what it tells of came before.
    told_at: u64,
    nodes: Vec<NodeSetting>,
    processes: Vec<NodeProcess>,
    partitions: Partitions,
    /// The disk of each node that has one of its own, which can be filled.
    disks: Vec<Option<SmallDisk>>,
    desk: Desk,
    fleet: Fleet,
    happenings: Receiver<Happening>,
    /// Happenings of this thread's own making; they come first.
    queue: VecDeque<Happening>,
    /// All times asked for; one that is kept although nobody waits for it any more does no harm.
    wake_at: BTreeSet<u64>,
    reaped_at: Instant,
    tap: Option<Tap>,
    canary: Canary,
    setting: Setting,
}

impl LocalWorld {
    /// Why partitions are impossible here, if they are; for a word at the start of a run.
    pub fn partitions_refused(&self) -> Option<&str> {
        self.partitions.refused()
    }

    /// What the clock says now, ns.
    fn clock(&self) -> u64 {
        nanos(self.start.elapsed())
    }

    fn position(&self, name: &NodeName) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == *name)
    }

    fn lifecycle(&self, node: usize, what: LifecycleKind, detail: String) -> Happening {
        Happening::Lifecycle(Lifecycle {
            time: self.clock(),
            node: self.nodes[node].name.clone(),
            incarnation: self.processes[node].incarnation(),
            what,
            detail,
        })
    }

    /// Looks for processes that ended by themselves: crashes of the system under test.
    fn reap(&mut self) {
        self.reaped_at = Instant::now();
        for node in 0..self.processes.len() {
            if let Some(detail) = self.processes[node].reap() {
                let died = self.lifecycle(node, LifecycleKind::Died, detail);
                self.queue.push_back(died);
            }
        }
    }
}

impl World for LocalWorld {
    fn now(&self) -> u64 {
        self.told_at
    }

    fn nodes(&self) -> &[NodeSetting] {
        &self.nodes
    }

    fn execute(&mut self, command: Command) {
        match command {
            Command::Invoke { process, op } => self.fleet.invoke(process, &op),
            Command::Inject(spec) => self.inject(spec),
            Command::Heal(spec) => self.heal(spec),
            Command::Look(name) => {
                if let Some(node) = self.position(&name) {
                    self.desk.take(Job::Look { node });
                }
            }
            Command::Ask { node, args, tag } => match self.position(&node) {
                Some(node) => self.desk.take(Job::Ask { node, args, tag }),
                None => self.queue.push_back(Happening::Answer {
                    tag,
                    reply: Err(format!("there is no node {node}")),
                }),
            },
            Command::WakeAt(time) => {
                self.wake_at.insert(time);
            }
        }
    }

    fn next(&mut self) -> anyhow::Result<Happening> {
        loop {
            if stop::is_requested() {
                return Err(anyhow!("interrupted by a signal"));
            }
            let mut instant = Instant::now();
            if instant.duration_since(self.reaped_at) >= REAP_INTERVAL {
                self.reap();
            }
            if let Some(happening) = self.queue.pop_front() {
                self.told_at = self.clock();
                return Ok(happening);
            }
            if self.fleet.is_stale(instant) {
                self.fleet.wait(Duration::ZERO).context(NO_CLIENTS)?;
                instant = Instant::now();
            }
            // All answers that are told from here on had come by then.
            let now = nanos(instant.duration_since(self.start));
            self.told_at = now;
            let mut patience = REAP_INTERVAL;
            match self.wake_at.first().copied() {
                Some(time) if time <= now => {
                    self.wake_at = self.wake_at.split_off(&(now + 1));
                    return Ok(Happening::Woke);
                }
                Some(time) => patience = patience.min(Duration::from_nanos(time - now)),
                None => {}
            }
            if let Some((process, outcome)) = self.fleet.take_done() {
                return Ok(Happening::Completed { process, outcome });
            }
            match self.happenings.try_recv() {
                Ok(happening) => {
                    // It bears a time of the desk's, which may be a later one.
                    self.told_at = self.clock();
                    return Ok(happening);
                }
                Err(TryRecvError::Empty) => self.fleet.wait(patience).context(NO_CLIENTS)?,
                Err(TryRecvError::Disconnected) => {
                    return Err(anyhow!("the thread of the questions has ended"));
                }
            }
        }
    }

    fn finish(&mut self) -> anyhow::Result<Remains> {
        let mut setting = self.setting.clone();
        setting.ended_at = self.clock();
        self.partitions.heal_all();
        for process in &mut self.processes {
            process.stop();
        }
        let tapped = match self.tap.take() {
            None => Tapped::default(),
            Some(tap) => tap.finish().context("the bus tap")?,
        };
        for process in &self.processes {
            process.keep_files().context("copying a node's files")?;
        }
        setting.bus_packets_lost = tapped.lost;
        setting.canary_delay_ms = self.canary.delay_ms_max();
        Ok(Remains {
            packets: tapped.packets,
            setting,
        })
    }
}

fn nanos_since(start: Instant) -> u64 {
    nanos(start.elapsed())
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

const NO_CLIENTS: &str = "waiting for the clients' connections";

/// How often processes are looked after, and the longest wait of [`World::next`].
const REAP_INTERVAL: Duration = Duration::from_millis(20);

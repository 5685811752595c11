//! The thread of the harness's own questions: views, answers, waiting for restarts.
//!
//! Jobs come in, happenings go out. Each job is a task of its own on a single-threaded runtime, so
//! a node that does not answer delays nothing but its own job.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use bytes::Bytes;
use slotquake_checkers::observation::{Fault, FaultPhase, NodeSetting, View};
use slotquake_workloads::client::{Breakage, RespValue};
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::nanos_since;
use super::switch::Bell;
use super::wire::{HARNESS_SOURCE, Wire, command};
use crate::observe::views::{Poll, parse_view};
use crate::world::Happening;

/// Something that waits for a node.
#[derive(Debug)]
pub(super) enum Job {
    /// A view; no answer, no happening.
    Look { node: usize },
    /// A question.
    Ask {
        node: usize,
        args: Vec<Bytes>,
        tag: u64,
    },
    /// Say that a fault is healed once these nodes answer.
    AwaitUp { nodes: Vec<usize>, fault: Fault },
    /// Say once that the node is a working part of a whole cluster.
    AwaitCluster {
        node: usize,
        ready: Sender<usize>,
        expect: Expected,
    },
}

/// What a node must say to be a working part of the cluster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Nodes of the cluster.
    pub(super) nodes: usize,
    /// Whether the node is to have a working link to its master.
    pub(super) link: Link,
    /// From one question to the next.
    pub(super) interval: Duration,
}

/// A node's replication link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// The node is a master.
    None,
    /// The node is a replica and its link must be up.
    Up,
}

/// The thread's counter.
#[derive(Debug)]
pub(super) struct Desk {
    jobs: mpsc::UnboundedSender<Job>,
}

impl Desk {
    /// Starts the thread; it ends when this is dropped.
    pub(super) fn open(
        start: std::time::Instant,
        nodes: Vec<NodeSetting>,
        (out, bell): (Sender<Happening>, Bell),
    ) -> std::io::Result<Desk> {
        let (jobs, inbox) = mpsc::unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        std::thread::Builder::new()
            .name("desk".to_owned())
            .spawn(move || {
                let room = Rc::new(Room {
                    start,
                    nodes,
                    out,
                    bell,
                    looks: RefCell::default(),
                });
                LocalSet::new().block_on(&runtime, serve(room, inbox));
            })?;
        Ok(Desk { jobs })
    }

    /// Takes a job.
    pub(super) fn take(&self, job: Job) {
        // A desk that is closed shows as the end of its happenings.
        let _closed = self.jobs.send(job);
    }
}

struct Room {
    start: std::time::Instant,
    nodes: Vec<NodeSetting>,
    out: Sender<Happening>,
    bell: Bell,
    /// Connections for views; none while a view is under way.
    looks: RefCell<BTreeMap<usize, Option<Wire>>>,
}

async fn serve(room: Rc<Room>, mut inbox: mpsc::UnboundedReceiver<Job>) {
    while let Some(job) = inbox.recv().await {
        let room = Rc::clone(&room);
        match job {
            Job::Look { node } => spawn_local(async move { room.look(node).await }),
            Job::Ask { node, args, tag } => spawn_local(async move {
                let reply = room.ask(node, args).await;
                room.say(Happening::Answer { tag, reply });
            }),
            Job::AwaitUp { nodes, fault } => spawn_local(async move {
                room.await_up(nodes, fault).await;
            }),
            Job::AwaitCluster {
                node,
                ready,
                expect,
            } => spawn_local(async move {
                room.await_cluster(node, expect).await;
                // Nobody waits any more when the start was given up.
                let _given_up = ready.send(node);
            }),
        };
    }
}

impl Room {
    fn say(&self, happening: Happening) {
        // The world is gone when the run is over.
        let _over = self.out.send(happening);
        self.bell.ring();
    }

    fn address(&self, node: usize) -> SocketAddrV4 {
        self.nodes[node].address
    }

    async fn look(&self, node: usize) {
        let wire = match self.looks.borrow_mut().insert(node, None) {
            None => None,
            Some(Some(wire)) if !wire.is_closed() => Some(wire),
            Some(Some(_)) => None,
            // The one before is still waiting for its answer.
            Some(None) => return,
        };
        match self.view(node, wire).await {
            Ok((wire, view)) => {
                self.looks.borrow_mut().insert(node, Some(wire));
                if let Some(view) = view {
                    self.say(Happening::View(view));
                }
            }
            Err(_) => {
                self.looks.borrow_mut().remove(&node);
            }
        }
    }

    async fn view(
        &self,
        node: usize,
        wire: Option<Wire>,
    ) -> Result<(Wire, Option<View>), Breakage> {
        let deadline = Instant::now() + LOOK_PATIENCE;
        let mut wire = match wire {
            Some(wire) => wire,
            None => Wire::open(HARNESS_SOURCE, self.address(node), deadline).await?,
        };
        let asked = nanos_since(self.start);
        let questions = [
            command(&["CLUSTER", "INFO"]),
            command(&["CLUSTER", "NODES"]),
        ];
        let replies = wire.ask(&questions, deadline).await?;
        let (Some(info), Some(nodes)) = (text(replies.first()), text(replies.get(1))) else {
            return Ok((wire, None));
        };
        let view = parse_view(&Poll {
            node: &self.nodes[node].name,
            asked,
            time: nanos_since(self.start),
            info: &info,
            nodes: &nodes,
        });
        Ok((
            wire,
            view.inspect_err(|why| tracing::warn!("no view: {why}"))
                .ok(),
        ))
    }

    async fn ask(&self, node: usize, args: Vec<Bytes>) -> Result<RespValue, String> {
        let deadline = Instant::now() + ASK_PATIENCE;
        let asked = async {
            let mut wire = Wire::open(HARNESS_SOURCE, self.address(node), deadline).await?;
            wire.ask(&[args], deadline).await
        };
        match asked.await {
            Ok(replies) => replies
                .into_iter()
                .next()
                .ok_or_else(|| "no reply".to_owned()),
            Err(Breakage::NotSent) => Err("cannot connect".to_owned()),
            Err(Breakage::Lost) => Err("the connection broke".to_owned()),
            Err(Breakage::TimedOut) => Err("no reply in time".to_owned()),
        }
    }

    async fn await_up(&self, nodes: Vec<usize>, mut fault: Fault) {
        let deadline = Instant::now() + UP_PATIENCE;
        for node in nodes {
            while let Err(why) = self.ask(node, command(&["PING"])).await {
                if Instant::now() > deadline {
                    let name = &self.nodes[node].name;
                    let seconds = UP_PATIENCE.as_secs();
                    let why = format!("{name} does not answer {seconds} s after its start: {why}");
                    fault.phase = FaultPhase::Indeterminate(why);
                    break;
                }
                sleep(UP_INTERVAL).await;
            }
        }
        fault.time = nanos_since(self.start);
        self.say(Happening::Fault(fault));
    }

    async fn await_cluster(&self, node: usize, expect: Expected) {
        let questions = [
            command(&["CLUSTER", "INFO"]),
            command(&["INFO", "replication"]),
        ];
        loop {
            let deadline = Instant::now() + LOOK_PATIENCE;
            let opened = Wire::open(HARNESS_SOURCE, self.address(node), deadline).await;
            if let Ok(mut wire) = opened {
                let mut deadline = Instant::now() + LOOK_PATIENCE;
                while let Ok(replies) = wire.ask(&questions, deadline).await {
                    if is_ready(&replies, expect) {
                        return;
                    }
                    sleep(expect.interval).await;
                    deadline = Instant::now() + LOOK_PATIENCE;
                }
            }
            sleep(expect.interval).await;
        }
    }
}

fn is_ready(replies: &[RespValue], expect: Expected) -> bool {
    let (Some(info), Some(replication)) = (text(replies.first()), text(replies.get(1))) else {
        return false;
    };
    let says = |text: &str, line: &str| text.lines().any(|said| said.trim() == line);
    let linked = match expect.link {
        Link::None => true,
        Link::Up => says(&replication, "master_link_status:up"),
    };
    linked
        && says(&info, "cluster_state:ok")
        && says(&info, "cluster_slots_ok:16384")
        && says(&info, &format!("cluster_known_nodes:{}", expect.nodes))
}

/// A reply as text; RESP3 servers give verbatim strings, errors are no text.
fn text(reply: Option<&RespValue>) -> Option<String> {
    reply.and_then(RespValue::text).map(str::to_owned)
}

const LOOK_PATIENCE: Duration = Duration::from_millis(1000);
const ASK_PATIENCE: Duration = Duration::from_millis(2000);
const UP_PATIENCE: Duration = Duration::from_secs(20);
const UP_INTERVAL: Duration = Duration::from_millis(5);

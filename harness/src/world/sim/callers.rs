//! Simulated clients, and the observer that asks the nodes what they see.
//!
//! What a client does is decided by its [`Session`]; this room only carries it out.

use std::collections::BTreeMap;

use bytes::Bytes;
use slotquake_checkers::history::{EventKind, Process};
use slotquake_workloads::client::{
    Action, Breakage, Connection, REPLY_TIMEOUT_MS, RespValue, Session,
};
use slotquake_workloads::workload::Op;

use super::queue::Event;
use super::wires::{Owner, Purpose, Subscription, Wires};
use super::{Happening, MS, SimWorld};
use crate::observe::views::{Poll, parse_view};
use crate::plan::Plan;

/// All who ask.
#[derive(Debug)]
pub struct Callers {
    /// Their connections.
    pub wires: Wires,
    sessions: BTreeMap<Process, Session>,
    /// Processes of a client, which share its connections.
    pipeline: u32,
    /// Processes of all clients; a number beyond takes the place of one that gave up.
    processes: u32,
}

impl Callers {
    /// Those of this plan, who have asked nothing yet.
    pub fn of(plan: &Plan) -> Callers {
        Callers {
            wires: Wires::default(),
            sessions: BTreeMap::new(),
            pipeline: plan.load.pipeline.into(),
            processes: plan.process_count().max(1),
        }
    }

    /// Whose connections a process uses: its own, or those of the client of its pipeline.
    fn owner_of(&self, process: Process) -> Owner {
        match self.pipeline {
            1 => Owner::Session(process),
            depth => Owner::Client(process % self.processes / depth),
        }
    }

    /// How long an answer is waited for, ms.
    pub fn patience_ms(&self, purpose: &Purpose) -> u64 {
        match purpose {
            Purpose::Operation(process) => {
                let session = self.sessions.get(process);
                session.map_or(REPLY_TIMEOUT_MS, Session::patience_ms)
            }
            Purpose::Look { .. } | Purpose::Ask { .. } => REPLY_TIMEOUT_MS,
        }
    }
}

impl SimWorld {
    /// Lets a process begin an operation.
    pub(super) fn invoke(&mut self, process: Process, op: &Op) {
        let settings = &self.settings;
        let session = self.callers.sessions.entry(process).or_insert_with(|| {
            let mut seeds: Vec<_> = settings.iter().map(|setting| setting.address).collect();
            // Not all clients ask the same node first.
            let first = process as usize % seeds.len();
            seeds.rotate_left(first);
            Session::new(seeds).with_mutant(self.bugs.client)
        });
        let action = session.begin(op);
        self.act(process, action);
    }

    /// Does what a session wants, until it waits for something.
    fn act(&mut self, process: Process, mut action: Action) {
        loop {
            match action {
                Action::Send { to, commands, on } => {
                    let mut settings = self.settings.iter();
                    let host = settings.position(|setting| setting.address == to);
                    let owner = match on {
                        Connection::Any => self.callers.owner_of(process),
                        Connection::Own | Connection::Same => Owner::Session(process),
                    };
                    let is_possible = host.filter(|host| match on {
                        Connection::Any | Connection::Own => true,
                        Connection::Same => self.callers.wires.of(owner, *host).is_some(),
                    });
                    if let Some(host) = is_possible {
                        self.call(owner, host, commands, Purpose::Operation(process));
                        return;
                    }
                    let Some(session) = self.callers.sessions.get_mut(&process) else {
                        return;
                    };
                    action = session.on_broken(Breakage::NotSent);
                }
                Action::Listen {
                    to,
                    begin,
                    listen_ms,
                    end,
                } => {
                    let mut settings = self.settings.iter();
                    if let Some(host) = settings.position(|setting| setting.address == to) {
                        let asked = Subscription {
                            begin,
                            listen_ms,
                            end,
                        };
                        self.subscribe(process, host, asked);
                        return;
                    }
                    let Some(session) = self.callers.sessions.get_mut(&process) else {
                        return;
                    };
                    action = session.on_broken(Breakage::NotSent);
                }
                Action::Wait { wait_ms } => {
                    let at = self.now + wait_ms * MS;
                    self.queue.push(at, Event::SessionWaited { process });
                    return;
                }
                Action::Finish(outcome) => {
                    // A process that does not know its operation's outcome never works again.
                    if outcome.kind == EventKind::Info {
                        self.dismiss(process);
                    }
                    let happening = Happening::Completed { process, outcome };
                    self.happenings.push_back(happening);
                    return;
                }
            }
        }
    }

    fn dismiss(&mut self, process: Process) {
        self.callers.sessions.remove(&process);
        for conn in self.callers.wires.all_of(Owner::Session(process)) {
            self.hang_up_wire(conn, Breakage::Lost);
        }
    }

    pub(super) fn on_session_waited(&mut self, process: Process) {
        if let Some(session) = self.callers.sessions.get_mut(&process) {
            let action = session.on_waited();
            self.act(process, action);
        }
    }

    /// Asks a host for its view, as a client would.
    pub(super) fn look_as_client(&mut self, host: usize) {
        let asked = self.now;
        let question = |name: &'static str| vec![Bytes::from_static(b"CLUSTER"), Bytes::from(name)];
        let commands = vec![question("INFO"), question("NODES")];
        self.call(
            Owner::Observer,
            host,
            commands,
            Purpose::Look { host, asked },
        );
    }

    /// Sends a host one command.
    pub(super) fn ask(&mut self, host: usize, args: Vec<Bytes>, tag: u64) {
        self.call(Owner::Observer, host, vec![args], Purpose::Ask { tag });
    }

    pub(super) fn on_answered(&mut self, purpose: Purpose, mut replies: Vec<RespValue>) {
        match purpose {
            Purpose::Operation(process) => {
                if let Some(session) = self.callers.sessions.get_mut(&process) {
                    let action = session.on_replies(replies);
                    self.act(process, action);
                }
            }
            Purpose::Look { host, asked } => self.on_looked(host, asked, &replies),
            Purpose::Ask { tag } => {
                let reply = replies.pop().ok_or("no reply".to_string());
                self.happenings.push_back(Happening::Answer { tag, reply });
            }
        }
    }

    pub(super) fn on_unanswered(&mut self, purpose: Purpose, breakage: Breakage) {
        match purpose {
            Purpose::Operation(process) => {
                if let Some(session) = self.callers.sessions.get_mut(&process) {
                    let action = session.on_broken(breakage);
                    self.act(process, action);
                }
            }
            Purpose::Look { .. } => {}
            Purpose::Ask { tag } => {
                let reply = Err(format!("no answer: {breakage:?}"));
                self.happenings.push_back(Happening::Answer { tag, reply });
            }
        }
    }

    fn on_looked(&mut self, host: usize, asked: u64, replies: &[RespValue]) {
        let [info, nodes] = replies else {
            return;
        };
        let poll = Poll {
            node: &self.settings[host].name,
            asked,
            time: self.now,
            info: info.text().unwrap_or_default(),
            nodes: nodes.text().unwrap_or_default(),
        };
        // A node that answers with an error, as while loading, has given no view.
        if let Ok(view) = parse_view(&poll) {
            self.happenings.push_back(Happening::View(view));
        }
    }
}

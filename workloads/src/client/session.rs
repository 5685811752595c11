//! One operation's way through the cluster.
//!
//! [`Session::begin`] starts an operation; the world does the [`Action`] it gives and calls back
//! with replies, a breakage, or the end of a wait, and gets the next action, until
//! [`Action::Finish`]. The session follows refusals (MOVED, ASK, TRYAGAIN, a refused connection
//! when another owner is known), at most [`HOPS_MAX`] of them, and repeats nothing else (R9).
//!
//! A compare-and-set is `WATCH`, `GET`, then `MULTI`, `SET`, `EXEC` on one connection; the watch is
//! released when the value differs. A lost EXEC reply is `info`, a nil one a definite `fail`.
//! A transaction is `MULTI`, its commands and `EXEC` in one write; a redirection of one of them
//! discards it whole, so it is begun anew at the owner. A read of a replica stands between
//! `READONLY` and `READWRITE`, and `WAIT` behind a write. An element of a consumer group is
//! delivered first and acknowledged then; only that it was acknowledged counts.

use std::net::SocketAddrV4;

use bytes::Bytes;
use slotquake_checkers::history::{EventKind, Function, Value};
use slotquake_checkers::observation::slots::slot_of_key;

use super::action::{Action, Breakage, Connection};
use super::mutants::{Chosen, ClientMutant};
use super::outcome::{Meaning, Outcome, meaning};
use super::resp::RespValue;
use super::route::Route;
use crate::workload::{Aim, Op, Reach};

mod answers;
mod commands;
mod group;

use commands::{Frame, Way, asking, look, single, transaction};

/// Most refusals one operation follows.
pub const HOPS_MAX: usize = 16;
/// How long most operations wait for the replies to one [`Action::Send`], connecting included, ms.
pub const REPLY_TIMEOUT_MS: u64 = 1000;
/// Pause before a command that got TRYAGAIN is sent again, ms.
const TRY_AGAIN_MS: u64 = 50;

/// A client: its route and the operation it is busy with.
#[derive(Debug)]
pub struct Session {
    route: Route,
    map: Map,
    busy: Option<Busy>,
    mutant: Chosen,
}

/// Whether the slot map is to be fetched before the next operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Map {
    Fresh,
    Stale,
}

#[derive(Debug)]
struct Busy {
    op: Op,
    stage: Stage,
    /// Where the last commands went.
    target: SocketAddrV4,
    hops: Vec<SocketAddrV4>,
    /// Fetches of the slot map this operation may still do.
    fetches_left: u8,
    /// The node that could not be reached, when another owner is looked for.
    unreachable: Option<SocketAddrV4>,
    /// What stands around the commands that are out.
    frame: Frame,
    /// Replicas that acknowledged the write.
    replicas: Option<u32>,
    /// The element that was delivered, before it is acknowledged.
    delivered: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// CLUSTER SLOTS is out.
    Fetch,
    /// The one command is out.
    Single,
    /// The one command is out, after ASKING.
    Asked,
    /// UNWATCH, WATCH, GET are out.
    Look,
    /// MULTI, SET, EXEC are out.
    Exchange,
    /// MULTI, the commands of a transaction, EXEC are out.
    Transaction,
    /// UNWATCH is out; the value was not the expected one.
    Release,
    /// XREADGROUP or XAUTOCLAIM is out.
    Deliver,
    /// XACK and XDEL are out.
    Acknowledge,
    /// A subscription is under way.
    Listen,
    /// Nothing is out: TRYAGAIN.
    Pause,
}

impl Session {
    /// How long a world waits for the replies to one [`Action::Send`], connecting included, ms.
    pub fn patience_ms(&self) -> u64 {
        let Some(Busy { op, stage, .. }) = &self.busy else {
            return REPLY_TIMEOUT_MS;
        };
        match *stage == Stage::Listen {
            true => op.patience_ms + group::listen_ms(op),
            false => op.patience_ms,
        }
    }

    /// A client that knows these nodes. Panics if there are none.
    pub fn new(seeds: Vec<SocketAddrV4>) -> Session {
        Session {
            route: Route::new(seeds),
            map: Map::Stale,
            busy: None,
            mutant: Chosen::default(),
        }
    }

    /// The same client with a seeded bug.
    pub fn with_mutant(mut self, mutant: Chosen) -> Session {
        self.mutant = mutant;
        self
    }

    /// Begins an operation. Panics if the one before is not over.
    pub fn begin(&mut self, op: &Op) -> Action {
        assert!(self.busy.is_none(), "one operation at a time");
        let target = match op.aim {
            Aim::Node(node) => node,
            Aim::Owner | Aim::Anyone | Aim::AnyoneOnly => self.route.next_seed(),
        };
        let busy = self.busy.insert(Busy {
            op: op.clone(),
            stage: Stage::Pause,
            target,
            hops: Vec::new(),
            fetches_left: 2,
            unreachable: None,
            frame: Frame::None,
            replicas: None,
            delivered: Value::Nil,
        });
        match (busy.op.aim, self.map) {
            (Aim::Owner, Map::Stale) => self.fetch(),
            (Aim::Owner, Map::Fresh) => self.attempt_at_owner(),
            (Aim::Node(_) | Aim::Anyone | Aim::AnyoneOnly, Map::Fresh | Map::Stale) => {
                self.attempt(target)
            }
        }
    }

    /// Takes in the replies to the last [`Action::Send`], in order.
    pub fn on_replies(&mut self, mut replies: Vec<RespValue>) -> Action {
        let busy = self.busy();
        match busy.frame {
            Frame::None => {}
            Frame::Wait(_) => {
                busy.replicas = match replies.pop() {
                    Some(RespValue::Integer(count)) => u32::try_from(count).ok(),
                    _ => None,
                };
            }
            Frame::Replica => {
                let _back_to_normal = replies.pop();
            }
        }
        match self.busy().stage {
            Stage::Fetch => self.on_map(&replies),
            Stage::Single | Stage::Asked => self.on_answer(replies.last()),
            Stage::Look => self.on_look(&replies),
            Stage::Exchange => self.on_exchange(replies.last()),
            Stage::Transaction => self.on_transaction(&replies),
            Stage::Release => self.finish_fail("the value was not the expected one"),
            Stage::Deliver => self.on_delivered(replies.last()),
            Stage::Acknowledge => self.on_acknowledged(replies.first()),
            Stage::Listen => self.on_heard(&replies),
            Stage::Pause => self.on_waited(),
        }
    }

    /// Learns that the last [`Action::Send`] came to nothing.
    pub fn on_broken(&mut self, breakage: Breakage) -> Action {
        self.map = Map::Stale;
        let stage = self.busy().stage;
        match (stage, breakage) {
            (Stage::Fetch, _) => self.attempt_at_owner(),
            // A watch without EXEC has changed nothing.
            (Stage::Release, _) => self.finish_fail("the value was not the expected one"),
            (
                Stage::Single
                | Stage::Asked
                | Stage::Look
                | Stage::Transaction
                | Stage::Deliver
                | Stage::Listen,
                Breakage::NotSent,
            ) => self.look_elsewhere(),
            (Stage::Exchange | Stage::Acknowledge | Stage::Pause, Breakage::NotSent) => {
                self.finish_fail("connection lost before sending")
            }
            (
                Stage::Single | Stage::Asked | Stage::Transaction,
                Breakage::Lost | Breakage::TimedOut,
            ) => {
                let error = lost(breakage);
                match commands::changes(&self.busy().op) {
                    true => self.finish_unanswered(breakage),
                    false => self.finish_fail(error),
                }
            }
            // What was delivered and not acknowledged stays pending; what nobody heard is no loss.
            (
                Stage::Look | Stage::Deliver | Stage::Listen | Stage::Pause,
                Breakage::Lost | Breakage::TimedOut,
            ) => self.finish_fail(lost(breakage)),
            // The wait for the element is over by then.
            (Stage::Acknowledge, Breakage::TimedOut) => {
                self.finish_info("the acknowledgement timed out")
            }
            (Stage::Exchange, Breakage::Lost | Breakage::TimedOut)
            | (Stage::Acknowledge, Breakage::Lost) => self.finish_unanswered(breakage),
        }
    }

    /// The wait of the last [`Action::Wait`] is over.
    pub fn on_waited(&mut self) -> Action {
        let target = self.busy().target;
        self.attempt(target)
    }

    fn busy(&mut self) -> &mut Busy {
        self.busy
            .as_mut()
            .expect("called only between begin and Finish")
    }

    fn send(&mut self, stage: Stage, to: SocketAddrV4, mut commands: Vec<Vec<Bytes>>) -> Action {
        let busy = self.busy();
        let (on, frame) = match stage {
            Stage::Exchange => (Connection::Same, Frame::of(&busy.op)),
            Stage::Release => (Connection::Same, Frame::None),
            Stage::Look => (Connection::Own, Frame::None),
            Stage::Single | Stage::Asked | Stage::Transaction => {
                (Connection::of(&busy.op), Frame::of(&busy.op))
            }
            Stage::Deliver => (Connection::of(&busy.op), Frame::None),
            Stage::Fetch | Stage::Acknowledge | Stage::Listen | Stage::Pause => {
                (Connection::Any, Frame::None)
            }
        };
        frame.put_around(&mut commands);
        (busy.stage, busy.target, busy.frame) = (stage, to, frame);
        Action::Send { to, commands, on }
    }

    fn fetch(&mut self) -> Action {
        self.busy().fetches_left -= 1;
        let seed = self.route.next_seed();
        let command = vec![Bytes::from_static(b"CLUSTER"), Bytes::from_static(b"SLOTS")];
        self.send(Stage::Fetch, seed, vec![command])
    }

    fn on_map(&mut self, replies: &[RespValue]) -> Action {
        let node = self.busy().target;
        if let [reply] = replies
            && self.route.take_slots(reply, node)
        {
            self.map = Map::Fresh;
        }
        self.attempt_at_owner()
    }

    fn attempt_at_owner(&mut self) -> Action {
        let op = &self.busy().op;
        let (slot, way, f) = (slot_of_key(op.key.as_bytes()), Way::of(op), op.f);
        let target = match (way, f) {
            // Messages of the whole cluster can be heard anywhere.
            (Way::Listen(Reach::Cluster), _) => None,
            (_, Function::ReplicaRead) => self.route.next_replica(slot),
            (_, _) => self.route.owner(slot),
        };
        let target = target.unwrap_or_else(|| self.route.next_seed());
        if self.busy().unreachable == Some(target) {
            self.map = Map::Stale;
            return self.finish_fail("the slot's owner could not be reached");
        }
        self.attempt(target)
    }

    fn attempt(&mut self, target: SocketAddrV4) -> Action {
        let mutant = self.mutant;
        let op = &self.busy().op;
        let (stage, commands) = match Way::of(op) {
            Way::Watched if mutant.is(ClientMutant::NoWatch) => {
                (Stage::Look, look(op).split_off(2))
            }
            Way::Watched => (Stage::Look, look(op)),
            Way::Transaction => (Stage::Transaction, transaction(op)),
            Way::Single => (Stage::Single, vec![single(op)]),
            Way::Deliver => (Stage::Deliver, group::deliver(op)),
            Way::Listen(reach) => return self.listen(target, reach),
        };
        self.send(stage, target, commands)
    }

    /// The owner could not be reached, nothing was sent: does someone know another owner?
    fn look_elsewhere(&mut self) -> Action {
        let busy = self.busy();
        if !busy.op.aim.follows() || busy.fetches_left == 0 {
            return self.finish_fail("connection refused");
        }
        busy.unreachable = Some(busy.target);
        self.fetch()
    }

    fn on_error(&mut self, error: &str) -> Action {
        let node = self.busy().target;
        let meaning = meaning(error, node);
        if matches!(meaning, Meaning::Moved { .. } | Meaning::RefusedHere) {
            self.map = Map::Stale;
        }
        if let Meaning::Moved { slot, to } = meaning {
            let op = &self.busy().op;
            // RD-02: a redirection for another slot is no answer to this command.
            if Way::of(op) == Way::Single && slot != slot_of_key(op.key.as_bytes()) {
                return self.finish_fail(error);
            }
            self.route.learn(slot, to);
        }
        let busy = self.busy();
        if !busy.op.aim.follows() || busy.hops.len() == HOPS_MAX {
            let is_unknown = meaning == Meaning::Unknown;
            return match is_unknown {
                true => self.finish_info(error),
                false => self.finish_fail(error),
            };
        }
        match meaning {
            Meaning::Moved { to, .. } => {
                busy.hops.push(node);
                self.attempt(to)
            }
            Meaning::Ask { to } => {
                busy.hops.push(node);
                self.ask(to, error)
            }
            Meaning::TryAgain => {
                busy.hops.push(node);
                busy.stage = Stage::Pause;
                Action::Wait {
                    wait_ms: TRY_AGAIN_MS,
                }
            }
            Meaning::RefusedHere | Meaning::Refused => self.finish_fail(error),
            Meaning::Unknown => self.finish_info(error),
        }
    }

    fn ask(&mut self, to: SocketAddrV4, error: &str) -> Action {
        let mutant = self.mutant;
        let slot = slot_of_key(self.busy().op.key.as_bytes());
        if mutant.is(ClientMutant::AskUpdatesMap) {
            self.route.learn(slot, to);
        }
        let op = &self.busy().op;
        match Way::of(op) {
            // ASKING covers one command (RD-05 of the catalogue); a watch would outlive it.
            Way::Watched | Way::Transaction | Way::Deliver | Way::Listen(_) => {
                self.finish_fail(error)
            }
            Way::Single => {
                let mut commands = vec![asking(), single(op)];
                if mutant.is(ClientMutant::AskWithoutAsking) {
                    commands.remove(0);
                }
                self.send(Stage::Asked, to, commands)
            }
        }
    }

    /// Nobody knows whether it happened (R7), and so it is not repeated (R9).
    fn finish_unanswered(&mut self, breakage: Breakage) -> Action {
        let busy = self.busy();
        let (value, is_repeatable) = (busy.op.value.clone(), busy.fetches_left > 0);
        let repeats = self.mutant.is(ClientMutant::RetriesAfterTimeout) && is_repeatable;
        match breakage {
            Breakage::TimedOut if repeats => self.fetch(),
            _ if self.mutant.is(ClientMutant::TimeoutIsFail) => self.finish_fail(lost(breakage)),
            Breakage::Lost if self.mutant.is(ClientMutant::LostIsOk) => {
                self.finish(EventKind::Ok, value, None)
            }
            Breakage::NotSent | Breakage::Lost | Breakage::TimedOut => {
                self.finish_info(lost(breakage))
            }
        }
    }

    fn finish_fail(&mut self, error: &str) -> Action {
        self.finish(EventKind::Fail, Value::Nil, Some(error.into()))
    }

    fn finish_info(&mut self, error: &str) -> Action {
        self.finish(EventKind::Info, Value::Nil, Some(error.into()))
    }

    fn finish(&mut self, kind: EventKind, value: Value, error: Option<String>) -> Action {
        let busy = self
            .busy
            .take()
            .expect("called only between begin and Finish");
        Action::Finish(Outcome {
            kind,
            value,
            node: Some(busy.target),
            hops: busy.hops,
            error,
            replicas: busy.replicas,
        })
    }
}

fn lost(breakage: Breakage) -> &'static str {
    match breakage {
        Breakage::NotSent => "connection refused",
        Breakage::Lost => "connection lost",
        Breakage::TimedOut => "timed out",
    }
}

#[cfg(test)]
mod tests;

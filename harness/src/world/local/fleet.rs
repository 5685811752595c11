//! The clients of the local world: each does what its session says, on connections of its own.
//!
//! All of them live on the director's thread, in one loop over all connections, so that an
//! operation costs no change of threads: [`Fleet::invoke`] puts requests into the lines,
//! [`Fleet::wait`] writes them out, a whole pipeline in one write, and reads what came.
//!
//! A client of N processes has one connection to each node, and up to N operations on their way
//! on it. What a WATCH lives on is a connection of the one process; a subscription has its own.
//! Nothing is decided here: where to go and what an answer means is the session's to say.

mod seat;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

use bytes::Bytes;
use slotquake_checkers::history::Process;
use slotquake_workloads::client::{
    Action, Breakage, Connection, Outcome, RespValue, Session, action,
};
use slotquake_workloads::workload::Op;

use self::seat::{Hearing, Seat, Work};
use super::line::{Line, Owner};
use super::switch::{Bell, LineId, Ready, Switch};

/// How many clients there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// Clients, each with connections of its own.
    pub(super) clients: usize,
    /// Processes of each: operations it has on their way at once.
    pub(super) pipeline: usize,
    /// What matters more.
    pub(super) haste: Haste,
}

/// Whether clients are to be quick to see each answer, or to do as much as they can.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Haste {
    /// Each answer is read when it comes.
    Latency,
    /// Answers are read together.
    Throughput,
}

/// All clients.
#[derive(Debug)]
pub(super) struct Fleet {
    switch: Switch,
    pipeline: usize,
    haste: Haste,
    seats: Vec<Seat>,
    /// Connections of each client.
    shared: Vec<Vec<LineId>>,
    /// Lines with something to write.
    unwritten: Vec<LineId>,
    done: VecDeque<(Process, Outcome)>,
    /// An empty list, kept for its memory.
    ready: Vec<Ready>,
    buffer: Vec<u8>,
    /// Seats at work.
    busy: usize,
    looked_at: Instant,
    expired_at: Instant,
}

impl Fleet {
    pub(super) fn open(size: Size, nodes: Vec<SocketAddrV4>) -> io::Result<Fleet> {
        let Size {
            clients,
            pipeline,
            haste,
        } = size;
        let seat = |position: usize| {
            let mut seeds = nodes.clone();
            // Not all clients ask the same node first.
            seeds.rotate_left(position % nodes.len());
            Seat {
                process: position as Process,
                session: Session::new(seeds),
                work: Work::Resting,
                own: Vec::new(),
            }
        };
        let now = Instant::now();
        Ok(Fleet {
            switch: Switch::open()?,
            pipeline,
            haste,
            seats: (0..clients * pipeline).map(seat).collect(),
            shared: vec![Vec::new(); clients],
            unwritten: Vec::new(),
            done: VecDeque::new(),
            ready: Vec::new(),
            buffer: vec![0; BUFFER_BYTES],
            busy: 0,
            looked_at: now,
            expired_at: now,
        })
    }

    /// What wakes [`Fleet::wait`].
    pub(super) fn bell(&self) -> Bell {
        self.switch.bell()
    }

    /// Begins an operation.
    pub(super) fn invoke(&mut self, process: Process, op: &Op) {
        let position = process as usize % self.seats.len();
        let seat = &mut self.seats[position];
        assert!(
            matches!(seat.work, Work::Resting),
            "process {process} is to work while {} does",
            seat.process
        );
        seat.process = process;
        let action = seat.session.begin(op);
        self.busy += 1;
        self.act(position, action);
    }

    /// The next operation that is over.
    pub(super) fn take_done(&mut self) -> Option<(Process, Outcome)> {
        self.done.pop_front()
    }

    /// Whether nobody has looked at the lines for a while.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        now.duration_since(self.looked_at) >= STALE
    }

    /// Writes out what is to be said, then waits for answers, the bell or the end of the time.
    ///
    /// # Errors
    /// Those of the system, not of connections.
    pub(super) fn wait(&mut self, patience: Duration) -> io::Result<()> {
        self.write_all();
        if self.haste == Haste::Throughput && self.busy >= GATHER_MIN && !patience.is_zero() {
            std::thread::sleep(GATHER);
        }
        let patience = match (self.done.is_empty(), self.busy) {
            (false, _) => Duration::ZERO,
            (true, 0) => patience,
            (true, _) => patience.min(TICK),
        };
        let mut ready = std::mem::take(&mut self.ready);
        let waited = self.switch.wait(patience, &mut ready);
        for event in ready.drain(..) {
            self.on_ready(event);
        }
        self.ready = ready;
        self.looked_at = Instant::now();
        if self.busy > 0 && self.looked_at.duration_since(self.expired_at) >= TICK {
            self.expired_at = self.looked_at;
            self.expire(self.looked_at);
        }
        waited
    }

    /// Does what a session wants, until it waits for something.
    fn act(&mut self, position: usize, mut action: Action) {
        loop {
            let begun = match action {
                Action::Finish(outcome) => {
                    let seat = &mut self.seats[position];
                    seat.work = Work::Resting;
                    self.busy -= 1;
                    self.done.push_back((seat.process, outcome));
                    return;
                }
                Action::Wait { wait_ms } => {
                    let until = Instant::now() + Duration::from_millis(wait_ms);
                    self.seats[position].work = Work::Pausing { until };
                    return;
                }
                Action::Send { to, commands, on } => self.send(position, to, &commands, on),
                Action::Listen {
                    to,
                    begin,
                    listen_ms,
                    end,
                } => self.listen(position, to, [begin, end], listen_ms),
            };
            let Err(breakage) = begun else {
                return;
            };
            action = self.seats[position].session.on_broken(breakage);
        }
    }

    fn send(
        &mut self,
        position: usize,
        to: SocketAddrV4,
        commands: &[Vec<Bytes>],
        on: Connection,
    ) -> Result<(), Breakage> {
        let line = match on {
            Connection::Any => self.line_of(Owner::Client(position / self.pipeline), to)?,
            Connection::Own => self.line_of(self.owner_of_watches(position), to)?,
            Connection::Same => {
                let kept = self.kept_line(self.owner_of_watches(position), to);
                kept.ok_or(Breakage::NotSent)?
            }
        };
        self.put(line, position, commands);
        let seat = &mut self.seats[position];
        seat.work = Work::Asking {
            line,
            until: Instant::now() + Duration::from_millis(seat.session.patience_ms()),
            wanted: commands.len(),
            replies: Vec::with_capacity(commands.len()),
        };
        Ok(())
    }

    fn listen(
        &mut self,
        position: usize,
        to: SocketAddrV4,
        [begin, end]: [Vec<Bytes>; 2],
        listen_ms: u64,
    ) -> Result<(), Breakage> {
        let line = self.open_line(Owner::Subscription, to)?;
        self.put(line, position, &[begin]);
        let seat = &mut self.seats[position];
        seat.work = Work::Listening {
            line,
            until: Instant::now() + Duration::from_millis(seat.session.patience_ms()),
            stage: Hearing::Asked {
                listening: Duration::from_millis(listen_ms),
            },
            end,
            heard: Vec::new(),
        };
        Ok(())
    }

    fn put(&mut self, id: LineId, position: usize, commands: &[Vec<Bytes>]) {
        if let Some(line) = self.switch.line(id) {
            for command in commands {
                line.put(command);
            }
            line.askers.push_back(position);
            if !std::mem::replace(&mut line.is_listed, true) {
                self.unwritten.push(id);
            }
        }
    }

    /// A client of one process has nobody who could disturb a WATCH.
    fn owner_of_watches(&self, position: usize) -> Owner {
        match self.pipeline {
            1 => Owner::Client(position),
            _ => Owner::Seat(position),
        }
    }

    /// The owner's line to a node, if there is one.
    fn kept_line(&mut self, owner: Owner, to: SocketAddrV4) -> Option<LineId> {
        let known = match owner {
            Owner::Client(client) => &self.shared[client],
            Owner::Seat(position) => &self.seats[position].own,
            Owner::Subscription => return None,
        };
        let switch = &mut self.switch;
        let mut known = known.iter();
        let leads_there = |id: &&LineId| switch.line(**id).is_some_and(|line| line.to == to);
        known.find(leads_there).copied()
    }

    /// The owner's line to a node; opened if there is none.
    fn line_of(&mut self, owner: Owner, to: SocketAddrV4) -> Result<LineId, Breakage> {
        if let Some(kept) = self.kept_line(owner, to) {
            return Ok(kept);
        }
        let id = self.open_line(owner, to)?;
        match owner {
            Owner::Client(client) => self.shared[client].push(id),
            Owner::Seat(position) => self.seats[position].own.push(id),
            Owner::Subscription => {}
        }
        Ok(id)
    }

    fn open_line(&mut self, owner: Owner, to: SocketAddrV4) -> Result<LineId, Breakage> {
        let opened = Line::open(to, owner).and_then(|line| self.switch.add(line));
        opened.map_err(|_| Breakage::NotSent)
    }

    /// Writes out what is to be said, a whole pipeline in one call.
    fn write_all(&mut self) {
        for id in std::mem::take(&mut self.unwritten) {
            if let Some(line) = self.switch.line(id) {
                line.is_listed = false;
                self.write(id);
            }
        }
    }

    fn write(&mut self, id: LineId) {
        let Some(line) = self.switch.line(id) else {
            return;
        };
        let written = line.write();
        let set = written.and_then(|interest| self.switch.set_interest(id, interest));
        if set.is_err() {
            self.break_line(id, Breakage::Lost, None);
        }
    }

    fn on_ready(&mut self, event: Ready) {
        let Ready {
            line: id,
            to_write,
            to_read,
        } = event;
        let Some(line) = self.switch.line(id) else {
            return;
        };
        if to_write {
            if line.is_connecting() && line.on_connected().is_err() {
                return self.break_line(id, Breakage::NotSent, None);
            }
            self.write(id);
        }
        if to_read {
            self.read(id);
        }
    }

    fn read(&mut self, id: LineId) {
        let Some(line) = self.switch.line(id) else {
            return;
        };
        if line.read(&mut self.buffer).is_err() {
            return self.break_line(id, Breakage::Lost, None);
        }
        while let Some(line) = self.switch.line(id) {
            match line.next_reply() {
                Ok(Some(reply)) => self.on_reply(id, reply),
                Ok(None) => return,
                Err(_) => self.break_line(id, Breakage::Lost, None),
            }
        }
    }

    fn on_reply(&mut self, id: LineId, reply: RespValue) {
        let front = self.switch.line(id).and_then(|line| line.askers.front());
        let Some(position) = front.copied() else {
            // Bytes nobody asked for make a line useless.
            return self.break_line(id, Breakage::Lost, None);
        };
        let seat = &mut self.seats[position];
        let replies = match &mut seat.work {
            Work::Asking {
                wanted, replies, ..
            } => {
                replies.push(reply);
                if replies.len() < *wanted {
                    return;
                }
                std::mem::take(replies)
            }
            Work::Listening { stage, heard, .. } => {
                let is_end = action::ends(&reply);
                heard.push(reply);
                if let Hearing::Asked { listening } = *stage {
                    let over = Instant::now() + listening;
                    *stage = Hearing::Listens { over };
                }
                if !is_end {
                    return;
                }
                std::mem::take(heard)
            }
            Work::Resting | Work::Pausing { .. } => Vec::new(),
        };
        let action = seat.session.on_replies(replies);
        if let Some(line) = self.switch.line(id) {
            line.askers.pop_front();
            if line.owner == Owner::Subscription {
                self.switch.remove(id);
            }
        }
        self.act(position, action);
    }

    /// Closes a line. Whoever asked something on it learns why; when one of them lost patience,
    /// the others lost the connection.
    fn break_line(&mut self, id: LineId, breakage: Breakage, impatient: Option<usize>) {
        let Some(line) = self.switch.remove(id) else {
            return;
        };
        let known = match line.owner {
            Owner::Client(client) => Some(&mut self.shared[client]),
            Owner::Seat(position) => Some(&mut self.seats[position].own),
            Owner::Subscription => None,
        };
        if let Some(known) = known {
            known.retain(|other| *other != id);
        }
        let is_connecting = line.is_connecting();
        for position in line.askers {
            let breakage = match impatient {
                _ if is_connecting => Breakage::NotSent,
                Some(other) if other != position => Breakage::Lost,
                Some(_) | None => breakage,
            };
            let action = self.seats[position].session.on_broken(breakage);
            self.act(position, action);
        }
    }

    /// Looks for what has waited long enough.
    fn expire(&mut self, now: Instant) {
        for position in 0..self.seats.len() {
            let seat = &mut self.seats[position];
            match &mut seat.work {
                Work::Resting => {}
                Work::Pausing { until } => {
                    if *until <= now {
                        let action = seat.session.on_waited();
                        self.act(position, action);
                    }
                }
                Work::Asking { line, until, .. } => {
                    if *until <= now {
                        let line = *line;
                        self.break_line(line, Breakage::TimedOut, Some(position));
                    }
                }
                Work::Listening {
                    line,
                    until,
                    stage,
                    end,
                    ..
                } => {
                    let id = *line;
                    let is_over = matches!(stage, Hearing::Listens { over } if *over <= now);
                    if *until <= now {
                        self.break_line(id, Breakage::TimedOut, Some(position));
                    } else if is_over && let Some(line) = self.switch.line(id) {
                        *stage = Hearing::Ends;
                        line.put(end);
                        self.write(id);
                    }
                }
            }
        }
    }
}

/// How long answers gather before they are read: to wake for each costs both sides more than to
/// handle it.
const GATHER: Duration = Duration::from_micros(20);
/// Operations on their way from which on it is worth it.
const GATHER_MIN: usize = 8;
/// From one look at patience to the next; times are no finer.
const TICK: Duration = Duration::from_millis(5);
/// After that long without a look what came is read before anything new is begun.
const STALE: Duration = Duration::from_millis(1);
const BUFFER_BYTES: usize = 64 << 10;

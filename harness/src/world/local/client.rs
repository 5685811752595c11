//! A client of the local world: does what its session says, on connections of its own.
//!
//! It decides nothing: where to go and what an answer means is the session's to say.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use bytes::Bytes;
use slotquake_workloads::client::{Action, Breakage, Connection, Outcome, RespValue, Session};
use slotquake_workloads::workload::Op;
use tokio::time::{Instant, sleep};

use super::wire::{CLIENT_SOURCE, Wire};

/// The session of one process, and its connections.
#[derive(Debug)]
pub(super) struct Client {
    session: Session,
    wires: BTreeMap<SocketAddrV4, Wire>,
}

impl Client {
    pub(super) fn new(seeds: Vec<SocketAddrV4>) -> Client {
        Client {
            session: Session::new(seeds),
            wires: BTreeMap::new(),
        }
    }

    /// Does one operation from beginning to end.
    pub(super) async fn perform(&mut self, op: &Op) -> Outcome {
        let mut action = self.session.begin(op);
        loop {
            action = match action {
                Action::Finish(outcome) => return outcome,
                Action::Wait { wait_ms } => {
                    sleep(Duration::from_millis(wait_ms)).await;
                    self.session.on_waited()
                }
                Action::Listen {
                    to,
                    begin,
                    listen_ms,
                    end,
                } => match self.listen(to, [begin, end], listen_ms).await {
                    Ok(replies) => self.session.on_replies(replies),
                    Err(breakage) => self.session.on_broken(breakage),
                },
                Action::Send { to, commands, on } => match self.send(to, &commands, on).await {
                    Ok(replies) => self.session.on_replies(replies),
                    Err(breakage) => self.session.on_broken(breakage),
                },
            };
        }
    }

    async fn listen(
        &mut self,
        to: SocketAddrV4,
        commands: [Vec<Bytes>; 2],
        listen_ms: u64,
    ) -> Result<Vec<RespValue>, Breakage> {
        let deadline = Instant::now() + Duration::from_millis(self.session.patience_ms());
        let mut wire = Wire::open(CLIENT_SOURCE, to, deadline).await?;
        let listening = Duration::from_millis(listen_ms);
        wire.listen(commands, listening, deadline).await
    }

    async fn send(
        &mut self,
        to: SocketAddrV4,
        commands: &[Vec<Bytes>],
        on: Connection,
    ) -> Result<Vec<RespValue>, Breakage> {
        let deadline = Instant::now() + Duration::from_millis(self.session.patience_ms());
        let kept = self.wires.remove(&to).filter(|wire| !wire.is_closed());
        let mut wire = match (kept, on) {
            (Some(wire), Connection::Any | Connection::Same) => wire,
            (None, Connection::Same) => return Err(Breakage::NotSent),
            (None, Connection::Any) => Wire::open(CLIENT_SOURCE, to, deadline).await?,
        };
        // A broken connection is dropped here: a late reply must not answer a later command.
        let replies = wire.ask(commands, deadline).await?;
        self.wires.insert(to, wire);
        Ok(replies)
    }
}

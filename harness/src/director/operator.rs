//! The director as an operator: what it does about the faults that are made of commands.

use slotquake_workloads::client::RespValue;

use super::agenda::Due;
use super::errands::Next;
use super::scenario::Beat;
use super::state::Director;
use crate::nemesis::Strike;
use crate::world::{Command, FaultSpec};

impl Director {
    /// Begins a fault that is made of commands.
    pub(super) fn begin_errand(
        &mut self,
        now: u64,
        spec: FaultSpec,
        strike: Strike,
        out: &mut Vec<Command>,
    ) {
        let id = spec.id;
        self.errands.begin(spec, strike, &self.chart, now);
        self.drive_errand(now, id, out);
    }

    /// The time to heal a fault has come.
    pub(super) fn heal(&mut self, now: u64, id: u32, out: &mut Vec<Command>) {
        let Some(spec) = self.strikes.heal(id) else {
            return;
        };
        match self.errands.end(id, now) {
            true => self.drive_errand(now, id, out),
            false => out.push(Command::Heal(spec)),
        }
    }

    /// Takes in the answer to a command, if it is one of an errand.
    pub(super) fn take_answer(
        &mut self,
        now: u64,
        tag: u64,
        reply: &Result<RespValue, String>,
        out: &mut Vec<Command>,
    ) {
        if self.take_dataset(now, tag, reply, out) {
            return;
        }
        if let Some(answered) = self.errands.answer(tag, reply, now) {
            let id = answered.id;
            self.seen.faults.push(answered);
            self.drive_errand(now, id, out);
        }
    }

    /// Goes on with a fault that is made of commands.
    pub(super) fn drive_errand(&mut self, now: u64, id: u32, out: &mut Vec<Command>) {
        match self.errands.drive(id, now, &self.chart, &self.nodes) {
            Next::Ask(command) => out.push(command),
            Next::Wait(until) => self.agenda.add(until, Due::Errand(id)),
            Next::Done(fault) => {
                self.tell_scenario(now, Beat::Fault(&fault), out);
                self.take_fault(now, fault);
            }
            Next::Nothing => {}
        }
    }
}

//! What the answers to an operation's commands lead to, stage by stage.

use std::net::SocketAddrV4;

use bytes::Bytes;
use slotquake_checkers::history::{EventKind, Function, Value};

use super::commands::{bytes_of, exchange, filled_in, result_of, value_of};
use super::{Frame, Session, Stage, group};
use crate::client::action::Action;
use crate::client::mutants::ClientMutant;
use crate::client::resp::RespValue;
use crate::workload::Reach;

impl Session {
    pub(super) fn on_answer(&mut self, reply: Option<&RespValue>) -> Action {
        match reply {
            Some(RespValue::Error(error)) => self.on_error(error),
            Some(RespValue::Bulk(None)) if self.busy().op.f == Function::Acquire => {
                self.finish_fail("held by another")
            }
            Some(reply) => {
                let value = result_of(&self.busy().op, reply);
                self.finish(EventKind::Ok, value, None)
            }
            None => self.finish_info("no reply where one was due"),
        }
    }

    pub(super) fn listen(&mut self, to: SocketAddrV4, reach: Reach) -> Action {
        let busy = self.busy();
        (busy.stage, busy.target, busy.frame) = (Stage::Listen, to, Frame::None);
        let [begin, end] = group::subscription(reach, &busy.op);
        let listen_ms = group::listen_ms(&busy.op);
        Action::Listen {
            to,
            begin,
            listen_ms,
            end,
        }
    }

    pub(super) fn on_heard(&mut self, heard: &[RespValue]) -> Action {
        match heard.last() {
            Some(RespValue::Error(error)) => self.on_error(error),
            Some(_) => self.finish(EventKind::Ok, group::messages(heard), None),
            None => self.finish_fail("no reply where one was due"),
        }
    }

    pub(super) fn on_delivered(&mut self, reply: Option<&RespValue>) -> Action {
        match reply {
            Some(RespValue::Error(error)) => self.on_error(error),
            Some(reply) => match group::delivered(reply) {
                None => self.finish(EventKind::Ok, Value::Nil, None),
                Some((id, element)) => {
                    let busy = self.busy();
                    busy.delivered = element;
                    let (target, commands) = (busy.target, group::acknowledge(&busy.op, &id));
                    self.send(Stage::Acknowledge, target, commands)
                }
            },
            None => self.finish_fail("no reply where one was due"),
        }
    }

    pub(super) fn on_acknowledged(&mut self, reply: Option<&RespValue>) -> Action {
        match reply {
            Some(RespValue::Integer(1)) => {
                let element = std::mem::take(&mut self.busy().delivered);
                self.finish(EventKind::Ok, element, None)
            }
            Some(RespValue::Integer(_)) => self.finish_fail("another had acknowledged it"),
            Some(RespValue::Error(error)) => self.on_error(error),
            _ => self.finish_info("no reply to XACK that makes sense"),
        }
    }

    pub(super) fn on_look(&mut self, replies: &[RespValue]) -> Action {
        let refusal = replies.iter().find_map(|reply| match reply {
            RespValue::Error(error) => Some(error.clone()),
            _ => None,
        });
        if let Some(error) = refusal {
            return self.on_error(&error);
        }
        let op = self.busy().op.clone();
        let Value::List(pair) = &op.value else {
            return self.finish_fail("a compare-and-set without [old, new]");
        };
        let target = self.busy().target;
        let found = replies.last().map(value_of);
        match (found, pair.as_slice()) {
            (Some(found), [old, new]) if found == *old => {
                self.send(Stage::Exchange, target, exchange(&op, bytes_of(new)))
            }
            _ => {
                let unwatch = vec![Bytes::from_static(b"UNWATCH")];
                self.send(Stage::Release, target, vec![unwatch])
            }
        }
    }

    /// The reply to EXEC decides; what MULTI and SET said before is in it.
    pub(super) fn on_exchange(&mut self, reply: Option<&RespValue>) -> Action {
        match reply {
            Some(RespValue::Array(None) | RespValue::Bulk(None))
                if !self.mutant.is(ClientMutant::NilIsOk) =>
            {
                self.finish_fail("the key changed while it was watched")
            }
            Some(RespValue::Array(None) | RespValue::Bulk(None)) => {
                let value = self.busy().op.value.clone();
                self.finish(EventKind::Ok, value, None)
            }
            Some(RespValue::Array(Some(results))) => {
                let result = results.first().cloned();
                self.on_answer(result.as_ref())
            }
            Some(RespValue::Error(error)) => self.on_error(error),
            _ => self.finish_info("no reply to EXEC that makes sense"),
        }
    }

    /// A refused command makes EXEC discard the rest, so what it says is what counts (RD-10).
    pub(super) fn on_transaction(&mut self, replies: &[RespValue]) -> Action {
        let refusal = replies.iter().find_map(|reply| match reply {
            RespValue::Error(error) => Some(error.clone()),
            _ => None,
        });
        match (refusal, replies.last()) {
            (Some(error), Some(RespValue::Error(_))) => self.on_error(&error),
            (_, Some(RespValue::Array(Some(results)))) => {
                match filled_in(&self.busy().op, results) {
                    Some(value) => self.finish(EventKind::Ok, value, None),
                    None => self.finish_info("a command of the transaction failed"),
                }
            }
            (_, Some(RespValue::Array(None) | RespValue::Bulk(None))) => {
                self.finish_fail("the transaction was discarded")
            }
            (_, _) => self.finish_info("no reply to EXEC that makes sense"),
        }
    }
}

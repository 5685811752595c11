//! Tries every order: slow, plain, and independent of everything it is held against.

use slotquake_checkers::consistency::linear::models::{
    AppendList, AppendText, Counter, GrowSet, MultiRegister, Mutex, Queue, Register, Stack,
};
use slotquake_checkers::consistency::linear::{Call, Model};
use slotquake_checkers::history::compact::{Log, Op};
use slotquake_checkers::history::{Outcome, Value};

/// Whether these operations on the object of this name are linearizable.
pub fn is_linearizable(name: &str, log: &Log, ops: &[Op]) -> bool {
    match name {
        "register" | "cas-register" => decide(&Register, log, ops),
        "multi-register" => decide(&MultiRegister, log, ops),
        "mutex" => decide(&Mutex, log, ops),
        "string" => decide(&AppendText, log, ops),
        "list" => decide(&AppendList, log, ops),
        "set" => decide(&GrowSet, log, ops),
        "counter" => decide(&Counter, log, ops),
        "queue" => decide(&Queue, log, ops),
        "stack" => decide(&Stack, log, ops),
        other => panic!("no object is called {other}"),
    }
}

/// Whether these operations on a register are linearizable from some value on.
pub fn is_register_from_anything(log: &Log, ops: &[Op]) -> bool {
    let fresh = Value::Text("what nobody observes".into());
    let mut observed = vec![Value::Nil, fresh];
    for op in ops {
        observed.push(log.atoms.value(op.result).into_owned());
        if let Value::List(pair) = &*log.atoms.value(op.argument) {
            observed.extend(pair.iter().cloned());
        }
    }
    let mut open: Vec<Op> = ops.to_vec();
    open.retain(|op| op.outcome != Outcome::Fail);
    observed
        .iter()
        .any(|value| place(&Register, log, value, &mut open))
}

fn decide<M: Model>(model: &M, log: &Log, ops: &[Op]) -> bool {
    let mut open: Vec<Op> = ops.to_vec();
    open.retain(|op| op.outcome != Outcome::Fail);
    place(model, log, &model.initial(), &mut open)
}

/// Whether the open operations can follow this state.
fn place<M: Model>(model: &M, log: &Log, state: &M::State, open: &mut Vec<Op>) -> bool {
    let required = open.iter().filter(|op| op.outcome == Outcome::Ok);
    let Some(due) = required.map(|op| op.completed).min() else {
        return true;
    };
    for at in 0..open.len() {
        let op = open[at];
        if op.invoked > due {
            continue;
        }
        let result = log.atoms.value(op.result);
        let call = Call {
            f: op.f,
            key: &log.keys[op.key.0 as usize],
            argument: &log.atoms.value(op.argument),
            result: (op.outcome == Outcome::Ok).then_some(&*result),
        };
        if let Some(after) = model.step(state, &call) {
            open.remove(at);
            let fits = place(model, log, &after, open);
            open.insert(at, op);
            if fits {
                return true;
            }
        }
    }
    false
}

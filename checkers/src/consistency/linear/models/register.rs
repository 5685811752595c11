//! Registers: with and without compare and set, and several under one lock.

use std::collections::BTreeMap;

use super::super::model::{Call, Model, Shape};
use crate::history::{Function, Value};

/// One register with reads, writes and compare and set. It begins as nil.
#[derive(Debug, Clone, Copy, Default)]
pub struct Register;

impl Model for Register {
    type State = Value;

    fn initial(&self) -> Value {
        Value::Nil
    }

    fn step(&self, state: &Value, call: &Call<'_>) -> Option<Value> {
        let is = |expected: &Value| state == expected;
        match self.shape(call) {
            Shape::Observes(value) => is(&value).then_some(value),
            Shape::Overwrites(value) => Some(value),
            Shape::Moves(from, to) => is(&from).then_some(to),
            Shape::Reads => Some(state.clone()),
            Shape::Resets | Shape::Updates | Shape::Changes => None,
        }
    }

    fn shape(&self, call: &Call<'_>) -> Shape<Value> {
        match (call.f, call.argument, call.result) {
            (Function::Read, _, Some(value)) => Shape::Observes(value.clone()),
            (Function::Read, _, None) => Shape::Reads,
            (Function::Write, value, _) => Shape::Overwrites(value.clone()),
            (Function::Cas, Value::List(pair), _) if pair.len() == 2 => {
                Shape::Moves(pair[0].clone(), pair[1].clone())
            }
            (_, _, _) => Shape::Changes,
        }
    }

    fn is_definite(&self) -> bool {
        true
    }

    fn told(&self, state: &Value) -> String {
        crate::history::operation::short(state)
    }
}

/// Registers that transactions read and write together; each begins as nil.
///
/// A transaction is a list of `["r", key, value]` and `["w", key, value]`. Reads and writes with a
/// key of their own are transactions of one step.
#[derive(Debug, Clone, Copy, Default)]
pub struct MultiRegister;

impl Model for MultiRegister {
    type State = BTreeMap<Value, Value>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn step(&self, state: &Self::State, call: &Call<'_>) -> Option<Self::State> {
        let mut after = state.clone();
        if call.f != Function::Txn {
            let key = Value::Text(call.key.into());
            return single(&mut after, call.f, &key, call).then_some(after);
        }
        let (Value::List(steps), is_known) = (call.result.unwrap_or(call.argument), call.result)
        else {
            return None;
        };
        for step in steps {
            let Value::List(parts) = step else {
                return None;
            };
            let [Value::Text(kind), key, value] = &parts[..] else {
                return None;
            };
            match &**kind {
                "w" => set(&mut after, key, value),
                "r" if is_known.is_none() => {}
                "r" if holds(&after, key) == *value => {}
                _ => return None,
            }
        }
        Some(after)
    }

    fn held_bytes(&self, state: &Self::State) -> usize {
        // Nodes of trees have room for eleven pairs, and are rarely full.
        (state.len() + 11) * 2 * size_of::<Value>()
    }
}

fn single(state: &mut BTreeMap<Value, Value>, f: Function, key: &Value, call: &Call<'_>) -> bool {
    match f {
        Function::Read => call.result.is_none_or(|read| holds(state, key) == *read),
        Function::Write => {
            set(state, key, call.argument);
            true
        }
        Function::Cas => match call.argument {
            Value::List(pair) if pair.len() == 2 && holds(state, key) == pair[0] => {
                set(state, key, &pair[1]);
                true
            }
            _ => false,
        },
        Function::Add
        | Function::Append
        | Function::Increment
        | Function::Transfer
        | Function::Enqueue
        | Function::Dequeue
        | Function::Push
        | Function::Pop
        | Function::Acquire
        | Function::Release
        | Function::ReplicaRead
        | Function::WriteExpiring
        | Function::Publish
        | Function::Receive
        | Function::Txn => false,
    }
}

fn holds(state: &BTreeMap<Value, Value>, key: &Value) -> Value {
    state.get(key).cloned().unwrap_or_default()
}

fn set(state: &mut BTreeMap<Value, Value>, key: &Value, value: &Value) {
    match value {
        // A register that holds nil is one nobody wrote: equal states must be equal.
        Value::Nil => drop(state.remove(key)),
        Value::Int(_) | Value::Text(_) | Value::List(_) => {
            state.insert(key.clone(), value.clone());
        }
    }
}

//! Lists, sets, queues and stacks; all begin empty.

use std::collections::{BTreeSet, VecDeque};

use super::super::model::{Call, Model};
use super::chain::Chain;
use crate::history::{Function, Value};

/// A list that is appended to and read as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub struct AppendList;

impl Model for AppendList {
    type State = Chain;

    fn initial(&self) -> Chain {
        Chain::default()
    }

    fn step(&self, state: &Chain, call: &Call<'_>) -> Option<Chain> {
        match (call.f, call.result) {
            (Function::Append, _) => Some(state.and(call.argument.clone())),
            (Function::Read, Some(Value::List(read))) => state.is(read).then(|| state.clone()),
            (Function::Read, Some(Value::Nil)) => state.is(&[]).then(|| state.clone()),
            (Function::Read, None) => Some(state.clone()),
            (_, _) => None,
        }
    }

    fn held_bytes(&self, _state: &Chain) -> usize {
        Chain::LINK_BYTES
    }
}

/// A set that elements are added to, read as a whole in any order.
#[derive(Debug, Clone, Copy, Default)]
pub struct GrowSet;

impl Model for GrowSet {
    type State = BTreeSet<Value>;

    fn initial(&self) -> BTreeSet<Value> {
        BTreeSet::new()
    }

    fn step(&self, state: &BTreeSet<Value>, call: &Call<'_>) -> Option<BTreeSet<Value>> {
        let is = |read: &[Value]| {
            let distinct: BTreeSet<&Value> = read.iter().collect();
            read.len() == state.len() && distinct.into_iter().eq(state)
        };
        match (call.f, call.result) {
            (Function::Add, _) => {
                let mut after = state.clone();
                after.insert(call.argument.clone());
                Some(after)
            }
            (Function::Read, Some(Value::List(read))) => is(read).then(|| state.clone()),
            (Function::Read, Some(Value::Nil)) => is(&[]).then(|| state.clone()),
            (Function::Read, None) => Some(state.clone()),
            (_, _) => None,
        }
    }

    fn held_bytes(&self, state: &BTreeSet<Value>) -> usize {
        // Nodes of trees are two thirds full.
        state.len() * size_of::<Value>() * 3 / 2 + NODE_BYTES
    }
}

/// First in, first out. An empty queue gives nil.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue;

impl Model for Queue {
    type State = VecDeque<Value>;

    fn initial(&self) -> VecDeque<Value> {
        VecDeque::new()
    }

    fn step(&self, state: &VecDeque<Value>, call: &Call<'_>) -> Option<VecDeque<Value>> {
        let mut after = state.clone();
        match call.f {
            Function::Enqueue => after.push_back(call.argument.clone()),
            Function::Dequeue => {
                let head = after.pop_front().unwrap_or_default();
                if call.result.is_some_and(|taken| *taken != head) {
                    return None;
                }
            }
            Function::Read
            | Function::Write
            | Function::Cas
            | Function::Add
            | Function::Append
            | Function::Push
            | Function::Increment
            | Function::Transfer
            | Function::Pop
            | Function::Acquire
            | Function::Release
            | Function::ReplicaRead
            | Function::WriteExpiring
            | Function::Publish
            | Function::Receive
            | Function::Txn => return None,
        }
        Some(after)
    }

    fn held_bytes(&self, state: &VecDeque<Value>) -> usize {
        state.capacity() * size_of::<Value>()
    }
}

/// Last in, first out. An empty stack gives nil.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stack;

impl Model for Stack {
    type State = Chain;

    fn initial(&self) -> Chain {
        Chain::default()
    }

    fn step(&self, state: &Chain, call: &Call<'_>) -> Option<Chain> {
        if call.f == Function::Push {
            return Some(state.and(call.argument.clone()));
        }
        if call.f != Function::Pop {
            return None;
        }
        let (top, rest) = state.top();
        let fits = call.result.is_none_or(|taken| *taken == top);
        fits.then_some(rest)
    }

    fn held_bytes(&self, _state: &Chain) -> usize {
        Chain::LINK_BYTES
    }
}

/// What a tree takes besides its elements.
const NODE_BYTES: usize = 64;

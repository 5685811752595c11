//! Small histories of every object.

use std::collections::VecDeque;

use slotquake_checkers::history::{EventKind, Function, Value};
use slotquake_workloads::rng::Rng;

use super::{Draft, below};

/// Draws a history of at most `ops_max` operations on the object of this name.
pub fn draw(name: &str, ops_max: u64, rng: &mut Rng) -> Vec<Draft> {
    let count = 1 + below(rng, ops_max);
    let values = 1 + below(rng, 4);
    let is_unique = below(rng, 2) == 0;
    let span = 2 + below(rng, 16);
    let mut drafts: Vec<Draft> = (0..count)
        .map(|number| {
            let invoked = below(rng, span);
            let value = match is_unique {
                true => number as i64 + 1,
                false => below(rng, values) as i64,
            };
            let mut draft = Draft {
                process: number as u32,
                f: Function::Read,
                key: "",
                argument: Value::Nil,
                result: Value::Nil,
                end: EventKind::Ok,
                invoked,
                completed: invoked + below(rng, span),
            };
            call(name, value, values as i64, &mut draft, rng);
            draft
        })
        .collect();
    carry_out(name, &mut drafts, rng);
    for _ in 0..below(rng, 4) {
        tamper(name, values as i64, &mut drafts, rng);
    }
    drafts
}

/// Function and argument.
fn call(name: &str, value: i64, values: i64, draft: &mut Draft, rng: &mut Rng) {
    let any = |rng: &mut Rng| Value::Int(below(rng, values as u64 + 1) as i64);
    let is_read = below(rng, 2) == 0;
    let (f, argument) = match name {
        "register" if !is_read => (Function::Write, Value::Int(value)),
        "cas-register" if !is_read && below(rng, 2) == 0 => (Function::Write, Value::Int(value)),
        "cas-register" if !is_read => {
            let old = match below(rng, 4) {
                0 => Value::Nil,
                _ => any(rng),
            };
            (Function::Cas, Value::List(vec![old, Value::Int(value)]))
        }
        "multi-register" => (Function::Txn, transaction(value, rng)),
        "mutex" if is_read => (Function::Acquire, Value::Nil),
        "mutex" => (Function::Release, Value::Nil),
        "string" if !is_read && below(rng, 3) == 0 => (Function::Write, Value::Int(value)),
        "string" if !is_read => (Function::Append, Value::Int(value)),
        "list" if !is_read => (Function::Append, Value::Int(value)),
        "set" if !is_read => (Function::Add, Value::Int(value)),
        "counter" if !is_read && below(rng, 2) == 0 => (Function::Increment, Value::Int(value - 1)),
        "counter" if !is_read => (Function::Add, Value::Int(value - 1)),
        "queue" if is_read => (Function::Dequeue, Value::Nil),
        "queue" => (Function::Enqueue, Value::Int(value)),
        "stack" if is_read => (Function::Pop, Value::Nil),
        "stack" => (Function::Push, Value::Int(value)),
        _ => (Function::Read, Value::Nil),
    };
    (draft.f, draft.argument) = (f, argument);
}

fn transaction(value: i64, rng: &mut Rng) -> Value {
    let steps = (0..1 + below(rng, 2)).map(|_| {
        let key = Value::Text(["x", "y"][below(rng, 2) as usize].into());
        let (kind, value) = match below(rng, 2) {
            0 => ("r", Value::Nil),
            _ => ("w", Value::Int(value)),
        };
        Value::List(vec![Value::Text(kind.into()), key, value])
    });
    Value::List(steps.collect())
}

/// What the object holds while the operations are carried out.
#[derive(Default)]
struct Held {
    value: Value,
    elements: VecDeque<Value>,
    total: i64,
    is_locked: bool,
    registers: [Value; 2],
}

/// Carries the operations out at points between their ends, in order, and notes the results.
fn carry_out(name: &str, drafts: &mut [Draft], rng: &mut Rng) {
    let mut order: Vec<(u64, usize)> = drafts
        .iter()
        .enumerate()
        .map(|(at, draft)| {
            (
                draft.invoked + below(rng, draft.completed - draft.invoked + 1),
                at,
            )
        })
        .collect();
    order.sort_unstable();
    let mut held = Held::default();
    for (_, at) in order {
        let draft = &mut drafts[at];
        // Some never get there, and nobody knows.
        if below(rng, 8) == 0 {
            draft.end = [EventKind::Info, EventKind::Fail][below(rng, 2) as usize];
            continue;
        }
        draft.result = draft.argument.clone();
        draft.end = match held.step(name, draft) {
            true => EventKind::Ok,
            false => EventKind::Fail,
        };
        if below(rng, 8) == 0 && draft.end == EventKind::Ok {
            draft.end = EventKind::Info;
        }
    }
}

impl Held {
    fn step(&mut self, name: &str, draft: &mut Draft) -> bool {
        match (draft.f, &draft.argument) {
            (Function::Write, value) => self.value = value.clone(),
            (Function::Append, value) if name == "string" => {
                let text = |value: &Value| match value {
                    Value::Int(number) => number.to_string(),
                    Value::Text(text) => text.to_string(),
                    Value::Nil | Value::List(_) => String::new(),
                };
                self.value = Value::Text((text(&self.value) + &text(value)).into());
            }
            (Function::Cas, Value::List(pair)) if pair[0] == self.value => {
                self.value = pair[1].clone();
            }
            (Function::Cas, _) => return false,
            (Function::Add, value) if name == "counter" => {
                self.total += value.as_int().unwrap_or_default();
            }
            (Function::Add, value) => {
                if !self.elements.contains(value) {
                    self.elements.push_front(value.clone());
                }
            }
            (Function::Append | Function::Enqueue | Function::Push, value) => {
                self.elements.push_back(value.clone());
            }
            (Function::Dequeue, _) => {
                draft.result = self.elements.pop_front().unwrap_or_default();
            }
            (Function::Pop, _) => draft.result = self.elements.pop_back().unwrap_or_default(),
            (Function::Acquire, _) => {
                return !std::mem::replace(&mut self.is_locked, true);
            }
            (Function::Release, _) => return std::mem::replace(&mut self.is_locked, false),
            (Function::Read, _) => {
                draft.result = match name {
                    "counter" => Value::Int(self.total),
                    "set" | "list" => Value::List(self.elements.iter().cloned().collect()),
                    _ => self.value.clone(),
                };
            }
            (Function::Txn, Value::List(steps)) => {
                let done = steps.iter().map(|step| self.micro(step)).collect();
                draft.result = Value::List(done);
            }
            (Function::Increment, value) => {
                self.total += value.as_int().unwrap_or_default();
                draft.result = Value::Int(self.total);
            }
            (
                Function::Txn
                | Function::Transfer
                | Function::ReplicaRead
                | Function::WriteExpiring
                | Function::Publish
                | Function::Receive,
                _,
            ) => return false,
        }
        true
    }

    fn micro(&mut self, step: &Value) -> Value {
        let Value::List(parts) = step else {
            return Value::Nil;
        };
        let register = &mut self.registers[usize::from(parts[1] == Value::Text("y".into()))];
        if parts[0] == Value::Text("w".into()) {
            *register = parts[2].clone();
        }
        Value::List(vec![parts[0].clone(), parts[1].clone(), register.clone()])
    }
}

/// One result, or one time, is another than it was.
fn tamper(name: &str, values: i64, drafts: &mut [Draft], rng: &mut Rng) {
    let at = below(rng, drafts.len() as u64) as usize;
    let other = drafts[below(rng, drafts.len() as u64) as usize]
        .result
        .clone();
    let draft = &mut drafts[at];
    match below(rng, 3) {
        0 => draft.completed = draft.invoked,
        1 if draft.f != Function::Txn && name != "mutex" => {
            let is_list = matches!(draft.result, Value::List(_));
            draft.result = match (draft.f, is_list) {
                (Function::Read, true) => match other {
                    Value::List(_) => other,
                    _ => Value::List(vec![Value::Int(below(rng, 3) as i64)]),
                },
                (Function::Read | Function::Dequeue | Function::Pop | Function::Increment, _) => {
                    Value::Int(below(rng, values as u64 + 2) as i64)
                }
                (_, _) => draft.result.clone(),
            };
        }
        _ => {
            let length = draft.completed - draft.invoked;
            draft.invoked = below(rng, 16);
            draft.completed = draft.invoked + length;
        }
    }
}

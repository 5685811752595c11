//! Large histories: a simulated object and clients that never rest.
//!
//! Each client invokes as soon as its last operation is complete. An operation takes effect at a
//! random point between its ends; one of unknown outcome takes effect or not, and its client goes
//! on under a new process number.

use slotquake_checkers::history::{Event, EventKind, Function, Value};
use slotquake_workloads::rng::Rng;

use super::below;

/// What to draw.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Operations in all.
    pub ops: usize,
    /// Clients at work all the time.
    pub clients: usize,
    /// Keys; 0 for a history without.
    pub keys: usize,
    /// Operations of unknown outcome, in a hundred.
    pub unknown_percent: u64,
    /// Values are drawn from this many; none for values that are never used again.
    pub values: Option<u64>,
    /// Compare and sets among the operations, in a hundred; the rest are reads and writes.
    pub cas_percent: u64,
}

struct Running {
    /// When it takes effect, and whether it ever does.
    effect: Option<u64>,
    completed: u64,
    event: Event,
    result: Value,
    end: EventKind,
}

/// A linearizable history of registers.
pub fn registers(shape: Shape, seed: u64) -> Vec<Event> {
    let mut rng = Rng::new(seed);
    let mut registers = vec![Value::Nil; shape.keys.max(1)];
    let keys: Vec<_> = (0..shape.keys)
        .map(|key| format!("k{key}").into())
        .collect();
    let mut events: Vec<Event> = Vec::with_capacity(shape.ops * 2);
    // By time: what happens next to which client.
    let mut agenda = std::collections::BTreeMap::new();
    let mut running: Vec<Option<Running>> = (0..shape.clients).map(|_| None).collect();
    let mut processes: Vec<u32> = (0..shape.clients as u32).collect();
    for client in 0..shape.clients {
        agenda.insert((client as u64, client), Due::Invoke);
    }
    let (mut begun, mut next_value, mut next_process) = (0, 0, shape.clients as u32);
    while let Some(((time, client), due)) = agenda.pop_first() {
        match due {
            Due::Invoke if begun == shape.ops => {}
            Due::Invoke => {
                begun += 1;
                let register = below(&mut rng, registers.len() as u64) as usize;
                let mut event = blank(time, processes[client], keys.get(register).cloned());
                (event.f, event.value) = call(shape, &mut next_value, &mut rng);
                let length = 1000 + below(&mut rng, 1000 * shape.clients as u64);
                let op = run(&mut rng, shape, time, length, event);
                push(&mut events, op.event.clone());
                let next = match op.effect {
                    Some(effect) => (effect, Due::Effect(register)),
                    None => (op.completed, Due::Complete),
                };
                agenda.insert((next.0, client), next.1);
                running[client] = Some(op);
            }
            Due::Effect(register) => {
                if let Some(op) = &mut running[client] {
                    take_effect(op, &mut registers[register]);
                    agenda.insert((op.completed, client), Due::Complete);
                }
            }
            Due::Complete => {
                if let Some(op) = running[client].take() {
                    let event = Event {
                        time,
                        kind: op.end,
                        value: op.result,
                        ..op.event
                    };
                    push(&mut events, event);
                    if op.end == EventKind::Info {
                        processes[client] = next_process;
                        next_process += 1;
                    }
                    agenda.insert((time + 1, client), Due::Invoke);
                }
            }
        }
    }
    events
}

#[derive(Debug, Clone, Copy)]
enum Due {
    Invoke,
    Effect(usize),
    Complete,
}

fn run(rng: &mut Rng, shape: Shape, time: u64, length: u64, event: Event) -> Running {
    let is_unknown = below(rng, 100) < shape.unknown_percent;
    let happens = !is_unknown || below(rng, 2) == 0;
    Running {
        effect: happens.then(|| time + 1 + below(rng, length)),
        completed: time + 1 + length,
        result: event.value.clone(),
        end: match is_unknown {
            true => EventKind::Info,
            false => EventKind::Ok,
        },
        event,
    }
}

fn call(shape: Shape, next_value: &mut i64, rng: &mut Rng) -> (Function, Value) {
    let mut value = || match shape.values {
        Some(values) => Value::Int(below(rng, values) as i64),
        None => {
            *next_value += 1;
            Value::Int(*next_value)
        }
    };
    let (old, new) = (value(), value());
    let dice = below(rng, 100);
    if dice < shape.cas_percent {
        (Function::Cas, Value::List(vec![old, new]))
    } else if dice.is_multiple_of(2) {
        (Function::Write, new)
    } else {
        (Function::Read, Value::Nil)
    }
}

fn take_effect(op: &mut Running, register: &mut Value) {
    match (op.event.f, &op.event.value) {
        (Function::Read, _) => op.result = register.clone(),
        (Function::Write, value) => *register = value.clone(),
        (_, Value::List(pair)) if pair[0] == *register => *register = pair[1].clone(),
        (_, _) if op.end == EventKind::Ok => op.end = EventKind::Fail,
        (_, _) => {}
    }
}

fn blank(time: u64, process: u32, key: Option<std::sync::Arc<str>>) -> Event {
    Event {
        index: 0,
        time,
        process,
        kind: EventKind::Invoke,
        f: Function::Read,
        key,
        value: Value::Nil,
        node: None,
        hops: Vec::new(),
        error: None,
        replicas: None,
        final_read: false,
    }
}

fn push(events: &mut Vec<Event>, mut event: Event) {
    event.index = events.len() as u64;
    if event.kind == EventKind::Info {
        event.value = Value::Nil;
    }
    events.push(event);
}

/// Spoils a history: a late read shows a value that nobody wrote.
pub fn with_phantom(mut events: Vec<Event>) -> Vec<Event> {
    spoil(&mut events, |_| Some(Value::Int(1 << 40)));
    events
}

/// Spoils a history: a late read shows what an early one showed.
pub fn with_stale_read(mut events: Vec<Event>) -> Vec<Event> {
    let is_read = |event: &&Event| event.f == Function::Read && event.kind == EventKind::Ok;
    let mut early = events
        .iter()
        .filter(is_read)
        .filter(|event| event.value != Value::Nil);
    let early = early.nth(2).map(|event| event.value.clone());
    spoil(&mut events, |_| early.clone());
    events
}

/// Spoils a history of few values: in its last quarter every tenth read is off by one.
pub fn with_wrong_reads(mut events: Vec<Event>, values: i64) -> Vec<Event> {
    let from = events.len() * 3 / 4;
    let is_read = |event: &&mut Event| event.f == Function::Read && event.kind == EventKind::Ok;
    for read in events[from..].iter_mut().filter(is_read).step_by(10) {
        let shown = read.value.as_int().unwrap_or_default();
        read.value = Value::Int((shown + 1) % values);
    }
    events
}

fn spoil(events: &mut [Event], value: impl Fn(&Event) -> Option<Value>) {
    let from = events.len() * 3 / 4;
    let mut late = events[from..].iter_mut();
    let is_read = |event: &&mut Event| event.f == Function::Read && event.kind == EventKind::Ok;
    if let Some(read) = late.find(is_read)
        && let Some(value) = value(read)
    {
        read.value = value;
    }
}

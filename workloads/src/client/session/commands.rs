//! The commands that carry an operation, and the values in their replies.

use bytes::Bytes;
use slotquake_checkers::history::{Function, Value};

use super::group;
use crate::client::resp::RespValue;
use crate::workload::{Op, Reach, Shape, Wait};

/// How an operation is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By one command.
    Single,
    /// By WATCH, a look, and EXEC.
    Watched,
    /// By MULTI … EXEC.
    Transaction,
    /// By the delivery of an element to a consumer group, and its acknowledgement.
    Deliver,
    /// By a subscription.
    Listen(Reach),
}

/// What stands around the commands of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// Nothing.
    None,
    /// WAIT behind them; its reply comes last.
    Wait(Wait),
    /// READONLY before them and READWRITE behind, so that the connection is as before.
    Replica,
}

impl Frame {
    pub(super) fn of(op: &Op) -> Frame {
        match (op.f, op.wait) {
            (Function::ReplicaRead, _) => Frame::Replica,
            (_, Some(wait)) if changes(op) => Frame::Wait(wait),
            (_, _) => Frame::None,
        }
    }

    pub(super) fn put_around(self, commands: &mut Vec<Vec<Bytes>>) {
        match self {
            Frame::None => {}
            Frame::Wait(wait) => commands.push(vec![
                Bytes::from_static(b"WAIT"),
                Bytes::from(wait.replicas.to_string()),
                Bytes::from(wait.wait_ms.to_string()),
            ]),
            Frame::Replica => {
                commands.insert(0, vec![Bytes::from_static(b"READONLY")]);
                commands.push(vec![Bytes::from_static(b"READWRITE")]);
            }
        }
    }
}

impl Way {
    pub(super) fn of(op: &Op) -> Way {
        match (op.f, op.shape) {
            (Function::Receive, Shape::Channel(reach)) => return Way::Listen(reach),
            (Function::Dequeue, Shape::Stream) => return Way::Deliver,
            (Function::Txn, Shape::Pair) => return Way::Single,
            (_, _) => {}
        }
        match op.f {
            Function::Cas => Way::Watched,
            Function::Transfer | Function::Txn => Way::Transaction,
            Function::Read
            | Function::ReplicaRead
            | Function::WriteExpiring
            | Function::Publish
            | Function::Receive
            | Function::Write
            | Function::Add
            | Function::Append
            | Function::Increment
            | Function::Enqueue
            | Function::Dequeue
            | Function::Push
            | Function::Pop
            | Function::Acquire
            | Function::Release => Way::Single,
        }
    }
}

/// Whether the operation may change something.
pub(super) fn changes(op: &Op) -> bool {
    match op.f {
        Function::Txn => micros(op).iter().any(|micro| micro.kind != MicroKind::Read),
        f => f.is_write(),
    }
}

/// The one command of an operation that needs one only.
pub(super) fn single(op: &Op) -> Vec<Bytes> {
    let key = Bytes::copy_from_slice(op.key.as_bytes());
    let word = |name: &'static str| Bytes::from_static(name.as_bytes());
    let argument = || sized(bytes_of(&op.value), op.value_bytes);
    match (op.f, op.shape) {
        (Function::Read | Function::ReplicaRead, shape) => look_at(op, shape, key),
        (Function::Receive, _) => vec![word("PING")],
        (Function::Publish, Shape::Channel(reach)) => group::publish(reach, op, argument()),
        (Function::Publish, _) => group::publish(Reach::Cluster, op, argument()),
        (Function::Enqueue, Shape::Stream) => group::add(op, argument()),
        (Function::WriteExpiring, _) => {
            let mut words = vec![word("SET"), key, argument(), word("PX")];
            words.push(bytes_of(part(&op.value, 1)));
            words
        }
        (Function::Add, _) => vec![word("SADD"), key, argument()],
        (Function::Append | Function::Enqueue, _) => vec![word("RPUSH"), key, argument()],
        (Function::Push, _) => vec![word("LPUSH"), key, argument()],
        (Function::Dequeue, _) if op.value.wait_ms().is_some() => {
            let wait_ms = op.value.wait_ms().unwrap_or_default();
            let seconds = format!("{}.{:03}", wait_ms / 1000, wait_ms % 1000);
            vec![word("BLPOP"), key, Bytes::from(seconds)]
        }
        (Function::Dequeue | Function::Pop, _) => vec![word("LPOP"), key],
        (Function::Increment, _) => vec![word("INCRBY"), key, bytes_of(&op.value)],
        (Function::Acquire, _) => vec![word("SET"), key, argument(), word("NX")],
        (Function::Release, _) => vec![word("DEL"), key],
        (Function::Txn, Shape::Pair) => several(op),
        (Function::Write | Function::Cas | Function::Transfer | Function::Txn, _) => {
            vec![word("SET"), key, argument()]
        }
    }
}

/// The command that reads a key of this shape.
fn look_at(op: &Op, shape: Shape, key: Bytes) -> Vec<Bytes> {
    let word = |name: &'static str| Bytes::from_static(name.as_bytes());
    match shape {
        Shape::Register | Shape::Counter | Shape::Pair | Shape::Registers | Shape::Channel(_) => {
            vec![word("GET"), key]
        }
        Shape::Set => vec![word("SMEMBERS"), key],
        Shape::List | Shape::Lists => vec![word("LRANGE"), key, word("0"), word("-1")],
        Shape::Stream => vec![word("XRANGE"), key, word("-"), word("+")],
        Shape::Bank { accounts } => {
            let keys = (0..accounts).map(|number| account(&op.key, i64::from(number)));
            std::iter::once(word("MGET")).chain(keys).collect()
        }
    }
}

/// MGET or MSET: a transaction of reads alone, or of writes, that is one command.
fn several(op: &Op) -> Vec<Bytes> {
    let micros = micros(op);
    let is_read = micros.iter().all(|micro| micro.kind == MicroKind::Read);
    let name = if is_read { "MGET" } else { "MSET" };
    let mut words = vec![Bytes::from_static(name.as_bytes())];
    for micro in micros {
        words.push(Bytes::copy_from_slice(micro.key.as_bytes()));
        words.extend((!is_read).then(|| bytes_of(micro.value)));
    }
    words
}

/// What [`several`] did, with what it read.
fn several_told(op: &Op, reply: &RespValue) -> Value {
    let RespValue::Array(Some(items)) = reply else {
        return op.value.clone();
    };
    let read = |(micro, item): (Micro<'_>, &RespValue)| {
        let (kind, key) = (Value::Text("r".into()), Value::Text(micro.key.into()));
        Value::List(vec![kind, key, value_of(item)])
    };
    Value::List(micros(op).into_iter().zip(items).map(read).collect())
}

/// A number with zeros before it, so that it has that many bytes; read back it is the same.
fn sized(number: Bytes, bytes_min: u32) -> Bytes {
    let missing = (bytes_min as usize).saturating_sub(number.len());
    let digits = number.strip_prefix(b"-").unwrap_or(&number);
    if missing == 0 || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return number;
    }
    let mut sized = Vec::with_capacity(bytes_min as usize);
    sized.extend_from_slice(&number[..number.len() - digits.len()]);
    sized.resize(sized.len() + missing, b'0');
    sized.extend_from_slice(digits);
    sized.into()
}

fn part(value: &Value, at: usize) -> &Value {
    match value {
        Value::List(parts) => parts.get(at).unwrap_or(&Value::Nil),
        Value::Nil | Value::Int(_) | Value::Text(_) => &Value::Nil,
    }
}

/// MULTI, the commands of a transaction or a transfer, EXEC.
pub(super) fn transaction(op: &Op) -> Vec<Vec<Bytes>> {
    let word = |name: &'static str| Bytes::from_static(name.as_bytes());
    let mut commands = vec![vec![word("MULTI")]];
    if let (Function::Transfer, Value::List(parts)) = (op.f, &op.value)
        && let [Value::Int(from), Value::Int(to), amount] = parts.as_slice()
    {
        let amount = bytes_of(amount);
        commands.push(vec![
            word("DECRBY"),
            account(&op.key, *from),
            amount.clone(),
        ]);
        commands.push(vec![word("INCRBY"), account(&op.key, *to), amount]);
    }
    for Micro { kind, key, value } in micros(op) {
        let key = Bytes::copy_from_slice(key.as_bytes());
        commands.push(match (kind, op.shape) {
            (MicroKind::Read, Shape::Lists) => {
                vec![word("LRANGE"), key, word("0"), word("-1")]
            }
            (MicroKind::Read, _) => vec![word("GET"), key],
            (MicroKind::Append, _) => vec![word("RPUSH"), key, bytes_of(value)],
            (MicroKind::Write, _) => vec![word("SET"), key, bytes_of(value)],
        });
    }
    commands.push(vec![word("EXEC")]);
    commands
}

/// The key of one account of a bank: it shares the bank's hash tag.
fn account(bank: &str, number: i64) -> Bytes {
    Bytes::from(format!("{bank}{number}"))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MicroKind {
    Read,
    Append,
    Write,
}

/// One step of a transaction.
#[derive(Debug)]
struct Micro<'a> {
    kind: MicroKind,
    key: &'a str,
    value: &'a Value,
}

fn micros(op: &Op) -> Vec<Micro<'_>> {
    let steps: &[Value] = match (&op.value, op.f) {
        (Value::List(steps), Function::Txn) => steps,
        _ => &[],
    };
    steps.iter().filter_map(Micro::of).collect()
}

impl Micro<'_> {
    fn of(step: &Value) -> Option<Micro<'_>> {
        let Value::List(parts) = step else {
            return None;
        };
        let [Value::Text(kind), Value::Text(key), value] = parts.as_slice() else {
            return None;
        };
        let kind = match &**kind {
            "r" => MicroKind::Read,
            "append" => MicroKind::Append,
            "w" => MicroKind::Write,
            _ => return None,
        };
        Some(Micro { kind, key, value })
    }
}

/// The transaction with what it read; none if a command of it failed or gave no answer.
pub(super) fn filled_in(op: &Op, results: &[RespValue]) -> Option<Value> {
    let is_error = |result: &RespValue| matches!(result, RespValue::Error(_));
    if results.len() + 2 != transaction(op).len() || results.iter().any(is_error) {
        return None;
    }
    let steps = micros(op);
    if steps.is_empty() {
        return Some(op.value.clone());
    }
    let step = |(micro, result): (&Micro<'_>, &RespValue)| {
        let (kind, value) = match micro.kind {
            MicroKind::Read => ("r", in_order(result)),
            MicroKind::Append => ("append", micro.value.clone()),
            MicroKind::Write => ("w", micro.value.clone()),
        };
        let key = Value::Text(micro.key.into());
        Value::List(vec![Value::Text(kind.into()), key, value])
    };
    Some(Value::List(steps.iter().zip(results).map(step).collect()))
}

/// The result of an operation that one command carried.
pub(super) fn result_of(op: &Op, reply: &RespValue) -> Value {
    match op.f {
        Function::Read | Function::ReplicaRead => match op.shape {
            Shape::Set => value_of(reply),
            Shape::Stream => group::elements(reply),
            Shape::Register
            | Shape::List
            | Shape::Counter
            | Shape::Bank { .. }
            | Shape::Channel(_)
            | Shape::Lists
            | Shape::Pair
            | Shape::Registers => in_order(reply),
        },
        Function::Dequeue if op.value.wait_ms().is_some() => match reply {
            // Key and element.
            RespValue::Array(Some(items)) => items.last().map_or(Value::Nil, value_of),
            other => value_of(other),
        },
        Function::Increment | Function::Dequeue | Function::Pop => value_of(reply),
        Function::Txn => several_told(op, reply),
        Function::Write
        | Function::WriteExpiring
        | Function::Cas
        | Function::Add
        | Function::Append
        | Function::Enqueue
        | Function::Push
        | Function::Acquire
        | Function::Release
        | Function::Publish
        | Function::Receive
        | Function::Transfer => op.value.clone(),
    }
}

/// `ASKING`.
pub(super) fn asking() -> Vec<Bytes> {
    vec![Bytes::from_static(b"ASKING")]
}

/// The first half of a compare-and-set; UNWATCH forgets what an earlier one left behind.
pub(super) fn look(op: &Op) -> Vec<Vec<Bytes>> {
    let key = Bytes::copy_from_slice(op.key.as_bytes());
    vec![
        vec![Bytes::from_static(b"UNWATCH")],
        vec![Bytes::from_static(b"WATCH"), key.clone()],
        vec![Bytes::from_static(b"GET"), key],
    ]
}

/// The second half.
pub(super) fn exchange(op: &Op, new: Bytes) -> Vec<Vec<Bytes>> {
    let key = Bytes::copy_from_slice(op.key.as_bytes());
    vec![
        vec![Bytes::from_static(b"MULTI")],
        vec![Bytes::from_static(b"SET"), key, new],
        vec![Bytes::from_static(b"EXEC")],
    ]
}

/// A value as an argument.
pub(super) fn bytes_of(value: &Value) -> Bytes {
    match value {
        Value::Nil => Bytes::new(),
        Value::Int(value) => Bytes::from(value.to_string()),
        Value::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
        Value::List(items) => items.first().map(bytes_of).unwrap_or_default(),
    }
}

/// A reply as a value, lists in the order of the server.
fn in_order(reply: &RespValue) -> Value {
    match reply {
        RespValue::Array(Some(items)) => Value::List(items.iter().map(value_of).collect()),
        RespValue::Simple(_)
        | RespValue::Integer(_)
        | RespValue::Bulk(_)
        | RespValue::Array(None)
        | RespValue::Error(_)
        | RespValue::Map(_) => value_of(reply),
    }
}

/// A reply as a value. The members of a set are sorted: servers give them in any order.
pub(super) fn value_of(reply: &RespValue) -> Value {
    match reply {
        RespValue::Simple(text) => text_value(text),
        RespValue::Integer(value) => Value::Int(*value),
        RespValue::Bulk(Some(bytes)) => text_value(&String::from_utf8_lossy(bytes)),
        RespValue::Array(Some(items)) => {
            let mut items: Vec<Value> = items.iter().map(value_of).collect();
            items.sort();
            Value::List(items)
        }
        RespValue::Error(_)
        | RespValue::Bulk(None)
        | RespValue::Array(None)
        | RespValue::Map(_) => Value::Nil,
    }
}

fn text_value(text: &str) -> Value {
    match without_zeros(text).parse() {
        Ok(value) => Value::Int(value),
        Err(_) => Value::Text(text.into()),
    }
}

/// A number without most of the zeros that [`sized`] put before it.
fn without_zeros(text: &str) -> &str {
    let mut rest = text;
    while let Some(shorter) = rest.strip_prefix("00000000") {
        if !shorter.starts_with(|next: char| next.is_ascii_digit()) {
            break;
        }
        rest = shorter;
    }
    rest
}

//! The commands that carry an operation, and the values in their replies.

use bytes::Bytes;
use slotquake_checkers::history::{Function, Value};

use crate::client::resp::RespValue;
use crate::workload::{Op, Shape};

/// The one command of an operation that needs one only.
pub(super) fn single(op: &Op) -> Vec<Bytes> {
    let key = Bytes::copy_from_slice(op.key.as_bytes());
    match (op.f, op.shape) {
        (Function::Read, Shape::Register) => vec![Bytes::from_static(b"GET"), key],
        (Function::Read, Shape::Set) => vec![Bytes::from_static(b"SMEMBERS"), key],
        (Function::Add, _) => vec![Bytes::from_static(b"SADD"), key, bytes_of(&op.value)],
        (Function::Write | Function::Cas, _) => {
            vec![Bytes::from_static(b"SET"), key, bytes_of(&op.value)]
        }
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
    match text.parse() {
        Ok(value) => Value::Int(value),
        Err(_) => Value::Text(text.into()),
    }
}

//! The commands of a stream's consumer group, and of a channel's subscriber, and what their replies
//! hold.

use bytes::Bytes;
use slotquake_checkers::history::Value;

use super::commands::value_of;
use crate::client::resp::RespValue;
use crate::workload::{Op, Reach};

/// The one group of each stream, and the one consumer that all clients are.
const GROUP: &str = "g";
const CONSUMER: &str = "c";
/// The field that holds an element.
const FIELD: &str = "e";

fn command(words: &[&str]) -> Vec<Bytes> {
    let bytes = |word: &&str| Bytes::copy_from_slice(word.as_bytes());
    words.iter().map(bytes).collect()
}

/// Adds an element.
pub(super) fn add(op: &Op, element: Bytes) -> Vec<Bytes> {
    let mut words = command(&["XADD", &op.key, "*", FIELD]);
    words.push(element);
    words
}

/// Asks for one element, new or pending for so many ms, and waits for a new one if it is to; a
/// group that is not there is made.
pub(super) fn deliver(op: &Op) -> Vec<Vec<Bytes>> {
    let create = command(&["XGROUP", "CREATE", &op.key, GROUP, "0", "MKSTREAM"]);
    let mut ask = match op.value.as_int() {
        None => command(&["XREADGROUP", "GROUP", GROUP, CONSUMER]),
        Some(idle_ms) => {
            let idle = idle_ms.to_string();
            command(&["XAUTOCLAIM", &op.key, GROUP, CONSUMER, &idle, "0"])
        }
    };
    ask.extend(command(&["COUNT", "1"]));
    if let Some(wait_ms) = op.value.wait_ms() {
        ask.extend(command(&["BLOCK", &wait_ms.to_string()]));
    }
    if op.value.as_int().is_none() {
        ask.extend(command(&["STREAMS", &op.key, ">"]));
    }
    vec![create, ask]
}

/// Removes an element that was delivered; the first reply tells whether it was still pending.
pub(super) fn acknowledge(op: &Op, id: &str) -> Vec<Vec<Bytes>> {
    vec![
        command(&["XACK", &op.key, GROUP, id]),
        command(&["XDEL", &op.key, id]),
    ]
}

/// The first element in a reply to XREADGROUP or XAUTOCLAIM, with its id.
pub(super) fn delivered(reply: &RespValue) -> Option<(String, Value)> {
    if let Some(entry) = entry(reply) {
        return Some(entry);
    }
    match reply {
        RespValue::Array(Some(items)) => items.iter().find_map(delivered),
        RespValue::Map(pairs) => pairs.iter().find_map(|(_, value)| delivered(value)),
        RespValue::Simple(_)
        | RespValue::Error(_)
        | RespValue::Integer(_)
        | RespValue::Bulk(_)
        | RespValue::Array(None) => None,
    }
}

/// The elements in a reply to XRANGE.
pub(super) fn elements(reply: &RespValue) -> Value {
    let RespValue::Array(Some(entries)) = reply else {
        return Value::Nil;
    };
    let entries = entries.iter().filter_map(entry);
    Value::List(entries.map(|(_, element)| element).collect())
}

/// `[id, ["e", element]]`.
fn entry(reply: &RespValue) -> Option<(String, Value)> {
    let RespValue::Array(Some(parts)) = reply else {
        return None;
    };
    let [id, RespValue::Array(Some(fields))] = parts.as_slice() else {
        return None;
    };
    match fields.as_slice() {
        [field, element] if field.text() == Some(FIELD) => {
            Some((id.text()?.to_string(), value_of(element)))
        }
        _ => None,
    }
}

/// Publishes a message.
pub(super) fn publish(reach: Reach, op: &Op, message: Bytes) -> Vec<Bytes> {
    let name = match reach {
        Reach::Cluster => "PUBLISH",
        Reach::Shard => "SPUBLISH",
    };
    let mut words = command(&[name, &op.key]);
    words.push(message);
    words
}

/// Begins and ends a subscription.
pub(super) fn subscription(reach: Reach, op: &Op) -> [Vec<Bytes>; 2] {
    let names = match reach {
        Reach::Cluster => ["SUBSCRIBE", "UNSUBSCRIBE"],
        Reach::Shard => ["SSUBSCRIBE", "SUNSUBSCRIBE"],
    };
    names.map(|name| command(&[name, &op.key]))
}

/// How long a subscriber listens, ms.
pub(super) fn listen_ms(op: &Op) -> u64 {
    op.value.as_int().map_or(0, i64::unsigned_abs)
}

/// The messages among what a subscriber heard, in order.
pub(super) fn messages(heard: &[RespValue]) -> Value {
    let message = |push: &RespValue| {
        let RespValue::Array(Some(parts)) = push else {
            return None;
        };
        match parts.as_slice() {
            [kind, _, message] if matches!(kind.text(), Some("message" | "smessage")) => {
                Some(value_of(message))
            }
            _ => None,
        }
    };
    Value::List(heard.iter().filter_map(message).collect())
}

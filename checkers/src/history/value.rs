//! The values operations carry.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Argument or result of an operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Value {
    /// Absent: a key that does not exist, or a result not known yet.
    #[default]
    Nil,
    /// An integer, the usual element of our workloads.
    Int(i64),
    /// Any other text.
    Text(Arc<str>),
    /// `[old, new]` of a compare and set, or the elements of a set.
    List(Vec<Value>),
}

impl Value {
    /// How long a taker waits for an element, ms: `["wait", 1500]`.
    pub fn wait_ms(&self) -> Option<u64> {
        match self {
            Value::List(parts) => match parts.as_slice() {
                [Value::Text(word), Value::Int(ms)] if **word == *"wait" => (*ms).try_into().ok(),
                _ => None,
            },
            Value::Nil | Value::Int(_) | Value::Text(_) => None,
        }
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            Value::Nil | Value::Text(_) | Value::List(_) => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Nil => serializer.serialize_unit(),
            Value::Int(value) => serializer.serialize_i64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(items) => serializer.collect_seq(items),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> serde::de::Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        out.write_str("null, an integer, a string or a list of these")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value)
            .map(Value::Int)
            .map_err(|_| E::custom("integer above 2^63-1"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
}

//! A text that is set, appended to and read as a whole, as Redis' SET, APPEND and GET do.

use std::sync::Arc;

use super::super::model::{Call, Model, Shape};
use crate::history::{Function, Value};

/// A text. It begins empty, which is also read as nil.
#[derive(Debug, Clone, Copy, Default)]
pub struct AppendText;

impl Model for AppendText {
    type State = Arc<str>;

    fn initial(&self) -> Arc<str> {
        "".into()
    }

    fn step(&self, state: &Arc<str>, call: &Call<'_>) -> Option<Arc<str>> {
        match (call.f, call.result) {
            (Function::Append, _) => Some(format!("{state}{}", text_of(call.argument)?).into()),
            (Function::Write, _) => text_of(call.argument),
            (Function::Read, None) => Some(state.clone()),
            (Function::Read, Some(read)) => text_of(read).filter(|read| read == state),
            (_, _) => None,
        }
    }

    fn held_bytes(&self, state: &Arc<str>) -> usize {
        state.len() + 2 * size_of::<usize>()
    }

    fn shape(&self, call: &Call<'_>) -> Shape<Arc<str>> {
        match (call.f, text_of(call.argument)) {
            (Function::Write, Some(_)) => Shape::Resets,
            (Function::Append, Some(_)) => Shape::Updates,
            (Function::Read, _) => Shape::Reads,
            (_, _) => Shape::Changes,
        }
    }
}

/// A list is no text.
fn text_of(value: &Value) -> Option<Arc<str>> {
    match value {
        Value::Nil => Some("".into()),
        Value::Int(number) => Some(number.to_string().into()),
        Value::Text(text) => Some(text.clone()),
        Value::List(_) => None,
    }
}

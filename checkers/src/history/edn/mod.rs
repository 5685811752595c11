//! Jepsen's own histories, in and out: maps of `:type`, `:f`, `:value`, `:process`, one a line or
//! all in one vector.
//!
//! The order of the events is what counts, as it does for Jepsen's own checkers: `:index` and
//! `:time` may be missing, and a time before that of the event before is taken as just after it
//! (threads that write a history down overtake each other). Events of the nemesis are left out; a
//! history without `:process` is that of one process, and without `:f` one of transactions. Values
//! of `independent` tests are `[key value]`, which cannot be told from a list: [`Keys::InValues`]
//! says so.

mod syntax;

use std::io::{self, Read, Write};
use std::sync::Arc;

use self::syntax::{Form, Forms, bad};
use super::event::{Event, EventKind, Function};
use super::jsonl::fast::blank;
use super::jsonl::{HistoryError, HistoryProblem, HistoryRules};
use super::value::Value;
use crate::table::{IndexTable, Mix};

/// Where the keys are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// In `:key`, if anywhere.
    #[default]
    Apart,
    /// Each value is `[key value]`.
    InValues,
}

/// Reads events; stops after the first error.
#[derive(Debug)]
pub struct EdnReader<R> {
    forms: Forms<R>,
    keys: Keys,
    rules: HistoryRules,
    names: Vec<Arc<str>>,
    table: IndexTable,
    taken: u64,
    last_time: u64,
    /// The time of the event before is not its own.
    is_pushed: bool,
    is_over: bool,
}

impl<R: Read> EdnReader<R> {
    /// The history in this input.
    pub fn new(input: R, keys: Keys) -> EdnReader<R> {
        EdnReader {
            forms: Forms::new(input),
            keys,
            rules: HistoryRules::default(),
            names: Vec::new(),
            table: IndexTable::default(),
            taken: 0,
            last_time: 0,
            is_pushed: false,
            is_over: false,
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, HistoryProblem> {
        loop {
            let Some(form) = self.forms.next_event()? else {
                return Ok(None);
            };
            let Form::Map(entries) = form else {
                return Err(bad("an event is a map, {:type :invoke, :f :read, …}"));
            };
            if let Some(event) = self.event(&entries)? {
                self.rules.check(&event)?;
                return Ok(Some(event));
            }
        }
    }

    fn event(&mut self, entries: &[(Form, Form)]) -> Result<Option<Event>, HistoryProblem> {
        let given = |name: &str| {
            let mut named = entries.iter();
            let found = named.find(|(key, _)| matches!(key, Form::Keyword(key) if key == name));
            found.map(|(_, value)| value)
        };
        let field = |name: &str| given(name).unwrap_or(&Form::Nil);
        let process = match given("process") {
            None => 0,
            Some(Form::Int(process)) => *process,
            Some(_) => return Ok(None),
        };
        let mut event = blank();
        event.process = u32::try_from(process).map_err(|_| bad(":process is too large"))?;
        event.index = natural(field("index"), self.taken)?;
        let next = self.last_time.checked_add(1);
        let next = next.ok_or_else(|| bad(":time is too large"))?;
        event.time = natural(field("time"), next)?;
        // Once pushed on, it goes on so until a time is ahead again.
        self.is_pushed =
            event.time < self.last_time || (self.is_pushed && event.time == self.last_time);
        if self.is_pushed {
            event.time = next;
        }
        event.kind = match word(field("type")) {
            "invoke" => EventKind::Invoke,
            "ok" => EventKind::Ok,
            "fail" => EventKind::Fail,
            "info" => EventKind::Info,
            other => {
                return Err(bad(&format!(
                    ":type is {other:?}, not invoke, ok, fail or info"
                )));
            }
        };
        event.f = match given("f") {
            None | Some(Form::Nil) => Function::Txn,
            Some(name) => function(word(name))
                .ok_or_else(|| bad(&format!(":f is {:?}, which nobody knows", word(name))))?,
        };
        let mut value = value_of(field("value"));
        let mut key = field("key").clone();
        if let (Keys::InValues, Form::Items(pair)) = (self.keys, field("value"))
            && pair.len() == 2
        {
            (key, value) = (pair[0].clone(), value_of(&pair[1]));
        }
        event.key = match key {
            Form::Nil => None,
            key => Some(self.name(&key)),
        };
        event.value = value;
        if event.f == Function::Txn {
            shorten_kinds(&mut event.value);
        }
        self.taken = event
            .index
            .checked_add(1)
            .ok_or_else(|| bad(":index is too large"))?;
        self.last_time = event.time;
        Ok(Some(event))
    }

    fn name(&mut self, key: &Form) -> Arc<str> {
        let name = match value_of(key) {
            Value::Text(text) => text.to_string(),
            other => super::operation::short(&other),
        };
        let hash = Mix::of(&*name);
        let known = self
            .table
            .find(hash, |at| *self.names[at as usize] == *name);
        let known = known.unwrap_or_else(|| {
            self.table.insert(hash, self.names.len() as u32);
            self.names.push(name.into());
            self.names.len() as u32 - 1
        });
        self.names[known as usize].clone()
    }
}

impl<R: Read> Iterator for EdnReader<R> {
    type Item = Result<Event, HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.next_event();
        self.is_over = !matches!(next, Ok(Some(_)));
        let line = self.forms.line();
        next.map_err(|problem| HistoryError { line, problem })
            .transpose()
    }
}

/// Micro-operations by the names that histories have for them elsewhere.
fn shorten_kinds(transaction: &mut Value) {
    let Value::List(micros) = transaction else {
        return;
    };
    for micro in micros {
        if let Value::List(parts) = micro
            && let Some(Value::Text(kind)) = parts.first_mut()
        {
            match &**kind {
                "read" => *kind = "r".into(),
                "write" => *kind = "w".into(),
                _ => {}
            }
        }
    }
}

/// Functions by the names that Jepsen's tests give them.
pub fn function(name: &str) -> Option<Function> {
    Function::of_name(name.as_bytes()).or(match name {
        "r" | "get" => Some(Function::Read),
        "w" | "put" => Some(Function::Write),
        "lock" => Some(Function::Acquire),
        "unlock" => Some(Function::Release),
        _ => None,
    })
}

fn word(form: &Form) -> &str {
    match form {
        Form::Keyword(word) | Form::Text(word) => word,
        Form::Nil | Form::Int(_) | Form::Items(_) | Form::Map(_) => "",
    }
}

fn natural(form: &Form, otherwise: u64) -> Result<u64, HistoryProblem> {
    match form {
        // Jepsen's own mark of what is missing is -1.
        Form::Nil | Form::Int(-1) => Ok(otherwise),
        Form::Int(number) => {
            u64::try_from(*number).map_err(|_| bad(":index and :time cannot be negative"))
        }
        Form::Text(_) | Form::Keyword(_) | Form::Items(_) | Form::Map(_) => {
            Err(bad(":index and :time are integers"))
        }
    }
}

fn value_of(form: &Form) -> Value {
    match form {
        Form::Nil => Value::Nil,
        Form::Int(number) => Value::Int(*number),
        Form::Text(text) | Form::Keyword(text) => Value::Text(text.as_str().into()),
        Form::Items(items) => Value::List(items.iter().map(value_of).collect()),
        Form::Map(entries) => {
            let pairs = entries.iter();
            let pair = |(key, value)| Value::List(vec![value_of(key), value_of(value)]);
            Value::List(pairs.map(|(key, value)| pair((key, value))).collect())
        }
    }
}

/// Writes one event as one line; `[key value]` where it has a key.
///
/// # Errors
/// Those of the output.
pub fn write(output: &mut impl Write, event: &Event) -> io::Result<()> {
    let kind = match event.kind {
        EventKind::Invoke => "invoke",
        EventKind::Ok => "ok",
        EventKind::Fail => "fail",
        EventKind::Info => "info",
    };
    let mut value = String::new();
    write_value(&mut value, &event.value);
    if let Some(key) = &event.key {
        value = format!("[{:?} {value}]", &**key);
    }
    writeln!(
        output,
        "{{:index {}, :time {}, :type :{kind}, :process {}, :f :{}, :value {value}}}",
        event.index,
        event.time,
        event.process,
        event.f.name()
    )
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Nil => out.push_str("nil"),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Text(text) => out.push_str(&format!("{:?}", &**text)),
        Value::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(' ');
                }
                write_value(out, item);
            }
            out.push(']');
        }
    }
}

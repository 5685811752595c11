//! Histories of transactions told in short.
//!
//! A line is `PROCESS BEGIN END OUTCOME MICRO…`: `p0 1 4 ok ax:1 rx:1,2 ry:` is a transaction of
//! process 0 from time 1 to 4 that appended 1 to x and read [1 2] in x and nothing in y. With
//! registers `wx:1` writes and `rx:` reads nil.

use crate::history::{Event, EventKind, Function, Value};
use crate::transactions::{Demand, Dialect, TxnReport, check};

/// The events of these lines, in order of time.
pub(super) fn story(dialect: Dialect, lines: &[&str]) -> Vec<Event> {
    let mut events: Vec<(u64, u64, Event)> = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let process: u32 = words[0][1..].parse().unwrap();
        let (begin, end): (u64, u64) = (words[1].parse().unwrap(), words[2].parse().unwrap());
        let kind = match words[3] {
            "ok" => EventKind::Ok,
            "fail" => EventKind::Fail,
            _ => EventKind::Info,
        };
        let micros = words[4..].iter().map(|micro| micro_of(dialect, micro));
        let value = Value::List(micros.collect());
        // What ends at a time ends before what begins then.
        events.push((begin, 1, event(process, EventKind::Invoke, begin, &value)));
        events.push((end, 0, event(process, kind, end, &value)));
    }
    events.sort_by_key(|(time, order, _)| (*time, *order));
    let numbered = events.into_iter().enumerate();
    numbered
        .map(|(index, (_, _, event))| Event {
            index: index as u64,
            ..event
        })
        .collect()
}

/// A report of these lines, strict serializability demanded.
pub(super) fn judged(dialect: Dialect, lines: &[&str]) -> TxnReport {
    check(&story(dialect, lines), dialect, Demand::STRICT).expect("a history that can be judged")
}

fn event(process: u32, kind: EventKind, time: u64, value: &Value) -> Event {
    Event {
        index: 0,
        time,
        process,
        kind,
        f: Function::Txn,
        key: None,
        value: value.clone(),
        node: None,
        hops: Vec::new(),
        error: None,
        replicas: None,
        final_read: false,
    }
}

fn micro_of(dialect: Dialect, micro: &str) -> Value {
    let (head, tail) = micro.split_once(':').unwrap();
    let (kind, key) = head.split_at(1);
    let ints = || -> Vec<Value> {
        let parts = tail.split(',').filter(|part| !part.is_empty());
        parts
            .map(|part| Value::Int(part.parse().unwrap()))
            .collect()
    };
    let one = || ints().first().cloned().unwrap_or(Value::Nil);
    let (kind, value) = match (kind, dialect) {
        ("a", _) => ("append", one()),
        ("w", _) => ("w", one()),
        (_, Dialect::ListAppend) => ("r", Value::List(ints())),
        (_, Dialect::RwRegister) => ("r", one()),
    };
    Value::List(vec![
        Value::Text(kind.into()),
        Value::Text(key.into()),
        value,
    ])
}

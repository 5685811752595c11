//! Stories of one operation's way through the cluster.

use super::*;
use crate::workload::{Aim, Shape};

mod frames;

fn node(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new([127, 0, 0, 1].into(), port)
}

fn error(text: &str) -> RespValue {
    RespValue::Error(text.into())
}

fn bulk(text: &'static str) -> RespValue {
    RespValue::Bulk(Some(Bytes::from(text)))
}

fn ok() -> RespValue {
    RespValue::Simple("OK".into())
}

/// CLUSTER SLOTS of a cluster with one owner.
fn map(owner: u16) -> RespValue {
    let endpoint = RespValue::Array(Some(vec![
        bulk("127.0.0.1"),
        RespValue::Integer(i64::from(owner)),
    ]));
    RespValue::Array(Some(vec![RespValue::Array(Some(vec![
        RespValue::Integer(0),
        RespValue::Integer(16_383),
        endpoint,
    ]))]))
}

/// A session that knows node 1 as the owner of everything, just sent `op` there.
fn started(op: &Op) -> Session {
    let mut session = Session::new(vec![node(1), node(2), node(3)]);
    session.begin(op);
    let action = session.on_replies(vec![map(1)]);
    assert_eq!(target(&action), Some((1, first_words(&action))));
    session
}

/// Where a send goes, and the first word of each command.
fn target(action: &Action) -> Option<(u16, String)> {
    match action {
        Action::Send { to, .. } => Some((to.port(), first_words(action))),
        Action::Listen { .. } | Action::Wait { .. } | Action::Finish(_) => None,
    }
}

fn first_words(action: &Action) -> String {
    let Action::Send { commands, .. } = action else {
        return String::new();
    };
    let words = commands
        .iter()
        .map(|args| String::from_utf8_lossy(&args[0]).into_owned());
    words.collect::<Vec<_>>().join(" ")
}

fn ending(action: Action) -> (EventKind, Value, Vec<u16>, String) {
    let Action::Finish(outcome) = action else {
        panic!("not over: {action:?}");
    };
    let hops = outcome.hops.iter().map(|node| node.port()).collect();
    (
        outcome.kind,
        outcome.value,
        hops,
        outcome.error.unwrap_or_default(),
    )
}

fn read() -> Op {
    Op::read("k".into(), Shape::Register)
}

#[test]
fn fetches_the_map_first_and_asks_the_owner() {
    let mut session = Session::new(vec![node(1), node(2)]);
    let action = session.begin(&read());
    assert_eq!(first_words(&action), "CLUSTER");
    let action = session.on_replies(vec![map(7)]);
    assert_eq!(target(&action), Some((7, "GET".into())));
    let end = ending(session.on_replies(vec![bulk("12")]));
    assert_eq!(end, (EventKind::Ok, Value::Int(12), vec![], String::new()));
}

/// Proves R7: a redirection is followed, and its hop recorded.
#[test]
fn follows_moved_and_fetches_the_map_before_the_next_operation() {
    let mut session = started(&Op::write("k".into(), 5));
    let action = session.on_replies(vec![error("MOVED 7629 127.0.0.1:2")]);
    assert_eq!(target(&action), Some((2, "SET".into())));
    let end = ending(session.on_replies(vec![ok()]));
    assert_eq!(end, (EventKind::Ok, Value::Int(5), vec![1], String::new()));
    assert_eq!(first_words(&session.begin(&read())), "CLUSTER");
}

#[test]
fn follows_ask_with_asking_and_forgets_it() {
    let mut session = started(&read());
    let action = session.on_replies(vec![error("ASK 7629 127.0.0.1:2")]);
    assert_eq!(target(&action), Some((2, "ASKING GET".into())));
    let end = ending(session.on_replies(vec![ok(), bulk("1")]));
    assert_eq!((end.0, end.2), (EventKind::Ok, vec![1]));
    assert_eq!(target(&session.begin(&read())), Some((1, "GET".into())));
}

#[test]
fn waits_and_repeats_after_tryagain() {
    let mut session = started(&read());
    let action = session.on_replies(vec![error("TRYAGAIN Multiple keys")]);
    assert_eq!(
        action,
        Action::Wait {
            wait_ms: TRY_AGAIN_MS
        }
    );
    assert_eq!(target(&session.on_waited()), Some((1, "GET".into())));
}

#[test]
fn gives_up_after_sixteen_redirections() {
    let mut session = started(&Op::add("k".into(), 1));
    for hop in 0..HOPS_MAX {
        let reply = error(&format!("MOVED 7629 127.0.0.1:{}", 1 + hop % 2));
        let action = session.on_replies(vec![reply]);
        assert!(target(&action).is_some(), "hop {hop}");
    }
    let end = ending(session.on_replies(vec![error("MOVED 7629 127.0.0.1:1")]));
    assert_eq!((end.0, end.2.len()), (EventKind::Fail, HOPS_MAX));
}

/// Proves R9: a lost answer to a write ends the operation as `info`, and nothing is sent again.
#[test]
fn a_lost_write_is_unknown_and_a_lost_read_did_not_happen() {
    let table = [
        (Op::write("k".into(), 1), Breakage::Lost, EventKind::Info),
        (
            Op::write("k".into(), 1),
            Breakage::TimedOut,
            EventKind::Info,
        ),
        (Op::add("k".into(), 1), Breakage::TimedOut, EventKind::Info),
        (read(), Breakage::Lost, EventKind::Fail),
        (read(), Breakage::TimedOut, EventKind::Fail),
        (
            Op::cas("k".into(), 1, 2),
            Breakage::TimedOut,
            EventKind::Fail,
        ),
    ];
    for (op, breakage, expected) in table {
        let mut session = started(&op);
        let end = ending(session.on_broken(breakage));
        assert_eq!(end.0, expected, "{op:?} {breakage:?}");
        assert_eq!(first_words(&session.begin(&read())), "CLUSTER");
    }
}

#[test]
fn a_refused_connection_is_followed_to_the_new_owner() {
    let mut session = started(&Op::write("k".into(), 1));
    let action = session.on_broken(Breakage::NotSent);
    assert_eq!(first_words(&action), "CLUSTER");
    let action = session.on_replies(vec![map(3)]);
    assert_eq!(target(&action), Some((3, "SET".into())));
    assert_eq!(ending(session.on_replies(vec![ok()])).0, EventKind::Ok);
}

#[test]
fn a_refused_connection_is_a_definite_fail_when_nobody_else_owns_the_slot() {
    let mut session = started(&Op::write("k".into(), 1));
    session.on_broken(Breakage::NotSent);
    let end = ending(session.on_replies(vec![map(1)]));
    assert_eq!(end.0, EventKind::Fail);
}

#[test]
fn goes_on_without_a_map_when_nobody_gives_one() {
    let mut session = Session::new(vec![node(1), node(2)]);
    session.begin(&read());
    let action = session.on_broken(Breakage::TimedOut);
    assert_eq!(first_words(&action), "GET");
}

#[test]
fn errors_end_as_the_table_says() {
    let table = [
        ("CLUSTERDOWN The cluster is down", EventKind::Fail),
        ("READONLY You can't write", EventKind::Fail),
        ("NOREPLICAS Not enough", EventKind::Fail),
        ("STRANGE new error", EventKind::Info),
    ];
    for (text, expected) in table {
        let mut session = started(&Op::write("k".into(), 1));
        let end = ending(session.on_replies(vec![error(text)]));
        assert_eq!((end.0, end.3.as_str()), (expected, text));
    }
}

#[test]
fn compares_and_sets_on_one_connection() {
    let mut session = started(&Op::cas("k".into(), 1, 2));
    let action = session.on_replies(vec![ok(), ok(), bulk("1")]);
    assert_eq!(target(&action), Some((1, "MULTI SET EXEC".into())));
    assert!(matches!(
        action,
        Action::Send {
            on: Connection::Same,
            ..
        }
    ));
    let exec = RespValue::Array(Some(vec![ok()]));
    let queued = RespValue::Simple("QUEUED".into());
    let end = ending(session.on_replies(vec![ok(), queued, exec]));
    let pair = Value::List(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(end, (EventKind::Ok, pair, vec![], String::new()));
}

#[test]
fn releases_the_watch_when_the_value_differs() {
    let mut session = started(&Op::cas("k".into(), 1, 2));
    let action = session.on_replies(vec![ok(), ok(), bulk("9")]);
    assert_eq!(target(&action), Some((1, "UNWATCH".into())));
    assert_eq!(ending(session.on_replies(vec![ok()])).0, EventKind::Fail);
}

#[test]
fn the_reply_to_exec_decides() {
    let table = [
        (RespValue::Array(None), EventKind::Fail),
        (RespValue::Bulk(None), EventKind::Fail),
        (error("EXECABORT Transaction discarded"), EventKind::Fail),
        (
            RespValue::Array(Some(vec![error("OOM no memory")])),
            EventKind::Fail,
        ),
        (RespValue::Array(Some(vec![])), EventKind::Info),
        (RespValue::Integer(1), EventKind::Info),
    ];
    for (reply, expected) in table {
        let mut session = started(&Op::cas("k".into(), 1, 2));
        session.on_replies(vec![ok(), ok(), bulk("1")]);
        let end = ending(session.on_replies(vec![ok(), ok(), reply.clone()]));
        assert_eq!(end.0, expected, "{reply:?}");
    }
}

/// Proves RD-11: a slot that moved before EXEC discards the transaction, so it may be repeated.
#[test]
fn begins_a_compare_and_set_anew_at_the_new_owner() {
    let mut session = started(&Op::cas("k".into(), 1, 2));
    session.on_replies(vec![ok(), ok(), bulk("1")]);
    let moved = error("MOVED 7629 127.0.0.1:2");
    let action = session.on_replies(vec![ok(), moved.clone(), moved]);
    assert_eq!(target(&action), Some((2, "UNWATCH WATCH GET".into())));
}

fn txn(micros: Vec<(&str, &str, Value)>) -> Value {
    let micro = |(kind, key, value): (&str, &str, Value)| {
        Value::List(vec![
            Value::Text(kind.into()),
            Value::Text(key.into()),
            value,
        ])
    };
    Value::List(micros.into_iter().map(micro).collect())
}

fn append_and_read() -> Op {
    let micros = vec![("append", "{k}1", Value::Int(7)), ("r", "{k}2", Value::Nil)];
    Op::on(Shape::Lists, "{k}".into(), Function::Txn, txn(micros))
}

#[test]
fn a_transaction_is_one_write_and_its_reads_are_filled_in() {
    let mut session = started(&append_and_read());
    let queued = || RespValue::Simple("QUEUED".into());
    let list = RespValue::Array(Some(vec![bulk("9"), bulk("3")]));
    let exec = RespValue::Array(Some(vec![RespValue::Integer(1), list]));
    let end = ending(session.on_replies(vec![ok(), queued(), queued(), exec]));
    let read = Value::List(vec![Value::Int(9), Value::Int(3)]);
    let expected = txn(vec![("append", "{k}1", Value::Int(7)), ("r", "{k}2", read)]);
    assert_eq!((end.0, end.1), (EventKind::Ok, expected));
}

/// Proves RD-10: a command refused while queued makes EXEC discard the transaction.
#[test]
fn a_transaction_that_was_redirected_begins_anew_at_the_owner() {
    let mut session = started(&append_and_read());
    let moved = error("MOVED 7629 127.0.0.1:2");
    let abort = error("EXECABORT Transaction discarded");
    let action = session.on_replies(vec![ok(), moved.clone(), moved, abort]);
    assert_eq!(target(&action), Some((2, "MULTI RPUSH LRANGE EXEC".into())));
}

#[test]
fn a_lost_transaction_is_unknown_unless_it_only_reads() {
    let reads = txn(vec![("r", "{k}1", Value::Nil)]);
    let reads = Op::on(Shape::Lists, "{k}".into(), Function::Txn, reads);
    let pair = Value::List(vec![Value::Int(0), Value::Int(1), Value::Int(5)]);
    let bank = Shape::Bank { accounts: 2 };
    let transfer = Op::on(bank, "{k}".into(), Function::Transfer, pair);
    let table = [
        (append_and_read(), EventKind::Info),
        (transfer, EventKind::Info),
        (reads, EventKind::Fail),
    ];
    for (op, expected) in table {
        let mut session = started(&op);
        assert_eq!(ending(session.on_broken(Breakage::TimedOut)).0, expected);
    }
}

#[test]
fn a_transaction_half_of_which_failed_is_unknown() {
    let mut session = started(&append_and_read());
    let exec = RespValue::Array(Some(vec![RespValue::Integer(1), error("WRONGTYPE")]));
    let end = ending(session.on_replies(vec![ok(), ok(), ok(), exec]));
    assert_eq!(end.0, EventKind::Info);
}

#[test]
fn a_lost_exec_is_unknown_and_one_not_sent_did_not_happen() {
    let table = [
        (Breakage::Lost, EventKind::Info),
        (Breakage::TimedOut, EventKind::Info),
        (Breakage::NotSent, EventKind::Fail),
    ];
    for (breakage, expected) in table {
        let mut session = started(&Op::cas("k".into(), 1, 2));
        session.on_replies(vec![ok(), ok(), bulk("1")]);
        assert_eq!(ending(session.on_broken(breakage)).0, expected);
    }
}

#[test]
fn a_pinned_operation_asks_its_node_only() {
    let mut op = Op::add("k".into(), 1);
    op.aim = Aim::Node(node(3));
    let mut session = Session::new(vec![node(1)]);
    assert_eq!(target(&session.begin(&op)), Some((3, "SADD".into())));
    let end = ending(session.on_replies(vec![error("MOVED 7629 127.0.0.1:1")]));
    assert_eq!((end.0, end.2), (EventKind::Fail, vec![]));
    session.begin(&op);
    assert_eq!(
        ending(session.on_broken(Breakage::NotSent)).0,
        EventKind::Fail
    );
}

#[test]
fn a_stray_operation_begins_anywhere_and_follows_redirections() {
    let stray = Op {
        aim: Aim::Anyone,
        ..Op::read("k".into(), Shape::Register)
    };
    let mut session = Session::new(vec![node(1), node(2)]);
    assert_eq!(target(&session.begin(&stray)), Some((1, "GET".into())));
    let next = session.on_replies(vec![error("MOVED 7629 127.0.0.1:2")]);
    assert_eq!(target(&next), Some((2, "GET".into())));
    let end = ending(session.on_replies(vec![bulk("7")]));
    assert_eq!((end.0, end.2.len()), (EventKind::Ok, 1));
}

#[test]
fn the_members_of_a_set_are_sorted() {
    let mut session = started(&Op::read("k".into(), Shape::Set));
    let members = RespValue::Array(Some(vec![bulk("10"), bulk("9")]));
    let end = ending(session.on_replies(vec![members]));
    assert_eq!(end.1, Value::List(vec![Value::Int(9), Value::Int(10)]));
}

//! What stands around an operation, and operations in two steps: replicas, WAIT, consumer groups,
//! subscriptions.

use super::*;

/// CLUSTER SLOTS of a cluster with one owner and one replica.
fn map_with_replica(owner: u16, replica: u16) -> RespValue {
    let endpoint = |port: u16| {
        RespValue::Array(Some(vec![
            bulk("127.0.0.1"),
            RespValue::Integer(i64::from(port)),
        ]))
    };
    RespValue::Array(Some(vec![RespValue::Array(Some(vec![
        RespValue::Integer(0),
        RespValue::Integer(16_383),
        endpoint(owner),
        endpoint(replica),
    ]))]))
}

fn finished(action: Action) -> Outcome {
    match action {
        Action::Finish(outcome) => outcome,
        other => panic!("expected the end, got {other:?}"),
    }
}

/// Proves RP-08: READONLY lasts for one read, so the connection stays what it was.
#[test]
fn reads_a_replica_between_readonly_and_readwrite() {
    let mut op = Op::read("k".into(), Shape::Register);
    op.f = Function::ReplicaRead;
    let mut session = Session::new(vec![node(1)]);
    session.begin(&op);
    let action = session.on_replies(vec![map_with_replica(1, 4)]);
    let words = "READONLY GET READWRITE".to_string();
    assert_eq!(target(&action), Some((4, words)));
    let outcome = finished(session.on_replies(vec![ok(), bulk("7"), ok()]));
    assert_eq!(
        (outcome.kind, outcome.value),
        (EventKind::Ok, Value::Int(7))
    );
}

#[test]
fn wait_tells_how_many_replicas_have_the_write() {
    let mut op = Op::write("k".into(), 7);
    op.wait = Some(crate::workload::Wait {
        replicas: 2,
        wait_ms: 100,
    });
    let mut session = started(&op);
    let outcome = finished(session.on_replies(vec![ok(), RespValue::Integer(1)]));
    assert_eq!((outcome.kind, outcome.replicas), (EventKind::Ok, Some(1)));
    // A redirection refuses the write, whatever WAIT said.
    let mut session = started(&op);
    let refused = error("CLUSTERDOWN The cluster is down");
    let outcome = finished(session.on_replies(vec![refused, RespValue::Integer(1)]));
    assert_eq!(outcome.kind, EventKind::Fail);
}

#[test]
fn values_are_as_long_as_asked_and_read_back_the_same() {
    let mut op = Op::write("k".into(), 7);
    op.value_bytes = 10;
    let mut session = Session::new(vec![node(1)]);
    session.begin(&op);
    match session.on_replies(vec![map(1)]) {
        Action::Send { commands, .. } => assert_eq!(&commands[0][2][..], b"0000000007"),
        other => panic!("{other:?}"),
    }
    let mut session = started(&Op::read("k".into(), Shape::Register));
    let outcome = finished(session.on_replies(vec![bulk("0000000007")]));
    assert_eq!(outcome.value, Value::Int(7));
}

fn entry(id: &'static str, element: &'static str) -> RespValue {
    let fields = RespValue::Array(Some(vec![bulk("e"), bulk(element)]));
    RespValue::Array(Some(vec![bulk(id), fields]))
}

#[test]
fn an_element_of_a_group_counts_once_it_is_acknowledged() {
    let op = Op::on(Shape::Stream, "k".into(), Function::Dequeue, Value::Nil);
    let delivered = || {
        let entries = RespValue::Array(Some(vec![entry("1-1", "5")]));
        let stream = RespValue::Array(Some(vec![bulk("k"), entries]));
        RespValue::Array(Some(vec![stream]))
    };
    let busy_group = || error("BUSYGROUP Consumer Group name already exists");
    let mut session = started(&op);
    let action = session.on_replies(vec![busy_group(), delivered()]);
    assert_eq!(first_words(&action), "XACK XDEL");
    let one = RespValue::Integer;
    let outcome = finished(session.on_replies(vec![one(1), one(1)]));
    assert_eq!(
        (outcome.kind, outcome.value),
        (EventKind::Ok, Value::Int(5))
    );
    let mut session = started(&op);
    session.on_replies(vec![busy_group(), delivered()]);
    let outcome = finished(session.on_broken(Breakage::Lost));
    assert_eq!(outcome.kind, EventKind::Info, "it may be acknowledged");
    let mut session = started(&op);
    let outcome = finished(session.on_broken(Breakage::Lost));
    assert_eq!(outcome.kind, EventKind::Fail, "it is pending");
    let mut session = started(&op);
    let nothing = RespValue::Array(None);
    let outcome = finished(session.on_replies(vec![busy_group(), nothing]));
    assert_eq!((outcome.kind, outcome.value), (EventKind::Ok, Value::Nil));
}

#[test]
fn who_waits_for_an_element_of_a_group_does_so_on_a_connection_of_its_own() {
    let wait = Value::List(vec![Value::Text("wait".into()), Value::Int(1500)]);
    let op = Op::on(Shape::Stream, "k".into(), Function::Dequeue, wait);
    let mut session = Session::new(vec![node(1)]);
    session.begin(&op);
    let action = session.on_replies(vec![map(1)]);
    let Action::Send { commands, on, .. } = &action else {
        panic!("{action:?}");
    };
    let words: Vec<&str> = commands[1]
        .iter()
        .map(|word| std::str::from_utf8(word).unwrap())
        .collect();
    let expected = "XREADGROUP GROUP g c COUNT 1 BLOCK 1500 STREAMS k >";
    assert_eq!((words.join(" ").as_str(), *on), (expected, Connection::Own));
    let outcome = finished(session.on_broken(Breakage::TimedOut));
    let told = (outcome.kind, outcome.error.as_deref());
    assert_eq!(told, (EventKind::Fail, Some("timed out")));
}

#[test]
fn a_subscriber_gives_its_messages_in_order() {
    let shape = Shape::Channel(Reach::Shard);
    let op = Op::on(shape, "k".into(), Function::Receive, Value::Int(500));
    let mut session = Session::new(vec![node(1)]);
    session.begin(&op);
    let action = session.on_replies(vec![map(1)]);
    assert!(
        matches!(&action, Action::Listen { listen_ms: 500, .. }),
        "{action:?}"
    );
    assert_eq!(session.patience_ms(), 500 + REPLY_TIMEOUT_MS);
    let push = |kind: &'static str, what: RespValue| {
        RespValue::Array(Some(vec![bulk(kind), bulk("k"), what]))
    };
    let heard = vec![
        push("ssubscribe", RespValue::Integer(1)),
        push("smessage", bulk("3")),
        push("smessage", bulk("2")),
        push("sunsubscribe", RespValue::Integer(0)),
    ];
    let outcome = finished(session.on_replies(heard));
    let messages = Value::List(vec![Value::Int(3), Value::Int(2)]);
    assert_eq!((outcome.kind, outcome.value), (EventKind::Ok, messages));
}

#[test]
fn zeros_before_a_number_change_nothing_however_many() {
    for number in [0, 7, 42_000_000, -3, i64::MAX, i64::MIN] {
        for bytes in 1..70 {
            let sign = if number < 0 { "-" } else { "" };
            let digits = number.unsigned_abs();
            let text = format!("{sign}{digits:0>bytes$}");
            let value = super::commands::value_of(&RespValue::Simple(text));
            assert_eq!(value, Value::Int(number), "{bytes} bytes");
        }
    }
    for text in ["00000000+5", "00000000x", "0000000000000000-1"] {
        let value = super::commands::value_of(&RespValue::Simple(text.into()));
        assert_eq!(value, Value::Text(text.into()));
    }
}

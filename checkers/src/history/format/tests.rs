//! Each form gives the events of the others, and refuses damage with its place and the reason.

use super::super::binary::BinaryWriter;
use super::super::edn;
use super::*;
use crate::history::{EventKind, Function, Value};

const JSON: &str = r#"
{"index":0,"time":5,"process":1,"type":"invoke","f":"write","key":"k","value":7}
{"index":1,"time":6,"process":2,"type":"invoke","f":"cas","key":"k","value":[7,-8]}
{"index":4,"time":9,"process":1,"type":"ok","f":"write","key":"k","value":7}
{"index":5,"time":9,"process":2,"type":"info","f":"cas","key":"k"}
{"index":6,"time":12,"process":3,"type":"invoke","f":"read","key":"l","value":null}
{"index":7,"time":90,"process":3,"type":"ok","f":"read","key":"l","value":[1,"x",[]]}
"#;

fn events(format: Format, keys: Keys, bytes: &[u8]) -> Vec<Event> {
    read(format, keys, bytes)
        .collect::<Result<_, _>>()
        .expect("a good history")
}

fn refusal(format: Format, bytes: &[u8]) -> String {
    let read: Result<Vec<Event>, _> = read(format, Keys::Apart, bytes).collect();
    read.expect_err("a bad history").to_string()
}

fn binary(events: &[Event]) -> Vec<u8> {
    let mut writer = BinaryWriter::new(Vec::new()).expect("memory");
    events
        .iter()
        .for_each(|event| writer.write(event).expect("memory"));
    writer.finish().expect("memory")
}

#[test]
fn binary_and_edn_give_back_what_they_took() {
    let expected = events(Format::Jsonl, Keys::Apart, JSON.as_bytes());
    assert_eq!(expected.len(), 6);
    let bytes = binary(&expected);
    assert!(bytes.len() * 5 < JSON.len(), "{} bytes", bytes.len());
    assert_eq!(Format::of_beginning(&bytes), Format::Binary);
    assert_eq!(events(Format::Binary, Keys::Apart, &bytes), expected);
    let mut text = Vec::new();
    expected
        .iter()
        .for_each(|event| edn::write(&mut text, event).expect("memory"));
    assert_eq!(Format::of_beginning(&text), Format::Edn);
    assert_eq!(events(Format::Edn, Keys::InValues, &text), expected);
}

fn collected(format: Format, bytes: &[u8]) -> String {
    match collect(format, Keys::Apart, bytes) {
        Ok(log) => told(&log),
        Err(error) => error.to_string(),
    }
}

fn observed(format: Format, bytes: &[u8]) -> String {
    let mut collector = Collector::default();
    let read = each(format, Keys::Apart, bytes, |event| collector.observe(event));
    match read {
        Ok(()) => told(&collector.finish()),
        Err(error) => error.to_string(),
    }
}

/// Keys without operations are those of other names.
fn told(log: &Log) -> String {
    let mut told = String::new();
    let of_keys = log.keys.iter().zip(&log.ops);
    for (key, ops) in of_keys.filter(|(_, ops)| !ops.is_empty()) {
        told += &format!("{key}\n");
        for op in ops {
            let (argument, result) = (log.atoms.value(op.argument), log.atoms.value(op.result));
            let times = (op.invoked, op.completed, op.index, op.process);
            told += &format!(
                "{times:?} {:?} {argument:?} {result:?} {:?}\n",
                op.f, op.outcome
            );
        }
    }
    told
}

/// More events than a reader has at hand at once, of all forms, on many keys.
fn many() -> Vec<Event> {
    let mut all = Vec::new();
    for number in 0..30_000_u64 {
        let mut event = super::blank();
        let process = (number % 7) as u32;
        event.process = process + 7 * (number / 3000) as u32;
        event.f = Function::ALL[(number % 18) as usize];
        event.key = (number % 5 > 0).then(|| format!("key {}", number % 311).into());
        event.value = match number % 6 {
            0 => Value::Text(format!("text {}", number % 100).into()),
            1 => Value::Int(i64::MIN + number as i64),
            2 => Value::Int(-(number as i64)),
            _ => Value::Int(number as i64),
        };
        if matches!(event.f, Function::Cas | Function::Txn) {
            event.value = Value::List(vec![event.value.clone(), Value::Nil]);
        }
        event.node = (number % 4 == 0).then(|| crate::observation::NodeName("n1".into()));
        event.replicas = (number % 9 == 0).then_some(2);
        event.final_read = number % 1000 == 0;
        for kind in [EventKind::Invoke, EventKind::Ok] {
            event.index = all.len() as u64;
            event.time = all.len() as u64 * 1_000_003;
            event.kind = match (kind, number % 11) {
                (EventKind::Ok, 3) => EventKind::Fail,
                (EventKind::Ok, 4) => EventKind::Info,
                (kind, _) => kind,
            };
            all.push(event.clone());
        }
    }
    all
}

#[test]
fn operations_are_the_same_with_and_without_events_between() {
    let many = many();
    let binary = binary(&many);
    let mut jsonl = crate::history::jsonl::HistoryWriter::new(Vec::new()).expect("memory");
    many.iter()
        .for_each(|event| jsonl.write(event).expect("memory"));
    let jsonl = jsonl.finish().expect("memory");
    let expected = observed(Format::Jsonl, &jsonl);
    assert!(expected.lines().count() > 28_000);
    for (format, bytes) in [(Format::Jsonl, &jsonl), (Format::Binary, &binary)] {
        // Whole, they would fill many screens.
        assert!(collected(format, bytes) == expected, "{format:?}");
        assert!(observed(format, bytes) == expected, "{format:?}");
    }
}

#[test]
fn damage_is_refused_alike_with_and_without_events_between() {
    let good = events(Format::Jsonl, Keys::Apart, JSON.as_bytes());
    for (format, bytes) in [
        (Format::Jsonl, JSON.as_bytes().to_vec()),
        (Format::Binary, binary(&good)),
    ] {
        for place in 0..bytes.len() {
            for byte in [0, 1, b'9', b'"', b'e', 0x7f, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[place] = byte;
                let (one, other) = (collected(format, &bytes), observed(format, &bytes));
                assert_eq!(one, other, "{byte} at {place} of {format:?}");
            }
            let bytes = &bytes[..place];
            assert_eq!(collected(format, bytes), observed(format, bytes), "{place}");
        }
    }
}

#[test]
fn reads_the_vectors_and_records_that_jepsen_writes() {
    let text = "[#jepsen.history.Op{:index 0, :time 3, :type :invoke, :process 0, :f :w,\n\
                :value 4}\n\
                {:type :info, :process :nemesis, :f :start, :value nil} ; the nemesis\n\
                {:type :ok, :process 0, :f :w, :value 4, :error #{:a #_ 1}, #_ :gone}]";
    let read = events(Format::Edn, Keys::Apart, text.as_bytes());
    assert_eq!(read.len(), 2);
    assert_eq!((read[1].kind, read[1].f), (EventKind::Ok, Function::Write));
    assert_eq!((read[1].index, read[1].time), (1, 4));
}

#[test]
fn what_stands_later_in_an_edn_history_is_later() {
    let text = "{:type :invoke, :process 0, :f :w, :value 4, :time 90}\n\
                {:type :ok, :process 0, :f :w, :value 4, :time 80}\n\
                {:type :invoke, :process 0, :f :w, :value 5, :time 91}\n";
    let read = events(Format::Edn, Keys::Apart, text.as_bytes());
    let times: Vec<u64> = read.iter().map(|event| event.time).collect();
    assert_eq!(times, [90, 91, 92]);
}

#[test]
fn reads_transactions_without_process_and_function() {
    let text = "{:index 0 :type :invoke :value [[:write :x 1] [:read :x nil]]}\n\
                {:index 1 :type :ok :value [[:write :x 1] [:read :x 1]]}\n";
    let read = events(Format::Edn, Keys::Apart, text.as_bytes());
    assert_eq!((read[1].process, read[1].f), (0, Function::Txn));
    let micro = |kind: &str| {
        let parts = [
            Value::Text(kind.into()),
            Value::Text("x".into()),
            Value::Int(1),
        ];
        Value::List(parts.to_vec())
    };
    assert_eq!(read[1].value, Value::List(vec![micro("w"), micro("r")]));
}

#[test]
fn reads_the_logs_that_porcupine_reads() {
    let text = "INFO  jepsen.util - 0\t:invoke\t:cas\t[0 1]\nINFO  jepsen.core - nothing\n\
                INFO  jepsen.util - 0\t:info\t:cas\t:timed-out\n";
    assert_eq!(Format::of_beginning(text.as_bytes()), Format::Porcupine);
    let read = events(Format::Porcupine, Keys::Apart, text.as_bytes());
    assert_eq!(
        read[0].value,
        Value::List(vec![Value::Int(0), Value::Int(1)])
    );
    assert_eq!(read[1].kind, EventKind::Info);
}

#[test]
fn damage_is_refused_with_its_place_and_the_reason() {
    let deep = "[".repeat(100_000);
    let deep_value = format!("{{:process 0, :type :invoke, :f :read, :value {deep}");
    let deep_json = format!(
        "{{\"index\":0,\"time\":1,\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":{deep}"
    );
    let cases: [(Format, &[u8], &str); 8] = [
        (
            Format::Edn,
            deep_value.as_bytes(),
            "line 1: edn: forms nested too deep",
        ),
        (
            Format::Jsonl,
            deep_json.as_bytes(),
            "line 1: recursion limit",
        ),
        (
            Format::Edn,
            b"\n{:type :ok",
            "line 2: edn: the history ends",
        ),
        (
            Format::Edn,
            b"{:process 0 :f :fly :type :ok}",
            "line 1: edn: :f is \"fly\"",
        ),
        (
            Format::Edn,
            b"{:process 0 :f :r :type :ok}",
            "line 1: process 0 completes",
        ),
        (
            Format::Porcupine,
            b"INFO - 0 :invoke :cas [0 1",
            "line 1: cannot be read: a value",
        ),
        (
            Format::Binary,
            b"SLQH\x02\x09\x00",
            "line 1: binary: a block of no known length",
        ),
        (
            Format::Binary,
            b"SLQH\x01",
            "line 0: binary: version 1 of the form",
        ),
    ];
    for (format, bytes, expected) in cases {
        let told = refusal(format, bytes);
        assert!(told.starts_with(expected), "{told:?}, not {expected:?}");
    }
}

#[test]
fn no_damage_makes_a_reader_panic() {
    let good = binary(&events(Format::Jsonl, Keys::Apart, JSON.as_bytes()));
    for place in 0..good.len() {
        for byte in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[place] = byte;
            for format in [
                Format::Jsonl,
                Format::Binary,
                Format::Edn,
                Format::Porcupine,
            ] {
                read(format, Keys::InValues, &bytes[..]).for_each(drop);
            }
        }
    }
}

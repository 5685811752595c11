//! What is packed is what is read, in memory and in a file, and numbers of all lengths are read.

use super::rows::Rows;
use super::*;
use crate::history::event::{Event, Function};
use crate::history::jsonl::fast::blank;
use crate::history::value::Value;
use crate::observation::NodeName;

/// Events that no reader of files would take, with everything an event may have.
fn wild(count: u64) -> Vec<Event> {
    let event = |number: u64| Event {
        index: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (number % 64),
        time: number.wrapping_mul(0xd6e8_feb8_6659_fd93) >> (number % 61),
        process: (number * 0x0101_0101) as u32,
        kind: KINDS[number as usize % 4],
        f: Function::ALL[number as usize % Function::ALL.len()],
        key: (!number.is_multiple_of(5)).then(|| format!("key {}", number % 777).into()),
        value: match number % 7 {
            0 => Value::Nil,
            1 => Value::Int(i64::MIN + number as i64),
            2 => Value::Int(i64::MAX - number as i64),
            3 => Value::Text("x".repeat(number as usize % 300).into()),
            4 => Value::List(vec![Value::Nil, Value::Text("".into()), Value::Int(-1)]),
            5 => Value::List(vec![Value::List(vec![Value::Int(number as i64)])]),
            _ => Value::Int(number as i64),
        },
        node: (!number.is_multiple_of(3)).then(|| NodeName::numbered(number as usize % 9)),
        hops: (0..number % 4)
            .map(|hop| NodeName::numbered(hop as usize))
            .collect(),
        error: number
            .is_multiple_of(11)
            .then(|| format!("ERR {}", number % 20).into()),
        replicas: number.is_multiple_of(13).then_some(number as u32 % 3),
        final_read: number.is_multiple_of(17),
    };
    (0..count).map(event).collect()
}

#[test]
fn a_tape_gives_back_what_it_took() {
    let events = wild(30_000);
    let mut tape = Tape::default();
    assert!(!tape.replay().read(&mut blank()));
    events.iter().for_each(|event| tape.push(event));
    assert!(tape.blocks().0.len() > 2 && !tape.blocks().1.is_empty());
    let (mut replay, mut read) = (tape.replay(), blank());
    for event in &events {
        assert!(replay.read(&mut read));
        assert_eq!(read, *event);
    }
    assert!(!replay.read(&mut read) && !replay.read(&mut read));
}

#[test]
fn a_tape_is_written_as_a_writer_writes() {
    let mut writer = BinaryWriter::new(Vec::new()).unwrap();
    let mut tape = Tape::default();
    for event in wild(20_000) {
        writer.write(&event).unwrap();
        tape.push(&event);
    }
    let mut written = Vec::new();
    tape.write(&mut written).unwrap();
    assert!(written == writer.finish().unwrap());
}

#[test]
fn numbers_of_all_lengths_are_read() {
    for bits in 0..64 {
        for number in [1_u64 << bits, (1 << bits) - 1, u64::MAX >> bits] {
            let mut event = blank();
            (event.index, event.time) = (number, number);
            let mut tape = Tape::default();
            tape.push(&event);
            // Alone at the end of a block, and with others behind it.
            for _ in 0..2 {
                let mut read = blank();
                assert!(tape.replay().read(&mut read));
                assert_eq!((read.index, read.time), (number, number));
                tape.push(&event);
            }
        }
    }
}

#[test]
fn a_number_that_never_ends_is_refused() {
    for length in 0..20 {
        let mut bytes = vec![0; 2];
        bytes.extend(vec![0xff; length]);
        assert!(Rows::of(&bytes).next((0, 0)).is_err(), "{length} bytes");
    }
}

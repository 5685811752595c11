//! Histories that are taken, and one of each kind that is not.
//!
//! Each refusal must name the line, counted from 1, and the reason.

use super::*;

fn read(text: &str) -> Result<Vec<Event>, HistoryError> {
    HistoryReader::new(text.as_bytes()).collect()
}

fn refusal(text: &str) -> String {
    read(text).expect_err("a bad history").to_string()
}

fn line(index: u64, time: u64, process: u32, kind: &str) -> String {
    format!("{{\"index\":{index},\"time\":{time},\"process\":{process},\"type\":\"{kind}\",")
        + "\"f\":\"write\",\"key\":\"k\",\"value\":1}\n"
}

#[test]
fn reads_what_it_writes() {
    let text = line(0, 5, 1, "invoke") + &line(1, 9, 1, "ok");
    let events = read(&text).unwrap();
    let mut writer = HistoryWriter::new(Vec::new()).unwrap();
    for event in &events {
        writer.write(event).unwrap();
    }
    let written = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert!(written.starts_with("{\"slotquake-history\":1}\n"));
    assert_eq!(read(&written).unwrap(), events);
}

#[test]
fn reads_an_empty_history() {
    assert!(read("").unwrap().is_empty());
    assert!(read("{\"slotquake-history\":1}\n").unwrap().is_empty());
}

#[test]
fn refuses_each_kind_of_bad_line_with_its_number_and_reason() {
    let invoke = line(0, 5, 1, "invoke");
    let cases = [
        (
            "{\"slotquake-history\":2}".into(),
            "line 1: history format 2",
        ),
        (
            invoke.clone() + "{\"slotquake-history\":1}",
            "line 2: the format header",
        ),
        (invoke.clone() + "{", "line 2: EOF"),
        (invoke.clone() + "{\"index\":1}", "line 2: missing field"),
        (
            invoke.clone() + &line(0, 6, 1, "ok"),
            "line 2: index 0 follows index 0",
        ),
        (
            invoke.clone() + &line(1, 4, 1, "ok"),
            "line 2: time 4 is before 5",
        ),
        (
            invoke.clone() + &line(1, 6, 2, "ok"),
            "line 2: process 2 completes",
        ),
        (
            invoke.clone() + "\n\n" + &line(1, 6, 1, "invoke"),
            "line 4: process 1 invokes while its operation of index 0",
        ),
        (
            invoke.clone() + &line(1, 6, 1, "ok").replace("write", "read"),
            "line 2: process 1 completes Read of k, but invoked Write of k",
        ),
        (invoke.replace("write", "cas"), "line 1: a cas needs"),
        (
            invoke.replace("\"value\":1", "\"value\":1.5"),
            "line 1: invalid type: floating point",
        ),
    ];
    for (text, expected) in cases {
        let text: String = text;
        let told = refusal(&text);
        assert!(told.starts_with(expected), "{told:?} for {text:?}");
    }
}

#[test]
fn stops_at_the_first_bad_line() {
    let text = "{\n".to_string() + &line(0, 5, 1, "invoke");
    let mut reader = HistoryReader::new(text.as_bytes());
    assert!(reader.next().unwrap().is_err());
    assert!(reader.next().is_none());
}

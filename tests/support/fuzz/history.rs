//! What judges read from files: histories, and every other stream of a recording.

use slotquake_checkers::history::Events;
use slotquake_checkers::history::edn::{self, Keys};
use slotquake_checkers::history::format::{Format, collect, each, read};
use slotquake_checkers::history::jsonl::{HistoryReader, HistoryWriter};
use slotquake_checkers::observation::{Fault, Lifecycle, Packet, View};
use slotquake_checkers::recording::{read_history, read_setting, read_stream, write_stream};

/// The same bytes as each of the streams.
pub(super) fn lines(input: &[u8]) {
    history(input);
    forms(input);
    let _setting = read_setting(input).map(|setting| format!("{setting:?}"));
    round_trip::<Packet>(input);
    round_trip::<View>(input);
    round_trip::<Fault>(input);
    round_trip::<Lifecycle>(input);
}

fn history(input: &[u8]) {
    let events: Vec<_> = HistoryReader::new(input).map_while(Result::ok).collect();
    let mut packed = Events::packing_beyond(0);
    events.iter().for_each(|event| packed.push(event.clone()));
    assert!(
        packed.iter().eq(events.iter().cloned()),
        "packed and unpacked"
    );
    let mut writer = HistoryWriter::new(Vec::new()).expect("memory");
    for event in &events {
        writer.write(event).expect("memory");
    }
    let written = writer.finish().expect("memory");
    let again = read_history(Format::Jsonl, written.as_slice());
    let again = again.expect("a judge reads what it writes");
    assert_eq!(
        again.iter().collect::<Vec<_>>(),
        events,
        "written and read again"
    );
}

/// Whatever form the bytes have: those that are read one by one are read alike all together.
fn forms(input: &[u8]) {
    for form in [
        Format::Jsonl,
        Format::Binary,
        Format::Edn,
        Format::Porcupine,
    ] {
        let read: Result<Vec<_>, _> = read(form, Keys::InValues, input).collect();
        let mut count = 0;
        let each = each(form, Keys::Apart, input, |_| count += 1);
        let collected = collect(form, Keys::Apart, input);
        assert_eq!(
            each.map_err(|error| error.to_string()),
            collected.map(drop).map_err(|error| error.to_string())
        );
        if let (Format::Edn, Ok(events)) = (form, read) {
            let mut written = Vec::new();
            for event in &events {
                edn::write(&mut written, event).expect("memory");
            }
        }
    }
}

fn round_trip<T>(input: &[u8])
where
    T: serde::Serialize + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let Ok(items) = read_stream::<T>("fuzz", input) else {
        return;
    };
    let mut written = Vec::new();
    write_stream(&mut written, &items).expect("memory");
    let again = read_stream::<T>("fuzz", written.as_slice()).expect("a judge reads what it writes");
    assert_eq!(format!("{items:?}"), format!("{again:?}"));
}

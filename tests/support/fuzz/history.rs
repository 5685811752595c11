//! What judges read from files: histories, and every other stream of a recording.

use slotquake_checkers::history::jsonl::{HistoryReader, HistoryWriter};
use slotquake_checkers::observation::{Fault, Lifecycle, Packet, View};
use slotquake_checkers::recording::{read_history, read_setting, read_stream, write_stream};

/// The same bytes as each of the streams.
pub(super) fn lines(input: &[u8]) {
    history(input);
    let _setting = read_setting(input).map(|setting| format!("{setting:?}"));
    round_trip::<Packet>(input);
    round_trip::<View>(input);
    round_trip::<Fault>(input);
    round_trip::<Lifecycle>(input);
}

fn history(input: &[u8]) {
    let events: Vec<_> = HistoryReader::new(input).map_while(Result::ok).collect();
    let mut writer = HistoryWriter::new(Vec::new()).expect("memory");
    for event in &events {
        writer.write(event).expect("memory");
    }
    let written = writer.finish().expect("memory");
    let again = read_history(written.as_slice()).expect("a judge reads what it writes");
    assert_eq!(events, again, "written and read again");
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

//! Slots on their way: who gives them away, takes them, sends clients after them, and keeps them.

use super::*;
use crate::history::{Function, Value};
use crate::observation::View;
use crate::test_support::{Ends, int};

/// In slot 0, of n1.
const KEY: &str = "{06S}r";

fn migrating(to: usize) -> String {
    format!("CLUSTER SETSLOT 0 MIGRATING {}", id(to))
}

/// Slot 0 is marked by n1 as migrating to n2 in the views until `end`.
fn marked_until(recording: &mut Recording, end: u64) {
    let is_of_n1 = |view: &&mut View| view.node == name(1) && view.time < end * MILLISECOND;
    for view in recording.views.iter_mut().filter(is_of_n1) {
        let mark = format!("0->-{}", id(2));
        Arc::make_mut(&mut view.table)[0].open_slots.push(mark);
    }
}

/// n1 answers ASK with this address at 1.505 s.
fn sent_to(address: &str, change: impl Fn(&mut RecordingBuilder)) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    change(&mut run);
    run.op(1500, 5, 0, Function::Cas, KEY, int(0), Ends::Fail);
    let mut recording = run.build();
    let end = recording
        .events
        .unpacked()
        .last_mut()
        .expect("a completion");
    (end.node, end.error) = (Some(name(1)), Some(format!("ASK 0 {address}").into()));
    recording
}

/// Proves RD-04.
#[test]
fn ask_leads_to_the_target_of_an_open_slot() {
    let open = |address: &str, end: u64| {
        let mut recording = sent_to(address, |_| {});
        marked_until(&mut recording, end);
        word(&recording, "RD-04")
    };
    assert_eq!(open("127.0.0.2:7000", 3000), Word::Held);
    assert_eq!(open("127.0.0.2:7000", 1505), Word::Held, "closed meanwhile");
    assert_eq!(open("127.0.0.3:7000", 3000), Word::Violated);
    assert_eq!(open("127.0.0.2:7000", 1000), Word::Violated);
    assert_eq!(open(":7000", 1000), Word::Undecided, "no host, RD-07");
}

/// Proves RD-04: what was ordered in between may have opened the slot for a moment.
#[test]
fn ask_around_an_order_about_the_slot_is_not_judged() {
    let ordered_at = |at: u64, reply: &str| {
        let order = |run: &mut RecordingBuilder| run.ordered(at, 1, &migrating(2), reply);
        word(&sent_to("127.0.0.2:7000", order), "RD-04")
    };
    assert_eq!(ordered_at(1490, "+OK"), Word::Undecided);
    assert_eq!(ordered_at(500, "?no answer in 1 s"), Word::Undecided);
    assert_eq!(ordered_at(500, "+OK"), Word::Violated);
    assert_eq!(ordered_at(1490, "-ERR no"), Word::Violated);
}

/// Proves MG-03.
#[test]
fn a_master_with_keys_of_a_slot_keeps_the_slot() {
    let given = |keys: &str, reply: &str, f: Function| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3000);
        run.op(900, 5, 0, f, KEY, int(1), Ends::Ok(int(1)));
        run.ordered(1500, 1, "CLUSTER COUNTKEYSINSLOT 0", keys);
        let words = format!("CLUSTER SETSLOT 0 NODE {}", id(2));
        run.ordered(1510, 1, &words, reply);
        word(&run.build(), "MG-03")
    };
    let refusal = "-ERR Can't assign hashslot 0 to a different node while I still hold keys";
    assert_eq!(given(":2", refusal, Function::Write), Word::Held);
    assert_eq!(given(":2", "+OK", Function::Write), Word::Violated);
    assert_eq!(given(":0", "+OK", Function::Write), Word::Undecided);
    assert_eq!(given(":2", "+OK", Function::Pop), Word::Undecided);
}

/// Proves MG-03: keys that were moved in between are no longer there.
#[test]
fn what_is_ordered_after_the_count_makes_it_old() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    run.ordered(1500, 1, "CLUSTER COUNTKEYSINSLOT 0", ":2");
    run.ordered(
        1505,
        1,
        "MIGRATE 127.0.0.2 7000 \"\" 0 2000 KEYS … (2)",
        "+OK",
    );
    let words = format!("CLUSTER SETSLOT 0 NODE {}", id(2));
    run.ordered(1510, 1, &words, "+OK");
    assert_eq!(word(&run.build(), "MG-03"), Word::Undecided);
}

/// n1 lists the keys of slot 0, moves two, and is asked again; `first` comes before all that.
fn moved_keys(first: [&str; 2], listed: &str, counted: &str) -> Word {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    run.ordered(1500, 1, first[0], first[1]);
    run.ordered(1510, 1, "CLUSTER GETKEYSINSLOT 0 1000", listed);
    let migrate = "MIGRATE 127.0.0.2 7000 \"\" 0 2000 KEYS … (2)";
    run.ordered(1520, 1, migrate, "+OK");
    run.ordered(1530, 1, "CLUSTER COUNTKEYSINSLOT 0", counted);
    word(&run.build(), "MG-02/migrate")
}

/// Proves MG-02.
#[test]
fn keys_that_were_moved_are_gone_from_the_source() {
    let words = migrating(2);
    let opened = [words.as_str(), "+OK"];
    assert_eq!(moved_keys(opened, "*2", ":0"), Word::Held);
    assert_eq!(moved_keys(opened, "*2", ":2"), Word::Violated);
    assert_eq!(moved_keys(opened, "*3", ":1"), Word::Undecided, "not all");
}

/// Proves MG-02: who does not know that the slot is to go makes new keys.
#[test]
fn a_slot_that_does_not_migrate_may_have_keys_again() {
    let words = migrating(2);
    let refused = [words.as_str(), "-ERR I'm not the owner of hash slot 0"];
    assert_eq!(moved_keys(refused, "*2", ":2"), Word::Undecided);
    let closed = ["CLUSTER SETSLOT 0 STABLE", "+OK"];
    assert_eq!(moved_keys(closed, "*2", ":2"), Word::Undecided);
}

/// Proves MG-04.
#[test]
fn an_import_ends_with_the_largest_config_epoch() {
    let ends_at = |epoch: u64, first: &str| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1500);
        run.ordered(1495, 2, first, "+OK");
        let words = format!("CLUSTER SETSLOT 0 NODE {}", id(2));
        run.ordered(1510, 2, &words, "+OK");
        run.node(1).slots = "1-5460".parse().expect("slots");
        run.node(2).slots = "0 5461-10922".parse().expect("slots");
        run.node(2).config_epoch = epoch;
        run.node(2).current_epoch = epoch.max(3);
        run.calm(1600, 2000);
        word(&run.build(), "MG-04")
    };
    let importing = format!("CLUSTER SETSLOT 0 IMPORTING {}", id(1));
    assert_eq!(ends_at(4, &importing), Word::Held);
    assert_eq!(ends_at(3, &importing), Word::Held, "a collision");
    assert_eq!(ends_at(2, &importing), Word::Violated);
    assert_eq!(ends_at(2, "CLUSTER SETSLOT 0 STABLE"), Word::Undecided);
}

/// n1 is killed and comes back as the master it was; slot 0 had this mark on its disk.
fn restarted(change: impl Fn(&mut RecordingBuilder)) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 1000);
    run.kill(1000, 1);
    let killed = run.recording.lifecycles.last_mut().expect("it was killed");
    killed.detail = format!("vars currentEpoch 3 lastVoteEpoch 0 open 0->-{}", id(2));
    run.calm(1100, 1300);
    run.node(1).incarnation += 1;
    run.node(1).is_up = true;
    run.lifecycle(1300, 1, LifecycleKind::Started);
    change(&mut run);
    run.calm(1400, 2000);
    run.build()
}

/// Proves MG-05.
#[test]
fn an_open_slot_is_open_after_a_restart() {
    let mut open = restarted(|_| {});
    marked_until(&mut open, 2000);
    assert_eq!(word(&open, "MG-05"), Word::Held);
    assert_eq!(word(&restarted(|_| {}), "MG-05"), Word::Violated);
    let stable = "CLUSTER SETSLOT 0 STABLE";
    let closed = restarted(|run| run.ordered(1350, 1, stable, "+OK"));
    assert_eq!(word(&closed, "MG-05"), Word::Undecided);
    let taken = restarted(|run| {
        run.node(1).slots = "1-5460".parse().expect("slots");
        run.node(2).slots = "0 5461-10922".parse().expect("slots");
        run.node(2).config_epoch = 4;
    });
    assert_eq!(word(&taken, "MG-05"), Word::Undecided);
}

/// Proves HI-11.
#[test]
fn a_deposed_master_answers_reads_only_for_a_while() {
    let read_at = |at: u64, node: usize, hops: &[usize]| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3500);
        run.elect(4100, 4, 4, &[2, 3]);
        run.calm(4200, 14_000);
        run.read(at, 0, KEY, int(7), node);
        let last = run.recording.events.last_mut().expect("a completion");
        last.hops = hops.iter().map(|node| name(*node)).collect();
        word(&run.build(), "HI-11")
    };
    assert_eq!(read_at(6000, 1, &[]), Word::Held);
    assert_eq!(read_at(12_000, 1, &[]), Word::Violated);
    assert_eq!(read_at(12_000, 4, &[]), Word::Undecided, "the owner");
    assert_eq!(read_at(12_000, 1, &[4]), Word::Undecided, "after ASK");
}

/// Proves HI-11, HI-05: who is cut off cannot know.
#[test]
fn a_deposed_master_that_was_cut_off_just_now_may_answer() {
    let read_at = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3500);
        run.elect(4100, 4, 4, &[2, 3]);
        run.calm(4200, 10_000);
        run.fault(10_000, 1, FaultKind::Partition, FaultPhase::Installed, 1);
        run.calm(10_000, 16_000);
        run.read(at, 0, KEY, int(7), 1);
        word(&run.build(), "HI-11")
    };
    assert_eq!(read_at(11_000), Word::Held);
    assert_eq!(read_at(14_000), Word::Violated);
}

/// Proves MG-07.
#[test]
fn a_pair_is_never_read_by_halves() {
    let micro = |kind: &str, half: &str, value: Value| {
        let key = format!("{{06S}}{half}");
        Value::List(vec![
            Value::Text(kind.into()),
            Value::Text(key.into()),
            value,
        ])
    };
    let pair = |kind: &str, [a, b]: [Value; 2]| {
        Value::List(vec![micro(kind, "a", a), micro(kind, "b", b)])
    };
    let read = |halves: [Value; 2], change: &dyn Fn(&mut RecordingBuilder)| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3000);
        let written = pair("w", [int(3), int(-3)]);
        let end = Ends::Ok(written.clone());
        run.op(900, 5, 0, Function::Txn, "{06S}", written, end);
        change(&mut run);
        let asked = pair("r", [Value::Nil, Value::Nil]);
        let end = Ends::Ok(pair("r", halves));
        run.op(1500, 5, 0, Function::Txn, "{06S}", asked, end);
        word(&run.build(), "MG-07")
    };
    let nothing = |_: &mut RecordingBuilder| {};
    assert_eq!(read([int(3), int(-3)], &nothing), Word::Held);
    assert_eq!(read([Value::Nil, Value::Nil], &nothing), Word::Held);
    assert_eq!(read([int(3), Value::Nil], &nothing), Word::Violated);
    assert_eq!(read([int(2), int(-3)], &nothing), Word::Violated);
    let loose = |run: &mut RecordingBuilder| {
        let alone = Value::List(vec![micro("w", "a", int(2))]);
        let end = Ends::Ok(alone.clone());
        run.op(1000, 5, 0, Function::Txn, "{06S}", alone, end);
    };
    assert_eq!(read([int(2), int(-3)], &loose), Word::Undecided);
    let restarted = |run: &mut RecordingBuilder| run.kill(1200, 1);
    assert_eq!(read([int(3), Value::Nil], &restarted), Word::Undecided);
}

/// A client waits at n1 from 1 s on, for 4 s, in vain.
fn waited(hops: &[usize], change: impl Fn(&mut RecordingBuilder)) -> Word {
    waited_until(Ends::Ok(Value::Nil), None, hops, change)
}

/// The same, and it ends like this.
fn waited_until(
    end: Ends,
    error: Option<&str>,
    hops: &[usize],
    change: impl Fn(&mut RecordingBuilder),
) -> Word {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 1100);
    change(&mut run);
    run.calm(1100, 6000);
    let wait = Value::List(vec![Value::Text("wait".into()), int(4000)]);
    run.op(1000, 4000, 0, Function::Dequeue, KEY, wait, end);
    let last = run.recording.events.last_mut().expect("a completion");
    last.node = Some(name(1));
    last.error = error.map(Into::into);
    last.hops = hops.iter().map(|node| name(*node)).collect();
    word(&run.build(), "RD-07")
}

/// Proves RD-07.
#[test]
fn a_client_does_not_wait_at_a_node_that_cannot_serve_it() {
    let down = |run: &mut RecordingBuilder| run.node(1).is_state_ok = false;
    assert_eq!(waited(&[], |_| {}), Word::Held);
    assert_eq!(waited(&[], down), Word::Violated);
    assert_eq!(waited(&[2], down), Word::Held, "it waited elsewhere before");
    let given_up = waited_until(Ends::Fail, Some("timed out"), &[], down);
    assert_eq!(
        given_up,
        Word::Violated,
        "a consumer group has not delivered"
    );
    let sent_away = waited_until(Ends::Fail, Some("CLUSTERDOWN"), &[], down);
    assert_eq!(sent_away, Word::Held);
    let lost = |run: &mut RecordingBuilder| {
        run.node(1).slots = "1-5460".parse().expect("slots");
        run.node(2).slots = "0 5461-10922".parse().expect("slots");
        run.node(2).config_epoch = 4;
    };
    assert_eq!(waited(&[], lost), Word::Violated);
    let imported = |run: &mut RecordingBuilder| {
        lost(run);
        run.ordered(3000, 1, "CLUSTER SETSLOT 0 IMPORTING x", "+OK");
    };
    assert_eq!(waited(&[], imported), Word::Held);
}

//! Redirections and who serves: each rule on a recording that breaks it and on ones that do not.

use std::sync::Arc;

use super::word;
use crate::history::{Function, Value};
use crate::observation::{Fault, FaultKind, FaultPhase, Server, View};
use crate::recording::Recording;
use crate::test_support::{Ends, RecordingBuilder, id, int, name};
use crate::verdict::Word;

/// In slot 0, of n1.
const KEY: &str = "{06S}r";

/// Two seconds of rest with one read that ends as `change` says.
fn read_that(change: impl Fn(&mut Recording)) -> Recording {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    run.op(1500, 5, 0, Function::Read, KEY, int(0), Ends::Fail);
    let mut recording = run.build();
    change(&mut recording);
    recording
}

fn answered_moved(node: usize, words: &str) -> Recording {
    read_that(|recording| {
        let end = recording
            .events
            .unpacked()
            .last_mut()
            .expect("a completion");
        (end.node, end.error) = (Some(name(node)), Some(words.into()));
    })
}

/// Proves RD-01.
#[test]
fn a_redirection_leads_to_the_owner_in_the_table_of_who_says_it() {
    let right = answered_moved(2, "MOVED 0 127.0.0.1:7000");
    assert_eq!(word(&right, "RD-01"), Word::Held);
    let to_itself = answered_moved(2, "MOVED 0 127.0.0.2:7000");
    assert_eq!(word(&to_itself, "RD-01"), Word::Violated);
    let without_host = answered_moved(2, "MOVED 0 :7000");
    assert_eq!(word(&without_host, "RD-01"), Word::Undecided);
}

/// Proves RD-03.
#[test]
fn at_rest_one_redirection_leads_to_the_owner() {
    let redirected = |by: &[usize]| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 9000);
        run.op(
            8500,
            5,
            0,
            Function::Read,
            KEY,
            Value::Nil,
            Ends::Ok(int(0)),
        );
        let mut recording = run.build();
        let end = recording.events.unpacked().last_mut();
        end.expect("a completion").hops = by.iter().copied().map(name).collect();
        recording
    };
    assert_eq!(word(&redirected(&[]), "RD-03"), Word::Undecided);
    assert_eq!(word(&redirected(&[2]), "RD-03"), Word::Held);
    let twice = redirected(&[2, 3]);
    assert_eq!(word(&twice, "RD-03"), Word::Violated);
    let mut after_a_fault = twice;
    let fault = |time: u64, phase: FaultPhase| Fault {
        time,
        begun: time,
        id: 1,
        kind: FaultKind::Pause,
        phase,
        targets: vec![name(4)],
        cuts: Vec::new(),
        note: String::new(),
    };
    after_a_fault.faults = vec![
        fault(5_000_000_000, FaultPhase::Installed),
        fault(7_000_000_000, FaultPhase::Healed),
    ];
    assert_eq!(word(&after_a_fault, "RD-03"), Word::Undecided);
}

/// Proves RD-01: what was true in between is not known.
#[test]
fn a_redirection_while_the_slot_changes_hands_is_not_judged() {
    let mut changing = answered_moved(2, "MOVED 0 127.0.0.3:7000");
    let later = changing
        .views
        .iter_mut()
        .filter(|view| view.asked > 1_500_000_000);
    for view in later {
        Arc::make_mut(&mut view.table)[0].config_epoch = 9;
    }
    assert_eq!(word(&changing, "RD-01"), Word::Undecided);
}

/// Slot 0 is migrating from n1 to n2 until `end_ms`.
fn open_until(recording: &mut Recording, end_ms: u64) {
    let is_open = |view: &&mut View| view.time < end_ms * 1_000_000;
    for view in recording.views.iter_mut().filter(is_open) {
        let marks = [format!("0->-{}", id(2)), format!("0-<-{}", id(1))];
        for (entry, mark) in Arc::make_mut(&mut view.table).iter_mut().zip(marks) {
            if entry.id == view.id {
                entry.open_slots.push(mark);
            }
        }
    }
}

fn sent_on(hops: &[usize], open_ms: u64) -> Word {
    let recording = read_that(|recording| {
        let end = recording
            .events
            .unpacked()
            .last_mut()
            .expect("a completion");
        end.hops = hops.iter().map(|node| name(*node)).collect();
        end.node = Some(name(2));
        open_until(recording, open_ms);
    });
    word(&recording, "RD-05")
}

/// Proves RD-05.
#[test]
fn who_was_sent_by_ask_is_served() {
    assert_eq!(sent_on(&[1], 3000), Word::Held);
    assert_eq!(sent_on(&[3, 1], 3000), Word::Held);
    assert_eq!(sent_on(&[1, 2, 1, 2, 1], 3000), Word::Violated);
    assert_ne!(
        sent_on(&[1, 2, 1, 2, 1], 1505),
        Word::Violated,
        "closed meanwhile"
    );
    assert_ne!(sent_on(&[1, 2, 2, 1], 3000), Word::Violated, "TRYAGAIN");
}

/// Proves RD-05: ASK is for one command.
#[test]
fn a_client_that_was_sent_by_ask_begins_at_the_source_again() {
    let next_begins = |hops: &[usize], f: Function| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3000);
        run.write(1500, 0, KEY, 1, 2);
        run.op(1600, 5, 0, f, KEY, int(2), Ends::Ok(int(2)));
        let mut recording = run.build();
        open_until(&mut recording, 3000);
        let ends = recording.events.iter_mut().skip(1).step_by(2);
        for (event, hops) in ends.zip([&[1][..], hops]) {
            event.hops = hops.iter().map(|node| name(*node)).collect();
            event.node = Some(name(2));
        }
        word(&recording, "RD-05")
    };
    assert_eq!(next_begins(&[1], Function::Write), Word::Held);
    assert_eq!(next_begins(&[2, 1], Function::Write), Word::Violated);
    assert_eq!(next_begins(&[2, 1], Function::Read), Word::Held, "astray");
}

fn served(hops: &[usize], by: usize) -> Word {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 3000);
    run.read(1500, 0, KEY, int(7), by);
    let mut recording = run.build();
    let end = recording
        .events
        .unpacked()
        .last_mut()
        .expect("a completion");
    end.hops = hops.iter().map(|node| name(*node)).collect();
    open_until(&mut recording, 3000);
    word(&recording, "RD-06")
}

/// Proves RD-05, RD-06.
#[test]
fn an_importing_node_serves_only_who_was_sent_to_it() {
    assert_eq!(served(&[1], 2), Word::Held);
    assert_eq!(served(&[], 1), Word::Held);
    assert_eq!(served(&[], 2), Word::Violated);
}

/// Proves RD-06: replicas answer who said READONLY, for their master's slots.
#[test]
fn a_replica_is_read_for_its_own_master_only() {
    let read_at = |node: usize| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 3000);
        run.op(
            1500,
            5,
            0,
            Function::ReplicaRead,
            KEY,
            int(0),
            Ends::Ok(int(7)),
        );
        let mut recording = run.build();
        let end = recording.events.last_mut().expect("a completion");
        end.node = Some(name(node));
        word(&recording, "RD-06")
    };
    assert_eq!(read_at(1), Word::Held, "the owner");
    assert_eq!(read_at(4), Word::Held, "its replica");
    assert_eq!(read_at(2), Word::Violated, "another master");
    assert_eq!(read_at(5), Word::Violated, "another master's replica");
}

/// Proves ST-03.
#[test]
fn a_node_that_is_down_must_not_serve_reads() {
    let read_while = |is_ok: bool, by_then: bool| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.node(1).is_state_ok = is_ok;
        run.calm(1000, 1500);
        run.read(1491, 0, KEY, int(7), 1);
        run.node(1).is_state_ok = by_then;
        run.calm(1500, 2000);
        word(&run.build(), "ST-03")
    };
    assert_eq!(read_while(false, false), Word::Violated);
    assert_ne!(read_while(false, true), Word::Violated);
    assert_ne!(read_while(true, false), Word::Violated);
}

/// Proves ST-03: a claim may be heard before an older word of who claims, on another link.
#[test]
fn a_state_may_come_and_go_about_a_takeover() {
    let read_after_takeover_at = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, at);
        run.elect(at, 5, 4, &[1, 3]);
        run.node(1).is_state_ok = false;
        run.calm(at + 100, 6500);
        run.read(6491, 0, KEY, int(7), 1);
        run.calm(6500, 7000);
        word(&run.build(), "ST-03")
    };
    // H_map is 4.5 s here.
    assert_eq!(read_after_takeover_at(1000), Word::Violated);
    assert_ne!(read_after_takeover_at(2100), Word::Violated);
}

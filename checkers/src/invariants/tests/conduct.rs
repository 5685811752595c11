//! The invariants of conduct: votes, marks of failure, states, roles, redirections.

use super::*;
use crate::observation::{Body, Dataset};

/// Calm for two seconds, then n1 is killed and stays silent until then.
fn silent_n1(until: u64) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.kill(2000, 1);
    run.calm(2100, until);
    run
}

/// Proves VT-05, VT-06, VT-10, VT-11, FD-04, ST-01.
#[test]
fn a_good_run_breaks_no_rule_of_conduct() {
    let good = judge(&RecordingBuilder::good().build());
    assert_eq!(good.violations(), Vec::<&crate::verdict::Violation>::new());
    let judged = [
        "VT-05", "VT-06", "VT-07", "VT-10", "VT-11", "FD-04", "ST-01", "DU-02",
    ];
    for id in judged.iter().chain(&["CF-07", "RP-01"]) {
        let check = good.checks.iter().find(|check| check.id == **id);
        assert_eq!(check.map(|check| check.verdict), Some(Word::Held), "{id}");
    }
}

/// Proves VT-05.
#[test]
fn a_vote_against_a_master_that_works_is_wrong() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.request_and_vote(2000, 4, 4, &[2]);
    assert_eq!(word(&run.clone().build(), "VT-05"), Word::Violated);
    run.force_last_request();
    assert_eq!(word(&run.build(), "VT-05"), Word::Undecided);
}

/// Proves VT-05, VO-04: the voter has not heard yet that the candidate has another master.
#[test]
fn a_vote_goes_by_the_master_in_the_table_of_the_voter() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.request_and_vote(2000, 4, 4, &[2]);
    let mut recording = run.build();
    for view in recording
        .views
        .iter_mut()
        .filter(|view| view.node == name(2))
    {
        let table = Arc::make_mut(&mut view.table);
        table[3].master = Some(id(3));
        table[2].flags = "master,fail".into();
    }
    assert_eq!(word(&recording, "VT-05"), Word::Held);
}

/// Proves VT-06, VT-10.
#[test]
fn votes_and_attempts_of_one_shard_are_spaced() {
    let twice = |second: u64| {
        let mut run = silent_n1(1);
        run.request_and_vote(3000, 4, 4, &[2]);
        run.request_and_vote(second, 4, 5, &[2]);
        run.build()
    };
    for clause in ["VT-06", "VT-10"] {
        assert_eq!(word(&twice(4500), clause), Word::Violated, "{clause}");
        assert_eq!(word(&twice(7100), clause), Word::Held, "{clause}");
    }
}

/// Proves VT-10: who asks right after a FAIL planned it before, and the next one counts from there.
#[test]
fn an_attempt_planned_before_the_failure_is_no_measure() {
    let twice = |failed_at: u64| {
        let mut run = silent_n1(1);
        run.fail(failed_at, 1, 2);
        run.request_and_vote(3000, 4, 4, &[2]);
        run.request_and_vote(4500, 4, 5, &[2]);
        word(&run.build(), "VT-10")
    };
    assert_eq!(twice(2400), Word::Violated);
    assert_eq!(twice(2900), Word::Held);
}

/// Proves VT-07.
#[test]
fn a_vote_for_an_epoch_that_is_over_is_wrong() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.node(2).current_epoch = 9;
    run.calm(100, 2000);
    run.request_and_vote(2000, 4, 4, &[2]);
    assert_eq!(word(&run.build(), "VT-07"), Word::Violated);
}

/// Proves VT-07.
#[test]
fn a_vote_for_an_outdated_claim_is_wrong() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.node(4).config_epoch = 0;
    run.request_and_vote(2000, 4, 4, &[2]);
    assert_eq!(word(&run.build(), "VT-07"), Word::Violated);
}

/// Proves VT-07: the voter's view is of before, but the owner's claim had reached it.
#[test]
fn a_vote_against_a_claim_that_was_heard_is_wrong() {
    let heard_at = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 1000);
        run.node(1).config_epoch = 9;
        run.packet(at, 1, 2, PacketKind::Ping);
        run.request_and_vote(2000, 4, 4, &[2]);
        word(&run.build(), "VT-07")
    };
    assert_eq!(heard_at(1500), Word::Violated);
    assert_eq!(heard_at(1999), Word::Held, "perhaps read later");
    assert_eq!(heard_at(2001), Word::Held);
}

/// Proves VT-11.
#[test]
fn an_election_waits_for_its_delay_and_its_rank() {
    let elected = |after: u64| {
        let mut run = silent_n1(3000);
        run.fail(3000, 1, 2);
        run.calm(3100, 3200);
        run.request_and_vote(3000 + after, 4, 4, &[2]);
        run
    };
    assert_eq!(word(&elected(300).build(), "VT-11"), Word::Violated);
    assert_eq!(word(&elected(600).build(), "VT-11"), Word::Held);
    // A sibling is ahead.
    let mut ahead = elected(600).build();
    for packet in ahead
        .packets
        .iter_mut()
        .filter(|packet| packet.from == name(5))
    {
        packet.header.master = Some(id(1));
        packet.header.offset = 101;
    }
    assert_eq!(word(&ahead, "VT-11"), Word::Violated);
    // An UPDATE does not make it one.
    let mut updates = ahead.clone();
    for packet in updates
        .packets
        .iter_mut()
        .filter(|packet| packet.from == name(5))
    {
        packet.kind = PacketKind::Update;
    }
    assert_eq!(word(&updates, "VT-11"), Word::Held);
    // Until it was promoted elsewhere, long before the failure.
    let promoted = ahead.packets.iter_mut();
    for packet in promoted.filter(|packet| packet.from == name(5)) {
        if packet.time >= 2000 * MILLISECOND {
            packet.header.master = None;
        }
    }
    assert_eq!(word(&ahead, "VT-11"), Word::Held);
}

/// Proves FD-01.
#[test]
fn a_suspicion_needs_a_node_timeout_of_silence() {
    let suspected_at = |at: u64| {
        let mut recording = silent_n1(4000).build();
        let late = |view: &&mut crate::observation::View| view.time >= at * MILLISECOND;
        for view in recording.views.iter_mut().filter(late) {
            Arc::make_mut(&mut view.table)[0].flags = "master,fail?".into();
        }
        recording
    };
    assert_eq!(word(&suspected_at(2500), "FD-01"), Word::Violated);
    assert_eq!(word(&suspected_at(3200), "FD-01"), Word::Held);
}

/// Proves FD-04.
#[test]
fn a_failure_is_told_and_believed() {
    let mut untold = RecordingBuilder::good().build();
    untold
        .packets
        .retain(|packet| packet.kind != PacketKind::Fail);
    assert_eq!(word(&untold, "FD-04"), Word::Violated);
    // Who had no links left could tell nobody.
    let mut run = RecordingBuilder::good();
    for node in 1..=6 {
        let phase = FaultPhase::Healed;
        run.fault(3000, node, FaultKind::Disconnect, phase, node as usize);
    }
    untold.faults.extend(run.build().faults);
    untold.faults.sort_by_key(|fault| fault.time);
    assert_eq!(word(&untold, "FD-04"), Word::Undecided);
    let mut ignored = RecordingBuilder::good().build();
    for view in &mut ignored.views {
        Arc::make_mut(&mut view.table)[0].flags = "master".into();
    }
    assert_eq!(word(&ignored, "FD-04"), Word::Violated);
}

/// Proves FD-05.
#[test]
fn a_failed_master_with_slots_stays_failed_for_a_while() {
    let cleared_at = |at: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 2000);
        run.fail(2000, 1, 2);
        run.calm(2100, at);
        run.node(1).is_failed = false;
        run.calm(at, at + 500);
        run.build()
    };
    assert_eq!(word(&cleared_at(3000), "FD-05"), Word::Violated);
    assert_eq!(word(&cleared_at(4100), "FD-05"), Word::Held);
}

/// Proves CF-07, CF-08.
#[test]
fn roles_are_settled_at_rest() {
    let late = |view: &&mut crate::observation::View| view.time > 19_000 * MILLISECOND;
    let mut empty = RecordingBuilder::good().build();
    for view in empty
        .views
        .iter_mut()
        .filter(late)
        .filter(|view| view.node == name(1))
    {
        Arc::make_mut(&mut view.table)[0].master = None;
    }
    assert_eq!(word(&empty, "CF-07"), Word::Violated);
    let mut chain = RecordingBuilder::good().build();
    for view in chain.views.iter_mut().filter(late) {
        Arc::make_mut(&mut view.table)[4].master = Some(id(1));
    }
    assert_eq!(check(&chain, "CF-07").violations[0].clause, "CF-08");
    assert_eq!(word(&chain, "CF-07"), Word::Violated);
    for node in &mut chain.setting.nodes {
        node.server = Server::Redis("7.0.15".into());
    }
    assert_eq!(word(&chain, "CF-07"), Word::Known);
}

/// Proves CF-10.
#[test]
fn an_update_repeats_a_claim() {
    let told = |config_epoch: u64| {
        let mut run = RecordingBuilder::good();
        run.packet(9000, 2, 3, PacketKind::Update);
        let slots = run.node(4).slots.clone();
        let last = run.recording.packets.last_mut().expect("it was sent");
        last.body = Body::Owner {
            id: id(4),
            config_epoch,
            slots,
        };
        run.build()
    };
    assert_eq!(word(&told(4), "CF-10"), Word::Held);
    assert_eq!(word(&told(5), "CF-10"), Word::Violated);
}

/// Proves ST-01.
#[test]
fn nobody_is_ok_while_an_owner_failed() {
    let mut bad = RecordingBuilder::good().build();
    bad.views.iter_mut().for_each(|view| view.state_ok = true);
    assert_eq!(word(&bad, "ST-01"), Word::Violated);
}

/// n2 is restarted as the master it was, and serves from then on.
fn restarted(serves_at: u64) -> RecordingBuilder {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    run.kill(2000, 2);
    run.calm(2100, 3000);
    (run.node(2).is_up, run.node(2).incarnation) = (true, 2);
    run.lifecycle(3000, 2, LifecycleKind::Started);
    run.node(2).is_state_ok = false;
    run.calm(3100, serves_at);
    run.node(2).is_state_ok = true;
    run
}

/// Proves ST-04.
#[test]
fn a_restarted_master_waits_before_it_serves() {
    let served = |at: u64| {
        let mut run = restarted(at);
        run.calm(at, at + 500);
        run.build()
    };
    assert_eq!(word(&served(4000), "ST-04"), Word::Violated);
    assert_eq!(word(&served(5000), "ST-04"), Word::Held);
}

/// Proves DU-02, DU-03, CE-02.
#[test]
fn a_restart_keeps_what_was_said() {
    let with = |change: &dyn Fn(&mut crate::test_support::Model)| {
        let mut run = restarted(3100);
        change(run.node(2));
        run.calm(3100, 4000);
        check(&run.build(), "DU-02")
            .violations
            .first()
            .map(|violation| violation.clause.clone())
    };
    assert_eq!(with(&|_| {}), None);
    assert_eq!(with(&|model| model.config_epoch = 0), Some("DU-02".into()));
    assert_eq!(
        with(&|model| model.slots = "5461".parse().unwrap()),
        Some("DU-02".into())
    );
    let demoted = |model: &mut crate::test_support::Model| {
        (model.master, model.config_epoch) = (Some(1), 1);
    };
    assert_eq!(with(&demoted), Some("DU-03".into()));
    let mut voted = restarted(3100);
    voted.request_and_vote(1500, 4, 7, &[2]);
    voted.node(2).current_epoch = 3;
    voted.calm(3100, 4000);
    let voted = check(&voted.build(), "DU-02");
    assert_eq!(voted.violations[0].clause, "CE-02");
}

/// Proves RP-01.
#[test]
fn a_replica_catches_up_at_rest() {
    let mut bad = RecordingBuilder::good().build();
    for packet in bad
        .packets
        .iter_mut()
        .filter(|packet| packet.from == name(5))
    {
        packet.header.offset = 99;
    }
    assert_eq!(word(&bad, "RP-01"), Word::Violated);
}

/// Proves RD-02.
#[test]
fn a_redirection_names_the_slot_of_the_key() {
    let redirected = |hops: &[usize], error: Option<&str>| {
        let mut recording = RecordingBuilder::good().build();
        let last = recording
            .events
            .unpacked()
            .last_mut()
            .expect("a completion");
        last.hops = hops.iter().map(|node| name(*node)).collect();
        last.error = error.map(Into::into);
        last.node = Some(name(2));
        word(&recording, "RD-02")
    };
    assert_eq!(redirected(&[1], None), Word::Held);
    // The slot of "r{1}" is 9842.
    assert_eq!(
        redirected(&[], Some("MOVED 9842 127.0.0.2:7000")),
        Word::Held
    );
    assert_eq!(
        redirected(&[], Some("MOVED 9843 127.0.0.2:7000")),
        Word::Violated
    );
}

/// Proves RD-06.
#[test]
fn a_node_must_not_serve_the_slots_of_another() {
    let served_by = |node: usize| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 2000);
        run.write(1500, 0, "{06S}r", 1, node);
        word(&run.build(), "RD-06")
    };
    assert_eq!(served_by(2), Word::Violated);
    assert_eq!(served_by(1), Word::Held);
}

/// A rest in which n1 and its replica n4 say these digests.
fn at_rest(digests: [&str; 2], offset: u64, healed: u64) -> Word {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.node(1).offset = 50_000;
    run.node(4).offset = offset;
    run.calm(100, 20_000);
    run.healed(healed);
    let mut recording = run.build();
    let said = |(node, digest): (usize, &str)| Dataset {
        node: name(node),
        time: 19_000 * MILLISECOND,
        digest: digest.into(),
        full_resyncs: 0,
        partial_resyncs: 0,
        slots: None,
    };
    let datasets = [1, 4].into_iter().zip(digests).map(said);
    recording.setting.datasets = datasets.collect();
    // Only what was said at the end is judged here.
    recording
        .packets
        .retain(|packet| packet.from == name(1) || packet.time > 19_800 * MILLISECOND);
    word(&recording, "RP-01")
}

/// Proves RP-01.
#[test]
fn at_rest_a_replica_has_the_data_of_its_master() {
    assert_eq!(at_rest(["a7", "a7"], 50_000, 1000), Word::Held);
    assert_eq!(at_rest(["a7", "b8"], 50_000, 1000), Word::Violated);
    assert_ne!(
        at_rest(["a7", "b8"], 50_000, 17_000),
        Word::Violated,
        "not due"
    );
    assert_eq!(at_rest(["a7", "a7"], 0, 17_000), Word::Violated);
}

/// A rest in which n1, who owns 0-5460, and n2 hold keys of these slots.
fn with_keys(slots: [&str; 2], prepare: impl FnOnce(&mut RecordingBuilder)) -> Vec<String> {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 20_000);
    run.healed(1000);
    prepare(&mut run);
    let mut recording = run.build();
    let said = |(node, slots): (usize, &str)| Dataset {
        node: name(node),
        time: 19_000 * MILLISECOND,
        digest: "a7".into(),
        full_resyncs: 0,
        partial_resyncs: 0,
        slots: Some(slots.parse().expect("slots")),
    };
    let datasets = [1, 2].into_iter().zip(slots).map(said);
    recording.setting.datasets = datasets.collect();
    let checks = judge(&recording).checks.into_iter();
    let found = checks.filter(|check| check.id == "MG-02");
    let found = found.flat_map(|check| check.violations);
    found.map(|violation| violation.message).collect()
}

/// Proves MG-02.
#[test]
fn at_rest_a_key_is_only_where_its_slot_is() {
    let untouched = |_: &mut RecordingBuilder| {};
    assert!(with_keys(["7 12", "6000-6002"], untouched).is_empty());
    assert_eq!(
        with_keys(["7 6000-6001", "6001"], untouched),
        ["n1 holds keys of the slots 6000-6001, which n2 owns, who holds keys of 6001 as well"]
    );
    let opened = |run: &mut RecordingBuilder| {
        run.fault(500, 1, FaultKind::OpenSlot, FaultPhase::Installed, 1);
        run.fault(800, 1, FaultKind::OpenSlot, FaultPhase::Healed, 1);
    };
    assert!(
        with_keys(["6000", "7"], opened).len() == 1,
        "only n1 is exempt"
    );
    let demoted = |run: &mut RecordingBuilder| {
        run.node(1).master = Some(4);
        run.views(20_100);
    };
    assert!(
        with_keys(["6000", "6001"], demoted).is_empty(),
        "replicas are RP-01's"
    );
}

/// n2 votes for n4 in epoch 4 and is killed later with this on disk.
fn killed_with(line: &str) -> Word {
    let mut run = RecordingBuilder::good();
    run.kill(19_700, 2);
    let mut recording = run.build();
    let killed = recording.lifecycles.last_mut().expect("it was killed");
    killed.detail = line.into();
    word(&recording, "VT-02")
}

/// Proves VT-02, VT-03, CE-02.
#[test]
fn a_vote_is_on_disk_before_it_is_seen() {
    assert_eq!(
        killed_with("vars currentEpoch 4 lastVoteEpoch 4"),
        Word::Held
    );
    assert_eq!(
        killed_with("vars currentEpoch 4 lastVoteEpoch 0"),
        Word::Violated
    );
    assert_eq!(
        killed_with("vars currentEpoch 3 lastVoteEpoch 3"),
        Word::Violated
    );
    assert_eq!(killed_with(""), Word::Undecided, "not known");
}

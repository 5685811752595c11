//! Manual failovers, and the double one of part C.1.

use super::rig::{Rig, Sent, error_text};
use crate::bus::packet::Body;
use crate::cluster::{Effect, PROFILE_DIRECTIVE};
use crate::epoch::ConfigEpoch;
use crate::resp::Reply;
use crate::time::Millis;

/// Proves MF-01, MF-04, MF-05, MF-06, MF-08, MF-09, MF-10, EL-13.
#[test]
fn a_replica_takes_over_from_its_living_master_at_once() {
    let mut rig = Rig::cluster(3, 1);
    assert_eq!(rig.run(3, "CLUSTER FAILOVER"), Reply::OK);
    let took = rig.until("both roles changed", 1000, |rig| {
        !rig.at(3).is_replica() && rig.at(0).is_replica()
    });
    assert!(took <= 200, "took {took} ms");
    let request = rig
        .sent
        .iter()
        .find(|sent| sent.packet.body == Body::AuthRequest);
    assert!(
        request
            .expect("votes were asked for")
            .packet
            .header
            .message_flags
            .force_ack
    );
    let effects = &rig.hosts[0].effects;
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::PauseWrites(_)))
    );
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::ResumeWrites))
    );
}

/// Proves MF-08: the replica first applies all that its master has written.
#[test]
fn a_replica_that_lags_waits_for_its_master_s_offset() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[0].replication.offset = 140;
    rig.run(3, "CLUSTER FAILOVER");
    rig.run_for(1000);
    assert!(rig.at(3).is_replica());
    rig.hosts[3].replication.offset = 140;
    rig.until("the promotion", 500, |rig| !rig.at(3).is_replica());
}

/// Proves MF-04: of the own replicas only.
#[test]
fn a_master_pauses_for_nobody_but_its_replicas() {
    let mut rig = Rig::cluster(3, 1);
    for (sender, pauses) in [(1, false), (4, false), (3, true)] {
        rig.say(sender, 0, Body::MfStart, |_| {});
        assert_eq!(rig.at(0).is_pausing_writes(), pauses, "asked by {sender}");
    }
}

/// Proves MF-05: a PING each tick, on the master's own link, while it waits.
#[test]
fn the_pausing_master_pings_its_replica_each_tick() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[0].replication.offset = 140;
    rig.run(3, "CLUSTER FAILOVER");
    rig.sent.clear();
    rig.run_for(1000);
    let pings = rig.sent.iter().filter(|sent| {
        let is_ping = matches!(sent.packet.body, Body::Ping(_));
        (sent.from, sent.to) == (0, Some(3)) && is_ping && !sent.link.is_inbound()
    });
    let paused: Vec<bool> = pings
        .map(|sent| sent.packet.header.message_flags.paused)
        .collect();
    assert!((9..=12).contains(&paused.len()), "{paused:?}");
    assert!(paused.iter().all(|paused| *paused));
}

/// Proves MF-08: the first offset is the target, whatever later headers say.
#[test]
fn the_target_offset_is_that_of_the_first_paused_header() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[0].replication.offset = 140;
    rig.run(3, "CLUSTER FAILOVER");
    rig.hosts[0].replication.offset = 150;
    rig.run_for(500);
    assert!(rig.at(3).is_replica());
    rig.hosts[3].replication.offset = 140;
    rig.until("the promotion", 500, |rig| !rig.at(3).is_replica());
}

/// Proves MF-08: only what the own master says of its offset counts.
#[test]
fn the_pause_of_another_master_starts_nothing() {
    let mut rig = Rig::cluster(3, 1);
    rig.cut(0, 3);
    rig.run(3, "CLUSTER FAILOVER");
    let offset = rig.hosts[3].replication.offset;
    rig.say(1, 3, Body::Ping(Default::default()), |header| {
        header.message_flags.paused = true;
        header.offset = offset;
    });
    rig.run_for(800);
    assert!(rig.at(3).is_replica() && rig.votes().is_empty());
}

/// Proves MF-11.
#[test]
fn a_manual_failover_that_cannot_finish_is_called_off_on_both_sides() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[0].replication.offset = 140;
    rig.run(3, "CLUSTER FAILOVER");
    assert!(rig.at(0).is_pausing_writes());
    rig.run_for(5200);
    assert!(!rig.at(0).is_pausing_writes());
    rig.hosts[3].replication.offset = 140;
    rig.run_for(1000);
    assert!(rig.at(3).is_replica());
}

/// Proves MF-15: five seconds begin anew with each request.
#[test]
fn a_second_request_starts_the_failover_anew() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[0].replication.offset = 140;
    rig.run(3, "CLUSTER FAILOVER");
    rig.run_for(3000);
    assert_eq!(rig.run(3, "CLUSTER FAILOVER"), Reply::OK);
    rig.run_for(3000);
    assert!(rig.at(0).is_pausing_writes());
    rig.hosts[3].replication.offset = 140;
    rig.until("the promotion", 500, |rig| !rig.at(3).is_replica());
}

/// Proves VO-13: the master that is to go votes as well.
#[test]
fn all_masters_vote_in_a_manual_failover() {
    let mut rig = Rig::cluster(3, 1);
    rig.run(3, "CLUSTER FAILOVER");
    rig.run_for(1000);
    let mut voters: Vec<usize> = rig.votes().iter().map(|(voter, _)| *voter).collect();
    voters.sort_unstable();
    assert_eq!(voters, [0, 1, 2]);
}

/// Proves MF-17: an attempt that failed a moment ago keeps its retry span.
#[test]
fn a_manual_failover_waits_for_the_retry_span_of_a_failed_attempt() {
    let mut rig = Rig::cluster(3, 1);
    let voters = |rig: &mut Rig, dropped: Option<u16>| {
        for voter in [1, 2] {
            let cluster = rig.hosts[voter].cluster.as_mut().expect("it runs");
            cluster.drop_packets_of_type(dropped);
        }
    };
    let count = |rig: &Rig| {
        let requests = rig.sent.iter();
        requests
            .filter(|sent| sent.packet.body == Body::AuthRequest)
            .count()
    };
    voters(&mut rig, Some(5));
    rig.kill(0);
    rig.until("a request", 10_000, |rig| count(rig) > 0);
    voters(&mut rig, None);
    rig.run_for(2200);
    let before = count(&rig);
    rig.run(3, "CLUSTER FAILOVER FORCE");
    rig.run_for(1700);
    assert_eq!(count(&rig), before, "4000 ms are not over");
    let took = rig.until("the promotion", 1000, |rig| !rig.at(3).is_replica());
    assert!(took <= 300, "then there is no delay: {took} ms");
}

/// Proves CF-22, MF-05: writes are held back for ten seconds at most.
#[test]
fn the_pause_of_writes_is_ten_seconds_long() {
    let mut rig = Rig::cluster(3, 1);
    rig.run(3, "CLUSTER FAILOVER");
    let until = rig.now + Millis(10_000);
    let pauses = rig.hosts[0]
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::PauseWrites(until) => Some(*until),
            _ => None,
        });
    assert_eq!(pauses.collect::<Vec<_>>(), [until]);
}

/// Proves MF-12.
#[test]
fn a_forced_failover_works_with_a_dead_master() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    assert_eq!(rig.run(3, "CLUSTER FAILOVER FORCE"), Reply::OK);
    rig.until("the promotion", 500, |rig| !rig.at(3).is_replica());
}

/// Proves MF-13, EP-09.
#[test]
fn a_takeover_needs_nobody() {
    let mut rig = Rig::cluster(3, 1);
    rig.kill(0);
    rig.kill(1);
    rig.kill(2);
    let before = rig.at(3).current_epoch();
    assert_eq!(rig.run(3, "CLUSTER FAILOVER TAKEOVER"), Reply::OK);
    assert!(!rig.at(3).is_replica());
    assert_eq!(rig.at(3).config_epoch(), before.next().as_config());
}

/// Proves MF-02, MF-03, MF-14.
#[test]
fn refuses_what_cannot_fail_over() {
    let mut rig = Rig::cluster(3, 1);
    let reply = rig.run(0, "CLUSTER FAILOVER");
    assert_eq!(
        error_text(&reply),
        "ERR You should send CLUSTER FAILOVER to a replica"
    );
    let reply = rig.run(0, "CLUSTER FAILOVER NOW");
    assert_eq!(error_text(&reply), "ERR syntax error");
    let master = rig.id(0);
    rig.hosts[3].config.cluster_replica_no_failover = true;
    rig.kill(0);
    rig.until("FAIL", 5000, |rig| {
        rig.at(3).member(master).is_some_and(|m| m.is_failed())
    });
    let reply = rig.run(3, "CLUSTER FAILOVER");
    let expected = "ERR Master is down or failed, please use CLUSTER FAILOVER FORCE";
    assert_eq!(error_text(&reply), expected);
}

/// Proves MF-16, CF-06.
#[test]
fn an_operator_overrules_no_failover() {
    let mut rig = Rig::cluster(3, 1);
    rig.hosts[3].config.cluster_replica_no_failover = true;
    rig.run(3, "CLUSTER FAILOVER");
    rig.until("the promotion", 500, |rig| !rig.at(3).is_replica());
}

/// Three masters, one replica; R fails over, then M1, then R again, within two node timeouts.
/// Gives the epoch of R's first election.
fn double_manual_failover(profile: &'static str) -> (Rig, ConfigEpoch) {
    let mut rig = Rig::cluster_with(3, 1, |config| {
        config.cluster_node_timeout = Millis(15_000);
        config
            .other
            .insert(PROFILE_DIRECTIVE.into(), profile.into());
    });
    rig.run(3, "CLUSTER FAILOVER");
    rig.run_for(3200);
    assert!(!rig.at(3).is_replica() && rig.at(0).is_replica());
    let first = rig.at(3).config_epoch();
    rig.run(0, "CLUSTER FAILOVER");
    rig.run_for(3200);
    assert!(!rig.at(0).is_replica() && rig.at(3).is_replica());
    rig.sent.clear();
    rig.run(3, "CLUSTER FAILOVER");
    rig.run_for(6000);
    (rig, first)
}

fn promoted_in(rig: &Rig, epoch: ConfigEpoch) -> bool {
    rig.sent.iter().any(|sent| {
        let header = &sent.packet.header;
        sent.from == 3 && header.master.is_none() && header.config_epoch == epoch
    })
}

/// Proves VT-08 and MF-01 of part C (C.1): old votes never promote again.
#[test]
fn a_second_manual_failover_does_not_use_old_votes() {
    let (rig, first) = double_manual_failover("reference");
    assert!(!promoted_in(&rig, first));
    let is_request = |sent: &Sent| sent.from == 3 && sent.packet.body == Body::AuthRequest;
    assert!(rig.sent.iter().any(is_request), "it asks for votes again");
}

/// The same scenario shows the weakness where it is asked for: VT-08 is red there.
#[test]
fn the_upstream_profile_reuses_old_votes() {
    let (rig, first) = double_manual_failover("upstream-7.0");
    assert!(
        promoted_in(&rig, first),
        "it is promoted by the votes of its first election"
    );
    assert!(
        !rig.sent
            .iter()
            .any(|sent| sent.packet.body == Body::AuthRequest)
    );
}

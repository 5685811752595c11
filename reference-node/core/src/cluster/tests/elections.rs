//! When a replica stands, how often it asks, and whose votes it counts.

use super::rig::Rig;
use crate::bus::packet::Body;
use crate::cluster::election::{ElectionStage, data_age};
use crate::cluster::{LinkFigures, PROFILE_DIRECTIVE};
use crate::epoch::CurrentEpoch;
use crate::time::Millis;

/// AUTH_REQUEST, as DEBUG CLUSTER-PACKET-FILTER numbers it.
const AUTH_REQUEST: u16 = 5;

/// Three masters; the first is FAIL for its replica, host 3, and the others hear no requests.
fn without_voters(node_timeout: u64, replicas: usize) -> Rig {
    without_voters_of("default", node_timeout, replicas)
}

fn without_voters_of(profile: &str, node_timeout: u64, replicas: usize) -> Rig {
    let mut rig = Rig::cluster_with(3, replicas, |config| {
        config.cluster_node_timeout = Millis(node_timeout);
        let directive = PROFILE_DIRECTIVE.into();
        config.other.insert(directive, profile.into());
    });
    for voter in [1, 2] {
        let cluster = rig.hosts[voter].cluster.as_mut().expect("it runs");
        cluster.drop_packets_of_type(Some(AUTH_REQUEST));
    }
    let id = rig.id(0);
    rig.kill(0);
    rig.until("FAIL at the replica", 20_000, |rig| {
        rig.at(3)
            .member(id)
            .is_some_and(|member| member.is_failed())
    });
    rig.sent.clear();
    rig
}

/// The epochs in which host 3 asked, one for each packet.
fn requests(rig: &Rig) -> Vec<u64> {
    let of_candidate = rig
        .sent
        .iter()
        .filter(|sent| sent.from == 3 && sent.packet.body == Body::AuthRequest);
    of_candidate
        .map(|sent| sent.packet.header.current_epoch.0)
        .collect()
}

fn attempts(rig: &Rig) -> usize {
    let mut epochs = requests(rig);
    epochs.dedup();
    epochs.len()
}

fn start_at(rig: &Rig) -> Millis {
    let start_at = rig.at(3).election.start_at;
    start_at.expect("an election is planned")
}

/// A vote of a host for host 3.
fn vote(rig: &mut Rig, voter: usize, epoch: CurrentEpoch) {
    rig.say(voter, 3, Body::AuthAck, |header| {
        header.current_epoch = epoch
    });
}

/// Proves EL-02 and KW-09: upstream counts whole seconds, we count ms; both less the node timeout
/// where they exceed it.
#[test]
fn the_age_of_data_is_less_the_node_timeout() {
    let mut rig = Rig::cluster(1, 1);
    let now = rig.now;
    let up = |ago: u64| LinkFigures::Up {
        last_interaction: Millis(now.0 - ago),
    };
    let down = |ago: u64| LinkFigures::Down {
        since: Millis(now.0 - ago),
    };
    let cases = [
        (up(0), 0, 0),
        (up(999), 0, 999),
        (up(1999), 1000, 999),
        (up(2000), 1000, 1000),
        (up(7999), 6000, 6999),
        (down(1000), 1000, 1000),
        (down(2500), 1000, 1500),
        (down(60_000), 59_000, 59_000),
    ];
    for (link, in_seconds, in_ms) in cases {
        for (profile, expected) in [("upstream-7.0", in_seconds), ("default", in_ms)] {
            let host = &mut rig.hosts[1];
            host.replication.link = link;
            let directive = PROFILE_DIRECTIVE.into();
            host.config.other.insert(directive, profile.into());
            let age = rig.turn(1, |_, turn| data_age(turn));
            assert_eq!(age, Millis(expected), "{link:?}, {profile}");
        }
    }
}

/// Proves EL-02, EL-03: at the limit a replica stands; a second older it does not.
#[test]
fn a_replica_whose_data_is_just_young_enough_stands() {
    // NT 1000, factor 10, period 10 s: 20 s, and one node timeout more for the link.
    for (ago, stands) in [(19_500, true), (23_500, false)] {
        let mut rig = without_voters(1000, 1);
        let last_interaction = Millis(rig.now.0 + 100 - ago);
        rig.hosts[3].replication.link = LinkFigures::Up { last_interaction };
        rig.run_for(1500);
        assert_eq!(attempts(&rig) > 0, stands, "{ago} ms");
    }
}

/// Proves EL-05, EL-06, EL-12, EL-25: one request to each node for each attempt, and the next
/// attempt only after twice its time, in a new epoch. The default asks again: KW-04.
#[test]
fn a_candidate_asks_once_and_again_only_after_a_retry_span() {
    for (node_timeout, retry) in [(500, 4000), (1000, 4000), (2000, 8000)] {
        let mut rig = without_voters_of("upstream-7.0", node_timeout, 1);
        rig.until("the first request", 3000, |rig| attempts(rig) == 1);
        let gap = rig.until("the second", 30_000, |rig| attempts(rig) == 2);
        let expected = retry + 500..=retry + 1000 + 200;
        assert!(expected.contains(&gap), "NT {node_timeout}: {gap} ms");
        let epochs = requests(&rig);
        let first = epochs[0];
        let each = |epoch| epochs.iter().filter(|other| **other == epoch).count();
        assert_eq!(each(first), 4, "hosts 1, 2, 4 and 5, once each");
        assert_eq!(each(first + 1), 4, "the next attempt has the next epoch");
    }
}

/// Proves EL-10, EL-14: votes that come in time win; those after auth_timeout do nothing.
#[test]
fn votes_count_until_the_attempt_expires() {
    for (wait, is_promoted) in [(1800, true), (2100, false)] {
        let mut rig = without_voters(1000, 1);
        rig.until("the request", 3000, |rig| attempts(rig) == 1);
        let epoch = rig.at(3).current_epoch();
        rig.run_for(wait);
        vote(&mut rig, 1, epoch);
        vote(&mut rig, 2, epoch);
        assert_eq!(!rig.at(3).is_replica(), is_promoted, "after {wait} ms");
    }
}

/// Proves EL-10: before auth_time nothing is asked, whatever comes in.
#[test]
fn nothing_is_asked_before_the_delay_is_over() {
    let mut rig = without_voters(1000, 1);
    rig.until("the plan", 1000, |rig| {
        matches!(rig.at(3).election.stage, ElectionStage::Waiting { .. })
    });
    let wait = start_at(&rig).since(rig.now);
    assert!(wait >= Millis(500), "{wait:?}");
    rig.run_for(wait.0 - 1);
    assert_eq!(attempts(&rig), 0);
    rig.run_for(1);
    assert_eq!(attempts(&rig), 1);
}

/// Proves EL-14: of masters with slots only, and of no earlier epoch.
#[test]
fn only_masters_with_slots_count_and_only_for_this_epoch() {
    let mut rig = without_voters(1000, 1);
    rig.until("the request", 3000, |rig| attempts(rig) == 1);
    let epoch = rig.at(3).current_epoch();
    vote(&mut rig, 1, epoch);
    vote(&mut rig, 4, epoch);
    vote(&mut rig, 5, epoch);
    assert!(rig.at(3).is_replica(), "replicas have no vote");
    vote(&mut rig, 2, CurrentEpoch(epoch.0 - 1));
    assert!(rig.at(3).is_replica(), "an old epoch is another election");
    let id = rig.id(2);
    rig.turn(3, |cluster, _| {
        let index = cluster.members.find(id).expect("known");
        cluster.slots.unbind_all(&mut cluster.members, index);
    });
    vote(&mut rig, 2, epoch);
    assert!(rig.at(3).is_replica(), "a master without slots has no vote");
    rig.until("its slots are known again", 2000, |rig| {
        rig.view(3, 2).has_voice()
    });
    vote(&mut rig, 2, epoch);
    assert!(!rig.at(3).is_replica(), "two of three are a majority");
}

/// Proves EL-09: a second more for each sibling that turns out to have more data, and no less
/// when it turns out to have less.
#[test]
fn a_candidate_waits_longer_for_a_sibling_with_more_data() {
    let mut rig = without_voters(1000, 2);
    rig.until("the plan", 1000, |rig| {
        matches!(rig.at(3).election.stage, ElectionStage::Waiting { rank: 0 })
    });
    let planned = start_at(&rig);
    for (offset, expected) in [(200, 1000), (200, 1000), (50, 1000)] {
        rig.say(6, 3, Body::Pong(Default::default()), |header| {
            header.offset = offset;
        });
        rig.hosts[6].replication.offset = offset;
        rig.run_for(100);
        assert_eq!(start_at(&rig), planned + Millis(expected), "{offset}");
        assert_eq!(
            rig.at(3).election.stage,
            ElectionStage::Waiting { rank: 1 },
            "{offset}"
        );
    }
    rig.until("the request", 3000, |rig| attempts(rig) == 1);
    assert_eq!(rig.now, planned + Millis(1000));
}

/// Proves EL-08: unasked, to the siblings and to nobody else, with the offset as it is now.
#[test]
fn a_candidate_tells_its_siblings_how_far_its_data_goes() {
    let mut rig = without_voters(1000, 3);
    rig.until("the first request", 3000, |rig| attempts(rig) == 1);
    rig.sent.clear();
    rig.hosts[3].replication.offset = 321;
    rig.until("the next plan", 6000, |rig| {
        matches!(rig.at(3).election.stage, ElectionStage::Waiting { .. })
    });
    let unasked = rig.sent.iter().filter(|sent| {
        let is_pong = matches!(sent.packet.body, Body::Pong(_));
        sent.from == 3 && is_pong && !sent.link.is_inbound()
    });
    let told: Vec<_> = unasked
        .map(|sent| (sent.to, sent.packet.header.offset))
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.contains(&(Some(6), 321)) && told.contains(&(Some(9), 321)),
        "{told:?}"
    );
    assert_eq!(rig.view(6, 3).repl_offset, 321);
}

/// Proves EL-07: whoever refuses to fail over is not waited for.
#[test]
fn a_sibling_that_never_stands_does_not_count() {
    let mut rig = Rig::cluster(3, 2);
    rig.hosts[6].config.cluster_replica_no_failover = true;
    rig.hosts[6].replication.offset = 500;
    rig.run_for(3000);
    assert!(rig.view(3, 6).repl_offset == 500 && rig.view(3, 6).refuses_failover);
    rig.kill(0);
    rig.until("the plan", 10_000, |rig| {
        rig.at(3).election.start_at.is_some()
    });
    assert_eq!(rig.at(3).election.stage, ElectionStage::Waiting { rank: 0 });
}

/// Proves EL-20, EL-21: the winner tells everybody in the turn in which it wins.
#[test]
fn everybody_knows_the_new_owner_at_once() {
    let mut rig = Rig::cluster(3, 2);
    rig.kill(0);
    rig.until("the promotion", 10_000, |rig| {
        [3, 6].iter().any(|index| !rig.at(*index).is_replica())
    });
    let winner = [3, 6]
        .into_iter()
        .find(|index| !rig.at(*index).is_replica());
    let winner = winner.expect("one of them");
    let slot = crate::slot::Slot::new(0).expect("a slot");
    for index in 1..9 {
        let owner = rig.at(index).slot_owner(slot).map(|owner| owner.id);
        assert_eq!(owner, Some(rig.id(winner)), "host {index}");
    }
    assert_eq!(
        rig.at(winner).config_epoch().0,
        rig.at(winner).current_epoch().0
    );
}

/// Proves EL-22: a master that is back before the votes is not replaced; the votes stay counted.
#[test]
fn a_master_that_returns_in_time_keeps_its_role() {
    let mut rig = without_voters(1000, 1);
    rig.until("the request", 3000, |rig| attempts(rig) == 1);
    let epoch = rig.at(3).current_epoch();
    let master = rig.hosts[3].cluster.as_ref().expect("it runs").my_master();
    let id = master.expect("a replica").id;
    rig.start(0);
    rig.until("the end of FAIL", 3000, |rig| {
        rig.at(3)
            .member(id)
            .is_some_and(|member| !member.is_failed())
    });
    assert!(
        rig.now.since(start_at(&rig)) < Millis(2000),
        "the attempt is still open"
    );
    vote(&mut rig, 1, epoch);
    vote(&mut rig, 2, epoch);
    rig.run_for(3000);
    assert!(rig.at(3).is_replica());
    let ElectionStage::Asked { voters, .. } = &rig.at(3).election.stage else {
        panic!("the attempt is remembered");
    };
    assert_eq!(voters.len(), 2);
    assert!(!rig.at(0).is_replica());
}

/// Proves EL-27: what was planned for one master is no plan for another.
#[test]
fn a_change_of_master_ends_the_election() {
    let mut rig = without_voters(1000, 1);
    rig.until("the request", 3000, |rig| attempts(rig) == 1);
    let other = rig.id(1);
    rig.run(3, &format!("CLUSTER REPLICATE {other}"));
    assert_eq!(rig.at(3).election.start_at, None);
    assert_eq!(rig.at(3).election.stage, ElectionStage::Idle);
}

/// Proves EL-01: a master that fails but owns nothing needs no successor.
#[test]
fn nobody_stands_for_a_master_without_slots() {
    let mut rig = without_voters(1000, 1);
    rig.turn(3, |cluster, _| {
        let master = cluster.members.my_shard_master();
        assert!(cluster.slots.unbind_all(&mut cluster.members, master) > 0);
    });
    rig.run_for(10_000);
    assert_eq!(attempts(&rig), 0);
}

//! Elections: what votes are worth, and what a failed attempt costs.

use super::{AUTH_REQUEST, cluster, drop_packets, kill_first, told};
use crate::bus::packet::Body;
use crate::cluster::tests::rig::Rig;
use crate::cluster::{LinkDirection, LinkFigures};
use crate::time::Millis;

fn has_asked(rig: &Rig) -> bool {
    let mut sent = rig.sent.iter();
    sent.any(|sent| sent.from == 3 && sent.packet.body == Body::AuthRequest)
}

/// Host 0 is dead, its replica, host 3, has asked, and no master has heard it.
fn asked_in_vain(profile: &str, node_timeout: u64) -> Rig {
    let mut rig = cluster(profile, 3, 1, node_timeout);
    drop_packets(&mut rig, 1, Some(AUTH_REQUEST));
    drop_packets(&mut rig, 2, Some(AUTH_REQUEST));
    kill_first(&mut rig, &[1, 2, 3]);
    rig.until("the request", 2000, has_asked);
    rig
}

/// Proves KW-02: a vote counted twice makes a master that half of the voters never chose.
#[test]
fn one_voter_who_says_it_twice_is_no_majority() {
    let is_promoted = told(|profile| {
        let mut rig = asked_in_vain(profile, 2000);
        let epoch = rig.at(3).current_epoch();
        for _ in 0..2 {
            rig.say(1, 3, Body::AuthAck, |header| header.current_epoch = epoch);
        }
        rig.run_for(200);
        !rig.at(3).is_replica()
    });
    assert!(
        is_promoted.upstream && !is_promoted.default,
        "{is_promoted:?}"
    );
}

/// Proves KW-02: a vote of a later epoch was meant for somebody else.
#[test]
fn votes_of_a_later_epoch_do_not_count() {
    let is_promoted = told(|profile| {
        let mut rig = asked_in_vain(profile, 2000);
        let epoch = rig.at(3).current_epoch().next();
        for voter in [1, 2] {
            rig.say(voter, 3, Body::AuthAck, |header| {
                header.current_epoch = epoch
            });
        }
        rig.run_for(200);
        !rig.at(3).is_replica()
    });
    assert!(
        is_promoted.upstream && !is_promoted.default,
        "{is_promoted:?}"
    );
}

/// Proves KW-03: voters that cannot reach the candidate keep their votes until they can.
#[test]
fn a_vote_that_cannot_be_delivered_is_not_spent() {
    let told = told(|profile| {
        let mut rig = cluster(profile, 3, 1, 2000);
        kill_first(&mut rig, &[1, 2, 3]);
        // Their links to the candidate break; what it says still reaches them.
        rig.cuts.extend([(1, 3), (2, 3)]);
        break_links_to_candidate(&mut rig);
        rig.until("the request", 2000, has_asked);
        let epoch = rig.at(3).current_epoch();
        let is_spent = rig.at(1).last_vote_epoch == epoch;
        rig.heal();
        break_links_to_candidate(&mut rig);
        let waited = rig.until("the promotion", 60_000, |rig| !rig.at(3).is_replica());
        (is_spent, waited)
    });
    assert!(told.upstream.0 && told.upstream.1 > 8000, "{told:?}");
    assert!(!told.default.0 && told.default.1 <= 1500, "{told:?}");
}

fn break_links_to_candidate(rig: &mut Rig) {
    let candidate = rig.id(3);
    for voter in [1, 2] {
        rig.with(voter, |cluster, around, fx| {
            cluster.kill_link(candidate, LinkDirection::To, around, fx);
        });
    }
}

/// Proves KW-04: with the default node timeout a request that got lost costs a minute.
#[test]
fn a_lost_request_for_votes_is_repeated() {
    let waited = told(|profile| {
        let mut rig = asked_in_vain(profile, 15_000);
        drop_packets(&mut rig, 1, None);
        drop_packets(&mut rig, 2, None);
        rig.until("the promotion", 90_000, |rig| !rig.at(3).is_replica())
    });
    assert!(waited.upstream > 60_000, "{waited:?}");
    assert!(waited.default <= 1200, "{waited:?}");
}

/// Proves KW-09: replicas whose data is older than the settings allow, by less than a second.
#[test]
fn the_age_of_data_is_not_rounded_down() {
    let is_promoted = told(|profile| {
        let mut rig = cluster(profile, 3, 1, 1000);
        for host in &mut rig.hosts {
            host.config.cluster_replica_validity_factor = 1;
            host.config.repl_ping_replica_period_s = 1;
        }
        kill_first(&mut rig, &[1, 2, 3]);
        // At most 1 s + 1 NT are allowed, and 1 NT for the failure detection: 3 s.
        for _ in 0..30 {
            let last_interaction = Millis(rig.now.0 - 3800);
            rig.hosts[3].replication.link = LinkFigures::Up { last_interaction };
            rig.run_for(100);
        }
        !rig.at(3).is_replica()
    });
    assert!(
        is_promoted.upstream && !is_promoted.default,
        "{is_promoted:?}"
    );
}

/// Proves VO-03, EP-24: who has won an epoch helps nobody else to win it.
#[test]
fn a_winner_has_no_vote_left_in_its_epoch() {
    let has_voted = told(|profile| {
        let mut rig = cluster(profile, 3, 2, 2000);
        kill_first(&mut rig, &[1, 2, 3]);
        rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
        let epoch = rig.at(3).current_epoch();
        rig.say(4, 3, Body::AuthRequest, |header| {
            header.current_epoch = epoch;
            header.message_flags.force_ack = true;
        });
        rig.run_for(100);
        let mut sent = rig.sent.iter();
        sent.any(|sent| sent.from == 3 && sent.packet.body == Body::AuthAck)
    });
    assert!(has_voted.upstream && !has_voted.default, "{has_voted:?}");
}

/// Proves VO-03: who is being replaced leaves the votes of later epochs to its successor.
#[test]
fn a_shard_whose_master_changes_has_one_vote() {
    let voted_for = |profile: &str, candidate: usize| {
        let mut rig = cluster(profile, 3, 1, 2000);
        rig.say(3, 0, Body::MfStart, |_| {});
        rig.run_for(10);
        let epoch = rig.at(0).current_epoch().next();
        rig.say(candidate, 0, Body::AuthRequest, |header| {
            header.current_epoch = epoch;
            header.message_flags.force_ack = true;
        });
        rig.run_for(100);
        let mut sent = rig.sent.iter();
        sent.any(|sent| sent.from == 0 && sent.packet.body == Body::AuthAck)
    };
    let for_another = told(|profile| voted_for(profile, 4));
    assert!(
        for_another.upstream && !for_another.default,
        "{for_another:?}"
    );
    let for_successor = told(|profile| voted_for(profile, 3));
    assert!(
        for_successor.upstream && for_successor.default,
        "{for_successor:?}"
    );
}

/// Proves VO-03, VO-13: who voted against itself leaves the votes of later epochs to its successor.
#[test]
fn a_shard_whose_master_is_replaced_by_force_has_one_vote() {
    let for_another = told(|profile| {
        let mut rig = cluster(profile, 3, 1, 2000);
        let first_epoch = rig.at(0).current_epoch().next();
        for (candidate, epoch) in [(3, first_epoch), (4, first_epoch.next())] {
            rig.say(candidate, 0, Body::AuthRequest, |header| {
                header.current_epoch = epoch;
                header.message_flags.force_ack = true;
            });
            rig.run_for(100);
        }
        let votes = rig.sent.iter();
        let votes = votes.filter(|sent| sent.from == 0 && sent.packet.body == Body::AuthAck);
        let voted_for: Vec<Option<usize>> = votes.map(|sent| sent.to).collect();
        assert_eq!(voted_for.first(), Some(&Some(3)), "its own replica first");
        voted_for.contains(&Some(4))
    });
    assert!(
        for_another.upstream && !for_another.default,
        "{for_another:?}"
    );
}

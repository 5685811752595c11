//! Failure detection, membership, and masters that should not serve any more.

use super::{MEET, cluster, drop_packets, strangers, told};
use crate::cluster::LinkDirection;
use crate::cluster::tests::rig::Rig;

/// Proves FD-03 of part C: nodes that own nothing cannot outvote those that do.
#[test]
fn masters_without_slots_do_not_make_a_quorum() {
    let is_failed = told(|profile| {
        // Host 0 alone of three owners cannot reach host 2; hosts 3 and 4 own nothing and cannot.
        let mut rig = strangers(profile, 5, 1000);
        for (host, slots) in [(0, "0 5000"), (1, "5001 10000"), (2, "10001 16383")] {
            rig.run(host, &format!("CLUSTER ADDSLOTSRANGE {slots}"));
        }
        for host in 1..5 {
            rig.run(0, &format!("CLUSTER MEET 127.0.0.1 {}", 7000 + host));
        }
        rig.until("all ok", 20_000, |rig| {
            (0..5).all(|host| rig.at(host).is_ok())
        });
        rig.run_for(2000);
        for host in [0, 3, 4] {
            rig.cut(host, 2);
        }
        rig.run_for(10_000);
        rig.view(0, 2).is_failed()
    });
    assert!(is_failed.upstream && !is_failed.default, "{is_failed:?}");
}

fn knows(rig: &Rig, host: usize, other: usize) -> bool {
    let id = rig.id(other);
    rig.at(host)
        .member(id)
        .is_some_and(|member| member.is_known())
}

/// Proves KW-06: one lost MEET, and one of two nodes never hears of the other.
#[test]
fn a_lost_meet_is_repeated() {
    let known = told(|profile| {
        let mut rig = strangers(profile, 2, 10_000);
        drop_packets(&mut rig, 1, Some(MEET));
        rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
        rig.run_for(300);
        drop_packets(&mut rig, 1, None);
        // The connection breaks, and is made anew.
        let record = rig.at(0).members().find(|member| !member.is_known());
        let record = record.expect("a handshake").id;
        rig.with(0, |cluster, around, fx| {
            cluster.kill_link(record, LinkDirection::To, around, fx);
        });
        rig.run_for(30_000);
        (knows(&rig, 0, 1), knows(&rig, 1, 0))
    });
    assert_eq!(known.upstream, (true, false), "upstream");
    assert_eq!(known.default, (true, true), "default");
}

/// Proves HI-08 of part C: a master that was stopped, and replaced meanwhile, does not serve what
/// waits in its sockets when it goes on.
#[test]
fn a_deposed_master_that_wakes_up_does_not_serve() {
    let serves = told(|profile| {
        let mut rig = cluster(profile, 3, 1, 1000);
        rig.paused.insert(0);
        rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
        rig.run_for(1000);
        // The first thing it sees is a client's command.
        rig.with(0, |cluster, around, fx| cluster.notice_time(around, fx));
        rig.at(0).is_ok() && rig.at(0).is_mine(super::slot(0))
    });
    assert!(serves.upstream && !serves.default, "{serves:?}");
}

/// Proves KW-01 as far as it can be: the window of a minority is inherent, and ends by ST-10.
#[test]
fn a_minority_stops_serving_within_the_documented_bound() {
    for node_timeout in [500, 1000, 4000] {
        let served = told(|profile| {
            let mut rig = cluster(profile, 3, 1, node_timeout);
            rig.isolate(0);
            rig.until("the end of service", 20_000, |rig| !rig.at(0).is_ok())
        });
        let bound = node_timeout + node_timeout / 2 + 300;
        for (profile, served) in [("upstream", served.upstream), ("default", served.default)] {
            assert!(
                served > 0 && served <= bound,
                "{profile}: {served} of {bound} ms"
            );
        }
    }
}

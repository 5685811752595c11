//! What comes back from nodes.conf, and when it is written.

use super::rig::FakeKeys;
use crate::cluster::{Cluster, Effect, LinkFigures, ReplicationFigures, Surroundings};
use crate::config::Config;
use crate::output::Output;
use crate::rng::Rng;
use crate::time::Millis;

const ME: &str = "07c37dfeb235213a872192d90877d0cd55635b91";
const OTHER: &str = "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1";
const THIRD: &str = "3fc783611028b1707fd65345e763befb36454d73";
const VARS: &str = "vars currentEpoch 9 lastVoteEpoch 5\n";

fn booted(text: &str, now: Millis) -> Cluster {
    let config = Config::default();
    let boot = Cluster::boot(
        &config,
        Some(text.as_bytes()),
        Rng::new(1),
        now,
        &mut vec![],
    );
    boot.expect("a nodes.conf")
}

fn myself() -> String {
    format!("{ME} 127.0.0.1:7000@17000 myself,master - 0 0 3 connected 0-5460 5462\n")
}

/// Proves PS-09.
#[test]
fn what_was_outstanding_counts_from_the_start_and_zero_stays_zero() {
    let text = format!(
        "{}{OTHER} 127.0.0.1:7001@17001 master - 1700000000001 0 9 connected 5461\n\
         {THIRD} 127.0.0.1:7002@17002 master - 0 1700000000002 8 connected 6000\n{VARS}",
        myself()
    );
    let now = Millis(1_800_000_000_000);
    let cluster = booted(&text, now);
    let times: Vec<_> = cluster
        .members()
        .map(|member| (member.ping_sent, member.pong_received))
        .collect();
    assert_eq!(times, [(None, None), (Some(now), None), (None, Some(now))]);
}

/// Proves PS-10: as Redis 8 reads it: the shard is the master's, whatever a replica's line says.
#[test]
fn a_replica_is_in_the_shard_of_its_master() {
    let [shard, foreign] = ["a", "b"].map(|letter| letter.repeat(40));
    let text = format!(
        "{ME} 127.0.0.1:7000@17000,,tls-port=0,shard-id={foreign} myself,slave {OTHER} 0 0 3 \
         connected\n{OTHER} 127.0.0.1:7001@17001,,tls-port=0,shard-id={shard} master - 0 0 3 \
         connected 5461\n{VARS}"
    );
    let my_shard = |cluster: &Cluster| cluster.shard_of(cluster.members.my_index());
    assert_eq!(my_shard(&booted(&text, Millis(5))).to_string(), shard);
    let plain = text
        .replace(&format!(",,tls-port=0,shard-id={foreign}"), "")
        .replace(&format!(",,tls-port=0,shard-id={shard}"), "");
    let cluster = booted(&plain, Millis(5));
    let master = cluster.members.my_shard_master();
    assert_eq!(my_shard(&cluster), cluster.shard_of(master));
}

/// Proves RM-08: a master that had a replica in the file is a target from the start.
#[test]
fn who_had_a_replica_before_the_restart_is_a_migration_target() {
    let text = format!(
        "{}{OTHER} 127.0.0.1:7001@17001 master - 0 0 9 connected 5461\n\
         {THIRD} 127.0.0.1:7002@17002 slave {OTHER} 0 0 9 connected\n{VARS}",
        myself()
    );
    let cluster = booted(&text, Millis(5));
    let targets: Vec<bool> = cluster
        .members()
        .map(|member| member.is_migration_target)
        .collect();
    assert_eq!(targets, [false, true, false]);
}

fn saves(fx: &[Effect]) -> usize {
    let persists = fx.iter();
    persists
        .filter(|effect| matches!(effect, Effect::Do(Output::Persist { .. })))
        .count()
}

/// Proves PS-15: one save for a turn with many reasons, at its end; SAVECONFIG does not wait.
#[test]
fn a_turn_saves_once() {
    let mut cluster = booted(&format!("{}{VARS}", myself()), Millis(5));
    let (config, keys) = (Config::default(), FakeKeys::default());
    let around = Surroundings {
        now: Millis(6),
        config: &config,
        keyspace: &keys,
        replication: ReplicationFigures {
            offset: 0,
            link: LinkFigures::Down { since: Millis(0) },
        },
    };
    let mut fx = Vec::new();
    for line in [
        "CLUSTER ADDSLOTS 7000",
        "CLUSTER DELSLOTS 1",
        "CLUSTER BUMPEPOCH",
    ] {
        let args: Vec<_> = line.split(' ').map(bytes::Bytes::from).collect();
        cluster.command(&args, &around, &mut fx);
    }
    assert_eq!(saves(&fx), 0);
    cluster.before_sleep(&around, &mut fx);
    assert_eq!(saves(&fx), 1);
    cluster.before_sleep(&around, &mut fx);
    assert_eq!(saves(&fx), 1, "nothing new, nothing saved");
    cluster.command(&["CLUSTER".into(), "SAVECONFIG".into()], &around, &mut fx);
    assert_eq!(saves(&fx), 2);
}

//! Elections with voters of the other make, and manual failovers in both directions.

use std::sync::atomic::{AtomicBool, Ordering};

use slotquake_tests::live::{Program, Router, Server, wait_until};
use slotquake_workloads::client::resp::RespValue;

use crate::corpus::{self, assert_same, contents};
use crate::replication::assert_in_step;
use crate::stage::{
    Part, count, form, ok, ours, view, wait_master, wait_settled, with, with_each_real,
};

/// Proves EL-20, FD-10, VO-01 and UP-09 with real voters.
#[test]
fn our_replica_of_a_dead_real_master_is_elected_by_real_voters() {
    with_each_real(|real| is_elected(&ours(), &real.program));
}

/// Proves VO-01, FD-10 and UP-09 with real candidates.
#[test]
fn a_real_replica_of_our_dead_master_is_elected_by_our_voters() {
    with_each_real(|real| is_elected(&real.program, &ours()));
}

fn is_elected(candidate: &Program, voter: &Program) {
    let candidate = with(candidate, QUICK);
    let voter = with(voter, QUICK);
    let mut nodes = form(&[
        (&voter, Part::Master),
        (&voter, Part::Master),
        (&voter, Part::Master),
        (&candidate, Part::ReplicaOf(0)),
    ]);
    corpus::write(&mut nodes[0].client(), TAG_OF_FIRST_THIRD);
    assert_in_step(&nodes[0], &nodes[3]);
    let before = contents(&mut nodes[0].client());
    let (old, new) = (nodes[0].id(), nodes[3].id());
    nodes[0].kill();
    let epoch = wait_master(&nodes[3]);
    let voted = format!("Failover auth granted to {new}");
    for voter in &nodes[1..3] {
        let log = voter.log();
        let vote = log.lines().find(|line| line.contains(&voted));
        let vote = vote.unwrap_or_else(|| panic!("no vote of {}: {log}", voter.address()));
        assert!(vote.ends_with(&format!("for epoch {epoch}")), "{vote}");
    }
    assert_eq!(epoch, 4, "one round was enough");
    assert_same(&before, &contents(&mut nodes[3].client()));
    wait_until("the survivors to agree", || {
        nodes[1..].iter().all(|node| {
            let view = view(node);
            view[&new].epoch == epoch && view[&old].slots.is_empty()
        })
    });

    nodes[0].restart();
    wait_settled(&nodes);
    let line = &view(&nodes[2])[&old];
    assert_eq!(line.master.as_ref(), Some(&new), "the old master gives way");
    assert_in_step(&nodes[3], &nodes[0]);
}

/// Proves MF-01, MF-09, MF-10, MF-12 and MF-13 between different makes: each form of CLUSTER
/// FAILOVER goes to and fro, and by the plain one no acknowledged write is lost.
#[test]
fn manual_failovers_of_every_form_go_both_ways() {
    with_each_real(|real| {
        let (ours, theirs) = (ours(), &real.program);
        let nodes = form(&[
            (&ours, Part::Master),
            (theirs, Part::Master),
            (&ours, Part::Master),
            (theirs, Part::ReplicaOf(0)),
            (&ours, Part::ReplicaOf(1)),
            (theirs, Part::ReplicaOf(2)),
        ]);
        let fails_over = |to: usize, words: &[&str]| {
            let to = &nodes[to];
            let epoch = |node| count(node, &["CLUSTER", "INFO"], "cluster_current_epoch");
            let before = nodes.iter().map(epoch).max();
            ok(
                &mut to.client(),
                &[&["CLUSTER", "FAILOVER"], words].concat(),
            );
            let epoch = wait_master(to);
            assert_eq!(Some(epoch - 1), before, "{words:?}: one new epoch");
            wait_settled(&nodes);
        };
        // No real node stands for election twice: for a while it would count its old votes.
        let to_and_fro = |one: usize, other: usize, words: &[&str]| {
            fails_over(other, words);
            fails_over(one, words);
        };
        let (is_over, first) = (AtomicBool::new(false), &nodes[1]);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let (mut router, mut count) = (Router::new(first), 0);
                while !is_over.load(Ordering::Relaxed) {
                    count += 1;
                    let reply = router.call(&["INCR", COUNTER]);
                    assert_eq!(reply, RespValue::Integer(count), "every INCR, once");
                }
                count
            });
            let _end = WhenDropped(&is_over);
            to_and_fro(0, 3, &[]);
            is_over.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        let counted = Router::new(first).call(&["GET", COUNTER]);
        assert_eq!(counted.text(), Some(written.to_string().as_str()));
        to_and_fro(1, 4, &["FORCE"]);
        to_and_fro(2, 5, &["TAKEOVER"]);
        for shard in 0..3 {
            assert_in_step(&nodes[shard], &nodes[shard + 3]);
        }
        let full = |node: &Server| count(node, &["INFO", "stats"], "sync_full");
        let copies = [&nodes[0], &nodes[3]].map(full);
        assert_eq!(
            copies,
            [1, 0],
            "after the plain form replication just goes on"
        );
    });
}

/// Ends the writer, also when a claim does not hold meanwhile.
struct WhenDropped<'a>(&'a AtomicBool);

impl Drop for WhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Its slot lies in the first third, too.
const COUNTER: &str = "counter{third}";

/// Short, so that a death is soon noticed.
const QUICK: &str = "cluster-node-timeout 2000\n";

/// A hash tag whose slot lies in the first third.
const TAG_OF_FIRST_THIRD: &str = "third";

//! The logical clock and the versions of claims, each rule by itself and in a storm.

use std::collections::BTreeMap;

use super::rig::Rig;
use super::rig::probe::plain_beats;
use crate::bus::packet::{Body, Heartbeat};
use crate::cluster::PROFILE_DIRECTIVE;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::output::Durability;
use crate::resp::Reply;
use crate::rng::Rng;
use crate::slot::SlotSet;

fn ping() -> Body {
    Body::Ping(Heartbeat::default())
}

/// Proves EP-02: only upwards, on disk before anything else; a replica shows its master's.
#[test]
fn a_greater_config_epoch_of_a_master_is_kept_for_good() {
    for (told, by_replica, expected) in [(9, false, 9), (2, false, 2), (1, false, 2), (9, true, 2)]
    {
        let mut rig = Rig::cluster(3, 1);
        let from = if by_replica { 4 } else { 1 };
        rig.saves.clear();
        rig.say(from, 0, Body::Unknown(99), |header| {
            header.config_epoch = ConfigEpoch(told)
        });
        assert_eq!(rig.view(0, 1).config_epoch, ConfigEpoch(expected));
        let save = (expected == 9).then_some((0, Durability::Synced));
        assert_eq!(rig.saves.first().copied(), save);
    }
}

/// Proves EP-03.
#[test]
fn a_new_node_has_seen_no_epoch() {
    let mut rig = Rig::strangers(1);
    rig.run(0, "CLUSTER ADDSLOTSRANGE 0 16383");
    rig.run_for(5000);
    assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(0));
    assert_eq!(rig.at(0).config_epoch(), ConfigEpoch(0));
}

/// Proves EP-01, EP-06: heard epochs only raise the clock. Here it does not go back over a crash
/// either; with upstream's weakness it does, but never below one's own claim.
#[test]
fn the_clock_never_goes_back() {
    for (profile, after) in [("reference", 91), ("upstream-7.0", 4)] {
        let mut rig = Rig::cluster_with(3, 0, |config| {
            let directive = PROFILE_DIRECTIVE.to_owned();
            config.other.insert(directive, profile.to_owned());
        });
        rig.run(0, "CLUSTER BUMPEPOCH");
        for (told, expected) in [(90, 90), (50, 90), (91, 91)] {
            rig.say(1, 0, Body::Unknown(99), |header| {
                header.current_epoch = CurrentEpoch(told);
            });
            assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(expected));
        }
        rig.kill(0);
        rig.start(0);
        assert_eq!(rig.at(0).current_epoch(), CurrentEpoch(after), "{profile}");
        assert_eq!(rig.at(0).config_epoch(), ConfigEpoch(4));
    }
}

/// Proves EP-05: a new epoch unless one has the greatest of all that are known, and one at all.
#[test]
fn a_bump_is_for_whoever_is_not_the_newest() {
    for (mine, current, other, expected) in [
        (0, 0, 0, "BUMPED 1"),
        (0, 5, 0, "BUMPED 6"),
        (3, 3, 2, "STILL 3"),
        (2, 3, 1, "BUMPED 4"),
        (3, 3, 7, "BUMPED 8"),
    ] {
        let mut rig = Rig::cluster(2, 0);
        rig.alter(0, 0, |me| me.config_epoch = ConfigEpoch(mine));
        rig.alter(0, 1, |member| member.config_epoch = ConfigEpoch(other));
        rig.turn(0, |cluster, _| {
            cluster.current_epoch = CurrentEpoch(current)
        });
        rig.saves.clear();
        let reply = rig.run(0, "CLUSTER BUMPEPOCH");
        assert_eq!(reply, Reply::Status(expected.into()));
        let save = expected.starts_with('B').then_some((0, Durability::Synced));
        assert_eq!(rig.saves.first().copied(), save, "{expected}");
    }
}

/// Proves EP-08: one more than before, when votes are asked for; that is the winner's epoch.
#[test]
fn an_election_takes_the_next_epoch() {
    let mut rig = Rig::cluster(3, 1);
    let before = rig.at(3).current_epoch().0;
    rig.kill(0);
    rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
    let mut asked = false;
    for sent in rig.sent.iter().filter(|sent| sent.from == 3) {
        asked |= sent.packet.body == Body::AuthRequest;
        let epoch = sent.packet.header.current_epoch.0;
        assert_eq!(epoch, before + u64::from(asked), "{:?}", sent.packet.body);
    }
    assert_eq!(rig.at(3).config_epoch(), ConfigEpoch(before + 1));
}

/// Proves EP-20, EP-21, PS-14: whichever heartbeat shows it, the smaller id moves, once, by one.
#[test]
fn of_two_masters_with_one_epoch_the_smaller_id_moves() {
    for beat in plain_beats() {
        for epoch in [0, 7] {
            let mut rig = Rig::cluster(2, 0);
            let (small, great) = if rig.id(0) < rig.id(1) {
                (0, 1)
            } else {
                (1, 0)
            };
            for index in [small, great] {
                rig.alter(index, index, |me| me.config_epoch = ConfigEpoch(epoch));
                rig.turn(index, |cluster, _| cluster.current_epoch = CurrentEpoch(20));
            }
            rig.paused.insert(small);
            rig.say(small, great, beat.clone(), |_| {});
            assert_eq!(
                rig.at(great).config_epoch(),
                ConfigEpoch(epoch),
                "the greater stays"
            );
            rig.paused = [great].into();
            rig.saves.clear();
            rig.say(great, small, beat.clone(), |_| {});
            assert_eq!(rig.at(small).config_epoch(), ConfigEpoch(21));
            assert_eq!(rig.at(small).current_epoch(), CurrentEpoch(21));
            assert_eq!(rig.saves[0], (small, Durability::Synced));
        }
    }
}

/// Proves EP-23: nobody moves for a replica, and a replica does not move.
#[test]
fn replicas_do_not_collide() {
    let mut rig = Rig::cluster(2, 1);
    let epochs = |rig: &Rig| [0, 1, 2, 3].map(|index| rig.at(index).current_epoch().0);
    let before = epochs(&rig);
    for (from, to) in [(3, 0), (2, 1), (0, 2), (1, 2), (1, 3)] {
        let shown = rig.header_of(to).config_epoch;
        for master in [rig.id(0), rig.id(1)] {
            rig.say(from, to, ping(), |header| {
                header.config_epoch = shown;
                header.master = header.master.map(|_| master);
            });
        }
    }
    assert_eq!(epochs(&rig), before);
}

/// What was claimed at one epoch, and by whom.
type Claims = BTreeMap<ConfigEpoch, Vec<(NodeId, SlotSet)>>;

fn note_claim(claims: &mut Claims, epoch: ConfigEpoch, by: NodeId, slots: &SlotSet) {
    let claimants = claims.entry(epoch).or_default();
    for (other, claimed) in claimants.iter() {
        let shared = claimed.intersection(slots).len();
        assert!(
            *other == by || shared == 0,
            "{by:?} and {other:?} claim {shared} at {epoch:?}"
        );
    }
    match claimants.iter_mut().find(|claimant| claimant.0 == by) {
        Some((_, claimed)) => claimed.insert_all(slots),
        None => claimants.push((by, slots.clone())),
    }
}

/// Random cuts, pauses, crashes and heals; where each process began, by place in what was sent.
fn storm(rig: &mut Rig, rng: &mut Rng) -> Vec<(usize, usize)> {
    let mut starts = Vec::new();
    for _ in 0..25 {
        let (one, other) = (rng.below(6) as usize, rng.below(6) as usize);
        match rng.below(6) {
            0 => rig.isolate(one),
            1 => rig.cut(one, other),
            2 if rig.paused.is_empty() => {
                rig.paused.insert(one);
            }
            3 if rig.paused.is_empty() => {
                rig.kill(one);
                rig.run_for(rng.below(4000));
                starts.push((one, rig.sent.len()));
                rig.start(one);
            }
            _ => {
                rig.heal();
                for index in rig.paused.clone() {
                    rig.resume(index);
                }
            }
        }
        rig.run_for(rng.below(3000));
    }
    starts
}

/// Proves EP-24, EP-06: whatever breaks, no two masters ever claim a slot at one epoch, and no
/// process goes back in time.
#[test]
fn no_two_masters_claim_a_slot_at_one_epoch() {
    let mut epochs_seen = 0;
    for seed in 0..8 {
        let mut rig = Rig::cluster(3, 1);
        let starts = storm(&mut rig, &mut Rng::new(seed));
        let mut claims = Claims::new();
        let mut clocks = [CurrentEpoch(0); 6];
        for (place, sent) in rig.sent.iter().enumerate() {
            let header = &sent.packet.header;
            for (host, begin) in &starts {
                if *begin == place {
                    clocks[*host] = CurrentEpoch(0);
                }
            }
            assert!(header.current_epoch >= clocks[sent.from], "seed {seed}");
            clocks[sent.from] = header.current_epoch;
            if header.master.is_none() && !header.slots.is_empty() {
                let by = header.sender.expect("a name");
                note_claim(&mut claims, header.config_epoch, by, &header.slots);
            }
        }
        epochs_seen += claims.len();
    }
    assert!(
        epochs_seen > 40,
        "elections took place: {epochs_seen} epochs"
    );
}

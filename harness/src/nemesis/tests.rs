//! Proofs of what every nemesis must respect.

use slotquake_checkers::observation::slots::slot_of_key;

use super::*;
use crate::plan::WorldKind;

/// Three shards of two; all settled.
fn healthy() -> Picture {
    let name = NodeName::numbered;
    let node = |number: usize| NodePicture {
        name: name(number),
        role: match number {
            1..=3 => Role::Master {
                slots: format!("{number}"),
            },
            _ => Role::Replica {
                of: name(number - 3),
            },
        },
        condition: Condition::Settled,
    };
    Picture {
        nodes: (1..=6).map(node).collect(),
        node_timeout_ms: 1000,
        busy_slots: vec![1, 2, 3],
        world: WorldKind::Sim,
    }
}

fn is_master(picture: &Picture, name: &NodeName) -> bool {
    picture.masters().any(|node| node.name == *name)
}

#[test]
fn each_has_a_name_a_help_and_is_found() {
    for nemesis in NEMESES {
        assert!(!nemesis.help.is_empty(), "{}", nemesis.name());
        assert_eq!(
            find(nemesis.name()).map(|found| found.kind),
            Some(nemesis.kind)
        );
        assert_eq!(of(nemesis.kind).map(Nemesis::name), Some(nemesis.name()));
    }
}

#[test]
fn mostly_strikes_masters_and_never_a_majority_of_them() {
    for nemesis in usual() {
        let (picture, mut rng) = (healthy(), Rng::new(5));
        let mut masters_struck = 0;
        for _ in 0..300 {
            let strike = (nemesis.plan)(&picture, &mut rng).expect("all is well");
            let targets = strike.targets.iter();
            let masters = targets.filter(|name| is_master(&picture, name)).count();
            assert!(masters <= 1, "{strike:?}");
            masters_struck += masters;
        }
        assert!(masters_struck > 150, "{}: {masters_struck}", nemesis.name());
    }
}

#[test]
fn spares_the_majority_while_a_master_is_down() {
    let mut picture = healthy();
    picture.nodes[0].condition = Condition::Struck;
    let mut rng = Rng::new(5);
    for _ in 0..100 {
        for nemesis in NEMESES
            .iter()
            .filter(|nemesis| nemesis.hold == Hold::Targets)
        {
            // The one act that is meant for such a shard is a failover without hope.
            if nemesis.kind == FaultKind::Failover {
                continue;
            }
            let Ok(strike) = (nemesis.plan)(&picture, &mut rng) else {
                continue;
            };
            let has_master = strike.targets.iter().any(|name| is_master(&picture, name));
            assert!(!has_master, "{strike:?}");
            // n4 is the only hope of the shard whose master is down.
            assert!(
                !strike.targets.contains(&NodeName::numbered(4)),
                "{strike:?}"
            );
        }
    }
}

#[test]
fn does_not_take_a_master_whose_replica_is_still_catching_up() {
    let mut picture = healthy();
    picture.nodes[3].condition = Condition::Recovering;
    let mut rng = Rng::new(9);
    for _ in 0..200 {
        let strike = (kill::NEMESIS.plan)(&picture, &mut rng).expect("others are well");
        assert_ne!(strike.targets, [NodeName::numbered(1)]);
    }
}

#[test]
fn skips_when_nobody_can_be_spared() {
    let mut picture = healthy();
    for node in &mut picture.nodes {
        node.condition = Condition::Recovering;
    }
    for nemesis in NEMESES {
        if nemesis.hold == Hold::Nothing && nemesis.kind != FaultKind::OpenSlot {
            continue;
        }
        assert!((nemesis.plan)(&picture, &mut Rng::new(1)).is_err());
    }
}

/// A killed master stays down until a failover can be over (HI-07).
#[test]
fn a_killed_master_stays_down_longer_than_a_failover_takes() {
    let (picture, mut rng) = (healthy(), Rng::new(2));
    for _ in 0..200 {
        let strike = (kill::NEMESIS.plan)(&picture, &mut rng).expect("all is well");
        if is_master(&picture, &strike.targets[0]) {
            assert!(strike.duration_ms >= picture.failover_ms());
        }
    }
}

#[test]
fn partitions_have_three_shapes_and_cut_only_across_the_sides() {
    let (picture, mut rng) = (healthy(), Rng::new(7));
    let (mut one_way, mut minorities, mut isolated) = (0, 0, 0);
    for _ in 0..300 {
        let strike = (partition::NEMESIS.plan)(&picture, &mut rng).expect("all is well");
        for (from, to) in &strike.cuts {
            assert_ne!(strike.targets.contains(from), strike.targets.contains(to));
        }
        let both_ways = 2 * strike.targets.len() * (6 - strike.targets.len());
        match strike.targets.len() {
            1 if strike.cuts.len() == both_ways => isolated += 1,
            1 => one_way += 1,
            _ => minorities += 1,
        }
    }
    assert!(one_way > 50 && minorities > 30 && isolated > 50);
}

/// A tool that moves a slot must come to its end, wherever it was stopped (MG-01).
#[test]
fn a_reshard_stops_at_every_step_and_is_finished_at_the_heal() {
    let (picture, mut rng) = (healthy(), Rng::new(4));
    let mut lengths = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let mut wide = picture.clone();
        for (number, node) in wide.nodes[..3].iter_mut().enumerate() {
            node.role = Role::Master {
                slots: format!("{}-{}", number * 10, number * 10 + 9),
            };
        }
        let strike = (reshard::NEMESIS.plan)(&wide, &mut rng).expect("all is well");
        if strike.orders[0].words.starts_with("SET ") {
            continue;
        }
        lengths.insert(strike.orders.len());
        let last_word = |order: &Order| order.words.contains(" NODE ");
        let ends: Vec<&str> = strike
            .undo
            .iter()
            .filter(|order| last_word(order))
            .map(|order| order.to.as_str())
            .collect();
        assert_eq!(ends.len(), 3, "every master is told: {strike:?}");
        assert_eq!(ends[0], &*strike.targets[1].0, "the new owner first");
        assert_eq!(strike.targets.len(), 4, "both shards are out of bounds");
    }
    // Two more where the source is told too early (MG-03).
    assert_eq!(lengths, (1..=9).collect());
}

/// What the old owner of a slot is left with must be nobody's loss (MG-02).
#[test]
fn now_and_then_an_idle_slot_leaves_with_a_key_that_nobody_misses() {
    let (mut picture, mut rng) = (healthy(), Rng::new(4));
    for (number, node) in picture.nodes[..3].iter_mut().enumerate() {
        let slots = format!("{}-{}", number * 5000, number * 5000 + 4999);
        node.role = Role::Master { slots };
    }
    picture.busy_slots = vec![1, 5001, 10_001];
    let strikes = (0..300).filter_map(|_| (reshard::NEMESIS.plan)(&picture, &mut rng).ok());
    let left: Vec<Strike> = strikes
        .filter(|strike| strike.orders[0].words.starts_with("SET "))
        .collect();
    assert!(left.len() > 20, "{}", left.len());
    for strike in left {
        let key = strike.orders[0].words.split(' ').nth(1).expect("a key");
        let slot = slot_of_key(key.as_bytes());
        assert!(!picture.busy_slots.contains(&slot), "{strike:?}");
        let source = &strike.orders[0].to;
        let told = strike.orders.iter().filter(|order| order.to == *source);
        assert_eq!(told.count(), 1, "the rest it hears on the bus: {strike:?}");
        assert_eq!(strike.targets.len(), 4, "both shards are out of bounds");
    }
}

/// Keys in an open slot that a failover closes would be lost (MG-05).
#[test]
fn only_an_idle_slot_is_opened_and_left_to_its_fate() {
    let (mut picture, mut rng) = (healthy(), Rng::new(4));
    assert!((open_slot::NEMESIS.plan)(&picture, &mut rng).is_err());
    picture.busy_slots.clear();
    let strike = (open_slot::NEMESIS.plan)(&picture, &mut rng).expect("slots are idle");
    let stable = strike
        .undo
        .iter()
        .filter(|order| order.words.ends_with("STABLE"));
    assert_eq!(stable.count(), 7, "the owner first, then everybody");
}

#[test]
fn epochs_collide_because_two_masters_are_told_at_once() {
    let (picture, mut rng) = (healthy(), Rng::new(4));
    let lengths = (0..50).map(|_| {
        let strike = (bump_epoch::NEMESIS.plan)(&picture, &mut rng);
        strike.expect("all is well").orders.len()
    });
    assert_eq!(
        lengths.collect::<std::collections::BTreeSet<_>>(),
        [1, 2].into()
    );
}

/// As `del-node` and `add-node` do: all others forget it before it forgets them.
#[test]
fn an_idle_master_leaves_and_comes_back_as_somebody_new() {
    let (mut picture, mut rng) = (healthy(), Rng::new(4));
    assert!((replace_node::NEMESIS.plan)(&picture, &mut rng).is_err());
    picture.nodes.push(NodePicture {
        name: NodeName::numbered(7),
        role: Role::Slotless,
        condition: Condition::Settled,
    });
    let strike = (replace_node::NEMESIS.plan)(&picture, &mut rng).expect("n7 is idle");
    assert_eq!(strike.targets, [NodeName::numbered(7)]);
    assert_eq!(strike.orders.len(), 7);
    assert_eq!(strike.orders[6].words, "CLUSTER RESET HARD");
    assert!(
        strike
            .undo
            .last()
            .is_some_and(|order| order.words.contains("MEET {ip:n7}"))
    );
}

/// A slot goes to an idle master, and from there away again.
#[test]
fn slots_go_to_idle_masters_and_leave_them_again() {
    let (mut picture, mut rng) = (healthy(), Rng::new(4));
    picture.nodes[0].role = Role::Master {
        slots: "1-100".into(),
    };
    picture.nodes.push(NodePicture {
        name: NodeName::numbered(7),
        role: Role::Slotless,
        condition: Condition::Settled,
    });
    let mut moves = |picture: &Picture| {
        let strikes = (0..100).filter_map(|_| (reshard::NEMESIS.plan)(picture, &mut rng).ok());
        let ends =
            strikes.map(|strike| (strike.targets[0].to_string(), strike.targets[1].to_string()));
        ends.collect::<std::collections::BTreeSet<_>>()
    };
    assert!(moves(&picture).contains(&("n1".into(), "n7".into())));
    picture.nodes[6].role = Role::Master { slots: "4".into() };
    picture.busy_slots.push(4);
    assert!(moves(&picture).contains(&("n7".into(), "n2".into())));
}

#[test]
fn a_dose_fits_its_kind_and_halves_to_nothing() {
    for nemesis in NEMESES {
        let picture = healthy();
        let Ok(strike) = (nemesis.plan)(&picture, &mut Rng::new(3)) else {
            continue;
        };
        assert_eq!(
            strike.dose.is_some(),
            Dose::needed(nemesis.kind).is_some(),
            "{}",
            nemesis.name()
        );
        assert!(strike.dose.is_none_or(|dose| dose.fits(nemesis.kind)));
    }
    let halves = std::iter::successors(Some(Dose::StepMs(-300)), |dose| dose.half());
    assert_eq!(halves.count(), 9);
}

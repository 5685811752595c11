//! Swarm: each seed draws its own plan.
//!
//! All faults at once on one topology hide bugs: the campaign therefore draws for each seed which
//! kinds of faults exist at all, how often they strike, how many masters and replicas there are,
//! the node timeout and the load. What the caller gave stays. Each choice has a random stream of
//! its own, so that giving one option does not reshuffle the others.
//!
//! Pure: the same seed and options give the same plan, for ever.

use slotquake_checkers::observation::{Directives, FaultKind};
use slotquake_workloads::load::Load;
use slotquake_workloads::registry::WORKLOADS;
use slotquake_workloads::rng::Rng;
use slotquake_workloads::{expiry, pairs, stray};

pub use super::given::Given;
use super::stories;
use crate::director::scenario;
use crate::nemesis::{self, NEMESES, Nemesis, Share};
use crate::plan::{Network, Plan, WorldKind};

/// What becomes of the choices that the caller left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variety {
    /// Drawn for each seed.
    Swarm,
    /// The defaults of a plan, the same for all seeds.
    Fixed,
}

/// Where the plans of a campaign come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// What the caller decided.
    pub given: Given,
    /// What becomes of the rest. A scenario prescribes its plan: nothing is drawn for it.
    pub variety: Variety,
    /// The plan of every seed, if it was given whole.
    pub whole: Option<Plan>,
}

impl Source {
    /// This plan for every seed, in the simulated world.
    pub fn of_plan(plan: Plan) -> Source {
        Source {
            given: Given::default(),
            variety: Variety::Fixed,
            whole: Some(Plan {
                world: WorldKind::Sim,
                ..plan
            }),
        }
    }

    /// The plan of a seed. It may be impossible by what was given: [`Plan::validate`] says so.
    pub fn plan(&self, seed: u64) -> Plan {
        if let Some(plan) = &self.whole {
            return Plan {
                seed,
                ..plan.clone()
            };
        }
        let mut plan = match (self.variety, &self.given.scenario) {
            (Variety::Swarm, None) => self.drawn(seed),
            (Variety::Fixed, _) | (Variety::Swarm, Some(_)) => self.given.fixed(seed),
        };
        if let Some(entry) = plan.scenario.as_deref().and_then(scenario::find) {
            (entry.adapt)(&mut plan);
        }
        plan
    }

    fn drawn(&self, seed: u64) -> Plan {
        let given = &self.given;
        let dice = Dice { seed };
        let is_calm = self.is_calm(dice);
        let node_timeout_ms = given
            .node_timeout_ms
            .unwrap_or_else(|| dice.one_of("node timeout", &NODE_TIMEOUTS_MS));
        let config = match given.config.is_empty() {
            true => config(dice),
            false => given.config.clone(),
        };
        let plan = Plan {
            masters: given.masters.unwrap_or_else(|| masters(dice, is_calm)),
            replicas: given.replicas.unwrap_or_else(|| {
                let fewest = u64::from(!is_calm);
                dice.within("replicas", fewest, 3) as u16
            }),
            slotless: given.slotless.unwrap_or_else(|| slotless(dice)),
            network: given.network.unwrap_or_else(|| network(dice)),
            node_timeout_ms,
            workloads: given
                .workloads
                .clone()
                .unwrap_or_else(|| workloads(dice, is_calm)),
            faults: given.faults.clone().unwrap_or_else(|| match is_calm {
                true => Vec::new(),
                false => faults(dice),
            }),
            fault_interval_ms: given.fault_interval_ms.unwrap_or_else(|| {
                let longest = 3_000 + 2 * node_timeout_ms;
                dice.round("fault interval", 1_000 + node_timeout_ms, longest)
            }),
            time_limit_ms: given.time_limit_ms.unwrap_or_else(|| {
                let shortest = 20_000 + 10 * node_timeout_ms;
                dice.round("time limit", shortest, shortest + 20_000)
            }),
            rate: given.rate.unwrap_or_else(|| dice.one_of("rate", &RATES)),
            concurrency: given
                .concurrency
                .unwrap_or_else(|| dice.within("concurrency", 1, 16) as u32),
            load: match given.load.is_usual() {
                true => load(dice, &config),
                false => given.load,
            },
            config,
            ..given.fixed(seed)
        };
        let plan = self.with_story(plan, is_calm);
        // What was asked for in vain is refused, what was drawn in vain is drawn less.
        match given.replicas {
            Some(_) if !given.load.is_usual() => plan,
            Some(_) | None => Plan {
                load: plan.load.for_replicas(plan.replicas),
                ..plan
            },
        }
    }

    fn with_story(&self, plan: Plan, is_calm: bool) -> Plan {
        match stories::is_told_in(plan.seed) && !is_calm && self.given.leaves_the_course_open() {
            true => self.given.kept_in(stories::with_story(plan)),
            false => plan,
        }
    }

    /// Whether this seed has no faults: a cluster left alone must stay quiet. So it is for some
    /// seeds, and where no fault could strike: without replicas, or without a majority to spare.
    fn is_calm(&self, dice: Dice) -> bool {
        let given = &self.given;
        match &given.faults {
            Some(faults) => faults.is_empty(),
            None => {
                given.replicas == Some(0)
                    || given.masters.is_some_and(|masters| masters < 3)
                    || dice.within("calm", 1, 100) <= CALM_PERCENT
            }
        }
    }
}

/// What the troubles of a seed have in common. All kinds at once hide one another, and a check
/// from which the acts of operators are exempt judges only where none acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Theme {
    /// Plain damage, and perhaps manual failovers.
    Damage,
    /// Troubles of the network besides.
    Network,
    /// Manual failovers in all forms.
    Failovers,
    /// Slots that move under load.
    Resharding,
    /// Any act of an operator.
    Operator,
    /// Anything.
    Everything,
}

/// The themes, each with its share of the disturbed seeds, percent.
const THEMES: [(Theme, u64); 6] = [
    (Theme::Damage, 25),
    (Theme::Network, 20),
    (Theme::Failovers, 10),
    (Theme::Resharding, 15),
    (Theme::Operator, 15),
    (Theme::Everything, 15),
];

impl Theme {
    fn of(dice: Dice) -> Theme {
        let mut left = dice.within("theme", 1, 100);
        for (theme, share) in THEMES {
            match left.checked_sub(share) {
                Some(rest) if rest > 0 => left = rest,
                Some(_) | None => return theme,
            }
        }
        Theme::Everything
    }

    /// In how many of 100 seeds of this theme a kind occurs that is no plain damage, and that has
    /// these odds where anything may happen.
    fn percent(self, kind: FaultKind, odds: u64) -> u64 {
        use FaultKind::{Failover, ForcedFailover, OpenSlot, Replicate, Reshard, Takeover};
        let is_act = kind.is_administrative();
        match (self, kind) {
            (Theme::Everything, _) => odds,
            (Theme::Failovers, Failover) | (Theme::Resharding, Reshard) => 100,
            (Theme::Damage | Theme::Network, Failover) => 20,
            (Theme::Failovers, ForcedFailover | Takeover) => 50,
            (Theme::Resharding, OpenSlot | Replicate) => 30,
            (Theme::Operator, _) if is_act => 3 * odds / 2,
            (Theme::Network, _) if !is_act => 5 * odds / 4,
            (_, _) => 0,
        }
    }
}

/// One kind of plain damage at least, for the others alone may go unnoticed; of the rest what the
/// theme has.
fn faults(dice: Dice) -> Vec<FaultKind> {
    let plain: Vec<&Nemesis> = nemesis::usual().collect();
    let plain = dice.some_of("faults", &plain);
    let mut kinds: Vec<FaultKind> = plain.iter().map(|nemesis| nemesis.kind).collect();
    let theme = Theme::of(dice);
    for other in NEMESES {
        let Share::Percent(odds) = other.share else {
            continue;
        };
        let percent = theme.percent(other.kind, odds);
        if dice.within(&format!("act {}", other.name()), 1, 100) <= percent {
            kinds.push(other.kind);
        }
    }
    kinds
}

/// One workload at least; where slots move those that meet what only then can go wrong.
fn workloads(dice: Dice, is_calm: bool) -> Vec<String> {
    let chosen = dice.some_of("workloads", WORKLOADS);
    let mut names: Vec<String> = chosen.iter().map(|entry| entry.name.into()).collect();
    if !is_calm && Theme::of(dice) == Theme::Resharding {
        // Who may be anywhere, and either who needs two keys in one place or whose time runs on the
        // way: few others beside them, or other slots would move.
        let (wanted, beside) = match dice.within("company", 1, 2) {
            1 => ([stray::ENTRY.name, pairs::ENTRY.name], 1),
            _ => ([stray::ENTRY.name, expiry::ENTRY.name], 3),
        };
        names.retain(|name| !wanted.contains(&name.as_str()));
        names.truncate(dice.within("workloads beside", 0, beside) as usize);
        names.extend(wanted.map(String::from));
    }
    names
}

/// Most clusters are small: small ones find more in the same time.
fn masters(dice: Dice, is_calm: bool) -> u16 {
    let (fewest, most) = match (is_calm, dice.within("large", 1, 100) <= LARGE_PERCENT) {
        (true, _) => (1, 9),
        (false, false) => (3, 5),
        (false, true) => (6, 9),
    };
    dice.within("masters", fewest, most) as u16
}

/// Most clusters have no idle nodes.
fn slotless(dice: Dice) -> u16 {
    match dice.within("idle", 1, 100) <= IDLE_PERCENT {
        true => dice.within("slotless", 1, 2) as u16,
        false => 0,
    }
}

/// Half of the networks are quick and even; the others are slower, but well below any timeout.
fn network(dice: Dice) -> Network {
    if dice.within("shape", 1, 100) <= USUAL_NETWORK_PERCENT {
        return Network::default();
    }
    Network {
        delay_us: dice.one_of("delay", &DELAYS_US),
        jitter_us: dice.one_of("jitter", &JITTERS_US),
        uneven_us: dice.one_of("unevenness", &UNEVEN_US),
    }
}

/// Some seeds read replicas, or wait for them, or share slots, or have pipelines; most do none.
/// Where replicas must refuse what is stale, they are read.
fn load(dice: Dice, config: &Directives) -> Load {
    let in_some = |choice: &str, value: u64| match dice.within(choice, 1, 100) <= LOAD_PERCENT {
        true => value,
        false => 0,
    };
    Load {
        replica_reads_percent: match config.get(REFUSES_STALE) {
            Some(_) => 30,
            None => in_some("replica reads", 30) as u8,
        },
        wait_replicas: in_some("wait", 1) as u8,
        hash_tags: in_some("hash tags", 4),
        pipeline: 1 + in_some("pipeline", 3) as u16,
        ..Load::default()
    }
}

/// A few seeds promise more than the defaults do.
fn config(dice: Dice) -> Directives {
    let given: &[(&str, &str)] = match dice.within("config", 1, 100) {
        1..=6 => &[
            ("min-replicas-to-write", "1"),
            ("min-replicas-max-lag", "1"),
        ],
        7..=12 => &[(REFUSES_STALE, "no")],
        _ => &[],
    };
    let mut directives = Directives::default();
    for (name, value) in given {
        directives.set(name, value);
    }
    directives
}

/// The choices of one seed, each from a stream of its own.
#[derive(Debug, Clone, Copy)]
struct Dice {
    seed: u64,
}

impl Dice {
    fn stream(self, choice: &str) -> Rng {
        Rng::named(self.seed, &format!("swarm {choice}"))
    }

    /// Both ends included.
    fn within(self, choice: &str, low: u64, high: u64) -> u64 {
        self.stream(choice).within(low, high)
    }

    /// As [`Dice::within`], in whole tenths of a second, for people.
    fn round(self, choice: &str, low_ms: u64, high_ms: u64) -> u64 {
        100 * self.within(choice, low_ms / 100, high_ms / 100)
    }

    fn one_of(self, choice: &str, items: &[u64]) -> u64 {
        let mut stream = self.stream(choice);
        let picked = stream.pick(items).copied();
        picked.expect("the lists of this file are not empty")
    }

    /// One item at least, all of them at most, in their order.
    fn some_of<'a, T>(self, choice: &str, items: &'a [T]) -> Vec<&'a T> {
        let mut stream = self.stream(choice);
        let certain = stream.below(items.len() as u64) as usize;
        let numbered = items.iter().enumerate();
        let chosen = numbered.filter(|(index, _)| stream.chance(50) || *index == certain);
        chosen.map(|(_, item)| item).collect()
    }
}

/// Seeds with masters without slots, of 100.
const IDLE_PERCENT: u64 = 25;
/// Seeds with a quick and even network, of 100.
const USUAL_NETWORK_PERCENT: u64 = 50;
const DELAYS_US: [u64; 4] = [20, 200, 1_000, 5_000];
const JITTERS_US: [u64; 4] = [1, 500, 2_000, 10_000];
const UNEVEN_US: [u64; 4] = [0, 500, 3_000, 10_000];
/// The directive by which replicas refuse stale reads (RP-05).
const REFUSES_STALE: &str = "replica-serve-stale-data";
/// Seeds whose load asks for a certain thing, of 100.
const LOAD_PERCENT: u64 = 20;
/// Seeds without faults, of 100.
const CALM_PERCENT: u64 = 5;
/// Disturbed seeds with more than five masters, of 100.
const LARGE_PERCENT: u64 = 10;
const NODE_TIMEOUTS_MS: [u64; 6] = [300, 500, 1_000, 1_000, 2_000, 5_000];
/// Operations per second.
const RATES: [u64; 4] = [20, 50, 100, 200];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn swarm(given: Given) -> Source {
        Source {
            given,
            variety: Variety::Swarm,
            whole: None,
        }
    }

    #[test]
    fn every_drawn_plan_is_possible() {
        let source = swarm(Given::default());
        for seed in 0..2_000 {
            let plan = source.plan(seed);
            assert_eq!(plan.validate(), Ok(()), "{plan:?}");
            assert_eq!(plan.seed, seed);
            assert!(plan.faults.is_empty() || plan.replicas > 0, "{plan:?}");
        }
    }

    #[test]
    fn the_same_seed_draws_the_same_plan_and_seeds_differ() {
        let source = swarm(Given::default());
        assert_eq!(source.plan(7), source.plan(7));
        let of = |value: fn(&Plan) -> u64| {
            let plans = (1..=1_500).map(|seed| value(&source.plan(seed)));
            plans.collect::<BTreeSet<u64>>()
        };
        let damage = |plan: &Plan| {
            let faults = plan.faults.iter();
            faults.filter(|kind| !kind.is_administrative()).count() as u64
        };
        let damages = of(damage);
        assert!(damages.is_superset(&(0..=6).collect()), "{damages:?}");
        for nemesis in NEMESES {
            let plans = (1..=1_500).map(|seed| source.plan(seed));
            let with = plans
                .filter(|plan| plan.faults.contains(&nemesis.kind))
                .count();
            assert!((30..1_450).contains(&with), "{}: {with}", nemesis.name());
        }
        assert_eq!(of(|plan| u64::from(plan.masters)), (1..=9).collect());
        assert_eq!(of(|plan| u64::from(plan.replicas)), (0..=3).collect());
        assert_eq!(of(|plan| u64::from(plan.slotless)), (0..=2).collect());
        assert!(of(|plan| plan.network.delay_us + 7 * plan.network.jitter_us).len() > 10);
        assert_eq!(of(|plan| plan.node_timeout_ms).len(), 5);
        let counts = of(|plan| plan.workloads.len() as u64);
        let usual = 3..WORKLOADS.len() as u64 - 2;
        assert!(counts.is_superset(&usual.collect()), "{counts:?}");
    }

    #[test]
    fn what_is_given_stays_and_reshuffles_nothing_else() {
        let (free, bound) = (
            swarm(Given::default()),
            swarm(Given {
                rate: Some(77),
                ..Given::default()
            }),
        );
        for seed in 0..200 {
            let expected = Plan {
                rate: 77,
                ..free.plan(seed)
            };
            assert_eq!(bound.plan(seed), expected);
        }
    }

    #[test]
    fn a_cluster_that_cannot_spare_a_node_is_left_alone() {
        let lone = swarm(Given {
            masters: Some(2),
            ..Given::default()
        });
        let bare = swarm(Given {
            replicas: Some(0),
            ..Given::default()
        });
        for seed in 0..50 {
            assert_eq!(lone.plan(seed).faults, []);
            assert_eq!(bare.plan(seed).faults, []);
        }
    }

    #[test]
    fn a_scenario_prescribes_its_plan() {
        let source = swarm(Given {
            scenario: Some("double-manual-failover".into()),
            ..Given::default()
        });
        let (first, second) = (source.plan(1), source.plan(2));
        assert_eq!(Plan { seed: 1, ..second }, first);
        assert_eq!(first.validate(), Ok(()));
    }
}

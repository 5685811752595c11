//! Failover safety as properties: strategies over plans, and a run of each in virtual time.
//!
//! ```text
//! plans() ──Tale──► play(&tale) ──Run──► run.keeps("VT-01")?   what fails is shrunk by proptest
//! ```
//!
//! A [`Tale`] is a small plan with its faults one by one. It prints as a short text, which is what
//! proptest shows of the smallest one that fails. `docs/properties.md`: how to write one's own.

use std::fmt;

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseError};
use slotquake::director::play as play_in;
use slotquake::nemesis::{Insist, Order, Strike};
use slotquake::plan::{Plan, Profile, ScriptedStrike, WorldKind};
use slotquake::world::sim::SimWorld;
use slotquake_checkers::availability::coverage::Coverage;
use slotquake_checkers::judge::{Judgement, judge};
use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_checkers::recording::Recording;
use slotquake_checkers::verdict::Word;

/// A cluster, its load, and what befalls it.
#[derive(Clone, PartialEq, Eq)]
pub struct Tale {
    /// Masters.
    pub masters: u16,
    /// Replicas of each.
    pub replicas: u16,
    /// cluster-node-timeout, ms.
    pub node_timeout_ms: u64,
    /// Operations per second.
    pub rate: u64,
    /// What else is random follows from it.
    pub seed: u64,
    /// Which known weaknesses the nodes have.
    pub profile: Profile,
    /// One after the other; each begins when the one before it is over, or later.
    pub blows: Vec<Blow>,
}

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blow {
    /// Peace before it, in tenths of a second.
    pub rest_tenths: u64,
    /// What happens.
    pub harm: Harm,
    /// To which node.
    pub victim: Victim,
    /// How long, in tenths of a second.
    pub lasts_tenths: u64,
}

/// Who is struck; a number beyond the last begins at the first again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Victim {
    /// One of the nodes that begin as first master and its replicas.
    OfFirstShard(usize),
    /// Any.
    Any(usize),
}

/// What can happen to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It stands still.
    Pause,
    /// It dies, and starts again at the end.
    Kill,
    /// It is cut off from all other nodes.
    CutOff,
    /// It hears no other node.
    Deafen,
    /// No other node hears it.
    Mute,
    /// An operator asks it to take over from its master; nothing else happens.
    Failover,
}

/// A tale that was played.
#[derive(Debug)]
pub struct Run {
    /// What was seen.
    pub recording: Recording,
    /// What the checkers say of it.
    pub judgement: Judgement,
}

/// Tales of small clusters and up to six blows; simpler ones are tried when one fails.
pub fn plans() -> impl Strategy<Value = Tale> {
    let cluster = (prop::sample::select(vec![3_u16, 4, 5]), 1..=2_u16);
    let timeout = prop::sample::select(vec![500_u64, 1000, 2000]);
    let blows = prop::collection::vec(blows(), 0..=6);
    (cluster, timeout, 0..1000_u64, blows).prop_map(|(cluster, node_timeout_ms, seed, blows)| {
        Tale {
            masters: cluster.0,
            replicas: cluster.1,
            node_timeout_ms,
            rate: 10,
            seed,
            profile: Profile::Default,
            blows,
        }
    })
}

/// Single blows.
pub fn blows() -> impl Strategy<Value = Blow> {
    let harm = prop::sample::select(vec![
        Harm::Pause,
        Harm::Kill,
        Harm::CutOff,
        Harm::Deafen,
        Harm::Mute,
    ]);
    // Weaknesses show in shards that fail over again and again.
    let victim = prop_oneof![
        3 => (0..3_usize).prop_map(Victim::OfFirstShard),
        1 => (0..15_usize).prop_map(Victim::Any),
    ];
    let blow = (0..40_u64, harm, victim, 1..80_u64);
    blow.prop_map(|(rest_tenths, harm, victim, lasts_tenths)| Blow {
        rest_tenths,
        harm,
        victim,
        lasts_tenths,
    })
}

/// That many cases, the same each time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for others.
pub fn config(cases: u32) -> ProptestConfig {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let mut config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    };
    if !is_set("PROPTEST_CASES") {
        config.cases = cases;
        if !is_set("PROPTEST_RNG_SEED") {
            config.rng_seed = RngSeed::Fixed(1);
        }
    }
    config
}

/// Plays a tale in virtual time, and judges it.
///
/// # Panics
/// It cannot be played: a fault of the harness, or of the node's code.
pub fn play(tale: &Tale) -> Run {
    let plan = tale.plan();
    plan.validate().expect("tales are possible");
    let mut world = SimWorld::boot(&plan).expect("the nodes form a cluster");
    let played = play_in(&plan, &mut world, &mut |_| {});
    if let Some(trouble) = played.trouble {
        panic!("{trouble:#}\n{tale:?}");
    }
    Run {
        judgement: judge(&played.recording),
        recording: played.recording,
    }
}

impl Run {
    /// Fails the case if the checker of this name found anything, known weaknesses included.
    ///
    /// # Errors
    /// What it found first.
    pub fn keeps(&self, checker: &str) -> Result<(), TestCaseError> {
        let check = self
            .judgement
            .checks
            .iter()
            .find(|check| check.id == checker);
        let check = check.unwrap_or_else(|| panic!("no checker is called {checker}"));
        match check.violations.first() {
            None => Ok(()),
            Some(first) => {
                assert_ne!(check.verdict, Word::Held, "what is violated has not held");
                let (clause, message) = (&first.clause, &first.message);
                Err(TestCaseError::fail(format!("{clause}: {message}")))
            }
        }
    }

    /// What it put its cluster through.
    pub fn coverage(&self) -> &Coverage {
        &self.judgement.coverage
    }
}

impl Tale {
    /// The same with other nodes.
    pub fn with_profile(self, profile: Profile) -> Tale {
        Tale { profile, ..self }
    }

    /// The same with nothing befalling it.
    pub fn in_peace(self) -> Tale {
        let blows = Vec::new();
        Tale { blows, ..self }
    }

    /// As a plan, which `slotquake test --plan FILE` plays too.
    pub fn plan(&self) -> Plan {
        let mut script: Vec<ScriptedStrike> = Vec::new();
        for blow in &self.blows {
            let over = script.last().map_or(0, ScriptedStrike::end_ms);
            script.push(self.strike(blow, over + 100 * blow.rest_tenths));
        }
        let end_ms = script.last().map_or(3000, ScriptedStrike::end_ms);
        Plan {
            seed: self.seed,
            world: WorldKind::Sim,
            profile: self.profile,
            masters: self.masters,
            replicas: self.replicas,
            node_timeout_ms: self.node_timeout_ms,
            time_limit_ms: end_ms + 1000,
            rate: self.rate,
            concurrency: 3,
            script: Some(script),
            ..Plan::default()
        }
    }

    fn strike(&self, blow: &Blow, at_ms: u64) -> ScriptedStrike {
        let target = self.name(blow);
        let others = (1..=self.nodes()).map(NodeName::numbered);
        let others: Vec<NodeName> = others.filter(|other| *other != target).collect();
        let silence = others.iter().map(|other| (target.clone(), other.clone()));
        let deafness = others.iter().map(|other| (other.clone(), target.clone()));
        let (kind, cuts) = match blow.harm {
            Harm::Pause => (FaultKind::Pause, Vec::new()),
            Harm::Kill => (FaultKind::Kill, Vec::new()),
            Harm::CutOff => (FaultKind::Partition, silence.chain(deafness).collect()),
            Harm::Deafen => (FaultKind::Partition, deafness.collect()),
            Harm::Mute => (FaultKind::Partition, silence.collect()),
            Harm::Failover => (FaultKind::Failover, Vec::new()),
        };
        let order = Order {
            to: target.to_string(),
            words: "CLUSTER FAILOVER".into(),
            insist: Insist::default(),
        };
        let is_ordered = blow.harm == Harm::Failover;
        ScriptedStrike {
            at_ms,
            kind,
            strike: Strike {
                targets: vec![target],
                dose: None,
                awaits: None,
                cuts,
                note: String::new(),
                duration_ms: 100 * blow.lasts_tenths,
                orders: is_ordered.then_some(order).into_iter().collect(),
                undo: Vec::new(),
            },
        }
    }

    fn nodes(&self) -> usize {
        usize::from(self.masters) * (1 + usize::from(self.replicas))
    }

    fn name(&self, blow: &Blow) -> NodeName {
        let (masters, replicas) = (usize::from(self.masters), usize::from(self.replicas));
        NodeName::numbered(match blow.victim {
            // The replicas of the first master are one in each round behind the masters.
            Victim::OfFirstShard(number) => 1 + number % (1 + replicas) * masters,
            Victim::Any(number) => 1 + number % self.nodes(),
        })
    }
}

/// What proptest prints of a tale that fails.
impl fmt::Debug for Tale {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} masters with {} replicas each, node timeout {} ms, {} operations a second, \
             profile {}, seed {}",
            self.masters,
            self.replicas,
            self.node_timeout_ms,
            self.rate,
            self.profile.name(),
            self.seed
        )?;
        let plan = self.plan();
        for (blow, step) in self.blows.iter().zip(plan.script.iter().flatten()) {
            let (at, end) = (step.at_ms as f64 / 1e3, step.end_ms() as f64 / 1e3);
            let what = match blow.harm {
                Harm::Pause => "stands still",
                Harm::Kill => "is dead",
                Harm::CutOff => "is cut off",
                Harm::Deafen => "hears nobody",
                Harm::Mute => "is heard by nobody",
                Harm::Failover => "is asked to take over",
            };
            write!(
                out,
                "\n  {at:>5.1} s to {end:>5.1} s: {} {what}",
                self.name(blow)
            )?;
        }
        Ok(())
    }
}

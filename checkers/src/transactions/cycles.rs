//! Short cycles, by kind.
//!
//! Cycles lie within strongly connected components. Each component is searched for the kinds of
//! cycles from worst to least: from each edge that the kind needs, the shortest way back over the
//! edges that it allows. What a found kind implies is not searched for any more. Components of
//! the data come first, then those with the order of processes, then those with real time.
//! A search that runs out of steps says so; the loosest kind always finds a cycle.

use std::collections::BTreeMap;

use super::anomaly::{AnomalyKind, CycleKind, Order};
use super::components::Components;
use super::graph::{EdgeKind, Graph, Kinds};
use super::ingest::TxnId;
use super::way_back::{OutOfSteps, Recipe, Rows, Seeker, Within};

/// A cycle: each transaction with the kind of its edge to the next; the last leads to the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// What it is.
    pub kind: AnomalyKind,
    /// Its transactions and edges.
    pub edges: Vec<(TxnId, EdgeKind)>,
}

/// What the search came to.
#[derive(Debug, Default)]
pub struct Found {
    /// Cycles, at most one of a kind for each component.
    pub cycles: Vec<Cycle>,
    /// Components that were not searched, because there were so many.
    pub unsearched: u64,
    /// Searches that ran out of steps.
    pub unfinished: Vec<String>,
}

/// Searches a graph for cycles; `order` is the strongest order that is demanded.
pub fn search(graph: &Graph, order: Order) -> Found {
    let mut found = Found::default();
    // A history without anomalies ends here.
    let widest = Components::of(graph, kinds_of(order));
    if widest.members.is_empty() {
        return found;
    }
    let mut seeker = Seeker::new(graph);
    let mut known: BTreeMap<u32, Vec<AnomalyKind>> = BTreeMap::new();
    for level in [Order::Data, Order::Process, Order::Realtime] {
        if level > order {
            break;
        }
        let narrow = match level == order {
            true => &widest,
            false => &Components::of(graph, kinds_of(level)),
        };
        let inner = Inner::of(graph, level);
        let mut fresh: Vec<(u32, AnomalyKind)> = Vec::new();
        for (number, members) in narrow.members.iter().enumerate() {
            if number >= COMPONENTS_MAX {
                found.unsearched += 1;
                continue;
            }
            let around = widest.number(members[0]).unwrap_or(0);
            let known = known.get(&around).map_or(&[][..], Vec::as_slice);
            let component = Component {
                components: narrow,
                number: number as u32,
                inner: &inner,
            };
            let cycles = component.search(&mut seeker, level, known, &mut found.unfinished);
            fresh.extend(cycles.iter().map(|cycle| (around, cycle.kind)));
            found.cycles.extend(cycles);
        }
        // Components of one level lie apart: what is in one says nothing of the next.
        for (around, kind) in fresh {
            known.entry(around).or_default().push(kind);
        }
    }
    found
}

/// Components of one level that are searched.
const COMPONENTS_MAX: usize = 256;
fn kinds_of(order: Order) -> Kinds {
    let data = Kinds::of(&[EdgeKind::Ww, EdgeKind::Wr, EdgeKind::Rw]);
    match order {
        Order::Data => data,
        Order::Process => data.and(Kinds::of(&[EdgeKind::Process])),
        Order::Realtime => data.and(TIME),
    }
}

const TIME: Kinds = Kinds::of(&[EdgeKind::Realtime, EdgeKind::TimedRw]);

/// The components of one level over fewer kinds of edges: where cycles without anti-dependencies
/// must lie.
struct Inner {
    writes: Components,
    flows: Components,
}

impl Inner {
    fn of(graph: &Graph, level: Order) -> Inner {
        let others = |kind| recipe_of(kind, level).others;
        Inner {
            writes: Components::of(graph, others(CycleKind::G0)),
            flows: Components::of(graph, others(CycleKind::G1c)),
        }
    }
}

/// One component of one level.
struct Component<'a> {
    components: &'a Components,
    number: u32,
    inner: &'a Inner,
}

impl Component<'_> {
    fn search(
        &self,
        seeker: &mut Seeker<'_>,
        level: Order,
        known: &[AnomalyKind],
        unfinished: &mut Vec<String>,
    ) -> Vec<Cycle> {
        let mut cycles: Vec<Cycle> = Vec::new();
        for kind in CycleKind::ALL {
            let is_implied = |known: AnomalyKind| match known {
                AnomalyKind::Cycle(worse, _) => worse.implies(kind),
                _ => false,
            };
            let here = cycles.iter().map(|cycle| cycle.kind);
            if here.chain(known.iter().copied()).any(is_implied) {
                continue;
            }
            match self.shortest(seeker, kind, level) {
                Ok(Some(edges)) => {
                    let kind = classified(&edges);
                    cycles.push(Cycle { kind, edges });
                }
                Ok(None) => {}
                Err(OutOfSteps) => {
                    let name = AnomalyKind::Cycle(kind, level).name();
                    let size = self.components.members[self.number as usize].len();
                    unfinished.push(format!(
                        "the search for {name} in a component of {size} vertices ran out of steps"
                    ));
                }
            }
        }
        cycles
    }

    fn shortest(
        &self,
        seeker: &mut Seeker<'_>,
        kind: CycleKind,
        level: Order,
    ) -> Result<Option<Vec<(TxnId, EdgeKind)>>, OutOfSteps> {
        let recipe = recipe_of(kind, level);
        let inner = match kind {
            CycleKind::G0 => &self.inner.writes,
            CycleKind::G1c => &self.inner.flows,
            CycleKind::GSingle | CycleKind::GNonadjacent | CycleKind::G2 => {
                // The way back of a single anti-dependency has none.
                let is_single = kind == CycleKind::GSingle;
                let within = Within {
                    components: self.components,
                    number: self.number,
                    flows: is_single.then_some(&self.inner.flows),
                };
                return seeker.shortest(within, &recipe);
            }
        };
        let mut best: Option<Vec<(TxnId, EdgeKind)>> = None;
        for (number, members) in inner.members.iter().enumerate() {
            if self.components.number(members[0]) != Some(self.number) {
                continue;
            }
            let within = Within {
                components: inner,
                number: number as u32,
                flows: None,
            };
            let found = seeker.shortest(within, &recipe)?;
            let is_shorter = |cycle: &Vec<(TxnId, EdgeKind)>| {
                best.as_ref().is_none_or(|best| cycle.len() < best.len())
            };
            if let Some(cycle) = found.filter(is_shorter) {
                best = Some(cycle);
            }
        }
        Ok(best)
    }
}

fn recipe_of(kind: CycleKind, level: Order) -> Recipe {
    use EdgeKind as E;
    let time = match level {
        Order::Data => Kinds::of(&[]),
        Order::Process => Kinds::of(&[E::Process]),
        Order::Realtime => Kinds::of(&[E::Realtime]),
    };
    let is_timed = level == Order::Realtime;
    let ww = Kinds::of(&[E::Ww]);
    let wr = Kinds::of(&[E::Wr]);
    let rw = Kinds::of(if is_timed {
        &[E::Rw, E::TimedRw]
    } else {
        &[E::Rw]
    });
    let (needs, others) = match kind {
        CycleKind::G0 => (ww, ww),
        CycleKind::G1c => (wr, ww.and(wr)),
        CycleKind::GSingle => (rw, ww.and(wr)),
        CycleKind::GNonadjacent | CycleKind::G2 => (rw, ww.and(wr).and(rw)),
    };
    Recipe {
        needs,
        others: others.and(time),
        rows: match kind {
            CycleKind::GNonadjacent => Rows::Forbidden,
            CycleKind::G0 | CycleKind::G1c | CycleKind::GSingle | CycleKind::G2 => Rows::Allowed,
        },
    }
}

/// What a cycle is, by its edges.
fn classified(edges: &[(TxnId, EdgeKind)]) -> AnomalyKind {
    let has = |wanted: &[EdgeKind]| edges.iter().any(|(_, kind)| wanted.contains(kind));
    let order = if has(&[EdgeKind::Realtime, EdgeKind::TimedRw]) {
        Order::Realtime
    } else if has(&[EdgeKind::Process]) {
        Order::Process
    } else {
        Order::Data
    };
    let rws = edges.iter().filter(|(_, kind)| kind.is_rw()).count();
    let mut pairs = edges.iter().zip(edges.iter().cycle().skip(1));
    let is_row = pairs.any(|((_, one), (_, other))| one.is_rw() && other.is_rw());
    let kind = match rws {
        0 if has(&[EdgeKind::Wr]) => CycleKind::G1c,
        0 => CycleKind::G0,
        1 => CycleKind::GSingle,
        _ if is_row => CycleKind::G2,
        _ => CycleKind::GNonadjacent,
    };
    AnomalyKind::Cycle(kind, order)
}

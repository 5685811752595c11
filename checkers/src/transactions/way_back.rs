//! The shortest way back: breadth first within one component, with a budget of steps.
//!
//! Transactions on the way count, joints and barriers do not. Where no anti-dependency may follow
//! another, a vertex reached by one is another state than the same vertex reached otherwise. A way
//! without anti-dependencies only goes on where the order of such ways still allows a return.

use std::collections::VecDeque;

use super::components::Components;
use super::graph::{EdgeKind, Graph, Kinds, Vertex};
use super::ingest::TxnId;

/// Steps of the search for one kind in one component.
const STEPS_MAX: u64 = 3_000_000;
/// Steps of the whole search.
const STEPS_IN_ALL_MAX: u64 = 60_000_000;

/// What a kind of cycle is made of.
#[derive(Debug)]
pub struct Recipe {
    /// It must have an edge of these.
    pub needs: Kinds,
    /// All others are of these.
    pub others: Kinds,
    /// Whether two anti-dependencies may follow each other.
    pub rows: Rows,
}

/// Whether two anti-dependencies may follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// They may.
    Allowed,
    /// They must not.
    Forbidden,
}

/// Where a cycle must lie.
#[derive(Debug, Clone, Copy)]
pub struct Within<'a> {
    /// Components.
    pub components: &'a Components,
    /// Which of them.
    pub number: u32,
    /// The components of the edges that the way back may take, if their order is to be used.
    pub flows: Option<&'a Components>,
}

impl Within<'_> {
    fn has(&self, vertex: Vertex, goal: Vertex) -> bool {
        self.components.number(vertex) == Some(self.number)
            && self.flows.is_none_or(|flows| flows.may_reach(vertex, goal))
    }
}

/// The search took too many steps.
#[derive(Debug)]
pub struct OutOfSteps;

/// Searches one graph, again and again.
#[derive(Debug)]
pub struct Seeker<'a> {
    graph: &'a Graph,
    /// By state: in which search it was reached last.
    reached: Vec<u32>,
    /// By state: from which state, and over which kind.
    parents: Vec<(u32, EdgeKind)>,
    queue: VecDeque<(u32, usize)>,
    search: u32,
    steps: u64,
}

/// A vertex, and whether it was reached by an anti-dependency.
fn state(vertex: Vertex, is_by_rw: bool) -> u32 {
    vertex * 2 + u32::from(is_by_rw)
}

impl<'a> Seeker<'a> {
    /// One for this graph.
    pub fn new(graph: &'a Graph) -> Seeker<'a> {
        Seeker {
            graph,
            reached: vec![0; 2 * graph.len()],
            parents: vec![(0, EdgeKind::Passage); 2 * graph.len()],
            queue: VecDeque::new(),
            search: 0,
            steps: 0,
        }
    }

    /// The shortest cycle of this recipe.
    ///
    /// # Errors
    /// The search took too many steps and found none.
    pub fn shortest(
        &mut self,
        within: Within<'_>,
        recipe: &Recipe,
    ) -> Result<Option<Vec<(TxnId, EdgeKind)>>, OutOfSteps> {
        let mut best: Option<Vec<(TxnId, EdgeKind)>> = None;
        let steps_before = self.steps;
        let mut is_out = false;
        let members = &within.components.members[within.number as usize];
        'search: for from in members.iter().filter(|member| self.graph.is_txn(**member)) {
            let mut cursor = 0;
            while let Some(edge) = self.graph.step(*from, &mut cursor, recipe.needs) {
                let Some((to, kind)) = edge.filter(|(to, _)| within.has(*to, *from)) else {
                    continue;
                };
                let length_max = best.as_ref().map_or(usize::MAX, |best| best.len() - 1);
                let start = (*from, to, kind);
                best = self.way_back(start, within, recipe, length_max).or(best);
                // No cycle has fewer than two.
                if best.as_ref().is_some_and(|best| best.len() <= 2) {
                    break 'search;
                }
                is_out = self.steps - steps_before > STEPS_MAX || self.steps > STEPS_IN_ALL_MAX;
                if is_out {
                    break 'search;
                }
            }
        }
        match (best, is_out) {
            (None, true) => Err(OutOfSteps),
            (best, _) => Ok(best),
        }
    }

    /// The shortest way from the end of an edge back to where it starts; transactions count, what
    /// stands between them does not.
    fn way_back(
        &mut self,
        (from, to, first): (Vertex, Vertex, EdgeKind),
        within: Within<'_>,
        recipe: &Recipe,
        length_max: usize,
    ) -> Option<Vec<(TxnId, EdgeKind)>> {
        self.search += 1;
        self.queue.clear();
        let start = state(to, first.is_rw());
        self.reached[start as usize] = self.search;
        self.queue
            .push_back((start, 1 + usize::from(self.graph.is_txn(to))));
        while let Some((at, length)) = self.queue.pop_front() {
            let vertex = at / 2;
            let is_by_rw = at % 2 == 1;
            if length > length_max {
                continue;
            }
            let mut cursor = 0;
            while let Some(edge) = self.graph.step(vertex, &mut cursor, recipe.others) {
                self.steps += 1;
                let Some((next, kind)) = edge else {
                    continue;
                };
                // A passage carries on what led into it.
                let is_rw = match kind {
                    EdgeKind::Passage => is_by_rw,
                    kind => kind.is_rw(),
                };
                let is_row = recipe.rows == Rows::Forbidden && kind.is_rw() && is_by_rw;
                if is_row || !within.has(next, from) {
                    continue;
                }
                if next == from {
                    let closes_row = recipe.rows == Rows::Forbidden && is_rw;
                    if !closes_row {
                        return Some(self.cycle((from, first), start, at, kind));
                    }
                    continue;
                }
                let reached = state(next, is_rw && recipe.rows == Rows::Forbidden);
                if self.reached[reached as usize] == self.search {
                    continue;
                }
                self.reached[reached as usize] = self.search;
                self.parents[reached as usize] = (at, kind);
                match self.graph.is_txn(next) {
                    true => self.queue.push_back((reached, length + 1)),
                    false => self.queue.push_front((reached, length)),
                }
            }
        }
        None
    }

    /// Transactions and edges from the first edge to the last step, joints and barriers left out.
    fn cycle(
        &self,
        (from, first): (Vertex, EdgeKind),
        start: u32,
        last: u32,
        closing: EdgeKind,
    ) -> Vec<(TxnId, EdgeKind)> {
        let mut backwards: Vec<(Vertex, EdgeKind)> = vec![(last / 2, closing)];
        let mut at = last;
        while at != start {
            let (parent, kind) = self.parents[at as usize];
            backwards.push((parent / 2, kind));
            at = parent;
        }
        backwards.push((from, first));
        let mut edges: Vec<(TxnId, EdgeKind)> = Vec::new();
        for (vertex, kind) in backwards.into_iter().rev() {
            if self.graph.is_txn(vertex) {
                edges.push((vertex, kind));
            }
        }
        edges
    }
}

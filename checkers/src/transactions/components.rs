//! Strongly connected components, after Tarjan, without recursion.

use super::graph::{Graph, Kinds, Vertex};

/// Which vertices reach each other.
#[derive(Debug)]
pub struct Components {
    /// By vertex: number of its component, or 0 if it is alone.
    component: Vec<u32>,
    /// By vertex: when its component was closed; what it reaches was closed before.
    closed: Vec<u32>,
    /// Components of more than one vertex; their members in order.
    pub members: Vec<Vec<Vertex>>,
}

impl Components {
    /// The components of the graph restricted to these kinds of edges.
    pub fn of(graph: &Graph, kinds: Kinds) -> Components {
        let mut tarjan = Tarjan {
            graph,
            kinds,
            low: vec![0; graph.len()],
            time: 0,
            closings: 0,
            stack: Vec::new(),
            found: Components {
                component: Vec::new(),
                closed: Vec::new(),
                members: Vec::new(),
            },
        };
        for vertex in 0..graph.len() as Vertex {
            if tarjan.low[vertex as usize] == 0 {
                tarjan.visit(vertex);
            }
        }
        let mut found = tarjan.found;
        found.closed = tarjan.low;
        found.members.sort_unstable_by_key(|members| members[0]);
        if !found.members.is_empty() {
            found.component = vec![0; graph.len()];
        }
        for (number, members) in found.members.iter().enumerate() {
            for vertex in members {
                found.component[*vertex as usize] = number as u32 + 1;
            }
        }
        found
    }

    /// Number of the component of a vertex; none if it is alone.
    pub fn number(&self, vertex: Vertex) -> Option<u32> {
        let number = self.component.get(vertex as usize).copied().unwrap_or(0);
        number.checked_sub(1)
    }
}

impl Components {
    /// Whether there may be a way from one vertex to the other. False is certain.
    pub fn may_reach(&self, from: Vertex, to: Vertex) -> bool {
        self.closed[from as usize] >= self.closed[to as usize]
    }
}

struct Tarjan<'a> {
    graph: &'a Graph,
    kinds: Kinds,
    /// 0: not visited. With [`DONE`]: when its component was closed. Else the lowest visit that it
    /// reaches.
    low: Vec<u32>,
    time: u32,
    closings: u32,
    stack: Vec<Vertex>,
    found: Components,
}

/// A vertex on the way, its own time and where its edges go on.
struct Frame {
    vertex: Vertex,
    time: u32,
    cursor: u32,
}

const DONE: u32 = 1 << 31;

impl Tarjan<'_> {
    fn enter(&mut self, vertex: Vertex) -> Frame {
        self.time += 1;
        self.low[vertex as usize] = self.time;
        self.stack.push(vertex);
        Frame {
            vertex,
            time: self.time,
            cursor: 0,
        }
    }

    fn visit(&mut self, root: Vertex) {
        let mut way = vec![self.enter(root)];
        while let Some(frame) = way.last_mut() {
            let vertex = frame.vertex;
            match self.graph.step(vertex, &mut frame.cursor, self.kinds) {
                Some(None) => {}
                Some(Some((target, _))) => match self.low[target as usize] {
                    0 => {
                        let entered = self.enter(target);
                        way.push(entered);
                    }
                    low if low & DONE != 0 => {}
                    low => {
                        let own = &mut self.low[vertex as usize];
                        *own = low.min(*own);
                    }
                },
                None => {
                    let time = frame.time;
                    way.pop();
                    let low = self.low[vertex as usize];
                    if let Some(parent) = way.last() {
                        let above = &mut self.low[parent.vertex as usize];
                        *above = low.min(*above);
                    }
                    if low == time {
                        self.close(vertex);
                    }
                }
            }
        }
    }

    fn close(&mut self, root: Vertex) {
        let at = self.stack.iter().rposition(|vertex| *vertex == root);
        let at = at.expect("the root of a component is on the stack until it is closed");
        self.closings += 1;
        for vertex in &self.stack[at..] {
            self.low[*vertex as usize] = DONE | self.closings;
        }
        if self.stack.len() - at > 1 {
            let mut members = self.stack.split_off(at);
            members.sort_unstable();
            self.found.members.push(members);
        } else {
            self.stack.truncate(at);
        }
    }
}

//! The configurations the search has been in.
//!
//! A configuration is where in time, the state, which open operations are done, and how many of
//! each class of unknown outcome were used. Who got there with fewer of those used has all the
//! possibilities of who used more: so for each rest only the least uses are kept.

use super::states::ClassId;
use crate::table::{IndexTable, Mix};

/// How many of a class were used; sorted by class.
pub type Uses = [(ClassId, u32)];

/// The memory of a search.
#[derive(Debug)]
pub struct Memo {
    width: usize,
    /// `width` words for each configuration.
    words: Vec<u64>,
    /// Its uses: a list through `nodes`.
    heads: Vec<u32>,
    nodes: Vec<Node>,
    pool: Vec<(ClassId, u32)>,
    table: IndexTable,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    first: u32,
    length: u32,
    next: u32,
}

impl Memo {
    /// For configurations of this many words.
    pub fn new(width: usize) -> Memo {
        Memo {
            width,
            words: Vec::new(),
            heads: Vec::new(),
            nodes: Vec::new(),
            pool: Vec::new(),
            table: IndexTable::default(),
        }
    }

    /// Enters a configuration; false if it, or one with fewer uses, was entered before.
    pub fn enter(&mut self, words: &[u64], uses: &Uses) -> bool {
        debug_assert_eq!(
            words.len(),
            self.width,
            "each configuration has the same width"
        );
        let hash = Mix::of(words);
        let of = |at: u32| {
            let first = at as usize * self.width;
            &self.words[first..first + self.width]
        };
        let Some(known) = self.table.find(hash, |at| of(at) == words) else {
            self.table.insert(hash, self.heads.len() as u32);
            self.words.extend_from_slice(words);
            let node = self.node(uses, NONE);
            self.heads.push(node);
            return true;
        };
        let mut next = self.heads[known as usize];
        while next != NONE {
            let node = self.nodes[next as usize];
            let stored = &self.pool[node.first as usize..(node.first + node.length) as usize];
            if is_within(stored, uses) {
                return false;
            }
            next = node.next;
        }
        let head = self.heads[known as usize];
        self.heads[known as usize] = self.node(uses, head);
        true
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
            + self.heads.capacity() * size_of::<u32>()
            + self.nodes.capacity() * size_of::<Node>()
            + self.pool.capacity() * size_of::<(ClassId, u32)>()
            + self.table.bytes()
    }

    fn node(&mut self, uses: &Uses, next: u32) -> u32 {
        let (first, length) = (self.pool.len() as u32, uses.len() as u32);
        self.pool.extend_from_slice(uses);
        self.nodes.push(Node {
            first,
            length,
            next,
        });
        self.nodes.len() as u32 - 1
    }
}

/// Whether no class is used more in the first than in the second.
fn is_within(fewer: &Uses, more: &Uses) -> bool {
    let mut rest = more.iter();
    fewer
        .iter()
        .all(|(class, count)| rest.any(|(other, most)| other == class && count <= most))
}

const NONE: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_used_more_finds_nothing_new() {
        let mut memo = Memo::new(1);
        assert!(memo.enter(&[7], &[(1, 1), (4, 2)]));
        assert!(!memo.enter(&[7], &[(1, 1), (2, 9), (4, 2)]));
        assert!(memo.enter(&[7], &[(4, 2)]));
        assert!(!memo.enter(&[7], &[(1, 1), (4, 3)]));
        assert!(memo.enter(&[8], &[(1, 1), (4, 2)]));
        assert!(memo.enter(&[7], &[]));
    }
}

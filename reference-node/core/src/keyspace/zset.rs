//! Sorted sets: members by score, then by bytes.
//!
//! Two maps that always hold the same pairs: member to score, and (score, member) in order. Ranks
//! are counted, not stored: O(n), fine for a reference node.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

/// A score: any double but NaN, totally ordered.
#[derive(Debug, Clone, Copy)]
pub struct Score(f64);

impl Score {
    /// None for NaN.
    pub fn new(score: f64) -> Option<Score> {
        // -0 and 0 are one score.
        (!score.is_nan()).then_some(Score(score + 0.0))
    }

    /// As a double.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl PartialEq for Score {
    fn eq(&self, other: &Score) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Score) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Score) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A sorted set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Zset {
    scores: BTreeMap<Bytes, Score>,
    order: BTreeSet<(Score, Bytes)>,
}

impl Zset {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether it has no member.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Score of a member.
    pub fn score(&self, member: &[u8]) -> Option<Score> {
        self.scores.get(member).copied()
    }

    /// Sets the score of a member; gives the old one.
    pub fn insert(&mut self, member: Bytes, score: Score) -> Option<Score> {
        let old = self.scores.insert(member.clone(), score);
        if let Some(old) = old {
            self.order.remove(&(old, member.clone()));
        }
        self.order.insert((score, member));
        assert_eq!(
            self.scores.len(),
            self.order.len(),
            "both maps hold the same members"
        );
        old
    }

    /// Takes a member out; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<Score> {
        let (member, score) = self.scores.remove_entry(member)?;
        let was_there = self.order.remove(&(score, member));
        assert!(was_there, "both maps hold the same members");
        Some(score)
    }

    /// Number of members before this one in the order.
    pub fn rank(&self, member: &[u8]) -> Option<usize> {
        let (member, score) = self.scores.get_key_value(member)?;
        Some(self.order.range(..(*score, member.clone())).count())
    }

    /// Members and scores, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&Bytes, Score)> + Clone {
        self.order.iter().map(|(score, member)| (member, *score))
    }
}

impl FromIterator<(Bytes, Score)> for Zset {
    fn from_iter<I: IntoIterator<Item = (Bytes, Score)>>(pairs: I) -> Zset {
        let mut zset = Zset::default();
        for (member, score) in pairs {
            zset.insert(member, score);
        }
        zset
    }
}

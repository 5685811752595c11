//! Names of nodes: the harness's short name and the cluster's 40-character id.
//!
//! Checkers look them up for every packet. So a name carries its first eight bytes beside the
//! shared text: nearly all comparisons end there.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The harness's name of a node: `n1`, `n2`, … It stays over restarts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeName(pub Name);

impl NodeName {
    /// The name of the node with this number, counted from 1.
    pub fn numbered(number: usize) -> NodeName {
        NodeName(format!("n{number}").into())
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A cluster node id, 40 characters (HS-19).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub Name);

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// A shared text that is quick to compare; it sorts as its bytes do.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub struct Name {
    /// The first eight bytes, filled up with zeros: a smaller head is a smaller text.
    head: u64,
    text: Arc<str>,
}

impl Name {
    /// The text, to be shared.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl From<Arc<str>> for Name {
    fn from(text: Arc<str>) -> Name {
        let mut head = [0; 8];
        let length = text.len().min(head.len());
        head[..length].copy_from_slice(&text.as_bytes()[..length]);
        Name {
            head: u64::from_be_bytes(head),
            text,
        }
    }
}

impl From<String> for Name {
    fn from(text: String) -> Name {
        Arc::<str>::from(text).into()
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Arc::<str>::from(text).into()
    }
}

impl From<Name> for Arc<str> {
    fn from(name: Name) -> Arc<str> {
        name.text
    }
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Name) -> bool {
        self.head == other.head && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }
}

impl Eq for Name {}

impl Ord for Name {
    #[inline]
    fn cmp(&self, other: &Name) -> Ordering {
        match self.head.cmp(&other.head) {
            Ordering::Equal if Arc::ptr_eq(&self.text, &other.text) => Ordering::Equal,
            Ordering::Equal => self.text.cmp(&other.text),
            unequal => unequal,
        }
    }
}

impl PartialOrd for Name {
    #[inline]
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        fmt::Debug::fmt(&self.text, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_and_compare_as_their_texts() {
        let texts = [
            "",
            "\0",
            "a",
            "a\0",
            "a\0b",
            "n1",
            "n10",
            "n2",
            "12345678",
            "123456789",
            "1234567a",
            "12345678\0",
        ];
        for left in texts {
            for right in texts {
                let (a, b) = (Name::from(left), Name::from(right));
                assert_eq!(a.cmp(&b), left.cmp(right), "{left:?} {right:?}");
                assert_eq!(a == b, left == right, "{left:?} {right:?}");
            }
        }
    }
}

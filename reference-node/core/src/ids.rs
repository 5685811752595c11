//! Names of things: nodes, links, clients.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A cluster node id: 40 characters of `[0-9a-z]` (HS-19).
#[derive(Clone, Copy)]
pub struct NodeId([u8; 40]);

impl NodeId {
    /// As five numbers, which compare without a loop.
    fn words(&self) -> [u64; 5] {
        let (words, _) = self.0.as_chunks();
        std::array::from_fn(|word| u64::from_ne_bytes(words[word]))
    }
}

impl PartialEq for NodeId {
    #[inline]
    fn eq(&self, other: &NodeId) -> bool {
        let (ours, theirs) = (self.words(), other.words());
        let differing = (0..ours.len()).fold(0, |all, word| all | (ours[word] ^ theirs[word]));
        differing == 0
    }
}

impl Eq for NodeId {}

impl Hash for NodeId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl NodeId {
    /// The first eight bytes, as a number that sorts as they do.
    pub fn head(&self) -> u64 {
        let head = self.0.first_chunk().expect("40 bytes are more than 8");
        u64::from_be_bytes(*head)
    }
}

impl Ord for NodeId {
    // As the bytes sort; ids are random, so nearly all differ in the first eight.
    fn cmp(&self, other: &NodeId) -> Ordering {
        let heads = self.head().cmp(&other.head());
        heads.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for NodeId {
    fn partial_cmp(&self, other: &NodeId) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl NodeId {
    /// What bytes stand for that name a node but are no id: nobody has it, and it is never parsed.
    pub const UNREADABLE: NodeId = NodeId([b'?'; 40]);

    /// From 40 characters; none if one is not in `[0-9a-z]`.
    pub fn parse(text: &[u8]) -> Option<NodeId> {
        let bytes: [u8; 40] = text.try_into().ok()?;
        let is_valid = bytes
            .iter()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
        is_valid.then_some(NodeId(bytes))
    }

    /// A fresh random id, 40 characters of `[0-9a-f]`.
    pub fn random(rng: &mut crate::rng::Rng) -> NodeId {
        NodeId(rng.hex())
    }

    /// The 40 characters.
    pub fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }

    /// The 40 characters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of ASCII only")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        out.write_str(&self.as_str()[..8])
    }
}

/// A bus connection. Outbound ones are named by the core, accepted ones by the shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

impl LinkId {
    const INBOUND: u64 = 1 << 63;

    /// The n-th link the core opened.
    pub fn outbound(n: u64) -> LinkId {
        LinkId(n & !LinkId::INBOUND)
    }

    /// The n-th link the shell accepted.
    pub fn inbound(n: u64) -> LinkId {
        LinkId(n | LinkId::INBOUND)
    }

    /// As one number: those opened and those accepted have no number in common.
    pub fn number(self) -> u64 {
        self.0
    }

    /// Whether the peer opened it.
    pub fn is_inbound(self) -> bool {
        self.0 & LinkId::INBOUND != 0
    }
}

/// A client connection, numbered from 1 by the shell; CLIENT ID shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A connection to the target of a MIGRATE, numbered by the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// A connection to this node's master, numbered by the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamId(pub u64);

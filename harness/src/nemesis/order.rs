//! Commands that a fault sends to nodes: acts of an operator, as data.
//!
//! An order is one line of words. Braces stand for what is known only when it is sent:
//!
//! ```text
//! {id:n3} {ip:n3} {port:n3} {bus:n3}   the node's id and addresses
//! {was:n3}                             its id when the fault began (CLUSTER RESET HARD changes it)
//! {keys}                               the keys in the last list answered; without any, not sent
//! owner:123 instead of n3              whoever owns the slot by then
//! ""                                   an empty word
//! ```
//! The director carries them out one after the other, in every world alike.

use serde::{Deserialize, Serialize};

/// A command for a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// To whom: `n3`, or `owner:123`.
    pub to: String,
    /// The command.
    pub words: String,
    /// What is done when the node does not answer or refuses.
    #[serde(default)]
    pub insist: Insist,
}

/// How often a command is repeated; not for ever in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Insist {
    /// Sent once, whatever comes of it.
    #[default]
    Once,
    /// Until there is an answer.
    Answered,
    /// Until the answer is no error.
    Accepted,
}

impl Order {
    /// A command that is sent once.
    pub fn once(to: impl ToString, words: impl Into<String>) -> Order {
        Order {
            to: to.to_string(),
            words: words.into(),
            insist: Insist::Once,
        }
    }

    /// A command that is repeated until there is an answer.
    pub fn answered(to: impl ToString, words: impl Into<String>) -> Order {
        Order {
            insist: Insist::Answered,
            ..Order::once(to, words)
        }
    }

    /// A command that is repeated until it is not refused.
    pub fn accepted(to: impl ToString, words: impl Into<String>) -> Order {
        Order {
            insist: Insist::Accepted,
            ..Order::once(to, words)
        }
    }
}

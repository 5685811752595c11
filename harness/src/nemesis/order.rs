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

use std::fmt;

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::NodeName;
use slotquake_checkers::observation::slots::SLOT_COUNT;

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

/// A node as an order names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// This one.
    Node(NodeName),
    /// The owner of this slot by then.
    Owner(u16),
}

/// What braces ask about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Its id.
    Id,
    /// Its id when the fault began.
    Was,
    /// Its address.
    Ip,
    /// Its client port.
    Port,
    /// Its bus port.
    Bus,
}

/// A word of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word<'a> {
    /// Sent as it is.
    Plain(&'a str),
    /// An empty argument.
    Empty,
    /// The keys in the last list answered.
    Keys,
    /// Something about a node.
    Fact(Fact, Whom),
}

/// Why an order means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OrderError {
    #[error("{given:?} names no slot: owner:0 to owner:16383")]
    Slot { given: String },
    #[error(
        "{given} means nothing; there are {{id:n1}}, {{was:n1}}, {{ip:n1}}, {{port:n1}}, \
             {{bus:n1}} and {{keys}}"
    )]
    Braces { given: String },
    #[error("an order without words")]
    NoWords,
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
    /// To whom it goes.
    ///
    /// # Errors
    /// A slot that does not exist.
    pub fn whom(&self) -> Result<Whom, OrderError> {
        Whom::parse(&self.to)
    }

    /// Its words, one by one.
    pub fn parsed_words(&self) -> impl Iterator<Item = Result<Word<'_>, OrderError>> {
        self.words.split_ascii_whitespace().map(Word::parse)
    }

    /// The nodes it names, whoever it goes to first.
    ///
    /// # Errors
    /// The first word that means nothing.
    pub fn nodes(&self) -> Result<Vec<NodeName>, OrderError> {
        let mut words = self.parsed_words().peekable();
        if words.peek().is_none() {
            return Err(OrderError::NoWords);
        }
        let mut nodes = Vec::new();
        let mut add = |whom| match whom {
            Whom::Node(name) => nodes.push(name),
            Whom::Owner(_) => {}
        };
        add(self.whom()?);
        for word in words {
            match word? {
                Word::Fact(_, whom) => add(whom),
                Word::Plain(_) | Word::Empty | Word::Keys => {}
            }
        }
        Ok(nodes)
    }

    /// The same in a cluster whose nodes have other names; none if it names one that is gone.
    pub fn renamed(&self, new_name: &dyn Fn(&NodeName) -> Option<NodeName>) -> Option<Order> {
        let rename = |whom| match whom {
            Whom::Node(name) => new_name(&name).map(Whom::Node),
            Whom::Owner(slot) => Some(Whom::Owner(slot)),
        };
        let words = self.parsed_words().map(|word| match word.ok()? {
            Word::Fact(fact, whom) => Some(Word::Fact(fact, rename(whom)?).to_string()),
            same @ (Word::Plain(_) | Word::Empty | Word::Keys) => Some(same.to_string()),
        });
        let words: Option<Vec<String>> = words.collect();
        Some(Order {
            to: rename(self.whom().ok()?)?.to_string(),
            words: words?.join(" "),
            insist: self.insist,
        })
    }

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

impl Whom {
    fn parse(text: &str) -> Result<Whom, OrderError> {
        let Some(slot) = text.strip_prefix("owner:") else {
            return Ok(Whom::Node(NodeName(text.into())));
        };
        match slot.parse() {
            Ok(slot) if slot < SLOT_COUNT => Ok(Whom::Owner(slot)),
            Ok(_) | Err(_) => Err(OrderError::Slot { given: text.into() }),
        }
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::Node(name) => name.fmt(out),
            Whom::Owner(slot) => write!(out, "owner:{slot}"),
        }
    }
}

impl Fact {
    const ALL: [Fact; 5] = [Fact::Id, Fact::Was, Fact::Ip, Fact::Port, Fact::Bus];

    fn name(self) -> &'static str {
        match self {
            Fact::Id => "id",
            Fact::Was => "was",
            Fact::Ip => "ip",
            Fact::Port => "port",
            Fact::Bus => "bus",
        }
    }
}

impl Word<'_> {
    fn parse(text: &str) -> Result<Word<'_>, OrderError> {
        let inner = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let asked = match inner {
            Some("keys") => return Ok(Word::Keys),
            None if text == EMPTY => return Ok(Word::Empty),
            None => return Ok(Word::Plain(text)),
            Some(asked) => asked.split_once(':'),
        };
        let fact = |name: &str| Fact::ALL.into_iter().find(|fact| fact.name() == name);
        match asked.and_then(|(name, whose)| Some((fact(name)?, whose))) {
            Some((fact, whose)) => Ok(Word::Fact(fact, Whom::parse(whose)?)),
            None => Err(OrderError::Braces { given: text.into() }),
        }
    }
}

impl fmt::Display for Word<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Word::Plain(text) => out.write_str(text),
            Word::Empty => out.write_str(EMPTY),
            Word::Keys => out.write_str("{keys}"),
            Word::Fact(fact, whom) => write!(out, "{{{}:{whom}}}", fact.name()),
        }
    }
}

/// How an empty argument is written.
const EMPTY: &str = "\"\"";

#[cfg(test)]
mod tests {
    use super::*;

    /// n1 is gone, n3 is n2 now.
    fn new_name(name: &NodeName) -> Option<NodeName> {
        match name.0.as_ref() {
            "n1" => None,
            "n3" => Some(NodeName::numbered(2)),
            _ => Some(name.clone()),
        }
    }

    #[test]
    fn every_node_that_an_order_names_gets_its_new_name() {
        let order = Order::answered(
            "n3",
            "MIGRATE {ip:n3} {port:owner:7} \"\" 0 2000 KEYS {keys} {was:n3} {id:n4} {bus:n3} n3",
        );
        let renamed = order.renamed(&new_name).expect("all of them are there");
        let expected = Order::answered(
            "n2",
            "MIGRATE {ip:n2} {port:owner:7} \"\" 0 2000 KEYS {keys} {was:n2} {id:n4} {bus:n2} n3",
        );
        assert_eq!(renamed, expected);
        let whoever = Order::once("owner:9", "CLUSTER FORGET {was:n3}");
        let renamed = whoever.renamed(&new_name).expect("all of them are there");
        assert_eq!(renamed, Order::once("owner:9", "CLUSTER FORGET {was:n2}"));
    }

    #[test]
    fn an_order_that_names_a_node_that_is_gone_goes_too() {
        let to_nobody = Order::once("n1", "CLUSTER BUMPEPOCH");
        let about_nobody = Order::once("n3", "CLUSTER FORGET {was:n1}");
        assert_eq!(to_nobody.renamed(&new_name), None);
        assert_eq!(about_nobody.renamed(&new_name), None);
    }

    #[test]
    fn says_which_nodes_it_names_and_what_means_nothing() {
        let order = Order::once("n3", "CLUSTER MEET {ip:n1} {port:owner:1}");
        let named = order.nodes().map(|nodes| nodes.len());
        assert_eq!(named, Ok(2));
        let problem = |to: &str, words: &str| match Order::once(to, words).nodes() {
            Ok(nodes) => panic!("{nodes:?}"),
            Err(error) => error.to_string(),
        };
        assert!(problem("owner:16384", "PING").contains("owner:16383"));
        assert!(problem("n1", "PING {id}").contains("{id} means nothing"));
        assert!(problem("n1", "PING {idea:n1}").contains("{idea:n1} means nothing"));
        assert!(problem("n1", " ").contains("without words"));
    }
}

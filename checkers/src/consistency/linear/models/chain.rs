//! A list whose states share what they have in common, so that each costs one element.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::history::Value;
use crate::history::operation::short;
use crate::table::Mix;

/// The list.
#[derive(Clone, Default)]
pub struct Chain {
    last: Option<Arc<Link>>,
}

struct Link {
    value: Value,
    length: usize,
    /// Of all values up to this one.
    hash: u64,
    before: Option<Arc<Link>>,
}

impl Chain {
    /// What one element takes, with the counts beside it.
    pub const LINK_BYTES: usize = size_of::<Link>() + 2 * size_of::<usize>();

    /// The list with one more element.
    pub fn and(&self, value: Value) -> Chain {
        let hash = Mix::of(&(self.hash_of_all(), &value));
        let length = self.length() + 1;
        let before = self.last.clone();
        Chain {
            last: Some(Arc::new(Link {
                value,
                length,
                hash,
                before,
            })),
        }
    }

    /// The last element, nil if there is none, and the list without it.
    pub fn top(&self) -> (Value, Chain) {
        match &self.last {
            Some(link) => {
                let last = link.before.clone();
                (link.value.clone(), Chain { last })
            }
            None => (Value::Nil, Chain::default()),
        }
    }

    /// Whether these are its elements.
    pub fn is(&self, elements: &[Value]) -> bool {
        self.length() == elements.len() && self.backwards().eq(elements.iter().rev())
    }

    fn length(&self) -> usize {
        self.last.as_ref().map_or(0, |link| link.length)
    }

    fn hash_of_all(&self) -> u64 {
        self.last.as_ref().map_or(0, |link| link.hash)
    }

    fn backwards(&self) -> impl Iterator<Item = &Value> {
        let mut next = self.last.as_deref();
        std::iter::from_fn(move || {
            let link = next?;
            next = link.before.as_deref();
            Some(&link.value)
        })
    }
}

impl PartialEq for Chain {
    fn eq(&self, other: &Chain) -> bool {
        let (mut left, mut right) = (self.last.as_ref(), other.last.as_ref());
        loop {
            match (left, right) {
                (None, None) => return true,
                (Some(one), Some(two)) if Arc::ptr_eq(one, two) => return true,
                (Some(one), Some(two)) if one.hash == two.hash && one.value == two.value => {
                    (left, right) = (one.before.as_ref(), two.before.as_ref());
                }
                (_, _) => return false,
            }
        }
    }
}

impl Eq for Chain {}

impl Hash for Chain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash_of_all());
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown: Vec<String> = self.backwards().take(SHOWN_MAX).map(short).collect();
        if self.length() > SHOWN_MAX {
            shown.push("…".into());
        }
        shown.reverse();
        write!(out, "[{}]", shown.join(" "))
    }
}

impl Drop for Link {
    /// One link after the other: a long chain must not fill the stack.
    fn drop(&mut self) {
        let mut next = self.before.take();
        while let Some(link) = next {
            next = Arc::into_inner(link).and_then(|mut link| link.before.take());
        }
    }
}

/// Elements told of a long list.
const SHOWN_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_chain_is_dropped_without_recursion() {
        let mut chain = Chain::default();
        for number in 0..300_000 {
            chain = chain.and(Value::Int(number));
        }
        assert_eq!(chain.top().0, Value::Int(299_999));
        drop(chain);
    }
}

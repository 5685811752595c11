//! Values by their type: what handlers read and change, or WRONGTYPE.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::commands::parts::Call;
use crate::keyspace::{Stream, Value, Zset};
use crate::resp::errors::Refusal;

/// A Rust type that is the content of one kind of value.
pub trait Collection: Default + Clone {
    /// The content of a value of this kind.
    fn of(value: &Value) -> Option<&Self>;
    /// The same, to be changed.
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    /// A value of this content.
    fn into_value(self) -> Value;
}

macro_rules! collection {
    ($type:ty, $variant:ident) => {
        impl Collection for $type {
            fn of(value: &Value) -> Option<&Self> {
                if let Value::$variant(content) = value {
                    Some(content)
                } else {
                    None
                }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                if let Value::$variant(content) = value {
                    Some(content)
                } else {
                    None
                }
            }

            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    };
}

collection!(Bytes, String);
collection!(VecDeque<Bytes>, List);
collection!(BTreeSet<Bytes>, Set);
collection!(BTreeMap<Bytes, Bytes>, Hash);
collection!(Zset, Zset);
collection!(Stream, Stream);

impl Call<'_, '_> {
    /// The content of a key, for reading.
    pub fn read_as<T: Collection>(&mut self, key: &[u8]) -> Result<Option<&T>, Refusal> {
        match self.read(key) {
            None => Ok(None),
            Some(value) => T::of(value).ok_or(Refusal::WrongType).map(Some),
        }
    }

    /// A copy of the content of a key; empty if there is no such key.
    pub fn copy_of<T: Collection>(&mut self, key: &[u8]) -> Result<T, Refusal> {
        Ok(self.read_as::<T>(key)?.cloned().unwrap_or_default())
    }

    /// Changes the content of a key that is there; gives none if it is not. A collection left
    /// empty is deleted. The closure says whether it changed anything.
    pub fn edit<T: Collection, R>(
        &mut self,
        key: &[u8],
        change: impl FnOnce(&mut T) -> (R, Change),
    ) -> Result<Option<R>, Refusal> {
        let Some(value) = self.write(key) else {
            return Ok(None);
        };
        let content = T::of_mut(value).ok_or(Refusal::WrongType)?;
        let (result, changed) = change(content);
        if changed == Change::Done {
            self.changed(key);
            self.parts.keyspace.remove_if_empty(key);
        }
        Ok(Some(result))
    }

    /// The same, but a key that is not there is created, if something came into it.
    pub fn upsert<T: Collection, R>(
        &mut self,
        key: &Bytes,
        change: impl FnOnce(&mut T) -> (R, Change),
    ) -> Result<R, Refusal> {
        if self.write(key).is_some() {
            let result = self.edit(key, change)?;
            return Ok(result.expect("the key was there a moment ago"));
        }
        let mut content = T::default();
        let (result, changed) = change(&mut content);
        let value = content.into_value();
        if changed == Change::Done && !value.is_empty_collection() {
            self.put(key, value);
        }
        Ok(result)
    }

    /// Makes a key hold this collection, or nothing if it is empty.
    pub fn store<T: Collection>(&mut self, key: &Bytes, content: T) {
        let value = content.into_value();
        if value.is_empty_collection() {
            self.delete(key);
        } else {
            self.put(key, value);
        }
    }
}

/// Whether a closure changed what it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It did.
    Done,
    /// Nothing changed.
    None,
}

impl Change {
    /// A change if this holds.
    pub fn when(condition: bool) -> Change {
        if condition {
            Change::Done
        } else {
            Change::None
        }
    }
}

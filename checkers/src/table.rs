//! A hash table of positions, the same on every machine and in every run.
//!
//! The standard tables are seeded by chance and tempt to be iterated. This one maps a hash to
//! positions in a vector that its owner keeps, so entries stay dense and in order of arrival, and
//! nothing but a lookup depends on the hash. [`Mix`] is the hasher that goes with it.

use std::hash::{Hash, Hasher};

/// Positions by hash; the owner compares.
#[derive(Debug, Clone, Default)]
pub struct IndexTable {
    /// Upper half: hash. Lower half: position + 1, or 0 where the slot is free.
    slots: Vec<u64>,
    length: usize,
}

impl IndexTable {
    /// The position with this hash for which `is_it` holds.
    pub fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        if self.slots.is_empty() {
            return None;
        }
        let mask = self.slots.len() - 1;
        let short = (hash >> 32) as u32;
        let mut at = short as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                return None;
            }
            let position = (slot as u32) - 1;
            if (slot >> 32) as u32 == short && is_it(position) {
                return Some(position);
            }
            at = (at + 1) & mask;
        }
    }

    /// Enters a position, which must not be in there.
    pub fn insert(&mut self, hash: u64, position: u32) {
        if (self.length + 1) * 8 > self.slots.len() * 7 {
            self.grow();
        }
        self.length += 1;
        place(
            &mut self.slots,
            (hash >> 32 << 32) | (u64::from(position) + 1),
        );
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u64>()
    }

    fn grow(&mut self) {
        let mut slots = vec![0; (self.slots.len() * 2).max(16)];
        for slot in self.slots.iter().filter(|slot| **slot != 0) {
            place(&mut slots, *slot);
        }
        self.slots = slots;
    }
}

fn place(slots: &mut [u64], slot: u64) {
    let mask = slots.len() - 1;
    let mut at = (slot >> 32) as usize & mask;
    while slots[at] != 0 {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

/// A fast hasher without a seed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mix(u64);

impl Mix {
    /// The hash of a value.
    pub fn of(value: &(impl Hash + ?Sized)) -> u64 {
        let mut mix = Mix::default();
        value.hash(&mut mix);
        mix.finish()
    }
}

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
        self.write_u64(bytes.len() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = folded(self.0 ^ word ^ SALT, FACTOR);
    }

    fn write_u8(&mut self, word: u8) {
        self.write_u64(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(u64::from(word));
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        folded(self.0, SALT)
    }
}

fn folded(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    (product as u64) ^ ((product >> 64) as u64)
}

const SALT: u64 = 0x9e37_79b9_7f4a_7c15;
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_entered_and_nothing_else() {
        let entered: Vec<u64> = (0..5000).map(|number| number * number).collect();
        let mut table = IndexTable::default();
        for (position, value) in entered.iter().enumerate() {
            table.insert(Mix::of(value), position as u32);
        }
        for value in 0..20_000u64 {
            let found = table.find(Mix::of(&value), |at| entered[at as usize] == value);
            let expected = entered.binary_search(&value).ok().map(|at| at as u32);
            assert_eq!(found, expected);
        }
    }
}

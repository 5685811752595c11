//! A set of hash slots, and the judge's own key hash (RD-01).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Number of hash slots of a cluster.
pub const SLOT_COUNT: u16 = 16_384;

/// A set of hash slots; written as `"0-5460 5462"`. Copies share their bits until one is changed.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet {
    bits: Arc<Bits>,
}

/// The count comes first: sets of different size are unequal at a glance.
#[derive(Clone, PartialEq, Eq)]
struct Bits {
    count: usize,
    words: [u64; 256],
}

impl Bits {
    fn of(words: [u64; 256]) -> Bits {
        let counts = words.iter().map(|word| word.count_ones() as usize);
        Bits {
            count: counts.sum(),
            words,
        }
    }
}

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet::of([0; 256])
    }
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "SlotSet({self})")
    }
}

impl SlotSet {
    fn of(words: [u64; 256]) -> SlotSet {
        SlotSet {
            bits: Arc::new(Bits::of(words)),
        }
    }

    fn change(&mut self, change: impl FnOnce(&mut [u64; 256])) {
        let bits = Arc::make_mut(&mut self.bits);
        change(&mut bits.words);
        *bits = Bits::of(bits.words);
    }

    /// Adds a slot. Panics above 16383: callers check at the edge.
    pub fn insert(&mut self, slot: u16) {
        self.change(|words| words[usize::from(slot / 64)] |= 1 << (slot % 64));
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: u16) -> bool {
        self.bits.words[usize::from(slot / 64)] & (1 << (slot % 64)) != 0
    }

    /// Number of slots in the set.
    pub fn len(&self) -> usize {
        self.bits.count
    }

    /// Whether the set has no slot.
    pub fn is_empty(&self) -> bool {
        self.bits.count == 0
    }

    /// The slots in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.ranges()
            .into_iter()
            .flat_map(|(start, end)| start..=end)
    }

    /// The slots that both sets have.
    pub fn intersection(&self, other: &SlotSet) -> SlotSet {
        let (ours, theirs) = (&self.bits.words, &other.bits.words);
        SlotSet::of(std::array::from_fn(|word| ours[word] & theirs[word]))
    }

    /// Whether both sets have a slot.
    pub fn intersects(&self, other: &SlotSet) -> bool {
        let mut pairs = self.bits.words.iter().zip(&other.bits.words);
        pairs.any(|(ours, theirs)| ours & theirs != 0)
    }

    /// Adds all slots of another set.
    pub fn insert_all(&mut self, other: &SlotSet) {
        self.change(|words| {
            for (word, theirs) in words.iter_mut().zip(&other.bits.words) {
                *word |= theirs;
            }
        });
    }

    /// Takes out all slots of another set.
    pub fn remove_all(&mut self, other: &SlotSet) {
        self.change(|words| {
            for (word, theirs) in words.iter_mut().zip(&other.bits.words) {
                *word &= !theirs;
            }
        });
    }

    /// From the 2048-byte bitmap of a bus packet: slot s is bit s & 7 of byte s >> 3 (BUS-11).
    pub fn from_wire(bitmap: &[u8; 2048]) -> SlotSet {
        let mut words = [0; 256];
        for (word, bytes) in words.iter_mut().zip(bitmap.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("chunks of 8"));
        }
        SlotSet::of(words)
    }

    /// Maximal runs of consecutive slots, both ends included.
    pub fn ranges(&self) -> Vec<(u16, u16)> {
        let mut ranges = Vec::new();
        let mut from = 0;
        while let Some(start) = self.first_from(from, 0) {
            let end = self.first_from(start, u64::MAX).unwrap_or(SLOT_COUNT);
            ranges.push((start, end - 1));
            from = end;
        }
        ranges
    }

    /// The first slot at or after this one whose bit differs from those of `background`.
    fn first_from(&self, slot: u16, background: u64) -> Option<u16> {
        let mut word = usize::from(slot / 64);
        let mut mask = u64::MAX << (slot % 64);
        while let Some(bits) = self.bits.words.get(word) {
            let differing = (bits ^ background) & mask;
            if differing != 0 {
                let found = word * 64 + differing.trailing_zeros() as usize;
                return u16::try_from(found).ok();
            }
            word += 1;
            mask = u64::MAX;
        }
        None
    }

    /// Adds the slots from `start` to `end`, both included; nothing if `start` is above `end`.
    pub fn insert_range(&mut self, start: u16, end: u16) {
        if start > end {
            return;
        }
        self.change(|words| {
            let touched = &mut words[..=usize::from(end / 64)];
            for (word, bits) in touched.iter_mut().enumerate().skip(usize::from(start / 64)) {
                let first = word * 64;
                let low = usize::from(start).saturating_sub(first);
                let high = (usize::from(end) - first).min(63);
                *bits |= (u64::MAX << low) & (u64::MAX >> (63 - high));
            }
        });
    }
}

impl std::fmt::Display for SlotSet {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        for (position, (start, end)) in self.ranges().into_iter().enumerate() {
            let gap = if position == 0 { "" } else { " " };
            match start == end {
                true => write!(out, "{gap}{start}")?,
                false => write!(out, "{gap}{start}-{end}")?,
            }
        }
        Ok(())
    }
}

impl std::str::FromStr for SlotSet {
    type Err = String;

    fn from_str(text: &str) -> Result<SlotSet, String> {
        let mut set = SlotSet::default();
        for part in text.split_ascii_whitespace() {
            let (start, end) = part.split_once('-').unwrap_or((part, part));
            let parse = |slot: &str| match slot.parse::<u16>() {
                Ok(slot) if slot < SLOT_COUNT => Ok(slot),
                _ => Err(format!("{part:?} is no slot range within 0-16383")),
            };
            let (start, end) = (parse(start)?, parse(end)?);
            set.insert_range(start, end);
        }
        Ok(set)
    }
}

impl Serialize for SlotSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SlotSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Slot of a key: CRC16-XMODEM of its hash tag, or of all of it (RD-01).
pub fn slot_of_key(key: &[u8]) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(hash_tag(key)) % SLOT_COUNT
}

fn hash_tag(key: &[u8]) -> &[u8] {
    let Some(open) = key.iter().position(|byte| *byte == b'{') else {
        return key;
    };
    match key[open + 1..].iter().position(|byte| *byte == b'}') {
        Some(length) if length > 0 => &key[open + 1..open + 1 + length],
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_and_reads_ranges() {
        for text in ["", "0", "0-16383", "63-64 66 127-128", "0-5460 16383"] {
            assert_eq!(text.parse::<SlotSet>().unwrap().to_string(), text);
        }
        assert!("16384".parse::<SlotSet>().is_err());
        assert!("a-b".parse::<SlotSet>().is_err());
        assert_eq!("9-3".parse::<SlotSet>().unwrap().to_string(), "");
    }

    /// Proves RD-01 for this crate's own hash.
    #[test]
    fn hashes_a_key_by_its_tag() {
        assert_eq!(slot_of_key(b"foo"), 12_182);
        assert_eq!(slot_of_key(b"{foo}bar"), slot_of_key(b"foo"));
        assert_eq!(slot_of_key(b"123456789"), 0x31c3);
    }

    proptest! {
        #[test]
        fn text_holds_every_set(slots in prop::collection::btree_set(0u16..16384, 0..80)) {
            let mut set = SlotSet::default();
            slots.iter().for_each(|slot| set.insert(*slot));
            prop_assert_eq!(set.to_string().parse::<SlotSet>().unwrap(), set.clone());
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), slots.into_iter().collect::<Vec<_>>());
        }
    }
}

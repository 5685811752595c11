//! Hash slots: the newtype, sets of them, and the hash of keys (RD-01).

/// Number of hash slots of a cluster.
pub const SLOT_COUNT: usize = 16_384;

/// A hash slot, always below 16384.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u16);

impl Slot {
    /// The slot of this number; none above 16383.
    pub fn new(number: u64) -> Option<Slot> {
        (number < SLOT_COUNT as u64).then_some(Slot(number as u16))
    }

    /// The slot of a key: CRC16-XMODEM of its hash tag, or of all of it (RD-01).
    pub fn of_key(key: &[u8]) -> Slot {
        Slot(crc16::State::<crc16::XMODEM>::calculate(hash_tag(key)) % SLOT_COUNT as u16)
    }

    /// Every slot, ascending.
    pub fn all() -> impl Iterator<Item = Slot> {
        (0..SLOT_COUNT as u16).map(Slot)
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0
    }

    /// Its number as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
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

/// A set of slots as on the wire: slot s is bit s & 7 of byte s >> 3 (BUS-11).
///
/// It knows its size: sets of different size are unequal at a glance.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SlotSet {
    count: usize,
    words: [u64; SLOT_COUNT / 64],
}

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet::of([0; SLOT_COUNT / 64])
    }
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(out, "SlotSet({:?})", self.ranges())
    }
}

impl SlotSet {
    fn of(words: [u64; SLOT_COUNT / 64]) -> SlotSet {
        let counts = words.iter().map(|word| word.count_ones() as usize);
        SlotSet {
            count: counts.sum(),
            words,
        }
    }

    /// Adds a slot.
    pub fn insert(&mut self, slot: Slot) {
        self.count += usize::from(!self.contains(slot));
        self.words[slot.index() / 64] |= 1 << (slot.index() % 64);
    }

    /// Takes a slot out.
    pub fn remove(&mut self, slot: Slot) {
        self.count -= usize::from(self.contains(slot));
        self.words[slot.index() / 64] &= !(1 << (slot.index() % 64));
    }

    /// Whether the slot is in the set.
    pub fn contains(&self, slot: Slot) -> bool {
        self.words[slot.index() / 64] & (1 << (slot.index() % 64)) != 0
    }

    /// Number of slots in the set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether the set has no slot.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds the slots from one to another, both included.
    pub fn insert_range(&mut self, first: Slot, last: Slot) {
        if first > last {
            return;
        }
        for word in first.index() / 64..=last.index() / 64 {
            let low = first.index().saturating_sub(word * 64);
            let high = (last.index() - word * 64).min(63);
            self.words[word] |= (u64::MAX << low) & (u64::MAX >> (63 - high));
        }
        *self = SlotSet::of(self.words);
    }

    /// Whether no slot is in both sets.
    pub fn is_disjoint(&self, other: &SlotSet) -> bool {
        let mut pairs = self.words.iter().zip(&other.words);
        pairs.all(|(word, theirs)| word & theirs == 0)
    }

    /// Writes a value at the place of each slot in an array with one place for every slot.
    ///
    /// # Panics
    /// If the array is shorter.
    pub fn fill<T: Copy>(&self, places: &mut [T], value: T) {
        let full = self.words.iter().zip(places.chunks_exact_mut(64));
        for (word, places) in full.filter(|(word, _)| **word != 0) {
            if *word == u64::MAX {
                places.fill(value);
                continue;
            }
            let mut rest = *word;
            while rest != 0 {
                places[rest.trailing_zeros() as usize] = value;
                rest &= rest - 1;
            }
        }
    }

    /// The slots of this set that are not in the other.
    pub fn difference(&self, other: &SlotSet) -> SlotSet {
        let mut words = self.words;
        for (word, theirs) in words.iter_mut().zip(other.words) {
            *word &= !theirs;
        }
        SlotSet::of(words)
    }

    /// The slots that are in both sets.
    pub fn intersection(&self, other: &SlotSet) -> SlotSet {
        let mut words = self.words;
        for (word, theirs) in words.iter_mut().zip(other.words) {
            *word &= theirs;
        }
        SlotSet::of(words)
    }

    /// Adds all slots of another set.
    pub fn insert_all(&mut self, other: &SlotSet) {
        for (word, theirs) in self.words.iter_mut().zip(other.words) {
            *word |= theirs;
        }
        *self = SlotSet::of(self.words);
    }

    /// Takes out all slots of another set.
    pub fn remove_all(&mut self, other: &SlotSet) {
        *self = self.difference(other);
    }

    /// The lowest slot in the set.
    pub fn first(&self) -> Option<Slot> {
        self.first_from(0, 0).map(|slot| Slot(slot as u16))
    }

    /// The slots in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        let full = self
            .words
            .iter()
            .enumerate()
            .filter(|(_, word)| **word != 0);
        full.flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = rest.trailing_zeros();
                rest &= rest.checked_sub(1)?;
                Some(Slot((index * 64) as u16 + bit as u16))
            })
        })
    }

    /// Maximal runs of consecutive slots, both ends included.
    pub fn ranges(&self) -> Vec<(Slot, Slot)> {
        let mut ranges = Vec::new();
        let mut from = 0;
        while let Some(start) = self.first_from(from, 0) {
            let end = self.first_from(start, u64::MAX).unwrap_or(SLOT_COUNT);
            ranges.push((Slot(start as u16), Slot((end - 1) as u16)));
            from = end;
        }
        ranges
    }

    /// The first slot at or after this one whose bit differs from those of `background`.
    fn first_from(&self, slot: usize, background: u64) -> Option<usize> {
        let mut mask = u64::MAX << (slot % 64);
        for (word, bits) in self.words.iter().enumerate().skip(slot / 64) {
            let differing = (bits ^ background) & mask;
            if differing != 0 {
                return Some(word * 64 + differing.trailing_zeros() as usize);
            }
            mask = u64::MAX;
        }
        None
    }

    /// The 2048 bytes of the wire.
    pub fn to_wire(&self) -> [u8; SLOT_COUNT / 8] {
        let mut bytes = [0; SLOT_COUNT / 8];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// From the 2048 bytes of the wire.
    pub fn from_wire(bytes: &[u8; SLOT_COUNT / 8]) -> SlotSet {
        let mut words = [0; SLOT_COUNT / 64];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(chunk.try_into().expect("chunks of 8"));
        }
        SlotSet::of(words)
    }
}

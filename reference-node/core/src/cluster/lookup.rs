//! A small number for a large key: where in a table something stands.
//!
//! Open addressing with linear probing. Keys may come twice: who asks is shown all numbers under a
//! key and picks the right one. Nothing ever walks through it, so the order in it is nobody's
//! business. It holds no more than its owner puts in, and the owners have bounds.

/// Numbers by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookup {
    /// A power of two of places, or none yet; at most three quarters are taken.
    places: Vec<Place>,
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    key: u64,
    number: u32,
}

/// No number is this one.
const FREE: Place = Place {
    key: 0,
    number: u32::MAX,
};
const PLACES_MIN: usize = 8;

impl Lookup {
    /// The numbers under a key.
    pub fn under(&self, key: u64) -> impl Iterator<Item = u32> + '_ {
        let mask = self.places.len().wrapping_sub(1);
        let mut at = self.home(key);
        std::iter::from_fn(move || {
            loop {
                let place = self.places.get(at)?;
                if place.number == FREE.number {
                    return None;
                }
                at = (at + 1) & mask;
                if place.key == key {
                    return Some(place.number);
                }
            }
        })
    }

    /// Adds a number under a key.
    ///
    /// # Panics
    /// If the number is 2³² - 1.
    pub fn insert(&mut self, key: u64, number: u32) {
        assert!(number != FREE.number, "the last number means a free place");
        if (self.taken + 1) * 4 > self.places.len() * 3 {
            self.grow();
        }
        self.put(Place { key, number });
        self.taken += 1;
    }

    /// Takes a number under a key out; tells whether it was there.
    pub fn remove(&mut self, key: u64, number: u32) -> bool {
        let mask = self.places.len().wrapping_sub(1);
        let mut hole = self.home(key);
        loop {
            match self.places.get(hole) {
                None
                | Some(Place {
                    number: u32::MAX, ..
                }) => return false,
                Some(place) if place.key == key && place.number == number => break,
                Some(_) => hole = (hole + 1) & mask,
            }
        }
        self.taken -= 1;
        // Those behind it move up, or they would not be found beyond the hole.
        let mut at = (hole + 1) & mask;
        while self.places[at].number != FREE.number {
            let way = at.wrapping_sub(self.home(self.places[at].key)) & mask;
            if way >= at.wrapping_sub(hole) & mask {
                self.places[hole] = self.places[at];
                hole = at;
            }
            at = (at + 1) & mask;
        }
        self.places[hole] = FREE;
        true
    }

    fn put(&mut self, place: Place) {
        let mask = self.places.len() - 1;
        let mut at = self.home(place.key);
        while self.places[at].number != FREE.number {
            at = (at + 1) & mask;
        }
        self.places[at] = place;
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(PLACES_MIN);
        let old = std::mem::replace(&mut self.places, vec![FREE; size]);
        let taken = old.into_iter().filter(|place| place.number != FREE.number);
        taken.for_each(|place| self.put(place));
    }

    /// Where the search for a key begins: its upper bits, mixed.
    fn home(&self, key: u64) -> usize {
        let bits = self.places.len().trailing_zeros();
        let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed.checked_shr(64 - bits).unwrap_or(0) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn finds_what_a_plain_list_finds(
            acts in prop::collection::vec((any::<bool>(), 0u64..24, 0u32..3), 0..300),
        ) {
            let mut lookup = Lookup::default();
            let mut list: Vec<(u64, u32)> = Vec::new();
            for (is_added, key, number) in acts {
                // Keys that differ in their upper bits only, and keys close together.
                let key = if key % 2 == 0 { key << 58 } else { key };
                let known = list.iter().position(|pair| *pair == (key, number));
                match (is_added, known) {
                    (true, _) => {
                        lookup.insert(key, number);
                        list.push((key, number));
                    }
                    (false, Some(known)) => {
                        list.remove(known);
                        prop_assert!(lookup.remove(key, number));
                    }
                    (false, None) => prop_assert!(!lookup.remove(key, number)),
                }
                for key in list.iter().map(|(key, _)| *key).chain([key]) {
                    let mut found: Vec<u32> = lookup.under(key).collect();
                    let under = list.iter().filter(|(other, _)| *other == key);
                    let mut expected: Vec<u32> = under.map(|(_, number)| *number).collect();
                    found.sort_unstable();
                    expected.sort_unstable();
                    prop_assert_eq!(found, expected);
                }
            }
        }
    }

    #[test]
    fn an_empty_one_has_nothing_under_any_key() {
        let mut lookup = Lookup::default();
        assert_eq!(lookup.under(7).next(), None);
        assert!(!lookup.remove(7, 1));
    }
}

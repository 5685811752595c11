//! Things found by the name of a command, many times a second.
//!
//! Names are sorted. A name is found by its hash in a table of places, half of which are free.

/// Things by name, in the order of the names.
#[derive(Debug)]
pub struct NameIndex<T> {
    entries: Vec<(&'static [u8], T)>,
    /// Positions in `entries`, each at its hash or at the next place that was free.
    places: Vec<Option<u16>>,
}

impl<T> NameIndex<T> {
    /// An index of these; no two of them have one name.
    pub fn new(entries: impl Iterator<Item = (&'static str, T)>) -> NameIndex<T> {
        let entries = entries.map(|(name, thing)| (name.as_bytes(), thing));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        let is_unique = entries.windows(2).all(|pair| pair[0].0 != pair[1].0);
        assert!(is_unique, "each name is there once");
        let mut places = vec![None; (entries.len() * 2).next_power_of_two()];
        for (position, (name, _)) in entries.iter().enumerate() {
            let mut place = hash(name) & (places.len() - 1);
            while places[place].is_some() {
                place = (place + 1) & (places.len() - 1);
            }
            places[place] = u16::try_from(position).ok();
        }
        NameIndex { entries, places }
    }

    /// What has exactly this name.
    pub fn get(&self, name: &[u8]) -> Option<&T> {
        self.position(name)
            .map(|position| &self.entries[position].1)
    }

    /// What has exactly this name, to change.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut T> {
        let position = self.position(name)?;
        Some(&mut self.entries[position].1)
    }

    fn position(&self, name: &[u8]) -> Option<usize> {
        let mut place = hash(name) & (self.places.len() - 1);
        // Half of the places are free, so the search ends.
        while let Some(position) = self.places[place] {
            let position = usize::from(position);
            if self.entries[position].0 == name {
                return Some(position);
            }
            place = (place + 1) & (self.places.len() - 1);
        }
        None
    }

    /// All things.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, thing)| thing)
    }
}

/// FNV-1a: names are short.
fn hash(name: &[u8]) -> usize {
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    let hash = name.iter().fold(0x811c_9dc5, mix);
    (hash ^ hash >> 15) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_that_begin_alike_and_no_others() {
        let names = [
            "set",
            "setbit",
            "setex",
            "zrangebyscore",
            "zrangebylex",
            "z",
        ];
        let index = NameIndex::new(names.into_iter().map(|name| (name, name)));
        for name in names {
            assert_eq!(index.get(name.as_bytes()), Some(&name));
        }
        for name in ["", "se", "setb", "zrangeby", "zrangebyscores", "set\0"] {
            assert_eq!(index.get(name.as_bytes()), None, "{name:?}");
        }
        assert!(index.values().is_sorted());
    }
}

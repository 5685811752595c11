//! Things found by the name of a command, many times a second.
//!
//! Names are sorted, and searched by their first eight bytes as one number: most differ there.

/// Things by name, in the order of the names.
#[derive(Debug)]
pub struct NameIndex<T> {
    entries: Vec<(u64, &'static [u8], T)>,
}

impl<T> NameIndex<T> {
    /// An index of these; no two of them have one name.
    pub fn new(entries: impl Iterator<Item = (&'static str, T)>) -> NameIndex<T> {
        let entries = entries.map(|(name, thing)| (head(name.as_bytes()), name.as_bytes(), thing));
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by(|a, b| a.1.cmp(b.1));
        let is_unique = entries.windows(2).all(|pair| pair[0].1 != pair[1].1);
        assert!(is_unique, "each name is there once");
        NameIndex { entries }
    }

    /// What has exactly this name.
    pub fn get(&self, name: &[u8]) -> Option<&T> {
        let wanted = (head(name), name);
        let found = self
            .entries
            .binary_search_by(|(head, name, _)| (*head, *name).cmp(&wanted));
        found.ok().map(|position| &self.entries[position].2)
    }

    /// What has exactly this name, to change.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<&mut T> {
        let wanted = (head(name), name);
        let found = self
            .entries
            .binary_search_by(|(head, name, _)| (*head, *name).cmp(&wanted));
        found.ok().map(|position| &mut self.entries[position].2)
    }

    /// All things.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, _, thing)| thing)
    }
}

/// The first eight bytes, as a number that sorts as they do.
fn head(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let length = name.len().min(8);
    bytes[..length].copy_from_slice(&name[..length]);
    u64::from_be_bytes(bytes)
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

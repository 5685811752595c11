//! Which seeds a campaign plays: a range, or one share of it.
//!
//! `--shard 3/10` is every tenth seed from the third on, so that ten machines with the same range
//! play each seed once, and a shard is as mixed as the whole.

/// One share of several equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    of: u64,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// How many shares there are.
    pub fn of(self) -> u64 {
        self.of
    }

    /// Every share of as many as this is one of.
    pub fn all(self) -> impl Iterator<Item = Shard> {
        (1..=self.of).map(move |number| Shard {
            number,
            of: self.of,
        })
    }

    /// Reads `3/10`.
    ///
    /// # Errors
    /// What is wrong with the text, and how to write it.
    pub fn parse(text: &str) -> Result<Shard, String> {
        let parts = text.split_once('/');
        let numbers = parts.map(|(number, of)| (number.parse::<u64>(), of.parse::<u64>()));
        let Some((Ok(number), Ok(of))) = numbers else {
            return Err("write the share and how many there are, as in 3/10".into());
        };
        match (1..=of).contains(&number) {
            true => Ok(Shard { number, of }),
            false => Err(format!(
                "there is no share {number} of {of}: count from 1/{of} to {of}/{of}"
            )),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.number, self.of)
    }
}

/// The seeds of a campaign, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// First seed of the whole range.
    pub first: u64,
    /// Last seed of the whole range; not below `first`.
    pub last: u64,
    /// Which share of it.
    pub shard: Shard,
}

impl Selection {
    /// How many seeds there are; the longest range counts one less than it has.
    pub fn count(&self) -> u64 {
        let whole = (self.last - self.first).saturating_add(1);
        match whole.checked_sub(self.shard.number) {
            Some(after_first) => after_first / self.shard.of + 1,
            None => 0,
        }
    }

    /// The seed at this position, from 0; none behind the last.
    pub fn at(&self, position: u64) -> Option<u64> {
        if position >= self.count() {
            return None;
        }
        Some(self.first + (self.shard.number - 1) + position * self.shard.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(first: u64, last: u64, shard: &str) -> Vec<u64> {
        let shard = Shard::parse(shard).expect("well written");
        let selection = Selection { first, last, shard };
        (0..).map_while(|position| selection.at(position)).collect()
    }

    #[test]
    fn a_shard_is_every_nth_seed_from_its_number_on() {
        assert_eq!(seeds(1, 5, "1/1"), [1, 2, 3, 4, 5]);
        assert_eq!(seeds(101, 130, "3/10"), [103, 113, 123]);
        assert!(seeds(1, 2, "3/3").is_empty());
        assert_eq!(seeds(u64::MAX - 1, u64::MAX, "2/2"), [u64::MAX]);
    }

    #[test]
    fn the_shards_together_are_the_whole() {
        for of in 1..8 {
            let shards = (1..=of).flat_map(|number| seeds(7, 29, &format!("{number}/{of}")));
            let mut all: Vec<u64> = shards.collect();
            all.sort_unstable();
            assert_eq!(all, (7..=29).collect::<Vec<u64>>(), "{of} shards");
        }
    }

    #[test]
    fn refuses_shares_that_do_not_exist() {
        for wrong in ["", "3", "0/3", "4/3", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }
}

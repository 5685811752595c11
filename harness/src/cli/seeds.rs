//! Seeds as people write them: `7`, or `1..20` for twenty runs.
//!
//! A commit hash is a seed too, so that CI plays a fresh one for each commit that everybody can
//! repeat from the commit alone.

use std::time::{SystemTime, UNIX_EPOCH};

use slotquake_workloads::rng::Rng;

/// One seed or a range of them, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeds {
    /// First.
    pub first: u64,
    /// Last.
    pub last: u64,
}

impl Seeds {
    /// That many seeds from this one on.
    pub fn counted(first: u64, count: u64) -> Seeds {
        Seeds {
            first,
            last: first.saturating_add(count.saturating_sub(1)),
        }
    }

    /// One seed from the clock; short, so that people can repeat it.
    pub fn drawn() -> Seeds {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let drawn = (since.as_nanos() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        Seeds::counted(drawn, 1)
    }
}

/// Reads `7`, `1..20` or a commit hash.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<Seeds, String> {
    let number = |part: &str| {
        part.parse::<u64>()
            .map_err(|_| "write a whole number, or a range as in 1..20".to_string())
    };
    if text.len() == COMMIT_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Seeds::counted(of_commit(text), 1));
    }
    let Some((first, last)) = text.split_once("..") else {
        return Ok(Seeds::counted(number(text)?, 1));
    };
    let (first, last) = (number(first)?, number(last)?);
    match first <= last {
        true => Ok(Seeds { first, last }),
        false => Err("the range is empty: write the smaller seed first".into()),
    }
}

/// The seed of a commit: 48 bits of its hash, hashed once more.
fn of_commit(hash: &str) -> u64 {
    Rng::named(0, &hash.to_ascii_lowercase()).next_u64() >> 16
}

/// Hexadecimal digits of a commit hash.
const COMMIT_DIGITS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_its_ends() {
        assert_eq!(parse("1..20"), Ok(Seeds::counted(1, 20)));
        assert_eq!(parse("7"), Ok(Seeds { first: 7, last: 7 }));
        for wrong in ["", "x", "1..", "..2", "5..4", "-1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_commit_hash_is_a_seed_of_its_own() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let seeds = parse(hash).unwrap();
        assert_eq!(seeds.first, seeds.last);
        assert_eq!(parse(&hash.to_uppercase()), Ok(seeds));
        assert_ne!(parse(&hash.replace("67", "68")), Ok(seeds));
        assert!(parse(&hash[1..]).is_err(), "a short hash may be ambiguous");
    }
}

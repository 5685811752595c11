//! What masters newer than this node say in their stream for what it could say as well.
//!
//! From 8.0 on HINCRBYFLOAT, for one, travels as HSETEX. Whatever else is not known here, and may
//! change data, is refused as a whole: see `Replication::refuse_command`. Clause: RW-34.

use bytes::Bytes;

use crate::commands::table;

/// A command of the stream in words of this node; its name, if there are none.
pub fn in_our_words(args: Vec<Bytes>) -> Result<Vec<Bytes>, Bytes> {
    let Some(name) = args.first() else {
        return Ok(args);
    };
    // SCRIPT, as 6.2 sends it, and what is about functions leave the data alone.
    if table::find(name).is_some() || name.eq_ignore_ascii_case(b"script") {
        return Ok(args);
    }
    let told = match name.to_ascii_lowercase().as_slice() {
        b"hsetex" => hset(&args),
        _ => None,
    };
    told.ok_or_else(|| name.clone())
}

/// HSETEX that gives no field an expiry is HSET; it is in the stream only if it took effect.
fn hset(args: &[Bytes]) -> Option<Vec<Bytes>> {
    let (key, options) = (args.get(1)?, args.get(2..)?);
    let is = |word: &Bytes, name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let fields = options.iter().position(|word| is(word, "fields"))?;
    let (options, fields) = options.split_at(fields);
    let is_plain = |word: &Bytes| ["fnx", "fxx", "keepttl"].iter().any(|name| is(word, name));
    let pairs = fields.get(2..)?;
    let count: usize = std::str::from_utf8(&fields[1]).ok()?.parse().ok()?;
    if !options.iter().all(is_plain) || Some(pairs.len()) != count.checked_mul(2) || count == 0 {
        return None;
    }
    let mut told = vec![Bytes::from_static(b"HSET"), key.clone()];
    told.extend_from_slice(pairs);
    Some(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &str) -> Result<String, String> {
        let text = |words: &[Bytes]| {
            let words: Vec<_> = words
                .iter()
                .map(|word| String::from_utf8_lossy(word))
                .collect();
            words.join(" ")
        };
        let words = line.split(' ').map(|word| Bytes::from(word.to_string()));
        let told = in_our_words(words.collect());
        told.map(|words| text(&words)).map_err(|name| text(&[name]))
    }

    /// Proves RW-34: a newer master says more than this node knows; scripts are no loss.
    #[test]
    fn what_a_newer_master_says_is_known_translated_or_refused() {
        for same in ["XADD k * f v", "SCRIPT LOAD x", "FUNCTION LOAD x"] {
            assert_eq!(told(same), Ok(same.into()));
        }
        let plain = Ok("HSET k f 1.7".into());
        assert_eq!(told("HSETEX k KEEPTTL FIELDS 1 f 1.7"), plain);
        assert_eq!(told("hsetex k fnx fields 1 f 1.7"), plain);
        for refused in [
            "HSETEX k PXAT 99 FIELDS 1 f v",
            "HSETEX k FIELDS 2 f v",
            "HSETEX k FIELDS 0",
            "HSETEX k FIELDS",
            "HSETEX k",
            "HSETEX",
        ] {
            assert_eq!(told(refused), Err("HSETEX".into()), "{refused}");
        }
        assert_eq!(told("HPEXPIREAT k 1"), Err("HPEXPIREAT".into()));
    }
}

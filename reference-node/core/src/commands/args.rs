//! Reading arguments: integers, floats, times, option words, patterns, with upstream's errors.

use bytes::Bytes;

use crate::keyspace::parse_integer;
use crate::resp::errors::Refusal;
use crate::time::Millis;

/// A 64-bit integer.
pub fn integer(text: &[u8]) -> Result<i64, Refusal> {
    parse_integer(text).ok_or(Refusal::NotInteger)
}

/// An integer from 0 on.
pub fn positive(text: &[u8]) -> Result<usize, Refusal> {
    let number = parse_integer(text).ok_or(Refusal::NotPositive)?;
    usize::try_from(number).map_err(|_| Refusal::NotPositive)
}

/// A double, not NaN; `inf` and its signs included.
pub fn float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let is_spaced = text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
    if text.is_empty() || is_spaced {
        return None;
    }
    let number: f64 = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok()? as f64,
        None => text.parse().ok()?,
    };
    // What is too large for a double is none; infinity has to be named.
    let is_too_large = number.is_infinite() && text.bytes().any(|byte| byte.is_ascii_digit());
    (!number.is_nan() && !is_too_large).then_some(number)
}

/// A timeout in seconds with fractions, as a moment; none for ever (0).
pub fn timeout(text: &[u8], now: Millis) -> Result<Option<Millis>, Refusal> {
    let seconds = float(text).ok_or(Refusal::TimeoutNotFloat)?;
    // Upstream's whole milliseconds wrap around.
    if seconds < 0.0 || seconds * 1000.0 > i64::MAX as f64 {
        return Err(Refusal::TimeoutNegative);
    }
    let span_ms = (seconds * 1000.0).ceil();
    Ok((span_ms > 0.0).then(|| now + Millis(span_ms as u64)))
}

/// Whether an argument is this word, whatever its case.
pub fn is_word(text: &[u8], word: &str) -> bool {
    text.eq_ignore_ascii_case(word.as_bytes())
}

/// An argument as a lower-case word.
pub fn word(text: &[u8]) -> String {
    String::from_utf8_lossy(text).to_lowercase()
}

/// An argument as text, for error messages.
pub fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// Decimal digits as bytes.
pub fn digits(number: impl ToString) -> Bytes {
    number.to_string().into()
}

/// A unit of expiry times and where they count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeKind {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Millis,
    /// Seconds since 1970.
    UnixSeconds,
    /// Milliseconds since 1970.
    UnixMillis,
}

/// An expiry time as ms since 1970; may be negative or past.
pub fn expiry_ms(number: i64, kind: TimeKind, now: Millis) -> Option<i64> {
    let ms = match kind {
        TimeKind::Seconds | TimeKind::UnixSeconds => number.checked_mul(1000)?,
        TimeKind::Millis | TimeKind::UnixMillis => number,
    };
    match kind {
        TimeKind::Seconds | TimeKind::Millis => ms.checked_add(i64::try_from(now.0).ok()?),
        TimeKind::UnixSeconds | TimeKind::UnixMillis => Some(ms),
    }
}

/// A moment out of ms since 1970; before 1970 counts as the first ms.
pub fn moment(ms: i64) -> Millis {
    Millis(u64::try_from(ms).unwrap_or(0).max(1))
}

/// Whether a text fits a glob pattern: `*`, `?`, `[a-c]`, `[^a]`, `\`.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one more character taken by it.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let rest = &pattern[at_pattern..];
        if rest.first() == Some(&b'*') {
            retry = Some((at_pattern + 1, at_text));
            at_pattern += 1;
            continue;
        }
        if at_text == text.len() && rest.is_empty() {
            return true;
        }
        let step = text.get(at_text).and_then(|byte| glob_one(rest, *byte));
        match (step, retry) {
            (Some(length), _) => {
                at_pattern += length;
                at_text += 1;
            }
            (None, Some((pattern_place, text_place))) if text_place < text.len() => {
                at_pattern = pattern_place;
                at_text = text_place + 1;
                retry = Some((pattern_place, at_text));
            }
            (None, _) => return false,
        }
    }
}

// Length of the one-character pattern at the front, if it fits the byte.
fn glob_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', escaped, ..] => (*escaped == byte).then_some(2),
        [b'[', class @ ..] => glob_class(class, byte),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

fn glob_class(class: &[u8], byte: u8) -> Option<usize> {
    let is_negated = class.first() == Some(&b'^');
    let mut place = usize::from(is_negated);
    let mut fits = false;
    while let Some(first) = class.get(place) {
        match (first, class.get(place + 1), class.get(place + 2)) {
            (b']', _, _) => break,
            (b'\\', Some(escaped), _) => {
                fits |= *escaped == byte;
                place += 2;
            }
            (low, Some(b'-'), Some(high)) => {
                fits |= (*low.min(high)..=*low.max(high)).contains(&byte);
                place += 3;
            }
            (literal, _, _) => {
                fits |= *literal == byte;
                place += 1;
            }
        }
    }
    let length = (place + 2).min(class.len() + 1);
    (fits != is_negated).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_globs_as_upstream_does() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("h?llo", "hello", true),
            ("h[ae]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("**a", "bba", true),
            ("[a", "a", true),
            ("", "a", false),
        ] {
            let is_match = glob(pattern.as_bytes(), text.as_bytes());
            assert_eq!(is_match, expected, "{pattern} {text}");
        }
    }
}

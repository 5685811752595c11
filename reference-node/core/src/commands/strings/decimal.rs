//! Sums of decimal numbers, for INCRBYFLOAT and HINCRBYFLOAT.
//!
//! Upstream adds in 80-bit floats and prints 17 decimals. Here numbers of up to 17 decimals are
//! added exactly, which gives the same digits wherever 80 bits are enough; others as doubles.

use crate::commands::args;
use crate::resp::errors::Refusal;

/// The sum of two numbers, as text without needless zeros.
///
/// # Errors
/// If one is no number, or the sum is none.
pub fn sum(left: &[u8], right: &[u8]) -> Result<String, Refusal> {
    let as_double = |text| args::float(text).ok_or(Refusal::NotFloat);
    let doubles = as_double(left)? + as_double(right)?;
    if !doubles.is_finite() {
        return Err(Refusal::FloatOverflow);
    }
    let exact = scaled(left).and_then(|left| left.checked_add(scaled(right)?));
    Ok(match exact {
        Some(sum) => text_of(sum),
        None => trimmed(&format!("{doubles:.17}")),
    })
}

// The number times 10^17, if it fits and is written plainly.
fn scaled(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((mantissa, exponent)) = text.split_once(['e', 'E']) {
        let power: u32 = exponent
            .strip_prefix('+')
            .unwrap_or(exponent)
            .parse()
            .ok()?;
        let factor = 10i128.checked_pow(power)?;
        let number = scaled(mantissa.as_bytes())?.checked_mul(factor)?;
        return Some(if is_negative { -number } else { number });
    }
    let fits = whole.len() <= 20 && fraction.len() <= DECIMALS && whole.len() + fraction.len() > 0;
    if !fits || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let number: i128 = format!("{whole}{fraction:0<DECIMALS$}").parse().ok()?;
    Some(if is_negative { -number } else { number })
}

fn text_of(number: i128) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let number = number.unsigned_abs();
    let unit = 10u128.pow(DECIMALS as u32);
    let fraction = number % unit;
    trimmed(&format!("{sign}{}.{fraction:0>DECIMALS$}", number / unit))
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').into()
}

const DECIMALS: usize = 17;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_decimals_as_people_do() {
        for (left, right, expected) in [
            ("0.1", "0.2", "0.3"),
            ("10.50", "0.1", "10.6"),
            ("5.0e3", "2.0e2", "5200"),
            ("-5e1", "0.5", "-49.5"),
            ("3", "-1.25", "1.75"),
            ("-0.5", "0.25", "-0.25"),
            ("1", "-1", "0"),
            ("100", "0", "100"),
        ] {
            assert_eq!(sum(left.as_bytes(), right.as_bytes()).unwrap(), expected);
        }
        assert_eq!(sum(b"1", b"inf"), Err(Refusal::FloatOverflow));
        assert_eq!(sum(b"1", b"x"), Err(Refusal::NotFloat));
    }
}

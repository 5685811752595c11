//! Durations as people write them: `30s`, `1500ms`, `2m`, `1h`.

/// Milliseconds of a duration.
///
/// # Errors
/// What is wrong with the text, and how to write it.
pub fn parse_ms(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("write a whole number and a unit, as in 30s, 1500ms, 2m or 1h".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "write a whole number and a unit, as in 30s or 1500ms".to_string())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "too long".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_needed() {
        assert_eq!(parse_ms("30s"), Ok(30_000));
        assert_eq!(parse_ms("1500ms"), Ok(1_500));
        assert_eq!(parse_ms("2m"), Ok(120_000));
        for wrong in [
            "",
            "30",
            "s",
            "1.5s",
            "-1s",
            "30 s",
            "99999999999999999999s",
        ] {
            assert!(parse_ms(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_ms("18446744073709551615h"), Err("too long".into()));
    }
}

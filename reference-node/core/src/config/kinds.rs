//! What the value of a directive must be that this node only keeps.
//!
//! Bounds and words are those of 7.0.15, one line each in `kinds.txt`; a directive without a line
//! takes any text. The errors are upstream's.

use super::settings::memory;

/// The value as it is kept and shown.
///
/// # Errors
/// Why it is none for this directive.
pub fn checked(name: &str, value: &str) -> Result<String, String> {
    if name == "notify-keyspace-events" {
        return crate::commands::notifications::normalized(value);
    }
    let Some(line) = line(name) else {
        return Ok(value.into());
    };
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    match words.as_slice() {
        ["integer", low, high] => {
            let number: i128 = value
                .parse()
                .map_err(|_| "argument couldn't be parsed into an integer".to_string())?;
            within(number, low, high)
        }
        ["memory", low, high] => within(memory(value)?.into(), low, high),
        ["one-of", choices @ ..] => {
            let value = value.to_lowercase();
            let mut chosen = value.split_whitespace();
            if !value.is_empty() && chosen.all(|word| choices.contains(&word)) {
                return Ok(value);
            }
            let choices = choices.join(", ");
            Err(format!(
                "argument(s) must be one of the following: {choices}"
            ))
        }
        _ => Ok(value.into()),
    }
}

/// Whether any text goes.
pub fn is_free(name: &str) -> bool {
    line(name).is_none()
}

fn within(number: i128, low: &str, high: &str) -> Result<String, String> {
    let bounds = low.parse::<i128>().ok().zip(high.parse::<i128>().ok());
    let is_within = bounds.is_none_or(|(low, high)| (low..=high).contains(&number));
    match is_within {
        true => Ok(number.to_string()),
        false => Err(format!(
            "argument must be between {low} and {high} inclusive"
        )),
    }
}

fn line(name: &str) -> Option<&'static str> {
    let mut lines = include_str!("kinds.txt").lines();
    lines.find(|line| line.split(' ').next() == Some(name))
}

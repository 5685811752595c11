//! Numbers as decimal text, for what is written many times a second.
//!
//! The same digits as those of `Display`, without its machinery: no padding, no sign.

/// Appends a number to text.
pub fn push(text: &mut String, number: u64) {
    let mut room = [0; DIGITS_MAX];
    let digits = std::str::from_utf8(of(number, &mut room));
    text.push_str(digits.expect("digits are ASCII"));
}

/// Appends a number to bytes.
pub fn append(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend_from_slice(of(number, &mut [0; DIGITS_MAX]));
}

fn of(number: u64, room: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut at = DIGITS_MAX;
    let mut rest = number;
    loop {
        at -= 1;
        room[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            return &room[at..];
        }
    }
}

const DIGITS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_the_standard_library_writes() {
        for number in [0, 7, 10, 99, 16_383, 1_700_000_000_000, u64::MAX] {
            let (mut text, mut bytes) = (String::new(), Vec::new());
            push(&mut text, number);
            append(&mut bytes, number);
            assert_eq!(text, number.to_string());
            assert_eq!(bytes, text.as_bytes());
        }
    }
}

//! Numbers, lengths and strings as RDB bytes (replication-wire.md 5.3), shortest form.

/// Appends a length.
pub fn put_length(out: &mut Vec<u8>, length: u64) {
    if length < 1 << 6 {
        out.push(length as u8);
    } else if length < 1 << 14 {
        out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes());
    } else if let Ok(length) = u32::try_from(length) {
        out.push(0x80);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(0x81);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

/// Appends a string: as an integer where that is exact, else raw.
pub fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    match canonical_integer(text) {
        Some(value) => {
            if let Ok(value) = i8::try_from(value) {
                out.push(0xc0);
                out.extend_from_slice(&value.to_le_bytes());
            } else if let Ok(value) = i16::try_from(value) {
                out.push(0xc1);
                out.extend_from_slice(&value.to_le_bytes());
            } else {
                out.push(0xc2);
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        None => {
            put_length(out, text.len() as u64);
            out.extend_from_slice(text);
        }
    }
}

/// The value of a text that is exactly how an int32 prints.
fn canonical_integer(text: &[u8]) -> Option<i32> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.len() < 10 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !is_canonical {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::reader::Reader;
    use super::*;

    #[test]
    fn lengths_come_back_at_every_boundary() {
        for length in [
            0,
            63,
            64,
            16_383,
            16_384,
            u64::from(u32::MAX),
            1 << 32,
            u64::MAX,
        ] {
            let mut bytes = Vec::new();
            put_length(&mut bytes, length);
            assert_eq!(Reader::new(&bytes).length(), Ok(length));
        }
    }

    #[test]
    fn strings_come_back_whatever_they_look_like() {
        let texts = [
            "0",
            "-0",
            "007",
            "-1",
            "127",
            "128",
            "-32769",
            "2147483647",
            "2147483648",
        ];
        for text in texts
            .into_iter()
            .chain(["", "-", "+1", "1.5", "-2147483648", "99999999999"])
        {
            let mut bytes = Vec::new();
            put_string(&mut bytes, text.as_bytes());
            assert_eq!(
                Reader::new(&bytes).string().expect("valid"),
                text.as_bytes()
            );
        }
    }
}

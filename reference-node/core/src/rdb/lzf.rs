//! LZF decompression (replication-wire.md 5.3). This node never compresses.

use super::RdbError;

/// Decompresses to exactly `length` bytes.
///
/// Memory grows with what the input really yields (at most 264 bytes for 3), never by `length`.
///
/// # Errors
/// Broken references, a truncated input, or another length than announced.
pub fn decompress(input: &[u8], length: u64) -> Result<Vec<u8>, RdbError> {
    let mut output = Vec::with_capacity(input.len());
    let mut at = 0;
    while let Some(control) = input.get(at).copied().map(usize::from) {
        at += 1;
        if control < 32 {
            let literal = input.get(at..at + control + 1).ok_or(BROKEN)?;
            output.extend_from_slice(literal);
            at += control + 1;
        } else {
            let mut run = control >> 5;
            if run == 7 {
                run += usize::from(*input.get(at).ok_or(BROKEN)?);
                at += 1;
            }
            let low = usize::from(*input.get(at).ok_or(BROKEN)?);
            at += 1;
            let distance = ((control & 31) << 8 | low) + 1;
            let start = output.len().checked_sub(distance).ok_or(BROKEN)?;
            for index in start..start + run + 2 {
                output.push(output[index]);
            }
        }
        if output.len() as u64 > length {
            return Err(BROKEN);
        }
    }
    if output.len() as u64 == length {
        Ok(output)
    } else {
        Err(BROKEN)
    }
}

const BROKEN: RdbError = RdbError::Bad("broken LZF string");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_an_overlapping_reference() {
        let input = [0x01, 0x61, 0x61, 0xe0, 0x2f, 0x00, 0x01, 0x61, 0x61];
        assert_eq!(decompress(&input, 60), Ok(vec![b'a'; 60]));
    }

    #[test]
    fn refuses_references_before_the_start_and_wrong_lengths() {
        assert!(decompress(&[0x20, 0x05], 3).is_err());
        assert!(decompress(&[0x00, 0x61], 2).is_err());
        assert!(decompress(&[0x05, 0x61], 6).is_err());
    }
}

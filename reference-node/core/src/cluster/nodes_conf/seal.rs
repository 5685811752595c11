//! The seal of nodes.conf: a checksum over what this node has promised, in its last line.
//!
//! A flipped bit may turn one id, epoch or slot into another one that reads as well. So the last
//! line carries one more variable, which upstream skips as it skips every variable it does not
//! know (PS-08). It covers ids, flags, masters, epochs and slots; addresses may be edited by hand,
//! as operators do when a host has moved. A file without a seal, as upstream writes it, is taken
//! as it is.

use crate::rdb::crc64::crc64;

/// Name of the variable.
pub const SEAL: &str = "slotquake-seal";

/// The seal of a file's text; a seal in it does not count.
pub fn seal_of(text: &str) -> u64 {
    let mut crc = 0;
    for line in text.lines() {
        let (mut is_vars, mut is_seal, mut is_blank) = (false, false, true);
        for (position, field) in line.split_ascii_whitespace().enumerate() {
            if position == 0 {
                is_vars = field.eq_ignore_ascii_case("vars");
                is_blank = false;
            }
            // Names stand at odd places of the line, each before its value.
            if position % 2 == 1 {
                is_seal = field == SEAL;
            }
            let is_sealed = match is_vars {
                true => position == 0 || !is_seal,
                false => SEALED_FIELDS.contains(&position) || position >= FIRST_SLOT,
            };
            if is_sealed {
                crc = crc64(crc, field.as_bytes());
                crc = crc64(crc, b" ");
            }
        }
        if !is_blank {
            crc = crc64(crc, b"\n");
        }
    }
    crc
}

/// The variable with its value, for the end of the `vars` line.
pub fn sealed(text: &str) -> String {
    format!("{SEAL} {:016x}", seal_of(text))
}

/// Reads the value of the variable.
pub fn parse(text: &str) -> Option<u64> {
    let is_whole = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_whole.then(|| u64::from_str_radix(text, 16).ok())?
}

/// Id, flags, master and epoch; not the address, the times and the link state.
const SEALED_FIELDS: [usize; 4] = [0, 2, 3, 6];
const FIRST_SLOT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "aa 1.2.3.4:1@2 myself,master - 7 8 3 connected 0-5 [1->-b]\n\
                        vars currentEpoch 6 lastVoteEpoch 5";

    #[test]
    fn covers_promises_and_leaves_addresses_and_times_alone() {
        let seal = seal_of(TEXT);
        let moved = TEXT.replace("1.2.3.4:1@2", "5.6.7.8:3@4,h");
        assert_eq!(seal_of(&moved), seal);
        assert_eq!(seal_of(&TEXT.replace(" 7 8 ", " 0 9 ")), seal);
        assert_eq!(seal_of(&TEXT.replace("connected", "disconnected")), seal);
        for (promise, other) in [
            ("aa", "ab"),
            ("master", "slave"),
            (" - ", " bb "),
            (" 3 ", " 4 "),
            ("0-5", "0-6"),
            ("[1->-b]", "[1-<-b]"),
            ("Epoch 6", "Epoch 7"),
            ("Epoch 5", "Epoch 4"),
        ] {
            assert_ne!(seal_of(&TEXT.replace(promise, other)), seal, "{promise}");
        }
    }

    #[test]
    fn is_the_same_with_and_without_itself() {
        let whole = format!("{TEXT} {}\n", sealed(TEXT));
        assert_eq!(seal_of(&whole), seal_of(TEXT));
        let value = whole.trim_end().rsplit(' ').next().expect("a last word");
        assert_eq!(parse(value), Some(seal_of(TEXT)));
        assert_eq!(parse("12"), None);
        assert_eq!(parse("+23456789abcdef0"), None);
    }
}

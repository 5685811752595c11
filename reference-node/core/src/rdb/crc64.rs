//! CRC64 "Jones" of RDB files and DUMP payloads (replication-wire.md section 6).

/// The CRC of some bytes, starting from the CRC of what came before (0 at the start).
pub fn crc64(start: u64, bytes: &[u8]) -> u64 {
    let mut crc = start;
    let mut blocks = bytes.chunks_exact(8);
    for block in &mut blocks {
        let word = crc ^ u64::from_le_bytes(block.try_into().expect("chunks of 8"));
        crc = (0..8).fold(0, |sum, index| {
            sum ^ TABLES[7 - index][(word >> (8 * index)) as usize & 0xff]
        });
    }
    blocks.remainder().iter().fold(crc, |crc, byte| {
        TABLES[0][(crc as u8 ^ byte) as usize] ^ (crc >> 8)
    })
}

const POLYNOMIAL_REFLECTED: u64 = 0x95ac_9329_ac4b_c9b5;

static TABLES: [[u64; 256]; 8] = tables();

/// Table n gives the CRC of a byte followed by n zero bytes.
const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (POLYNOMIAL_REFLECTED * carry);
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut byte = 0;
    while byte < 256 {
        let mut table = 1;
        while table < 8 {
            let before = tables[table - 1][byte];
            tables[table][byte] = tables[0][(before & 0xff) as usize] ^ (before >> 8);
            table += 1;
        }
        byte += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_published_check_value() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn does_not_depend_on_how_the_bytes_are_cut() {
        let bytes: Vec<u8> = (0..200u8).collect();
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            assert_eq!(
                crc64(crc64(0, head), tail),
                crc64(0, &bytes),
                "cut at {cut}"
            );
        }
    }
}

//! Writing listpacks (replication-wire.md 5.5); only streams need it.

use crate::keyspace::parse_integer;

/// A listpack in the making.
#[derive(Debug, Clone, Default)]
pub struct ListpackWriter {
    elements: Vec<u8>,
    count: usize,
}

impl ListpackWriter {
    /// Appends a text; integers in their shortest form.
    pub fn text(&mut self, text: &[u8]) {
        if let Some(number) = parse_integer(text) {
            return self.integer(number);
        }
        let start = self.elements.len();
        let length = text.len();
        if length < 1 << 6 {
            self.elements.push(0x80 | length as u8);
        } else if length < 1 << 12 {
            let header = 0xe000 | length as u16;
            self.elements.extend_from_slice(&header.to_be_bytes());
        } else {
            self.elements.push(0xf0);
            self.elements
                .extend_from_slice(&(length as u32).to_le_bytes());
        }
        self.elements.extend_from_slice(text);
        self.end(start);
    }

    /// Appends an integer.
    pub fn integer(&mut self, number: i64) {
        let start = self.elements.len();
        let bytes = number.to_le_bytes();
        let (header, width): (u8, usize) = match number {
            0..=127 => (number as u8, 0),
            -4096..=4095 => {
                let header = 0xc000 | (number as u16 & 0x1fff);
                self.elements.extend_from_slice(&header.to_be_bytes());
                return self.end(start);
            }
            -0x8000..=0x7fff => (0xf1, 2),
            -0x80_0000..=0x7f_ffff => (0xf2, 3),
            -0x8000_0000..=0x7fff_ffff => (0xf3, 4),
            _ => (0xf4, 8),
        };
        self.elements.push(header);
        self.elements.extend_from_slice(&bytes[..width]);
        self.end(start);
    }

    /// The whole listpack.
    pub fn finish(self) -> Vec<u8> {
        let total = self.elements.len() + HEADER_BYTES + 1;
        let mut out = Vec::with_capacity(total);
        out.extend_from_slice(&(total as u32).to_le_bytes());
        let count = u16::try_from(self.count).unwrap_or(u16::MAX);
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&self.elements);
        out.push(0xff);
        out
    }

    // The length of the element just written, so that it can be read backwards.
    fn end(&mut self, start: usize) {
        let length = self.elements.len() - start;
        let width = match length {
            0..=127 => 1,
            128..=16_382 => 2,
            16_383..=2_097_150 => 3,
            2_097_151..=268_435_454 => 4,
            _ => 5,
        };
        for place in (0..width).rev() {
            let group = (length >> (7 * place)) as u8 & 0x7f;
            let is_first = place == width - 1;
            self.elements
                .push(if is_first { group } else { group | 0x80 });
        }
        self.count += 1;
    }
}

const HEADER_BYTES: usize = 6;

#[cfg(test)]
mod tests {
    use super::super::packed::listpack;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let long = "x".repeat(20_000);
        let texts = [
            "",
            "a",
            "0",
            "127",
            "128",
            "-1",
            "-4096",
            "-4097",
            "32768",
            "8388608",
            "-8388609",
            "2147483648",
            "-9223372036854775808",
            "007",
            &long[..63],
            &long[..64],
            &long[..5000],
            &long,
        ];
        let mut writer = ListpackWriter::default();
        texts.iter().for_each(|text| writer.text(text.as_bytes()));
        let read = listpack(&writer.finish()).expect("valid");
        assert_eq!(read, texts);
    }
}

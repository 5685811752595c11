//! Raw packets as a pcapng file, which Wireshark opens.
//!
//! One section, one interface of raw IPv4 packets with times in nanoseconds; all numbers in little
//! endian, as the section header says.

use std::io::{self, Write};

/// A file under way.
#[derive(Debug)]
pub struct Pcapng<W: Write> {
    out: W,
}

impl<W: Write> Pcapng<W> {
    /// Writes the section and the interface.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn begin(out: W) -> io::Result<Pcapng<W>> {
        let mut file = Pcapng { out };
        let mut section = Vec::new();
        section.extend(0x1a2b_3c4d_u32.to_le_bytes());
        section.extend(1_u16.to_le_bytes());
        section.extend(0_u16.to_le_bytes());
        section.extend(u64::MAX.to_le_bytes());
        file.block(SECTION_HEADER, &section)?;
        let mut interface = Vec::new();
        interface.extend(LINK_TYPE_RAW.to_le_bytes());
        interface.extend(0_u16.to_le_bytes());
        interface.extend(0_u32.to_le_bytes());
        option(&mut interface, OPTION_NAME, b"lo");
        option(&mut interface, OPTION_TIME_RESOLUTION, &[9]);
        option(&mut interface, OPTION_END, &[]);
        file.block(INTERFACE, &interface)?;
        Ok(file)
    }

    /// Writes a packet; `stamp` is ns since 1970.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn packet(&mut self, stamp: u64, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let mut body = Vec::with_capacity(bytes.len() + 24);
        body.extend(0_u32.to_le_bytes());
        body.extend(((stamp >> 32) as u32).to_le_bytes());
        body.extend((stamp as u32).to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(bytes);
        self.block(ENHANCED_PACKET, &body)
    }

    /// Flushes.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> io::Result<()> {
        let padding = body.len().next_multiple_of(4) - body.len();
        let total = u32::try_from(body.len() + padding + 12).map_err(io::Error::other)?;
        self.out.write_all(&kind.to_le_bytes())?;
        self.out.write_all(&total.to_le_bytes())?;
        self.out.write_all(body)?;
        self.out.write_all(&[0; 3][..padding])?;
        self.out.write_all(&total.to_le_bytes())
    }
}

fn option(block: &mut Vec<u8>, code: u16, value: &[u8]) {
    block.extend(code.to_le_bytes());
    block.extend((value.len() as u16).to_le_bytes());
    block.extend(value);
    block.resize(block.len().next_multiple_of(4), 0);
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const LINK_TYPE_RAW: u16 = 101;
const OPTION_END: u16 = 0;
const OPTION_NAME: u16 = 2;
const OPTION_TIME_RESOLUTION: u16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_says_its_length_at_both_ends() {
        let mut file = Pcapng::begin(Vec::new()).expect("a Vec takes all");
        file.packet(1, &[0x45; 41]).expect("a Vec takes all");
        let bytes = file.finish().expect("a Vec takes all");
        let word = |at: usize| {
            u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize
        };
        let (mut at, mut kinds) = (0, Vec::new());
        while at < bytes.len() {
            let length = word(at + 4);
            assert_eq!((word(at + length - 4), length % 4), (length, 0));
            kinds.push(word(at) as u32);
            at += length;
        }
        assert_eq!(kinds, [SECTION_HEADER, INTERFACE, ENHANCED_PACKET]);
    }
}

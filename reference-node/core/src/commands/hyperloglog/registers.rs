//! The registers of a HyperLogLog and upstream's string of them.
//!
//! Header: `HYLL`, encoding, three zeros, the cached count (8 bytes LE, highest bit: not valid).
//! Then 16384 registers of 6 bits, or runs of equal ones. The count is Ertl's estimate; its
//! floating-point steps are fixed, so that every node comes to the same.

use bytes::Bytes;

/// How registers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As runs.
    Sparse,
    /// All of them; it never becomes sparse again.
    Dense,
}

/// All registers.
#[derive(Debug, Clone)]
pub struct Registers {
    values: Vec<u8>,
    /// How they are written.
    pub encoding: Encoding,
    /// The count that was kept with them, if it is still right.
    pub cached: Option<u64>,
}

impl Default for Registers {
    fn default() -> Registers {
        Registers {
            values: vec![0; COUNT],
            encoding: Encoding::Sparse,
            cached: None,
        }
    }
}

/// Whether a string looks like one of ours.
pub fn is_one(text: &[u8]) -> bool {
    let has_header = text.len() >= HEADER && text.starts_with(b"HYLL");
    has_header && (text[4] == SPARSE || (text[4] == DENSE && text.len() == DENSE_LENGTH))
}

impl Registers {
    /// Reads a string of which [`is_one`] holds; none if its runs make no sense.
    pub fn decode(text: &[u8]) -> Option<Registers> {
        assert!(is_one(text), "the caller has looked at the header");
        let (header, body) = text.split_at(HEADER);
        let mut registers = Registers::default();
        let cached = u64::from_le_bytes(header[8..].try_into().ok()?);
        registers.cached = (cached & STALE == 0).then_some(cached);
        if header[4] == SPARSE {
            registers.values = runs(body)?;
        } else {
            registers.encoding = Encoding::Dense;
            for (index, value) in registers.values.iter_mut().enumerate() {
                let (byte, bit) = (index * BITS / 8, index * BITS % 8);
                let next = body.get(byte + 1).copied().unwrap_or(0);
                let pair = u16::from(body[byte]) | u16::from(next) << 8;
                *value = (pair >> bit) as u8 & VALUE_MAX;
            }
        }
        Some(registers)
    }

    /// The string: sparse while it may be and fits the limit.
    pub fn encode(&self, sparse_bytes_max: usize) -> Bytes {
        let greatest = self.values.iter().max().copied().unwrap_or(0);
        let may_be_sparse = self.encoding == Encoding::Sparse && greatest <= SPARSE_VALUE_MAX;
        let sparse = may_be_sparse.then(|| self.sparse());
        let sparse = sparse.filter(|body| HEADER + body.len() <= sparse_bytes_max.max(HEADER + 2));
        let mut out = b"HYLL".to_vec();
        out.extend_from_slice(&[if sparse.is_some() { SPARSE } else { DENSE }, 0, 0, 0]);
        out.extend_from_slice(&self.cached.unwrap_or(STALE).to_le_bytes());
        out.extend(sparse.unwrap_or_else(|| self.dense()));
        out.into()
    }

    /// The value of each register.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Counts an element; whether that changed anything.
    pub fn add(&mut self, element: &[u8]) -> bool {
        let hash = murmur(element);
        let index = hash as usize & (COUNT - 1);
        let rest = hash >> INDEX_BITS | 1 << (64 - INDEX_BITS);
        let value = rest.trailing_zeros() as u8 + 1;
        let old = &mut self.values[index];
        let is_more = value > *old;
        *old = value.max(*old);
        is_more
    }

    /// Takes in all that another one counted.
    pub fn merge(&mut self, other: &Registers) {
        for (mine, theirs) in self.values.iter_mut().zip(&other.values) {
            *mine = (*mine).max(*theirs);
        }
        if other.encoding == Encoding::Dense {
            self.encoding = Encoding::Dense;
        }
    }

    /// The estimate.
    pub fn count(&self) -> u64 {
        let mut histogram = [0_u32; 64];
        self.values
            .iter()
            .for_each(|value| histogram[usize::from(*value & VALUE_MAX)] += 1);
        let all = COUNT as f64;
        let top = 64 - INDEX_BITS as usize;
        let mut z = all * tau((all - f64::from(histogram[top + 1])) / all);
        for number in histogram[1..=top].iter().rev() {
            z = (z + f64::from(*number)) * 0.5;
        }
        z += all * sigma(f64::from(histogram[0]) / all);
        (ALPHA * all * all / z).round() as u64
    }

    fn sparse(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for run in self.values.chunk_by(|left, right| left == right) {
            let value = run[0];
            if value > 0 {
                for part in run.chunks(4) {
                    out.push(0x80 | (value - 1) << 2 | (part.len() - 1) as u8);
                }
            } else if run.len() <= 64 {
                out.push((run.len() - 1) as u8);
            } else {
                let length = (run.len() - 1) as u16;
                out.extend_from_slice(&(0x4000 | length).to_be_bytes());
            }
        }
        out
    }

    fn dense(&self) -> Vec<u8> {
        let mut out = vec![0_u8; DENSE_LENGTH - HEADER];
        for (index, value) in self.values.iter().enumerate() {
            let (byte, bit) = (index * BITS / 8, index * BITS % 8);
            let pair = (u16::from(*value) << bit).to_le_bytes();
            out[byte] |= pair[0];
            if let Some(next) = out.get_mut(byte + 1) {
                *next |= pair[1];
            }
        }
        out
    }
}

fn runs(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut values = Vec::with_capacity(COUNT);
    while let Some((first, rest)) = body.split_first() {
        let (value, length) = match first >> 6 {
            0 => (0, usize::from(first & 0x3f) + 1),
            1 => {
                let low = usize::from(*rest.first()?);
                (0, (usize::from(first & 0x3f) << 8 | low) + 1)
            }
            _ => ((first >> 2 & 0x1f) + 1, usize::from(first & 3) + 1),
        };
        body = &rest[usize::from(first >> 6 == 1)..];
        if values.len() + length > COUNT {
            return None;
        }
        values.resize(values.len() + length, value);
    }
    (values.len() == COUNT).then_some(values)
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        y *= 0.5;
        let before = z;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

// MurmurHash64A with upstream's seed.
fn murmur(text: &[u8]) -> u64 {
    const FACTOR: u64 = 0xc6a4_a793_5bd1_e995;
    let mut hash = 0xadc8_3b19_u64 ^ (text.len() as u64).wrapping_mul(FACTOR);
    let mut blocks = text.chunks_exact(8);
    for block in &mut blocks {
        let block: [u8; 8] = block.try_into().expect("chunks of 8 have 8 bytes");
        let mut number = u64::from_le_bytes(block).wrapping_mul(FACTOR);
        number ^= number >> 47;
        hash = (hash ^ number.wrapping_mul(FACTOR)).wrapping_mul(FACTOR);
    }
    let tail = blocks.remainder();
    if !tail.is_empty() {
        let number = tail
            .iter()
            .rev()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        hash = (hash ^ number).wrapping_mul(FACTOR);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(FACTOR);
    hash ^ hash >> 47
}

const COUNT: usize = 1 << INDEX_BITS;
const INDEX_BITS: u32 = 14;
const BITS: usize = 6;
const VALUE_MAX: u8 = 63;
const SPARSE_VALUE_MAX: u8 = 32;
const HEADER: usize = 16;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const STALE: u64 = 1 << 63;
const DENSE_LENGTH: usize = HEADER + COUNT * BITS / 8;
const ALPHA: f64 = 0.721_347_520_444_481_7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_within_two_percent_in_both_encodings() {
        let mut registers = Registers::default();
        for number in 0..100_000 {
            registers.add(format!("element:{number}").as_bytes());
        }
        assert!((98_000..102_000).contains(&registers.count()));
        let dense = registers.encode(3000);
        assert_eq!(dense.len(), DENSE_LENGTH);
        let read = Registers::decode(&dense).expect("valid");
        assert_eq!(read.values, registers.values);
    }

    #[test]
    fn reads_back_what_is_sparse_and_refuses_runs_that_do_not_fit() {
        let mut registers = Registers::default();
        assert_eq!(registers.encode(3000)[16..], [0x7f, 0xff]);
        ["a", "b", "c"]
            .iter()
            .for_each(|text| assert!(registers.add(text.as_bytes())));
        assert_eq!(registers.count(), 3);
        let mut text = registers.encode(3000).to_vec();
        assert_eq!(
            Registers::decode(&text).expect("valid").values,
            registers.values
        );
        text.push(0);
        assert!(Registers::decode(&text).is_none());
    }
}

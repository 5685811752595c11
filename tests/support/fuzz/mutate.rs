//! A small mutator, the same for the same seed: for runs without a fuzzing engine.

/// Numbers that look random (SplitMix64).
#[derive(Debug, Clone)]
pub struct Stream(pub u64);

impl Stream {
    /// The next number.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next_number() % (bound.max(1) as u64)) as usize
    }
}

/// Spoils an input in one to four places; `other` is one to take parts from.
pub fn mutate(input: &[u8], other: &[u8], stream: &mut Stream) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=stream.below(4) {
        spoil(&mut bytes, other, stream);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn spoil(bytes: &mut Vec<u8>, other: &[u8], stream: &mut Stream) {
    let at = stream.below(bytes.len());
    let length = 1 + stream.below(8).min(stream.below(64));
    let end = (at + length).min(bytes.len());
    match stream.below(9) {
        0 => flip(bytes, at, stream),
        1 => put(bytes, at, &[INTERESTING[stream.below(INTERESTING.len())]]),
        2 => put(bytes, at, &[stream.next_number() as u8]),
        3 => put(
            bytes,
            at,
            &LENGTHS[stream.below(LENGTHS.len())].to_be_bytes(),
        ),
        4 => put(
            bytes,
            at,
            &LENGTHS[stream.below(LENGTHS.len())].to_le_bytes(),
        ),
        5 => drop(bytes.drain(at..end)),
        6 => {
            let copy = bytes[at..end].to_vec();
            let to = stream.below(bytes.len() + 1);
            bytes.splice(to..to, copy);
        }
        7 => {
            let from = stream.below(other.len());
            let until = (from + stream.below(128)).min(other.len());
            bytes.splice(at..at, other[from..until].iter().copied());
        }
        _ => bytes.truncate(at),
    }
}

fn flip(bytes: &mut [u8], at: usize, stream: &mut Stream) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 1 << stream.below(8);
    }
}

fn put(bytes: &mut [u8], at: usize, what: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(what) {
        *byte = *new;
    }
}

const INTERESTING: [u8; 14] = [
    0, 1, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xfe, 0xff, b'\n', b'-', b'0', b'9', b' ',
];
const LENGTHS: [u32; 8] = [
    0,
    1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_fff0,
    2255,
    2256,
];
const LENGTH_MAX: usize = 16 << 10;

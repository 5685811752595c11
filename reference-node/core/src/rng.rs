//! The node's random numbers: xoshiro256++ seeded through SplitMix64; the seed is an input.

/// A seeded stream of random numbers.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// A stream from a seed.
    pub fn new(seed: u64) -> Rng {
        let mut split = seed;
        let next = |_| {
            split = split.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (split ^ (split >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Rng {
            state: std::array::from_fn(next),
        }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = self.state;
        let result = s0.wrapping_add(s3).rotate_left(23).wrapping_add(s0);
        let (s2, s3) = (s2 ^ s0, s3 ^ s1);
        self.state = [s0 ^ s3, s1 ^ s2, s2 ^ (s1 << 17), s3.rotate_left(45)];
        result
    }

    /// Uniform in `0..bound`; 0 if the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 {
            0
        } else {
            self.next_u64() % bound
        }
    }

    /// 40 characters of `[0-9a-f]`.
    pub fn hex(&mut self) -> [u8; 40] {
        std::array::from_fn(|_| b"0123456789abcdef"[self.below(16) as usize])
    }
}

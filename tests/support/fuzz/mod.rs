//! Fuzz targets: plain functions that take hostile bytes and panic when a promise is broken.
//!
//! Each is one parser, or one door, of the project. `tests/fuzz_corpus.rs` runs them over the
//! committed corpus and over mutations of it; the crate `tests/fuzz` runs them under libFuzzer
//! (docs/fuzzing.md). Beyond "no panic" they say: what is read and written again reads as the same,
//! bytes may come in any pieces, both bus decoders agree, a node never goes back in epoch or vote,
//! and memory is bounded by the length of the input.

mod bus;
mod history;
pub mod mutate;
mod nodes_conf;
mod rdb;
mod resp;
mod rig;
pub mod seeds;
mod upstream;

use peak_alloc::PeakAlloc;

/// One fuzz target.
pub struct Target {
    /// Its name, and that of its folder in `tests/corpus`.
    pub name: &'static str,
    /// What it does with the bytes.
    pub run: fn(&[u8]),
    /// Bytes of memory that it may take for each byte of input, beside [`MEMORY_FREE_BYTES`].
    pub memory_factor: usize,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    target("bus_codec", bus::codec, 40),
    target("bus_node", bus::node, 400),
    target("resp_request", resp::request, 400),
    target("resp_reply", resp::reply, 400),
    target("nodes_conf", nodes_conf::file, 800),
    // LZF makes 88 bytes of one; a packed element of two bytes becomes a node of a tree.
    target("rdb_dump", rdb::dump, 16_000),
    target("rdb_file", rdb::file, 16_000),
    target("upstream", upstream::stream, 16_000),
    target("history", history::lines, 400),
];

const fn target(name: &'static str, run: fn(&[u8]), memory_factor: usize) -> Target {
    Target {
        name,
        run,
        memory_factor,
    }
}

/// Finds a target by its name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    /// Runs it, and holds it to its memory. Where [`PeakAlloc`] is not the allocator, memory is
    /// not looked at.
    pub fn check(&self, input: &[u8]) {
        let meter = PeakAlloc;
        meter.reset_peak_usage();
        let before = meter.current_usage();
        (self.run)(input);
        let taken = meter.peak_usage().saturating_sub(before);
        let allowed = MEMORY_FREE_BYTES + self.memory_factor * input.len();
        assert!(
            taken <= allowed,
            "{}: {taken} bytes of memory for {} bytes of input, {allowed} are allowed",
            self.name,
            input.len(),
        );
    }
}

/// Memory that every target may take, whatever the input: a node alone is larger than its input.
pub const MEMORY_FREE_BYTES: usize = 512 << 10;

//! Fuzzes the target `resp_reply` of `slotquake_tests::fuzz`.

#![no_main]

use std::sync::LazyLock;

use peak_alloc::PeakAlloc;
use slotquake_tests::fuzz::{Target, find};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

static TARGET: LazyLock<&Target> =
    LazyLock::new(|| find("resp_reply").expect("a target of this name"));

libfuzzer_sys::fuzz_target!(|input: &[u8]| TARGET.check(input));

//! How late this machine runs: a thread that asks to be woken every 10 ms and sees when it is.
//!
//! The largest delay is the slack of every timed check: a server on the same machine cannot be
//! expected to be more punctual than this.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The thread; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Canary {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    delay_us_max: AtomicU64,
    ending: AtomicBool,
}

impl Canary {
    pub(super) fn start() -> std::io::Result<Canary> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        thread::Builder::new()
            .name("canary".to_owned())
            .spawn(move || {
                while !seen.ending.load(Ordering::Relaxed) {
                    let asleep = Instant::now();
                    thread::sleep(TICK);
                    let delay = asleep.elapsed().saturating_sub(TICK).as_micros();
                    let delay = u64::try_from(delay).unwrap_or(u64::MAX);
                    seen.delay_us_max.fetch_max(delay, Ordering::Relaxed);
                }
            })?;
        Ok(Canary { shared })
    }

    /// The largest delay so far, rounded up.
    pub(super) fn delay_ms_max(&self) -> u64 {
        self.shared
            .delay_us_max
            .load(Ordering::Relaxed)
            .div_ceil(1000)
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.shared.ending.store(true, Ordering::Relaxed);
    }
}

const TICK: Duration = Duration::from_millis(10);

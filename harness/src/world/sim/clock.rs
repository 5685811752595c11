//! A node's clock: right, or set to another time, or too fast or too slow.

use slotquake_core::time::Millis;

use super::MS;

/// What the nodes' clocks say at the start of a run, ms since the Unix epoch.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// What a node takes for the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clock {
    /// Virtual time of the last change, ns.
    since: u64,
    /// How far ahead of virtual time it was then, ns.
    ahead: i64,
    /// What it gains, us each second.
    ppm: i64,
}

impl Clock {
    /// What it shows, ms since the Unix epoch.
    pub fn millis(&self, now: u64) -> Millis {
        let shown = now as i64 + self.ahead_at(now);
        Millis((EPOCH_MS as i64 + shown.div_euclid(MS as i64)).max(0) as u64)
    }

    /// When it will show this, ns of virtual time; some time that is past if it does already.
    pub fn time_of(&self, shown: Millis, now: u64) -> u64 {
        let wanted = (shown.0 as i64 - EPOCH_MS as i64) * MS as i64;
        if self.ppm == 0 {
            return (wanted - self.ahead).max(0) as u64;
        }
        let missing = i128::from(wanted - (now as i64 + self.ahead_at(now)));
        let rate = i128::from(MILLION + self.ppm);
        let wait = (missing.max(0) * i128::from(MILLION) + rate - 1) / rate;
        now + wait as u64
    }

    /// Sets it forward, or back.
    pub fn step(&mut self, by_ms: i64, now: u64) {
        self.settle(now);
        self.ahead += by_ms * MS as i64;
    }

    /// Lets it gain, or lose, so many us each second from now on.
    pub fn drift(&mut self, ppm: i64, now: u64) {
        self.settle(now);
        self.ppm = ppm;
    }

    /// Sets it right.
    pub fn set_right(&mut self) {
        *self = Clock::default();
    }

    fn settle(&mut self, now: u64) {
        self.ahead = self.ahead_at(now);
        self.since = now;
    }

    fn ahead_at(&self, now: u64) -> i64 {
        if self.ppm == 0 {
            return self.ahead;
        }
        let gained = i128::from(now - self.since) * i128::from(self.ppm) / i128::from(MILLION);
        self.ahead + gained as i64
    }
}

const MILLION: i64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000 * MS;

    fn shown(clock: &Clock, now: u64) -> u64 {
        clock.millis(now).0 - EPOCH_MS
    }

    #[test]
    fn a_clock_that_was_set_is_off_until_it_is_set_right() {
        let mut clock = Clock::default();
        assert_eq!(shown(&clock, SECOND), 1_000);
        clock.step(-300, SECOND);
        clock.step(-100, SECOND);
        assert_eq!(shown(&clock, 2 * SECOND), 1_600);
        assert_eq!(clock.time_of(Millis(EPOCH_MS + 1_600), SECOND), 2 * SECOND);
        clock.set_right();
        assert_eq!(shown(&clock, 2 * SECOND), 2_000);
    }

    #[test]
    fn a_clock_may_show_a_time_before_the_run() {
        let mut clock = Clock::default();
        clock.step(-5_000, SECOND);
        assert_eq!(clock.millis(SECOND).0, EPOCH_MS - 4_000);
        assert_eq!(clock.time_of(Millis(EPOCH_MS - 3_000), SECOND), 2 * SECOND);
    }

    #[test]
    fn a_fast_clock_gains_and_knows_when_it_will_show_what() {
        let mut clock = Clock::default();
        clock.drift(20_000, SECOND);
        assert_eq!(shown(&clock, 51 * SECOND), 52_000);
        let at = clock.time_of(Millis(EPOCH_MS + 52_000), SECOND);
        assert_eq!(shown(&clock, at), 52_000);
        assert!(shown(&clock, at - 2 * MS) < 52_000);
        clock.drift(-20_000, 51 * SECOND);
        assert_eq!(shown(&clock, 101 * SECOND), 101_000);
    }
}

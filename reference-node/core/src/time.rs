//! Time: an input, in ms.

use std::ops::{Add, Sub};

/// A moment (ms since the Unix epoch) or a span (ms). The only clock of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Millis(pub u64);

impl Millis {
    /// The span since an earlier moment; 0 if it is later (a clock stepped back).
    pub fn since(self, earlier: Millis) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

/// A clock that never goes back.
///
/// A node measures every wait by the wall clock it is given. When that one is set back, a wait
/// would last longer by as much: a cut-off master would serve for too long, no ping would be sent.
/// This one goes on instead, a sixteenth slower, until the other has caught up.
#[derive(Debug, Clone, Copy, Default)]
pub struct SteadyClock {
    /// What the other clock said last.
    given: Millis,
    /// How far this one is ahead of it.
    ahead: Millis,
    /// Time given since the last ms was caught up.
    rest: u64,
}

impl SteadyClock {
    /// A clock that shows what it is given.
    pub fn new(given: Millis) -> SteadyClock {
        SteadyClock {
            given,
            ..SteadyClock::default()
        }
    }

    /// Takes in what the other clock says; gives the time to go by.
    pub fn read(&mut self, given: Millis) -> Millis {
        if given < self.given {
            self.ahead = self.ahead + (self.given - given);
        } else if self.ahead > Millis(0) {
            let passed = self.rest + (given - self.given).0;
            self.ahead = self.ahead - Millis(passed / SLOWER_BY);
            self.rest = passed % SLOWER_BY;
        }
        self.given = given;
        given + self.ahead
    }

    /// What the other clock will say when this one shows `at`, or a little before that.
    pub fn given_at(&self, at: Millis) -> Millis {
        if self.ahead == Millis(0) || at == Millis(u64::MAX) {
            return at;
        }
        let wait = at - (self.given + self.ahead);
        self.given + Millis(wait.0 + (wait.0 / (SLOWER_BY - 1)).min(self.ahead.0))
    }
}

/// One ms in so many is not counted while a clock is ahead.
const SLOWER_BY: u64 = 16;

impl Add for Millis {
    type Output = Millis;

    fn add(self, span: Millis) -> Millis {
        Millis(self.0.saturating_add(span.0))
    }
}

impl Sub for Millis {
    type Output = Millis;

    fn sub(self, span: Millis) -> Millis {
        Millis(self.0.saturating_sub(span.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_does_not_go_back_and_agrees_again_later() {
        let mut clock = SteadyClock::new(Millis(1_000));
        assert_eq!(clock.read(Millis(1_100)), Millis(1_100));
        assert_eq!(clock.read(Millis(100)), Millis(1_100));
        assert_eq!(clock.read(Millis(116)), Millis(1_115));
        let shown: Vec<Millis> = (117..20_000).map(|at| clock.read(Millis(at))).collect();
        assert!(shown.is_sorted());
        assert_eq!(shown.last(), Some(&Millis(19_999)));
    }

    #[test]
    fn a_clock_set_forward_is_believed() {
        let mut clock = SteadyClock::new(Millis(1_000));
        assert_eq!(clock.read(Millis(9_000)), Millis(9_000));
    }

    #[test]
    fn a_wait_is_over_when_it_says_so_or_a_little_later() {
        let mut clock = SteadyClock::new(Millis(1_000));
        let now = clock.read(Millis(500));
        for wait in [1, 14, 15, 100, 7_000, 9_000] {
            let at = now + Millis(wait);
            let mut then = clock;
            let shown = then.read(clock.given_at(at));
            assert!(
                shown <= at && at - shown <= Millis(2),
                "{wait}: {shown:?} for {at:?}"
            );
        }
    }
}

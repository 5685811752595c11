//! The time bounds of the invariant catalogue (0.3), in nanoseconds.
//!
//! All follow from the node timeout and from the slack that the canary of the run measured.

use super::setting::Setting;

/// Nanoseconds in a millisecond.
pub const MILLISECOND: u64 = 1_000_000;
/// Period of a server's cron in ns.
pub const CRON: u64 = 100 * MILLISECOND;

/// The bounds that hold in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// NT: cluster-node-timeout, ns.
    pub node_timeout: u64,
    /// s: max(500 ms, 3 x largest canary delay), ns.
    pub slack: u64,
    /// How late a captured delivery may be, or the receiver to read it, ns; the simulated world
    /// knows both exactly.
    pub reading: u64,
}

impl Bounds {
    /// The bounds of this run.
    pub fn of(setting: &Setting) -> Bounds {
        let canary = setting.canary_delay_ms.saturating_mul(3 * MILLISECOND);
        let slack = canary.max(500 * MILLISECOND);
        Bounds {
            node_timeout: setting.node_timeout_ms.saturating_mul(MILLISECOND),
            slack,
            reading: match setting.world == "sim" {
                true => 2 * MILLISECOND,
                false => CRON + slack / 5,
            },
        }
    }

    /// T_pfail, the upper end: 1.5 NT + 2 cron + s after the last data from the peer.
    pub fn suspected(&self) -> u64 {
        self.node_timeout + self.node_timeout / 2 + 2 * CRON + self.slack
    }

    /// The election timeout: max(2 NT, 2 s).
    pub fn election(&self) -> u64 {
        (2 * self.node_timeout).max(2000 * MILLISECOND)
    }

    /// T_promote without retries: T_fail + T_elect + s, as if the rank were 1.
    pub fn promoted(&self) -> u64 {
        2 * self.node_timeout + 2500 * MILLISECOND + 3 * self.slack
    }

    /// T_promote + 1 s without retries: when the slots of a lost master are served again (ST-05).
    /// The simulated world is never slow.
    pub fn available(&self) -> u64 {
        let slack = match self.reading < CRON {
            true => CRON,
            false => self.slack,
        };
        2 * self.node_timeout + 2500 * MILLISECOND + 3 * slack
    }

    /// From one attempt of a candidate to the next: max(4 NT, 4 s).
    pub fn retry(&self) -> u64 {
        (4 * self.node_timeout).max(4000 * MILLISECOND)
    }

    /// H_map: 2 NT + 2 s + s.
    pub fn maps_equal(&self) -> u64 {
        2 * self.node_timeout + 2000 * MILLISECOND + self.slack
    }

    /// H_state: 4 NT + 7 s + s; loading time is small in our runs.
    pub fn state_ok(&self) -> u64 {
        4 * self.node_timeout + 7000 * MILLISECOND + self.slack
    }

    /// How far the client's and the bus's view of one instant may differ.
    pub fn instant(&self) -> u64 {
        CRON + self.slack / 5
    }
}

/// A time or a duration for people: `12.345 s`.
pub fn seconds(nanoseconds: u64) -> String {
    let milliseconds = nanoseconds / MILLISECOND;
    format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
}

impl Setting {
    /// Why entries with a time bound cannot be judged, if they cannot (0.3: canary above NT/4).
    pub fn too_slow_to_time(&self) -> Option<String> {
        (self.canary_delay_ms > self.node_timeout_ms / 4).then(|| {
            format!(
                "the machine was too busy: an idle ticker was late by {} ms, more than a quarter \
                 of the node timeout of {} ms",
                self.canary_delay_ms, self.node_timeout_ms
            )
        })
    }
}

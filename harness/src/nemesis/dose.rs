//! How much of a fault: by how much a clock is wrong, how long a disk takes.

use serde::{Deserialize, Serialize};
use slotquake_checkers::observation::{ClockTrouble, Damage, DiskTrouble, FaultKind};

/// How much of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dose {
    /// A clock is set forward, or back if negative, by so many ms.
    StepMs(i64),
    /// A clock gains so many us each second, or loses them if negative.
    DriftPpm(i64),
    /// A sync takes so many ms.
    DelayMs(u64),
}

impl Dose {
    /// What a fault of this kind needs, in words; none if it takes no dose.
    pub fn needed(kind: FaultKind) -> Option<String> {
        match kind.damage()? {
            Damage::Clock(ClockTrouble::Step) => Some(format!(
                "{{\"step_ms\": N}}, N not 0, within {STEP_MS_MAX} either way"
            )),
            Damage::Clock(ClockTrouble::Drift) => Some(format!(
                "{{\"drift_ppm\": N}}, N not 0, within {DRIFT_PPM_MAX} either way"
            )),
            Damage::Disk(DiskTrouble::Slow) => {
                Some(format!("{{\"delay_ms\": N}}, N from 1 to {DELAY_MS_MAX}"))
            }
            Damage::Disk(DiskTrouble::Full)
            | Damage::Kill
            | Damage::Pause
            | Damage::Cut(_)
            | Damage::Net(_) => None,
        }
    }

    /// Whether a fault of this kind can have it.
    pub fn fits(self, kind: FaultKind) -> bool {
        let is_within = |amount: i64, most: u64| (1..=most).contains(&amount.unsigned_abs());
        match self {
            Dose::StepMs(ms) => kind == FaultKind::ClockStep && is_within(ms, STEP_MS_MAX),
            Dose::DriftPpm(ppm) => kind == FaultKind::ClockDrift && is_within(ppm, DRIFT_PPM_MAX),
            Dose::DelayMs(ms) => kind == FaultKind::SlowDisk && (1..=DELAY_MS_MAX).contains(&ms),
        }
    }

    /// Half as much; none if that is nothing.
    pub fn half(self) -> Option<Dose> {
        match self {
            Dose::StepMs(ms) => Some(ms / 2).filter(|ms| *ms != 0).map(Dose::StepMs),
            Dose::DriftPpm(ppm) => Some(ppm / 2).filter(|ppm| *ppm != 0).map(Dose::DriftPpm),
            Dose::DelayMs(ms) => Some(ms / 2).filter(|ms| *ms != 0).map(Dose::DelayMs),
        }
    }
}

impl std::fmt::Display for Dose {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Dose::StepMs(ms) => write!(out, "{ms} ms"),
            Dose::DriftPpm(ppm) => write!(out, "{ppm} ppm"),
            Dose::DelayMs(ms) => write!(out, "{ms} ms a sync"),
        }
    }
}

/// Ten minutes.
const STEP_MS_MAX: u64 = 600_000;
/// A fifth.
const DRIFT_PPM_MAX: u64 = 200_000;
/// A minute.
const DELAY_MS_MAX: u64 = 60_000;

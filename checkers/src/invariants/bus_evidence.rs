//! What a capture of the bus allows to conclude.
//!
//! A violation that was seen is one, whatever else the capture lost. That nothing was wrong can be
//! concluded only from a bus that was captured at all; and where a single packet decides (a vote),
//! only from one that lost none.

use crate::observation::Setting;
use crate::verdict::{Findings, Verdict, Word};

/// Whether one lost packet could change the conclusion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Heartbeats repeat what is judged: a lost packet only narrows what was examined.
    Helpful,
    /// Each packet counts: with one lost, "held" cannot be said.
    Needed,
    /// That a packet is missing proves the violation: with one lost, nothing can be said.
    Proving,
}

/// What a checker of the bus has examined and found so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many events it judged.
    pub examined: u64,
    /// What is broken.
    pub findings: Findings,
}

impl Tally {
    /// The verdict; `nothing` says why there is none if nothing was examined. The findings are
    /// given away.
    pub fn conclude(
        &mut self,
        setting: &Setting,
        completeness: Completeness,
        nothing: &str,
    ) -> Verdict {
        let nothing = match setting.bus_captured {
            true => nothing,
            false => NOT_CAPTURED,
        };
        let findings = std::mem::take(&mut self.findings);
        let verdict = findings.conclude(self.examined, nothing);
        let is_shaken = match completeness {
            Completeness::Helpful | Completeness::Needed => verdict.word == Word::Held,
            Completeness::Proving => verdict.word != Word::Undecided,
        };
        if setting.bus_packets_lost == 0 || !is_shaken {
            return verdict;
        }
        let lost = format!("the capture lost {} packets", setting.bus_packets_lost);
        match completeness {
            Completeness::Helpful => verdict.with_remark(lost),
            Completeness::Needed | Completeness::Proving => {
                Verdict::undecided(self.examined.max(1), lost)
            }
        }
    }
}

/// Why nothing on the bus could be judged.
pub const NOT_CAPTURED: &str = "the bus was not captured";

//! The faults in force: from the order to inject to the confirmation of the heal.

use std::collections::BTreeMap;

use slotquake_checkers::observation::{Fault, FaultPhase};

use crate::world::FaultSpec;

/// How often a heal that is not confirmed is ordered again.
const HEAL_ORDERS_MAX: u32 = 5;

/// Faults by number.
#[derive(Debug, Default)]
pub struct Strikes {
    active: BTreeMap<u32, Active>,
    id_last: u32,
    /// Faults confirmed as installed so far.
    pub installed: u64,
}

#[derive(Debug)]
struct Active {
    spec: FaultSpec,
    duration_ms: u64,
    stage: Stage,
    heal_orders: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Ordered,
    InForce,
    Healing,
}

/// What a confirmed step means for the director.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// In force, or perhaps so: to be healed this much later.
    Struck {
        /// What.
        spec: FaultSpec,
        /// ms.
        heal_in_ms: u64,
    },
    /// Over.
    Released(FaultSpec),
    /// The heal is to be tried again this much later.
    HealAgain {
        /// ms.
        in_ms: u64,
    },
    /// Nothing changed.
    Nothing,
}

impl Strikes {
    /// The next free number.
    pub fn fresh_id(&mut self) -> u32 {
        self.id_last += 1;
        self.id_last
    }

    /// Whether no fault is ordered, in force or healing.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// A fault was ordered.
    pub fn order(&mut self, spec: FaultSpec, duration_ms: u64) {
        let active = Active {
            spec,
            duration_ms,
            stage: Stage::Ordered,
            heal_orders: 0,
        };
        self.active.insert(active.spec.id, active);
    }

    /// The time to heal this fault has come: what to heal, if it is still there.
    pub fn heal(&mut self, id: u32) -> Option<FaultSpec> {
        let active = self.active.get_mut(&id)?;
        active.stage = Stage::Healing;
        active.heal_orders += 1;
        Some(active.spec.clone())
    }

    /// A step was carried out, or not.
    pub fn take(&mut self, fault: &Fault) -> News {
        let Some(active) = self.active.get_mut(&fault.id) else {
            return News::Nothing;
        };
        match (active.stage, &fault.phase) {
            (Stage::Ordered, FaultPhase::Installed | FaultPhase::Indeterminate(_)) => {
                self.installed += u64::from(fault.phase == FaultPhase::Installed);
                active.stage = Stage::InForce;
                News::Struck {
                    spec: active.spec.clone(),
                    heal_in_ms: active.duration_ms,
                }
            }
            (Stage::Ordered, FaultPhase::Skipped(_)) => {
                self.active.remove(&fault.id);
                News::Nothing
            }
            (Stage::Healing, FaultPhase::Healed | FaultPhase::Skipped(_)) => self.release(fault.id),
            (Stage::Healing, FaultPhase::Indeterminate(_)) => {
                match active.heal_orders < HEAL_ORDERS_MAX {
                    true => News::HealAgain { in_ms: 500 },
                    false => self.release(fault.id),
                }
            }
            (Stage::Ordered | Stage::InForce, _)
            | (Stage::Healing, FaultPhase::Installed | FaultPhase::Answered(_)) => News::Nothing,
        }
    }

    fn release(&mut self, id: u32) -> News {
        match self.active.remove(&id) {
            Some(active) => News::Released(active.spec),
            None => News::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use slotquake_checkers::observation::FaultKind;

    use super::*;

    fn spec() -> FaultSpec {
        FaultSpec {
            id: 1,
            kind: FaultKind::Kill,
            targets: Vec::new(),
            cuts: Vec::new(),
            dose: None,
            note: String::new(),
        }
    }

    fn step(phase: FaultPhase) -> Fault {
        Fault {
            time: 0,
            begun: 0,
            id: 1,
            kind: FaultKind::Kill,
            phase,
            targets: Vec::new(),
            cuts: Vec::new(),
            note: String::new(),
        }
    }

    #[test]
    fn a_fault_lasts_from_its_confirmation_to_that_of_its_heal() {
        let mut strikes = Strikes::default();
        strikes.order(spec(), 70);
        let news = strikes.take(&step(FaultPhase::Installed));
        assert!(matches!(news, News::Struck { heal_in_ms: 70, .. }));
        assert_eq!(strikes.heal(1), Some(spec()));
        assert_eq!(
            strikes.take(&step(FaultPhase::Healed)),
            News::Released(spec())
        );
        assert!(strikes.is_empty());
        assert_eq!(strikes.installed, 1);
    }

    #[test]
    fn a_fault_that_may_be_in_force_is_healed_too() {
        let mut strikes = Strikes::default();
        strikes.order(spec(), 70);
        let news = strikes.take(&step(FaultPhase::Indeterminate("who knows".into())));
        assert!(matches!(news, News::Struck { .. }));
        assert_eq!(strikes.installed, 0);
    }

    #[test]
    fn a_skipped_fault_is_over_at_once() {
        let mut strikes = Strikes::default();
        strikes.order(spec(), 70);
        let skipped = step(FaultPhase::Skipped("gone".into()));
        assert_eq!(strikes.take(&skipped), News::Nothing);
        assert!(strikes.is_empty());
    }

    #[test]
    fn a_heal_in_doubt_is_tried_again_but_not_for_ever() {
        let mut strikes = Strikes::default();
        strikes.order(spec(), 70);
        strikes.take(&step(FaultPhase::Installed));
        let doubt = step(FaultPhase::Indeterminate("no answer".into()));
        for _ in 1..HEAL_ORDERS_MAX {
            strikes.heal(1);
            assert_eq!(strikes.take(&doubt), News::HealAgain { in_ms: 500 });
        }
        strikes.heal(1);
        assert_eq!(strikes.take(&doubt), News::Released(spec()));
    }
}

//! CLUSTER FAILOVER TAKEOVER: promotions that an operator ordered and nobody voted for.
//!
//! They are outside what VT-08 and CE-07 say, by design (MF-03, R8). Excused is one promotion for
//! each order, of the node it was given to, within a second of it.

use super::promotions::Promotion;
use crate::observation::bounds::MILLISECOND;
use crate::observation::{Fault, FaultKind, FaultPhase, NodeName};

/// The orders of a run.
#[derive(Debug, Default)]
pub struct OrderedTakeovers {
    orders: Vec<(u64, NodeName)>,
}

impl OrderedTakeovers {
    /// Takes in a fault.
    pub fn observe(&mut self, fault: &Fault) {
        let is_in_force = matches!(
            fault.phase,
            FaultPhase::Installed | FaultPhase::Indeterminate(_)
        );
        if fault.kind == FaultKind::Takeover && is_in_force {
            let targets = fault.targets.iter();
            self.orders
                .extend(targets.map(|name| (fault.begun, name.clone())));
        }
    }

    /// Whether this promotion was ordered. Each order is used up by the first promotion asked for;
    /// they are to be asked for in order of time, after all faults were taken in.
    pub fn use_up(&mut self, promotion: &Promotion) -> bool {
        let order = self.orders.iter().position(|(begun, name)| {
            *name == promotion.name
                && *begun <= promotion.time
                && promotion.time <= begun.saturating_add(AT_ONCE)
        });
        order.map(|position| self.orders.remove(position)).is_some()
    }
}

/// A takeover happens as the command is answered; its claim is on the bus with the next packet, ns.
const AT_ONCE: u64 = 1000 * MILLISECOND;

//! A master that stood still goes on, and does not know that it was replaced (HI-08).
//!
//! A master is stopped until its replica has taken over; clients that stay with it have sent, and
//! wait patiently. When it goes on, what came before the words of its successor is served first:
//! those writes are acknowledged, and gone as soon as it yields. Upstream's documents do not bound
//! this window. The default reference node distrusts its own state after so long an
//! absence, and refuses.

use slotquake_checkers::observation::{FaultKind, FaultPhase, NodeSetting};
use slotquake_workloads::workload::Workload;

use super::adds::{Adds, Writer};
use super::{Act, Beat, Entry, Scenario, check_failover};
use crate::nemesis::{NodePicture, Picture, Strike};
use crate::plan::Plan;

/// This scenario's line in the registry.
pub const ENTRY: Entry = Entry {
    name: "deposed-master-resumes",
    help: "a master stands still until it is replaced, then serves what waits in its sockets",
    adapt,
    check: check_failover,
    make,
};

/// From the end of the pause to the end of the course, ns.
const AFTER_NS: u64 = 3_000_000_000;

fn adapt(plan: &mut Plan) {
    plan.replicas = plan.replicas.max(1);
    plan.faults.clear();
    plan.rate = 400;
    // Each of them has one write waiting when the master goes on.
    plan.concurrency = 40;
    plan.time_limit_ms = plan.time_limit_ms.max(30_000 + 4 * plan.node_timeout_ms);
}

fn make(picture: &Picture, nodes: &[NodeSetting]) -> Result<Box<dyn Scenario>, String> {
    let master = picture.masters().next().ok_or("no node is a master")?;
    Ok(Box::new(DeposedMasterResumes {
        writer: Writer::pinned(&master.name, master, nodes)?,
        master: master.clone(),
        // Long enough for an election, and for all to have heard of it.
        pause_ms: picture.failover_ms() + picture.node_timeout_ms + 1000,
    }))
}

struct DeposedMasterResumes {
    master: NodePicture,
    writer: Writer,
    pause_ms: u64,
}

impl Scenario for DeposedMasterResumes {
    fn workload(&self) -> Box<dyn Workload> {
        // Who gives up before the master goes on never hears its OK.
        let patience_ms = 2 * self.pause_ms;
        Box::new(Adds::new(vec![self.writer.clone()]).patient(patience_ms))
    }

    fn on(&mut self, now: u64, beat: Beat<'_>) -> Vec<Act> {
        match beat {
            Beat::Begin => vec![Act::Strike(FaultKind::Pause, self.strike())],
            Beat::Fault(fault) => match &fault.phase {
                FaultPhase::Healed => vec![Act::WakeAt(now + AFTER_NS)],
                FaultPhase::Skipped(_) => vec![Act::Done],
                FaultPhase::Installed | FaultPhase::Indeterminate(_) | FaultPhase::Answered(_) => {
                    Vec::new()
                }
            },
            Beat::Woke => vec![Act::Done],
            Beat::View(_) | Beat::Answer { .. } => Vec::new(),
        }
    }
}

impl DeposedMasterResumes {
    fn strike(&self) -> Strike {
        Strike {
            targets: vec![self.master.name.clone()],
            note: format!("stop {} for {} ms", self.master.describe(), self.pause_ms),
            duration_ms: self.pause_ms,
            ..Strike::default()
        }
    }
}

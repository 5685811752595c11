//! The doers. A world carries out commands and says what happened; it decides nothing.
//!
//! [`local`] runs real processes on this machine, [`sim`] the node core in virtual time. The
//! director talks to both through [`World`] and cannot tell them apart.

pub mod local;
pub mod sim;

use bytes::Bytes;
use slotquake_checkers::history::Process;
use slotquake_checkers::observation::{
    Fault, FaultKind, Lifecycle, NodeName, NodeSetting, Packet, Setting, View,
};
use slotquake_workloads::client::{Outcome, RespValue};
use slotquake_workloads::workload::Op;

use crate::nemesis::{Dose, Moment};

/// A fault to put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultSpec {
    /// Number; all steps of one fault carry it.
    pub id: u32,
    /// Kind.
    pub kind: FaultKind,
    /// Nodes killed, paused, or on the side cut off.
    pub targets: Vec<NodeName>,
    /// Directed pairs to cut (partitions only).
    pub cuts: Vec<(NodeName, NodeName)>,
    /// How much of it (clocks and slow disks only).
    pub dose: Option<Dose>,
    /// One line for people.
    pub note: String,
}

/// Why a world does not inject a fault that is no damage.
const NOT_INJECTED: &str = "an act of an operator is ordered, not injected";

/// What the director asks of a world.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let this process do this operation. One at a time for each process.
    Invoke {
        /// Who.
        process: Process,
        /// What.
        op: Op,
    },
    /// Put a fault in force; answered by [`Happening::Fault`].
    Inject(FaultSpec),
    /// End a fault: restart, continue, reconnect; answered by [`Happening::Fault`].
    Heal(FaultSpec),
    /// Ask a node for its view; answered by [`Happening::View`], or by nothing if it cannot answer.
    Look(NodeName),
    /// Send one command to a node; answered by [`Happening::Answer`] with the same tag.
    Ask {
        /// Which node.
        node: NodeName,
        /// The command's arguments.
        args: Vec<Bytes>,
        /// Given back in the answer.
        tag: u64,
    },
    /// Say [`Happening::Woke`] at this time (ns since the start). The earliest one counts.
    WakeAt(u64),
}

/// What a world says.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// An operation ended.
    Completed {
        /// Whose.
        process: Process,
        /// How.
        outcome: Outcome,
    },
    /// A fault's step was carried out, skipped, or is indeterminate.
    Fault(Fault),
    /// A node gave its view.
    View(View),
    /// A node answered an [`Command::Ask`]; an error text if the answer never came.
    Answer {
        /// The question's.
        tag: u64,
        /// The reply.
        reply: Result<RespValue, String>,
    },
    /// A process began or ended.
    Lifecycle(Lifecycle),
    /// A bus packet (worlds that see them at once; the local tap gives them at the end).
    Packet(Box<Packet>),
    /// A node came to a moment of an election (worlds that see it at once).
    Moment {
        /// Which node.
        node: NodeName,
        /// Which moment.
        moment: Moment,
    },
    /// A time asked for has come.
    Woke,
}

/// The line of a nodes.conf that holds the epochs, and behind it `open` and the node's own marks of
/// open slots, if it has any; nothing if there is no such line.
pub fn epochs_line(nodes_conf: &str) -> String {
    let mut lines = nodes_conf.lines();
    let Some(line) = lines.rfind(|line| line.starts_with("vars ")) else {
        return String::new();
    };
    let own = nodes_conf.lines().filter(|line| line.contains("myself"));
    let words = own.flat_map(|line| line.split(' '));
    let marks = words.filter_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    let marks: Vec<&str> = marks.collect();
    match marks.is_empty() {
        true => line.trim_end().into(),
        false => format!("{} open {}", line.trim_end(), marks.join(" ")),
    }
}

/// What is left when a run is over.
#[derive(Debug)]
pub struct Remains {
    /// Packets not given as happenings, in order of time.
    pub packets: Vec<Packet>,
    /// The facts known at the end. `healed_at` is filled by the run.
    pub setting: Setting,
}

/// A place where a cluster runs. Construction boots the cluster until every node says ok.
pub trait World {
    /// Now, ns since the start of the run; a world may take the clock's word of when it told the
    /// last happening.
    fn now(&self) -> u64;

    /// The nodes, in order of their names.
    fn nodes(&self) -> &[NodeSetting];

    /// Begins to carry out a command; what comes of it is a later happening.
    fn execute(&mut self, command: Command);

    /// Waits for the next happening. Errors are failures of the harness, never of the target.
    fn next(&mut self) -> anyhow::Result<Happening>;

    /// Ends the run: stops the nodes and hands over what was seen.
    fn finish(&mut self) -> anyhow::Result<Remains>;
}

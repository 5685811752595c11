//! What was seen of the cluster: bus packets, views, faults, and what the cluster was.

pub mod decode;
pub mod fault;
pub mod names;
pub mod packet;
pub mod setting;
pub mod slots;
pub mod view;

pub use fault::{Fault, FaultKind, FaultPhase, Lifecycle, LifecycleKind};
pub use names::{NodeId, NodeName};
pub use packet::{Body, GossipEntry, Header, Packet, PacketKind};
pub use setting::{NodeSetting, Setting};
pub use slots::SlotSet;
pub use view::{View, ViewEntry};

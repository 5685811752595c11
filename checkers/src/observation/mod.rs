//! What was seen of the cluster: bus packets, views, faults, and what the cluster was.

pub mod bounds;
pub mod decode;
pub mod directives;
pub mod fault;
pub mod incarnations;
pub mod names;
pub mod ownership;
pub mod packet;
pub mod setting;
pub mod slot_acts;
pub mod slots;
pub mod view;

pub use bounds::Bounds;
pub use directives::Directives;
pub use fault::{
    ClockTrouble, Damage, DiskTrouble, Fault, FaultKind, FaultPhase, Lifecycle, LifecycleKind,
    NetTrouble, Ports,
};
pub use incarnations::Incarnations;
pub use names::{Name, NodeId, NodeName};
pub use ownership::Ownership;
pub use packet::{Body, GossipEntry, Header, Packet, PacketKind};
pub use setting::{Dataset, NodeSetting, Server, Setting};
pub use slots::SlotSet;
pub use view::{View, ViewEntry};

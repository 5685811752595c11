//! The cluster bus: packets as types, and their bytes.

pub mod codec;
pub mod ext;
pub mod packet;

pub use packet::{Body, Header, Packet};

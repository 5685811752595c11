//! The models that come with slotquake.

pub mod chain;
pub mod collections;
pub mod register;
pub mod scalars;
pub mod text;

pub use collections::{AppendList, GrowSet, Queue, Stack};
pub use register::{MultiRegister, Register};
pub use scalars::{Counter, Mutex};
pub use text::AppendText;

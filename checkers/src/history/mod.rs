//! What the clients did: one [`Event`] for each invocation and each completion.

pub mod binary;
pub mod by_process;
pub mod compact;
pub mod docket;
pub mod edn;
pub mod event;
pub mod events;
pub mod format;
pub mod jsonl;
pub mod operation;
pub mod textlog;
pub mod value;

pub use event::{Event, EventKind, Function, Key, Object, Process};
pub use events::Events;
pub use operation::{Operation, Outcome, Pairing};
pub use value::Value;

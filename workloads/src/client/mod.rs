//! The cluster client as a pure state machine: routing, redirections, outcomes.
//!
//! A world asks [`Session`] what to do and does it; replies and breakages go back in. The session
//! never repeats a command whose outcome is unknown (R9): a lost answer ends the operation as
//! `info`. Redirections (MOVED, ASK, TRYAGAIN) are definite refusals, so it may follow them (R7).

pub mod action;
pub mod mutants;
pub mod outcome;
pub mod resp;
pub mod route;
pub mod session;

pub use action::{Action, Breakage, Connection};
pub use outcome::Outcome;
pub use resp::{RespError, RespParser, RespValue};
pub use route::Route;
pub use session::{HOPS_MAX, REPLY_TIMEOUT_MS, Session};

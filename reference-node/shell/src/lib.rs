//! The reference node as a process: sockets, a clock and a disk around the pure core.
//!
//! Everything runs on one thread. Each thing that happens becomes one input of the core; what the
//! core answers is carried out in order, then the next input is taken (`shell`). Bytes for sockets
//! are gathered and written once per turn (`connection`), so pipelined commands share one write.
//!
//! [`run`] is called by the bin `slotquake-node` and by `slotquake node`, with the command line of
//! redis-server. It decides nothing about the protocol: that is the core's.

mod address;
mod append_log;
mod bus_link;
mod client;
mod clock;
mod connection;
mod files;
mod in_place;
mod listen;
mod log;
mod options;
mod outbox;
mod peer;
mod run;
mod shell;
mod upstream;

pub use run::run;

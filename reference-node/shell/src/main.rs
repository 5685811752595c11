//! The reference node as a program of its own, called like redis-server.

use std::process::ExitCode;

fn main() -> ExitCode {
    slotquake_node::run(std::env::args_os().skip(1))
}

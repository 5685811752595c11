//! `slotquake node`: the reference node, called like redis-server.
//!
//! Its command line is redis-server's own and is handed on word by word.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;

/// Run the reference node; takes redis-server's command line and redis.conf
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct NodeArgs {
    /// As for redis-server: a configuration file, then --OPTION VALUE pairs
    #[arg(
        value_name = "ARG",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

/// Runs the node until it is told to end.
pub fn run(args: NodeArgs) -> ExitCode {
    slotquake_node::run(args.arguments.into_iter())
}

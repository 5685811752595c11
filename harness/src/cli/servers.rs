//! `slotquake servers`: real servers, without root.

use clap::Args;

use super::exit::{Exit, Failure};

/// x
#[derive(Debug, Args)]
pub struct ServersArgs {}

/// x
pub fn run(_args: &ServersArgs) -> Result<Exit, Failure> {
    Ok(Exit::Held)
}

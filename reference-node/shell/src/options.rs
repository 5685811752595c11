//! The command line of redis-server: `[FILE] [--NAME VALUE ...]...`, `--version`, `--help`.
//!
//! Only the file is read here; what it and the options mean is the core's business.

use std::ffi::OsString;
use std::path::Path;

use slotquake_core::config::Config;
use slotquake_core::config::file::{CommandLine, read as read_config};

use crate::run::VERSION;

/// What the command line asks for.
#[derive(Debug)]
pub enum Wanted {
    /// A node.
    Start(Box<Start>),
    /// Only this text.
    Text(String),
}

/// What a node is to be started with.
#[derive(Debug)]
pub struct Start {
    /// Settings.
    pub config: Config,
    /// Absolute path of redis.conf; empty if there is none.
    pub config_file: String,
    /// Content of redis.conf.
    pub config_text: String,
}

/// Reads the command line, and the file it names.
///
/// # Errors
/// What is wrong, for people.
pub fn read(args: impl Iterator<Item = OsString>) -> Result<Wanted, String> {
    let args: Result<Vec<String>, OsString> = args.map(OsString::into_string).collect();
    let args = args.map_err(|arg| format!("not valid UTF-8: {}", arg.display()))?;
    match args.first().map(String::as_str) {
        Some("-v" | "--version") => return Ok(Wanted::Text(version())),
        Some("-h" | "--help") => return Ok(Wanted::Text(HELP.into())),
        Some(_) | None => {}
    }
    let command_line = CommandLine::parse(&args);
    let file = command_line.config_file.as_deref().unwrap_or("");
    let config_text = match file {
        "" => String::new(),
        "-" => std::io::read_to_string(std::io::stdin()).map_err(|error| error.to_string())?,
        path => std::fs::read_to_string(path)
            .map_err(|error| format!("can't open config file '{path}': {error}"))?,
    };
    let config_file = match file {
        "" | "-" => String::new(),
        path => std::path::absolute(Path::new(path))
            .map_err(|error| format!("can't resolve '{path}': {error}"))?
            .display()
            .to_string(),
    };
    let config = read_config(&config_text, &command_line).map_err(|error| error.to_string())?;
    Ok(Wanted::Start(Box::new(Start {
        config,
        config_file,
        config_text,
    })))
}

fn version() -> String {
    format!("Redis server v=7.0.15 sha=00000000:0 malloc=libc bits=64 build=slotquake-{VERSION}")
}

const HELP: &str = "\
Usage: slotquake-node [/path/to/redis.conf] [--NAME VALUE ...]...
       slotquake-node - (read config from stdin)
       slotquake-node -v or --version
       slotquake-node -h or --help

The reference node of slotquake. It takes the options of redis-server, for example:
       slotquake-node --port 7000 --cluster-enabled yes --cluster-node-timeout 1000";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_its_version_in_redis_servers_form() {
        let text = version();
        assert!(text.starts_with("Redis server v="), "{text}");
        assert!(text.contains("slotquake"), "{text}");
    }
}

//! The command line of redis-server: `[FILE] [--NAME VALUE ...]...`, `--version`, `--help`.
//!
//! Options become lines after those of the file, so that they win over it; what the lines mean is
//! the core's business.

use std::ffi::OsString;
use std::path::Path;

use slotquake_core::config::Config;

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
    let (file, options) = match args.split_first() {
        Some((first, rest)) if !first.starts_with("--") => (first.as_str(), rest),
        Some(_) | None => ("", args.as_slice()),
    };
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
    let text = format!("{config_text}\n{}", lines(options)?);
    let config = Config::parse(&text).map_err(|error| error.to_string())?;
    Ok(Wanted::Start(Box::new(Start {
        config,
        config_file,
        config_text,
    })))
}

/// `--port 7000 --bind a b` as lines `port 7000`, `bind a b`; words are quoted where they must.
fn lines(options: &[String]) -> Result<String, String> {
    let mut lines = String::new();
    for word in options {
        if let Some(name) = word.strip_prefix("--") {
            lines.push('\n');
            lines.push_str(name);
        } else if lines.is_empty() {
            return Err(format!(
                "unexpected argument '{word}': options start with --"
            ));
        } else {
            lines.push(' ');
            // A save point or a list may come as one word: `--save "900 1"`.
            let is_plain = word
                .chars()
                .all(|c| !c.is_whitespace() && c != '"' && c != '\'');
            if is_plain && !word.is_empty() {
                lines.push_str(word);
            } else {
                lines.push('"');
                lines.push_str(&word.replace('\\', "\\\\").replace('"', "\\\""));
                lines.push('"');
            }
        }
    }
    Ok(lines)
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

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(String::from).collect()
    }

    #[test]
    fn options_become_lines() {
        let text = lines(&words("--port 7000 --bind 127.0.0.1 -::1")).expect("valid");
        assert_eq!(text, "\nport 7000\nbind 127.0.0.1 -::1");
        let spaced = ["--save", "", "--logfile", "a b"].map(String::from);
        assert_eq!(
            lines(&spaced).expect("valid"),
            "\nsave \"\"\nlogfile \"a b\""
        );
        assert!(lines(&words("port 7000")).is_err());
    }

    #[test]
    fn tells_its_version_in_redis_servers_form() {
        let text = version();
        assert!(text.starts_with("Redis server v="), "{text}");
        assert!(text.contains("slotquake"), "{text}");
    }
}

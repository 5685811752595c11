//! redis.conf and the command line of redis-server: into a [`Config`], and back (CONFIG REWRITE).
//!
//! A repeated directive: the last wins, but `save` adds up. Reading files is the shell's part.

use std::collections::BTreeSet;

use crate::config::directives::{self, SetError};
use crate::config::{Config, canonical};
use crate::resp::request::split_words;

/// Why the settings make no sense; printed below upstream's FATAL CONFIG FILE ERROR line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Reading the configuration file, at line {line}\n>>> '{text}'\n{reason}")]
pub struct ConfigError {
    /// Number of the line, from 1; those of the command line follow those of the file.
    pub line: usize,
    /// The line.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The command line, cut up: a file, and directives after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Path of redis.conf, if one was named.
    pub config_file: Option<String>,
    /// Lines of directives, as they would stand in the file.
    pub lines: Vec<String>,
}

impl CommandLine {
    /// Cuts up the arguments of `redis-server`, the program's name left out.
    pub fn parse(args: &[String]) -> CommandLine {
        let mut parsed = CommandLine::default();
        let mut rest = args;
        if let Some(first) = args.first().filter(|first| !first.starts_with("--")) {
            parsed.config_file = Some(first.clone());
            rest = &args[1..];
        }
        for arg in rest {
            match (arg.strip_prefix("--"), parsed.lines.last_mut()) {
                (Some(name), _) => parsed.lines.push(name.into()),
                (None, Some(line)) => {
                    line.push(' ');
                    line.push_str(&quoted(arg));
                }
                (None, None) => parsed.lines.push(arg.clone()),
            }
        }
        parsed
    }
}

/// Settings from the text of redis.conf and the command line.
///
/// # Errors
/// The first line that makes no sense.
pub fn read(text: &str, command_line: &CommandLine) -> Result<Config, ConfigError> {
    let mut config = Config::default();
    let lines = text
        .lines()
        .chain(command_line.lines.iter().map(String::as_str));
    let mut has_save = false;
    for (index, line) in lines.enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        apply_line(&mut config, line, &mut has_save).map_err(|reason| ConfigError {
            line: index + 1,
            text: line.into(),
            reason,
        })?;
    }
    Ok(config)
}

fn apply_line(config: &mut Config, line: &str, has_save: &mut bool) -> Result<(), String> {
    let words = words_of(line).ok_or("Unbalanced quotes in configuration line")?;
    let Some((name, values)) = words.split_first() else {
        return Ok(());
    };
    let name = name.to_lowercase();
    let value = values.join(" ");
    let is_addition = name == "save" && *has_save && !value.is_empty();
    let value = if is_addition {
        format!("{} {value}", config.save)
    } else {
        value
    };
    *has_save |= name == "save";
    if values.is_empty() && name != "save" {
        return Err(SetError::Unknown.to_string());
    }
    directives::set_at_start(config, &name, &value).map_err(|error| error.to_string())
}

fn words_of(line: &str) -> Option<Vec<String>> {
    let words = split_words(line.as_bytes())?;
    Some(
        words
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}

/// Which directives CONFIG REWRITE adds to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Those that differ from their default.
    Changed,
    /// All.
    All,
}

/// The text of redis.conf with the settings as they are now: known lines are updated where they
/// stand, comments and order stay, what is new comes at the end.
pub fn rewrite(text: &str, config: &Config, extent: Extent) -> String {
    let defaults = Config::default();
    let mut written = BTreeSet::new();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let words = words_of(line.trim()).unwrap_or_default();
        let name = words.first().map(|name| canonical(&name.to_lowercase()));
        let known = name.and_then(|name| directives::value(config, &name).map(|v| (name, v)));
        match known {
            Some((name, value)) => {
                if written.insert(name) {
                    lines.push(format!("{} {}", words[0], shown(&words[0], &value)));
                }
            }
            None => lines.push(line.into()),
        }
    }
    let mut is_signed = text.lines().any(|line| line.trim() == SIGNATURE);
    for (name, value) in directives::all(config) {
        let is_default = directives::value(&defaults, &name).as_ref() == Some(&value);
        let is_wanted = !is_default || extent == Extent::All;
        if is_wanted && canonical(&name) == name && !written.contains(&name) {
            if !is_signed {
                lines.push(SIGNATURE.into());
                is_signed = true;
            }
            lines.push(format!("{name} {}", shown(&name, &value)));
        }
    }
    lines.join("\n") + "\n"
}

// Values of several words stand as such, texts with odd characters in quotes.
fn shown(name: &str, value: &str) -> String {
    let is_list = [
        "bind",
        "save",
        "client-output-buffer-limit",
        "oom-score-adj-values",
    ]
    .contains(&name.to_lowercase().as_str());
    if is_list && !value.is_empty() {
        value.into()
    } else {
        quoted(value)
    }
}

fn quoted(value: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_graphic() && !"\"'\\#".contains(letter);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.into();
    }
    let escape = |byte: u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    format!("\"{}\"", value.bytes().map(escape).collect::<String>())
}

const SIGNATURE: &str = "# Generated by CONFIG REWRITE";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;

    fn args(line: &str) -> CommandLine {
        let args: Vec<String> = line.split(' ').map(String::from).collect();
        CommandLine::parse(&args)
    }

    #[test]
    fn takes_the_command_line_after_the_file() {
        let line = args("a.conf --port 7001 --bind 127.0.0.1 ::1 --cluster-enabled yes");
        assert_eq!(line.config_file.as_deref(), Some("a.conf"));
        let config = read("port 7000\nport 7002\n# port 1\n", &line).unwrap();
        assert_eq!(config.port, 7001);
        assert_eq!(config.bind, ["127.0.0.1", "::1"]);
        assert!(config.cluster_enabled);
    }

    /// Proves CF-21.
    #[test]
    fn knows_the_old_names_of_directives() {
        let config = read("cluster-slave-validity-factor 3", &CommandLine::default()).unwrap();
        assert_eq!(config.cluster_replica_validity_factor, 3);
        let shown = directives::value(&config, "cluster-slave-validity-factor");
        assert_eq!(shown.as_deref(), Some("3"));
    }

    #[test]
    fn refuses_what_upstream_refuses_with_its_words() {
        for (line, reason) in [
            ("nonsense 1", "Bad directive or wrong number of arguments"),
            (
                "port 70000",
                "argument must be between 0 and 65535 inclusive",
            ),
            ("port x", "argument couldn't be parsed into an integer"),
            ("cluster-enabled maybe", "argument must be 'yes' or 'no'"),
            ("dir \"a", "Unbalanced quotes in configuration line"),
            ("repl-backlog-size 1x", "argument must be a memory value"),
        ] {
            let error = read(line, &CommandLine::default()).unwrap_err();
            assert_eq!((error.line, error.reason.as_str()), (1, reason), "{line}");
        }
    }

    #[test]
    fn adds_up_save_points_until_they_are_cleared() {
        let read = |text| read(text, &CommandLine::default()).unwrap().save;
        assert_eq!(read("save 900 1\nsave 60 100"), "900 1 60 100");
        assert_eq!(read("save 900 1\nsave \"\""), "");
    }

    #[test]
    fn rewrites_a_file_that_reads_as_the_same_settings() {
        let text = "# mine\nport 7000\ncluster-node-timeout 5000\nlogfile \"\"\nport 7000\n";
        let mut config = read(text, &CommandLine::default()).unwrap();
        config.cluster_node_timeout = Millis(700);
        config.cluster_announce_ip = "10.0.0.1".into();
        let rewritten = rewrite(text, &config, Extent::Changed);
        let expected = "# mine\nport 7000\ncluster-node-timeout 700\nlogfile \"\"\n\
                        # Generated by CONFIG REWRITE\ncluster-announce-ip 10.0.0.1\n";
        assert_eq!(rewritten, expected);
        assert_eq!(
            rewrite(&rewritten, &config, Extent::Changed),
            expected,
            "again, nothing changes"
        );
    }
}

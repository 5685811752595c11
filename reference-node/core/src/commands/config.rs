//! CONFIG: reading, changing and writing back the settings.

use crate::commands::args::{self, glob};
use crate::commands::parts::{Answer, Call, Stats};
use crate::commands::table::{Command, Flag, keyless};
use crate::config::{self, SetError};
use crate::output::{Durability, File, Output};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Admin, Loading, Noscript, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless(
    "config",
    -2,
    &[Admin, Noscript, Loading, Stale],
    command,
    "server",
)];

fn command(call: &mut Call) -> Answer {
    let subcommand = args::word(call.arg(1));
    let arity = || Refusal::Arity(format!("config|{subcommand}"));
    match (subcommand.as_str(), call.args.len()) {
        ("get", 3..) => Ok(get(call)),
        ("set", 4..) if call.args.len().is_multiple_of(2) => set(call),
        ("resetstat", 2) => {
            call.parts.server.stats = Stats::default();
            call.parts.replication.reset_sync_counts();
            Ok(Reply::OK)
        }
        ("rewrite", 2) => rewrite(call),
        ("help", 2) => Ok(help()),
        ("get" | "set" | "resetstat" | "rewrite" | "help", _) => Err(arity()),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "CONFIG".into(),
        )),
    }
}

// Each setting once, in order of name, however many patterns it fits.
fn get(call: &Call) -> Reply {
    let patterns: Vec<String> = call.args[2..].iter().map(|arg| args::word(arg)).collect();
    let fits = |name: &str| patterns.iter().any(|p| glob(p.as_bytes(), name.as_bytes()));
    let settings = config::all(call.parts.config)
        .into_iter()
        .filter(|(name, _)| fits(name));
    Reply::Map(
        settings
            .map(|(name, value)| (Reply::text(name), Reply::text(value)))
            .collect(),
    )
}

// All or nothing.
fn set(call: &mut Call) -> Answer {
    let mut changed = call.parts.config.clone();
    let mut seen: Vec<String> = Vec::new();
    for pair in call.args[2..].chunks_exact(2) {
        let name = args::word(&pair[0]);
        let value = args::shown(&pair[1]);
        let failed = |why: &str| {
            let text = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - ");
            Refusal::Facts(text + why)
        };
        if seen.contains(&name) {
            return Err(failed("duplicate parameter"));
        }
        config::set_at_runtime(&mut changed, &name, &value).map_err(|error| match error {
            SetError::Unknown => Refusal::Facts(format!(
                "ERR Unknown option or number of arguments for CONFIG SET - '{name}'"
            )),
            SetError::Fixed => failed("can't set immutable config"),
            SetError::Protected => failed("can't set protected config"),
            SetError::Invalid(why) => failed(&why),
        })?;
        seen.push(name);
    }
    if changed.requirepass != call.parts.config.requirepass {
        let password = &changed.requirepass;
        call.parts.server.users.password_changed(password);
    }
    *call.parts.config = changed;
    Ok(Reply::OK)
}

fn rewrite(call: &mut Call) -> Answer {
    rewrite_as(call, config::Extent::Changed)
}

/// Writes every directive, defaults too (DEBUG CONFIG-REWRITE-FORCE-ALL).
pub fn rewrite_all(call: &mut Call) -> Answer {
    rewrite_as(call, config::Extent::All)
}

fn rewrite_as(call: &mut Call, extent: config::Extent) -> Answer {
    if call.parts.server.config_file.is_empty() {
        return Err(Refusal::Text(
            "ERR The server is running without a config file",
        ));
    }
    let text = config::rewrite(&call.parts.server.config_text, call.parts.config, extent);
    call.parts.server.config_text.clone_from(&text);
    call.parts.out.push(Output::Persist {
        file: File::Config,
        content: text.into(),
        durability: Durability::Synced,
    });
    Ok(Reply::OK)
}

fn help() -> Reply {
    let lines = [
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern>",
        "SET <directive> <value>",
        "RESETSTAT",
        "REWRITE",
        "HELP",
    ];
    Reply::Array(lines.into_iter().map(Reply::Simple).collect())
}

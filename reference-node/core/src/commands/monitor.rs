//! MONITOR: clients that are shown every command as it is run.

use bytes::Bytes;

use crate::commands::args;
use crate::commands::catalogue;
use crate::commands::parts::{Answer, Call, Caller, Parts};
use crate::commands::table::{Command, Flag, keyless};
use crate::ids::ClientId;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Admin, Loading, Noscript, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless(
    "monitor",
    1,
    &[Admin, Noscript, Loading, Stale],
    monitor,
    "server",
)];

fn monitor(call: &mut Call) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::None);
    };
    if call.parts.replication.is_replica_client(client) {
        return Ok(Reply::None);
    }
    if call.blocking == crate::commands::parts::Blocking::Denied {
        return Err(Refusal::Text(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    call.parts.clients.monitors.insert(client);
    Ok(Reply::OK)
}

/// Shows a command to those who watch, as the command of this client.
pub fn show(parts: &mut Parts, client: ClientId, command: &Command, words: &[Bytes]) {
    if parts.clients.monitors.is_empty() {
        return;
    }
    let row = catalogue::called(command.name, words).ok().flatten();
    let is_shown = row.is_none_or(|row| {
        let hides = |flag: &&str| ["admin", "skip_monitor"].contains(flag);
        !row.flags.iter().any(hides)
    });
    if !is_shown {
        return;
    }
    let peer = parts.clients.get(client).map(|session| session.peer);
    let Some(peer) = peer else {
        return;
    };
    let now = parts.now.0;
    let mut text = format!("{}.{:03}000 [0 {peer}]", now / 1000, now % 1000);
    for word in redacted(words) {
        text.push(' ');
        text.push_str(&quoted(&word));
    }
    let watchers: Vec<ClientId> = parts.clients.monitors.iter().copied().collect();
    for watcher in watchers {
        parts.push(watcher, Reply::Status(text.clone()));
    }
}

/// The words of a command with its secrets left out, for MONITOR and SLOWLOG.
pub fn redacted(words: &[Bytes]) -> Vec<Bytes> {
    let mut shown = words.to_vec();
    let is_secret: Vec<usize> = match args::word(&words[0]).as_str() {
        "auth" => (1..words.len()).collect(),
        "acl" if words.get(1).is_some_and(|w| args::is_word(w, "setuser")) => {
            (2..words.len()).collect()
        }
        "hello" | "migrate" => {
            let behind = |at: usize, count: usize| at + 1..=(at + count).min(words.len() - 1);
            let at = |name: &str| words.iter().position(|word| args::is_word(word, name));
            let is_hello = args::is_word(&words[0], "hello");
            let one = at("auth").map(|at| behind(at, if is_hello { 2 } else { 1 }));
            let two = at("auth2").map(|at| behind(at, 2));
            one.into_iter().chain(two).flatten().collect()
        }
        "config" if words.get(1).is_some_and(|w| args::is_word(w, "set")) => {
            let names = [
                "masteruser",
                "masterauth",
                "requirepass",
                "tls-key-file-pass",
            ];
            let is_secret = |at: &usize| {
                let name = words.get(*at);
                name.is_some_and(|name| names.iter().any(|secret| args::is_word(name, secret)))
            };
            let places = (2..words.len()).step_by(2).filter(is_secret);
            places
                .map(|at| at + 1)
                .filter(|at| *at < words.len())
                .collect()
        }
        _ => Vec::new(),
    };
    for place in is_secret {
        shown[place] = Bytes::from_static(b"(redacted)");
    }
    shown
}

/// A text in quotes, everything odd in it escaped.
pub fn quoted(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'\\' | b'"' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x07 => out.push_str("\\a"),
            0x08 => out.push_str("\\b"),
            b' '..=b'~' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

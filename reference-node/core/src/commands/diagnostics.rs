//! LATENCY, SLOWLOG, MEMORY, MODULE: what tools ask of a server's inside, answered honestly.
//!
//! The node reads no clock while it works: a command takes no time, unless it is DEBUG SLEEP,
//! whose span is known. That is what SLOWLOG and LATENCY show.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::catalogue;
use crate::commands::help;
use crate::commands::monitor::redacted;
use crate::commands::parts::{Answer, Call, Parts};
use crate::commands::table::{Command, Flag, Keys, keyed, keyless};
use crate::config::directives::number;
use crate::ids::ClientId;
use crate::keyspace::Value;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Admin, Loading, Noscript, Readonly, Stale};

const TOOLS: &[Flag] = &[Admin, Noscript, Loading, Stale];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("latency", -2, TOOLS, latency, "server"),
    keyless("slowlog", -2, &[Admin, Loading, Stale], slowlog, "server"),
    keyed(
        "memory",
        -2,
        &[Readonly],
        Keys::Movable(memory_keys),
        memory,
        "server",
    ),
    keyless("module", -2, &[Admin, Noscript], module, "server"),
];

/// Slow commands and latency peaks so far.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    slow: VecDeque<Slow>,
    next_id: i64,
    peaks: BTreeMap<&'static str, Peak>,
    /// How long the command that runs stalls.
    pub stalled: Millis,
}

#[derive(Debug, Clone)]
struct Slow {
    id: i64,
    at: Millis,
    span: Millis,
    words: Vec<Bytes>,
    peer: String,
    name: Bytes,
}

#[derive(Debug, Clone, Default)]
struct Peak {
    samples: VecDeque<(u64, u64)>,
    max_ms: u64,
}

/// A command is over: it may have been slow.
pub fn ran(parts: &mut Parts, client: ClientId, command: &Command, words: &[Bytes]) {
    let span = std::mem::take(&mut parts.server.diagnostics.stalled);
    let number = |(name, usual)| number(parts.config, name, usual);
    let span_us = i64::try_from(span.0.saturating_mul(1000)).unwrap_or(i64::MAX);
    let threshold_us = number(SLOWLOG_LOG_SLOWER_THAN);
    let peak_ms = u64::try_from(number(LATENCY_MONITOR_THRESHOLD)).unwrap_or(0);
    if peak_ms > 0 && span.0 >= peak_ms {
        let peak = parts.server.diagnostics.peaks.entry("command").or_default();
        peak.samples.push_back((parts.now.0 / 1000, span.0));
        if peak.samples.len() > SAMPLES_MAX {
            peak.samples.pop_front();
        }
        peak.max_ms = peak.max_ms.max(span.0);
    }
    if threshold_us < 0 || span_us < threshold_us {
        return;
    }
    let row = catalogue::called(command.name, words).ok().flatten();
    if row.is_some_and(|row| row.flags.contains(&"skip_slowlog")) {
        return;
    }
    let len_max = usize::try_from(number(SLOWLOG_MAX_LEN)).unwrap_or(0);
    let Some(session) = parts.clients.get(client) else {
        return;
    };
    let log = &mut parts.server.diagnostics;
    log.slow.push_front(Slow {
        id: log.next_id,
        at: parts.now,
        span,
        words: shortened(redacted(words)),
        peer: session.peer.to_string(),
        name: session.name.clone(),
    });
    log.next_id += 1;
    log.slow.truncate(len_max);
}

/// Directives that each command asks for, and their defaults.
const SLOWLOG_LOG_SLOWER_THAN: (&str, i64) = ("slowlog-log-slower-than", 10_000);
const SLOWLOG_MAX_LEN: (&str, i64) = ("slowlog-max-len", 128);
const LATENCY_MONITOR_THRESHOLD: (&str, i64) = ("latency-monitor-threshold", 0);

fn shortened(mut words: Vec<Bytes>) -> Vec<Bytes> {
    if words.len() > SLOW_WORDS_MAX {
        let more = words.len() - SLOW_WORDS_MAX + 1;
        words.truncate(SLOW_WORDS_MAX - 1);
        words.push(format!("... ({more} more arguments)").into());
    }
    for word in &mut words {
        if word.len() > SLOW_WORD_BYTES_MAX {
            let more = word.len() - SLOW_WORD_BYTES_MAX;
            let mut short = word[..SLOW_WORD_BYTES_MAX].to_vec();
            short.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
            *word = short.into();
        }
    }
    words
}

fn slowlog(call: &mut Call) -> Answer {
    let log = &mut call.parts.server.diagnostics;
    match (args::word(&call.args[1]).as_str(), call.args.get(2)) {
        ("get", count) => {
            let count = count.map_or(Ok(10), |count| args::integer(count));
            let refusal = Refusal::Text("ERR count should be greater than or equal to -1");
            let count = count.ok().filter(|count| *count >= -1).ok_or(refusal)?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            Ok(Reply::Array(
                log.slow.iter().take(count).map(shown).collect(),
            ))
        }
        ("len", _) => Ok(Reply::Integer(log.slow.len() as i64)),
        ("reset", _) => {
            log.slow.clear();
            Ok(Reply::OK)
        }
        _ => Ok(help::of("SLOWLOG", &["GET [<count>]", "LEN", "RESET"])),
    }
}

fn shown(slow: &Slow) -> Reply {
    Reply::Array(vec![
        Reply::Integer(slow.id),
        Reply::Integer((slow.at.0 / 1000) as i64),
        Reply::Integer((slow.span.0 * 1000) as i64),
        Reply::Array(slow.words.iter().cloned().map(Reply::Bulk).collect()),
        Reply::text(&slow.peer),
        Reply::Bulk(slow.name.clone()),
    ])
}

fn latency(call: &mut Call) -> Answer {
    let peaks = &mut call.parts.server.diagnostics.peaks;
    let number = |number: u64| Reply::Integer(number as i64);
    match (args::word(&call.args[1]).as_str(), &call.args[2..]) {
        ("latest", _) => {
            let lines = peaks.iter().map(|(event, peak)| {
                let (at, ms) = peak.samples.back().copied().unwrap_or_default();
                let event = Reply::text(event);
                Reply::Array(vec![event, number(at), number(ms), number(peak.max_ms)])
            });
            Ok(Reply::Array(lines.collect()))
        }
        ("history", [event, ..]) => {
            let peak = peaks.get(args::shown(event).as_str());
            let samples = peak.into_iter().flat_map(|peak| &peak.samples);
            let pairs = samples.map(|(at, ms)| Reply::Array(vec![number(*at), number(*ms)]));
            Ok(Reply::Array(pairs.collect()))
        }
        ("graph", [event, ..]) => {
            let event = args::shown(event);
            match peaks.get(event.as_str()) {
                Some(peak) => Ok(Reply::Verbatim(graph(&event, peak))),
                None => Err(Refusal::Facts(format!(
                    "ERR No samples available for event '{event}'"
                ))),
            }
        }
        ("reset", []) => {
            let count = std::mem::take(peaks).len();
            Ok(Reply::Integer(count as i64))
        }
        ("reset", events) => {
            let is_gone = |event: &&Bytes| peaks.remove(args::shown(event).as_str()).is_some();
            Ok(Reply::Integer(events.iter().filter(is_gone).count() as i64))
        }
        ("histogram", _) => Ok(Reply::Map(Vec::new())),
        ("doctor", _) => Ok(Reply::Verbatim(
            "Commands take no time here but for DEBUG SLEEP.\n".into(),
        )),
        _ => Ok(help::of(
            "LATENCY",
            &[
                "DOCTOR",
                "GRAPH <event>",
                "HISTORY <event>",
                "LATEST",
                "RESET [<event> ...]",
                "HISTOGRAM [COMMAND ...]",
            ],
        )),
    }
}

fn graph(event: &str, peak: &Peak) -> String {
    let spans = peak.samples.iter().map(|(_, ms)| *ms);
    let low = spans.clone().min().unwrap_or(0);
    let all: Vec<String> = spans.map(|ms| format!("{ms} ms")).collect();
    let high = peak.max_ms;
    format!(
        "{event} - high {high} ms, low {low} ms (all time high {high} ms)\n{}\n",
        all.join("\n")
    )
}

fn memory_keys(words: &[Bytes]) -> Vec<usize> {
    let is_usage = words.get(1).is_some_and(|word| is_word(word, "usage"));
    if is_usage { vec![2] } else { Vec::new() }
}

fn memory(call: &mut Call) -> Answer {
    match (args::word(call.arg(1)).as_str(), call.args.get(2)) {
        ("usage", Some(key)) => {
            check_samples(&call.args[3..])?;
            let view = call.view();
            let value = call.parts.keyspace.get(key, view);
            let size = |value: &Value| (value.size_bytes() + key.len() + 48) as i64;
            Ok(value.map_or(Reply::Nil, |value| Reply::Integer(size(value))))
        }
        ("purge", _) => Ok(Reply::OK),
        ("doctor", _) => Ok(Reply::Verbatim(
            "Memory is not watched by this server.\n".into(),
        )),
        ("malloc-stats", _) => Ok(Reply::Verbatim(
            "Stats not supported for the current allocator".into(),
        )),
        ("stats", _) => Ok(Reply::Map(Vec::new())),
        _ => Ok(help::of(
            "MEMORY",
            &[
                "DOCTOR",
                "MALLOC-STATS",
                "PURGE",
                "STATS",
                "USAGE <key> [SAMPLES <count>]",
            ],
        )),
    }
}

fn check_samples(rest: &[Bytes]) -> Result<(), Refusal> {
    for pair in rest.chunks(2) {
        match pair {
            [word, count] if is_word(word, "samples") => {
                if args::integer(count)? < 0 {
                    return Err(Refusal::Syntax);
                }
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    Ok(())
}

fn module(call: &mut Call) -> Answer {
    match args::word(call.arg(1)).as_str() {
        "list" => Ok(Reply::Array(Vec::new())),
        "help" => Ok(help::of(
            "MODULE",
            &[
                "LIST",
                "LOAD <path> [<arg> ...]",
                "LOADEX <path> [[CONFIG NAME VALUE]...] [ARGS ...]",
                "UNLOAD <name>",
            ],
        )),
        _ => Err(super::debug::not_allowed("MODULE", "enable-module-command")),
    }
}

const SAMPLES_MAX: usize = 160;
const SLOW_WORDS_MAX: usize = 32;
const SLOW_WORD_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, value};

    #[test]
    fn each_commands_directives_have_the_defaults_that_config_get_shows() {
        let config = Config::default();
        for (name, usual) in [
            SLOWLOG_LOG_SLOWER_THAN,
            SLOWLOG_MAX_LEN,
            LATENCY_MONITOR_THRESHOLD,
            ("maxmemory", 0),
        ] {
            assert_eq!(value(&config, name), Some(usual.to_string()), "{name}");
        }
    }
}

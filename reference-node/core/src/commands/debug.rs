//! DEBUG, LATENCY, SLOWLOG, MEMORY: what tests and tools ask, answered honestly.
//!
//! DEBUG SLEEP is carried out by the shell, which stands still before it goes on.

use bytes::Bytes;

use crate::commands::args;
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed, keyless};
use crate::keyspace::Value;
use crate::output::Output;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Admin, Loading, Noscript, Readonly, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless(
        "debug",
        -2,
        &[Admin, Noscript, Loading, Stale],
        debug,
        "server",
    ),
    keyless(
        "latency",
        -2,
        &[Admin, Noscript, Loading, Stale],
        latency,
        "server",
    ),
    keyless("slowlog", -2, &[Admin, Loading, Stale], slowlog, "server"),
    keyed(
        "memory",
        -2,
        &[Readonly],
        Keys::Movable(memory_keys),
        memory,
        "server",
    ),
];

fn debug(call: &mut Call) -> Answer {
    match (args::word(call.arg(1)).as_str(), &call.args[2..]) {
        ("set-active-expire", [number]) => {
            call.parts.server.is_active_expiry_off = args::integer(number)? == 0;
            Ok(Reply::OK)
        }
        ("sleep", [seconds]) => {
            let span = sleep_span(seconds)?;
            call.parts.out.push(Output::Stall { span });
            Ok(Reply::OK)
        }
        ("populate", [count]) => populate(call, count, b"key", 0),
        ("populate", [count, prefix]) => populate(call, count, prefix, 0),
        ("populate", [count, prefix, size]) => {
            let size = args::positive(size)?;
            populate(call, count, prefix, size.min(POPULATED_BYTES_MAX))
        }
        ("digest", []) => Ok(Reply::Status(digest(call))),
        ("jmap" | "log" | "quicklist-packed-threshold" | "replicate", _) => Ok(Reply::OK),
        // Bus faults are the cluster's (cluster-commands.md section 7).
        ("drop-cluster-packet-filter" | "clusterlink", _) => {
            let parts = &mut *call.parts;
            let around = crate::cluster::Surroundings {
                now: parts.now,
                config: &*parts.config,
                keyspace: &*parts.keyspace,
                replication: parts.replication.figures(),
            };
            Ok(parts.cluster.command(&around, call.args, parts.out))
        }
        _ => {
            let name = args::shown(call.arg(1));
            let text = format!(
                "ERR unknown subcommand or wrong number of arguments for '{name}'. Try DEBUG HELP."
            );
            Err(Refusal::Facts(text))
        }
    }
}

fn populate(call: &mut Call, count: &[u8], prefix: &[u8], size: usize) -> Answer {
    for number in 0..args::positive(count)? {
        let mut key = prefix.to_vec();
        key.extend_from_slice(format!(":{number}").as_bytes());
        let key = Bytes::from(key);
        if call.parts.keyspace.entry(&key).is_none() {
            let mut value = format!("value:{number}").into_bytes();
            if size > 0 {
                value.resize(size, 0);
            }
            let value = Value::String(value.into());
            call.parts.keyspace.insert(key, value);
        }
    }
    Ok(Reply::OK)
}

// Seconds with a fraction, as people write them; kept in whole milliseconds.
fn sleep_span(text: &[u8]) -> Result<Millis, Refusal> {
    let refusal = || Refusal::Text("ERR value is not a valid float");
    let text = std::str::from_utf8(text).map_err(|_| refusal())?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().map_err(|_| refusal())?
    };
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let fraction: u64 = digits.parse().map_err(|_| refusal())?;
    Ok(Millis(whole.min(SLEEP_SECONDS_MAX) * 1000 + fraction))
}

// The same for the same data, in 40 hex digits like upstream's; the digits differ from upstream's.
fn digest(call: &Call) -> String {
    let mut sum = [0u64; 3];
    for (key, entry) in call.parts.keyspace.iter() {
        let payload = crate::rdb::encode_dump(&entry.value);
        for (lane, total) in sum.iter_mut().enumerate() {
            let seed = FNV_BASIS ^ (lane as u64 + 1);
            let bytes = key.iter().chain(&[0xff]).chain(payload.iter());
            let hash = bytes.fold(seed, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
            });
            *total = total.wrapping_add(hash);
        }
    }
    let text = format!("{:016x}{:016x}{:016x}", sum[0], sum[1], sum[2]);
    if call.parts.keyspace.is_empty() {
        "0".repeat(40)
    } else {
        text[..40].into()
    }
}

fn latency(call: &mut Call) -> Answer {
    match args::word(call.arg(1)).as_str() {
        "latest" | "history" => Ok(Reply::Array(Vec::new())),
        "reset" => Ok(Reply::Integer(0)),
        "histogram" => Ok(Reply::Map(Vec::new())),
        "doctor" => Ok(Reply::Verbatim(
            "Latency is not monitored by this server.\n".into(),
        )),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "LATENCY".into(),
        )),
    }
}

fn slowlog(call: &mut Call) -> Answer {
    match args::word(call.arg(1)).as_str() {
        "get" => Ok(Reply::Array(Vec::new())),
        "len" => Ok(Reply::Integer(0)),
        "reset" => Ok(Reply::OK),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "SLOWLOG".into(),
        )),
    }
}

fn memory_keys(words: &[Bytes]) -> Vec<usize> {
    let is_usage = words
        .get(1)
        .is_some_and(|word| args::is_word(word, "usage"));
    if is_usage { vec![2] } else { Vec::new() }
}

fn memory(call: &mut Call) -> Answer {
    match (args::word(call.arg(1)).as_str(), call.args.get(2)) {
        ("usage", Some(key)) => {
            let view = call.view();
            let value = call.parts.keyspace.get(key, view);
            let size = |value: &Value| (value.size_bytes() + key.len() + 48) as i64;
            Ok(value.map_or(Reply::Nil, |value| Reply::Integer(size(value))))
        }
        ("purge", None) => Ok(Reply::OK),
        ("usage", None) => Err(Refusal::Arity("memory|usage".into())),
        ("doctor", None) => Ok(Reply::Verbatim(
            "Memory is not watched by this server.\n".into(),
        )),
        ("stats", None) => Ok(Reply::Map(Vec::new())),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "MEMORY".into(),
        )),
    }
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
const POPULATED_BYTES_MAX: usize = 64 << 20;
const SLEEP_SECONDS_MAX: u64 = 3600;

//! DEBUG: what tests ask of a server, where redis.conf allows it.
//!
//! DEBUG SLEEP is carried out by the shell, which stands still before it goes on.

use bytes::Bytes;

use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, keyless};
use crate::commands::{args, help};
use crate::config;
use crate::keyspace::{Entry, Value, is_due};
use crate::output::{LogLevel, Output};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Admin, Loading, Noscript, Stale};

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless(
    "debug",
    -2,
    &[Admin, Noscript, Loading, Stale],
    debug,
    "server",
)];

fn debug(call: &mut Call) -> Answer {
    check_allowed(call)?;
    match (args::word(call.arg(1)).as_str(), &call.args[2..]) {
        ("set-active-expire", [number]) => {
            call.parts.server.is_active_expiry_off = args::integer(number)? == 0;
            Ok(Reply::OK)
        }
        ("sleep", [seconds]) => {
            let span = sleep_span(seconds)?;
            call.parts.out.push(Output::Stall { span });
            call.parts.server.diagnostics.stalled = span;
            Ok(Reply::OK)
        }
        ("populate", [count]) => populate(call, count, b"key", 0),
        ("populate", [count, prefix]) => populate(call, count, prefix, 0),
        ("populate", [count, prefix, size]) => {
            let size = args::positive(size)?;
            populate(call, count, prefix, size.min(POPULATED_BYTES_MAX))
        }
        ("digest", []) => Ok(Reply::Status(digest(call.parts.keyspace.iter()))),
        ("digest-value", keys) => {
            let digests = keys.iter().map(|key| match call.parts.keyspace.entry(key) {
                Some(entry) => Reply::Status(digest([(&Bytes::new(), entry)].into_iter())),
                None => Reply::Status("0".repeat(40)),
            });
            Ok(Reply::Array(digests.collect()))
        }
        ("reload" | "loadaof", _) => reload(call),
        ("object", [key]) => object(call, key),
        ("protocol", [kind]) => protocol(kind),
        ("error", [text]) => Ok(Reply::Error(args::shown(text))),
        ("stringmatch-len", [_, _]) => Ok(Reply::Integer(0)),
        ("change-repl-id", []) => {
            call.parts.replication.change_id(call.parts.rng);
            Ok(Reply::OK)
        }
        ("config-rewrite-force-all", []) => super::config::rewrite_all(call),
        ("help", []) => Ok(help_reply()),
        (name, _) if WITHOUT_EFFECT.contains(&name) => Ok(Reply::OK),
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

fn check_allowed(call: &mut Call) -> Result<(), Refusal> {
    let allowed = config::value(call.parts.config, "enable-debug-command");
    let is_local = call
        .session()
        .is_none_or(|session| session.peer.ip().to_canonical().is_loopback());
    match allowed.as_deref() {
        Some("yes") => Ok(()),
        Some("local") if is_local => Ok(()),
        Some(_) | None => Err(not_allowed("DEBUG", "enable-debug-command")),
    }
}

/// What may be done only where redis.conf allows it.
pub fn not_allowed(command: &str, setting: &str) -> Refusal {
    Refusal::Facts(format!(
        "ERR {command} command not allowed. If the {setting} option is set to \"local\", you can \
         run it from a local connection, otherwise you need to set this option in the \
         configuration file, and then restart the server."
    ))
}

// The data goes the way it would go over the disk.
fn reload(call: &mut Call) -> Answer {
    let bytes = crate::rdb::encode_file(call.parts.keyspace, call.parts.now);
    let entries = crate::replication::entries(&bytes);
    let entries = entries.map_err(|error| {
        Refusal::Facts(format!("ERR Error trying to load the RDB dump: {error}"))
    })?;
    let now = call.parts.now;
    let is_replica = call.parts.is_replica();
    call.parts.keyspace.flush();
    for (key, entry) in entries {
        if is_replica || !is_due(entry.expires, now) {
            call.parts.keyspace.insert_entry(key, entry);
        }
    }
    let (level, text) = (LogLevel::Warning, "DB reloaded by DEBUG RELOAD".into());
    call.parts.out.push(Output::Log { level, text });
    Ok(Reply::OK)
}

fn object(call: &mut Call, key: &Bytes) -> Answer {
    let entry = call.parts.keyspace.entry(key).ok_or(Refusal::NoSuchKey)?;
    let length = crate::rdb::encode_dump(&entry.value).len() - DUMP_FRAME_BYTES;
    Ok(Reply::Status(format!(
        "Value at:0x0 refcount:1 encoding:{} serializedlength:{length} lru:0 lru_seconds_idle:0",
        entry.value.encoding()
    )))
}

// One reply of each type, for those who test their parser.
fn protocol(kind: &[u8]) -> Answer {
    let numbers = || (0..3).map(Reply::Integer);
    Ok(match args::word(kind).as_str() {
        "string" => Reply::text("Hello World"),
        "integer" => Reply::Integer(12345),
        "double" => Reply::Double(f64::from(3141) / 1000.0),
        "null" => Reply::Nil,
        "array" => Reply::Array(numbers().collect()),
        "set" => Reply::Set(numbers().collect()),
        "map" => Reply::Map(
            numbers()
                .zip([false, true, false])
                .map(|(number, is_true)| (number, Reply::Boolean(is_true)))
                .collect(),
        ),
        "attrib" => {
            let popularity = vec![Reply::text("key:123"), Reply::Integer(90)];
            let pair = (Reply::text("key-popularity"), Reply::Array(popularity));
            Reply::Many(vec![
                Reply::Attribute(vec![pair]),
                Reply::text("Some real reply following the attribute"),
            ])
        }
        "push" => Reply::Many(vec![
            Reply::Push(vec![Reply::text("server-cpu-usage"), Reply::Integer(42)]),
            Reply::text("Some real reply following the push reply"),
        ]),
        "true" => Reply::Boolean(true),
        "false" => Reply::Boolean(false),
        "verbatim" => Reply::Verbatim("This is a verbatim\nstring".into()),
        "bignum" => Reply::BigNumber("1234567999999999999999999999999999999"),
        _ => {
            return Err(Refusal::Text(
                "ERR Wrong protocol type name. Please use one of the following: \
                 string|integer|double|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    })
}

fn help_reply() -> Reply {
    let forms = [
        "CHANGE-REPL-ID",
        "CLUSTERLINK KILL <to|from|all> <node-id>",
        "CONFIG-REWRITE-FORCE-ALL",
        "DIGEST",
        "DIGEST-VALUE <key> [<key> ...]",
        "DROP-CLUSTER-PACKET-FILTER <packet-type>",
        "ERROR <string>",
        "LOADAOF",
        "LOG <message>",
        "OBJECT <key>",
        "POPULATE <count> [<prefix>] [<size>]",
        "PROTOCOL <type>",
        "RELOAD [option ...]",
        "SET-ACTIVE-EXPIRE <0|1>",
        "SLEEP <seconds>",
    ];
    help::of("DEBUG", &forms)
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
// That a key expires counts; when it does not: replicas may be told that relative to their time.
fn digest<'a>(entries: impl Iterator<Item = (&'a Bytes, &'a Entry)>) -> String {
    let mut sum = [0u64; 3];
    let mut is_empty = true;
    for (key, entry) in entries {
        is_empty = false;
        let payload = digested(&entry.value);
        for (lane, total) in sum.iter_mut().enumerate() {
            let seed = FNV_BASIS ^ (lane as u64 + 1);
            let expires: &[u8] = match entry.expires {
                Some(_) => b"!!expire!!",
                None => b"",
            };
            let bytes = key.iter().chain(&[0xff]).chain(payload.iter());
            let bytes = bytes.chain(expires);
            let hash = bytes.fold(seed, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME)
            });
            *total = total.wrapping_add(hash);
        }
    }
    let text = format!("{:016x}{:016x}{:016x}", sum[0], sum[1], sum[2]);
    if is_empty {
        "0".repeat(40)
    } else {
        text[..40].into()
    }
}

/// What counts of a value in a digest. Who read what of a stream and when does not, as upstream:
/// times of consumers are each node's own.
fn digested(value: &Value) -> Bytes {
    match value {
        Value::Stream(stream) => {
            let entries = stream.packed().flat_map(|(_, entries)| entries);
            let told = entries.map(|(id, fields)| format!("{id:?} {fields:?};"));
            Bytes::from(told.collect::<String>())
        }
        Value::String(_) | Value::List(_) | Value::Set(_) | Value::Hash(_) | Value::Zset(_) => {
            crate::rdb::encode_dump(value)
        }
    }
}

/// What concerns things this node has not: accepted, so that tests go on.
const WITHOUT_EFFECT: &[&str] = &[
    "jmap",
    "log",
    "quicklist-packed-threshold",
    "replicate",
    "set-disable-deny-scripts",
    "pause-cron",
    "replybuffer",
    "stringmatch-len",
    "mallctl",
    "mallctl-str",
    "client-eviction",
];
/// Type, version and checksum of a DUMP payload.
const DUMP_FRAME_BYTES: usize = 11;
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;
const POPULATED_BYTES_MAX: usize = 64 << 20;
const SLEEP_SECONDS_MAX: u64 = 3600;

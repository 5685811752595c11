//! Commands for keys of any type.

use bytes::Bytes;

use crate::commands::args::{self, TimeKind, digits, expiry_ms, glob, is_word, moment};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed, keyless};
use crate::keyspace::{Entry, Value};
use crate::mutants::Mutant;
use crate::rdb::{self, RdbError};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::slot::Slot;
use crate::time::Millis;

use Flag::{Asking, Denyoom, Fast, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);
const TWO: Keys = Keys::Range(1, 2, 1);
const ALL: Keys = Keys::Range(1, -1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("del", -2, &[Write], ALL, del, "generic"),
    keyed("unlink", -2, &[Write, Fast], ALL, del, "generic"),
    keyed("exists", -2, &[Readonly, Fast], ALL, exists, "generic"),
    keyed("touch", -2, &[Readonly, Fast], ALL, exists, "generic"),
    keyed("type", 2, &[Readonly, Fast], ONE, type_of, "generic"),
    keyless("keys", 2, &[Readonly], keys, "generic"),
    keyless("scan", -2, &[Readonly], scan, "generic"),
    keyless("randomkey", 1, &[Readonly], randomkey, "generic"),
    keyed("rename", 3, &[Write], TWO, rename, "generic"),
    keyed("renamenx", 3, &[Write, Fast], TWO, renamenx, "generic"),
    keyed("copy", -3, &[Write, Denyoom], TWO, copy, "generic"),
    keyed(
        "object",
        -2,
        &[Readonly],
        Keys::Range(2, 2, 1),
        object,
        "generic",
    ),
    keyed("dump", 2, &[Readonly], ONE, dump, "generic"),
    keyed("restore", -4, &[Write, Denyoom], ONE, restore, "generic"),
    keyed(
        "restore-asking",
        -4,
        &[Write, Denyoom, Asking],
        ONE,
        restore,
        "generic",
    ),
    keyed("move", 3, &[Write, Fast], ONE, move_key, "generic"),
    keyless("swapdb", 3, &[Write, Fast], swapdb, "server"),
];

fn del(call: &mut Call) -> Answer {
    let keys = call.args[1..].iter();
    let deleted = keys.filter(|key| call.delete(key)).count();
    Ok(Reply::Integer(deleted as i64))
}

fn exists(call: &mut Call) -> Answer {
    let keys = call.args[1..].iter();
    let found = keys.filter(|key| call.read(key).is_some()).count();
    Ok(Reply::Integer(found as i64))
}

fn type_of(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(Reply::Simple(
        call.read(&key).map_or("none", Value::type_name),
    ))
}

fn keys(call: &mut Call) -> Answer {
    let view = call.view();
    let keyspace = &*call.parts.keyspace;
    let keys = keyspace
        .iter()
        .map(|(key, _)| key)
        .filter(|key| glob(call.arg(1), key));
    let keys = keys.filter(|key| keyspace.contains(key, view));
    Ok(Reply::Array(keys.cloned().map(Reply::Bulk).collect()))
}

/// The options of SCAN and its kin.
pub struct ScanOptions {
    /// MATCH.
    pub pattern: Option<Bytes>,
    /// COUNT.
    pub count: usize,
    /// TYPE.
    pub type_name: Option<String>,
}

/// Reads a cursor.
pub fn cursor(text: &[u8]) -> Result<u64, Refusal> {
    let text = std::str::from_utf8(text).map_err(|_| Refusal::Cursor)?;
    text.parse().map_err(|_| Refusal::Cursor)
}

/// Reads the options of SCAN and its kin.
pub fn scan_options(rest: &[Bytes]) -> Result<ScanOptions, Refusal> {
    let mut options = ScanOptions {
        pattern: None,
        count: 10,
        type_name: None,
    };
    for pair in rest.chunks(2) {
        let [word, value] = pair else {
            return Err(Refusal::Syntax);
        };
        match args::word(word).as_str() {
            "match" => options.pattern = Some(value.clone()),
            "type" => options.type_name = Some(args::word(value)),
            "count" => {
                let count = args::integer(value)?;
                options.count = usize::try_from(count).map_err(|_| Refusal::Syntax)?;
                if count == 0 {
                    return Err(Refusal::Syntax);
                }
            }
            _ => return Err(Refusal::Syntax),
        }
    }
    Ok(options)
}

// A cursor is the slot to go on with: a slot is given whole, so no key that stays is missed.
fn scan(call: &mut Call) -> Answer {
    let cursor = cursor(call.arg(1))?;
    let options = scan_options(&call.args[2..])?;
    let view = call.view();
    let keyspace = &*call.parts.keyspace;
    let mut found = Vec::new();
    let mut next = 0;
    let mut seen = 0;
    if let Some(first) = Slot::new(cursor) {
        let mut last = first;
        for (slot, key, entry) in keyspace.iter_from(first) {
            if slot != last && seen >= options.count {
                next = slot.number();
                break;
            }
            last = slot;
            seen += 1;
            let fits = options
                .pattern
                .as_ref()
                .is_none_or(|pattern| glob(pattern, key));
            let wanted = options.type_name.as_deref();
            let is_type = wanted.is_none_or(|name| name == entry.value.type_name());
            if fits && is_type && keyspace.contains(key, view) {
                found.push(Reply::Bulk(key.clone()));
            }
        }
    }
    Ok(Reply::Array(vec![
        Reply::text(next.to_string()),
        Reply::Array(found),
    ]))
}

fn randomkey(call: &mut Call) -> Answer {
    let view = call.view();
    for _ in 0..RANDOM_TRIES {
        match call.parts.keyspace.random_key(call.parts.rng) {
            None => return Ok(Reply::Nil),
            Some(key) if call.parts.keyspace.contains(key, view) => {
                return Ok(Reply::Bulk(key.clone()));
            }
            Some(_) => {}
        }
    }
    Ok(Reply::Nil)
}

fn rename(call: &mut Call) -> Answer {
    let (source, target) = (call.arg(1).clone(), call.arg(2).clone());
    if !call.parts.keyspace.contains(&source, call.view()) {
        return Err(Refusal::NoSuchKey);
    }
    if source != target {
        move_entry(call, &source, target);
    }
    Ok(Reply::OK)
}

fn renamenx(call: &mut Call) -> Answer {
    let (source, target) = (call.arg(1).clone(), call.arg(2).clone());
    if !call.parts.keyspace.contains(&source, call.view()) {
        return Err(Refusal::NoSuchKey);
    }
    if call.parts.keyspace.contains(&target, call.view()) {
        return Ok(Reply::Integer(0));
    }
    move_entry(call, &source, target);
    Ok(Reply::Integer(1))
}

fn move_entry(call: &mut Call, source: &Bytes, target: Bytes) {
    if let Some(entry) = call.parts.keyspace.remove(source) {
        call.parts.keyspace.insert_entry(target, entry);
        call.dirty();
    }
}

fn copy(call: &mut Call) -> Answer {
    let (source, target) = (call.arg(1).clone(), call.arg(2).clone());
    let mut replaces = false;
    let mut rest = &call.args[3..];
    while let Some(word) = rest.first() {
        if is_word(word, "replace") {
            replaces = true;
            rest = &rest[1..];
        } else if is_word(word, "db") && rest.len() > 1 {
            // RP-14.
            match (args::integer(&rest[1])?, call.parts.config.cluster_enabled) {
                (0, _) => {}
                (_, true) => {
                    return Err(Refusal::Text(
                        "ERR Copying to another database is not allowed in cluster mode",
                    ));
                }
                (_, false) => return Err(Refusal::DbIndex),
            }
            rest = &rest[2..];
        } else {
            return Err(Refusal::Syntax);
        }
    }
    if source == target {
        return Err(Refusal::Text(
            "ERR source and destination objects are the same",
        ));
    }
    let view = call.view();
    let is_free = !call.parts.keyspace.contains(&target, view);
    let is_there = call.parts.keyspace.contains(&source, view);
    match call.parts.keyspace.entry(&source).cloned() {
        Some(entry) if is_there && (is_free || replaces) => {
            call.parts.keyspace.insert_entry(target, entry);
            call.dirty();
            Ok(Reply::Integer(1))
        }
        Some(_) | None => Ok(Reply::Integer(0)),
    }
}

fn object(call: &mut Call) -> Answer {
    let subcommand = args::word(call.arg(1));
    if subcommand == "help" {
        let lines = [
            "OBJECT <subcommand> <key>. Subcommands are:",
            "ENCODING",
            "REFCOUNT",
            "HELP",
        ];
        return Ok(Reply::Array(lines.into_iter().map(Reply::Simple).collect()));
    }
    let Some(key) = call.args.get(2).filter(|_| call.args.len() == 3) else {
        return Err(Refusal::Arity(format!("object|{subcommand}")));
    };
    let value = call.parts.keyspace.get(key, call.view());
    let Some(value) = value else {
        return Ok(Reply::Nil);
    };
    match subcommand.as_str() {
        "encoding" => Ok(Reply::text(value.encoding())),
        "refcount" => Ok(Reply::Integer(1)),
        // Access times are not kept.
        "idletime" => Ok(Reply::Integer(0)),
        "freq" => Err(Refusal::Text(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please \
             note that when switching between policies at runtime LRU and LFU data will take \
             some time to adjust.",
        )),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "OBJECT".into(),
        )),
    }
}

fn dump(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    Ok(call
        .read(&key)
        .map_or(Reply::Nil, |value| Reply::Bulk(rdb::encode_dump(value))))
}

struct RestoreOptions {
    replaces: bool,
    kind: TimeKind,
}

fn restore_options(mut rest: &[Bytes]) -> Result<RestoreOptions, Refusal> {
    let mut options = RestoreOptions {
        replaces: false,
        kind: TimeKind::Millis,
    };
    let mut has_access = false;
    while let Some(word) = rest.first() {
        match args::word(word).as_str() {
            "replace" => options.replaces = true,
            "absttl" => options.kind = TimeKind::UnixMillis,
            name @ ("idletime" | "freq") if rest.len() > 1 && !has_access => {
                let number = args::integer(&rest[1])?;
                if name == "idletime" && number < 0 {
                    return Err(Refusal::Text("ERR Invalid IDLETIME value, must be >= 0"));
                }
                if name == "freq" && !(0..=255).contains(&number) {
                    return Err(Refusal::Text(
                        "ERR Invalid FREQ value, must be >= 0 and <= 255",
                    ));
                }
                has_access = true;
                rest = &rest[1..];
            }
            _ => return Err(Refusal::Syntax),
        }
        rest = &rest[1..];
    }
    Ok(options)
}

fn restore(call: &mut Call) -> Answer {
    let options = restore_options(&call.args[4..])?;
    let key = call.arg(1).clone();
    if !options.replaces && call.parts.keyspace.contains(&key, call.view()) {
        return Err(Refusal::BusyKey);
    }
    let ttl = args::integer(call.arg(2))?;
    if ttl < 0 {
        return Err(Refusal::Text("ERR Invalid TTL value, must be >= 0"));
    }
    let value = rdb::decode_dump(call.arg(3)).map_err(|error| match error {
        RdbError::Version(_) | RdbError::Checksum { .. } => Refusal::DumpPayload,
        _ => Refusal::BadFormat,
    })?;
    let at = expiry_ms(ttl, options.kind, call.parts.now)
        .filter(|_| ttl > 0 && !call.parts.config.mutant.is(Mutant::RestoreDropsExpiry))
        .map(moment);
    let now = call.parts.now;
    if at.is_some_and(|at| at <= now) && call.view() != Millis(0) {
        if call.delete(&key) {
            call.replicate(vec![Bytes::from_static(b"DEL"), key]);
        }
        return Ok(Reply::OK);
    }
    call.parts
        .keyspace
        .insert_entry(key.clone(), Entry { value, expires: at });
    call.dirty();
    // RW-34: with the absolute time.
    let at = digits(at.map_or(0, |at| at.0));
    let mut effect = vec![Bytes::from_static(b"RESTORE"), key, at, call.arg(3).clone()];
    if options.replaces {
        effect.push(Bytes::from_static(b"REPLACE"));
    }
    effect.push(Bytes::from_static(b"ABSTTL"));
    call.replicate(effect);
    Ok(Reply::OK)
}

// RP-14.
fn move_key(call: &mut Call) -> Answer {
    if call.parts.config.cluster_enabled {
        return Err(Refusal::Text("ERR MOVE is not allowed in cluster mode"));
    }
    match args::integer(call.arg(2))? {
        0 => Err(Refusal::Text(
            "ERR source and destination objects are the same",
        )),
        _ => Err(Refusal::DbIndex),
    }
}

fn swapdb(call: &mut Call) -> Answer {
    if call.parts.config.cluster_enabled {
        return Err(Refusal::Text("ERR SWAPDB is not allowed in cluster mode"));
    }
    let first = args::integer(call.arg(1));
    let first = first.map_err(|_| Refusal::Text("ERR invalid first DB index"))?;
    let second = args::integer(call.arg(2));
    let second = second.map_err(|_| Refusal::Text("ERR invalid second DB index"))?;
    match (first, second) {
        (0, 0) => Ok(Reply::OK),
        _ => Err(Refusal::DbIndex),
    }
}

const RANDOM_TRIES: usize = 100;

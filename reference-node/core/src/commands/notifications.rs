//! Keyspace notifications: subscribers are told what happened to which key.
//!
//! The keyspace notes which keys a command changed; the name of what happened follows from the
//! command. They go to subscribers of this node only, never over the bus.

use bytes::Bytes;

use crate::cluster::PublishKind;
use crate::commands::args;
use crate::commands::parts::Parts;
use crate::commands::pubsub::deliver;
use crate::commands::tracking;
use crate::config::value as setting;

/// The letters of `notify-keyspace-events` in upstream's order.
///
/// # Errors
/// If a letter names no class of events.
pub fn normalized(text: &str) -> Result<String, String> {
    let is_known = |letter: char| format!("{ALL}AKEmn").contains(letter);
    if !text.chars().all(is_known) {
        return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into());
    }
    let has_all = text.contains('A') || ALL.chars().all(|letter| text.contains(letter));
    let mut shown = String::new();
    if has_all {
        shown.push('A');
    } else {
        shown.extend(ALL.chars().filter(|letter| text.contains(*letter)));
    }
    // Upstream shows them after the classes of types.
    shown.extend("KEmn".chars().filter(|letter| text.contains(*letter)));
    Ok(shown)
}

/// Whether anybody may want to know of events.
pub fn are_wanted(parts: &Parts) -> bool {
    let Some(letters) = parts.config.other.get("notify-keyspace-events") else {
        return false;
    };
    letters.contains(['K', 'E']) && letters.len() > 1
}

/// A command begins: what was noted so far is none of its doing.
pub fn before(parts: &mut Parts) {
    if are_wanted(parts) {
        parts.keyspace.note_changes();
        tracking::keep_changes(parts);
    }
}

/// A command is done: tells what it did, if anybody may want to know.
pub fn after(parts: &mut Parts, name: &str, words: &[Bytes]) {
    if are_wanted(parts) {
        let changed = tracking::keep_changes(parts);
        tell(parts, name, words, &changed);
    }
}

// Of the keys it changed.
fn tell(parts: &mut Parts, name: &str, words: &[Bytes], keys: &[Bytes]) {
    for key in keys {
        let is_there = parts.keyspace.entry(key).is_some();
        let is_first = words.get(1) == Some(key);
        if let Some((class, event)) = event_of(name, words, Role { is_first, is_there }) {
            notify(parts, class, &event, key);
            if name == "setex" || name == "psetex" || (name == "set" && has_expiry(words)) {
                notify(parts, 'g', "expire", key);
            }
            if !is_there && !["del", "expired", "rename_from", "move_from"].contains(&&event[..]) {
                notify(parts, 'g', "del", key);
            }
        }
    }
}

/// Tells of one event.
pub fn notify(parts: &mut Parts, class: char, event: &str, key: &Bytes) {
    let letters = setting(parts.config, "notify-keyspace-events").unwrap_or_default();
    let has = |letter: char| letters.contains(letter);
    let is_wanted = has(class) || (has('A') && ALL.contains(class));
    if !is_wanted {
        return;
    }
    let event = Bytes::copy_from_slice(event.as_bytes());
    if has('K') {
        let channel = [b"__keyspace@0__:".as_slice(), key].concat();
        deliver(parts, &channel.into(), &event, PublishKind::Global);
    }
    if has('E') {
        let channel = [b"__keyevent@0__:".as_slice(), &event].concat();
        deliver(parts, &channel.into(), key, PublishKind::Global);
    }
}

/// What a changed key was to its command.
#[derive(Clone, Copy)]
struct Role {
    is_first: bool,
    is_there: bool,
}

fn has_expiry(words: &[Bytes]) -> bool {
    let names = ["ex", "px", "exat", "pxat"];
    let options = words.iter().skip(3);
    options
        .into_iter()
        .any(|word| names.iter().any(|name| args::is_word(word, name)))
}

// The class and name of what a command did to a key.
fn event_of(name: &str, words: &[Bytes], role: Role) -> Option<(char, String)> {
    let side = |word: Option<&Bytes>, pop: bool| {
        let is_left = word.is_some_and(|word| args::is_word(word, "left"));
        let verb = if pop { "pop" } else { "push" };
        format!("{}{verb}", if is_left { 'l' } else { 'r' })
    };
    let (class, event) = match name {
        "set" | "setex" | "psetex" | "setnx" | "getset" | "mset" | "msetnx" => ('$', "set".into()),
        "incr" | "decr" | "decrby" | "incrby" => ('$', "incrby".into()),
        "incrbyfloat" | "append" | "setrange" | "setbit" => ('$', name.into()),
        "bitop" | "bitfield" => ('$', if role.is_there { "set" } else { "del" }.into()),
        "pfadd" | "pfmerge" => ('$', "pfadd".into()),
        "getdel" | "del" | "unlink" => ('g', "del".into()),
        "getex" if words.iter().any(|w| args::is_word(w, "persist")) => ('g', "persist".into()),
        "getex" | "expire" | "pexpire" | "expireat" | "pexpireat" => match role.is_there {
            true => ('g', "expire".into()),
            false => ('g', "del".into()),
        },
        "persist" | "restore" => ('g', name.into()),
        "rename" | "renamenx" if role.is_first => ('g', "rename_from".into()),
        "rename" | "renamenx" => ('g', "rename_to".into()),
        "copy" => ('g', "copy_to".into()),
        "lpushx" | "lpush" => ('l', "lpush".into()),
        "rpushx" | "rpush" => ('l', "rpush".into()),
        "lpop" | "blpop" => ('l', "lpop".into()),
        "rpop" | "brpop" => ('l', "rpop".into()),
        "lmpop" | "blmpop" => ('l', side(words.iter().rev().find(|w| is_end(w)), true)),
        "rpoplpush" | "brpoplpush" if role.is_first => ('l', "rpop".into()),
        "rpoplpush" | "brpoplpush" => ('l', "lpush".into()),
        "lmove" | "blmove" if role.is_first => ('l', side(words.get(3), true)),
        "lmove" | "blmove" => ('l', side(words.get(4), false)),
        "linsert" | "lset" | "lrem" | "ltrim" => ('l', name.into()),
        "sort" => ('l', "sortstore".into()),
        "hset" | "hmset" | "hsetnx" => ('h', "hset".into()),
        "hincrby" | "hincrbyfloat" | "hdel" => ('h', name.into()),
        "smove" if role.is_first => ('s', "srem".into()),
        "smove" => ('s', "sadd".into()),
        "sadd" | "srem" | "spop" => ('s', name.into()),
        "sinterstore" | "sunionstore" | "sdiffstore" => stored('s', name, role),
        "zadd" if words.iter().any(|w| args::is_word(w, "incr")) => ('z', "zincr".into()),
        "zincrby" => ('z', "zincr".into()),
        "zpopmin" | "bzpopmin" => ('z', "zpopmin".into()),
        "zpopmax" | "bzpopmax" => ('z', "zpopmax".into()),
        "zmpop" | "bzmpop" => {
            let is_min = words.iter().any(|word| args::is_word(word, "min"));
            ('z', if is_min { "zpopmin" } else { "zpopmax" }.into())
        }
        "zadd" | "zrem" | "zremrangebyscore" | "zremrangebyrank" | "zremrangebylex" => {
            ('z', name.into())
        }
        "zunionstore" | "zinterstore" | "zdiffstore" | "zrangestore" | "geosearchstore" => {
            stored('z', name, role)
        }
        "geoadd" => ('z', "zadd".into()),
        "georadius" | "georadiusbymember" => stored('z', "georadiusstore", role),
        "xadd" | "xdel" | "xtrim" | "xsetid" => ('t', name.into()),
        "xgroup" => {
            let what = words.get(1).map(|word| args::word(word))?;
            ('t', format!("xgroup-{what}"))
        }
        _ => return None,
    };
    Some((class, event))
}

fn stored(class: char, name: &str, role: Role) -> (char, String) {
    match role.is_there {
        true => (class, name.into()),
        false => ('g', "del".into()),
    }
}

fn is_end(word: &Bytes) -> bool {
    args::is_word(word, "left") || args::is_word(word, "right")
}

const ALL: &str = "g$lshzxetd";

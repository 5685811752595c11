//! CLIENT TRACKING: clients that cache, and are told which keys changed.
//!
//! The keyspace notes what changes while anybody tracks; after each command those who read such
//! a key, or asked for its prefix, are told. The client's own changes are told after its reply.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::commands::args::{self, is_word};
use crate::commands::notifications;
use crate::commands::parts::{Answer, Call, Caller, Parts};
use crate::commands::session::Session;
use crate::commands::table::{Command, Flag};
use crate::ids::ClientId;
use crate::keyspace::Changes;
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

/// How a client tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracking {
    /// Who is told in its place.
    redirect: Option<ClientId>,
    /// Which keys it is told of.
    mode: Mode,
    /// Whether it is told of what it changed itself.
    own: OwnChanges,
    /// CLIENT CACHING, until the end of the next command.
    caching: Option<Caching>,
    /// The client that was to be told is gone.
    is_broken: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mode {
    /// Those it read.
    Default,
    /// Those it read after CLIENT CACHING YES.
    OptIn,
    /// Those it read, but after CLIENT CACHING NO.
    OptOut,
    /// All with one of these prefixes.
    Broadcast(BTreeSet<Bytes>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnChanges {
    Told,
    Left,
}

/// CLIENT CACHING: for this command, and the one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Caching {
    Said,
    Applies,
}

/// Which clients read which keys.
#[derive(Debug, Clone, Default)]
pub struct Readers {
    keys: BTreeMap<Bytes, BTreeSet<ClientId>>,
    /// What they are to be told of next.
    changes: Changes,
}

impl Readers {
    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.changes.keys.is_empty() && !self.changes.is_flushed
    }

    /// Number of keys that somebody is to be told of.
    pub fn keys_len(&self) -> usize {
        self.keys.len()
    }
}

/// CLIENT TRACKING.
pub fn tracking(call: &mut Call) -> Answer {
    let wanted = requested(call)?;
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::OK);
    };
    if is_word(call.arg(2), "off") {
        stop(call.parts, client);
        return Ok(Reply::OK);
    }
    if !is_word(call.arg(2), "on") {
        return Err(Refusal::Syntax);
    }
    let Some(session) = call.parts.clients.get_mut(client) else {
        return Ok(Reply::OK);
    };
    let present = session.tracking.as_ref();
    let mut tracking = compatible(wanted, present)?;
    if let (Mode::Broadcast(new), Some(Mode::Broadcast(old))) =
        (&mut tracking.mode, present.map(|present| &present.mode))
    {
        new.extend(old.iter().cloned());
    }
    session.tracking = Some(tracking);
    call.parts.keyspace.note_changes();
    Ok(Reply::OK)
}

struct Wanted {
    tracking: Tracking,
    is_broadcast: bool,
    is_opt_in: bool,
    is_opt_out: bool,
    prefixes: Vec<Bytes>,
}

fn requested(call: &Call) -> Result<Wanted, Refusal> {
    let mut wanted = Wanted {
        tracking: Tracking {
            redirect: None,
            mode: Mode::Default,
            own: OwnChanges::Told,
            caching: None,
            is_broken: false,
        },
        is_broadcast: false,
        is_opt_in: false,
        is_opt_out: false,
        prefixes: Vec::new(),
    };
    let mut rest = &call.args[3..];
    while let Some(word) = rest.first() {
        let value = rest.get(1);
        match (args::word(word).as_str(), value) {
            ("redirect", Some(id)) => {
                if wanted.tracking.redirect.is_some() {
                    return Err(Refusal::Text(
                        "ERR A client can only redirect to a single other client",
                    ));
                }
                let id = ClientId(u64::try_from(args::integer(id)?).unwrap_or(0));
                if call.parts.clients.get(id).is_none() {
                    return Err(Refusal::Text(
                        "ERR The client ID you want redirect to does not exist",
                    ));
                }
                wanted.tracking.redirect = Some(id);
                rest = &rest[1..];
            }
            ("prefix", Some(prefix)) => {
                wanted.prefixes.push(prefix.clone());
                rest = &rest[1..];
            }
            ("bcast", _) => wanted.is_broadcast = true,
            ("optin", _) => wanted.is_opt_in = true,
            ("optout", _) => wanted.is_opt_out = true,
            ("noloop", _) => wanted.tracking.own = OwnChanges::Left,
            _ => return Err(Refusal::Syntax),
        }
        rest = &rest[1..];
    }
    Ok(wanted)
}

// What goes together, with itself and with what the client does already.
fn compatible(wanted: Wanted, present: Option<&Tracking>) -> Result<Tracking, Refusal> {
    let refused = |text| Err(Refusal::Text(text));
    if !wanted.is_broadcast && !wanted.prefixes.is_empty() {
        return refused("ERR PREFIX option requires BCAST mode to be enabled");
    }
    let mode = present.map(|present| &present.mode);
    let was_broadcast = matches!(mode, Some(Mode::Broadcast(_)));
    if mode.is_some() && was_broadcast != wanted.is_broadcast {
        return refused(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, \
             and then re-enabling it with a different mode.",
        );
    }
    if wanted.is_broadcast && (wanted.is_opt_in || wanted.is_opt_out) {
        return refused("ERR OPTIN and OPTOUT are not compatible with BCAST");
    }
    if wanted.is_opt_in && wanted.is_opt_out {
        return refused("ERR You can't specify both OPTIN mode and OPTOUT mode");
    }
    let switches = (wanted.is_opt_in && mode == Some(&Mode::OptOut))
        || (wanted.is_opt_out && mode == Some(&Mode::OptIn));
    if switches {
        return refused(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, \
             and then re-enabling it with a different mode.",
        );
    }
    let mut tracking = wanted.tracking;
    tracking.mode = if wanted.is_broadcast {
        let old = match mode {
            Some(Mode::Broadcast(old)) => old.iter().collect(),
            Some(Mode::Default | Mode::OptIn | Mode::OptOut) | None => Vec::new(),
        };
        check_prefixes(&wanted.prefixes, &old)?;
        let all = wanted.prefixes.is_empty().then(Bytes::new);
        Mode::Broadcast(wanted.prefixes.into_iter().chain(all).collect())
    } else if wanted.is_opt_in {
        Mode::OptIn
    } else if wanted.is_opt_out {
        Mode::OptOut
    } else {
        Mode::Default
    };
    Ok(tracking)
}

fn check_prefixes(new: &[Bytes], old: &[&Bytes]) -> Result<(), Refusal> {
    let overlaps = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    for (place, prefix) in new.iter().enumerate() {
        let clash = old
            .iter()
            .find(|old| overlaps(prefix, old) && **old != prefix);
        if let Some(old) = clash {
            return Err(Refusal::Facts(format!(
                "ERR Prefix '{}' overlaps with an existing prefix '{}'. Prefixes for a single \
                 client must not overlap.",
                args::shown(prefix),
                args::shown(old)
            )));
        }
        let clash = new[place + 1..]
            .iter()
            .find(|other| overlaps(prefix, other));
        if let Some(other) = clash {
            return Err(Refusal::Facts(format!(
                "ERR Prefix '{}' overlaps with another provided prefix '{}'. Prefixes for a \
                 single client must not overlap.",
                args::shown(prefix),
                args::shown(other)
            )));
        }
    }
    Ok(())
}

/// CLIENT CACHING.
pub fn caching(call: &mut Call) -> Answer {
    let word = args::word(call.arg(2));
    let tracking = call.session().and_then(|session| session.tracking.as_mut());
    let Some(tracking) = tracking else {
        return Err(Refusal::Text(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with \
             OPTIN or OPTOUT mode enabled",
        ));
    };
    match (word.as_str(), &tracking.mode) {
        ("yes", Mode::OptIn) | ("no", Mode::OptOut) => {
            tracking.caching = Some(Caching::Said);
            Ok(Reply::OK)
        }
        ("yes", _) => Err(Refusal::Text(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        )),
        ("no", _) => Err(Refusal::Text(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        )),
        _ => Err(Refusal::Syntax),
    }
}

/// CLIENT GETREDIR.
pub fn getredir(call: &mut Call) -> Answer {
    let tracking = call.session().and_then(|session| session.tracking.as_ref());
    let redirect = tracking.map(|tracking| tracking.redirect.map_or(0, |id| id.0 as i64));
    Ok(Reply::Integer(redirect.unwrap_or(-1)))
}

/// CLIENT TRACKINGINFO.
pub fn trackinginfo(call: &mut Call) -> Answer {
    let tracking = call.session().and_then(|session| session.tracking.as_ref());
    let mut flags = Vec::new();
    let mut prefixes = Vec::new();
    match tracking {
        None => flags.push("off"),
        Some(tracking) => {
            flags.push("on");
            let said = tracking.caching.is_some();
            match &tracking.mode {
                Mode::Default => {}
                Mode::OptIn => {
                    flags.extend(["optin"].into_iter().chain(said.then_some("caching-yes")))
                }
                Mode::OptOut => {
                    flags.extend(["optout"].into_iter().chain(said.then_some("caching-no")))
                }
                Mode::Broadcast(of) => {
                    flags.push("bcast");
                    prefixes.extend(of.iter().cloned().map(Reply::Bulk));
                }
            }
            flags.extend((tracking.own == OwnChanges::Left).then_some("noloop"));
            flags.extend(tracking.is_broken.then_some("broken_redirect"));
        }
    }
    let redirect = tracking.map_or(-1, |t| t.redirect.map_or(0, |id| id.0 as i64));
    Ok(Reply::Map(vec![
        (
            Reply::text("flags"),
            Reply::Set(flags.into_iter().map(Reply::text).collect()),
        ),
        (Reply::text("redirect"), Reply::Integer(redirect)),
        (Reply::text("prefixes"), Reply::Array(prefixes)),
    ]))
}

/// Letters for CLIENT LIST, and who is told in its place.
pub fn listed(session: &Session) -> (String, i64) {
    let Some(tracking) = &session.tracking else {
        return (String::new(), -1);
    };
    let mut letters = String::from("t");
    if tracking.is_broken {
        letters.push('R');
    }
    if matches!(tracking.mode, Mode::Broadcast(_)) {
        letters.push('B');
    }
    (letters, tracking.redirect.map_or(0, |id| id.0 as i64))
}

/// A client tracks no more.
pub fn stop(parts: &mut Parts, client: ClientId) {
    if let Some(session) = parts.clients.get_mut(client) {
        session.tracking = None;
    }
}

/// A command read these keys: its client is to be told when they change.
pub fn remember(parts: &mut Parts, client: ClientId, command: &Command, keys: &[&Bytes]) {
    let Some(tracking) = parts.clients.get(client).and_then(|s| s.tracking.as_ref()) else {
        return;
    };
    let is_remembered = match (&tracking.mode, tracking.caching) {
        (Mode::Broadcast(_), _) => false,
        (Mode::OptIn, caching) => caching.is_some(),
        (Mode::OptOut, caching) => caching.is_none(),
        (Mode::Default, _) => true,
    };
    if !is_remembered || !command.has(Flag::Readonly) {
        return;
    }
    let readers = &mut parts.server.readers.keys;
    for key in keys {
        readers.entry((*key).clone()).or_default().insert(client);
    }
}

/// A command of this client is over, and answered: those who are to know are told.
pub fn tell(parts: &mut Parts, by: Option<ClientId>) {
    // As nearly always: nobody tracks, and nothing was noted.
    if !parts.keyspace.notes_changes() && parts.server.readers.is_empty() {
        return;
    }
    keep_changes(parts);
    let changes = std::mem::take(&mut parts.server.readers.changes);
    if changes.is_flushed {
        parts.server.readers.keys.clear();
        let all: Vec<ClientId> = trackers(parts).map(|(id, _)| id).collect();
        for client in all {
            send(parts, client, Reply::Nil);
        }
    }
    tell_prefixes(parts, &changes.keys, by);
    for key in changes.keys {
        let readers = parts.server.readers.keys.remove(&key).unwrap_or_default();
        let told: Vec<ClientId> = trackers(parts)
            .filter(|(id, tracking)| {
                let is_broadcast = matches!(tracking.mode, Mode::Broadcast(_));
                let is_own = tracking.own == OwnChanges::Left && by == Some(*id);
                readers.contains(id) && !is_broadcast && !is_own
            })
            .map(|(id, _)| id)
            .collect();
        for client in told {
            send(parts, client, Reply::Array(vec![Reply::Bulk(key.clone())]));
        }
    }
    let is_idle = trackers(parts).next().is_none();
    if is_idle && !notifications::are_wanted(parts) {
        parts.keyspace.ignore_changes();
        parts.server.readers = Readers::default();
    }
}

/// Moves what the keyspace noted to what clients are to be told of; gives the keys of it.
pub fn keep_changes(parts: &mut Parts) -> Vec<Bytes> {
    let Some(changes) = parts.keyspace.take_changes() else {
        return Vec::new();
    };
    let kept = &mut parts.server.readers.changes;
    kept.is_flushed |= changes.is_flushed;
    kept.keys.extend(changes.keys.iter().cloned());
    changes.keys.into_iter().collect()
}

// One message for each prefix, with all its keys.
fn tell_prefixes(parts: &mut Parts, keys: &BTreeSet<Bytes>, by: Option<ClientId>) {
    let mut messages = Vec::new();
    for (client, tracking) in trackers(parts) {
        let Mode::Broadcast(prefixes) = &tracking.mode else {
            continue;
        };
        if tracking.own == OwnChanges::Left && by == Some(client) {
            continue;
        }
        for prefix in prefixes {
            let of_prefix = keys.iter().filter(|key| key.starts_with(prefix)).cloned();
            let of_prefix: Vec<Reply> = of_prefix.map(Reply::Bulk).collect();
            if !of_prefix.is_empty() {
                messages.push((client, Reply::Array(of_prefix)));
            }
        }
    }
    for (client, keys) in messages {
        send(parts, client, keys);
    }
}

/// CLIENT CACHING is about the next command only, or all of a transaction.
pub fn end_of_command(session: &mut Session) {
    let is_inside = session.transaction.is_some();
    if let Some(tracking) = &mut session.tracking {
        tracking.caching = match tracking.caching {
            Some(Caching::Said) => Some(Caching::Applies),
            Some(Caching::Applies) if is_inside => Some(Caching::Applies),
            Some(Caching::Applies) | None => None,
        };
    }
}

fn trackers<'a>(parts: &'a Parts) -> impl Iterator<Item = (ClientId, &'a Tracking)> {
    let sessions = parts.clients.iter();
    sessions.filter_map(|session| Some((session.id, session.tracking.as_ref()?)))
}

fn send(parts: &mut Parts, client: ClientId, keys: Reply) {
    let redirect = parts
        .clients
        .get(client)
        .and_then(|session| session.tracking.as_ref()?.redirect);
    let target = redirect.unwrap_or(client);
    let Some(session) = parts.clients.get(target) else {
        let gone = Reply::Integer(target.0 as i64);
        if let Some(tracking) = parts
            .clients
            .get_mut(client)
            .and_then(|s| s.tracking.as_mut())
        {
            tracking.is_broken = true;
        }
        if parts.clients.get(client).map(|s| s.protocol) == Some(Protocol::Resp3) {
            let push = vec![Reply::text("tracking-redir-broken"), gone];
            parts.push(client, Reply::Push(push));
        }
        return;
    };
    let is_subscriber = session.is_subscriber();
    match session.protocol {
        Protocol::Resp3 => {
            parts.push(target, Reply::Push(vec![Reply::text("invalidate"), keys]));
        }
        Protocol::Resp2 if redirect.is_some() && is_subscriber => {
            let channel = Reply::text("__redis__:invalidate");
            parts.push(
                target,
                Reply::Array(vec![Reply::text("message"), channel, keys]),
            );
        }
        // RESP2 knows no pushes.
        Protocol::Resp2 => {}
    }
}

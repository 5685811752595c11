//! The command table: one row per command, gathered from the files of the groups.
//!
//! A row says what the way through the node must know before the handler runs: arity, flags and
//! where the keys are (RD-18).

use std::sync::OnceLock;

use bytes::Bytes;

use crate::commands::name_index::NameIndex;
use crate::commands::parts::{Answer, Call};
use crate::resp::errors::Refusal;

/// One command.
pub struct Command {
    /// Its name, lower case.
    pub name: &'static str,
    /// Number of arguments, the name included; negative: at least so many.
    pub arity: i64,
    /// What it does and what it may.
    pub flags: &'static [Flag],
    /// Where its keys are.
    pub keys: Keys,
    /// What runs it.
    pub handler: Handler,
    /// The group it belongs to, as in COMMAND DOCS.
    pub group: &'static str,
}

/// What runs a command.
pub type Handler = fn(&mut Call) -> Answer;

/// A property of a command; the names are those of COMMAND INFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// Changes data.
    Write,
    /// Reads data.
    Readonly,
    /// Needs memory.
    Denyoom,
    /// Administration.
    Admin,
    /// Publishing and subscribing.
    Pubsub,
    /// Not from scripts.
    Noscript,
    /// May block its client.
    Blocking,
    /// Allowed while loading.
    Loading,
    /// Allowed on a replica without its master.
    Stale,
    /// Not counted as slow.
    Fast,
    /// Allowed without AUTH.
    NoAuth,
    /// Implies ASKING (SM-08).
    Asking,
    /// Not inside MULTI.
    NoMulti,
    /// Its keys are not at fixed places.
    Movablekeys,
    /// Held back with writes by a pause (PUBLISH, MF-05).
    MayReplicate,
}

impl Flag {
    /// Its name in COMMAND INFO.
    pub fn name(self) -> &'static str {
        match self {
            Flag::Write => "write",
            Flag::Readonly => "readonly",
            Flag::Denyoom => "denyoom",
            Flag::Admin => "admin",
            Flag::Pubsub => "pubsub",
            Flag::Noscript => "noscript",
            Flag::Blocking => "blocking",
            Flag::Loading => "loading",
            Flag::Stale => "stale",
            Flag::Fast => "fast",
            Flag::NoAuth => "no_auth",
            Flag::Asking => "asking",
            Flag::NoMulti => "no_multi",
            Flag::Movablekeys => "movablekeys",
            Flag::MayReplicate => "may_replicate",
        }
    }
}

/// Where the keys of a command are.
#[derive(Clone, Copy)]
pub enum Keys {
    /// It has none.
    None,
    /// From the first to the last place (negative: from the end) in steps.
    Range(usize, i64, usize),
    /// A count at this place, that many keys after it; and a key at the second place, if not 0.
    Counted(usize, usize),
    /// Told by its arguments.
    Movable(fn(&[Bytes]) -> Vec<usize>),
    /// Shard channels, from this place on; they hash like keys (PU-06).
    ShardChannels(usize, i64),
}

/// A row with keys.
pub const fn keyed(
    name: &'static str,
    arity: i64,
    flags: &'static [Flag],
    keys: Keys,
    handler: Handler,
    group: &'static str,
) -> Command {
    Command {
        name,
        arity,
        flags,
        keys,
        handler,
        group,
    }
}

/// A row without keys.
pub const fn keyless(
    name: &'static str,
    arity: i64,
    flags: &'static [Flag],
    handler: Handler,
    group: &'static str,
) -> Command {
    Command {
        name,
        arity,
        flags,
        keys: Keys::None,
        handler,
        group,
    }
}

impl Command {
    /// Whether it has this flag.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Whether this many arguments, the name included, fit.
    pub fn fits(&self, count: usize) -> bool {
        let count = count as i64;
        if self.arity >= 0 {
            count == self.arity
        } else {
            count >= -self.arity
        }
    }

    /// Places of the keys among the arguments; none where the arguments make no sense.
    pub fn key_places(&self, args: &[Bytes]) -> Vec<usize> {
        match self.keys {
            Keys::None => Vec::new(),
            Keys::Range(first, last, step) => range(first, last, step, args.len()).collect(),
            Keys::ShardChannels(first, last) => range(first, last, 1, args.len()).collect(),
            Keys::Counted(place, extra) => counted(args, place, extra),
            Keys::Movable(places) => {
                let mut found = places(args);
                found.retain(|place| *place < args.len());
                found
            }
        }
    }

    /// Its keys.
    pub fn keys<'a>(&self, args: &'a [Bytes]) -> Vec<&'a Bytes> {
        match self.keys {
            Keys::None => Vec::new(),
            // By far the most: without a list of places first.
            Keys::Range(first, last, step) => {
                let places = range(first, last, step, args.len());
                places.map(|place| &args[place]).collect()
            }
            Keys::ShardChannels(..) | Keys::Counted(..) | Keys::Movable(_) => {
                let places = self.key_places(args).into_iter();
                places.map(|place| &args[place]).collect()
            }
        }
    }
}

/// The row of a command, whatever its case.
pub fn find(name: &[u8]) -> Option<&'static Command> {
    if name.len() > NAME_LEN_MAX {
        return None;
    }
    let mut lower = [0; NAME_LEN_MAX];
    let lower = &mut lower[..name.len()];
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    index().get(lower).copied()
}

/// Every row, by name.
pub fn all() -> impl Iterator<Item = &'static Command> {
    index().values().copied()
}

/// The error for a command that is not in the table, upstream's way of quoting it.
pub fn unknown(args: &[Bytes]) -> Refusal {
    let name = String::from_utf8_lossy(&args[0])
        .chars()
        .take(128)
        .collect();
    let mut shown = String::new();
    for arg in &args[1..] {
        if shown.len() >= 128 {
            break;
        }
        let room = 128 - shown.len();
        let text: String = String::from_utf8_lossy(arg).chars().take(room).collect();
        shown += &format!("'{text}' ");
    }
    Refusal::UnknownCommand { name, args: shown }
}

fn index() -> &'static NameIndex<&'static Command> {
    static INDEX: OnceLock<NameIndex<&'static Command>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let groups = super::GROUPS.iter().flat_map(|group| group.iter());
        NameIndex::new(groups.map(|command| (command.name, command)))
    })
}

fn range(first: usize, last: i64, step: usize, count: usize) -> impl Iterator<Item = usize> {
    let last = if last < 0 { count as i64 + last } else { last };
    let end = usize::try_from(last + 1).unwrap_or(0).min(count);
    (first..end).step_by(step)
}

fn counted(args: &[Bytes], place: usize, extra: usize) -> Vec<usize> {
    let count = args
        .get(place)
        .and_then(|text| crate::keyspace::parse_integer(text));
    let count = usize::try_from(count.unwrap_or(0)).unwrap_or(0);
    let room = args.len().saturating_sub(place + 1);
    if count == 0 || count > room {
        return Vec::new();
    }
    let extra = (extra != 0).then_some(extra);
    extra.into_iter().chain(place + 1..=place + count).collect()
}

const NAME_LEN_MAX: usize = 64;

//! COMMAND and its subcommands: what a client can learn of the commands.
//!
//! Everything told is in the catalogue; the prose of COMMAND DOCS is left out.

use bytes::Bytes;

use crate::commands::args::{self, glob, is_word};
use crate::commands::catalogue::{self, Row, Spec, Step};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{self, Command, Flag, Keys, keyless};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

/// The rows of this group.
pub const COMMANDS: &[Command] = &[keyless(
    "command",
    -1,
    &[Flag::Loading, Flag::Stale],
    command,
    "server",
)];

fn command(call: &mut Call) -> Answer {
    let Some(subcommand) = call.args.get(1) else {
        return Ok(Reply::Array(commands().map(info).collect()));
    };
    let rest = &call.args[2..];
    match args::word(subcommand).as_str() {
        "count" => Ok(Reply::Integer(commands().count() as i64)),
        "info" if rest.is_empty() => Ok(Reply::Array(commands().map(info).collect())),
        "info" => {
            let rows = rest.iter().map(|name| catalogue::find(name));
            let rows = rows.map(|row| row.map_or(Reply::Nil, info));
            Ok(Reply::Array(rows.collect()))
        }
        "docs" => Ok(docs(rest)),
        "list" => list(rest),
        "getkeys" => keys_of(rest),
        "getkeysandflags" => keys_and_flags_of(rest),
        "help" => Ok(help()),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(subcommand),
            "COMMAND".into(),
        )),
    }
}

fn commands() -> impl Iterator<Item = &'static Row> {
    catalogue::all().filter(|row| !row.name.contains('|'))
}

// The ten elements of COMMAND INFO.
fn info(row: &'static Row) -> Reply {
    let place = |place: usize| Reply::Integer(row.places.get(place).copied().unwrap_or(0));
    let categories = row.categories.iter().map(|name| format!("@{name}"));
    Reply::Array(vec![
        Reply::text(row.name),
        Reply::Integer(row.arity),
        Reply::Set(row.flags.iter().copied().map(Reply::Simple).collect()),
        place(0),
        place(1),
        place(2),
        Reply::Set(categories.map(Reply::Status).collect()),
        Reply::Set(row.tips.iter().map(Reply::text).collect()),
        Reply::Set(row.specs.iter().map(spec).collect()),
        Reply::Set(catalogue::subcommands(row.name).map(info).collect()),
    ])
}

fn spec(spec: &Spec) -> Reply {
    let flags = spec.flags.iter().copied().map(Reply::Simple).collect();
    Reply::Map(vec![
        (Reply::text("flags"), Reply::Set(flags)),
        (Reply::text("begin_search"), step(&spec.begin)),
        (Reply::text("find_keys"), step(&spec.find)),
    ])
}

fn step(step: &Step) -> Reply {
    let names: &[&str] = match step.kind {
        "index" => &["index"],
        "keyword" => &["keyword", "startfrom"],
        "range" => &["lastkey", "keystep", "limit"],
        "keynum" => &["keynumidx", "firstkey", "keystep"],
        _ => &[],
    };
    let value = |word: &str| match word.parse() {
        Ok(number) => Reply::Integer(number),
        Err(_) => Reply::text(word),
    };
    let words = names.iter().zip(&step.words);
    let words = words.map(|(name, word)| (Reply::text(name), value(word)));
    Reply::Map(vec![
        (Reply::text("type"), Reply::text(step.kind)),
        (Reply::text("spec"), Reply::Map(words.collect())),
    ])
}

fn docs(names: &[Bytes]) -> Reply {
    if names.is_empty() {
        return Reply::Map(commands().map(doc).collect());
    }
    let rows = names.iter().filter_map(|name| catalogue::find(name));
    Reply::Map(rows.map(doc).collect())
}

fn doc(row: &'static Row) -> (Reply, Reply) {
    let mut facts = vec![
        (Reply::text("since"), Reply::text(row.since)),
        (Reply::text("group"), Reply::text(row.group)),
    ];
    let subcommands: Vec<_> = catalogue::subcommands(row.name).map(doc).collect();
    if !subcommands.is_empty() {
        facts.push((Reply::text("subcommands"), Reply::Map(subcommands)));
    }
    (Reply::text(row.name), Reply::Map(facts))
}

fn list(rest: &[Bytes]) -> Answer {
    let names = |fits: &dyn Fn(&&Row) -> bool| {
        let rows = catalogue::all().filter(|row| fits(row));
        Ok(Reply::Array(
            rows.map(|row| Reply::text(row.name)).collect(),
        ))
    };
    match rest {
        [] => names(&|_| true),
        [filter, kind, value] if is_word(filter, "filterby") => match args::word(kind).as_str() {
            "module" => names(&|_| false),
            "aclcat" => {
                let category = args::word(value);
                names(&|row| row.categories.contains(&category.as_str()))
            }
            "pattern" => names(&|row| glob(&value.to_ascii_lowercase(), row.name.as_bytes())),
            _ => Err(Refusal::Syntax),
        },
        _ => Err(Refusal::Syntax),
    }
}

// The places of the keys of a whole command line.
fn places_of(words: &[Bytes]) -> Result<(&'static Row, Vec<usize>), Refusal> {
    let command = table::find(&words[0]).ok_or(Refusal::InvalidCommandGetkeys)?;
    let row = catalogue::called(command.name, words);
    let row = row.ok().flatten().ok_or(Refusal::InvalidCommandGetkeys)?;
    let is_keyless = match command.keys {
        Keys::None | Keys::ShardChannels(..) => true,
        Keys::Range(..) | Keys::Counted(..) | Keys::Movable(_) => row.specs.is_empty(),
    };
    if is_keyless {
        return Err(Refusal::NoKeyArguments);
    }
    if !row.fits(words.len()) {
        return Err(Refusal::InvalidArgumentsGetkeys);
    }
    let places = command.key_places(words);
    match places.is_empty() {
        true => Err(Refusal::InvalidArgumentsGetkeys),
        false => Ok((row, places)),
    }
}

fn keys_of(words: &[Bytes]) -> Answer {
    let (_, places) = places_of(words)?;
    let keys = places.into_iter().map(|place| words[place].clone());
    Ok(Reply::Array(keys.map(Reply::Bulk).collect()))
}

fn keys_and_flags_of(words: &[Bytes]) -> Answer {
    let (row, places) = places_of(words)?;
    let pairs = places.into_iter().map(|place| {
        let is_of = |spec: &&Spec| spec.places(words).is_some_and(|of| of.contains(&place));
        // A place that no specification can tell belongs to the last of them.
        let spec = row.specs.iter().find(is_of).or(row.specs.last());
        let flags = spec.map_or(&[][..], |spec| &spec.flags);
        // What SET does with its key depends on GET.
        let gets = words.iter().skip(3).any(|word| is_word(word, "get"));
        let flags = match (row.name, gets) {
            ("set", false) => &["OW", "update"][..],
            ("set", true) => &["RW", "access", "update"][..],
            _ => flags,
        };
        let flags = flags.iter().copied().map(Reply::Simple);
        let key = Reply::Bulk(words[place].clone());
        Reply::Array(vec![key, Reply::Set(flags.collect())])
    });
    Ok(Reply::Array(pairs.collect()))
}

fn help() -> Reply {
    crate::commands::help::of(
        "COMMAND",
        &[
            "(no subcommand)",
            "COUNT",
            "DOCS [<command-name> ...]",
            "GETKEYS <full-command>",
            "GETKEYSANDFLAGS <full-command>",
            "INFO [<command-name> ...]",
            "LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
        ],
    )
}

//! What is told of each command and subcommand: arity, flags, keys, ACL categories (COMMAND, ACL).
//!
//! The facts are those of 7.0.15, one line each in `catalogue.txt`. A row is only of use where the
//! table has a command of that name; what runs it, and how it is routed, is said there. Here a
//! subcommand that does not exist, or has too few arguments, is refused before anything runs.

use std::sync::OnceLock;

use bytes::Bytes;

use crate::commands::args;
use crate::commands::name_index::NameIndex;
use crate::commands::table;
use crate::resp::errors::Refusal;

/// One command or subcommand.
#[derive(Debug)]
pub struct Row {
    /// Its name; `config|get` for a subcommand.
    pub name: &'static str,
    /// Number of arguments, the names included; negative: at least so many.
    pub arity: i64,
    /// Names of its flags.
    pub flags: Vec<&'static str>,
    /// First key, last key, step.
    pub places: Vec<i64>,
    /// ACL categories, without the `@`.
    pub categories: Vec<&'static str>,
    /// Tips for clients.
    pub tips: Vec<&'static str>,
    /// Where its keys are, and what is done with them.
    pub specs: Vec<Spec>,
    /// The group it belongs to.
    pub group: &'static str,
    /// The version it came with.
    pub since: &'static str,
    /// Whether it has subcommands.
    pub is_container: bool,
}

/// One key specification.
#[derive(Debug)]
pub struct Spec {
    /// What is done with the keys.
    pub flags: Vec<&'static str>,
    /// Where to begin.
    pub begin: Step,
    /// Which are keys from there.
    pub find: Step,
}

/// One step of a key specification: its type and its words.
#[derive(Debug)]
pub struct Step {
    /// `index`, `keyword`, `range`, `keynum` or `unknown`.
    pub kind: &'static str,
    /// What belongs to the type, in its order.
    pub words: Vec<&'static str>,
}

/// The name under which a call is counted and shown: `config|get`.
pub fn full_name(name: &'static str, words: &[Bytes]) -> &'static str {
    if !may_have_subcommands(name) {
        return name;
    }
    let row = called(name, words).ok().flatten();
    row.map_or(name, |row| row.name)
}

/// Asked for each command that runs, and nearly all have none: without a look at the catalogue,
/// which a test compares with it.
fn may_have_subcommands(name: &str) -> bool {
    matches!(
        name,
        "acl"
            | "client"
            | "cluster"
            | "command"
            | "config"
            | "function"
            | "latency"
            | "memory"
            | "module"
            | "object"
            | "pubsub"
            | "script"
            | "slowlog"
            | "xgroup"
            | "xinfo"
    )
}

/// The row of this name, if the table has its command.
pub fn find(name: &[u8]) -> Option<&'static Row> {
    let name = name.to_ascii_lowercase();
    let row = index().get(name.as_slice())?;
    table::find(container(row.name).as_bytes()).map(|_| row)
}

/// Every row whose command is in the table, by name.
pub fn all() -> impl Iterator<Item = &'static Row> {
    let is_known = |row: &&Row| table::find(container(row.name).as_bytes()).is_some();
    index().values().filter(is_known)
}

/// The subcommands of a command, by name.
pub fn subcommands(name: &'static str) -> impl Iterator<Item = &'static Row> {
    let is_of = move |row: &&Row| row.name.contains('|') && container(row.name) == name;
    index().values().filter(is_of)
}

/// The row of what was called: a subcommand, where the command has them.
///
/// # Errors
/// There is no such subcommand, or it takes another number of arguments.
pub fn called(name: &'static str, words: &[Bytes]) -> Result<Option<&'static Row>, Refusal> {
    let Some(row) = index().get(name.as_bytes()) else {
        return Ok(None);
    };
    let (Some(word), true) = (words.get(1), row.is_container) else {
        return Ok(Some(row));
    };
    let full = format!("{name}|{}", args::word(word));
    let Some(row) = index().get(full.as_bytes()) else {
        let shown: String = args::shown(word).chars().take(128).collect();
        return Err(Refusal::UnknownSubcommand(shown, name.to_uppercase()));
    };
    match row.fits(words.len()) {
        true => Ok(Some(row)),
        false => Err(Refusal::Arity(full)),
    }
}

impl Row {
    /// Whether this many arguments, the names included, fit.
    pub fn fits(&self, count: usize) -> bool {
        let count = count as i64;
        count == self.arity || (self.arity < 0 && count >= -self.arity)
    }
}

impl Spec {
    /// Places of the keys among the arguments; none where it cannot be told.
    pub fn places(&self, words: &[Bytes]) -> Option<Vec<usize>> {
        let number =
            |step: &Step, place: usize| -> Option<i64> { step.words.get(place)?.parse().ok() };
        let count = i64::try_from(words.len()).ok()?;
        let begin = match self.begin.kind {
            "index" => number(&self.begin, 0)?,
            "keyword" => self.keyword(words)?,
            _ => return None,
        };
        let (first, last, step) = match self.find.kind {
            "range" => {
                let (last, step) = (number(&self.find, 0)?, number(&self.find, 1)?);
                let limit = number(&self.find, 2)?;
                let last = match (last, limit) {
                    (0.., _) => begin + last,
                    (_, 0 | 1) => count + last,
                    (_, limit) => begin + (count - begin) / limit + last,
                };
                (begin, last, step)
            }
            "keynum" => {
                let place = begin + number(&self.find, 0)?;
                let text = words.get(usize::try_from(place).ok()?)?;
                let keys = args::integer(text).ok().filter(|keys| *keys > 0)?;
                let (first, step) = (begin + number(&self.find, 1)?, number(&self.find, 2)?);
                (first, first.checked_add(keys - 1)?, step)
            }
            _ => return None,
        };
        if first < 1 || last >= count || step < 1 {
            return None;
        }
        let places = (first..=last).step_by(usize::try_from(step).ok()?);
        Some(
            places
                .filter_map(|place| usize::try_from(place).ok())
                .collect(),
        )
    }

    // Behind the word; from the end if the place to start at is negative.
    fn keyword(&self, words: &[Bytes]) -> Option<i64> {
        let (word, start) = (self.begin.words.first()?, self.begin.words.get(1)?);
        let start: i64 = start.parse().ok()?;
        let is_word = |text: &Bytes| args::is_word(text, word);
        let place = match usize::try_from(start) {
            Ok(start) => words.iter().skip(start).position(is_word)? + start,
            Err(_) => words.iter().rposition(is_word)?,
        };
        i64::try_from(place + 1).ok()
    }
}

fn container(name: &'static str) -> &'static str {
    name.split('|').next().unwrap_or(name)
}

fn index() -> &'static NameIndex<Row> {
    static INDEX: OnceLock<NameIndex<Row>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let lines = include_str!("catalogue.txt").lines();
        let rows = lines.filter(|line| !line.starts_with('#')).filter_map(row);
        let mut index = NameIndex::new(rows.map(|row| (row.name, row)));
        let names: Vec<&'static str> = index.values().map(|row| row.name).collect();
        for name in names.into_iter().filter(|name| name.contains('|')) {
            if let Some(row) = index.get_mut(container(name).as_bytes()) {
                row.is_container = true;
            }
        }
        index
    })
}

fn row(line: &'static str) -> Option<Row> {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let [
        name,
        arity,
        flags,
        places,
        categories,
        tips,
        specs,
        group,
        since,
    ] = fields[..]
    else {
        return None;
    };
    let specs = specs.split(" / ").filter_map(spec).collect();
    Some(Row {
        name,
        arity: arity.parse().ok()?,
        flags: list(flags),
        places: places
            .split(' ')
            .filter_map(|place| place.parse().ok())
            .collect(),
        categories: list(categories),
        tips: list(tips),
        specs,
        group,
        since,
        is_container: false,
    })
}

fn spec(text: &'static str) -> Option<Spec> {
    let mut parts = text.split(';');
    let flags = list(parts.next()?);
    let mut step = || {
        let mut words = list(parts.next()?).into_iter();
        let kind = words.next()?;
        let words = words.collect();
        Some(Step { kind, words })
    };
    let (begin, find) = (step()?, step()?);
    Some(Spec { flags, begin, find })
}

fn list(text: &'static str) -> Vec<&'static str> {
    text.split(' ').filter(|word| !word.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_table_on_arity() {
        for command in table::all() {
            let row = find(command.name.as_bytes());
            let row = row.unwrap_or_else(|| panic!("{} is not in the catalogue", command.name));
            assert_eq!(row.arity, command.arity, "{}", command.name);
        }
    }

    #[test]
    fn knows_which_commands_have_subcommands() {
        for row in index().values().filter(|row| !row.name.contains('|')) {
            let is_known = may_have_subcommands(row.name);
            assert_eq!(is_known, row.is_container, "{}", row.name);
        }
    }

    #[test]
    fn finds_the_keys_that_the_table_finds() {
        for line in [
            "set a 1",
            "mset a 1 b 2",
            "zunionstore d 2 a b",
            "lmpop 2 a b left",
            "xread count 1 streams a b 0 0",
            "object encoding a",
            "blpop a b 0",
        ] {
            let words: Vec<Bytes> = line.split(' ').map(Bytes::from).collect();
            let name = container(line.split(' ').next().unwrap());
            let row = called(name, &words).unwrap().unwrap();
            let found = row.specs.iter().filter_map(|spec| spec.places(&words));
            let found: Vec<usize> = found.flatten().collect();
            let expected = table::find(name.as_bytes()).unwrap().key_places(&words);
            assert_eq!(found, expected, "{line}");
        }
    }
}

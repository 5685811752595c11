//! Directives by name: aliases, reading, changing, listing.

use std::sync::OnceLock;

use crate::config::settings::{Access, SETTINGS, Setting};
use crate::config::{Config, kinds};

/// Why a directive was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is no such directive.
    #[error("Bad directive or wrong number of arguments")]
    Unknown,
    /// It cannot be changed while the node runs.
    #[error("can't set immutable config")]
    Fixed,
    /// It may be changed only where redis.conf allows it.
    #[error("can't set protected config")]
    Protected,
    /// Its value makes no sense.
    #[error("{0}")]
    Invalid(String),
}

/// A directive that changes nothing in this node.
struct Other {
    name: &'static str,
    access: Access,
    default: &'static str,
}

/// Sets a directive before the start.
///
/// # Errors
/// If there is no such directive, or the value is not one for it.
pub fn set_at_start(config: &mut Config, name: &str, value: &str) -> Result<(), SetError> {
    set(config, name, value, Access::Fixed)
}

/// Sets a directive while the node runs (CONFIG SET).
///
/// # Errors
/// As at the start, and if it cannot be changed any more.
pub fn set_at_runtime(config: &mut Config, name: &str, value: &str) -> Result<(), SetError> {
    set(config, name, value, Access::Runtime)
}

fn set(config: &mut Config, name: &str, value: &str, moment: Access) -> Result<(), SetError> {
    let name = canonical(&name.to_lowercase());
    let check = |access: Access| match (moment, access) {
        (Access::Runtime, Access::Fixed) => Err(SetError::Fixed),
        (Access::Runtime | Access::Fixed, _) => Ok(()),
    };
    if let Some(setting) = find(&name) {
        if access_is_protected(&name, config, moment) {
            return Err(SetError::Protected);
        }
        check(setting.access)?;
        return (setting.write)(config, value).map_err(SetError::Invalid);
    }
    let other = others()
        .iter()
        .find(|other| other.name == name)
        .ok_or(SetError::Unknown)?;
    check(other.access)?;
    if access_is_protected(&name, config, moment) {
        return Err(SetError::Protected);
    }
    let value = kinds::checked(&name, value).map_err(SetError::Invalid)?;
    let is_flag = kinds::is_free(&name) && ["yes", "no"].contains(&other.default);
    if is_flag && !["yes", "no", "local"].contains(&value.to_lowercase().as_str()) {
        return Err(SetError::Invalid("argument must be 'yes' or 'no'".into()));
    }
    config.other.insert(name, value);
    Ok(())
}

// `enable-protected-configs` is read at the start only.
fn access_is_protected(name: &str, config: &Config, moment: Access) -> bool {
    let is_open = value(config, "enable-protected-configs").is_some_and(|value| value != "no");
    moment == Access::Runtime && PROTECTED.contains(&name) && !is_open
}

/// The value of a directive, under any of its names.
pub fn value(config: &Config, name: &str) -> Option<String> {
    let name = canonical(&name.to_lowercase());
    if let Some(setting) = find(&name) {
        return Some((setting.read)(config));
    }
    let other = others().iter().find(|other| other.name == name)?;
    Some(
        config
            .other
            .get(&name)
            .map_or(other.default, String::as_str)
            .into(),
    )
}

/// A number kept under this canonical name among the directives without a room of their own;
/// `usual` is its default there. For the path of every command: it neither copies nor searches.
pub fn number(config: &Config, name: &'static str, usual: i64) -> i64 {
    let changed = config.other.get(name);
    changed.map_or(usual, |text| text.parse().unwrap_or(0))
}

/// Every directive with its value, by name, aliases included (CF-21).
pub fn all(config: &Config) -> Vec<(String, String)> {
    let names = SETTINGS.iter().map(|setting| setting.name);
    let names = names.chain(others().iter().map(|other| other.name));
    let mut pairs = Vec::new();
    for name in names {
        let value = value(config, name).unwrap_or_default();
        for alias in aliases_of(name) {
            pairs.push((alias, value.clone()));
        }
        pairs.push((name.to_string(), value));
    }
    pairs.sort_unstable();
    pairs
}

/// The name under which a directive is kept.
pub fn canonical(name: &str) -> String {
    let is_known = |name: &str| find(name).is_some() || others().iter().any(|o| o.name == name);
    if is_known(name) {
        return name.into();
    }
    let renamed = ALIASES.iter().map(|(old, new)| name.replace(old, new));
    renamed
        .into_iter()
        .find(|name| is_known(name))
        .unwrap_or_else(|| name.into())
}

fn aliases_of(name: &str) -> Vec<String> {
    let renamed = ALIASES.iter().filter(|(_, new)| name.contains(new));
    let candidates = renamed.map(|(old, new)| name.replace(new, old));
    candidates
        .filter(|alias| KNOWN_ALIASES.contains(&alias.as_str()))
        .collect()
}

fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

fn others() -> &'static [Other] {
    static OTHERS: OnceLock<Vec<Other>> = OnceLock::new();
    OTHERS.get_or_init(|| {
        // CF-18, CF-20: known, with upstream's defaults, and without effect here.
        let lines = include_str!("others.txt")
            .lines()
            .filter(|line| !line.starts_with('#'));
        let parts = lines.filter_map(|line| {
            let mut words = line.splitn(3, ' ');
            Some((words.next()?, words.next()?, words.next().unwrap_or("")))
        });
        let access = |word| {
            if word == "fixed" {
                Access::Fixed
            } else {
                Access::Runtime
            }
        };
        parts
            .map(|(name, word, default)| Other {
                name,
                access: access(word),
                default,
            })
            .collect()
    })
}

const PROTECTED: &[&str] = &["dbfilename", "dir"];

const ALIASES: &[(&str, &str)] = &[
    ("slaveof", "replicaof"),
    ("slave", "replica"),
    ("ziplist", "listpack"),
];

const KNOWN_ALIASES: &[&str] = &[
    "cluster-slave-no-failover",
    "cluster-slave-validity-factor",
    "hash-max-ziplist-entries",
    "hash-max-ziplist-value",
    "list-max-ziplist-size",
    "min-slaves-max-lag",
    "min-slaves-to-write",
    "repl-ping-slave-period",
    "slave-announce-ip",
    "slave-announce-port",
    "slave-ignore-maxmemory",
    "slave-lazy-flush",
    "slave-priority",
    "slave-read-only",
    "slave-serve-stale-data",
    "slaveof",
    "zset-max-ziplist-entries",
    "zset-max-ziplist-value",
];

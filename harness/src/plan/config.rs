//! Directives for redis.conf of the nodes, as people give them: `min-replicas-to-write=1`.
//!
//! Names become those of today's upstream. Refused is what the harness needs as it is, what an
//! option of its own sets, and what the simulated world has not got; whether a server knows the
//! directive is for the server to say.

use slotquake_checkers::observation::Directives;

use super::WorldKind;

/// A directive that cannot be given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct ConfigError {
    /// Its name, or the whole word if it has none.
    pub name: String,
    /// Why, and what to do instead.
    pub why: String,
}

impl ConfigError {
    fn new(name: &str, why: impl Into<String>) -> ConfigError {
        ConfigError {
            name: name.into(),
            why: why.into(),
        }
    }
}

/// Reads `NAME=VALUE` words.
///
/// # Errors
/// A word of another form, or a name that is given twice.
pub fn parse(words: &[String]) -> Result<Directives, ConfigError> {
    let mut directives = Directives::default();
    for word in words {
        let Some((name, value)) = word.split_once('=') else {
            let why = format!("give {word:?} as NAME=VALUE, as in min-replicas-to-write=1");
            return Err(ConfigError::new(word, why));
        };
        let name = canonical(name.trim());
        if directives.set(&name, value.trim()).is_some() {
            let why = format!("directive {name} is given twice");
            return Err(ConfigError::new(&name, why));
        }
    }
    Ok(directives)
}

/// The words that [`parse`] reads.
pub fn words(directives: &Directives) -> impl Iterator<Item = String> {
    directives
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
}

/// The lines of redis.conf.
pub fn lines(directives: &Directives) -> impl Iterator<Item = (&str, String)> {
    directives.iter().map(|(name, value)| {
        let shown = match value {
            "" => "\"\"".into(),
            _ => value.into(),
        };
        (name, shown)
    })
}

/// Says why these directives are impossible in this world, if they are.
///
/// # Errors
/// The first one that is, by name.
pub fn validate(directives: &Directives, world: WorldKind) -> Result<(), ConfigError> {
    for (name, value) in directives.iter() {
        let is_plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
        if name.is_empty() || !name.chars().all(is_plain) || name != canonical(name) {
            let why = format!("{name:?} is not the name of a directive in redis.conf");
            return Err(ConfigError::new(name, why));
        }
        if value.chars().any(char::is_control) {
            let why = format!("the value of {name} has characters that redis.conf cannot hold");
            return Err(ConfigError::new(name, why));
        }
        if let Some((_, option)) = OPTIONS.iter().find(|(owned, _)| *owned == name) {
            let why = format!("directive {name} has an option of its own: {option}");
            return Err(ConfigError::new(name, why));
        }
        let is_same = |owned: &&str| match owned.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == *owned,
        };
        if OF_THE_HARNESS.iter().any(&is_same) {
            let why = format!("directive {name} is the harness's to set: leave it out");
            return Err(ConfigError::new(name, why));
        }
        if world == WorldKind::Sim && OF_REAL_DISKS.iter().any(is_same) {
            let why = format!(
                "simulated nodes keep no data on disk, so {name} does nothing there: --world local"
            );
            return Err(ConfigError::new(name, why));
        }
    }
    Ok(())
}

/// The name as today's upstream has it.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    name.replace("slave", "replica")
}

/// Directives that an option sets.
const OPTIONS: &[(&str, &str)] = &[
    ("cluster-node-timeout", "--node-timeout"),
    ("slotquake-mutant", "--mutant"),
    ("slotquake-profile", "--profile"),
];

/// What the harness finds its nodes by, keeps them apart by, and talks to them by. What is evicted
/// for want of memory could not be told from what is lost.
const OF_THE_HARNESS: &[&str] = &[
    "aclfile",
    "bind",
    "bind-source-addr",
    "cluster-announce-*",
    "cluster-config-file",
    "cluster-enabled",
    "cluster-port",
    "cluster-preferred-endpoint-type",
    "daemonize",
    "dir",
    "enable-debug-command",
    "include",
    "loadmodule",
    "logfile",
    "masterauth",
    "masteruser",
    "maxmemory",
    "maxmemory-policy",
    "pidfile",
    "port",
    "protected-mode",
    "rename-command",
    "replica-announce-*",
    "replicaof",
    "requirepass",
    "supervised",
    "tls-*",
    "unixsocket",
    "user",
];

/// What a simulated node has not got.
const OF_REAL_DISKS: &[&str] = &[
    "aof-*",
    "append*",
    "auto-aof-*",
    "dbfilename",
    "no-appendfsync-on-rewrite",
    "rdb*",
    "save",
    "stop-writes-on-bgsave-error",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(words: &[&str], world: WorldKind) -> String {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let directives = parse(&words);
        let refused = directives.and_then(|directives| validate(&directives, world));
        refused.expect_err("refused").why
    }

    #[test]
    fn directives_have_the_names_that_upstream_has_today() {
        let given = ["min-slaves-to-write=1".into(), "save= ".into()];
        let read = parse(&given).expect("directives");
        assert_eq!(read.number("min-replicas-to-write", 0), 1);
        let written: Vec<_> = lines(&read).collect();
        assert_eq!(written[1], ("save", "\"\"".into()));
        assert_eq!(validate(&read, WorldKind::Local), Ok(()));
        let again: Vec<String> = words(&read).collect();
        assert_eq!(parse(&again), Ok(read));
    }

    #[test]
    fn what_cannot_be_given_is_refused_with_a_remedy() {
        let local = |word| refused(&[word], WorldKind::Local);
        assert!(local("hz").contains("NAME=VALUE"));
        assert!(local("=1").contains("not the name"));
        assert!(local("cluster-node-timeout=1").contains("--node-timeout"));
        assert!(local("tls-port=1").contains("harness's"));
        assert!(local("hz=1\nport 1").contains("cannot hold"));
        assert!(refused(&["hz=1", "HZ=2"], WorldKind::Local).contains("twice"));
        assert!(refused(&["appendonly=yes"], WorldKind::Sim).contains("--world local"));
    }
}

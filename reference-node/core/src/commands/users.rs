//! Users and their rights, as ACL rules write them.
//!
//! Rules about commands are kept in the order given, the last that fits decides; rules that
//! repeat an older one replace it. Passwords are kept as digests only.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::commands::acl::CATEGORIES;
use crate::commands::args::{self, glob};
use crate::commands::catalogue::{self, Row};
use crate::commands::sha256::hex_digest;
use crate::config::Config;
use crate::resp::errors::Refusal;

/// Users that ACL SETUSER made or changed.
#[derive(Debug, Clone, Default)]
pub struct Users {
    named: BTreeMap<Bytes, User>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: Bytes,
    is_on: bool,
    needs_password: bool,
    is_reset: bool,
    passwords: BTreeSet<String>,
    /// Of commands: `+` or `-`, and a name or `@category`.
    rules: Vec<(Sign, String)>,
    keys: Vec<(Grant, Bytes)>,
    channels: Vec<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

/// What may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grant {
    /// It may be read.
    Read,
    /// It may be written.
    Write,
    /// Both.
    Both,
}

impl Users {
    /// The user of this name.
    pub fn find(&self, name: &[u8], config: &Config) -> Option<User> {
        match self.named.get(name) {
            Some(user) => Some(user.clone()),
            None => (name == b"default").then(|| default_user(config)),
        }
    }

    /// All users, by name.
    pub fn all(&self, config: &Config) -> Vec<User> {
        let mut all = self.named.clone();
        let name = Bytes::from_static(b"default");
        all.entry(name).or_insert_with(|| default_user(config));
        all.into_values().collect()
    }

    /// Whether anybody but the unchanged default user exists: only then are rights looked at.
    pub fn is_anyone_limited(&self) -> bool {
        !self.named.is_empty()
    }

    /// Takes in a user.
    pub fn put(&mut self, user: User) {
        self.named.insert(user.name.clone(), user);
    }

    /// Removes one; whether it was there.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        self.named.remove(name).is_some()
    }

    /// CONFIG SET requirepass: the default user's password.
    pub fn password_changed(&mut self, password: &str) {
        if let Some(user) = self.named.get_mut(b"default".as_slice()) {
            user.set_password(password);
        }
    }

    /// Whether somebody may log in by this name and password.
    pub fn accepts(&self, name: &[u8], password: &[u8], config: &Config) -> bool {
        self.find(name, config)
            .is_some_and(|user| user.accepts(password))
    }

    /// Whether connections are logged in as `default` from the start.
    pub fn is_open(&self, config: &Config) -> bool {
        let user = self.find(b"default", config);
        user.is_some_and(|user| user.is_on && !user.needs_password)
    }
}

fn default_user(config: &Config) -> User {
    let mut user = User::new(Bytes::from_static(b"default"));
    user.is_on = true;
    user.rules = vec![(Sign::Plus, "@all".into())];
    user.keys = vec![(Grant::Both, Bytes::from_static(b"*"))];
    user.channels = vec![Bytes::from_static(b"*")];
    user.set_password(&config.requirepass);
    user
}

impl User {
    /// One who may do nothing.
    pub fn new(name: Bytes) -> User {
        User {
            name,
            is_on: false,
            needs_password: true,
            is_reset: false,
            passwords: BTreeSet::new(),
            rules: vec![(Sign::Minus, "@all".into())],
            keys: Vec::new(),
            channels: Vec::new(),
        }
    }

    fn set_password(&mut self, password: &str) {
        self.needs_password = !password.is_empty();
        self.passwords.clear();
        if self.needs_password {
            self.passwords.insert(hex_digest(password.as_bytes()));
        }
    }

    fn accepts(&self, password: &[u8]) -> bool {
        let is_right = !self.needs_password || self.passwords.contains(&hex_digest(password));
        self.is_on && is_right
    }

    /// Applies one rule of ACL SETUSER.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn apply(&mut self, rule: &Bytes) -> Result<(), &'static str> {
        let text = args::shown(rule);
        let mut letters = text.chars();
        let first = letters.next();
        let rest = letters.as_str();
        match (args::word(rule).as_str(), first) {
            ("on", _) => self.is_on = true,
            ("off", _) => self.is_on = false,
            ("nopass", _) => {
                self.needs_password = false;
                self.passwords.clear();
            }
            ("resetpass", _) => {
                self.needs_password = true;
                self.passwords.clear();
            }
            ("reset", _) => {
                *self = User::new(self.name.clone());
                self.is_reset = true;
            }
            ("sanitize-payload", _) => self.is_reset = true,
            ("skip-sanitize-payload" | "clearselectors", _) => {}
            ("allkeys", _) => self.keys = vec![(Grant::Both, Bytes::from_static(b"*"))],
            ("resetkeys", _) => self.keys.clear(),
            ("allchannels", _) => self.channels = vec![Bytes::from_static(b"*")],
            ("resetchannels", _) => self.channels.clear(),
            ("allcommands", _) => self.set_rule(Sign::Plus, "@all"),
            ("nocommands", _) => self.set_rule(Sign::Minus, "@all"),
            (_, Some('+')) => self.command_rule(Sign::Plus, rest)?,
            (_, Some('-')) => self.command_rule(Sign::Minus, rest)?,
            (_, Some('>')) => {
                self.needs_password = true;
                self.passwords.insert(hex_digest(&rule[1..]));
            }
            (_, Some('<')) => self.forget_password(&hex_digest(&rule[1..]))?,
            (_, Some('#')) => {
                check_digest(rest)?;
                self.needs_password = true;
                self.passwords.insert(rest.into());
            }
            (_, Some('!')) => {
                check_digest(rest)?;
                self.forget_password(rest)?;
            }
            (_, Some('~')) => self.key_rule(Grant::Both, rule.slice(1..))?,
            (_, Some('%')) => self.limited_key_rule(rule)?,
            (_, Some('&')) => self.channel_rule(rule.slice(1..))?,
            _ => return Err("Syntax error"),
        }
        Ok(())
    }

    fn forget_password(&mut self, digest: &str) -> Result<(), &'static str> {
        let was_there = self.passwords.remove(digest);
        let why = "The password you are trying to remove from the user does not exist";
        was_there.then_some(()).ok_or(why)
    }

    fn command_rule(&mut self, sign: Sign, name: &str) -> Result<(), &'static str> {
        let name = name.to_lowercase();
        let is_known = match name.strip_prefix('@') {
            Some(category) => category == "all" || CATEGORIES.contains(&category),
            None => catalogue::find(name.as_bytes()).is_some(),
        };
        if !is_known {
            return Err("Unknown command or category name in ACL");
        }
        self.set_rule(sign, &name);
        Ok(())
    }

    fn set_rule(&mut self, sign: Sign, name: &str) {
        if name == "@all" {
            self.rules.clear();
        }
        let is_under = |other: &str| other.strip_prefix(name).is_some_and(|r| r.starts_with('|'));
        self.rules
            .retain(|(_, other)| other != name && !is_under(other));
        self.rules.push((sign, name.into()));
    }

    fn limited_key_rule(&mut self, rule: &Bytes) -> Result<(), &'static str> {
        let end = rule
            .iter()
            .position(|byte| *byte == b'~')
            .ok_or("Syntax error")?;
        let grant = match rule[1..end].to_ascii_uppercase().as_slice() {
            b"R" => Grant::Read,
            b"W" => Grant::Write,
            b"RW" | b"WR" => Grant::Both,
            _ => return Err("Syntax error"),
        };
        self.key_rule(grant, rule.slice(end + 1..))
    }

    fn key_rule(&mut self, grant: Grant, pattern: Bytes) -> Result<(), &'static str> {
        if self.has_all_keys() {
            return Err(
                "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and \
                 does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
            );
        }
        if &pattern[..] == b"*" && grant == Grant::Both {
            self.keys.clear();
        }
        if !self.keys.contains(&(grant, pattern.clone())) {
            self.keys.push((grant, pattern));
        }
        Ok(())
    }

    fn channel_rule(&mut self, pattern: Bytes) -> Result<(), &'static str> {
        if self.channels.iter().any(|channel| channel == "*") {
            return Err(
                "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid \
                 and does not have any effect. Try 'resetchannels' to start with an empty list of \
                 channels",
            );
        }
        if &pattern[..] == b"*" {
            self.channels.clear();
        }
        if !self.channels.contains(&pattern) {
            self.channels.push(pattern);
        }
        Ok(())
    }

    /// Whether it may run a command, or this subcommand of it.
    pub fn may_run(&self, command: &str, row: Option<&Row>) -> bool {
        let fits = |name: &str| match name.strip_prefix('@') {
            Some("all") => true,
            Some(category) => row.is_some_and(|row| row.categories.contains(&category)),
            None => name == command || row.is_some_and(|row| row.name == name),
        };
        let mut deciding = self.rules.iter().rev();
        let last = deciding.find(|(_, name)| fits(name));
        last.is_some_and(|(sign, _)| *sign == Sign::Plus)
    }

    /// Whether it may use every key.
    pub fn has_all_keys(&self) -> bool {
        let all = (Grant::Both, Bytes::from_static(b"*"));
        self.keys.contains(&all)
    }

    /// Whether it may do this with a key.
    pub fn may_touch(&self, key: &[u8], grant: Grant) -> bool {
        let fits = |(given, _): &&(Grant, Bytes)| *given == Grant::Both || *given == grant;
        let mut patterns = self.keys.iter().filter(fits);
        patterns.any(|(_, pattern)| glob(pattern, key))
    }

    /// Whether it may use a channel.
    pub fn may_use(&self, channel: &[u8]) -> bool {
        self.channels.iter().any(|pattern| glob(pattern, channel))
    }

    /// Whether it may subscribe to a pattern: word for word.
    pub fn may_use_pattern(&self, wanted: &[u8]) -> bool {
        let mut patterns = self.channels.iter();
        patterns.any(|pattern| &pattern[..] == b"*" || &pattern[..] == wanted)
    }

    /// Its flags.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        flags.extend((!self.needs_password).then_some("nopass"));
        flags.extend(self.is_reset.then_some("sanitize-payload"));
        flags.into_iter().map(String::from).collect()
    }

    /// Digests of its passwords.
    pub fn passwords(&self) -> Vec<String> {
        self.passwords.iter().cloned().collect()
    }

    /// Its rules about commands.
    pub fn commands(&self) -> String {
        let shown = self.rules.iter().map(|(sign, name)| match sign {
            Sign::Plus => format!("+{name}"),
            Sign::Minus => format!("-{name}"),
        });
        let starts_open = self.rules.first().is_some_and(|(_, name)| name == "@all");
        let base = (!starts_open).then(|| "-@all".to_string());
        base.into_iter().chain(shown).collect::<Vec<_>>().join(" ")
    }

    /// Its rules about keys.
    pub fn keys(&self) -> String {
        let shown = self.keys.iter().map(|(grant, pattern)| {
            let prefix = match grant {
                Grant::Both => "~",
                Grant::Read => "%R~",
                Grant::Write => "%W~",
            };
            format!("{prefix}{}", args::shown(pattern))
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    /// Its rules about channels.
    pub fn channels(&self) -> String {
        let shown = self.channels.iter().map(|c| format!("&{}", args::shown(c)));
        shown.collect::<Vec<_>>().join(" ")
    }

    /// All of it, as ACL LIST has it.
    pub fn description(&self) -> String {
        let mut parts = self.flags();
        parts.extend(
            self.passwords()
                .into_iter()
                .map(|digest| format!("#{digest}")),
        );
        let mut channels = self.channels();
        if !self.channels.iter().any(|channel| channel == "*") {
            channels = format!("resetchannels {channels}");
        }
        for text in [self.keys(), channels, self.commands()] {
            if !text.trim().is_empty() {
                parts.push(text.trim().into());
            }
        }
        parts.join(" ")
    }
}

fn check_digest(text: &str) -> Result<(), &'static str> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_digest = text.len() == 64 && text.bytes().all(is_hex);
    let why = "The provided password hash must be exactly 64 characters and contain only \
               lowercase hexadecimal characters";
    is_digest.then_some(()).ok_or(why)
}

/// The error of ACL SETUSER for a rule.
pub fn rule_error(rule: &[u8], why: &str) -> Refusal {
    let rule = args::shown(rule);
    Refusal::Facts(format!("ERR Error in ACL SETUSER modifier '{rule}': {why}"))
}

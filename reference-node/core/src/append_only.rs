//! The append-only file: what enters it, when it begins anew, and how it is read at the start.
//!
//! It has upstream's parts: a base, which is an RDB file, and increments, which are commands. Where
//! these are kept is the shell's business. It begins anew at each start, with `appendonly yes`,
//! when all data was replaced, and when it has outgrown its base.

use bytes::{Bytes, BytesMut};

use crate::config::Config;
use crate::replication::stream::{put_command, take_command};

/// The append-only file as it was found at the start.
#[derive(Debug, Clone, Default)]
pub struct Appended {
    /// RDB files and runs of commands, in order.
    pub parts: Vec<Bytes>,
}

/// Whether commands are logged, and how much there is.
#[derive(Debug, Clone, Default)]
pub struct AppendOnly {
    state: State,
    base_bytes: u64,
    appended_bytes: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Off,
    /// To begin anew at the end of this step.
    Due,
    On,
}

impl AppendOnly {
    /// Whether commands are to be logged.
    pub fn is_on(&self) -> bool {
        self.state == State::On
    }

    /// All data was replaced: begin anew, if on.
    pub fn restart(&mut self) {
        if self.state == State::On {
            self.state = State::Due;
        }
    }

    /// Follows the settings and its own growth; true if it is to begin anew now.
    pub fn is_due(&mut self, config: &Config) -> bool {
        let has_outgrown = self.appended_bytes > self.base_bytes.max(GROWTH_BYTES_MIN);
        self.state = match (config.appendonly, self.state) {
            (false, _) => State::Off,
            (true, State::Off | State::Due) => State::Due,
            (true, State::On) if has_outgrown => State::Due,
            (true, State::On) => State::On,
        };
        self.state == State::Due
    }

    /// It began anew with a base of this length.
    pub fn began(&mut self, base_bytes: usize) {
        self.state = State::On;
        self.base_bytes = base_bytes as u64;
        self.appended_bytes = 0;
    }

    /// What is to be appended for the effects of one command: several as one transaction.
    pub fn record(&mut self, effects: &[Vec<Bytes>]) -> Option<Bytes> {
        if !self.is_on() || effects.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        if effects.len() > 1 {
            put_command(&mut bytes, &["MULTI"]);
        }
        for effect in effects {
            put_command(&mut bytes, effect);
        }
        if effects.len() > 1 {
            put_command(&mut bytes, &["EXEC"]);
        }
        self.appended_bytes += bytes.len() as u64;
        Some(bytes.into())
    }
}

/// The commands of an increment, in order. A command cut off at the end never took place.
///
/// # Errors
/// Bytes that are no commands.
pub fn commands(increment: &[u8]) -> Result<Vec<Vec<Bytes>>, &'static str> {
    let mut buffer = BytesMut::from(increment);
    let mut commands = Vec::new();
    loop {
        match take_command(&mut buffer) {
            Ok(Some(received)) if received.args.is_empty() => {}
            Ok(Some(received)) => commands.push(received.args),
            Ok(None) => return Ok(commands),
            Err(error) => return Err(error.0),
        }
    }
}

/// Below this an append-only file is not made anew because of its length, as upstream's
/// `auto-aof-rewrite-min-size`.
const GROWTH_BYTES_MIN: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> AppendOnly {
        let mut log = AppendOnly::default();
        let config = Config {
            appendonly: true,
            ..Config::default()
        };
        assert!(log.is_due(&config));
        log.began(10);
        assert!(!log.is_due(&config));
        log
    }

    fn effect(words: &[&str]) -> Vec<Bytes> {
        words.iter().map(|word| word.to_string().into()).collect()
    }

    #[test]
    fn what_is_recorded_is_read_back_up_to_a_cut() {
        let mut log = on();
        let set = effect(&["SET", "a", "1"]);
        let one = log.record(std::slice::from_ref(&set)).expect("on");
        assert_eq!(commands(&one), Ok(vec![set.clone()]));
        let two = log.record(&[set.clone(), set.clone()]).expect("on");
        let expected = vec![effect(&["MULTI"]), set.clone(), set, effect(&["EXEC"])];
        assert_eq!(commands(&two), Ok(expected.clone()));
        let cut = commands(&two[..two.len() - 1]);
        assert_eq!(cut, Ok(expected[..3].to_vec()));
        assert!(commands(b"hello").is_err());
    }

    #[test]
    fn follows_the_setting_and_begins_anew_when_all_data_was_replaced() {
        let mut log = on();
        log.restart();
        let config = Config {
            appendonly: true,
            ..Config::default()
        };
        assert!(log.is_due(&config));
        log.began(10);
        assert!(!log.is_due(&Config::default()));
        assert_eq!(log.record(&[effect(&["FLUSHALL"])]), None);
    }
}

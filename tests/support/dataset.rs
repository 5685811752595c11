//! Keys of all types in many slots: written once, read back and compared as often as needed.
//!
//! What a key holds is computed from its number, so a reader needs no memory of what was written.

use slotquake_core::slot::Slot;
use slotquake_workloads::client::resp::RespValue;

use crate::live::{Client, Router};

/// One key per type and number.
pub struct Dataset {
    /// A hash tag for each number.
    tags: Vec<String>,
}

/// The lowest slots: those that redis-cli moves first, so they are made to have keys.
pub const LOW_SLOTS: usize = 24;

/// So many hash tags of low slots.
pub fn low_tags(count: usize) -> Vec<String> {
    let is_low = |tag: &String| usize::from(Slot::of_key(tag.as_bytes()).number()) < LOW_SLOTS;
    let numbers = 0..;
    let tags = numbers.map(|number: u32| number.to_string());
    tags.filter(is_low).take(count).collect()
}

/// Where the keys are.
pub enum Place<'a> {
    /// In a cluster.
    Cluster(&'a mut Router),
    /// On one server.
    Server(&'a mut Client),
}

impl Place<'_> {
    fn call(&mut self, words: &[&str]) -> RespValue {
        match self {
            Place::Cluster(router) => router.call(words),
            Place::Server(client) => client.call(words),
        }
    }
}

impl Dataset {
    /// So many keys of each type, a third of them in the lowest slots.
    pub fn new(count: usize) -> Dataset {
        let mut tags = low_tags(count.div_ceil(3));
        let elsewhere = (tags.len()..count).map(|number| format!("n{number}"));
        tags.extend(elsewhere);
        Dataset { tags }
    }

    /// Number of keys.
    pub fn key_count(&self) -> usize {
        commands(0, "tag").len() * self.tags.len()
    }

    /// Writes every key.
    pub fn write(&self, mut place: Place) {
        for (number, tag) in self.tags.iter().enumerate() {
            for (command, _) in commands(number, tag) {
                let words: Vec<&str> = command.iter().map(String::as_str).collect();
                let reply = place.call(&words);
                assert!(
                    !matches!(reply, RespValue::Error(_)),
                    "{words:?}: {reply:?}"
                );
            }
        }
    }

    /// Reads every key, and its expiry time.
    pub fn assert_intact(&self, mut place: Place) {
        for (number, tag) in self.tags.iter().enumerate() {
            for (command, read) in commands(number, tag) {
                let words: Vec<&str> = read.iter().map(String::as_str).collect();
                let found = flat(place.call(&words));
                assert_eq!(found, expected(&command), "{words:?}");
                let ttl = place.call(&["PTTL", &command[1]]);
                let RespValue::Integer(ttl) = ttl else {
                    panic!("PTTL {}: {ttl:?}", command[1]);
                };
                let is_right = match command.last().map(String::as_str) {
                    Some(TTL_MS) => (9_000_000..=10_000_000).contains(&ttl),
                    _ => ttl == -1,
                };
                assert!(is_right, "PTTL {}: {ttl}", command[1]);
            }
        }
    }
}

// What writes a key, and what reads it.
fn commands(number: usize, tag: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let big = "x".repeat(1 + number % 7 * 900);
    let table = [
        (format!("SET s{{{tag}}} {big}"), format!("GET s{{{tag}}}")),
        (
            format!("SET i{{{tag}}} {number}"),
            format!("GET i{{{tag}}}"),
        ),
        (
            format!("SET t{{{tag}}} v PX {TTL_MS}"),
            format!("GET t{{{tag}}}"),
        ),
        (
            format!(
                "RPUSH l{{{tag}}} {} {big} z 17 -5",
                "e ".repeat(number % 9 * 20) + "a"
            ),
            format!("LRANGE l{{{tag}}} 0 -1"),
        ),
        (
            format!("SADD n{{{tag}}} 1 2 70000 {number}9999999"),
            format!("SMEMBERS n{{{tag}}}"),
        ),
        (
            format!("SADD m{{{tag}}} a {big} c"),
            format!("SMEMBERS m{{{tag}}}"),
        ),
        (
            format!("HSET h{{{tag}}} f {big} g {number}"),
            format!("HGETALL h{{{tag}}}"),
        ),
        (
            format!("ZADD z{{{tag}}} 1 a 2.5 {big} -inf c"),
            format!("ZRANGE z{{{tag}}} 0 -1 WITHSCORES"),
        ),
    ];
    let words = |line: &str| line.split_whitespace().map(str::to_string).collect();
    let table = table.iter();
    table
        .map(|(write, read)| (words(write), words(read)))
        .collect()
}

// The members, fields, values and scores written, sorted; elements of a list in their order.
fn expected(command: &[String]) -> Vec<String> {
    let mut words = command[2..].to_vec();
    match command[0].as_str() {
        "SET" => words.truncate(1),
        "RPUSH" => {}
        _ => {
            words.sort();
            words.dedup();
        }
    }
    words
}

fn flat(reply: RespValue) -> Vec<String> {
    match reply {
        RespValue::Array(Some(items)) => {
            let mut words: Vec<String> = items.into_iter().flat_map(flat).collect();
            // A list is told by its repeated and unsorted elements: it alone ends so.
            if words.last().map(String::as_str) != Some("-5") {
                words.sort();
                words.dedup();
            }
            words
        }
        other => vec![other.text().unwrap_or("nil").to_string()],
    }
}

const TTL_MS: &str = "10000000";

//! The command table: names, arity, keys.

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::Fixture;
use crate::commands::{GROUPS, table};

fn keys_of(line: &str) -> Vec<String> {
    let args: Vec<Bytes> = line
        .split(' ')
        .map(|word| Bytes::from(word.to_string()))
        .collect();
    let command = table::find(&args[0]).unwrap();
    let keys = command.keys(&args);
    keys.into_iter()
        .map(|key| String::from_utf8_lossy(key).into_owned())
        .collect()
}

/// Proves RD-18.
#[test]
fn finds_the_keys_of_every_shape_of_command() {
    for (line, keys) in [
        ("get a", vec!["a"]),
        ("MSET a 1 b 2", vec!["a", "b"]),
        ("blpop a b 0", vec!["a", "b"]),
        ("lmove a b LEFT LEFT", vec!["a", "b"]),
        ("zunionstore d 2 a b WEIGHTS 1 2", vec!["d", "a", "b"]),
        ("sintercard 2 a b LIMIT 1", vec!["a", "b"]),
        ("sintercard 9 a b", vec![]),
        ("sintercard x a b", vec![]),
        ("memory usage a", vec!["a"]),
        ("ssubscribe a b", vec!["a", "b"]),
        ("ping", vec![]),
    ] {
        assert_eq!(keys_of(line), keys, "{line}");
    }
}

#[test]
fn has_each_command_once_and_in_lower_case() {
    let names: Vec<&str> = GROUPS
        .iter()
        .flat_map(|group| group.iter())
        .map(|command| command.name)
        .collect();
    assert_eq!(names.len(), table::all().count(), "no name twice");
    assert!(names.iter().all(|name| *name == name.to_lowercase()));
}

#[test]
fn quotes_unknown_commands_as_upstream_does() {
    let mut node = Fixture::new();
    let text = "-ERR unknown command 'foo', with args beginning with: 'bar' 'baz'";
    assert_eq!(node.reply("foo bar baz").trim_end(), text);
}

const WORDS: &str = "(a|b|-1|0|1|2|x|LEFT|COUNT|WEIGHTS|LIMIT|get|\\PC{0,3})";

proptest! {
    #[test]
    fn no_arguments_make_any_command_panic(
        index in 0usize..400,
        args in proptest::collection::vec(WORDS, 0..7),
        setup in proptest::collection::vec(0usize..5, 0..4),
    ) {
        let mut node = Fixture::new();
        node.config.cluster_enabled = false;
        let setups = ["SET a 1", "RPUSH a x y", "SADD a x y", "HSET a f v", "ZADD a 1 x 2 y"];
        for choice in setup {
            node.reply(setups[choice]);
        }
        let commands: Vec<&str> = table::all().map(|command| command.name).collect();
        let name = commands[index % commands.len()];
        node.reply(&[vec![name.to_string()], args].concat().join(" "));
        for key in node.keyspace.iter().map(|(_, entry)| entry) {
            prop_assert!(!key.value.is_empty_collection());
        }
    }
}

//! Shards add up to the campaign they are shares of; what does not belong together is refused with
//! the file and the field.

use serde_json::{Value, json};

use super::*;

/// What shard `number` of three printed, of seeds 1 to 7.
fn part(number: u64) -> Value {
    let seeds = if number == 1 { 3 } else { 2 };
    let marks = Mark::ALL.map(|mark| (mark.told(), 0_u64));
    let mut rare_events = json!(BTreeMap::from(marks));
    rare_events[Mark::ALL[0].told()] = json!(number - 1);
    json!({
        "campaign": "c0ffee",
        "verdict": "violated",
        "first": 1,
        "last": 7,
        "shard": format!("{number}/3"),
        "seeds": seeds,
        "held": seeds - 1,
        "known": 0,
        "undecided": 0,
        "violated": 1,
        "stumbled": 0,
        "not_played": 0,
        "virtual_ns": 5,
        "events": 7,
        "coverage": Coverage { votes: number, ..Coverage::default() },
        "rare_events": rare_events,
        "failed": [{"seed": number + 3, "verdict": "violated", "why": "it broke", "trouble": null,
                    "replay": "slotquake test", "folder": null}],
        "speed": {"cpu_ms": 10, "wall_ms": 20, "jobs": 1},
    })
}

fn merged(parts: &[Value]) -> Result<Merged, MergeProblem> {
    let texts: Vec<String> = parts.iter().map(|part| format!("{part:#}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    merge(&texts)
}

#[test]
fn shares_in_any_order_add_up_to_the_whole() {
    let merged = merged(&[part(3), part(1), part(2)]).unwrap();
    let sums = &merged.summary;
    assert_eq!((sums.seeds, sums.held, sums.violated), (7, 4, 3));
    assert_eq!(
        (sums.virtual_ns, sums.events, sums.coverage.votes),
        (15, 21, 6)
    );
    assert_eq!(sums.marks.of(Mark::ALL[0]), 3);
    assert_eq!(sums.gaps(), Mark::ALL[1..], "never in any share");
    let seeds: Vec<u64> = merged.failed.iter().map(|failed| failed.seed).collect();
    assert_eq!(seeds, [4, 5, 6]);
    assert_eq!(merged.selection.count(), 7);
}

fn refusal(change: impl FnOnce(&mut Vec<Value>)) -> (Option<usize>, String) {
    let mut parts = vec![part(1), part(2), part(3)];
    change(&mut parts);
    let problem = merged(&parts).expect_err("they do not add up");
    (problem.part, problem.to_string())
}

#[test]
fn says_which_share_is_missing_or_there_twice() {
    let (part, why) = refusal(|parts| drop(parts.remove(1)));
    assert_eq!(part, None);
    assert!(why.contains("shard 2/3 is missing"), "{why}");
    let (part, why) = refusal(|parts| parts.push(super::tests::part(2)));
    assert_eq!(part, Some(3));
    assert!(why.contains("shard: 2/3 is there twice"), "{why}");
}

#[test]
fn refuses_shares_of_another_campaign() {
    let changes = [
        ("campaign", json!("other")),
        ("last", json!(8)),
        ("shard", json!("2/4")),
    ];
    for (field, value) in changes {
        let (part, why) = refusal(|parts| parts[1][field] = value);
        assert_eq!(part, Some(1), "{why}");
        assert!(why.starts_with("line "), "{why}");
    }
}

#[test]
fn what_is_no_campaign_is_refused_with_line_and_field() {
    let cases = [
        (
            "coverage",
            json!({"votes": "many"}),
            "coverage.votes: invalid type",
        ),
        (
            "seeds",
            json!(9),
            "seeds: 9 played and 0 not, but shard 2/3 of 1..7 has 2 seeds",
        ),
        ("held", json!(2), "seeds: 3 seeds have a verdict, of 2"),
        ("shard", json!("4/3"), "shard: there is no share 4"),
        ("last", json!(0), "last: the range 1..0 is empty"),
        (
            "rare_events",
            json!({"a unicorn": 1}),
            "rare_events: no rare event is called",
        ),
    ];
    for (field, value, expected) in cases {
        let (part, why) = refusal(|parts| parts[1][field] = value);
        assert_eq!(part, Some(1), "{why}");
        assert!(why.contains(expected), "{why}");
        let line: usize = why["line ".len()..]
            .split(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(line > 1, "{why}");
    }
    for text in ["", "[]", "{", "{\"seeds\": 1}", "\u{0}"] {
        let problem = merge(&[text]).expect_err("no campaign");
        assert_eq!(problem.part, Some(0), "{problem}");
    }
    assert!(merge(&[]).is_err(), "nothing adds up to nothing");
}

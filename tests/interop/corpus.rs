//! Keys of every type and encoding, and what they hold, to be compared between servers.
//!
//! What a key holds is told in commands that every version answers alike; times to live within
//! bounds, what a version alone keeps (entries read of a group) not at all.

use std::collections::BTreeMap;

use slotquake_tests::live::Client;
use slotquake_workloads::client::resp::RespValue;

/// Writes keys of every type, small ones and big ones, all with this hash tag.
pub fn write(client: &mut Client, tag: &str) {
    let call = |client: &mut Client, words: &[&str]| {
        let reply = client.call(words);
        assert!(
            !matches!(reply, RespValue::Error(_)),
            "{:?}: {reply:?}",
            &words[..words.len().min(4)]
        );
    };
    let mut each = |line: &str| {
        let line = line.replace("{}", &format!("{{{tag}}}"));
        let words: Vec<&str> = line.split(' ').collect();
        call(client, &words);
    };
    LINES.iter().for_each(|line| each(line));
    // Beyond the limits of packed encodings, and of the compression of one.
    each(&format!("SET big{{}} {}", "abc".repeat(70_000)));
    each(&format!("SET dense{{}} {}", dense(30_000)));
    let numbered = |count: u32, word: fn(u32) -> String| {
        let words: Vec<String> = (0..count).map(word).collect();
        words.join(" ")
    };
    each(&format!(
        "RPUSH list+{{}} {}",
        numbered(3000, |n| format!("item-{n}"))
    ));
    each(&format!(
        "RPUSH list+{{}} {} -1 9223372036854775807",
        dense(20_000)
    ));
    each(&format!(
        "SADD set+{{}} {}",
        numbered(700, |n| format!("member-{n}"))
    ));
    each(&format!(
        "SADD ints+{{}} {}",
        numbered(700, |n| (n * 7919).to_string())
    ));
    each(&format!(
        "ZADD zset+{{}} {}",
        numbered(300, |n| format!("{}.{n} m{n}", n * 3))
    ));
    each(&format!(
        "HSET hash+{{}} {}",
        numbered(700, |n| format!("f{n} v{n}"))
    ));
    each(&format!("HSET wide{{}} f {} g 1", dense(500)));
    each(&format!(
        "PFADD hll+{{}} {}",
        numbered(3000, |n| format!("e{n}"))
    ));
    for entry in 1..250 {
        let fields = if entry % 3 == 0 { "f v g w" } else { "f v" };
        each(&format!("XADD stream+{{}} {entry}-{entry} {fields}"));
    }
    for line in STREAM_LINES {
        each(line);
    }
}

/// Number of keys that [`write`] writes.
pub const KEYS: usize = 30;

const LINES: &[&str] = &[
    "SET empty{} ",
    "SET text{} hello",
    "SET int{} -1234567890123",
    "SET byte{} 7",
    "SET ttl{} v PX 10000000",
    "SETBIT bits{} 1000 1",
    "RPUSH list{} a 1 200 70000 bb -5 3000000000",
    "RPUSH one{} x",
    "EXPIRE one{} 10000",
    "SADD ints{} 1 2 300",
    "SADD ints32{} 1 70000",
    "SADD ints64{} 1 -9000000000",
    "SADD set{} a b 1",
    "ZADD zset{} 1 a 2.5 b -inf c inf d 1e300 e 0.1 f -0.25 g 1 h",
    "HSET hash{} f v n 10 m -70000",
    "PFADD hll{} a b c",
    "GEOADD geo{} 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
    "XADD stream{} 1-1 f v",
    "XADD stream{} 1-2 g w h 12",
    "XGROUP CREATE fresh{} g $ MKSTREAM",
    "XADD gone{} 5-5 f v",
    "XDEL gone{} 5-5",
    "XGROUP CREATE gone{} g 0",
    "EXPIRE gone{} 10000",
    "XADD moved{} 1-1 f v",
    "XSETID moved{} 77-7",
];

const STREAM_LINES: &[&str] = &[
    "XDEL stream+{} 10-10 11-11 200-200",
    "XTRIM stream+{} MAXLEN 220",
    "XGROUP CREATE stream+{} g1 0",
    "XGROUP CREATE stream+{} g2 100-0",
    "XGROUP CREATECONSUMER stream+{} g1 idle",
    "XREADGROUP GROUP g1 alice COUNT 20 STREAMS stream+{} >",
    "XREADGROUP GROUP g1 bob COUNT 120 STREAMS stream+{} >",
    "XREADGROUP GROUP g2 carol COUNT 3 STREAMS stream+{} >",
    "XACK stream+{} g1 40-40 41-41",
    "XCLAIM stream+{} g1 carol 0 42-42 43-43 RETRYCOUNT 9",
    "XDEL stream+{} 60-60",
];

// Text that does not compress, the same each time.
fn dense(count: usize) -> String {
    let mut state = 88_172_645_463_325_252u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'0' + (state % 75) as u8)
    };
    let text: String = (0..count).map(|_| letter()).collect();
    text.replace(['{', '}', ' ', '\\', '"'], "_")
}

/// All keys of a server, and what they hold.
pub fn contents(client: &mut Client) -> BTreeMap<String, Vec<String>> {
    let keys = flat(client.call(&["KEYS", "*"]));
    let held = |key: String| {
        let held = held(client, &key);
        (key, held)
    };
    keys.into_iter().map(held).collect()
}

/// What a key holds.
pub fn held(client: &mut Client, key: &str) -> Vec<String> {
    let kind = client.call(&["TYPE", key]);
    let mut parts = vec![kind.text().unwrap_or_default().to_string()];
    let ttl = match client.call(&["PTTL", key]) {
        RespValue::Integer(ttl @ ..0) => ttl.to_string(),
        RespValue::Integer(9_000_000..=10_000_000) => "hours".into(),
        other => format!("{other:?}"),
    };
    parts.push(ttl);
    let sorted = |reply: RespValue| {
        let mut words = flat(reply);
        words.sort();
        words
    };
    parts.extend(match kind.text().unwrap_or_default() {
        "string" => flat(client.call(&["GET", key])),
        "list" => flat(client.call(&["LRANGE", key, "0", "-1"])),
        "set" => sorted(client.call(&["SMEMBERS", key])),
        "hash" => pairs(client.call(&["HGETALL", key])),
        "zset" => scored(client.call(&["ZRANGE", key, "0", "-1", "WITHSCORES"])),
        "stream" => stream(client, key),
        _ => Vec::new(),
    });
    parts
}

// Up to 7.0 a score has as many digits as it takes, from 7.2 on as few: the number is the same.
fn scored(reply: RespValue) -> Vec<String> {
    let words = flat(reply);
    let pairs = words.chunks(2);
    let pair = |pair: &[String]| format!("{} {:?}", pair[0], pair[1].parse::<f64>());
    pairs.map(pair).collect()
}

fn pairs(reply: RespValue) -> Vec<String> {
    let words = flat(reply);
    let mut pairs: Vec<String> = words.chunks(2).map(|pair| pair.join("=")).collect();
    pairs.sort();
    pairs
}

fn stream(client: &mut Client, key: &str) -> Vec<String> {
    let mut parts = flat(client.call(&["XRANGE", key, "-", "+"]));
    let about = table(client.call(&["XINFO", "STREAM", key]));
    for name in ["length", "last-generated-id", "groups"] {
        parts.extend(about.get(name).cloned());
    }
    let RespValue::Array(Some(groups)) = client.call(&["XINFO", "GROUPS", key]) else {
        panic!("no groups of {key}");
    };
    for group in groups.into_iter().map(table) {
        for name in ["name", "consumers", "pending", "last-delivered-id"] {
            parts.extend(group.get(name).cloned());
        }
        let consumers = client.call(&["XINFO", "CONSUMERS", key, &group["name"]]);
        let RespValue::Array(Some(consumers)) = consumers else {
            panic!("no consumers of {key}");
        };
        for consumer in consumers.into_iter().map(table) {
            parts.push(format!("{} {}", consumer["name"], consumer["pending"]));
        }
        let words = ["XPENDING", key, &group["name"], "-", "+", "1000"];
        let RespValue::Array(Some(pending)) = client.call(&words) else {
            panic!("nothing pending in {key}");
        };
        for entry in pending.into_iter().map(flat) {
            let [id, consumer, _idle, deliveries] = &entry[..] else {
                panic!("an odd pending entry: {entry:?}");
            };
            parts.push(format!("{id} {consumer} {deliveries}"));
        }
    }
    parts
}

/// A flat list of names and values, or a map, as a map.
pub fn table(reply: RespValue) -> BTreeMap<String, String> {
    let RespValue::Array(Some(items)) = reply else {
        panic!("no list of fields: {reply:?}");
    };
    let text = |value: &RespValue| flat(value.clone()).join(" ");
    let pairs = items.chunks(2);
    pairs.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
}

/// Every text and number of a reply, in order.
pub fn flat(reply: RespValue) -> Vec<String> {
    match reply {
        RespValue::Array(Some(items)) => items.into_iter().flat_map(flat).collect(),
        RespValue::Integer(number) => vec![number.to_string()],
        RespValue::Bulk(Some(bytes)) => vec![String::from_utf8_lossy(&bytes).into_owned()],
        RespValue::Simple(text) => vec![text],
        RespValue::Bulk(None) | RespValue::Array(None) => vec!["nil".into()],
        RespValue::Error(text) => panic!("{text}"),
        RespValue::Map(_) => panic!("a map in RESP2"),
    }
}

/// Says which keys differ, shortly.
pub fn assert_same(
    expected: &BTreeMap<String, Vec<String>>,
    found: &BTreeMap<String, Vec<String>>,
) {
    let names: Vec<&String> = expected.keys().collect();
    assert_eq!(names, found.keys().collect::<Vec<_>>(), "the same keys");
    for (key, held) in expected {
        let other = &found[key];
        let differs = held.iter().zip(other).position(|(one, two)| one != two);
        assert!(
            held == other,
            "{key}: {} parts, {} found; first difference at {differs:?}: {:?}, {:?}",
            held.len(),
            other.len(),
            differs.map(|at| held[at].chars().take(80).collect::<String>()),
            differs.map(|at| other[at].chars().take(80).collect::<String>()),
        );
    }
}

//! Streams as clients see them, and what is replicated of them.

use super::fixture::Fixture;

#[test]
fn adds_entries_under_growing_ids() {
    let mut node = Fixture::new();
    assert_eq!(node.reply("XADD s * f v"), "$9 1000000-0");
    assert_eq!(node.reply("XADD s 1000000-* f v"), "$9 1000000-1");
    assert_eq!(
        node.reply("XADD s 5-1 f v"),
        "-ERR The ID specified in XADD is equal or smaller than the target stream top item"
    );
    assert_eq!(node.reply("XADD t NOMKSTREAM * f v"), "$-1");
    assert_eq!(node.reply("XLEN s"), ":2");
}

/// Proves RW-34.
#[test]
fn replicates_the_id_given_and_the_length_left() {
    let mut node = Fixture::new();
    node.reply("XADD s * f v");
    node.reply("XADD s MAXLEN ~ 1 * f v");
    node.reply("XTRIM s MAXLEN = 1");
    assert_eq!(
        node.stream(),
        [
            "XADD s 1000000-0 f v",
            "XADD s MAXLEN = 2 1000000-1 f v",
            "XTRIM s MAXLEN = 1"
        ]
    );
}

/// Proves RW-34.
#[test]
fn replicates_deliveries_as_claims() {
    let mut node = Fixture::new();
    node.reply("XADD s 1-1 f v");
    node.reply("XGROUP CREATE s g 0");
    node.stream();
    node.reply("XREADGROUP GROUP g c STREAMS s >");
    let claim = "XCLAIM s g c 0 1-1 TIME 1000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-1";
    assert_eq!(node.stream(), [claim]);
    node.reply("XADD s 1-2 f v");
    node.stream();
    node.reply("XREADGROUP GROUP g d NOACK STREAMS s >");
    let effects = [
        "MULTI",
        "XGROUP CREATECONSUMER s g d",
        "XGROUP SETID s g 1-2 ENTRIESREAD 2",
        "EXEC",
    ];
    assert_eq!(node.stream(), effects);
    assert_eq!(node.reply("XACK s g 1-1 1-2"), ":1");
}

#[test]
fn serves_those_who_wait_for_entries() {
    let mut node = Fixture::new();
    node.reply("XADD s 1-1 f v");
    assert_eq!(node.says(2, "XREAD BLOCK 0 STREAMS s $"), [""; 0]);
    let entry = "*1 *2 $1 s *1 *2 $3 1-2 *2 $1 f $1 v";
    let replies = node.says(1, "XADD s 1-2 f v");
    assert_eq!(replies, ["1: $3 1-2".to_string(), format!("2: {entry}")]);
}

#[test]
fn a_lost_stream_ends_the_wait_in_a_group() {
    let mut node = Fixture::new();
    node.reply("XGROUP CREATE s g $ MKSTREAM");
    node.says(2, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    node.says(3, "XREAD BLOCK 100 STREAMS s $");
    let gone = "2: -UNBLOCKED the stream key no longer exists";
    assert_eq!(node.says(1, "FLUSHALL"), ["1: +OK", gone]);
    assert_eq!(node.passes(200), ["3: *-1"]);
}

#[test]
fn a_claim_needs_an_idle_entry() {
    let mut node = Fixture::new();
    node.reply("XADD s 1-1 f v");
    node.reply("XGROUP CREATE s g 0");
    node.reply("XREADGROUP GROUP g a STREAMS s >");
    assert_eq!(node.reply("XCLAIM s g b 10 1-1"), "*0");
    node.passes(20);
    let claimed = "*3 $3 0-0 *1 $3 1-1 *0";
    assert_eq!(node.reply("XAUTOCLAIM s g b 10 - JUSTID"), claimed);
    let pending = "*4 :1 $3 1-1 $3 1-1 *1 *2 $1 b $1 1";
    assert_eq!(node.reply("XPENDING s g"), pending);
}

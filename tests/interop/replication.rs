//! A master of one make, a replica of the other: full copies, the stream, and going on after a
//! broken link.

use slotquake_tests::live::{Client, Program, Server, wait_until};
use slotquake_workloads::client::resp::RespValue;

use crate::corpus::{self, assert_same, contents};
use crate::stage::{
    Part, Real, count, field, form, meet, newest, number, ok, ours, replicate, text,
    wait_all_known, wait_settled, with_each_real,
};

/// Proves RW-21 to RW-23, RW-31 to RW-36, RW-51 and RW-53 with real replicas.
#[test]
fn a_real_replica_holds_what_our_master_holds() {
    with_each_real(|real| holds(&ours(), &real.program, real));
}

/// Proves RW-01, RW-11, RW-16, RW-22, RW-34 to RW-37, RW-41 and RW-51 with real masters.
#[test]
fn our_replica_holds_what_a_real_master_holds() {
    with_each_real(|real| holds(&real.program, &ours(), real));
}

/// An empty copy, a copy with data, the stream, and a link that breaks.
fn holds(master: &Program, replica: &Program, real: &Real) {
    let nodes = form(&[(master, Part::Master), (replica, Part::ReplicaOf(0))]);
    let [master, replica] = &nodes[..] else {
        panic!("two nodes");
    };
    assert_in_step(master, replica);
    let mut client = master.client();
    change(&mut client, "before", real);
    corpus::write(&mut client, "whole");
    assert_in_step(master, replica);

    // A replica that has nothing in common with its master takes all of it.
    let full = |server| count(server, &["INFO", "stats"], "sync_full");
    let partial = |server| count(server, &["INFO", "stats"], "sync_partial_ok");
    let before = full(master);
    attach_anew(replica, master);
    assert_in_step(master, replica);
    assert!(full(master) > before, "a reset replica has no history");

    change(&mut client, "stream", real);
    // RW-38: and it says so.
    assert_eq!(number(&mut client, &["WAIT", "1", "20000"]), 1);
    assert_in_step(master, replica);

    let (full_before, partial_before) = (full(master), partial(master));
    for (server, kind) in [(master, "replica"), (replica, "master")] {
        let partial_before = partial(master);
        number(&mut server.client(), &["CLIENT", "KILL", "TYPE", kind]);
        change(
            &mut client,
            &format!("broken by {kind}").replace(' ', "-"),
            real,
        );
        wait_until("the replica to be back", || {
            partial(master) > partial_before
        });
        assert_in_step(master, replica);
    }
    assert_eq!(full(master), full_before, "both times it went on");
    assert!(partial(master) >= partial_before + 2);
    client.call(&["FLUSHALL"]);
    assert_in_step(master, replica);
    assert_eq!(number(&mut replica.client(), &["DBSIZE"]), 0);
}

// By way of a reset, which leaves it nothing.
fn attach_anew(replica: &Server, master: &Server) {
    ok(&mut replica.client(), &["CLUSTER", "RESET", "SOFT"]);
    meet(replica, master);
    wait_all_known([replica, master]);
    replicate(replica, master);
    wait_settled([replica, master]);
}

/// Waits until the replica has the whole stream, and compares all keys.
pub fn assert_in_step(master: &Server, replica: &Server) {
    let (mut client, mut reader) = (master.client(), replica.client());
    ok(&mut reader, &["READONLY"]);
    let offset = |server| count(server, &["INFO", "replication"], "master_repl_offset");
    wait_until("the replica to have all", || {
        let link = field(replica, &["INFO", "replication"], "master_link_status");
        link == "up" && offset(master) == offset(replica)
    });
    assert_same(&contents(&mut client), &contents(&mut reader));
}

/// Commands of all groups, most of which enter the stream in other words than they came.
fn change(client: &mut Client, tag: &str, real: &Real) {
    let mut each = |line: &str| {
        let line = line.replace("{}", &format!("{{{tag}}}"));
        let words: Vec<&str> = line.split(' ').collect();
        let reply = client.call(&words);
        assert!(!matches!(reply, RespValue::Error(_)), "{line}: {reply:?}");
    };
    CHANGES.iter().for_each(|line| each(line));
    if real.has_7_0() {
        CHANGES_OF_7_0.iter().for_each(|line| each(line));
    }
    // Nothing but a read makes it go.
    each("SET soon{} x PX 1");
    let key = format!("soon{{{tag}}}");
    wait_until("a key to expire", || {
        client.call(&["GET", &key]) == RespValue::Bulk(None)
    });
}

const CHANGES: &[&str] = &[
    "SET ex{} v EX 10000",
    "SET keep{} v EX 10000",
    "SET keep{} w KEEPTTL",
    "SETEX setex{} 10000 v",
    "PSETEX psetex{} 10000000 v",
    "SET getex{} v",
    "GETEX getex{} EX 10000",
    "SET persist{} v EX 10000",
    "GETEX persist{} PERSIST",
    "EXPIRE setex{} 9900",
    "SET past{} v",
    "EXPIRE past{} -1",
    "INCRBYFLOAT float{} 0.1",
    "INCRBYFLOAT float{} 0.2",
    "APPEND text{} hello",
    "SETRANGE text{} 3 LO",
    "BITFIELD bits{} SET u8 0 200 INCRBY i5 100 1",
    "BITOP NOT bits2{} bits{}",
    "SET a{} 1",
    "COPY a{} b{}",
    "RENAME b{} c{}",
    "GETDEL c{}",
    "HSET hash{} f 1 g 2 h 3",
    "HINCRBYFLOAT hash{} f 0.7",
    "HDEL hash{} g",
    "RPUSH list{} 1 2 3 4 5 6 7 8",
    "LMOVE list{} list2{} LEFT RIGHT",
    "BLMOVE list{} list2{} LEFT RIGHT 1",
    "BLPOP list{} 1",
    "LINSERT list{} BEFORE 6 x",
    "LTRIM list{} 0 3",
    "SADD set{} a b c d e f g h",
    "SPOP set{}",
    "SPOP set{} 3",
    "SMOVE set{} set2{} nobody",
    "SADD set3{} a b c d e f g h",
    "SINTERSTORE set4{} set{} set3{}",
    "ZADD zset{} 1 a 2 b 3 c 4 d",
    "ZADD zset{} INCR 0.3 a",
    "ZPOPMIN zset{}",
    "ZRANGESTORE zset2{} zset{} 0 -1",
    "ZUNIONSTORE zset3{} 2 zset{} zset2{} WEIGHTS 2 3",
    "GEOADD geo{} 13.361389 38.115556 Palermo",
    "GEOSEARCHSTORE geo2{} geo{} FROMMEMBER Palermo BYRADIUS 1 km",
    "PFADD hll{} a b c",
    "PFMERGE hll2{} hll{}",
    "SORT list{} ALPHA STORE sorted{}",
    "XADD stream{} 1-1 f v",
    "XADD stream{} * f v",
    "XADD stream{} MAXLEN ~ 100 * f v",
    "XADD stream{} 99999999999999-1 f v",
    "XGROUP CREATE stream{} g 0",
    "XREADGROUP GROUP g alice COUNT 2 STREAMS stream{} >",
    "XREADGROUP GROUP g bob STREAMS stream{} >",
    "XREADGROUP GROUP g bob NOACK STREAMS stream{} >",
    "XACK stream{} g 1-1",
    "XAUTOCLAIM stream{} g carol 0 0 COUNT 1",
    "XDEL stream{} 99999999999999-1",
    "XGROUP CREATECONSUMER stream{} g dave",
    "XGROUP DELCONSUMER stream{} g bob",
    "XGROUP SETID stream{} g $",
    "XTRIM stream{} MAXLEN 2",
    "MULTI",
    "INCR counter{}",
    "RPUSH list{} in-multi",
    "EXEC",
    "SET del{} v",
    "UNLINK del{}",
];

const CHANGES_OF_7_0: &[&str] = &[
    "RPUSH mpop{} 1 2 3",
    "LMPOP 1 mpop{} LEFT COUNT 2",
    "ZADD zmpop{} 1 a 2 b 3 c",
    "ZMPOP 1 zmpop{} MIN COUNT 2",
    "EXPIRE mpop{} 10000 NX",
    "SET past-set{} v PXAT 1",
];

/// Scripts and functions of a real master: their effects come, they themselves do not.
#[test]
fn our_replica_takes_the_effects_of_scripts_and_does_without_functions() {
    with_each_real(|real| {
        let nodes = form(&[(&real.program, Part::Master), (&ours(), Part::ReplicaOf(0))]);
        let mut client = nodes[0].client();
        let script = "redis.call('SET', KEYS[1], 'by-script'); return redis.call('INCR', KEYS[2])";
        let words = ["EVAL", script, "2", "one{s}", "two{s}"];
        assert_eq!(client.call(&words), RespValue::Integer(1));
        assert_in_step(&nodes[0], &nodes[1]);
        if !real.has_7_0() {
            return;
        }
        let library = "#!lua name=lib\n\
             redis.register_function('add', function(keys) return redis.call('INCR', keys[1]) end)";
        text(&mut client, &["FUNCTION", "LOAD", library]);
        number(&mut client, &["FCALL", "add", "1", "two{s}"]);
        assert_in_step(&nodes[0], &nodes[1]);
        assert!(
            nodes[1].log().contains("function"),
            "it says what it does without"
        );
        // A copy with functions in it.
        attach_anew(&nodes[1], &nodes[0]);
        assert_in_step(&nodes[0], &nodes[1]);
        assert!(count(&nodes[0], &["INFO", "stats"], "sync_full") >= 2);
    });
}

/// Proves RW-28 and RW-51 for what no version of our time held: fields that expire.
#[test]
fn data_that_we_cannot_hold_is_refused_by_name_and_nothing_is_lost() {
    let real = newest();
    let nodes = form(&[(&real.program, Part::Master), (&ours(), Part::ReplicaOf(0))]);
    let [master, replica] = &nodes[..] else {
        panic!("two nodes");
    };
    let (mut client, mut reader) = (master.client(), replica.client());
    ok(&mut reader, &["READONLY"]);
    corpus::write(&mut client, "whole");
    client.call(&["HSET", "odd{x}", "f", "v", "g", "w"]);
    assert_in_step(master, replica);
    let before = contents(&mut reader);

    client.call(&["HEXPIRE", "odd{x}", "10000", "FIELDS", "1", "f"]);
    client.call(&["HSETEX", "new{x}", "EX", "10000", "FIELDS", "1", "f", "v"]);
    wait_until("the replica to say what it cannot hold", || {
        let log = replica.log();
        log.contains("which this node does not know") && log.contains("expiry of fields")
    });
    let link = |up: &str| {
        wait_until(&format!("the link to be {up}"), || {
            field(replica, &["INFO", "replication"], "master_link_status") == up
        });
    };
    link("down");
    assert_same(&before, &contents(&mut reader));

    // Field by field it can be held again.
    client.call(&["HPERSIST", "odd{x}", "FIELDS", "1", "f"]);
    client.call(&["HPERSIST", "new{x}", "FIELDS", "1", "f"]);
    link("up");
    assert_in_step(master, replica);
}

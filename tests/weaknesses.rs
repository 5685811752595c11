//! Known upstream weaknesses, as a user meets them: each run or story is played with both profiles.
//!
//! Red under `--profile upstream-7.0`, green by default. Those that need no client, process or disk
//! are in the node's own test of the same name; `docs/weaknesses.md` lists all of them.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;
use slotquake_tests::live::{Mode, Program, Server, wait_until};
use slotquake_tests::run::{Called, Harness};
use slotquake_workloads::client::resp::encode;

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

const PROFILES: [&str; 2] = ["upstream-7.0", "default"];

/// A run that is over.
struct Run {
    called: Called,
    verdict: Value,
    plan: Value,
    page: String,
}

/// Plays a scenario with this profile.
fn play(scenario: &str, world: &str, profile: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "test",
        "--seed",
        "3",
        "--scenario",
        scenario,
        "--world",
        world,
        "--profile",
        profile,
    ];
    let called = HARNESS.call(folder.path(), &arguments);
    let latest = folder.path().join("store/latest");
    Run {
        verdict: json(&latest.join("verdict.json")),
        plan: json(&latest.join("plan.json")),
        page: fs::read_to_string(latest.join("report.html")).unwrap(),
        called,
    }
}

fn json(path: &Path) -> Value {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

impl Run {
    fn count(&self, name: &str) -> u64 {
        self.verdict["coverage"][name].as_u64().unwrap()
    }

    /// The word of one check.
    fn check(&self, id: &str) -> &str {
        let mut checks = self.verdict["checks"].as_array().unwrap().iter();
        let check = checks.find(|check| check["id"] == id).unwrap();
        check["verdict"].as_str().unwrap()
    }
}

/// Plays a scenario with upstream's profile and by default.
fn both(scenario: &str, world: &str) -> [Run; 2] {
    PROFILES.map(|profile| play(scenario, world, profile))
}

/// Proves VT-08 and MF-01 of part C (C.1): votes of an earlier election make no master.
#[test]
fn three_manual_failovers_lose_no_acknowledged_write() {
    let [upstream, default] = both("double-manual-failover", "sim");
    assert_eq!(upstream.called.status, 1, "{}", upstream.called.stdout);
    for check in ["VT-08", "CE-07", "HI-03"] {
        assert_eq!(upstream.check(check), "violated", "{check}");
        assert_eq!(default.check(check), "held", "{check}");
    }
    assert!(upstream.count("losses_outside_windows") > 0);
    assert_eq!(default.called.status, 0, "{}", default.called.stdout);
    assert_eq!(default.count("losses_outside_windows"), 0);
}

/// Proves HI-08 of part C: what waits in the sockets of a deposed master is not acknowledged.
#[test]
fn a_deposed_master_that_resumes_acknowledges_nothing_it_loses() {
    for world in ["sim", "local"] {
        let [upstream, default] = both("deposed-master-resumes", world);
        let (lost, kept) = (&upstream.verdict, &default.verdict);
        let lost_in_pause = lost["coverage"]["losses"]["HI-08"].as_u64();
        assert!(lost_in_pause >= Some(1), "{world}: {lost}");
        assert_eq!(default.count("losses_inside_windows"), 0, "{world}: {kept}");
        assert_eq!(default.called.status, 0, "{}", default.called.stdout);
        assert!(default.count("promotions") >= 1, "{world}: it was deposed");
    }
}

/// Proves CF-01 of part C: the map stays split when a failover meets a migration, and a master that
/// nothing happened to refuses all its slots.
#[test]
fn a_failover_in_the_middle_of_a_migration_splits_no_map() {
    let [upstream, default] = both("source-fails-over", "sim");
    assert_eq!(upstream.called.status, 1, "{}", upstream.called.stdout);
    for check in ["CF-05", "ST-06"] {
        assert_eq!(upstream.check(check), "violated", "{check}");
        assert_eq!(default.check(check), "held", "{check}");
    }
    assert_eq!(default.called.status, 0, "{}", default.called.stdout);
}

#[test]
fn a_run_says_which_profile_it_had() {
    let [upstream, default] = both("source-fails-over", "sim");
    for (run, profile) in [(&upstream, "upstream-7.0"), (&default, "default")] {
        assert_eq!(run.plan["profile"], profile);
        assert_eq!(run.verdict["profile"], profile);
        assert!(run.page.contains(profile), "{profile} in the report");
    }
    let told = &upstream.called.stdout;
    assert!(
        told.contains("with the weaknesses of upstream-7.0"),
        "{told}"
    );
    assert!(told.contains("--profile upstream-7.0"), "to replay: {told}");
}

#[test]
fn a_profile_without_a_reference_node_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let call = |arguments: &[&str]| HARNESS.call(folder.path(), arguments);
    let of_real = [
        "test",
        "--target",
        "redis@7.0.15",
        "--profile",
        "upstream-7.0",
    ];
    call(&of_real).assert_bad_input(&["--profile", "redis@7.0.15", "--target reference"]);
    let unknown = ["test", "--profile", "upstream-6.2"];
    call(&unknown).assert_bad_input(&["--profile", "upstream-7.0", "default"]);
}

/// How a node came back whose disk took only a part of its last save.
#[derive(Debug)]
struct Comeback {
    /// Its id before and after.
    ids: [String; 2],
    slots: u64,
}

/// The node has 100 slots, asks for 1500 more, and the disk is full in the middle of the save.
fn comeback(profile: &str) -> Comeback {
    let mut plain = Program::reference(HARNESS.path);
    plain.settings += &format!("slotquake-profile {profile}\n");
    // No file grows beyond 8 blocks of 512 bytes.
    let mut limited = plain.clone();
    limited.path = "/bin/sh".into();
    let script = "ulimit -c 0; ulimit -f 8; exec \"$0\" \"$@\"";
    limited.arguments = vec![
        "-c".into(),
        script.into(),
        HARNESS.path.into(),
        "node".into(),
    ];
    let mut server = Server::start(&limited, Mode::Cluster);
    server
        .client()
        .call(&["CLUSTER", "ADDSLOTSRANGE", "0", "99"]);
    let id = server.id();
    let slots = (5_000..8_000).step_by(2).map(|slot| slot.to_string());
    let mut words = vec!["CLUSTER".to_string(), "ADDSLOTS".to_string()];
    words.extend(slots);
    call_in_vain(&server, &words);
    server.kill();
    let file = fs::read_to_string(server.file("nodes.conf")).unwrap();
    if profile == "default" {
        assert!(file.contains(" 0-99\n"), "the file before the save: {file}");
    }
    server.restart_as(&plain);
    let info = server.client().call(&["CLUSTER", "INFO"]);
    let assigned = info.text().unwrap_or_default().lines().find_map(|line| {
        let number = line.strip_prefix("cluster_slots_assigned:")?;
        number.trim().parse().ok()
    });
    Comeback {
        ids: [id, server.id()],
        slots: assigned.unwrap(),
    }
}

/// Sends a command to a server that will end before it can answer.
fn call_in_vain(server: &Server, words: &[String]) {
    let args: Vec<bytes::Bytes> = words.iter().map(|word| word.clone().into()).collect();
    let mut request = Vec::new();
    encode(&args, &mut request);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    let _broken = stream.read_to_end(&mut answer);
    assert_eq!(answer, b"", "nothing was acknowledged");
    wait_until("the server to end", || {
        TcpStream::connect(server.address()).is_err()
    });
}

/// Proves DU-01 of part C: a save that ends in the middle leaves the old file, not a torn one.
#[test]
fn a_save_cut_short_leaves_the_old_nodes_conf() {
    let [upstream, default] = PROFILES.map(comeback);
    let is_whole = |comeback: &Comeback| [100, 1600].contains(&comeback.slots);
    assert!(!is_whole(&upstream), "torn: {upstream:?}");
    assert!(is_whole(&default), "{default:?}");
    assert_eq!(default.ids[0], default.ids[1], "{default:?}");
}

/// What a campaign says of these seeds with upstream's weaknesses, whose plans are drawn as always.
fn told_of(seeds: &str, profile: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "simulate",
        "--seed",
        seeds,
        "--profile",
        profile,
        "--keep",
        "0",
        "--json",
    ];
    let told = HARNESS.call(folder.path(), &arguments).object();
    let failed = told["failed"].as_array().unwrap();
    let whys = failed.iter().map(|failed| failed["why"].as_str().unwrap());
    whys.map(String::from).collect()
}

/// Proves FD-03, VT-11, VT-08, CE-07 of part C: no plan of these seeds names a weakness.
#[test]
fn a_short_campaign_finds_weaknesses_that_nobody_named() {
    for (seeds, clauses) in [
        ("23..26", ["VT-11", "FD-03"]),
        ("207..207", ["CE-07", "VT-08"]),
    ] {
        let told = told_of(seeds, "upstream-7.0").concat();
        for clause in clauses {
            assert!(told.contains(clause), "{clause} in {told}");
        }
        assert_eq!(told_of(seeds, "default"), Vec::<String>::new());
    }
}

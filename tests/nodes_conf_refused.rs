//! Files that are no nodes.conf, and disks that take none: the process ends, says which file, what
//! is wrong with it and what to do, and leaves everything as it was. It never becomes another node.

use std::os::unix::fs::symlink;
use std::path::Path;

use slotquake_tests::bare::{BareNode, wait_until};
use slotquake_tests::paper::Paper;

const HARNESS: &str = env!("CARGO_BIN_EXE_slotquake-under-test");
/// Puts something at a path.
type Make = fn(&Path);
const MYSELF: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// A node that has written its file, and is gone.
fn written() -> (BareNode, Vec<u8>) {
    let mut node = BareNode::running(HARNESS, &[]);
    node.line().text(&["CLUSTER", "BUMPEPOCH"]).unwrap();
    node.kill();
    let bytes = std::fs::read(node.path("nodes.conf")).unwrap();
    (node, bytes)
}

/// What a start on this file prints; it must fail, and must not touch the file.
fn refusal(node: &mut BareNode, bytes: &[u8]) -> String {
    let path = node.path("nodes.conf");
    std::fs::write(&path, bytes).unwrap();
    node.spawn();
    let status = node.when_ended();
    let printed = node.printed();
    assert_eq!(status.code(), Some(1), "{printed}");
    assert_eq!(
        std::fs::read(&path).unwrap(),
        bytes,
        "the file is left alone"
    );
    printed
}

/// Proves PS-08, DU-01 and PS-17.
#[test]
fn damaged_files_are_refused_with_file_line_and_remedy() {
    let (mut node, whole) = written();
    let text = String::from_utf8(whole.clone()).unwrap();
    let id = text.split(' ').next().unwrap();
    let other = if id.starts_with('0') { "1" } else { "0" };
    let (_, vars) = text.split_once('\n').unwrap();
    let cases = [
        (String::new(), "empty"),
        (text[..text.len() / 2].into(), "cut off"),
        (text[..text.len() - 1].into(), "cut off"),
        (text.replacen(&id[..1], other, 1), "seal"),
        (text.replace("lastVoteEpoch 0", "lastVoteEpoch 1"), "seal"),
        (vars.into(), "no line has the flag myself"),
        (text.replace("myself,", "mysel_,"), "line 1"),
        (format!("{text}hello\n"), "line 3"),
        (format!("{}\n", "\0".repeat(text.len())), "line 1"),
    ];
    for (damaged, what) in cases {
        let printed = refusal(&mut node, damaged.as_bytes());
        for word in [
            "corrupted cluster config file",
            "nodes.conf: ",
            what,
            "remove it",
        ] {
            assert!(printed.contains(word), "{word:?} of {damaged:?}: {printed}");
        }
    }
    std::fs::write(node.path("nodes.conf"), &whole).unwrap();
    node.spawn();
    let mine = node.when_ready().text(&["CLUSTER", "MYID"]);
    assert_eq!(
        mine.as_deref(),
        Some(id),
        "whole again, the same node again"
    );
}

/// Proves PS-08: what is no file cannot be read, or hung upon, or replaced.
#[test]
fn folders_pipes_and_loops_are_refused() {
    let kinds: [(&str, Make); 4] = [
        ("Is a directory", |path| std::fs::create_dir(path).unwrap()),
        ("no regular file", |path| {
            let made = std::process::Command::new("mkfifo").arg(path).status();
            assert!(made.unwrap().success());
        }),
        ("no regular file", |path| {
            symlink("/dev/null", path).unwrap()
        }),
        ("symbolic links", |path| symlink(path, path).unwrap()),
    ];
    for (what, make) in kinds {
        let mut node = BareNode::new(HARNESS, &[]);
        make(&node.path("nodes.conf"));
        node.spawn();
        let status = node.when_ended();
        let printed = node.printed();
        assert_eq!(status.code(), Some(1), "{printed}");
        assert!(
            printed.contains("nodes.conf") && printed.contains(what),
            "{printed}"
        );
    }
}

/// Proves PS-12 and DU-04: also after the file was replaced many times.
#[test]
fn a_file_in_use_is_refused() {
    let first = BareNode::running(HARNESS, &[]);
    let mut line = first.line();
    for slot in 0..20 {
        line.text(&["CLUSTER", "ADDSLOTS", &slot.to_string()])
            .unwrap();
    }
    let folder = first.folder().to_str().unwrap();
    let file = first.path("nodes.conf").display().to_string();
    let mut second = BareNode::new(HARNESS, &["--dir", folder, "--cluster-config-file", &file]);
    second.spawn();
    let status = second.when_ended();
    let printed = second.printed();
    assert_eq!(status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("is already used by a different Redis Cluster"),
        "{printed}"
    );
    assert_eq!(line.text(&["PING"]).as_deref(), Some("PONG"));
}

/// Proves PS-13, VO-07 and BUS-10: on a full disk a node ends before its vote leaves.
#[test]
fn a_node_that_cannot_save_its_vote_ends_without_giving_it() {
    let paper = Paper::listen();
    let mut node = BareNode::new(HARNESS, &["--cluster-node-timeout", "5000"]);
    let text = paper.nodes_conf(MYSELF, (node.port, node.bus_port), 4_999);
    std::fs::write(node.path("nodes.conf"), text).unwrap();
    node.spawn();
    let mut line = node.when_ready();
    wait_until("its links to open", || {
        paper.heard(|heard| heard.links) >= 8
    });
    line.text(&["CLUSTER", "ADDSLOTS", "6000"]).unwrap();
    let before = std::fs::read(node.path("nodes.conf")).unwrap();
    // Whatever it writes next goes to a device that is always full.
    for number in 0..1000 {
        let name = format!("nodes.conf.tmp-{}-{number}", node.pid());
        symlink("/dev/full", node.path(&name)).unwrap();
    }
    let mut speaker = paper.speak_to(node.bus_port).unwrap();
    speaker.ask_for_vote(1, 9).unwrap();
    let status = node.when_ended();
    let printed = node.printed();
    assert_eq!(status.code(), Some(1), "{printed}");
    assert!(printed.contains("No space left on device"), "{printed}");
    assert!(
        printed.contains("Fatal: can't update cluster config file."),
        "{printed}"
    );
    assert_eq!(paper.heard(|heard| heard.votes.clone()), [0_u64; 0]);
    assert_eq!(std::fs::read(node.path("nodes.conf")).unwrap(), before);
}

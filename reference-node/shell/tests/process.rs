//! One node as a process: its command line, its files, its end.

mod support;

use std::process::Command;

use support::{NodeProcess, Reply, free_port, wait_until};

fn binary() -> Command {
    Command::new(env!("CARGO_BIN_EXE_slotquake-node"))
}

#[test]
fn tells_its_version_and_ends() {
    let output = binary()
        .arg("--version")
        .output()
        .expect("our own binary starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    assert!(
        text.starts_with("Redis server v=") && text.contains("slotquake"),
        "{text}"
    );
}

#[test]
fn refuses_an_option_that_does_not_exist() {
    let output = binary()
        .args(["--no-such-option", "1"])
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stderr.is_empty());
}

#[test]
fn says_which_port_is_taken() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    let port = taken.local_addr().expect("bound").port().to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = binary()
        .args(["--port", &port, "--bind", "127.0.0.1", "--dir"])
        .arg(folder.path())
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains(&format!("Failed listening on port {port}")),
        "{text}"
    );
}

#[test]
fn logs_what_test_suites_wait_for_and_ends_cleanly_on_sigterm() {
    let mut node = NodeProcess::start(&[]);
    let log = node.log();
    for fragment in [" PID: ", "Server initialized", "Ready to accept"] {
        assert!(log.contains(fragment), "{fragment:?} in {log}");
    }
    assert_eq!(node.terminate(), Some(0));
}

/// Proves BUS-01.
#[test]
fn refuses_a_port_whose_bus_port_is_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = binary()
        .args(["--port", "55536", "--cluster-enabled", "yes"])
        .args(["--bind", "127.0.0.1", "--dir"])
        .arg(folder.path())
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("must be 55535 or less"), "{text}");
}

/// The timer that the system keeps for a connection: its kind, and hundredths of a second to go.
fn timer_of(local_port: u16, peer_port: u16) -> Option<(u8, u64)> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux");
    let ends = format!("0100007F:{local_port:04X} 0100007F:{peer_port:04X} 01 ");
    let line = table.lines().find(|line| line.contains(&ends))?;
    let timer = line.split_whitespace().nth(5)?;
    let (kind, rest) = timer.split_once(':')?;
    Some((kind.parse().ok()?, u64::from_str_radix(rest, 16).ok()?))
}

/// Proves BUS-05, BUS-01, BUS-02: a silent link is probed after two node timeouts; nothing is said
/// on it.
#[test]
fn an_accepted_link_is_probed_after_two_node_timeouts() {
    use std::io::Read;
    const KEEPALIVE: u8 = 2;
    let node = NodeProcess::start(&["--cluster-node-timeout", "20500"]);
    let mut link = std::net::TcpStream::connect(("127.0.0.1", node.bus_port)).expect("it listens");
    let own_port = link.local_addr().expect("connected").port();
    wait_until("the link to be accepted", || {
        let timer = timer_of(node.bus_port, own_port);
        timer.is_some_and(|(kind, left)| kind == KEEPALIVE && (3000..=4000).contains(&left))
    });
    link.set_nonblocking(true).expect("an open socket");
    let greeting = link.read(&mut [0; 1]).expect_err("silence");
    assert_eq!(greeting.kind(), std::io::ErrorKind::WouldBlock);
}

/// What a node says that ends with status 1 instead of starting in this folder.
fn refused_start(folder: &std::path::Path) -> String {
    let (port, bus_port) = (free_port().to_string(), free_port().to_string());
    let output = binary()
        .args([
            "--port",
            &port,
            "--cluster-port",
            &bus_port,
            "--cluster-enabled",
            "yes",
        ])
        .args(["--bind", "127.0.0.1", "--dir"])
        .arg(folder)
        .output()
        .expect("starts");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Proves PS-12.
#[test]
fn a_second_node_on_the_same_nodes_conf_ends_at_once() {
    let node = NodeProcess::start(&[]);
    let text = refused_start(node.folder());
    assert!(
        text.contains("is already used by a different Redis Cluster node"),
        "{text}"
    );
}

/// Proves PS-08.
#[test]
fn a_corrupted_nodes_conf_is_fatal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("nodes.conf"), "nonsense\n").expect("writable");
    let text = refused_start(folder.path());
    assert!(
        text.contains("Unrecoverable error: corrupted cluster config file."),
        "{text}"
    );
}

/// Proves PS-16, PS-17.
#[test]
fn keeps_its_id_over_a_kill() {
    let mut node = NodeProcess::start(&[]);
    let id = node.client().text(&["CLUSTER", "MYID"]);
    node.kill();
    node.restart();
    assert_eq!(node.client().text(&["CLUSTER", "MYID"]), id);
}

#[test]
fn data_is_saved_at_the_end_and_loaded_at_the_start() {
    let mut node = NodeProcess::start(&["--save", "900 1"]);
    let mut client = node.client();
    client.ok(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    wait_until("the cluster to be ok", || {
        client.call(&["SET", "k", "v"]) == Reply::Text("OK".into())
    });
    assert_eq!(node.terminate(), Some(0));
    node.restart();
    assert_eq!(node.client().call(&["DBSIZE"]), Reply::Integer(1));
}

#[test]
fn with_appendonly_a_killed_node_has_all_that_it_acknowledged() {
    let mut node = NodeProcess::start(&["--appendonly", "yes"]);
    let mut client = node.client();
    client.ok(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    wait_until("the cluster to be ok", || {
        client.call(&["SET", "k", "v"]) == Reply::Text("OK".into())
    });
    for expected in 1..=3 {
        assert_eq!(client.call(&["RPUSH", "l", "x"]), Reply::Integer(expected));
    }
    node.kill();
    node.restart();
    assert_eq!(node.client().call(&["DBSIZE"]), Reply::Integer(2));
    node.kill();
    node.restart();
    let mut client = node.client();
    wait_until("the cluster to be ok", || {
        client.call(&["LLEN", "l"]) == Reply::Integer(3)
    });
}

#[test]
fn answers_a_long_pipeline_in_order_to_a_client_that_reads_late() {
    let node = NodeProcess::start(&[]);
    let mut client = node.client();
    let word = "x".repeat(1000);
    let count = 20_000;
    // Replies of 20 MB: much more than sockets hold, so reading must go on beside writing.
    std::thread::scope(|scope| {
        let request = format!("*2\r\n$4\r\nECHO\r\n$1000\r\n{word}\r\n");
        let mut writer = client.try_clone();
        scope.spawn(move || {
            for _ in 0..count {
                writer
                    .send_raw(request.as_bytes())
                    .expect("the node reads on");
            }
        });
        for _ in 0..count {
            assert_eq!(client.read(), Some(Reply::Text(word.clone())));
        }
    });
}

#[test]
fn takes_inline_commands_and_closes_after_a_protocol_error() {
    let node = NodeProcess::start(&[]);
    let mut client = node.client();
    client.send_raw(b"PING\r\n").expect("connected");
    assert_eq!(client.read(), Some(Reply::Text("PONG".into())));
    client.send_raw(b"*1\r\n+x\r\n").expect("connected");
    let reply = client.read().expect("an error");
    assert!(
        matches!(&reply, Reply::Error(text) if text.contains("Protocol error")),
        "{reply:?}"
    );
    assert_eq!(client.read(), None);
}

#[test]
fn takes_long_requests_only_after_auth() {
    let node = NodeProcess::start(&["--requirepass", "secret"]);
    let mut stranger = node.client();
    stranger.send_raw(b"*11\r\n").expect("it is open");
    let refusal = "ERR Protocol error: unauthenticated multibulk length";
    assert_eq!(stranger.read(), Some(Reply::Error(refusal.into())));
    assert_eq!(stranger.read(), None, "and the connection is closed");
    let mut friend = node.client();
    friend.ok(&["AUTH", "secret"]);
    let long = friend.call(&[
        "EXISTS", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
    ]);
    let is_refused = matches!(&long, Reply::Error(text) if text.contains("unauthenticated"));
    assert!(!is_refused, "{long:?}");
}

//! Processes of our own binary on loopback, and a small client for them.
//!
//! A process dies with its handle; ports are free ones; waiting has a deadline and says for what.

#![expect(dead_code, reason = "each test binary uses its own part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A node as a process; killed when dropped.
pub struct NodeProcess {
    child: Child,
    pub port: u16,
    pub bus_port: u16,
    folder: tempfile::TempDir,
    extra: Vec<String>,
}

impl NodeProcess {
    /// Starts a cluster node with these further options.
    pub fn start(extra: &[&str]) -> NodeProcess {
        let extra: Vec<String> = extra.iter().map(|word| word.to_string()).collect();
        loop {
            let (port, bus_port) = (free_port(), free_port());
            let folder = tempfile::tempdir().expect("a temporary folder");
            let child = spawn(port, bus_port, folder.path(), &extra);
            let mut node = NodeProcess {
                child,
                port,
                bus_port,
                folder,
                extra: extra.clone(),
            };
            if node.wait_ready() == Start::Ready {
                return node;
            }
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Starts it again on the same files and ports.
    pub fn restart(&mut self) {
        self.child = spawn(self.port, self.bus_port, self.folder.path(), &self.extra);
        assert_eq!(self.wait_ready(), Start::Ready, "the ports are still free");
    }

    /// SIGTERM; gives the exit status.
    pub fn terminate(&mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.expect("kill exists").success());
        let mut status = None;
        wait_until("the node to end after SIGTERM", || {
            status = self.child.try_wait().expect("our own child");
            status.is_some()
        });
        status.expect("waited for").code()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default()
    }

    fn wait_ready(&mut self) -> Start {
        let what = format!("node on port {} to answer PING", self.port);
        let mut start = Start::PortTaken;
        wait_until(&what, || {
            if self.child.try_wait().expect("our own child").is_some() {
                let text = self.log();
                assert!(text.contains("Failed listening"), "the node ended: {text}");
                return true;
            }
            let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
                return false;
            };
            if Client::new(stream).try_call(&["PING"]).is_some() {
                start = Start::Ready;
            }
            start == Start::Ready
        });
        start
    }
}

/// How a start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Ready,
    /// Somebody was faster.
    PortTaken,
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of the node on port {}:\n{}", self.port, self.log());
        }
    }
}

fn spawn(port: u16, bus_port: u16, folder: &Path, extra: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_slotquake-node"))
        .args([
            "--port",
            &port.to_string(),
            "--cluster-port",
            &bus_port.to_string(),
        ])
        .args(["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"])
        .args(["--bind", "127.0.0.1", "--logfile", "log.txt", "--save", ""])
        .arg("--dir")
        .arg(folder)
        .args(extra)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("our own binary starts")
}

/// A port that nobody listens on, below those that the system gives to outgoing connections;
/// never the same twice in one process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = (std::process::id().wrapping_mul(97) + step) % 20_000;
        let port = 12_000 + number as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits for a condition, and says which one did not come.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited 30 s for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A reply, as far as the tests tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Text(String),
    Error(String),
    Integer(i64),
    Nil,
    Array(Vec<Reply>),
}

impl Reply {
    pub fn text(&self) -> &str {
        match self {
            Reply::Text(text) => text,
            other => panic!("expected text, got {other:?}"),
        }
    }
}

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(port: u16) -> Client {
        Client::new(TcpStream::connect(("127.0.0.1", port)).expect("the node listens"))
    }

    fn new(stream: TcpStream) -> Client {
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a valid time");
        Client {
            stream: BufReader::new(stream),
        }
    }

    /// The same connection once more, to write from another thread.
    pub fn try_clone(&self) -> Client {
        Client::new(
            self.stream
                .get_ref()
                .try_clone()
                .expect("a descriptor is free"),
        )
    }

    pub fn call(&mut self, words: &[&str]) -> Reply {
        self.try_call(words)
            .unwrap_or_else(|| panic!("no reply to {words:?}"))
    }

    pub fn text(&mut self, words: &[&str]) -> String {
        self.call(words).text().to_string()
    }

    pub fn ok(&mut self, words: &[&str]) {
        assert_eq!(self.call(words), Reply::Text("OK".into()), "{words:?}");
    }

    pub fn try_call(&mut self, words: &[&str]) -> Option<Reply> {
        self.send(words)?;
        self.read()
    }

    pub fn send(&mut self, words: &[&str]) -> Option<()> {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.send_raw(request.as_bytes())
    }

    pub fn send_raw(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.get_mut().write_all(bytes).ok()
    }

    pub fn read(&mut self) -> Option<Reply> {
        let mut line = String::new();
        self.stream
            .read_line(&mut line)
            .ok()
            .filter(|length| *length > 0)?;
        let (kind, rest) = line.trim_end().split_at(1);
        let number = || rest.parse::<i64>().expect("a number");
        Some(match kind {
            "+" => Reply::Text(rest.into()),
            "-" => Reply::Error(rest.into()),
            ":" => Reply::Integer(number()),
            "$" if number() < 0 => Reply::Nil,
            "$" => {
                let mut bytes = vec![0; number() as usize + 2];
                self.stream.read_exact(&mut bytes).ok()?;
                bytes.truncate(bytes.len() - 2);
                Reply::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            "*" if number() < 0 => Reply::Nil,
            "*" => Reply::Array((0..number()).map(|_| self.read()).collect::<Option<_>>()?),
            other => panic!("unexpected kind of reply {other:?}"),
        })
    }

    /// A field of INFO or CLUSTER INFO.
    pub fn field(&mut self, words: &[&str], name: &str) -> String {
        let text = self.text(words);
        let prefix = format!("{name}:");
        let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
        found
            .map(str::to_string)
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    }
}

/// Masters with one replica each, all slots covered; node n + i is the replica of node i.
pub fn cluster(masters: usize) -> Vec<NodeProcess> {
    let nodes: Vec<NodeProcess> = (0..masters * 2).map(|_| NodeProcess::start(&[])).collect();
    let ids: Vec<String> = nodes
        .iter()
        .map(|node| node.client().text(&["CLUSTER", "MYID"]))
        .collect();
    for (index, node) in nodes.iter().enumerate() {
        let mut client = node.client();
        client.ok(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        for other in &nodes[..index] {
            let (port, bus_port) = (other.port.to_string(), other.bus_port.to_string());
            client.ok(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus_port]);
        }
        if index < masters {
            let first = (16_384 * index / masters).to_string();
            let last = (16_384 * (index + 1) / masters - 1).to_string();
            client.ok(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
    }
    for (index, node) in nodes.iter().enumerate().skip(masters) {
        let mut client = node.client();
        wait_until(
            "a node to know its master, and to be made its replica",
            || {
                let words = ["CLUSTER", "REPLICATE", &ids[index - masters]];
                client.call(&words) == Reply::Text("OK".into())
            },
        );
    }
    wait_ok(&nodes);
    nodes
}

/// Waits until every node sees the cluster ok, and every replica is linked.
pub fn wait_ok(nodes: &[NodeProcess]) {
    let known = nodes.len().to_string();
    for node in nodes {
        let mut client = node.client();
        wait_until("cluster_state:ok and every node known", || {
            client.field(&["CLUSTER", "INFO"], "cluster_state") == "ok"
                && client.field(&["CLUSTER", "INFO"], "cluster_known_nodes") == known
        });
        wait_until("replicas to be linked", || {
            client.field(&["INFO", "replication"], "role") == "master"
                || client.field(&["INFO", "replication"], "master_link_status") == "up"
        });
    }
}

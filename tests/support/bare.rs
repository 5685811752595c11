//! One node as a bare process: started without waiting, killed at any instant, started again.
//!
//! For tests that look at the process itself: its files, its end, its limits. [`Line`] is a
//! connection to its client port that reports a broken connection instead of failing.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use slotquake_workloads::client::resp::{RespParser, RespValue, encode};

/// How to start a node, and the process if there is one.
pub struct BareNode {
    program: PathBuf,
    options: Vec<String>,
    child: Option<Child>,
    /// Its client port.
    pub port: u16,
    /// Its bus port.
    pub bus_port: u16,
    folder: tempfile::TempDir,
}

impl BareNode {
    /// A node of the harness at this path, with these options; not started yet.
    pub fn new(harness: &str, options: &[&str]) -> BareNode {
        BareNode {
            program: harness.into(),
            options: options.iter().map(|word| word.to_string()).collect(),
            child: None,
            port: free_port(),
            bus_port: free_port(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The same, started and answering.
    pub fn running(harness: &str, options: &[&str]) -> BareNode {
        let mut node = BareNode::new(harness, options);
        node.spawn();
        drop(node.when_ready());
        node
    }

    /// Starts the process; what it prints is kept in `out.txt` of its folder.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "one process at a time");
        let out = std::fs::File::create(self.path("out.txt")).unwrap();
        let mut command = Command::new(&self.program);
        command.arg("node");
        command.args(["--port", &self.port.to_string()]);
        command.args(["--cluster-port", &self.bus_port.to_string()]);
        command.args(["--cluster-enabled", "yes", "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--slotquake-writable-delay", "0"]);
        command.arg("--dir").arg(self.folder.path());
        command.args(&self.options);
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap());
        command.stderr(out);
        self.child = Some(command.spawn().unwrap());
    }

    /// Waits until the process answers.
    pub fn when_ready(&mut self) -> Line {
        let mut line = None;
        wait_until("the node to answer PING", || {
            let child = self.child.as_mut().expect("it was started");
            if let Some(status) = child.try_wait().unwrap() {
                let printed = self.printed();
                panic!("the node on port {} ended, {status}: {printed}", self.port);
            }
            line = Line::open(self.port).and_then(|mut line| {
                let pong = line.call(&["PING"])?;
                (pong == RespValue::Simple("PONG".into())).then_some(line)
            });
            line.is_some()
        });
        line.expect("waited for")
    }

    /// SIGKILL, whatever it is doing.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ended = child.kill();
            child.wait().unwrap();
            let printed = self.printed();
            let is_calm = !printed.contains("panicked") || std::thread::panicking();
            assert!(is_calm, "the node panicked: {printed}");
        }
    }

    /// Waits for the process to end by itself.
    pub fn when_ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it was started");
        let mut status = None;
        wait_until("the node to end", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        status.expect("waited for")
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        let ended = self.child.as_mut().map(|child| child.try_wait().unwrap());
        matches!(ended, Some(None))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it was started").id()
    }

    /// A connection to its client port.
    pub fn line(&self) -> Line {
        Line::open(self.port).expect("the node listens")
    }

    /// A raw connection to its bus port.
    pub fn bus(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.bus_port)).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file of its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the process printed since it was started last.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.path("out.txt")).unwrap_or_default()
    }

    /// Resident memory of the process, bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1));
        1024 * kilobytes
            .expect("a running process")
            .parse::<u64>()
            .unwrap()
    }
}

impl Drop for BareNode {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A connection to a client port.
pub struct Line {
    /// The socket, for what a client should not do.
    pub stream: TcpStream,
    parser: RespParser,
}

impl Line {
    /// Connects, if somebody listens.
    pub fn open(port: u16) -> Option<Line> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let parser = RespParser::default();
        Some(Line { stream, parser })
    }

    /// The reply to a command; none if the connection broke.
    pub fn call(&mut self, words: &[&str]) -> Option<RespValue> {
        let args: Vec<Bytes> = words.iter().map(|word| word.to_string().into()).collect();
        let mut request = Vec::new();
        encode(&args, &mut request);
        self.stream.write_all(&request).ok()?;
        self.next_reply()
    }

    /// The text of the reply to a command; errors with their `-`.
    pub fn text(&mut self, words: &[&str]) -> Option<String> {
        Some(match self.call(words)? {
            RespValue::Error(text) => format!("-{text}"),
            other => other.text().map_or(format!("{other:?}"), str::to_string),
        })
    }

    /// The next reply; none if the connection broke.
    pub fn next_reply(&mut self) -> Option<RespValue> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(reply) = self.parser.next_reply().ok()? {
                return Some(reply);
            }
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => return None,
                Ok(count) => self.parser.feed(&buffer[..count]),
            }
        }
    }

    /// A field of CLUSTER INFO, INFO and the like; none if the connection broke.
    pub fn field(&mut self, words: &[&str], name: &str) -> Option<String> {
        let text = self.text(words)?;
        let prefix = format!("{name}:");
        let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
        Some(
            found
                .unwrap_or_else(|| panic!("no {name} in {text}"))
                .into(),
        )
    }
}

/// A port nobody listens on, below those that other tests take; never the same one
/// twice in a process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = std::process::id().wrapping_mul(61).wrapping_add(step) % 8_900;
        let port = 3_000 + number as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Waits for a condition, and says which one did not come.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Enough for a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(30);

//! Servers on loopback for tests that need no sandbox, and a client that follows redirections.
//!
//! A server dies with its handle. Ports lie below those the system gives away by itself, bus ports
//! 10000 above; who finds one taken takes the next. Waiting has a deadline and says for what.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use slotquake::target::servers::Installed;
use slotquake_workloads::client::resp::{RespParser, RespValue, encode};

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// What comes before the configuration file.
    pub arguments: Vec<String>,
    /// Libraries it needs.
    pub library_path: Option<PathBuf>,
    /// Further lines of redis.conf.
    pub settings: String,
}

impl Program {
    /// Our node, as a subcommand of the harness.
    pub fn reference(harness: &str) -> Program {
        Program {
            path: harness.into(),
            arguments: vec!["node".into()],
            library_path: None,
            settings: "slotquake-writable-delay 0\n".into(),
        }
    }

    /// A real server.
    pub fn redis(installed: &Installed) -> Program {
        Program {
            path: installed.program.clone(),
            arguments: Vec::new(),
            library_path: installed.library_path.clone(),
            settings: "repl-diskless-sync-delay 0\n".into(),
        }
    }
}

/// Whether a server is a cluster node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Cluster,
    /// It is alone.
    Standalone,
}

/// A server; killed when dropped.
pub struct Server {
    child: Child,
    /// Its client port.
    pub port: u16,
    folder: tempfile::TempDir,
    program: Program,
    mode: Mode,
}

impl Server {
    /// Starts a server, and waits until it answers.
    pub fn start(program: &Program, mode: Mode) -> Server {
        loop {
            let server = Server::spawn(program, mode);
            if let Some(server) = server.when_ready() {
                return server;
            }
        }
    }

    fn spawn(program: &Program, mode: Mode) -> Server {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let child = launch(program, mode, port, folder.path());
        let program = program.clone();
        Server {
            child,
            port,
            folder,
            program,
            mode,
        }
    }

    // None if somebody else was faster to take the port.
    fn when_ready(mut self) -> Option<Server> {
        self.is_ready().then_some(self)
    }

    fn is_ready(&mut self) -> bool {
        let mut is_running = true;
        wait_until("a server to answer PING", || {
            is_running = self.child.try_wait().unwrap().is_none();
            let answer = Client::open(self.port).and_then(|mut client| client.try_call(&["PING"]));
            !is_running || answer == Some(RespValue::Simple("PONG".into()))
        });
        let is_taken = self.log().contains("already in use");
        assert!(is_running || is_taken, "the server ended: {}", self.log());
        is_running
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again where it was, after [`Server::kill`].
    pub fn restart(&mut self) {
        let program = self.program.clone();
        self.restart_as(&program);
    }

    /// Starts another program in its folder, on its port.
    pub fn restart_as(&mut self, program: &Program) {
        self.program = program.clone();
        wait_until("its port to be free again", || {
            self.child = launch(program, self.mode, self.port, self.folder.path());
            self.is_ready()
        });
    }

    /// Starts it again on another port.
    pub fn restart_elsewhere(&mut self) {
        self.port = free_port();
        self.restart();
    }

    /// A file in its folder, such as `nodes.conf`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A connection.
    pub fn client(&self) -> Client {
        Client::open(self.port).expect("the server listens")
    }

    /// Its node id.
    pub fn id(&self) -> String {
        let reply = self.client().call(&["CLUSTER", "MYID"]);
        reply.text().unwrap().to_string()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log.txt")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let tail = log.len().saturating_sub(2000);
            let tail = log.char_indices().map(|(at, _)| at).find(|at| *at >= tail);
            eprintln!("log of {}:\n{}", self.address(), &log[tail.unwrap_or(0)..]);
        }
    }
}

fn launch(program: &Program, mode: Mode, port: u16, folder: &Path) -> Child {
    let cluster = match mode {
        Mode::Cluster => "cluster-enabled yes\ncluster-node-timeout 5000\n",
        Mode::Standalone => "",
    };
    let text = format!(
        "port {port}\nbind 127.0.0.1\nsave \"\"\nlogfile log.txt\ndir {}\n{cluster}{}",
        folder.display(),
        program.settings,
    );
    let config = folder.join("redis.conf");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(&program.path);
    if let Some(path) = &program.library_path {
        command.env("LD_LIBRARY_PATH", path);
    }
    // redis-server tries its log file where it was started.
    command.current_dir(folder);
    command.args(&program.arguments).arg(&config);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// A port that is free now, with the one 10000 above; never the same twice in one process.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let number = std::process::id().wrapping_mul(89).wrapping_add(step) % 9_000;
        let port = 12_100 + number as u16;
        if is_free(port) && is_free(port + 10_000) {
            return port;
        }
    }
}

/// Waits for a condition, and says which one did not come.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Enough for a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(90);

/// One connection.
pub struct Client {
    stream: TcpStream,
    parser: RespParser,
}

impl Client {
    fn open(port: u16) -> Option<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        let parser = RespParser::default();
        Some(Client { stream, parser })
    }

    /// The reply to a command.
    pub fn call(&mut self, words: &[&str]) -> RespValue {
        let reply = self.try_call(words);
        reply.unwrap_or_else(|| panic!("no reply to {words:?}"))
    }

    /// The reply to a command whose arguments need not be text.
    pub fn call_bytes(&mut self, args: &[Bytes]) -> RespValue {
        let mut request = Vec::new();
        encode(args, &mut request);
        self.stream.write_all(&request).unwrap();
        self.next_reply().expect("a reply")
    }

    /// What comes next: a reply, or a message to a subscriber; none if the connection ended or
    /// nothing came for 20 s.
    pub fn next_reply(&mut self) -> Option<RespValue> {
        let mut buffer = [0; 16 << 10];
        loop {
            if let Some(reply) = self.parser.next_reply().unwrap() {
                return Some(reply);
            }
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.parser.feed(&buffer[..count]),
            }
        }
    }

    fn try_call(&mut self, words: &[&str]) -> Option<RespValue> {
        let args: Vec<Bytes> = words.iter().map(|word| word.to_string().into()).collect();
        let mut request = Vec::new();
        encode(&args, &mut request);
        self.stream.write_all(&request).ok()?;
        self.next_reply()
    }
}

/// A client of a whole cluster: goes where it is sent.
pub struct Router {
    first: u16,
    clients: BTreeMap<u16, Client>,
    owners: BTreeMap<u16, u16>,
}

impl Router {
    /// By way of this node.
    pub fn new(first: &Server) -> Router {
        Router {
            first: first.port,
            clients: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    /// The reply to a command whose first argument is its key.
    pub fn call(&mut self, words: &[&str]) -> RespValue {
        let slot = slotquake_core::slot::Slot::of_key(words[1].as_bytes()).number();
        let mut reply = None;
        wait_until("a node to serve a key", || {
            let owner = *self.owners.get(&slot).unwrap_or(&self.first);
            let mut answer = self.on(owner).call(words);
            if let Some(to) = redirection(&answer, "ASK ") {
                let client = self.on(to);
                assert_eq!(client.call(&["ASKING"]), RespValue::Simple("OK".into()));
                answer = client.call(words);
            }
            if let Some(to) = redirection(&answer, "MOVED ") {
                self.owners.insert(slot, to);
                return false;
            }
            if let RespValue::Error(text) = &answer
                && (text.starts_with("TRYAGAIN") || text.starts_with("CLUSTERDOWN"))
            {
                return false;
            }
            reply = Some(answer);
            true
        });
        reply.unwrap()
    }

    fn on(&mut self, port: u16) -> &mut Client {
        let open = || Client::open(port).expect("the node listens");
        self.clients.entry(port).or_insert_with(open)
    }
}

fn redirection(reply: &RespValue, kind: &str) -> Option<u16> {
    let RespValue::Error(text) = reply else {
        return None;
    };
    let rest = text.strip_prefix(kind)?;
    rest.rsplit_once(':')?.1.parse().ok()
}

/// redis-cli.
pub struct RedisCli {
    /// The program.
    pub path: PathBuf,
    /// Libraries it needs.
    pub library_path: Option<PathBuf>,
}

impl RedisCli {
    /// Calls `redis-cli --cluster …`, answers its questions with yes, and gives what it wrote.
    ///
    /// # Panics
    /// If it fails, or does not end.
    pub fn cluster(&self, words: &[&str]) -> String {
        let text = self.try_cluster(words);
        text.unwrap_or_else(|text| panic!("redis-cli {words:?}:\n{text}"))
    }

    /// The same, but what it wrote is an error if it fails.
    ///
    /// # Errors
    /// What it wrote.
    ///
    /// # Panics
    /// If it does not end.
    pub fn try_cluster(&self, words: &[&str]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("output");
        let file = std::fs::File::create(&output).unwrap();
        let mut command = Command::new(&self.path);
        if let Some(path) = &self.library_path {
            command.env("LD_LIBRARY_PATH", path);
        }
        command.arg("--cluster").args(words).stdin(Stdio::piped());
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let mut child = Reaped(command.spawn().unwrap());
        // It may have no question, and be gone by now.
        let _gone = child.0.stdin.take().unwrap().write_all(b"yes\nyes\n");
        let mut status = None;
        wait_until(&format!("redis-cli --cluster {words:?}"), || {
            status = child.0.try_wait().unwrap();
            status.is_some()
        });
        let text = read_lossy(&output);
        match status.unwrap().success() {
            true => Ok(text),
            false => Err(text),
        }
    }
}

struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
}

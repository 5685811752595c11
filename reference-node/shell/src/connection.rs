//! One TCP connection, whatever it carries: reads feed its [`Protocol`], writes leave its outbox.
//!
//! A connection that is slow to read its replies is not read from either, until it caught up; one
//! that lets too much gather is closed.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::{Duration, Instant};

use slotquake_core::config::output_limits::OutputLimit;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::outbox::{Flushed, Outbox};
use crate::shell::{SharedShell, Shell};

/// A connection, shared by its task and the shell.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    outbox: RefCell<Outbox>,
    state: Cell<State>,
    changed: Notify,
    is_dirty: Cell<bool>,
    /// Since when more waits than the soft limit allows.
    over_soft_since: Cell<Option<Instant>>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more is read; it ends when all is written.
    Closing,
    Broken,
}

/// What a connection carries.
pub trait Protocol {
    /// Bytes came: feed the shell. Break if the connection is to be closed.
    fn received(&mut self, bytes: &[u8], shell: &mut Shell) -> ControlFlow<()>;
    /// Whether bytes received before are left over for lack of room for what they ask for.
    fn is_behind(&self) -> bool {
        false
    }
    /// Goes on with them.
    fn resume(&mut self, _shell: &mut Shell) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// Nothing more comes from the connection; the shell may have closed it itself.
    fn lost(&mut self, shell: &mut Shell);
}

impl Connection {
    /// Around a stream; at most so many bytes may wait to be written.
    pub fn new(stream: TcpStream, limit: usize) -> Rc<Connection> {
        // BUS-05, and as redis-server does for clients. A socket that is gone already says so
        // at the first read.
        let _gone = stream.set_nodelay(true);
        Rc::new(Connection {
            stream,
            outbox: RefCell::new(Outbox::new(limit)),
            state: Cell::new(State::Open),
            changed: Notify::new(),
            is_dirty: Cell::new(false),
            over_soft_since: Cell::new(None),
        })
    }

    /// Gives access to what is to be written; true if the shell must see to its flush.
    pub fn write(&self, write: impl FnOnce(&mut Outbox)) -> bool {
        if self.state.get() != State::Open {
            return false;
        }
        write(&mut self.outbox.borrow_mut());
        !self.is_dirty.replace(true)
    }

    /// Whether it should not be asked for more: too much is waiting to be written.
    pub fn is_congested(&self) -> bool {
        self.outbox.borrow().length() > CONGESTED_BYTES
    }

    /// Whether what it sends is still of interest.
    pub fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Closes it once all is written.
    pub fn close(&self) {
        if self.state.get() == State::Open {
            self.state.set(State::Closing);
            self.changed.notify_one();
        }
    }

    /// Writes what it can now; its task does the rest.
    pub fn flush(&self) {
        self.is_dirty.set(false);
        let mut outbox = self.outbox.borrow_mut();
        match outbox.flush(&self.stream) {
            Flushed::All => {}
            Flushed::Some if !outbox.is_over_limit() => self.changed.notify_one(),
            Flushed::Some | Flushed::Broken => {
                self.state.set(State::Broken);
                self.changed.notify_one();
            }
        }
    }

    /// How much may wait to be written from now on.
    pub fn set_limit(&self, limit: OutputLimit) {
        let mut outbox = self.outbox.borrow_mut();
        outbox.set_limit(match limit.hard_bytes {
            0 => usize::MAX,
            hard => usize::try_from(hard).unwrap_or(usize::MAX),
        });
        let is_over = limit.soft_bytes > 0 && outbox.length() as u64 > limit.soft_bytes;
        let since = match (is_over, self.over_soft_since.get()) {
            (false, _) => None,
            (true, None) => Some(Instant::now()),
            (true, since) => since,
        };
        self.over_soft_since.set(since);
        if since.is_some_and(|since| since.elapsed() > Duration::from_secs(limit.soft_seconds)) {
            outbox.set_limit(0);
        }
    }

    /// Bytes that wait to be written.
    pub fn waiting_bytes(&self) -> u64 {
        self.outbox.borrow().length() as u64
    }

    fn has_output(&self) -> bool {
        self.outbox.borrow().length() > 0
    }
}

/// Serves a connection until it ends.
pub async fn serve(connection: Rc<Connection>, mut protocol: impl Protocol, shell: SharedShell) {
    serve_open(&connection, &mut protocol, &shell).await;
    {
        let mut shell = shell.borrow_mut();
        protocol.lost(&mut shell);
        shell.end_turn();
    }
    let last_words = async {
        while connection.state.get() != State::Broken && connection.has_output() {
            if connection.stream.writable().await.is_err() {
                return;
            }
            connection.flush();
        }
    };
    let _too_slow = tokio::time::timeout(LAST_WORDS_TIME, last_words).await;
}

// Until nothing more is to be read. What is left to be written may be last words: an error, the
// answer to QUIT.
async fn serve_open(connection: &Connection, protocol: &mut impl Protocol, shell: &SharedShell) {
    while connection.is_open() {
        let is_congested = connection.is_congested();
        if protocol.is_behind() && !is_congested {
            if catch_up(protocol, &mut shell.borrow_mut()).is_break() {
                return;
            }
            tokio::task::yield_now().await;
            continue;
        }
        let interest = match (is_congested, connection.has_output()) {
            (true, _) => Interest::WRITABLE,
            (false, true) => Interest::READABLE | Interest::WRITABLE,
            (false, false) => Interest::READABLE,
        };
        let ready = tokio::select! {
            ready = connection.stream.ready(interest) => ready,
            () = connection.changed.notified() => continue,
        };
        let Ok(ready) = ready else {
            return;
        };
        if ready.is_writable() {
            connection.flush();
        }
        let is_readable = ready.is_readable() || ready.is_read_closed();
        if is_readable
            && interest.is_readable()
            && read(connection, protocol, &mut shell.borrow_mut()).is_break()
        {
            return;
        }
    }
}

fn catch_up(protocol: &mut impl Protocol, shell: &mut Shell) -> ControlFlow<()> {
    let flow = protocol.resume(shell);
    shell.end_turn();
    flow
}

fn read(
    connection: &Connection,
    protocol: &mut impl Protocol,
    shell: &mut Shell,
) -> ControlFlow<()> {
    let mut buffer = shell.take_read_buffer();
    let flow = match connection.stream.try_read(&mut buffer) {
        Ok(0) => ControlFlow::Break(()),
        Ok(count) => protocol.received(&buffer[..count], shell),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        },
    };
    shell.put_read_buffer(buffer);
    shell.end_turn();
    flow
}

/// More than this waiting to be written, and nothing more is read.
const CONGESTED_BYTES: usize = 1 << 20;
/// How long a closed connection may take to be told its last words.
const LAST_WORDS_TIME: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves BUS-05: small packets are not held back.
    #[test]
    fn a_connection_sends_without_delay() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
            let listener = listener.expect("loopback");
            let at = listener.local_addr().expect("bound");
            let _caller = TcpStream::connect(at).await.expect("it listens");
            let (stream, _) = listener.accept().await.expect("a caller");
            assert!(!stream.nodelay().expect("an open socket"));
            let connection = Connection::new(stream, 100);
            assert!(connection.stream.nodelay().expect("an open socket"));
        });
    }
}

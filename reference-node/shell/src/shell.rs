//! Takes in one input at a time, and carries out what the core answers, in order.
//!
//! Writing to sockets ends each turn ([`Shell::end_turn`]); files are written at once, so what
//! must be on disk is there before any byte that depends on it leaves (BUS-10).

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::{Rc, Weak};

use slotquake_core::bus::Packet;
use slotquake_core::ids::{ClientId, LinkId, PeerId, UpstreamId};
use slotquake_core::input::PeerEvent;
use slotquake_core::output::{File, LogLevel, PeerAct, Protocol};
use slotquake_core::resp::Reply;
use slotquake_core::resp::request::{BulkLenMax, Trust};
use slotquake_core::time::Millis;
use slotquake_core::{Input, Node, Output, Outputs};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};

use crate::connection::Connection;
use crate::files::Files;
use crate::log::Log;
use crate::peer::{Journey, Peers};
use crate::{bus_link, clock, upstream};

/// The shell, shared by the tasks of one thread; never borrowed while waiting.
pub type SharedShell = Rc<RefCell<Shell>>;

/// The node with its connections, files and log.
pub struct Shell {
    node: Node,
    outputs: Outputs,
    clients: HashMap<ClientId, Rc<Connection>>,
    links: HashMap<LinkId, Way>,
    upstreams: HashMap<UpstreamId, Way>,
    peers: Peers,
    clients_accepted: u64,
    links_accepted: u64,
    dirty: Vec<Rc<Connection>>,
    /// Links that were written to in this turn.
    busy_links: Vec<LinkId>,
    /// What the node was told of the queues of links, where it is not 0.
    told_queues: HashMap<LinkId, u64>,
    read_buffer: Vec<u8>,
    files: Files,
    log: Log,
    armed: Millis,
    signals: Rc<Signals>,
    myself: Weak<RefCell<Shell>>,
}

/// A connection of our own making.
enum Way {
    Opening(AbortHandle),
    Open(Rc<Connection>),
}

/// What the main task waits for.
#[derive(Debug, Default)]
pub struct Signals {
    /// The node wants to be woken earlier than was planned.
    pub rearm: Notify,
    /// The process is to end.
    pub exit: Notify,
    /// With which status.
    pub status: std::cell::Cell<Option<u8>>,
}

impl Shell {
    /// Around a node that just booted.
    pub fn new(node: Node, files: Files, log: Log, signals: Rc<Signals>) -> SharedShell {
        Rc::new_cyclic(|myself| {
            RefCell::new(Shell {
                node,
                outputs: Vec::new(),
                clients: HashMap::new(),
                links: HashMap::new(),
                upstreams: HashMap::new(),
                peers: Peers::default(),
                clients_accepted: 0,
                links_accepted: 0,
                dirty: Vec::new(),
                busy_links: Vec::new(),
                told_queues: HashMap::new(),
                read_buffer: vec![0; READ_BUFFER_BYTES],
                files,
                log,
                armed: Millis(u64::MAX),
                signals,
                myself: myself.clone(),
            })
        })
    }

    /// One input, then all outputs in order.
    pub fn take_in(&mut self, input: Input) {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.node.step(clock::now(), input, &mut outputs);
        self.carry_out_all(&mut outputs);
        self.outputs = outputs;
    }

    /// Carries out outputs, in order.
    pub fn carry_out_all(&mut self, outputs: &mut Outputs) {
        for output in outputs.drain(..) {
            self.carry_out(output);
        }
    }

    /// Writes what gathered, and sees to the next wake-up.
    pub fn end_turn(&mut self) {
        self.flush_log();
        while !self.dirty.is_empty() {
            for connection in self.dirty.drain(..) {
                connection.flush();
            }
            self.tell_queues();
        }
        if self.node.next_wakeup() < self.armed {
            self.signals.rearm.notify_one();
        }
    }

    fn flush_log(&mut self) {
        if let Err(error) = self.files.append_log.flush() {
            self.persist_failed(None, &error.to_string());
        }
    }

    // CF-17: how much waits on the links just written to, where that is news.
    fn tell_queues(&mut self) {
        for link in std::mem::take(&mut self.busy_links) {
            let waiting_bytes = match self.links.get(&link) {
                Some(Way::Open(connection)) => connection.waiting_bytes(),
                Some(Way::Opening(_)) | None => 0,
            };
            let told = match waiting_bytes {
                0 => self.told_queues.remove(&link),
                _ => self.told_queues.insert(link, waiting_bytes),
            };
            if told.unwrap_or(0) != waiting_bytes {
                self.take_in(Input::LinkQueue {
                    link,
                    waiting_bytes,
                });
            }
        }
    }

    /// When the node is to be woken; until then an earlier wish will be told.
    pub fn arm(&mut self) -> Millis {
        self.armed = self.node.next_wakeup();
        self.armed
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Persist {
                file,
                content,
                durability,
            } => {
                if let Err(error) = self.files.persist(file, &content.bytes(), durability) {
                    self.persist_failed(Some(file), &error.to_string());
                }
            }
            Output::RestartLog { base } => {
                if let Err(error) = self.files.append_log.restart(&base) {
                    self.persist_failed(None, &error.to_string());
                }
            }
            Output::Append { bytes } => self.files.append_log.append(&bytes),
            Output::OpenLink { link, ip, port } => self.open_link(link, SocketAddr::new(ip, port)),
            Output::CloseLink { link } => close(self.links.remove(&link)),
            Output::SendPacket { link, packet } => self.send_packet(link, &packet),
            Output::Reply {
                client,
                reply,
                protocol,
            } => self.reply(client, &reply, protocol),
            Output::SendBytes { client, bytes } => {
                if let Some(connection) = self.clients.get(&client)
                    && connection.write(|outbox| outbox.push(bytes))
                {
                    self.dirty.push(connection.clone());
                }
                self.limit_output(client);
            }
            Output::CloseClient { client } => {
                if let Some(connection) = self.clients.remove(&client) {
                    self.flush_log();
                    connection.flush();
                    connection.close();
                }
            }
            Output::OpenUpstream { upstream, ip, port } => {
                self.open_upstream(upstream, SocketAddr::new(ip, port));
            }
            Output::SendUpstream { upstream, bytes } => {
                if let Some(Way::Open(connection)) = self.upstreams.get(&upstream)
                    && connection.write(|outbox| outbox.push(bytes))
                {
                    self.dirty.push(connection.clone());
                }
            }
            Output::CloseUpstream { upstream } => close(self.upstreams.remove(&upstream)),
            Output::Stall { span } => {
                std::thread::sleep(std::time::Duration::from_millis(span.0));
            }
            Output::Peer { peer, act } => self.act_on_peer(peer, act),
            Output::Log { level, text } => self.log.line(level, &text),
            Output::Exit { status } => self.exit(status),
        }
    }

    fn send_packet(&mut self, link: LinkId, packet: &Packet) {
        if let Some(Way::Open(connection)) = self.links.get(&link) {
            let bytes = slotquake_core::bus::codec::encode(packet);
            let is_new = connection.write(|outbox| {
                outbox.write(|tail| tail.extend_from_slice(&bytes));
            });
            if is_new {
                self.dirty.push(connection.clone());
                self.busy_links.push(link);
            }
        }
    }

    fn act_on_peer(&mut self, peer: PeerId, act: PeerAct) {
        match act {
            PeerAct::Open { host, port } => {
                let source = self.source_ip();
                let journey = Journey { host, port, source };
                let shell = self.shared();
                self.peers.open(peer, journey, shell);
            }
            PeerAct::Send(bytes) => self.dirty.extend(self.peers.send(peer, bytes)),
            PeerAct::Close => self.peers.close(peer),
        }
    }

    // PS-13: a node that cannot keep its promises ends, before any further output.
    fn persist_failed(&mut self, file: Option<File>, error: &str) -> ! {
        self.log.line(LogLevel::Warning, error);
        if file == Some(File::NodesConf) {
            self.log.line(
                LogLevel::Warning,
                "Fatal: can't update cluster config file.",
            );
        }
        std::process::exit(1);
    }

    fn exit(&mut self, status: u8) {
        self.flush_log();
        for connection in self.dirty.drain(..) {
            connection.flush();
        }
        self.signals.status.set(Some(status));
        self.signals.exit.notify_one();
    }

    /// Answers a client.
    pub fn reply(&mut self, client: ClientId, reply: &Reply, protocol: Protocol) {
        if let Some(connection) = self.clients.get(&client)
            && connection.write(|outbox| outbox.write(|tail| reply.encode(protocol, tail)))
        {
            self.dirty.push(connection.clone());
        }
        self.limit_output(client);
    }

    // What waits to be read is bounded by what kind of client it is for.
    fn limit_output(&mut self, client: ClientId) {
        if let Some(connection) = self.clients.get(&client)
            && connection.waiting_bytes() > UNLIMITED_BYTES
        {
            connection.set_limit(self.node.output_limit(client));
        }
    }

    /// Bytes that a client may send ahead of what can be run.
    pub fn query_buffer_limit(&self) -> u64 {
        self.node.config().client_query_buffer_limit
    }

    /// Bytes that an argument may have.
    pub fn bulk_len_max(&self) -> BulkLenMax {
        BulkLenMax(self.node.config().proto_max_bulk_len)
    }

    /// A line for the log.
    pub fn log(&mut self, level: LogLevel, text: &str) {
        self.log.line(level, text);
    }

    /// Room for what a socket has to say.
    pub fn take_read_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.read_buffer)
    }

    /// Gives it back.
    pub fn put_read_buffer(&mut self, buffer: Vec<u8>) {
        self.read_buffer = buffer;
    }

    /// A client connected; gives its number.
    pub fn client_accepted(
        &mut self,
        connection: Rc<Connection>,
        peer: SocketAddr,
        local: SocketAddr,
    ) -> ClientId {
        self.clients_accepted += 1;
        let client = ClientId(self.clients_accepted);
        if self.is_protected_from(peer) {
            let is_new = connection.write(|outbox| outbox.push(DENIED.into()));
            assert!(is_new, "nothing was written to a fresh connection");
            connection.flush();
            connection.close();
            return client;
        }
        self.clients.insert(client, connection);
        self.take_in(Input::ClientOpened {
            client,
            peer,
            local,
        });
        client
    }

    /// Whether a client may send long requests.
    pub fn trust(&self, client: ClientId) -> Trust {
        self.node.trust(client)
    }

    fn is_protected_from(&self, peer: SocketAddr) -> bool {
        let config = self.node.config();
        let is_off = config
            .other
            .get("protected-mode")
            .is_some_and(|value| value == "no");
        !is_off && config.requirepass.is_empty() && !peer.ip().to_canonical().is_loopback()
    }

    /// A client is gone by itself.
    pub fn client_lost(&mut self, client: ClientId) {
        if self.clients.remove(&client).is_some() {
            self.take_in(Input::ClientClosed { client });
        }
    }

    /// Bytes that may wait on a bus link.
    pub fn link_limit(&self) -> usize {
        // CF-17: the node itself sees to a smaller limit.
        let limit = self.node.config().cluster_link_sendbuf_limit;
        usize::try_from(limit.saturating_mul(2))
            .map_or(usize::MAX, |limit| limit.max(LINK_BYTES_MAX))
    }

    /// BUS-05: after how many silent seconds an accepted link is probed.
    pub fn link_keepalive_s(&self) -> u32 {
        let timeout = self.node.config().cluster_node_timeout;
        u32::try_from(timeout.0 / 1000 * 2).unwrap_or(u32::MAX)
    }

    /// A peer opened a link; gives its name.
    pub fn link_accepted(
        &mut self,
        connection: Rc<Connection>,
        peer_ip: IpAddr,
        local_ip: IpAddr,
    ) -> LinkId {
        self.links_accepted += 1;
        let link = LinkId::inbound(self.links_accepted);
        self.links.insert(link, Way::Open(connection));
        let (peer_ip, local_ip) = (peer_ip.to_canonical(), local_ip.to_canonical());
        self.take_in(Input::LinkAccepted {
            link,
            peer_ip,
            local_ip,
        });
        link
    }

    fn open_link(&mut self, link: LinkId, to: SocketAddr) {
        let task = spawn_local(bus_link::open(link, to, self.source_ip(), self.shared()));
        self.links.insert(link, Way::Opening(task.abort_handle()));
    }

    /// A link of ours is open.
    pub fn link_opened(&mut self, link: LinkId, connection: Rc<Connection>, local_ip: IpAddr) {
        self.links.insert(link, Way::Open(connection));
        self.take_in(Input::LinkOpened { link, local_ip });
    }

    /// A link broke, or could not be opened.
    pub fn link_lost(&mut self, link: LinkId) {
        if self.links.remove(&link).is_some() {
            self.take_in(Input::LinkClosed { link });
        }
    }

    /// Whether the core still wants to hear of this link.
    pub fn has_link(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    fn open_upstream(&mut self, upstream: UpstreamId, to: SocketAddr) {
        let task = spawn_local(upstream::open(
            upstream,
            to,
            self.source_ip(),
            self.shared(),
        ));
        self.upstreams
            .insert(upstream, Way::Opening(task.abort_handle()));
    }

    /// The connection to our master is open.
    pub fn upstream_opened(
        &mut self,
        upstream: UpstreamId,
        connection: Rc<Connection>,
        local_ip: IpAddr,
    ) {
        self.upstreams.insert(upstream, Way::Open(connection));
        self.take_in(Input::UpstreamOpened { upstream, local_ip });
    }

    /// The connection to our master broke, or could not be opened.
    pub fn upstream_lost(&mut self, upstream: UpstreamId) {
        if self.upstreams.remove(&upstream).is_some() {
            self.take_in(Input::UpstreamClosed { upstream });
        }
    }

    /// The connection to another node's client port is open.
    pub fn peer_opened(&mut self, peer: PeerId, connection: Rc<Connection>) {
        self.peers.opened(peer, connection);
        let event = PeerEvent::Opened;
        self.take_in(Input::Peer { peer, event });
    }

    /// That connection broke, or could not be opened.
    pub fn peer_lost(&mut self, peer: PeerId) {
        if self.peers.lost(peer) {
            let event = PeerEvent::Closed;
            self.take_in(Input::Peer { peer, event });
        }
    }

    fn source_ip(&self) -> Option<IpAddr> {
        self.node.config().bind_source_addr.as_ref()?.parse().ok()
    }

    fn shared(&self) -> SharedShell {
        self.myself
            .upgrade()
            .expect("borrowed by its caller, so it is there")
    }
}

fn close(way: Option<Way>) {
    match way {
        None => {}
        Some(Way::Opening(task)) => task.abort(),
        Some(Way::Open(connection)) => {
            connection.flush();
            connection.close();
        }
    }
}

/// Less than this may wait for any client: limits are not looked at.
const UNLIMITED_BYTES: u64 = 16 << 10;
const READ_BUFFER_BYTES: usize = 64 << 10;
/// A link on which more than this gathers is closed, and opened again: heartbeats are worth more
/// when they are fresh.
const LINK_BYTES_MAX: usize = 16 << 20;
const DENIED: &str = "-DENIED Redis is running in protected mode because protected mode is \
     enabled and no password is set for the default user. In this mode connections are only \
     accepted from the loopback interface.\r\n";

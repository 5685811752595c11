//! Carries out what a node asks for, and gives it what reaches it.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use slotquake_checkers::observation::{LifecycleKind, PacketKind};
use slotquake_core::bus::{Packet, codec};
use slotquake_core::ids::{ClientId, LinkId, PeerId};
use slotquake_core::input::PeerEvent;
use slotquake_core::output::{Content, Durability, File, Output, PeerAct, Protocol};
use slotquake_core::resp::Reply;
use slotquake_core::{Input, Outputs};

use super::disk::{Crash, Delay};
use super::host::{Arrival, Sync};
use super::net::{ConnId, End, Handle, Payload, Service, Way};
use super::queue::Event;
use super::{Bus, Codec, Happening, SimWorld, replies};
use crate::nemesis::Moment;

impl SimWorld {
    /// Carries out all outputs in order; those after an exit are lost with the process.
    pub(super) fn carry_out(&mut self, host: usize, outputs: &mut Outputs) {
        let mut rest = outputs.drain(..);
        while let Some(output) = rest.next() {
            self.carry_out_one(host, output);
            let place = &mut self.hosts[host];
            if place.node.is_none() {
                return;
            }
            if let Some(sync) = &mut place.sync {
                sync.rest.extend(rest);
                return;
            }
        }
        self.arrange_wake(host);
    }

    fn carry_out_one(&mut self, host: usize, output: Output) {
        match output {
            Output::Persist {
                file,
                content,
                durability,
            } => self.persist(host, file, content, durability),
            Output::OpenLink { link, ip, port } => {
                self.connect(host, Handle::Link(link), (ip, port), Service::Bus);
            }
            Output::CloseLink { link } => self.hang_up(host, Handle::Link(link)),
            Output::SendPacket { link, packet } => self.send_packet(host, link, packet),
            Output::Reply {
                client,
                reply,
                protocol,
            } => self.send_reply(host, client, reply, protocol),
            Output::SendBytes { client, bytes } => {
                self.send_from(host, Handle::Client(client), Payload::Bytes(bytes));
            }
            Output::CloseClient { client } => self.hang_up(host, Handle::Client(client)),
            Output::OpenUpstream { upstream, ip, port } => {
                self.connect(
                    host,
                    Handle::Upstream(upstream),
                    (ip, port),
                    Service::Clients,
                );
            }
            Output::SendUpstream { upstream, bytes } => {
                self.send_from(host, Handle::Upstream(upstream), Payload::Bytes(bytes));
            }
            Output::CloseUpstream { upstream } => self.hang_up(host, Handle::Upstream(upstream)),
            // Simulated nodes have `appendonly no`.
            Output::RestartLog { .. } | Output::Append { .. } => {}
            // Only DEBUG SLEEP asks for it, which no simulated client sends.
            Output::Stall { .. } => {}
            Output::Peer { peer, act } => self.act_on_peer(host, peer, act),
            Output::Log { text, .. } => self.hosts[host].note(self.now, &text),
            Output::Exit { status } => self.exit(host, format!("exit status {status}")),
        }
    }

    fn persist(&mut self, host: usize, file: File, content: Content, durability: Durability) {
        let disk = &mut self.hosts[host].disk;
        if disk.is_full() {
            // PS-13: a node that cannot save its nodes.conf ends.
            return self.exit(host, "no room on the disk".into());
        }
        let sync_ns = disk.sync_ns();
        if sync_ns == 0 || durability == Durability::Buffered {
            let delay = self.bugs.write_delay();
            return disk.write(file, content, durability, delay);
        }
        disk.write(file, content.clone(), Durability::Buffered, Delay::None);
        let until = self.now + sync_ns;
        self.queue.push(until, Event::Synced { host });
        let rest = Outputs::new();
        self.hosts[host].sync = Some(Sync {
            until,
            file,
            content,
            rest,
        });
    }

    fn exit(&mut self, host: usize, why: String) {
        self.stop(host, Crash::Process);
        self.record_lifecycle(host, LifecycleKind::Died, why);
    }

    fn act_on_peer(&mut self, host: usize, peer: PeerId, act: PeerAct) {
        let handle = Handle::Peer(peer);
        match act {
            PeerAct::Open { host: name, port } => {
                // Names are not looked up here: what is no address leads nowhere.
                let ip = name.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
                self.connect(host, handle, (ip, port), Service::Clients);
            }
            PeerAct::Send(bytes) => self.send_from(host, handle, Payload::Bytes(bytes)),
            PeerAct::Close => self.hang_up(host, handle),
        }
    }

    fn connect(&mut self, host: usize, handle: Handle, to: (IpAddr, u16), service: Service) {
        let opener = End::Node { host, handle };
        let target = self.doors.get(&(service, to.0, to.1)).copied();
        // An address of nobody is refused by the opener's own kernel.
        let conn = self
            .net
            .open(opener, Some(host), target.unwrap_or(host), service);
        self.hosts[host].ends.insert(handle, (conn, Way::Out));
        let event = match target {
            Some(_) => Event::Syn { conn },
            None => Event::Refused { conn },
        };
        let at = self.now + self.net.latency_of(conn, Way::Out);
        self.queue.push(at, event);
    }

    fn hang_up(&mut self, host: usize, handle: Handle) {
        if let Some((conn, way)) = self.hosts[host].ends.remove(&handle) {
            *self.net.conn(conn).receiver(way.reverse()) = End::Gone;
            self.put(conn, way, Payload::Close);
        }
    }

    fn send_from(&mut self, host: usize, handle: Handle, payload: Payload) {
        if let Some((conn, way)) = self.hosts[host].ends.get(&handle).copied() {
            self.put(conn, way, payload);
        }
    }

    fn send_reply(&mut self, host: usize, client: ClientId, reply: Reply, protocol: Protocol) {
        let handle = Handle::Client(client);
        let end = self.hosts[host].ends.get(&handle).copied();
        let mut is_caller = |(conn, _)| self.net.conn(conn).from.is_none();
        let is_direct = (self.codec, protocol) == (Codec::Typed, Protocol::Resp2);
        if let Some((conn, way)) = end.filter(|end| is_direct && is_caller(*end)) {
            let values = replies::values(reply);
            if !values.is_empty() {
                self.put(conn, way, Payload::Replies(values));
            }
            return;
        }
        let mut bytes = Vec::new();
        reply.encode(protocol, &mut bytes);
        if !bytes.is_empty() {
            let payload = Payload::Bytes(Bytes::from(bytes));
            self.send_from(host, handle, payload);
        }
    }

    fn send_packet(&mut self, host: usize, link: LinkId, packet: Box<Packet>) {
        let Some((conn, way)) = self.hosts[host].ends.get(&Handle::Link(link)).copied() else {
            return;
        };
        let (from, to) = match way {
            Way::Out => (host, self.net.conn(conn).to),
            Way::Back => (host, self.net.conn(conn).from.unwrap_or(host)),
        };
        let packet = match self.codec {
            Codec::Typed => packet,
            Codec::InTheLoop => match codec::decode(&codec::encode(&packet)) {
                Ok(decoded) => Box::new(decoded),
                Err(reason) => panic!("a node's own packet does not decode: {reason}"),
            },
        };
        let place = match self.bus {
            Bus::Recorded => {
                let ends = (&self.settings[from], &self.settings[to]);
                let seen = self.adapter.observed(&packet, self.now, ends, way);
                if let Some(moment) = moment_of(seen.kind) {
                    let node = seen.from.clone();
                    self.happenings
                        .push_back(Happening::Moment { node, moment });
                }
                self.packets.push(seen);
                Some(self.packets.len() - 1)
            }
            Bus::Unrecorded => None,
        };
        self.put(conn, way, Payload::Packet(packet, place));
    }

    /// Puts something into a lane and arranges its arrival.
    pub(super) fn put(&mut self, conn: ConnId, way: Way, payload: Payload) {
        if let Some(at) = self.net.put(conn, way, payload, self.now) {
            self.queue.push(at, Event::Deliver { conn, way });
        }
    }

    pub(super) fn on_syn(&mut self, conn: ConnId) {
        if self.net.conn(conn).opener == End::Gone {
            return;
        }
        if !self.net.is_reachable(conn) {
            let pause = self.net.syn_pause(conn);
            self.queue.push(self.now + pause, Event::Syn { conn });
            return;
        }
        let back = self.now + self.net.latency_of(conn, Way::Back);
        let host = self.net.conn(conn).to;
        if self.hosts[host].node.is_none() {
            self.queue.push(back, Event::Refused { conn });
            return;
        }
        self.queue.push(back, Event::Established { conn });
        let place = &mut self.hosts[host];
        place.accepted += 1;
        let handle = match self.net.conn(conn).service {
            Service::Bus => Handle::Link(LinkId::inbound(place.accepted)),
            Service::Clients => Handle::Client(ClientId(place.accepted)),
        };
        place.ends.insert(handle, (conn, Way::Back));
        self.net.conn(conn).acceptor = End::Node { host, handle };
        self.arrive(host, Arrival::Accepted(conn));
    }

    pub(super) fn on_established(&mut self, conn: ConnId) {
        match self.net.conn(conn).opener {
            End::Node { host, handle } => self.arrive(host, Arrival::Opened(handle)),
            End::Caller => self.on_wire_open(conn),
            End::Gone => {}
        }
    }

    pub(super) fn on_refused(&mut self, conn: ConnId) {
        let opener = std::mem::replace(&mut self.net.conn(conn).opener, End::Gone);
        match opener {
            End::Node { host, handle } => self.arrive(host, Arrival::Refused(handle)),
            End::Caller => self.on_wire_closed(conn),
            End::Gone => {}
        }
    }

    pub(super) fn on_deliver(&mut self, conn: ConnId, way: Way) {
        let Some(payload) = self.net.take(conn, way) else {
            return;
        };
        let receiver = *self.net.conn(conn).receiver(way);
        if let Payload::Packet(_, Some(place)) = payload
            && receiver != End::Gone
        {
            self.packets[place].delivered = Some(self.now);
        }
        match receiver {
            End::Node { host, .. } => self.arrive(host, Arrival::Came(conn, way, payload)),
            End::Caller => match payload {
                Payload::Bytes(bytes) => self.on_wire_bytes(conn, &bytes),
                Payload::Replies(replies) => self.on_wire_replies(conn, replies),
                Payload::Close => self.on_wire_closed(conn),
                Payload::Packet(..) | Payload::Commands(_) => {}
            },
            End::Gone => {}
        }
    }

    /// Something reached a host: handled now, or when it goes on.
    pub(super) fn arrive(&mut self, host: usize, arrival: Arrival) {
        match self.hosts[host].is_free() {
            true => self.handle(host, arrival),
            false => self.hosts[host].inbox.push_back(arrival),
        }
    }

    pub(super) fn handle(&mut self, host: usize, arrival: Arrival) {
        let local_ip = self.hosts[host].ip;
        match arrival {
            Arrival::Accepted(conn) => self.handle_accepted(host, conn),
            Arrival::Opened(handle) => {
                if !self.hosts[host].ends.contains_key(&handle) {
                    return;
                }
                match handle {
                    Handle::Link(link) => self.step(host, Input::LinkOpened { link, local_ip }),
                    Handle::Upstream(upstream) => {
                        self.step(host, Input::UpstreamOpened { upstream, local_ip });
                    }
                    Handle::Peer(peer) => self.step(host, peer_input(peer, PeerEvent::Opened)),
                    Handle::Client(_) => {}
                }
            }
            Arrival::Refused(handle) => {
                if let Some((conn, _)) = self.hosts[host].ends.get(&handle).copied() {
                    self.net.forget(conn);
                }
                self.handle_closed(host, handle);
            }
            Arrival::Asked(asked) => self.show(host, asked),
            Arrival::Came(conn, way, payload) => {
                // Closed by the node since it arrived: nobody reads it.
                if let End::Node { handle, .. } = *self.net.conn(conn).receiver(way) {
                    self.handle_payload(host, conn, handle, payload);
                }
            }
        }
    }

    fn handle_accepted(&mut self, host: usize, conn: ConnId) {
        let local_ip = self.hosts[host].ip;
        let End::Node { handle, .. } = self.net.conn(conn).acceptor else {
            return;
        };
        let peer_ip = match self.net.conn(conn).from {
            Some(from) => self.hosts[from].ip,
            None => IpAddr::from([10, 255, 255, 254]),
        };
        let input = match handle {
            Handle::Link(link) => Input::LinkAccepted {
                link,
                peer_ip,
                local_ip,
            },
            Handle::Client(client) => Input::ClientOpened {
                client,
                peer: SocketAddr::new(peer_ip, 40_000 + (conn % 20_000) as u16),
                local: SocketAddr::new(local_ip, self.hosts[host].config.port),
            },
            Handle::Upstream(_) | Handle::Peer(_) => return,
        };
        self.step(host, input);
    }

    fn handle_closed(&mut self, host: usize, handle: Handle) {
        if self.hosts[host].ends.remove(&handle).is_none() {
            return;
        }
        let input = match handle {
            Handle::Link(link) => Input::LinkClosed { link },
            Handle::Client(client) => Input::ClientClosed { client },
            Handle::Upstream(upstream) => Input::UpstreamClosed { upstream },
            Handle::Peer(peer) => peer_input(peer, PeerEvent::Closed),
        };
        self.step(host, input);
    }

    fn handle_payload(&mut self, host: usize, conn: ConnId, handle: Handle, payload: Payload) {
        match (handle, payload) {
            (Handle::Link(link), Payload::Packet(packet, _)) => {
                self.step(host, Input::LinkPacket { link, packet });
            }
            (Handle::Client(client), Payload::Commands(commands)) => {
                for args in commands {
                    self.step(host, Input::ClientCommand { client, args });
                }
            }
            (Handle::Client(client), Payload::Bytes(bytes)) => {
                self.net.conn(conn).parser().feed(&bytes);
                while let Ok(Some(args)) = self.net.conn(conn).parser().next_command() {
                    self.step(host, Input::ClientCommand { client, args });
                }
            }
            (Handle::Upstream(upstream), Payload::Bytes(bytes)) => {
                self.step(host, Input::UpstreamBytes { upstream, bytes });
            }
            (Handle::Peer(peer), Payload::Bytes(bytes)) => {
                self.step(host, peer_input(peer, PeerEvent::Bytes(bytes)));
            }
            (_, Payload::Close) => {
                let conn = self.net.conn(conn);
                for end in [&mut conn.opener, &mut conn.acceptor] {
                    if *end == (End::Node { host, handle }) {
                        *end = End::Gone;
                    }
                }
                self.handle_closed(host, handle);
            }
            // Replies go to simulated clients only.
            (_, Payload::Replies(_))
            | (Handle::Link(_), Payload::Commands(_) | Payload::Bytes(_))
            | (Handle::Client(_), Payload::Packet(..))
            | (Handle::Upstream(_) | Handle::Peer(_), Payload::Packet(..) | Payload::Commands(_)) =>
                {}
        }
    }
}

fn peer_input(peer: PeerId, event: PeerEvent) -> Input {
    Input::Peer { peer, event }
}
/// The moment of an election that a packet marks.
fn moment_of(kind: PacketKind) -> Option<Moment> {
    [
        (PacketKind::AuthRequest, Moment::AsksForVotes),
        (PacketKind::AuthAck, Moment::Votes),
    ]
    .into_iter()
    .find(|(marking, _)| *marking == kind)
    .map(|(_, moment)| moment)
}

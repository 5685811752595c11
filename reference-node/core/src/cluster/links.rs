//! Links: one outbound and one inbound per node, opened, bound, refreshed and closed.
//!
//! An outbound link belongs to a member from the moment it is asked for. An inbound one is bound to
//! the first known sender it speaks for, and replaces that node's older one.
//! Clauses: BUS-03, BUS-04, BUS-06, GO-05, GO-13, GO-14, GO-15, HS-05, HS-06.

use std::net::IpAddr;

use super::Cluster;
use super::heartbeat::Beat;
use super::lookup::Lookup;
use super::members::{Greeting, LinkPhase, Mark, MemberIndex, MemberLink, Stage};
use super::turn::Turn;
use crate::ids::LinkId;
use crate::output::Output;
use crate::time::Millis;

/// A link that is open or wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    /// Whose it is: always known for outbound links, learnt for inbound ones.
    pub member: Option<MemberIndex>,
    /// The peer's address; none while an outbound link is not open.
    pub peer_ip: Option<IpAddr>,
    /// Our own address on it.
    pub local_ip: Option<IpAddr>,
    /// When it was asked for or accepted.
    pub created_at: Millis,
    /// Whether the peer has shown that it understands extensions (BUS-28).
    pub speaks_extensions: bool,
    /// Bytes waiting to be sent, as last heard.
    pub waiting_bytes: u64,
}

/// All links.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    by_id: Lookup,
    table: Vec<(LinkId, Link)>,
    opened: u64,
    /// How often a link was closed because of its send queue (CF-17).
    pub buffer_limit_exceeded: u64,
}

/// Which of a node's links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkDirection {
    /// The one this node opened.
    To,
    /// The one the peer opened.
    From,
}

impl Links {
    /// The facts of a link; none if it is closed already.
    pub fn get(&self, link: LinkId) -> Option<&Link> {
        self.place(link).map(|place| &self.table[place].1)
    }

    /// The facts of a link, to change.
    pub fn get_mut(&mut self, link: LinkId) -> Option<&mut Link> {
        self.place(link).map(|place| &mut self.table[place].1)
    }

    fn place(&self, link: LinkId) -> Option<usize> {
        let place = self.by_id.under(link.number()).next();
        place.map(|place| place as usize)
    }

    fn insert(&mut self, id: LinkId, link: Link) {
        assert!(self.get(id).is_none(), "{id:?} is a link already");
        self.by_id.insert(id.number(), self.table.len() as u32);
        self.table.push((id, link));
    }

    fn remove(&mut self, id: LinkId) -> Option<Link> {
        let place = self.place(id)?;
        self.by_id.remove(id.number(), place as u32);
        let (_, link) = self.table.swap_remove(place);
        if let Some((moved, _)) = self.table.get(place) {
            self.by_id.remove(moved.number(), self.table.len() as u32);
            self.by_id.insert(moved.number(), place as u32);
        }
        Some(link)
    }
}

impl Cluster {
    /// HS-05, GO-14: opens a link to every node that has an address and no link.
    pub(super) fn open_missing_links(&mut self, turn: &mut Turn) {
        let wanted: Vec<(MemberIndex, IpAddr, u16)> = self
            .members
            // HS-22: never to oneself, never to a node without address.
            .marked(Mark::Linkless)
            .into_iter()
            .filter(|index| !self.members[*index].is_without_address)
            .filter_map(|index| {
                let address = self.members[index].address;
                Some((index, address.ip?, address.bus_port))
            })
            .collect();
        for (index, ip, port) in wanted {
            self.links.opened += 1;
            let link = LinkId::outbound(self.links.opened);
            self.links.insert(
                link,
                Link {
                    member: Some(index),
                    peer_ip: Some(ip),
                    local_ip: None,
                    created_at: turn.now,
                    speaks_extensions: false,
                    waiting_bytes: 0,
                },
            );
            self.members[index].outbound = Some(MemberLink {
                id: link,
                created_at: turn.now,
                phase: LinkPhase::Connecting,
            });
            turn.ask(Output::OpenLink { link, ip, port });
        }
    }

    /// GO-13: greets at once.
    pub(super) fn link_opened(&mut self, link: LinkId, local_ip: IpAddr, turn: &mut Turn) {
        let Some(entry) = self.links.get_mut(link) else {
            return;
        };
        entry.local_ip = Some(local_ip);
        let Some(index) = entry.member else {
            return;
        };
        let member = &mut self.members[index];
        if let Some(outbound) = member.outbound.as_mut() {
            outbound.phase = LinkPhase::Open;
        }
        // DEVIATION(HS-06): MEET is repeated on each new link until it is answered, as Valkey 8
        // does, so that a lost MEET leaves no one-sided membership (KW-06).
        let beat = match member.greeting {
            Greeting::Meet => Beat::Meet,
            Greeting::Ping => Beat::Ping,
        };
        if self.profile == super::Profile::Upstream70 {
            member.greeting = Greeting::Ping;
        }
        // GO-05, BUS-32: a ping that was never answered keeps its time; MEET sets none.
        if beat == Beat::Ping {
            member.ping_sent.get_or_insert(turn.now);
        }
        self.send_beat(link, Some(index), beat, turn);
    }

    /// Notes an inbound link, whose sender is not known yet.
    pub(super) fn link_accepted(
        &mut self,
        link: LinkId,
        peer_ip: IpAddr,
        local_ip: IpAddr,
        turn: &Turn,
    ) {
        self.links.insert(
            link,
            Link {
                member: None,
                peer_ip: Some(peer_ip),
                local_ip: Some(local_ip),
                created_at: turn.now,
                speaks_extensions: false,
                waiting_bytes: 0,
            },
        );
    }

    /// Takes note that a link is gone.
    pub(super) fn link_closed(&mut self, link: LinkId, turn: &Turn) {
        let Some(entry) = self.links.remove(link) else {
            return;
        };
        self.pending.drop_link(link);
        let Some(index) = entry.member else {
            return;
        };
        let member = &mut self.members[index];
        if member.inbound.is_some_and(|inbound| inbound.id == link) {
            member.inbound = None;
        }
        let Some(outbound) = member.outbound.filter(|outbound| outbound.id == link) else {
            return;
        };
        member.outbound = None;
        // GO-14: a node that cannot be reached counts as pinged, or it would never be suspected.
        if outbound.phase == LinkPhase::Connecting && member.stage == Stage::Known {
            member.ping_sent.get_or_insert(turn.now);
        }
    }

    /// Closes a link of ours.
    pub(super) fn close_link(&mut self, link: LinkId, turn: &mut Turn) {
        let Some(entry) = self.links.remove(link) else {
            return;
        };
        self.pending.drop_link(link);
        if let Some(index) = entry.member {
            let member = &mut self.members[index];
            member.outbound = member.outbound.filter(|outbound| outbound.id != link);
            member.inbound = member.inbound.filter(|inbound| inbound.id != link);
        }
        turn.ask(Output::CloseLink { link });
    }

    /// Closes the outbound link of a node; it is opened again by the next tick.
    pub(super) fn close_outbound(&mut self, index: MemberIndex, turn: &mut Turn) {
        if let Some(outbound) = self.members[index].outbound {
            self.close_link(outbound.id, turn);
        }
    }

    /// Closes both links of a node.
    pub(super) fn close_links_of(&mut self, index: MemberIndex, turn: &mut Turn) {
        self.close_outbound(index, turn);
        if let Some(inbound) = self.members[index].inbound {
            self.close_link(inbound.id, turn);
        }
    }

    /// BUS-03: binds an inbound link to its first known sender; the older one is closed.
    pub(super) fn bind_inbound(&mut self, link: LinkId, sender: MemberIndex, turn: &mut Turn) {
        let Some(entry) = self.links.get_mut(link) else {
            return;
        };
        assert!(entry.member.is_none(), "a link is bound once");
        entry.member = Some(sender);
        let created_at = entry.created_at;
        if let Some(older) = self.members[sender].inbound {
            self.close_link(older.id, turn);
        }
        self.members[sender].inbound = Some(MemberLink {
            id: link,
            created_at,
            phase: LinkPhase::Open,
        });
    }

    /// Closes links of a node, as DEBUG CLUSTERLINK KILL asks.
    pub fn kill_link(
        &mut self,
        id: crate::ids::NodeId,
        direction: LinkDirection,
        around: &super::Surroundings,
        fx: &mut Vec<super::Effect>,
    ) {
        let turn = &mut Turn::new(around, fx);
        let Some(index) = self.members.find(id) else {
            return;
        };
        let link = match direction {
            LinkDirection::To => self.members[index].outbound,
            LinkDirection::From => self.members[index].inbound,
        };
        if let Some(link) = link {
            self.close_link(link.id, turn);
        }
    }

    /// CF-17: the send queue of a link exceeded `cluster-link-sendbuf-limit`.
    pub fn on_link_overflow(
        &mut self,
        link: LinkId,
        around: &super::Surroundings,
        fx: &mut Vec<super::Effect>,
    ) {
        if self.links.get(link).is_some() {
            self.links.buffer_limit_exceeded += 1;
            self.close_link(link, &mut Turn::new(around, fx));
        }
    }
}

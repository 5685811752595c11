//! What a node core sends and knows, as an observer would see it.
//!
//! Ids, slot sets and lists of gossip are translated once: a cluster repeats them all the time.

use std::sync::Arc;

use slotquake_checkers::observation as seen;
use slotquake_core::bus::packet::{Gossip, NodeFlags};
use slotquake_core::bus::{Body, Header, Packet, codec};
use slotquake_core::cluster::{MemberOutline, Outline, flags_text};
use slotquake_core::ids::NodeId;
use slotquake_core::slot::{Slot, SlotSet};

use super::net::Way;

/// Slot sets kept translated.
const SETS_MAX: usize = 64;
/// Ids kept at hand.
const AT_HAND: usize = 32;
/// Places for lists of gossip.
const LISTS: usize = 1024;
/// An odd number with bits all over, to spread ids.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The translator, with what it has translated before.
#[derive(Debug, Default)]
pub struct Adapter {
    /// Sorted by the first bytes of the id: ids are random, so hardly any two begin alike.
    ids: Vec<(u64, NodeId, seen::NodeId)>,
    /// Some of them, each at a place that follows from it: nearly every look ends here.
    at_hand: [Option<(NodeId, seen::NodeId)>; AT_HAND],
    /// The last few, the latest translation last.
    sets: Vec<(Arc<SlotSet>, seen::SlotSet)>,
    /// Lists of gossip, each at a place that follows from it.
    lists: Vec<Option<List>>,
}

/// A list of gossip, and its translation.
#[derive(Debug)]
struct List {
    told: Vec<(NodeId, NodeFlags)>,
    seen: Arc<[seen::GossipEntry]>,
}

impl Adapter {
    /// What a capture at the sender would show; `ends` are sender and receiver. Who opened the
    /// connection has some port, the other end that of the bus.
    pub fn observed(
        &mut self,
        packet: &Packet,
        time: u64,
        ends: (&seen::NodeSetting, &seen::NodeSetting),
        way: Way,
    ) -> seen::Packet {
        let (from, to) = ends;
        let (mut source, mut target) = (from.address, to.address);
        match way {
            Way::Out => target.set_port(to.bus_port),
            Way::Back => source.set_port(from.bus_port),
        }
        seen::Packet {
            time,
            delivered: None,
            from: from.name.clone(),
            to: to.name.clone(),
            source,
            target,
            kind: kind(&packet.body),
            header: self.header(&packet.header),
            body: self.body(&packet.body),
        }
    }

    /// The lines of CLUSTER NODES, in id order; those that are as they were `before` are taken
    /// from there.
    pub fn table(
        &mut self,
        outline: &Outline,
        before: Option<(&Outline, &[seen::ViewEntry])>,
    ) -> Vec<seen::ViewEntry> {
        let mut table = Vec::with_capacity(outline.members.len());
        for (place, member) in outline.members.iter().enumerate() {
            let is_plain = member.id != outline.myself;
            let same = before.filter(|(before, _)| before.members.get(place) == Some(member));
            let line = same.filter(|_| is_plain).and_then(|(_, lines)| {
                let id = self.id(member.id);
                let found = lines.binary_search_by(|line| line.id.cmp(&id));
                found.ok().map(|found| lines[found].clone())
            });
            table.push(line.unwrap_or_else(|| self.entry(member, outline)));
        }
        table.sort_by(|a, b| a.id.cmp(&b.id));
        table
    }

    fn entry(&mut self, member: &MemberOutline, outline: &Outline) -> seen::ViewEntry {
        let address = &member.address;
        let ip = address.ip.map_or_else(String::new, |ip| ip.to_string());
        let hostname = match member.hostname.as_str() {
            "" => String::new(),
            name => format!(",{name}"),
        };
        let marks = |marks: &[(Slot, NodeId)], arrow: &'static str| -> Vec<(Slot, String)> {
            let mark =
                |(slot, id): &(Slot, NodeId)| (*slot, format!("{}{arrow}{id}", slot.number()));
            marks.iter().map(mark).collect()
        };
        let mut open = Vec::new();
        if member.id == outline.myself {
            open.extend(marks(&outline.migrating, "->-"));
            open.extend(marks(&outline.importing, "-<-"));
            open.sort();
        }
        seen::ViewEntry {
            id: self.id(member.id),
            address: format!("{ip}:{}@{}{hostname}", address.port, address.bus_port),
            flags: flags_text(member.flags),
            master: member.master.map(|master| self.id(master)),
            config_epoch: member.config_epoch.0,
            connected: member.is_connected,
            slots: self.slots(&member.slots),
            open_slots: open.into_iter().map(|(_, mark)| mark).collect(),
        }
    }

    /// A node id.
    pub fn id(&mut self, id: NodeId) -> seen::NodeId {
        let place = spread(id.head()) % AT_HAND;
        if let Some((known, name)) = &self.at_hand[place]
            && *known == id
        {
            return name.clone();
        }
        let name = self.look_up(id);
        self.at_hand[place] = Some((id, name.clone()));
        name
    }

    fn look_up(&mut self, id: NodeId) -> seen::NodeId {
        let head = id.head();
        let first = self.ids.partition_point(|(other, ..)| *other < head);
        let alike = self.ids[first..].iter();
        let mut alike = alike.take_while(|(other, ..)| *other == head);
        if let Some((.., name)) = alike.find(|(_, known, _)| *known == id) {
            return name.clone();
        }
        let name = seen::NodeId(id.as_str().into());
        self.ids.insert(first, (head, id, name.clone()));
        name
    }

    fn sender(&mut self, id: Option<NodeId>) -> seen::NodeId {
        id.map_or_else(|| seen::NodeId("".into()), |id| self.id(id))
    }

    fn slots(&mut self, slots: &Arc<SlotSet>) -> seen::SlotSet {
        // What was met last is met next.
        let mut known = self.sets.iter().rev();
        let known = known.find(|(set, _)| Arc::ptr_eq(set, slots));
        if let Some((_, set)) = known {
            return set.clone();
        }
        // Equal sets are shared even between nodes, so that comparing them is quick.
        let equal = self.sets.iter().find(|(set, _)| set == slots);
        let set = match equal {
            Some((_, set)) => set.clone(),
            None => seen::SlotSet::from_wire(&slots.to_wire()),
        };
        if self.sets.len() == SETS_MAX {
            self.sets.remove(0);
        }
        self.sets.push((Arc::clone(slots), set.clone()));
        set
    }

    fn header(&mut self, header: &Header) -> seen::Header {
        let flags = header.message_flags;
        seen::Header {
            sender: self.sender(header.sender),
            current_epoch: header.current_epoch.0,
            config_epoch: header.config_epoch.0,
            offset: header.offset,
            slots: self.slots(&header.slots),
            master: header.master.map(|master| self.id(master)),
            flags: header.flags.0,
            message_flags: u8::from(flags.paused)
                | u8::from(flags.force_ack) << 1
                | u8::from(flags.ext_data) << 2,
            state_ok: header.state_ok,
        }
    }

    /// Of what gossip tells of a node an observer keeps id and flags.
    fn gossip(&mut self, told: &[Gossip]) -> Arc<[seen::GossipEntry]> {
        let mix = |mixed: u64, entry: &Gossip| {
            let entry = entry.id.head() ^ u64::from(entry.flags.0);
            (mixed.rotate_left(8) ^ entry).wrapping_mul(ODD)
        };
        let place = spread(told.iter().fold(0, mix)) % LISTS;
        if self.lists.is_empty() {
            self.lists.resize_with(LISTS, || None);
        }
        let is_same = |(known, told): (&(NodeId, NodeFlags), &Gossip)| {
            known.0 == told.id && known.1 == told.flags
        };
        if let Some(known) = &self.lists[place]
            && known.told.len() == told.len()
            && known.told.iter().zip(told).all(is_same)
        {
            return Arc::clone(&known.seen);
        }
        let entries = told.iter().map(|entry| seen::GossipEntry {
            id: self.id(entry.id),
            flags: entry.flags.0,
        });
        let seen: Arc<[seen::GossipEntry]> = entries.collect();
        self.lists[place] = Some(List {
            told: told.iter().map(|entry| (entry.id, entry.flags)).collect(),
            seen: Arc::clone(&seen),
        });
        seen
    }

    fn body(&mut self, body: &Body) -> seen::Body {
        match body {
            Body::Ping(heartbeat) | Body::Pong(heartbeat) | Body::Meet(heartbeat) => {
                seen::Body::Gossip(self.gossip(&heartbeat.gossip))
            }
            Body::Fail { failed } => seen::Body::Failed(self.sender(*failed)),
            Body::Update {
                owner,
                config_epoch,
                slots,
            } => seen::Body::Owner {
                id: self.sender(*owner),
                config_epoch: config_epoch.0,
                slots: self.slots(slots),
            },
            Body::Publish { .. }
            | Body::AuthRequest
            | Body::AuthAck
            | Body::MfStart
            | Body::Module
            | Body::PublishShard { .. }
            | Body::Unknown(_) => seen::Body::Nothing,
        }
    }
}

/// The upper bits of the product depend on all bits.
fn spread(bits: u64) -> usize {
    (bits.wrapping_mul(ODD) >> 32) as usize
}

fn kind(body: &Body) -> seen::PacketKind {
    match body {
        Body::Ping(_) => seen::PacketKind::Ping,
        Body::Pong(_) => seen::PacketKind::Pong,
        Body::Meet(_) => seen::PacketKind::Meet,
        Body::Fail { .. } => seen::PacketKind::Fail,
        Body::Publish { .. } => seen::PacketKind::Publish,
        Body::AuthRequest => seen::PacketKind::AuthRequest,
        Body::AuthAck => seen::PacketKind::AuthAck,
        Body::Update { .. } => seen::PacketKind::Update,
        Body::MfStart => seen::PacketKind::MfStart,
        Body::Module => seen::PacketKind::Module,
        Body::PublishShard { .. } => seen::PacketKind::PublishShard,
        Body::Unknown(_) => seen::PacketKind::Unknown(codec::kind_of(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u64) -> Gossip {
        let id = format!("{:016x}{:024}", (number % 12).wrapping_mul(ODD), 0);
        Gossip {
            id: NodeId::parse(id.as_bytes()).expect("40 hexadecimal digits"),
            ping_sent_s: number as u32,
            pong_received_s: 0,
            ip: None,
            port: 0,
            bus_port: 0,
            second_port: 0,
            flags: NodeFlags((number / 12 % 3) as u16),
        }
    }

    #[test]
    fn a_list_of_gossip_is_translated_the_same_whatever_was_translated_before() {
        let mut warm = Adapter::default();
        // Of three entries there are more lists than places.
        for number in 0..30_000u64 {
            let length = number % 4;
            let list: Vec<Gossip> = (0..length)
                .map(|entry| told(number.wrapping_mul(ODD) >> (8 * entry + 20)))
                .collect();
            let expected = list.iter().map(|entry| seen::GossipEntry {
                id: seen::NodeId(entry.id.as_str().into()),
                flags: entry.flags.0,
            });
            let expected: Vec<_> = expected.collect();
            assert_eq!(*warm.gossip(&list), *expected);
            assert!(Arc::ptr_eq(&warm.gossip(&list), &warm.gossip(&list)));
        }
    }
}

//! A packet of the node core as an observer of the bus would see it.

use slotquake_checkers::observation as seen;
use slotquake_core::bus::{Body, Header, Packet, codec};
use slotquake_core::ids::NodeId;
use slotquake_core::slot::SlotSet;

/// What a capture at the sender would show; `ends` are sender and receiver.
pub fn observed(
    packet: &Packet,
    time: u64,
    ends: (&seen::NodeSetting, &seen::NodeSetting),
) -> seen::Packet {
    let (from, to) = ends;
    let mut target = to.address;
    target.set_port(to.bus_port);
    seen::Packet {
        time,
        delivered: None,
        from: from.name.clone(),
        to: to.name.clone(),
        source: from.address,
        target,
        kind: kind(&packet.body),
        header: header(&packet.header),
        body: body(&packet.body),
    }
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

fn header(header: &Header) -> seen::Header {
    let flags = header.message_flags;
    seen::Header {
        sender: id(header.sender),
        current_epoch: header.current_epoch.0,
        config_epoch: header.config_epoch.0,
        offset: header.offset,
        slots: slots(&header.slots),
        master: header.master.map(|master| id(Some(master))),
        flags: header.flags.0,
        message_flags: u8::from(flags.paused)
            | u8::from(flags.force_ack) << 1
            | u8::from(flags.ext_data) << 2,
        state_ok: header.state_ok,
    }
}

fn body(body: &Body) -> seen::Body {
    match body {
        Body::Ping(heartbeat) | Body::Pong(heartbeat) | Body::Meet(heartbeat) => {
            let entries = heartbeat.gossip.iter().map(|gossip| seen::GossipEntry {
                id: id(Some(gossip.id)),
                flags: gossip.flags.0,
            });
            seen::Body::Gossip(entries.collect())
        }
        Body::Fail { failed } => seen::Body::Failed(id(*failed)),
        Body::Update {
            owner,
            config_epoch,
            slots: owned,
        } => seen::Body::Owner {
            id: id(*owner),
            config_epoch: config_epoch.0,
            slots: slots(owned),
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

fn id(id: Option<NodeId>) -> seen::NodeId {
    seen::NodeId(id.as_ref().map_or("", NodeId::as_str).into())
}

fn slots(slots: &SlotSet) -> seen::SlotSet {
    seen::SlotSet::from_wire(&slots.to_wire())
}

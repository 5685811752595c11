//! The roll, against a look at every record.

use proptest::prelude::*;

use super::*;
use crate::bus::packet::{Header, MessageFlags};
use crate::epoch::CurrentEpoch;
use crate::rng::Rng;

/// One change to the table.
#[derive(Debug, Clone)]
enum Act {
    Add,
    Remove(usize),
    Rename(usize),
    Role(usize, usize),
    Health(usize, u8),
    Slots(usize, usize),
    Link(usize, u8),
    Address(usize, bool),
    Stage(usize, bool),
    Orphan(usize, bool),
    Report(usize, usize),
    Times(usize, Option<u64>, Option<u64>),
    Vouch(usize, u64),
    Ping(usize, u64),
    Pong(usize, u64),
    Packet(usize, u64),
    Look,
}

fn act() -> impl Strategy<Value = Act> {
    let who = 0usize..12;
    let time = || prop::option::of(0u64..5_000);
    prop_oneof![
        3 => Just(Act::Add),
        1 => who.clone().prop_map(Act::Remove),
        1 => who.clone().prop_map(Act::Rename),
        2 => (who.clone(), 0usize..14).prop_map(|(who, of)| Act::Role(who, of)),
        2 => (who.clone(), 0u8..3).prop_map(|(who, health)| Act::Health(who, health)),
        1 => (who.clone(), 0usize..3).prop_map(|(who, slots)| Act::Slots(who, slots)),
        2 => (who.clone(), 0u8..3).prop_map(|(who, link)| Act::Link(who, link)),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, is)| Act::Address(who, is)),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, is)| Act::Stage(who, is)),
        1 => (who.clone(), any::<bool>()).prop_map(|(who, is)| Act::Orphan(who, is)),
        1 => (who.clone(), 0usize..12).prop_map(|(who, by)| Act::Report(who, by)),
        3 => (who.clone(), time(), time()).prop_map(|(who, a, b)| Act::Times(who, a, b)),
        3 => (who.clone(), 0u64..6_000).prop_map(|(who, at)| Act::Vouch(who, at)),
        2 => (who.clone(), 0u64..5_000).prop_map(|(who, at)| Act::Ping(who, at)),
        2 => (who.clone(), 0u64..5_000).prop_map(|(who, at)| Act::Pong(who, at)),
        2 => (who, 0u64..5_000).prop_map(|(who, offset)| Act::Packet(who, offset)),
        2 => Just(Act::Look),
    ]
}

const NOW: Millis = Millis(5_000);

fn stranger(rng: &mut Rng) -> Member {
    let mut member = Member::new(NodeId::random(rng), Role::Master, Millis(0), Arc::default());
    member.address.ip = Some([127, 0, 0, 1].into());
    member
}

fn perform(members: &mut Members, act: Act, rng: &mut Rng) {
    let some = |members: &Members, who: usize| members.order()[who % members.len()];
    let index = match act {
        Act::Add | Act::Look => members.my_index(),
        Act::Remove(who) | Act::Rename(who) | Act::Role(who, _) | Act::Health(who, _) => {
            some(members, who)
        }
        Act::Slots(who, _) | Act::Link(who, _) | Act::Address(who, _) | Act::Stage(who, _) => {
            some(members, who)
        }
        Act::Orphan(who, _) | Act::Report(who, _) | Act::Times(who, _, _) | Act::Vouch(who, _) => {
            some(members, who)
        }
        Act::Ping(who, _) | Act::Pong(who, _) | Act::Packet(who, _) => some(members, who),
    };
    match act {
        Act::Add => drop(members.add(stranger(rng))),
        Act::Look => drop(members.roll().count(Mark::Voice)),
        Act::Remove(_) if index == members.my_index() => {}
        Act::Remove(_) => drop(members.remove(index)),
        Act::Rename(_) => members.rename(index, NodeId::random(rng)),
        Act::Role(_, 12) => members[index].role = Role::Master,
        Act::Role(_, 13) => members[index].role = Role::Untold,
        Act::Role(_, of) => {
            let of = Some(some(members, of));
            members[index].role = Role::Replica { of };
        }
        Act::Health(_, health) => {
            members[index].health = match health {
                0 => Health::Alive,
                1 => Health::Suspected,
                _ => Health::Failed { since: NOW },
            }
        }
        Act::Slots(_, count) => members[index].slot_count = count,
        Act::Link(_, link) => {
            let phase = match link {
                0 => LinkPhase::Open,
                _ => LinkPhase::Connecting,
            };
            members[index].outbound = (link < 2).then_some(MemberLink {
                id: LinkId::outbound(1),
                created_at: NOW,
                phase,
            });
        }
        Act::Address(_, is_without) => members[index].is_without_address = is_without,
        Act::Stage(_, true) => members[index].stage = Stage::Handshake,
        Act::Stage(_, false) => members[index].stage = Stage::Known,
        Act::Orphan(_, is_orphan) => {
            members[index].is_migration_target = true;
            members[index].orphaned_at = is_orphan.then_some(NOW);
        }
        Act::Report(_, by) => {
            let by = some(members, by);
            members[index].reports.push(FailureReport { by, at: NOW });
        }
        Act::Times(_, ping_sent, pong_received) => {
            members[index].ping_sent = ping_sent.map(Millis);
            members[index].pong_received = pong_received.map(Millis);
        }
        Act::Vouch(_, at) => vouch(members, index, Millis(at)),
        Act::Ping(_, at) => members.note_ping(index, Millis(at)),
        Act::Pong(_, at) => members.note_pong(index, Millis(at)),
        Act::Packet(_, offset) => {
            members.note_packet(index, &header(members.me(), offset), NOW);
        }
    }
}

fn header(of: &Member, offset: u64) -> Header {
    Header {
        sender: Some(of.id),
        port: of.address.port,
        bus_port: of.address.bus_port,
        second_port: of.address.second_port,
        current_epoch: CurrentEpoch(0),
        config_epoch: of.config_epoch,
        offset,
        slots: Arc::clone(&of.slots),
        master: None,
        ip: of.address.ip,
        flags: of.flags(),
        state_ok: true,
        message_flags: MessageFlags::default(),
    }
}

/// What is left of the records without what comes with packets and pings all the time.
fn lasting(members: &Members) -> String {
    let lasting = members.iter().map(|(index, member)| {
        let lasting = Member {
            ping_sent: None,
            pong_received: None,
            data_received: None,
            repl_offset: 0,
            speaks_extensions: false,
            keeps_open_slots: false,
            ..member.clone()
        };
        format!("{index:?} {lasting:?}")
    });
    lasting.collect()
}

/// GO-10 as it stands in the clauses, for those whose marks are up to date.
fn vouch(members: &mut Members, index: MemberIndex, at: Millis) {
    members.roll();
    let member = members[index].clone();
    members.roll();
    let is_plain =
        index != members.my_index() && member.health == Health::Alive && member.reports.is_empty();
    let is_news =
        member.ping_sent.is_none() && at <= NOW + Millis(500) && Some(at) > member.pong_received;
    assert_eq!(members.vouch(index, at, NOW), is_plain);
    let expected = match is_plain && is_news {
        true => Some(at),
        false => member.pong_received,
    };
    assert_eq!(members[index].pong_received, expected);
}

fn contact(member: &Member) -> Millis {
    member
        .ping_sent
        .or(member.pong_received)
        .unwrap_or_default()
}

fn check(members: &mut Members) {
    let me = members.my_index();
    let all: Vec<(MemberIndex, Member)> = members
        .iter()
        .map(|(index, member)| (index, member.clone()))
        .collect();
    let count = |holds: &dyn Fn(&Member) -> bool| all.iter().filter(|(_, m)| holds(m)).count();
    let others = |holds: &dyn Fn(&Member) -> bool| {
        let others = all.iter().filter(|(index, _)| *index != me);
        others.filter(|(_, member)| holds(member)).count()
    };
    let is_suspect = |member: &Member| member.health == Health::Suspected;
    let expected = [
        (Mark::Stranger, others(&|m| !m.is_known())),
        (Mark::Linkless, others(&|m| m.outbound.is_none())),
        (Mark::Addressless, others(&|m| m.is_without_address)),
        (Mark::Suspect, others(&is_suspect)),
        (Mark::Unwell, others(&|m| m.health != Health::Alive)),
        (Mark::Failed, count(&|m| m.is_failed())),
        (
            Mark::FailedOwner,
            count(&|m| m.is_failed() && m.slot_count > 0),
        ),
        (Mark::Follower, count(&|m| m.master().is_some())),
        (Mark::Voice, count(&|m| m.has_voice())),
        (Mark::Orphaned, count(&|m| m.orphaned_at.is_some())),
    ];
    for (mark, expected) in expected {
        assert_eq!(members.count(mark), expected, "{mark:?}");
        assert_eq!(members.marked(mark).len(), expected, "{mark:?}");
    }
    for (index, member) in &all {
        let supporters = count(&|m| m.master() == Some(*index) && !m.is_failed());
        let roll = members.roll();
        assert_eq!(roll.working_replicas(*index), supporters);
        let supports = member.master().filter(|_| !member.is_failed());
        assert_eq!(roll.supported_by(*index), supports);
        assert_eq!(members.find(member.id), Some(*index));
    }
    let late: Vec<MemberIndex> = all
        .iter()
        .filter(|(index, member)| *index != me && NOW.since(contact(member)) > Millis(2_500))
        .map(|(index, _)| *index)
        .collect();
    assert_eq!(members.late(NOW, Millis(2_500)), late);
    let asked = all
        .iter()
        .filter(|(index, member)| *index != me && !member.is_without_address);
    let oldest = asked.map(|(_, member)| contact(member)).min();
    // Without anybody to ask, none is ever due.
    let never = Millis(u64::MAX - 1);
    assert_eq!(members.oldest_contact().min(never), oldest.unwrap_or(never));
}

proptest! {
    #[test]
    fn the_roll_says_what_a_look_at_every_record_says(
        acts in prop::collection::vec(act(), 0..80),
    ) {
        let rng = &mut Rng::new(1);
        let mut members = Members::new(stranger(rng));
        for act in acts {
            let is_look = matches!(act, Act::Look);
            let before = (members.changes(), lasting(&members));
            perform(&mut members, act, rng);
            let is_same = before.1 == lasting(&members);
            prop_assert!(is_same || before.0 < members.changes(), "each change is counted");
            if is_look {
                check(&mut members);
            }
        }
        check(&mut members);
    }
}

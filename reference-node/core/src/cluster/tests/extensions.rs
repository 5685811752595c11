//! Ping extensions: to whom they go, and what comes of those that come in.

use super::rig::probe::nobody;
use super::rig::{LOCALHOST, Rig};
use crate::bus::codec::{self, HEADER_BYTES};
use crate::bus::packet::{Body, Extension, Header, Heartbeat};
use crate::ids::NodeId;

fn carrying(extensions: impl Into<Vec<Extension>>) -> Heartbeat {
    Heartbeat {
        gossip: Vec::new(),
        extensions: extensions.into(),
    }
}

fn speaking(header: &mut Header) {
    header.message_flags.ext_data = true;
}

/// A host tells another of extensions, in a PING.
fn tell(rig: &mut Rig, from: usize, to: usize, extensions: impl Into<Vec<Extension>>) {
    rig.say(from, to, Body::Ping(carrying(extensions)), speaking);
}

/// The shard that one host believes another to be in.
fn shard(rig: &Rig, of: usize, about: usize) -> NodeId {
    rig.at(of).shard_of(rig.index(of, about))
}

fn id_of(letter: u8) -> NodeId {
    NodeId::parse(&[letter; 40]).expect("an id")
}

/// Proves BUS-22, BUS-23, BUS-14: each heartbeat to a peer that showed the flag, in whatever
/// packet, names the shard; to any other peer it has the bytes that 6.2 expects.
#[test]
fn the_shard_is_named_in_every_heartbeat_to_those_who_understand() {
    let mut rig = Rig::cluster(3, 0);
    rig.say(1, 0, Body::Unknown(99), speaking);
    rig.sent.clear();
    rig.run_for(5000);
    let shard_id = Extension::ShardId(rig.id(0));
    let mut counts = [0; 3];
    for (to, packet, beat) in rig.beats_of(0) {
        let to = to.expect("a peer");
        counts[to] += 1;
        let length = codec::encode(packet).len() - HEADER_BYTES - 104 * beat.gossip.len();
        let has_flag = packet.header.message_flags.ext_data;
        if to == 1 {
            assert_eq!(beat.extensions, std::slice::from_ref(&shard_id));
            assert_eq!((length, has_flag), (48, true));
        } else {
            assert_eq!((beat.extensions.len(), length, has_flag), (0, 0, false));
        }
    }
    assert!(counts[1] >= 10 && counts[2] >= 10, "{counts:?}");
}

/// Proves BUS-23: the flag of a MEET counts before the node has a name.
#[test]
fn the_first_pong_to_a_stranger_is_extended_if_its_meet_was() {
    for is_speaking in [false, true] {
        let mut rig = Rig::strangers(2);
        let link = rig.accept(0, LOCALHOST);
        let meet = rig.packet(1, Body::Meet(Heartbeat::default()), |header| {
            header.message_flags.ext_data = is_speaking;
        });
        rig.deliver(0, link, meet);
        let beats = rig.beats_of(0);
        assert!(matches!(beats[0].1.body, Body::Pong(_)));
        assert_eq!(!beats[0].2.extensions.is_empty(), is_speaking);
    }
}

/// Proves BUS-28, RS-04, CF-15: the order in which they are sent.
#[test]
fn extensions_are_sent_in_the_order_of_their_makers() {
    let mut rig = Rig::cluster(4, 0);
    let forgotten = rig.id(3);
    let config = &mut rig.hosts[0].config;
    config.cluster_announce_hostname = "host".into();
    let nodename = "cluster-announce-human-nodename";
    config.other.insert(nodename.into(), "name".into());
    rig.run(0, &format!("CLUSTER FORGET {forgotten}"));
    rig.run_for(10_000);
    rig.sent.clear();
    rig.say(1, 0, Body::Ping(Heartbeat::default()), speaking);
    let expected = [
        Extension::Hostname("host".into()),
        Extension::HumanNodename("name".into()),
        Extension::ForgottenNode {
            id: forgotten,
            ttl_s: 50,
        },
        Extension::ShardId(rig.id(0)),
    ];
    assert_eq!(rig.beats_of(0)[0].2.extensions, expected);
}

/// Proves BUS-25: a known node is forgotten and stays so for as long as was said.
#[test]
fn who_is_told_to_forget_a_node_forgets_it() {
    let mut rig = Rig::cluster(4, 0);
    let id = rig.id(2);
    tell(&mut rig, 1, 0, [Extension::ForgottenNode { id, ttl_s: 20 }]);
    assert!(rig.at(0).member(id).is_none());
    assert!(!rig.at(0).is_ok(), "its slots are nobody's");
    rig.run_for(18_000);
    assert!(
        rig.at(0).member(id).is_none(),
        "gossip does not bring it back"
    );
    rig.run_for(6000);
    assert!(rig.at(0).member(id).is_some());
}

/// Proves BUS-25: oneself, one's own master and strangers are not forgotten.
#[test]
fn nobody_is_talked_out_of_itself_or_its_master() {
    let mut rig = Rig::cluster(3, 1);
    let before = rig.at(3).members().count();
    for id in [rig.id(3), rig.id(0), nobody()] {
        tell(&mut rig, 1, 3, [Extension::ForgottenNode { id, ttl_s: 60 }]);
        assert_eq!(rig.at(3).members().count(), before);
        let is_banned = rig.turn(3, |cluster, turn| cluster.blacklist.contains(id, turn.now));
        assert!(!is_banned, "{id}");
    }
    // A sender that names itself is gone at once, and nothing is made of its other words.
    let id = rig.id(1);
    let words = [
        Extension::ForgottenNode { id, ttl_s: 60 },
        Extension::Hostname("ghost".into()),
    ];
    tell(&mut rig, 1, 3, words);
    assert!(rig.at(3).member(id).is_none());
}

/// Proves BUS-26: as told; else its master's; else its own id.
#[test]
fn a_node_is_in_the_shard_it_names_or_in_its_master_s() {
    let mut rig = Rig::cluster(3, 1);
    assert_eq!(shard(&rig, 1, 0), rig.id(0));
    assert_eq!(shard(&rig, 1, 3), rig.id(0));
    tell(&mut rig, 0, 1, [Extension::ShardId(id_of(b's'))]);
    assert_eq!(shard(&rig, 1, 0), id_of(b's'));
    assert_eq!(shard(&rig, 1, 3), id_of(b's'));
    assert_eq!(shard(&rig, 1, 2), rig.id(2));
    tell(&mut rig, 0, 1, []);
    assert_eq!(shard(&rig, 1, 0), rig.id(0));
}

/// Proves BUS-26: a replica adopts its master's shard, and keeps it when it takes over.
#[test]
fn a_promoted_replica_stays_in_its_shard() {
    let mut rig = Rig::cluster(3, 1);
    tell(&mut rig, 1, 3, [Extension::ShardId(id_of(b'x'))]);
    assert_eq!(shard(&rig, 3, 3), rig.id(0), "not its master's word");
    tell(&mut rig, 0, 3, [Extension::ShardId(id_of(b's'))]);
    assert_eq!(shard(&rig, 3, 3), id_of(b's'));
    rig.kill(0);
    rig.until("the promotion", 10_000, |rig| !rig.at(3).is_replica());
    assert_eq!(shard(&rig, 3, 3), id_of(b's'));
    rig.sent.clear();
    rig.say(1, 3, Body::Ping(Heartbeat::default()), speaking);
    let told = &rig.beats_of(3)[0].2.extensions;
    assert_eq!(*told, [Extension::ShardId(id_of(b's'))]);
}

/// Proves BUS-27: neither a stranger's nor those that come while a handshake ends.
#[test]
fn extensions_of_a_stranger_are_not_believed() {
    let mut rig = Rig::strangers(3);
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.run_for(1000);
    let known = rig.id(1);
    let words = [
        Extension::ForgottenNode {
            id: known,
            ttl_s: 60,
        },
        Extension::Hostname("ghost".into()),
    ];
    let link = rig.accept(0, LOCALHOST);
    for body in [
        Body::Meet(carrying(words.clone())),
        Body::Ping(carrying(words.clone())),
    ] {
        let packet = rig.packet(2, body, speaking);
        rig.deliver(0, link, packet);
    }
    rig.paused.insert(2);
    let record = rig.turn(0, |cluster, turn| {
        cluster.open_missing_links(turn);
        let mut others = cluster.members.others();
        let record = others.find(|(_, member)| !member.is_known());
        record
            .and_then(|(_, member)| member.outbound)
            .expect("a handshake")
            .id
    });
    assert!(rig.at(0).links.get(record).is_some());
    let pong = rig.packet(2, Body::Pong(carrying(words)), speaking);
    rig.deliver(0, record, pong);
    assert!(rig.at(0).member(known).is_some(), "nobody was forgotten");
    assert!(rig.at(0).members().all(|member| member.hostname.is_empty()));
}

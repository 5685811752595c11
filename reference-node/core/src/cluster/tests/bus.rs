//! Who says what on which link.

use bytes::Bytes;

use super::rig::probe::{as_is, nobody};
use super::rig::{LOCALHOST, Rig};
use crate::bus::packet::{Body, Heartbeat};
use crate::cluster::PublishKind;
use crate::cluster::members::{Greeting, LinkPhase};
use crate::epoch::ConfigEpoch;
use crate::output::Output;
use crate::time::Millis;

fn publish(rig: &mut Rig, from: usize) {
    let text = Bytes::from_static(b"news");
    rig.with(from, |cluster, around, fx| {
        cluster.publish(PublishKind::Global, text.clone(), text, around, fx);
    });
}

/// To whom a host said it, in the order of hosts.
fn told(rig: &Rig, from: usize, is_it: impl Fn(&Body) -> bool) -> Vec<Option<usize>> {
    let sent = rig.sent.iter().filter(|sent| sent.from == from);
    let mut to: Vec<_> = sent
        .filter(|sent| is_it(&sent.packet.body))
        .map(|sent| sent.to)
        .collect();
    to.sort();
    to
}

fn is_publish(body: &Body) -> bool {
    matches!(body, Body::Publish { .. })
}

/// Proves BUS-02: who accepts a link says nothing on it, and who opens one begins with a packet.
#[test]
fn nothing_but_packets_is_said_on_a_link() {
    let mut rig = Rig::strangers(2);
    rig.accept(0, LOCALHOST);
    assert!(rig.sent.is_empty());
    rig.run(0, "CLUSTER MEET 127.0.0.1 7001");
    rig.run_for(100);
    assert_eq!(rig.sent[0].from, 0);
    assert!(matches!(rig.sent[0].packet.body, Body::Meet(_)));
}

/// Proves BUS-03, BUS-04: the first name that is known binds the link, whatever is said later.
#[test]
fn a_bound_link_speaks_for_its_node_only() {
    let mut rig = Rig::cluster(3, 0);
    let link = rig.accept(0, LOCALHOST);
    let stranger = rig.packet(1, Body::Unknown(99), |header| {
        header.sender = Some(nobody())
    });
    rig.deliver(0, link, stranger);
    let older = rig.view(0, 1).inbound.expect("a link").id;
    let first = rig.packet(1, Body::Unknown(99), as_is);
    rig.deliver(0, link, first);
    assert_eq!(rig.view(0, 1).inbound.expect("a link").id, link);
    assert!(
        rig.at(0).links.get(older).is_none(),
        "the older one is closed"
    );
    let other = rig.id(2);
    let disguised = rig.packet(1, Body::Unknown(99), |header| {
        header.sender = Some(other);
        header.offset = 777;
    });
    rig.deliver(0, link, disguised);
    assert_eq!(rig.view(0, 1).repl_offset, 777);
    assert_ne!(rig.view(0, 2).repl_offset, 777);
}

/// Proves BUS-06, GO-04: answers go back where the question came from, all else on own links.
#[test]
fn only_answers_travel_on_the_links_of_others() {
    let mut rig = Rig::cluster(3, 1);
    publish(&mut rig, 0);
    rig.run(3, "CLUSTER FAILOVER");
    rig.run_for(3000);
    rig.kill(1);
    rig.run_for(5000);
    let mut kinds = std::collections::BTreeSet::new();
    for sent in &rig.sent {
        kinds.insert(crate::bus::codec::kind_of(&sent.packet.body));
        let may_be_inbound = match &sent.packet.body {
            Body::Pong(_) => true,
            // The answer to MFSTART.
            Body::Ping(_) => sent.packet.header.message_flags.paused,
            _ => false,
        };
        assert!(
            may_be_inbound || !sent.link.is_inbound(),
            "{:?}",
            sent.packet.body
        );
    }
    assert!(
        [0, 1, 3, 4, 5, 6, 8]
            .iter()
            .all(|kind| kinds.contains(kind)),
        "{kinds:?}"
    );
    assert!(
        rig.sent
            .iter()
            .any(|sent| { sent.link.is_inbound() && matches!(sent.packet.body, Body::Ping(_)) })
    );
}

/// Proves BUS-06: without a link a packet is lost, not late.
#[test]
fn what_has_no_link_is_never_said() {
    let mut rig = Rig::cluster(3, 0);
    rig.turn(0, |cluster, turn| {
        let all: Vec<_> = cluster.members.others().map(|(index, _)| index).collect();
        cluster.close_outbound(all[1], turn);
    });
    rig.sent.clear();
    publish(&mut rig, 0);
    rig.run_for(2000);
    assert_eq!(told(&rig, 0, is_publish).len(), 1);
}

/// Proves BUS-07: to every known node but oneself, not to handshakes.
#[test]
fn a_broadcast_goes_to_every_known_node() {
    let mut rig = Rig::cluster(3, 0);
    rig.run(0, "CLUSTER MEET 127.0.0.1 7999");
    let (link, opened) = rig.turn(0, |cluster, turn| {
        cluster.open_missing_links(turn);
        turn.fx.retain(|effect| {
            !matches!(effect, crate::cluster::Effect::Do(Output::OpenLink { .. }))
        });
        let record = cluster
            .members
            .others()
            .find(|(_, member)| !member.is_known());
        let link = record
            .and_then(|(_, member)| member.outbound)
            .expect("asked for");
        (link.id, link.phase)
    });
    assert_eq!(opened, LinkPhase::Connecting);
    rig.with(0, |cluster, around, fx| {
        cluster.on_link_opened(link, LOCALHOST, around, fx)
    });
    rig.sent.clear();
    publish(&mut rig, 0);
    assert_eq!(told(&rig, 0, is_publish), [Some(1), Some(2)]);
    rig.sent.clear();
    rig.turn(0, |cluster, turn| cluster.broadcast_pong(turn));
    let pongs = told(&rig, 0, |body| matches!(body, Body::Pong(_)));
    assert_eq!(pongs, [Some(1), Some(2)]);
    assert!(rig.sent.iter().all(|sent| sent.link != link));
}

/// Proves BUS-32, GO-05: PING starts the clock; MEET and PONG do not; a ping that was never
/// answered keeps its time on the next link.
#[test]
fn only_a_ping_waits_for_an_answer() {
    let mut rig = Rig::cluster(2, 0);
    rig.paused.insert(1);
    let earlier = Millis(rig.now.0 - 300);
    for (greeting, before, after) in [
        (Greeting::Meet, None, None),
        (Greeting::Ping, None, Some(rig.now)),
        (Greeting::Ping, Some(earlier), Some(earlier)),
    ] {
        rig.alter(0, 1, |member| {
            member.greeting = greeting;
            member.ping_sent = before;
        });
        let link = rig.view(0, 1).open_link().expect("open");
        rig.with(0, |cluster, around, fx| {
            cluster.on_link_opened(link, LOCALHOST, around, fx)
        });
        assert_eq!(rig.view(0, 1).ping_sent, after);
    }
    rig.alter(0, 1, |member| member.ping_sent = None);
    rig.turn(0, |cluster, turn| cluster.broadcast_pong(turn));
    assert_eq!(rig.view(0, 1).ping_sent, None);
    let peer = rig.index(0, 1);
    rig.turn(0, |cluster, turn| cluster.ping(peer, turn));
    assert_eq!(rig.view(0, 1).ping_sent, Some(rig.now));
}

/// Proves BUS-34.
#[test]
fn a_node_alone_is_silent() {
    let mut rig = Rig::strangers(1);
    rig.run(0, "CLUSTER ADDSLOTSRANGE 0 16383");
    rig.run_for(20_000);
    assert!(rig.sent.is_empty() && rig.opened.is_empty());
}

/// Proves BUS-35, CF-13.
#[test]
fn a_header_shows_the_announced_ports() {
    let mut rig = Rig::cluster(2, 0);
    rig.hosts[0].config.cluster_announce_port = 6000;
    rig.hosts[0].config.cluster_announce_bus_port = 16_000;
    rig.run_for(200);
    let header = rig.header_of(0);
    assert_eq!((header.port, header.bus_port), (6000, 16_000));
    rig.hosts[0].config.cluster_announce_port = 0;
    rig.hosts[0].config.cluster_announce_bus_port = 0;
    rig.run_for(200);
    let header = rig.header_of(0);
    assert_eq!((header.port, header.bus_port), (7000, 17_000));
}

/// Proves BUS-46: meeting oneself ends with nobody more known, and no link to oneself.
#[test]
fn a_node_that_meets_itself_stays_alone() {
    let mut rig = Rig::strangers(1);
    rig.run(0, "CLUSTER MEET 127.0.0.1 7000");
    rig.run_for(500);
    assert_eq!(rig.at(0).members().count(), 1);
    assert!(rig.view(0, 0).inbound.is_none() && rig.view(0, 0).outbound.is_none());
    rig.opened.clear();
    rig.sent.clear();
    rig.run_for(5000);
    assert!(rig.opened.is_empty() && rig.sent.is_empty());
    // Its own words coming back change nothing either.
    let link = rig.accept(0, LOCALHOST);
    let echo = rig.packet(0, Body::Ping(Heartbeat::default()), |header| {
        header.config_epoch = ConfigEpoch(9);
        header.port = 1;
    });
    rig.deliver(0, link, echo);
    assert_eq!(rig.at(0).config_epoch(), ConfigEpoch(0));
    assert_eq!(rig.view(0, 0).address.port, 7000);
    assert!(matches!(rig.beats_of(0)[..], [(None, _, _)]));
}

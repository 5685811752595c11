//! ST-04: how late a master that was in a minority may serve again.

use super::word;
use crate::observation::bounds::MILLISECOND;
use crate::observation::{Packet, Server};
use crate::test_support::{RecordingBuilder, name};
use crate::verdict::Word;

/// Proves ST-04.
#[test]
fn a_master_back_from_a_minority_waits_before_it_serves() {
    let back = |serves_after: u64| {
        let mut run = RecordingBuilder::cluster(Server::Reference);
        run.calm(100, 2000);
        // The others are not heard for longer than T_pfail.
        (run.node(2).is_up, run.node(3).is_up) = (false, false);
        run.node(1).is_state_ok = false;
        run.calm(2000, 6000);
        (run.node(2).is_up, run.node(3).is_up) = (true, true);
        run.calm(6000, 6000 + serves_after);
        run.node(1).is_state_ok = true;
        run.calm(6000 + serves_after, 8000);
        run.build()
    };
    assert_eq!(word(&back(300), "ST-04"), Word::Violated);
    assert_eq!(word(&back(1100), "ST-04"), Word::Held);
    // What was sent before the silence, on other links, comes later than the first news.
    let mut old = back(1100);
    let before = |packet: &&mut Packet| packet.to == name(1) && packet.time == 1900 * MILLISECOND;
    for packet in old.packets.iter_mut().filter(before) {
        packet.delivered = Some(6800 * MILLISECOND);
    }
    assert_eq!(word(&old, "ST-04"), Word::Held);
}

/// Proves ST-04: what arrives after a master said ok takes nothing from what it had heard.
#[test]
fn a_packet_that_comes_later_does_not_make_a_minority_longer() {
    let mut run = RecordingBuilder::cluster(Server::Reference);
    run.calm(100, 2000);
    (run.node(2).is_up, run.node(3).is_up) = (false, false);
    run.node(1).is_state_ok = false;
    run.calm(2000, 6000);
    run.node(2).is_up = true;
    run.calm(6000, 7000);
    run.node(3).is_up = true;
    run.calm(7000, 7100);
    run.node(1).is_state_ok = true;
    run.calm(7100, 8000);
    let mut recording = run.build();
    assert_eq!(word(&recording, "ST-04"), Word::Held);
    let mut packets = recording.packets.iter_mut().rev();
    let is_last = |packet: &&mut Packet| {
        packet.from == name(2) && packet.to == name(1) && packet.time < 7100 * MILLISECOND
    };
    packets.find(is_last).expect("a PING of n2").delivered = Some(12_000 * MILLISECOND);
    assert_eq!(word(&recording, "ST-04"), Word::Held);
}

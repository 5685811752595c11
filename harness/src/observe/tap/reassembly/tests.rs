//! Hand-made segments: in order, out of order, twice, overlapping, hostile.
//!
//! The stream is always votes, whose epochs tell them apart.

use proptest::prelude::*;
use slotquake_checkers::observation::PacketKind;

use super::*;

/// A vote as 7.0 sends it: a bare header.
fn auth_ack(epoch: u64) -> Vec<u8> {
    let mut bytes = vec![0_u8; 2256];
    bytes[..4].copy_from_slice(b"RCmb");
    bytes[4..8].copy_from_slice(&2256_u32.to_be_bytes());
    bytes[8..10].copy_from_slice(&1_u16.to_be_bytes());
    bytes[12..14].copy_from_slice(&6_u16.to_be_bytes());
    bytes[16..24].copy_from_slice(&epoch.to_be_bytes());
    bytes[40..80].copy_from_slice(&[b'a'; 40]);
    bytes
}

fn stream(epochs: std::ops::Range<u64>) -> Vec<u8> {
    epochs.flat_map(auth_ack).collect()
}

fn ends() -> (SocketAddrV4, SocketAddrV4) {
    let address = |last, port| SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, last), port);
    (address(1, 40_000), address(2, 16_379))
}

fn reassembly() -> Reassembly {
    let (source, target) = ends();
    Reassembly::new(BTreeMap::from([
        (*source.ip(), NodeName::numbered(1)),
        (*target.ip(), NodeName::numbered(2)),
    ]))
}

fn segment(sequence: u32, payload: &[u8]) -> Segment<'_> {
    let (source, target) = ends();
    Segment {
        source,
        target,
        sequence,
        acknowledged: None,
        opens: false,
        payload,
    }
}

fn opening(sequence: u32) -> Segment<'static> {
    Segment {
        opens: true,
        ..segment(sequence, &[])
    }
}

fn acknowledgement(acknowledged: u32) -> Segment<'static> {
    let (source, target) = ends();
    Segment {
        source: target,
        target: source,
        acknowledged: Some(acknowledged),
        ..segment(0, &[])
    }
}

fn seen(tapped: &Tapped) -> Vec<(u64, u64)> {
    assert!(
        tapped
            .packets
            .iter()
            .all(|packet| packet.kind == PacketKind::AuthAck)
    );
    tapped
        .packets
        .iter()
        .map(|packet| (packet.time, packet.header.current_epoch))
        .collect()
}

#[test]
fn joins_a_packet_cut_in_three_and_dates_it_by_its_last_byte() {
    let mut flows = reassembly();
    let bytes = auth_ack(4);
    flows.observe(1, &opening(99));
    flows.observe(2, &segment(100, &bytes[..3]));
    flows.observe(3, &segment(103, &bytes[3..2000]));
    flows.observe(4, &segment(2100, &bytes[2000..]));
    let tapped = flows.finish();
    assert_eq!((seen(&tapped), tapped.lost), (vec![(4, 4)], 0));
}

#[test]
fn undoes_reordering_and_overlap() {
    let mut flows = reassembly();
    let bytes = stream(1..4);
    flows.observe(1, &opening(u32::MAX - 1000));
    let at = |offset: u32| (u32::MAX - 999).wrapping_add(offset);
    flows.observe(2, &segment(at(4000), &bytes[4000..]));
    flows.observe(3, &segment(at(0), &bytes[..2500]));
    flows.observe(4, &segment(at(2000), &bytes[2000..4500]));
    let tapped = flows.finish();
    assert_eq!(
        (seen(&tapped), tapped.lost),
        (vec![(2, 2), (2, 3), (3, 1)], 0)
    );
}

#[test]
fn a_retransmission_is_no_second_packet_and_keeps_the_first_time() {
    let mut flows = reassembly();
    let bytes = auth_ack(7);
    flows.observe(1, &opening(0));
    flows.observe(2, &segment(1, &bytes));
    flows.observe(300, &segment(1, &bytes));
    assert_eq!(seen(&flows.finish()), [(2, 7)]);
}

/// Proves R2: seen leaving is not arrived.
#[test]
fn a_packet_is_delivered_when_its_last_byte_is_acknowledged_and_not_before() {
    let mut flows = reassembly();
    flows.observe(1, &opening(0));
    flows.observe(2, &segment(1, &stream(1..3)));
    flows.observe(3, &acknowledgement(2256));
    flows.observe(4, &acknowledgement(2257));
    let delivered: Vec<_> = flows
        .finish()
        .packets
        .iter()
        .map(|packet| packet.delivered)
        .collect();
    assert_eq!(delivered, [Some(4), None]);
}

#[test]
fn a_capture_begun_mid_stream_starts_at_the_next_signature() {
    let mut flows = reassembly();
    flows.observe(1, &segment(5000, &auth_ack(1)[100..]));
    flows.observe(2, &segment(7156, &auth_ack(2)));
    let tapped = flows.finish();
    assert_eq!((seen(&tapped), tapped.lost), (vec![(2, 2)], 0));
}

#[test]
fn a_stream_that_stops_making_sense_counts_as_lost_and_starts_over() {
    let mut flows = reassembly();
    flows.observe(1, &opening(0));
    flows.observe(2, &segment(1, &[b'x'; 500]));
    flows.observe(3, &segment(501, &auth_ack(2)));
    let tapped = flows.finish();
    assert_eq!((seen(&tapped), tapped.lost), (vec![(3, 2)], 1));
}

#[test]
fn what_waits_for_a_missing_segment_is_bounded() {
    let mut flows = reassembly();
    flows.observe(1, &opening(0));
    for number in 1..=300 {
        flows.observe(2, &segment(10_000 * number, &[0; 100]));
    }
    let flow = flows.flows.values().next().expect("one flow");
    assert!(flow.waiting.len() <= WAITING_SEGMENTS_MAX);
    assert_eq!(flows.tapped.lost, 1);
}

proptest! {
    #[test]
    fn any_cutting_order_and_repetition_gives_each_packet_once(
        cuts in prop::collection::vec(0_usize..9024, 0..12),
        order in prop::collection::vec(0_usize..100, 0..40),
        start in any::<u32>(),
    ) {
        let bytes = stream(1..5);
        let mut edges = cuts;
        edges.extend([0, bytes.len()]);
        edges.sort_unstable();
        let parts: Vec<(usize, usize)> = edges.windows(2).map(|edge| (edge[0], edge[1])).collect();
        let mut flows = reassembly();
        flows.observe(1, &opening(start));
        let all = (0..parts.len()).rev();
        for number in order.into_iter().map(|number| number % parts.len()).chain(all) {
            let (from, to) = parts[number];
            let sequence = start.wrapping_add(1).wrapping_add(from as u32);
            flows.observe(2, &segment(sequence, &bytes[from..to]));
        }
        let epochs: Vec<u64> = seen(&flows.finish()).into_iter().map(|(_, epoch)| epoch).collect();
        prop_assert_eq!(epochs, [1, 2, 3, 4]);
    }

    #[test]
    fn hostile_bytes_never_panic(packets in prop::collection::vec(hostile(), 0..40)) {
        let mut flows = reassembly();
        for (time, bytes) in packets.iter().enumerate() {
            if let Some(segment) = Segment::parse(bytes) {
                flows.observe(time as u64, &segment);
            }
        }
        flows.finish();
    }
}

/// Something like an IPv4 packet with TCP in it, now and then with the bus's signature.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let signed = prop::bool::ANY;
    (prop::collection::vec(any::<u8>(), 0..200), signed).prop_map(|(mut bytes, signed)| {
        if bytes.len() > 52 {
            bytes[0] = 0x45;
            bytes[2..4].fill(0);
            bytes[6..8].fill(0);
            bytes[9] = 6;
            bytes[12..24].fill(1);
            bytes[32] = 0x50;
            if signed {
                bytes[40..44].copy_from_slice(b"RCmb");
            }
        }
        bytes
    })
}

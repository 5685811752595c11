//! Order, stalls, shapes and ends of connections.

use super::*;

fn net() -> (Net, ConnId) {
    let mut net = Net::new(2, Rng::new(1));
    let id = net.open(End::Gone, Some(0), 1, Service::Bus);
    (net, id)
}

fn bytes(text: &'static str) -> Payload {
    Payload::Bytes(Bytes::from(text))
}

fn text(payload: Option<Payload>) -> Option<Bytes> {
    match payload? {
        Payload::Bytes(bytes) => Some(bytes),
        Payload::Packet(..) | Payload::Commands(_) | Payload::Replies(_) | Payload::Close => None,
    }
}

#[test]
fn keeps_the_order_of_what_is_sent() {
    let (mut net, id) = net();
    let times: Vec<u64> = (0..50)
        .filter_map(|step| net.put(id, Way::Out, bytes("x"), step))
        .collect();
    assert_eq!(times.len(), 50);
    assert!(times.is_sorted());
}

#[test]
fn holds_back_what_meets_a_cut_and_lets_it_flow_after_the_heal() {
    let (mut net, id) = net();
    net.put(id, Way::Out, bytes("first"), 0);
    net.cut(Service::Bus, 0, 1);
    assert!(net.take(id, Way::Out).is_none());
    assert_eq!(net.put(id, Way::Out, bytes("second"), 10), None);
    let flowing = net.mend(Service::Bus, (0, 1), 1000);
    assert_eq!(flowing.len(), 2);
    assert_eq!(text(net.take(id, Way::Out)), Some(Bytes::from("first")));
    assert_eq!(text(net.take(id, Way::Out)), Some(Bytes::from("second")));
}

#[test]
fn a_cut_of_one_service_leaves_the_other_alone() {
    let (mut net, bus) = net();
    let data = net.open(End::Gone, Some(0), 1, Service::Clients);
    net.cut(Service::Clients, 0, 1);
    assert!(net.is_reachable(bus));
    assert!(!net.is_reachable(data));
    assert!(net.mend(Service::Clients, (0, 1), 5).is_empty());
    assert!(net.is_reachable(data));
}

#[test]
fn a_reset_loses_what_is_on_its_way() {
    let (mut net, id) = net();
    net.put(id, Way::Out, bytes("first"), 0);
    net.lose(id);
    assert!(net.take(id, Way::Out).is_none());
    net.put(id, Way::Out, Payload::Close, 1);
    assert!(matches!(net.take(id, Way::Out), Some(Payload::Close)));
}

#[test]
fn paths_of_an_uneven_network_differ_by_direction_and_stay_as_they_are() {
    let shape = Network {
        delay_us: 100,
        jitter_us: 0,
        uneven_us: 5_000,
    };
    let mut net = Net::new(2, Rng::new(1)).shaped(shape, Rng::new(2));
    let id = net.open(End::Gone, Some(0), 1, Service::Bus);
    let there = net.latency_of(id, Way::Out);
    let back = net.latency_of(id, Way::Back);
    assert_ne!(there, back);
    assert_eq!(there, net.latency_of(id, Way::Out));
    assert!((100 * US..=5_100 * US).contains(&there), "{there}");
    assert_eq!(net.latency(), 100 * US);
}

#[test]
fn a_slow_network_is_slow_until_all_who_slowed_it_are_gone() {
    let (mut net, _) = net();
    let slowest = |net: &mut Net| (0..200).map(|_| net.latency()).max();
    assert!(slowest(&mut net) < Some(MS));
    net.slow_down();
    net.slow_down();
    net.speed_up();
    assert!(slowest(&mut net) > Some(20 * MS));
    net.speed_up();
    assert!(slowest(&mut net) < Some(MS));
}

#[test]
fn a_cut_is_of_one_direction_and_lifted_when_all_who_made_it_lift_it() {
    let (mut net, id) = net();
    net.put(id, Way::Back, bytes("back"), 0);
    net.cut(Service::Bus, 0, 1);
    net.cut(Service::Bus, 0, 1);
    assert_eq!(text(net.take(id, Way::Back)), Some(Bytes::from("back")));
    net.mend(Service::Bus, (0, 1), 5);
    assert!(!net.is_reachable(id));
    net.mend(Service::Bus, (0, 1), 6);
    assert!(net.is_reachable(id));
}

/// A thousand nodes dial a hundred dead ones ten times a second.
#[test]
fn a_refused_dial_leaves_its_place_to_the_next() {
    let mut net = Net::new(2, Rng::new(1));
    let dial = |net: &mut Net| net.open(End::Gone, Some(0), 1, Service::Bus);
    let kept = dial(&mut net);
    let refused = dial(&mut net);
    net.forget(refused);
    assert_eq!(dial(&mut net), refused);
    let used = dial(&mut net);
    net.put(used, Way::Out, Payload::Close, 0);
    net.forget(used);
    let next = dial(&mut net);
    assert!(next != used && next != kept, "a Close is still on its way");
    net.cut(Service::Bus, 0, 1);
    assert!(!net.is_reachable(next));
}

//! What a node says about itself, as the operator wants it.

use std::net::{IpAddr, Ipv4Addr};

use super::rig::Rig;
use crate::time::Millis;

/// Proves CF-12: in headers and in my line at once; blank when cleared, until a PING tells it.
#[test]
fn an_announced_ip_replaces_the_learnt_one() {
    let mut rig = Rig::cluster(2, 0);
    let announced = IpAddr::V4(Ipv4Addr::new(10, 9, 8, 7));
    let learnt = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mine = |rig: &Rig| {
        let id = rig.id(0);
        rig.at(0).member(id).and_then(|me| me.address.ip)
    };
    assert_eq!((mine(&rig), rig.header_of(0).ip), (Some(learnt), None));
    rig.hosts[0].config.cluster_announce_ip = announced.to_string();
    rig.run(0, "CLUSTER MYID");
    assert_eq!(mine(&rig), Some(announced));
    assert_eq!(rig.header_of(0).ip, Some(announced));
    // HS-14 is off: PINGs on links to another address change nothing.
    rig.run_for(3000);
    assert_eq!(mine(&rig), Some(announced));
    rig.until("the other one goes there", 5000, |rig| {
        rig.view(1, 0).address.ip == Some(announced)
    });
    rig.hosts[0].config.cluster_announce_ip.clear();
    rig.run(0, "CLUSTER MYID");
    assert_eq!((mine(&rig), rig.header_of(0).ip), (None, None));
    rig.until("it is learnt again", 3000, |rig| mine(rig) == Some(learnt));
}

/// Proves CF-04, CF-13: 0 means the port itself; the others learn what is announced.
#[test]
fn announced_ports_replace_the_own_ones() {
    let mut rig = Rig::cluster(2, 0);
    let ports = |rig: &mut Rig| {
        let header = rig.header_of(0);
        (header.port, header.bus_port)
    };
    assert_eq!(ports(&mut rig), (7000, 17_000));
    rig.hosts[0].config.cluster_port = 17_500;
    rig.run(0, "CLUSTER MYID");
    assert_eq!(ports(&mut rig), (7000, 17_500));
    rig.hosts[0].config.cluster_announce_port = 1234;
    rig.hosts[0].config.cluster_announce_bus_port = 17_000;
    rig.run(0, "CLUSTER MYID");
    assert_eq!(ports(&mut rig), (1234, 17_000));
    rig.until("the other one knows", 3000, |rig| {
        rig.view(1, 0).address.port == 1234
    });
    assert!(rig.at(1).nodes_text().contains(":1234@17000 "));
}

/// Proves CF-03: failure detection follows CONFIG SET at once.
#[test]
fn the_node_timeout_is_what_it_is_now() {
    let mut rig = Rig::cluster(3, 0);
    for host in &mut rig.hosts {
        host.config.cluster_node_timeout = Millis(5000);
    }
    let id = rig.id(2);
    rig.kill(2);
    let took = rig.until("FAIL", 20_000, |rig| {
        rig.at(0)
            .member(id)
            .is_some_and(|member| member.is_failed())
    });
    assert!((5000..=8000).contains(&took), "took {took} ms");
}

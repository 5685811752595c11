//! nodes.conf: written, read, refused.

use super::rig::Rig;
use crate::cluster::nodes_conf::{Fault, NodesConf, OpenSlot, seal};
use crate::cluster::{Cluster, Effect};
use crate::config::Config;
use crate::output::{Durability, Output};
use crate::rng::Rng;
use crate::slot::Slot;
use crate::time::Millis;

const ME: &str = "07c37dfeb235213a872192d90877d0cd55635b91";
const OTHER: &str = "67ed2db8d677e59ec4a4cefb06858cf2a1a89fa1";
const VARS: &str = "vars currentEpoch 6 lastVoteEpoch 5\n";

fn myself() -> String {
    format!("{ME} 127.0.0.1:7000@17000 myself,master - 0 0 3 connected 0-5460 5462\n")
}

fn fault(text: &str) -> Fault {
    NodesConf::parse(text.as_bytes())
        .expect_err("not a nodes.conf")
        .fault
}

/// Proves PS-01, PS-16, PS-14: the file of a new node, synced.
#[test]
fn a_new_node_writes_its_file_at_once() {
    let mut fx = Vec::new();
    let boot = Cluster::boot(&Config::default(), None, Rng::new(1), Millis(5), &mut fx);
    let id = boot.expect("a new node").my_id();
    let [
        Effect::Do(Output::Persist {
            content,
            durability,
            ..
        }),
    ] = &fx[..]
    else {
        panic!("one file expected, got {fx:?}");
    };
    assert_eq!(*durability, Durability::Synced);
    let expected = format!(
        "{id} :6379@16379 myself,master - 0 0 0 connected\n\
         vars currentEpoch 0 lastVoteEpoch 0"
    );
    assert_eq!(
        content.bytes(),
        format!("{expected} {}\n", seal::sealed(&expected))
    );
}

/// Proves PS-02, PS-03, PS-05, PS-06, PS-17: what is written comes back, id, slots and epochs.
#[test]
fn a_restarted_node_is_who_it_was() {
    let mut rig = Rig::cluster(3, 1);
    let before = rig.hosts[3].nodes_conf.clone().expect("saved");
    let (id, epoch) = (rig.id(3), rig.at(3).config_epoch());
    rig.kill(3);
    rig.start(3);
    assert_eq!((rig.id(3), rig.at(3).config_epoch()), (id, epoch));
    assert!(rig.at(3).is_replica());
    let after = rig.at(3).clone().nodes_conf().text();
    let slots = |text: &str| {
        let mut lines: Vec<String> = text
            .lines()
            .filter(|line| !line.starts_with("vars"))
            .map(|line| {
                let fields: Vec<&str> = line.split(' ').collect();
                [&fields[..4], &fields[6..7], &fields[8..]]
                    .concat()
                    .join(" ")
            })
            .collect();
        lines.sort();
        lines
    };
    let before = String::from_utf8_lossy(&before);
    assert_eq!(slots(&before), slots(&after));
    let last = rig.hosts[3]
        .effects
        .iter()
        .rev()
        .find(|fx| matches!(fx, Effect::Follow(_)));
    assert!(
        matches!(last, Some(Effect::Follow(Some((_, 7000))))),
        "RP-04: {last:?}"
    );
}

/// Proves PS-04, PS-08, PS-18: lines of 6.2, 7.0 and 7.2.
#[test]
fn reads_what_other_versions_write() {
    let text = format!(
        "{}\n{OTHER} 127.0.0.1:7001@17001,host-1,tls-port=0,shard-id={ME} \
         slave,fail {ME} 1700000000001 1700000000002 3 disconnected\n\
         3fc783611028b1707fd65345e763befb36454d73 ::1:7002 noaddr,nofailover,master - 0 0 7 \
         disconnected 5461\n{VARS}",
        myself().trim_end().to_owned() + &format!(" [7->-{OTHER}] [9000-<-{OTHER}]")
    );
    let file = NodesConf::parse(text.as_bytes()).expect("a nodes.conf");
    assert_eq!((file.current_epoch.0, file.last_vote_epoch.0), (6, 5));
    assert_eq!(file.nodes[0].slots.len(), 5462);
    let open = &file.nodes[0].open;
    assert!(matches!(
        open[..],
        [OpenSlot::Migrating(..), OpenSlot::Importing(..)]
    ));
    assert_eq!(file.nodes[1].hostname, "host-1");
    assert_eq!(
        file.nodes[1].shard.map(|id| id.to_string()).as_deref(),
        Some(ME)
    );
    assert_eq!(file.nodes[1].config_epoch.0, 0, "PS-06");
    assert!(file.nodes[1].ping_sent && file.nodes[1].pong_received);
    assert_eq!(file.nodes[2].address.bus_port, 17_002);
    assert!(file.nodes[2].address.ip.is_some_and(|ip| ip.is_ipv6()));
}

/// Proves PS-07, PS-08, PS-20: every other file is refused, with its line.
#[test]
fn refuses_what_is_no_nodes_conf() {
    let me = myself();
    let cut = format!("{me}{}", VARS.trim_end());
    assert_eq!(fault(&cut), Fault::CutOff);
    assert_eq!(fault(&me), Fault::NoVars);
    assert_eq!(fault("\n\n"), Fault::NoMyself);
    assert_eq!(fault(VARS), Fault::NoMyself);
    assert_eq!(fault(&format!("{ME} x\n{VARS}")), Fault::Fields(2));
    assert!(matches!(
        fault(&format!("{me}{me}{VARS}")),
        Fault::NodeTwice(_)
    ));
    let second = me.replace(ME, OTHER);
    assert_eq!(fault(&format!("{me}{second}{VARS}")), Fault::SlotTwice(0));
    let second = format!("{OTHER} 127.0.0.1:7001@17001 myself,master - 0 0 3 connected\n");
    assert_eq!(fault(&format!("{me}{second}{VARS}")), Fault::MyselfTwice);
    let spoilt = [
        ("5462", "16384"),
        ("5462", "9-8"),
        ("5462", "[7->-x]"),
        ("5462", "[7-=-x]"),
        ("myself,master", "myself,boss"),
        (ME, "short"),
        ("127.0.0.1:7000", "nowhere:7000"),
        ("127.0.0.1:7000@17000", "127.0.0.1"),
        ("@17000", "@17000,a b"),
        (" 3 ", " three "),
    ];
    for (good, bad) in spoilt {
        let text = me.replace(good, bad) + VARS;
        assert!(NodesConf::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert_eq!(
        NodesConf::parse(b"\xff\xfe\n").expect_err("no text").fault,
        Fault::NotText
    );
}

/// Proves EP-07, FD-16, PS-21.
#[test]
fn epochs_failures_and_named_peers_come_back() {
    let stranger = "3fc783611028b1707fd65345e763befb36454d73";
    let text = format!(
        "{} [7->-{stranger}]\n{OTHER} 127.0.0.1:7001@17001 master,fail - 0 0 9 connected 5461\n\
         {VARS}",
        myself().trim_end()
    );
    let mut fx = Vec::new();
    let config = Config::default();
    let boot = Cluster::boot(
        &config,
        Some(text.as_bytes()),
        Rng::new(1),
        Millis(5),
        &mut fx,
    );
    let cluster = boot.expect("a nodes.conf");
    assert_eq!(cluster.current_epoch().0, 9);
    assert!(cluster.members().any(|member| member.is_failed()));
    let peer = cluster
        .migrating_to(Slot::new(7).expect("a slot"))
        .expect("an open slot");
    assert!(
        cluster
            .member(peer)
            .is_some_and(|member| member.address.ip.is_none())
    );
    assert!(fx.is_empty(), "nothing to write");
}

fn boot(text: &[u8], config: &Config) -> Result<String, Fault> {
    let mut fx = Vec::new();
    let cluster = Cluster::boot(config, Some(text), Rng::new(1), Millis(5), &mut fx);
    let id = cluster.map(|cluster| cluster.my_id().to_string());
    id.map_err(|error| error.fault)
}

/// Proves PS-16, as far as we follow it: what is left of a lost file makes no new node.
#[test]
fn an_empty_file_is_refused_except_by_the_upstream_profile() {
    assert_eq!(boot(b"", &Config::default()), Err(Fault::Empty));
    let mut upstream = Config::default();
    upstream
        .other
        .insert("slotquake-profile".into(), "upstream-7.0".into());
    assert!(boot(b"", &upstream).is_ok());
}

/// A file as a node of a cluster writes it, sealed.
fn written() -> String {
    let open =
        format!(" [7->-{OTHER}]\n{OTHER} 127.0.0.1:7001@17001,host-1 slave {ME} 0 12 3 up\n");
    let body = myself().trim_end().to_owned() + &open + VARS.trim_end();
    format!("{body} {}\n", seal::sealed(&body))
}

/// Proves PS-08 and PS-17: no cut and no flipped bit is taken for another node, for an epoch or a
/// vote of before, or for other slots.
#[test]
fn every_cut_and_every_flipped_bit_is_refused_or_changes_no_promise() {
    let whole = written();
    let config = Config::default();
    assert_eq!(boot(whole.as_bytes(), &config).as_deref(), Ok(ME));
    for length in 0..whole.len() {
        assert!(
            boot(&whole.as_bytes()[..length], &config).is_err(),
            "cut at {length}"
        );
    }
    let before = NodesConf::parse(whole.as_bytes()).expect("sealed");
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(after) = NodesConf::parse(&bytes) else {
            continue;
        };
        assert_eq!(boot(&bytes, &config).as_deref(), Ok(ME), "bit {bit}");
        let promises = |file: &NodesConf| {
            let nodes = file.nodes.iter().map(|node| {
                let claim = (node.id, node.flags, node.master, node.config_epoch);
                (claim, node.slots.clone(), node.open.clone())
            });
            let nodes: Vec<_> = nodes.collect();
            (nodes, file.current_epoch, file.last_vote_epoch)
        };
        assert_eq!(promises(&after), promises(&before), "bit {bit}");
    }
}

/// Proves PS-08: the seal may be missing, as in upstream's files, but not be wrong.
#[test]
fn an_address_may_be_edited_and_an_epoch_only_without_the_seal() {
    let config = Config::default();
    let moved = written().replace("127.0.0.1:7000", "10.0.0.9:7000");
    assert_eq!(boot(moved.as_bytes(), &config).as_deref(), Ok(ME));
    let voted = written().replace("lastVoteEpoch 5", "lastVoteEpoch 4");
    assert!(matches!(
        boot(voted.as_bytes(), &config),
        Err(Fault::Seal { .. })
    ));
    let (unsealed, _) = voted.split_once(" slotquake-seal").expect("sealed");
    assert_eq!(
        boot(format!("{unsealed}\n").as_bytes(), &config).as_deref(),
        Ok(ME)
    );
}

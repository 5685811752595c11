//! How acts of an operator go, command by command.

use std::net::SocketAddrV4;
use std::sync::Arc;

use slotquake_checkers::observation::setting::Server;
use slotquake_checkers::observation::{FaultKind, View, ViewEntry};

use super::*;

fn id(number: usize) -> NodeId {
    NodeId(format!("{number:040}").into())
}

fn name(number: usize) -> NodeName {
    NodeName::numbered(number)
}

/// What n1 or n2 says when it knows these nodes; n1 owns everything.
fn view(node: usize, time: u64, known: &[usize]) -> View {
    let entry = |number: usize| ViewEntry {
        id: id(number),
        address: String::new(),
        flags: if number == 1 { "master" } else { "slave" }.into(),
        master: (number == 2).then(|| id(1)),
        config_epoch: 1,
        connected: true,
        slots: if number == 1 { "0-16383" } else { "" }
            .parse()
            .expect("slots"),
        open_slots: Vec::new(),
    };
    View {
        time,
        asked: time,
        node: name(node),
        id: id(node),
        state_ok: true,
        current_epoch: 1,
        my_epoch: 1,
        size: 1,
        table: Arc::new(known.iter().copied().map(entry).collect()),
    }
}

/// An act on a cluster of n1 and its replica n2.
struct Rig {
    errands: Errands,
    chart: Chart,
    nodes: Vec<NodeSetting>,
}

impl Rig {
    fn begin(orders: Vec<Order>, undo: Vec<Order>) -> Rig {
        let mut chart = Chart::new((1..=2).map(NodeName::numbered), 1000, 0);
        chart.take(&view(1, 1, &[1, 2]));
        chart.take(&view(2, 1, &[1, 2]));
        let node = |number: usize| NodeSetting {
            name: name(number),
            address: SocketAddrV4::new([10, 0, 0, number as u8].into(), 7000),
            bus_port: 17_000,
            server: Server::Reference,
        };
        let mut rig = Rig {
            errands: Errands::default(),
            chart,
            nodes: (1..=2).map(node).collect(),
        };
        let spec = FaultSpec {
            id: 7,
            kind: FaultKind::Reset,
            targets: vec![name(2)],
            cuts: Vec::new(),
            dose: None,
            note: "an act".into(),
        };
        let strike = Strike {
            orders,
            undo,
            ..Strike::default()
        };
        rig.errands.begin(spec, strike, &rig.chart, 10);
        rig
    }

    fn drive(&mut self, now: u64) -> Next {
        self.errands.drive(7, now, &self.chart, &self.nodes)
    }

    /// The command sent now, as words; what is not UTF-8 or a command is no words.
    fn asked(&mut self, now: u64) -> (String, u64) {
        match self.drive(now) {
            Next::Ask(Command::Ask { node, args, tag }) => {
                let words = args.iter().map(|arg| String::from_utf8_lossy(arg));
                let words: Vec<_> = words.map(|word| format!("{word:?}")).collect();
                (format!("{node}: {}", words.join(" ")), tag)
            }
            other => panic!("a command was expected: {other:?}"),
        }
    }

    fn phase(&mut self, now: u64) -> FaultPhase {
        match self.drive(now) {
            Next::Done(fault) => fault.phase,
            other => panic!("the end was expected: {other:?}"),
        }
    }
}

fn ok() -> Result<RespValue, String> {
    Ok(RespValue::Simple("OK".into()))
}

fn refused() -> Result<RespValue, String> {
    Ok(RespValue::Error("ERR no".into()))
}

#[test]
fn braces_become_what_is_known_when_the_command_is_sent() {
    let words = "X {id:n2} {was:n2} {ip:n1} {port:n1} {bus:n1} {id:owner:5} \"\"";
    let mut rig = Rig::begin(vec![Order::once("owner:9", words)], Vec::new());
    let mut renamed = view(2, 2, &[1, 2]);
    renamed.id = id(9);
    rig.chart.take(&renamed);
    let expected = format!(
        "n1: \"X\" \"{}\" \"{}\" \"10.0.0.1\" \"7000\" \"17000\" \"{}\" \"\"",
        id(9),
        id(2),
        id(1)
    );
    assert_eq!(rig.asked(20).0, expected);
}

#[test]
fn the_keys_of_the_last_list_are_words_and_without_keys_nothing_is_sent() {
    let migrate = Order::once("n1", "MIGRATE KEYS {keys}");
    let orders = vec![migrate.clone(), Order::once("n1", "LIST"), migrate];
    let mut rig = Rig::begin(orders, Vec::new());
    let (words, tag) = rig.asked(20);
    assert_eq!(words, "n1: \"LIST\"");
    let keys = ["a", "b"].map(|key| RespValue::Bulk(Some(key.into())));
    let reply = Ok(RespValue::Array(Some(keys.into())));
    let answered = rig.errands.answer(tag, &reply, 30).expect("it was asked");
    assert_eq!((answered.id, answered.time), (7, 30));
    assert_eq!(rig.asked(30).0, "n1: \"MIGRATE\" \"KEYS\" \"a\" \"b\"");
}

#[test]
fn an_act_is_installed_once_one_command_was_accepted_and_skipped_if_none_was() {
    let orders = vec![Order::once("n1", "A"), Order::once("n2", "B")];
    for (replies, expected) in [
        ([refused(), ok()], FaultPhase::Installed),
        ([refused(), refused()], FaultPhase::Skipped("ERR no".into())),
        (
            [Err("gone".into()), refused()],
            FaultPhase::Indeterminate("gone".into()),
        ),
    ] {
        let mut rig = Rig::begin(orders.clone(), Vec::new());
        for reply in replies {
            let (_, tag) = rig.asked(20);
            rig.errands.answer(tag, &reply, 20);
        }
        assert_eq!(rig.phase(20), expected);
    }
}

#[test]
fn a_command_that_must_be_accepted_is_repeated_but_not_for_ever() {
    let mut rig = Rig::begin(vec![Order::accepted("n1", "A")], Vec::new());
    let mut now = 20;
    for _ in 0..TRIES_MAX {
        let (_, tag) = rig.asked(now);
        rig.errands.answer(tag, &refused(), now);
        assert!(matches!(rig.drive(now), Next::Wait(_) | Next::Done(_)));
        now += AGAIN_NS;
    }
    assert!(matches!(rig.drive(now), Next::Nothing));
}

#[test]
fn a_slot_whose_keys_the_target_does_not_take_stays() {
    let words = [
        "MIGRATE x",
        "CLUSTER SETSLOT 1 NODE y",
        "CLUSTER SETSLOT 1 STABLE",
    ];
    let orders = words.map(|words| Order::once("n1", words)).to_vec();
    let mut rig = Rig::begin(orders, Vec::new());
    let (_, tag) = rig.asked(20);
    let why = "ERR Target instance replied with error: NOREPLICAS Not enough good replicas";
    rig.errands
        .answer(tag, &Ok(RespValue::Error(why.into())), 30);
    assert!(rig.asked(40).0.ends_with("\"STABLE\""));
}

#[test]
fn keys_wait_until_the_cluster_takes_them() {
    let words = ["MIGRATE x", "CLUSTER SETSLOT 1 NODE y"];
    let orders = words.map(|words| Order::once("n1", words)).to_vec();
    let mut rig = Rig::begin(orders, Vec::new());
    let (_, tag) = rig.asked(20);
    let why = "CLUSTERDOWN The cluster is down";
    rig.errands
        .answer(tag, &Ok(RespValue::Error(why.into())), 30);
    assert!(matches!(rig.drive(30), Next::Wait(_)));
    let (words, tag) = rig.asked(30 + AGAIN_NS);
    assert!(words.contains("MIGRATE"), "{words}");
    rig.errands.answer(tag, &ok(), 30 + AGAIN_NS);
    assert!(rig.asked(40 + AGAIN_NS).0.contains("NODE"));
}

#[test]
fn a_heal_is_over_when_all_nodes_know_all_nodes() {
    let orders = vec![Order::once("n2", "RESET")];
    let mut rig = Rig::begin(orders, vec![Order::once("n1", "MEET")]);
    let (_, tag) = rig.asked(20);
    rig.errands.answer(tag, &ok(), 20);
    assert_eq!(rig.phase(20), FaultPhase::Installed);
    assert!(rig.errands.end(7, 100));
    let (words, tag) = rig.asked(100);
    assert_eq!(words, "n1: \"MEET\"");
    rig.errands.answer(tag, &ok(), 100);
    assert!(matches!(rig.drive(100), Next::Wait(_)));
    rig.chart.take(&view(1, 200, &[1, 2]));
    rig.chart.take(&view(2, 200, &[2]));
    assert!(matches!(rig.drive(200), Next::Wait(_)), "n2 knows nobody");
    rig.chart.take(&view(2, 300, &[1, 2]));
    assert_eq!(rig.phase(300), FaultPhase::Healed);
}

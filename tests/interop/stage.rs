//! Mixed clusters: how they are formed, what their nodes say, and when these agree.

use std::collections::{BTreeMap, BTreeSet};

use slotquake::target::servers;
use slotquake_tests::live::{Client, Mode, Program, Server, wait_until};
use slotquake_workloads::client::resp::RespValue;

/// A real version.
pub struct Real {
    /// As `redis@7.0.15`.
    pub name: &'static str,
    /// How it is started.
    pub program: Program,
}

impl Real {
    fn named(name: &str) -> Real {
        let known = servers::KNOWN.iter().find(|known| known.name == name);
        let known = known.expect("one of the versions that can be fetched");
        match servers::ensure(known) {
            Ok(installed) => Real {
                name: known.name,
                program: Program::redis(&installed),
            },
            Err(error) => panic!("{error}\nremedy: slotquake servers fetch {name}"),
        }
    }

    /// Whether it has what came with 7.0: hostnames, CLUSTER SHARDS, SPUBLISH, functions.
    pub fn has_7_0(&self) -> bool {
        self.name != OLDEST
    }

    /// Whether it has what came with 7.2 and later: shard ids, names for humans, field expiry.
    pub fn has_8_2(&self) -> bool {
        self.name == NEWEST
    }
}

/// The version that reads least.
pub fn oldest() -> Real {
    Real::named(OLDEST)
}

/// The version that writes most.
pub fn newest() -> Real {
    Real::named(NEWEST)
}

const OLDEST: &str = "redis@6.2.14";
const NEWEST: &str = "redis@8.2.3";
const VERSIONS: [&str; 3] = [OLDEST, "redis@7.0.15", NEWEST];

/// Makes a claim of each version, side by side.
///
/// # Panics
/// If it fails with one of them.
pub fn with_each_real(claim: impl Fn(&Real) + Sync) {
    let reals = VERSIONS.map(Real::named);
    let claim = &claim;
    let failed: Vec<&str> = std::thread::scope(|scope| {
        let start = |real| {
            let thread = std::thread::Builder::new().name(String::from(real_name(real)));
            (real, thread.spawn_scoped(scope, move || claim(real)))
        };
        let started = reals.iter().map(start).collect::<Vec<_>>().into_iter();
        let ended = started.map(|(real, thread)| (real, thread.unwrap().join()));
        ended
            .filter(|(_, outcome)| outcome.is_err())
            .map(|(real, _)| real.name)
            .collect()
    });
    assert!(failed.is_empty(), "does not hold with {failed:?}");
}

fn real_name(real: &Real) -> &'static str {
    real.name
}

/// Our node.
pub fn ours() -> Program {
    Program::reference(env!("CARGO_BIN_EXE_slotquake-under-test"))
}

/// With further lines of redis.conf.
pub fn with(program: &Program, settings: &str) -> Program {
    let mut program = program.clone();
    program.settings.push_str(settings);
    program
}

/// What a node of a new cluster is.
#[derive(Clone, Copy)]
pub enum Part {
    /// A master with its share of the slots.
    Master,
    /// A replica of the node at that place.
    ReplicaOf(usize),
}

use Part::{Master, ReplicaOf};

/// Masters of ours (0) and theirs (1), each with a replica of the other make (2 and 3).
pub fn form_crossed(ours: &Program, theirs: &Program) -> Vec<Server> {
    form(&[
        (ours, Master),
        (theirs, Master),
        (theirs, ReplicaOf(0)),
        (ours, ReplicaOf(1)),
    ])
}

/// A whole cluster, agreed and with replicas in sync; masters have epochs in their order, from 1.
pub fn form(nodes: &[(&Program, Part)]) -> Vec<Server> {
    let start = |(program, _): &(&Program, Part)| Server::start(program, Mode::Cluster);
    let servers: Vec<Server> = nodes.iter().map(start).collect();
    let is_master = |(_, part): &&(&Program, Part)| matches!(part, Master);
    let (count, mut share) = (nodes.iter().filter(is_master).count(), 0);
    for (server, (_, part)) in servers.iter().zip(nodes) {
        if let Master = part {
            let slots = (share * SLOTS / count)..((share + 1) * SLOTS / count);
            share += 1;
            let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
            let mut words = vec!["CLUSTER", "ADDSLOTS"];
            words.extend(slots.iter().map(String::as_str));
            ok(&mut server.client(), &words);
            let epoch = share.to_string();
            ok(
                &mut server.client(),
                &["CLUSTER", "SET-CONFIG-EPOCH", &epoch],
            );
        }
    }
    let (first, others) = servers.split_first().expect("a node at least");
    others.iter().for_each(|other| meet(first, other));
    wait_all_known(&servers);
    for (server, (_, part)) in servers.iter().zip(nodes) {
        if let ReplicaOf(master) = part {
            replicate(server, &servers[*master]);
        }
    }
    wait_settled(&servers);
    servers
}

/// One node meets another.
pub fn meet(one: &Server, other: &Server) {
    let port = other.port.to_string();
    ok(&mut one.client(), &["CLUSTER", "MEET", "127.0.0.1", &port]);
}

/// Makes a node a replica of another, once it knows that as a master.
pub fn replicate(replica: &Server, master: &Server) {
    let (mut client, id) = (replica.client(), master.id());
    wait_until("CLUSTER REPLICATE to be accepted", || {
        client.call(&["CLUSTER", "REPLICATE", &id]) == RespValue::Simple("OK".into())
    });
}

/// Waits until every node knows every other one by its name.
pub fn wait_all_known<'a>(servers: impl IntoIterator<Item = &'a Server>) {
    let servers: Vec<&Server> = servers.into_iter().collect();
    let ids: BTreeSet<String> = servers.iter().map(|server| server.id()).collect();
    for server in servers {
        wait_until("every node to know every other", || {
            view(server).into_keys().collect::<BTreeSet<_>>() == ids
        });
    }
}

/// Waits until the nodes agree in all they say, serve, and replicas are in sync.
pub fn wait_settled<'a>(servers: impl IntoIterator<Item = &'a Server>) {
    let servers: Vec<&Server> = servers.into_iter().collect();
    let mut last = String::new();
    let mut is_settled = || {
        let objection = objection(&servers);
        last = objection.clone().unwrap_or_default();
        objection.is_none()
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        wait_until("the nodes to agree", &mut is_settled);
    }));
    if let Err(panic) = outcome {
        eprintln!("they do not: {last}");
        std::panic::resume_unwind(panic);
    }
}

/// The first thing that is not as it should be in a settled cluster.
fn objection(servers: &[&Server]) -> Option<String> {
    let first = view(servers[0]);
    for server in servers {
        let view = view(server);
        if view != first || view.len() != servers.len() {
            return Some(format!(
                "{} sees {view:#?}, {} sees {first:#?}",
                server.address(),
                servers[0].address()
            ));
        }
        let raw = text(&mut server.client(), &["CLUSTER", "NODES"]);
        if ["fail", "handshake", "noaddr", "disconnected"]
            .iter()
            .any(|flaw| raw.contains(flaw))
        {
            return Some(format!("{} says {raw}", server.address()));
        }
        let state = field(server, &["CLUSTER", "INFO"], "cluster_state");
        if state != "ok" {
            return Some(format!("{} is in state {state}", server.address()));
        }
        let me = &view[&server.id()];
        let link = field(server, &["INFO", "replication"], "master_link_status");
        if me.master.is_some() && link != "up" {
            return Some(format!("link of {} is {link:?}", server.address()));
        }
    }
    None
}

/// What a node says of another in CLUSTER NODES, without what changes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// `127.0.0.1:7000@17000`.
    pub address: String,
    /// Announced, or empty.
    pub hostname: String,
    /// Flags but `myself`.
    pub flags: BTreeSet<String>,
    /// Its master.
    pub master: Option<String>,
    /// Its config epoch, or its master's.
    pub epoch: u64,
    /// Its slots, as text; also open ones.
    pub slots: Vec<String>,
}

/// CLUSTER NODES of a node, by id, without handshakes.
pub fn view(server: &Server) -> BTreeMap<String, Line> {
    parse_view(&text(&mut server.client(), &["CLUSTER", "NODES"]))
}

fn parse_view(text: &str) -> BTreeMap<String, Line> {
    let lines = text.lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut address = words[1].split(',');
        let flags = words[2].split(',').filter(|flag| *flag != "myself");
        let open = |word: &&&str| !word.starts_with('[');
        let parsed = Line {
            address: address.next().unwrap_or_default().into(),
            hostname: address.next().unwrap_or_default().into(),
            flags: flags.map(String::from).collect(),
            master: Some(words[3].to_string()).filter(|id| id != "-"),
            epoch: words[6].parse().unwrap(),
            slots: words[8..]
                .iter()
                .filter(open)
                .map(|w| w.to_string())
                .collect(),
        };
        (words[0].to_string(), parsed)
    });
    let is_member = |(_, line): &(String, Line)| !line.flags.contains("handshake");
    lines.filter(is_member).collect()
}

/// The slots that a node has open, as it says.
pub fn open_slots(server: &Server) -> BTreeSet<String> {
    let text = text(&mut server.client(), &["CLUSTER", "NODES"]);
    let mine = text.lines().find(|line| line.contains("myself"));
    let words = mine.unwrap_or_default().split(' ');
    let is_open = |word: &&str| word.starts_with('[');
    words.filter(is_open).map(String::from).collect()
}

/// Calls, and expects OK.
pub fn ok(client: &mut Client, words: &[&str]) {
    let reply = client.call(words);
    let shown = &words[..words.len().min(8)];
    assert_eq!(reply, RespValue::Simple("OK".into()), "{shown:?}");
}

/// Calls, and gives the text that came.
pub fn text(client: &mut Client, words: &[&str]) -> String {
    let reply = client.call(words);
    let text = reply.text().map(String::from);
    text.unwrap_or_else(|| panic!("{words:?}: {reply:?}"))
}

/// Calls, and gives the number that came.
pub fn number(client: &mut Client, words: &[&str]) -> i64 {
    match client.call(words) {
        RespValue::Integer(number) => number,
        other => panic!("{words:?}: {other:?}"),
    }
}

/// A field of INFO or CLUSTER INFO; empty if it is not there.
pub fn field(server: &Server, words: &[&str], name: &str) -> String {
    let text = text(&mut server.client(), words);
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(field, _)| *field == name);
    found.map(|(_, value)| value.into()).unwrap_or_default()
}

/// A field that is a number.
pub fn count(server: &Server, words: &[&str], name: &str) -> u64 {
    let value = field(server, words, name);
    let parsed = value.parse();
    parsed.unwrap_or_else(|_| panic!("{name} of {}: {value:?}", server.address()))
}

/// Waits until a node is a master, and gives its epoch.
pub fn wait_master(server: &Server) -> u64 {
    let id = server.id();
    let mut epoch = 0;
    wait_until("a replica to become master", || {
        let line = &view(server)[&id];
        epoch = line.epoch;
        line.master.is_none() && !line.slots.is_empty()
    });
    epoch
}

const SLOTS: usize = 16384;

//! A pure node, booted from a nodes.conf with three known masters and two replicas.
//!
//! What it asks of the world is answered at once: links open, nothing else happens. Each nodes.conf
//! that it writes is read: it must be one, of the same node, with no epoch and no vote forgotten.

use std::net::{IpAddr, Ipv4Addr};

use slotquake_core::cluster::nodes_conf::NodesConf;
use slotquake_core::config::Config;
use slotquake_core::ids::{LinkId, UpstreamId};
use slotquake_core::output::File;
use slotquake_core::time::Millis;
use slotquake_core::{Boot, Input, Node, Output, Outputs};

/// Ids of the nodes in its nodes.conf; it is itself the first.
pub const IDS: [&str; 5] = [
    "1111111111111111111111111111111111111111",
    "2222222222222222222222222222222222222222",
    "3333333333333333333333333333333333333333",
    "4444444444444444444444444444444444444444",
    "5555555555555555555555555555555555555555",
];

/// Who the node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The master of the first third of the slots.
    Master,
    /// Its replica.
    Replica,
}

/// nodes.conf of a cluster of three masters and two replicas, as the node of that part has it.
pub fn nodes_conf(part: Part) -> String {
    let [a, b, c, d, e] = IDS;
    let mut text = format!(
        "{a} 127.0.0.1:7001@17001 master - 0 0 1 connected 0-5460\n\
         {b} 127.0.0.1:7002@17002 master - 0 0 2 connected 5461-10922\n\
         {c} 127.0.0.1:7003@17003 master - 0 0 3 connected 10923-16383\n\
         {d} 127.0.0.1:7004@17004 slave {a} 0 0 1 connected\n\
         {e} 127.0.0.1:7005@17005 slave {b} 0 0 2 connected\n"
    );
    let (plain, mine) = match part {
        Part::Master => ("17001 master", "17001 myself,master"),
        Part::Replica => ("17004 slave", "17004 myself,slave"),
    };
    text = text.replace(plain, mine);
    text + "vars currentEpoch 5 lastVoteEpoch 4\n"
}

/// The node, and the time.
pub struct Rig {
    node: Node,
    now: Millis,
    outputs: Outputs,
    latest: NodesConf,
    /// The connection to its master that it asked for last.
    pub upstream: Option<UpstreamId>,
}

impl Rig {
    /// A master whose first peers have opened links to it.
    pub fn master() -> Rig {
        let mut rig = Rig::boot(Part::Master);
        for number in 0..3 {
            let link = LinkId::inbound(number);
            let ip = LOOPBACK;
            rig.take_in(Input::LinkAccepted {
                link,
                peer_ip: ip,
                local_ip: ip,
            });
        }
        rig
    }

    /// A replica that has just opened a connection to its master.
    pub fn replica() -> Rig {
        Rig::boot(Part::Replica)
    }

    fn boot(part: Part) -> Rig {
        let text = nodes_conf(part);
        let boot = Boot {
            config: Config {
                cluster_enabled: true,
                port: 7001,
                cluster_writable_delay: Millis(0),
                ..Config::default()
            },
            config_file: String::new(),
            config_text: String::new(),
            nodes_conf: Some(text.clone().into()),
            rdb: None,
            append_only: None,
            seed: 7,
            pid: 1,
        };
        let now = Millis(1_000_000);
        let mut outputs = Vec::new();
        let node = Node::boot(boot, now, &mut outputs).expect("its own file");
        let latest = NodesConf::parse(text.as_bytes()).expect("its own file");
        let mut rig = Rig {
            node,
            now,
            outputs,
            latest,
            upstream: None,
        };
        rig.carry_out();
        rig
    }

    /// One of the links that were opened to it.
    pub fn link(&self, number: u64) -> LinkId {
        LinkId::inbound(number)
    }

    /// One input, and all that follows.
    pub fn take_in(&mut self, input: Input) {
        self.node.step(self.now, input, &mut self.outputs);
        self.carry_out();
    }

    /// A tenth of a second goes by.
    pub fn pass_time(&mut self) {
        self.now = self.now + Millis(100);
        if self.node.next_wakeup() <= self.now {
            self.take_in(Input::Wake);
        }
    }

    fn carry_out(&mut self) {
        let mut answers = Vec::new();
        for output in self.outputs.drain(..) {
            match output {
                Output::Persist {
                    file: File::NodesConf,
                    content,
                    ..
                } => {
                    let saved = NodesConf::parse(&content.bytes());
                    let saved = saved.expect("a node writes what it reads");
                    assert_goes_on(&self.latest, &saved);
                    self.latest = saved;
                }
                Output::OpenLink { link, .. } => answers.push(Input::LinkOpened {
                    link,
                    local_ip: LOOPBACK,
                }),
                Output::OpenUpstream { upstream, .. } => {
                    self.upstream = Some(upstream);
                    answers.push(Input::UpstreamOpened {
                        upstream,
                        local_ip: LOOPBACK,
                    });
                }
                Output::CloseUpstream { .. } => self.upstream = None,
                Output::Persist { .. }
                | Output::RestartLog { .. }
                | Output::Append { .. }
                | Output::CloseLink { .. }
                | Output::SendPacket { .. }
                | Output::Reply { .. }
                | Output::SendBytes { .. }
                | Output::CloseClient { .. }
                | Output::SendUpstream { .. }
                | Output::Stall { .. }
                | Output::Peer { .. }
                | Output::Log { .. }
                | Output::Exit { .. } => {}
            }
        }
        for answer in answers {
            self.take_in(answer);
        }
    }
}

/// Same node, no epoch and no vote taken back.
pub fn assert_goes_on(before: &NodesConf, after: &NodesConf) {
    assert_eq!(identity(before), identity(after), "the node's own id");
    assert!(
        after.current_epoch >= before.current_epoch,
        "currentEpoch goes back"
    );
    assert!(
        after.last_vote_epoch >= before.last_vote_epoch,
        "a vote is forgotten"
    );
}

/// The id on the myself line.
pub fn identity(file: &NodesConf) -> String {
    let is_me = |flags: u16| flags & slotquake_core::bus::packet::NodeFlags::MYSELF != 0;
    let mut mine = file.nodes.iter().filter(|node| is_me(node.flags.0));
    mine.next()
        .map(|node| node.id.to_string())
        .unwrap_or_default()
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

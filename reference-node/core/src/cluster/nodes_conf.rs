//! nodes.conf: this node's memory of the cluster, in upstream's grammar.
//!
//! Reading accepts what 6.2 to 8.x write and refuses everything else with the line and the reason:
//! a torn or foreign file never yields a new identity. `saved` writes it, as one line is that of
//! CLUSTER NODES; `seal` is a checksum in it. Clauses: PS-01 to PS-10, PS-16, PS-18, PS-20,
//! PS-21.

use crate::bus::ext::is_valid_name;
use crate::bus::packet::NodeFlags;
use crate::cluster::Profile;
use crate::cluster::members::Address;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::slot::{Slot, SlotSet};

pub mod saved;
pub mod seal;

/// What nodes.conf says.
#[derive(Debug, Clone, PartialEq)]
pub struct NodesConf {
    /// One per node line, in the file's order.
    pub nodes: Vec<NodeLine>,
    /// The logical clock when it was written.
    pub current_epoch: CurrentEpoch,
    /// The last epoch this node voted in (VO-10).
    pub last_vote_epoch: CurrentEpoch,
}

/// One node line (PS-03, PS-04).
#[derive(Debug, Clone, PartialEq)]
pub struct NodeLine {
    /// Its id.
    pub id: NodeId,
    /// Its address.
    pub address: Address,
    /// Its hostname, or empty.
    pub hostname: String,
    /// Its shard, if the file says (7.2+).
    pub shard: Option<NodeId>,
    /// Its flags.
    pub flags: NodeFlags,
    /// Its master.
    pub master: Option<NodeId>,
    /// Whether a ping was unanswered (PS-09).
    pub ping_sent: bool,
    /// Whether a pong had ever come (PS-09).
    pub pong_received: bool,
    /// The version of its claim.
    pub config_epoch: ConfigEpoch,
    /// Its slots.
    pub slots: SlotSet,
    /// Open slots, on the myself line.
    pub open: Vec<OpenSlot>,
}

/// An open slot (SM-17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenSlot {
    /// `[93->-id]`
    Migrating(Slot, NodeId),
    /// `[93-<-id]`
    Importing(Slot, NodeId),
}

/// Why a file is not a nodes.conf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{fault}", place(*.line))]
pub struct NodesConfError {
    /// Which line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub fault: Fault,
}

fn place(line: usize) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line}: "),
    }
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// DEVIATION(PS-16): nothing in it. A node that had an id would come back as another one.
    #[error("the file is empty")]
    Empty,
    /// It does not say what it said when it was written.
    #[error(
        "the seal is {expected:016x}, but the content makes {got:016x}: it was damaged, or edited \
         by hand (who edits an epoch or a slot removes the seal from the last line)"
    )]
    Seal {
        /// The seal in the file.
        expected: u64,
        /// The one that its content has.
        got: u64,
    },
    /// Bytes that are no text.
    #[error("not UTF-8")]
    NotText,
    /// No line feed at the end: it was cut off.
    #[error("the last line is cut off: it has no line feed")]
    CutOff,
    /// Fewer than 8 fields.
    #[error("a node line has at least 8 fields, this one has {0}")]
    Fields(usize),
    /// A field that does not read.
    #[error("{what} expected, got {got:?}")]
    Field {
        /// What should be there.
        what: &'static str,
        /// What is there.
        got: String,
    },
    /// The same node twice.
    #[error("node {0} has two lines")]
    NodeTwice(NodeId),
    /// The same slot twice.
    #[error("slot {0} has two owners")]
    SlotTwice(u16),
    /// More than one myself.
    #[error("a second myself line")]
    MyselfTwice,
    /// No line says who this node is.
    #[error("no line has the flag myself")]
    NoMyself,
    /// A replica without master, or a role that is none.
    #[error("the myself line is neither a master nor a replica with a master")]
    MyselfWithoutRole,
    /// The epochs are missing.
    #[error("no complete vars line: the last vote is unknown")]
    NoVars,
}

impl NodesConf {
    /// Reads a file.
    ///
    /// # Errors
    /// The node must not start: see PS-08.
    pub fn parse(bytes: &[u8]) -> Result<NodesConf, NodesConfError> {
        NodesConf::parse_as(Profile::Reference, bytes)
    }

    /// Reads a file as a node of this profile does.
    ///
    /// # Errors
    /// As [`NodesConf::parse`]; upstream takes files that end early, if what is left makes sense.
    pub fn parse_as(profile: Profile, bytes: &[u8]) -> Result<NodesConf, NodesConfError> {
        let whole = |fault| NodesConfError { line: 0, fault };
        if bytes.is_empty() {
            return Err(whole(Fault::Empty));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| whole(Fault::NotText))?;
        if !text.ends_with('\n') && profile == Profile::Reference {
            return Err(whole(Fault::CutOff));
        }
        let mut nodes: Vec<NodeLine> = Vec::new();
        let mut vars = Vars::default();
        for (number, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let outcome = match fields.first() {
                None => Ok(()),
                Some(first) if first.eq_ignore_ascii_case("vars") => vars.read(&fields[1..]),
                Some(_) => parse_node(&fields).and_then(|node| admit(&mut nodes, node)),
            };
            outcome.map_err(|fault| NodesConfError {
                line: number + 1,
                fault,
            })?;
        }
        check_myself(&nodes).map_err(whole)?;
        // DEVIATION(PS-08): a file without its last line is refused: a vote may be forgotten
        // (DU-01 of part C). Upstream takes it, and both epochs for 0.
        let epochs = match (profile, vars.current_epoch, vars.last_vote_epoch) {
            (Profile::Reference, Some(current), Some(last_vote)) => Some((current, last_vote)),
            (Profile::Reference, _, _) => None,
            (Profile::Upstream70, current, last_vote) => {
                Some((current.unwrap_or(0), last_vote.unwrap_or(0)))
            }
        };
        let Some((current, last_vote)) = epochs else {
            return Err(whole(Fault::NoVars));
        };
        let got = seal::seal_of(text);
        let broken = vars.seal.filter(|expected| *expected != got);
        if let (Some(expected), Profile::Reference) = (broken, profile) {
            return Err(whole(Fault::Seal { expected, got }));
        }
        Ok(NodesConf {
            nodes,
            current_epoch: CurrentEpoch(current),
            last_vote_epoch: CurrentEpoch(last_vote),
        })
    }
}

#[derive(Default)]
struct Vars {
    current_epoch: Option<u64>,
    last_vote_epoch: Option<u64>,
    seal: Option<u64>,
}

impl Vars {
    /// PS-08: unknown variables are skipped.
    fn read(&mut self, fields: &[&str]) -> Result<(), Fault> {
        for pair in fields.chunks(2) {
            let [name, value] = pair else {
                return Err(field("a value of a variable", pair[0]));
            };
            if name.eq_ignore_ascii_case("currentEpoch") {
                self.current_epoch = Some(number("currentEpoch", value)?);
            } else if name.eq_ignore_ascii_case("lastVoteEpoch") {
                self.last_vote_epoch = Some(number("lastVoteEpoch", value)?);
            } else if *name == seal::SEAL {
                let seal = seal::parse(value);
                self.seal = Some(seal.ok_or_else(|| field("a seal", value))?);
            }
        }
        Ok(())
    }
}

fn admit(nodes: &mut Vec<NodeLine>, node: NodeLine) -> Result<(), Fault> {
    for other in nodes.iter() {
        if other.id == node.id {
            return Err(Fault::NodeTwice(node.id));
        }
        if let Some(slot) = other.slots.intersection(&node.slots).iter().next() {
            return Err(Fault::SlotTwice(slot.number()));
        }
    }
    nodes.push(node);
    Ok(())
}

fn check_myself(nodes: &[NodeLine]) -> Result<(), Fault> {
    let mut mine = nodes
        .iter()
        .filter(|node| node.flags.has(NodeFlags::MYSELF));
    let Some(myself) = mine.next() else {
        return Err(Fault::NoMyself);
    };
    if mine.next().is_some() {
        return Err(Fault::MyselfTwice);
    }
    // PS-20.
    let is_replica = myself.flags.has(NodeFlags::SLAVE) && myself.master != Some(myself.id);
    if myself.flags.has(NodeFlags::MASTER) || is_replica {
        Ok(())
    } else {
        Err(Fault::MyselfWithoutRole)
    }
}

fn parse_node(fields: &[&str]) -> Result<NodeLine, Fault> {
    let [
        id,
        address,
        flags,
        master,
        ping,
        pong,
        epoch,
        _link,
        slots @ ..,
    ] = fields
    else {
        return Err(Fault::Fields(fields.len()));
    };
    let (address, names) = match address.split_once(',') {
        Some((address, names)) => (address, names),
        None => (*address, ""),
    };
    let (hostname, shard) = parse_names(names)?;
    let flags = parse_flags(flags)?;
    let is_replica = flags.has(NodeFlags::SLAVE);
    let epoch = number("a config epoch", epoch)?;
    let mut node = NodeLine {
        id: parse_id(id)?,
        address: parse_address(address)?,
        hostname,
        shard,
        flags,
        master: if *master == "-" {
            None
        } else {
            Some(parse_id(master)?)
        },
        ping_sent: number("the time of a ping", ping)? != 0,
        pong_received: number("the time of a pong", pong)? != 0,
        // PS-06: a replica's column is its master's epoch.
        config_epoch: ConfigEpoch(if is_replica { 0 } else { epoch }),
        slots: SlotSet::default(),
        open: Vec::new(),
    };
    for text in slots {
        parse_slots(text, &mut node)?;
    }
    Ok(node)
}

/// `ip:port@busport`; the ip may be empty, the bus port missing (PS-08).
fn parse_address(text: &str) -> Result<Address, Fault> {
    let what = "ip:port@busport";
    let (base, bus_port) = match text.split_once('@') {
        Some((base, bus_port)) => (base, Some(bus_port)),
        None => (text, None),
    };
    let (ip, port) = base.rsplit_once(':').ok_or_else(|| field(what, text))?;
    let port: u16 = port.parse().map_err(|_| field(what, text))?;
    let bus_port = match bus_port {
        Some(bus_port) => bus_port.parse().map_err(|_| field(what, text))?,
        None => port.saturating_add(10_000),
    };
    let ip = match ip {
        "" => None,
        ip => Some(ip.parse().map_err(|_| field("an ip", ip))?),
    };
    Ok(Address {
        ip,
        port,
        bus_port,
        second_port: 0,
    })
}

/// PS-04: `hostname,key=value,...` behind the address.
fn parse_names(text: &str) -> Result<(String, Option<NodeId>), Fault> {
    let (mut hostname, mut shard) = (String::new(), None);
    for (position, name) in text.split(',').enumerate() {
        match name.split_once('=') {
            Some(("shard-id", id)) => shard = Some(parse_id(id)?),
            // Other fields say nothing that this node keeps.
            Some(_) => {}
            None if position == 0 && is_valid_name(name.as_bytes()) => hostname = name.into(),
            None => return Err(field("a hostname", name)),
        }
    }
    Ok((hostname, shard))
}

/// PS-07.
fn parse_flags(text: &str) -> Result<NodeFlags, Fault> {
    let mut flags = 0;
    for name in text.split(',') {
        flags |= match name {
            "myself" => NodeFlags::MYSELF,
            "master" => NodeFlags::MASTER,
            "slave" => NodeFlags::SLAVE,
            "fail?" => NodeFlags::PFAIL,
            "fail" => NodeFlags::FAIL,
            "handshake" => NodeFlags::HANDSHAKE,
            "noaddr" => NodeFlags::NOADDR,
            "nofailover" => NodeFlags::NOFAILOVER,
            "noflags" => 0,
            other => return Err(field("a flag", other)),
        };
    }
    Ok(NodeFlags(flags))
}

/// PS-05: `n`, `a-b`, `[n->-id]` or `[n-<-id]`.
fn parse_slots(text: &str, node: &mut NodeLine) -> Result<(), Fault> {
    let what = "a slot, a range or an open slot";
    let bad = || field(what, text);
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(bad)?;
        let open = if let Some((slot, id)) = inner.split_once("->-") {
            OpenSlot::Migrating(parse_slot(slot)?, parse_id(id)?)
        } else if let Some((slot, id)) = inner.split_once("-<-") {
            OpenSlot::Importing(parse_slot(slot)?, parse_id(id)?)
        } else {
            return Err(bad());
        };
        node.open.push(open);
        return Ok(());
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (parse_slot(first)?, parse_slot(last)?);
    if first > last {
        return Err(bad());
    }
    node.slots.insert_range(first, last);
    Ok(())
}

fn parse_slot(text: &str) -> Result<Slot, Fault> {
    let slot = text.parse().ok().and_then(Slot::new);
    slot.ok_or_else(|| field("a slot in 0..16383", text))
}

fn parse_id(text: &str) -> Result<NodeId, Fault> {
    NodeId::parse(text.as_bytes()).ok_or_else(|| field("a node id", text))
}

fn number(what: &'static str, text: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| field(what, text))
}

fn field(what: &'static str, got: &str) -> Fault {
    let got = got.chars().take(64).collect();
    Fault::Field { what, got }
}

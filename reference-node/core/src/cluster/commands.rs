//! CLUSTER and its subcommands: arity, dispatch, and the small ones.
//!
//! Error texts are upstream's, byte for byte (cluster-commands.md sections 1 and 2.1); the baseline
//! is 7.0. Clauses: HS-01 to HS-04, EP-04, EP-05, FD-07, MF-14, RP-02, HS-20.

use bytes::Bytes;

use super::Cluster;
use super::epochs::Bump;
use super::manual_failover::FailoverForm;
use super::members::{Address, Greeting, MemberIndex};
use super::reset::ResetForm;
use super::turn::Turn;
use crate::epoch::{ConfigEpoch, CurrentEpoch};
use crate::ids::NodeId;
use crate::output::Durability;
use crate::resp::Reply;
use crate::slot::Slot;

/// A subcommand's handler; it gets all arguments, CLUSTER and its own name included.
type Handler = fn(&mut Cluster, &[Bytes], &mut Turn) -> Reply;

/// How many arguments a subcommand takes, CLUSTER and its own name included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

impl Arity {
    fn fits(self, count: usize) -> bool {
        match self {
            Arity::Exactly(n) => count == n,
            Arity::AtLeast(n) => count >= n,
        }
    }
}

use Arity::{AtLeast, Exactly};

/// All subcommands, cluster-commands.md section 2.
const SUBCOMMANDS: &[(&str, Arity, Handler)] = &[
    ("addslots", AtLeast(3), Cluster::add_slots),
    ("addslotsrange", AtLeast(4), Cluster::add_slot_ranges),
    ("bumpepoch", Exactly(2), Cluster::bump),
    (
        "count-failure-reports",
        Exactly(3),
        Cluster::count_failure_reports,
    ),
    ("countkeysinslot", Exactly(3), Cluster::count_keys),
    ("delslots", AtLeast(3), Cluster::delete_slots),
    ("delslotsrange", AtLeast(4), Cluster::delete_slot_ranges),
    ("failover", AtLeast(2), Cluster::failover),
    ("flushslots", Exactly(2), Cluster::flush_slots),
    ("forget", Exactly(3), |cluster, args, turn| {
        cluster.forget(&args[2], turn)
    }),
    ("getkeysinslot", Exactly(4), Cluster::get_keys),
    ("help", Exactly(2), |_, _, _| super::help::reply()),
    ("info", Exactly(2), |cluster, _, _| {
        Reply::Verbatim(cluster.info_text())
    }),
    ("keyslot", Exactly(3), |_, args, _| {
        slot_reply(Slot::of_key(&args[2]))
    }),
    ("links", Exactly(2), |cluster, _, _| cluster.links_reply()),
    ("meet", AtLeast(4), Cluster::meet),
    ("myid", Exactly(2), |cluster, _, _| {
        Reply::text(cluster.my_id().as_str())
    }),
    ("myshardid", Exactly(2), |cluster, _, _| {
        cluster.my_shard_reply()
    }),
    ("nodes", Exactly(2), |cluster, _, _| {
        Reply::Verbatim(cluster.nodes_text())
    }),
    ("replicas", Exactly(3), Cluster::list_replicas),
    ("replicate", Exactly(3), Cluster::replicate),
    ("reset", AtLeast(2), Cluster::reset_command),
    ("saveconfig", Exactly(2), Cluster::save_config),
    ("set-config-epoch", Exactly(3), Cluster::set_config_epoch),
    ("setslot", AtLeast(4), Cluster::set_slot),
    ("shards", Exactly(2), |cluster, _, turn| {
        cluster.shards_reply(turn)
    }),
    ("slaves", Exactly(3), Cluster::list_replicas),
    ("slots", Exactly(2), |cluster, _, turn| {
        cluster.slots_reply(turn)
    }),
];

impl Cluster {
    pub(super) fn run_command(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let Some(name) = args.get(1) else {
            return error("wrong number of arguments for 'cluster' command");
        };
        let wanted = String::from_utf8_lossy(name).to_ascii_lowercase();
        let found = SUBCOMMANDS.iter().find(|(name, _, _)| *name == wanted);
        let Some((name, arity, handler)) = found else {
            return unknown_subcommand(name);
        };
        if !arity.fits(args.len()) {
            return wrong_arity(name);
        }
        self.refresh_myself(turn.config);
        handler(self, args, turn)
    }

    /// HS-01 to HS-04.
    fn meet(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        if args.len() > 5 {
            return unknown_form(&args[1]);
        }
        let [host, port] = [&args[2], &args[3]].map(|arg| String::from_utf8_lossy(arg));
        let Some(base) = integer(&args[3]) else {
            return error(&format!("Invalid TCP base port specified: {port}"));
        };
        let bus = match args.get(4) {
            None => base.saturating_add(10_000),
            Some(arg) => match integer(arg) {
                Some(bus) => bus,
                None => {
                    let text = String::from_utf8_lossy(arg);
                    return error(&format!("Invalid TCP bus port specified: {text}"));
                }
            },
        };
        // HS-02: no names, and no port 0.
        let port_of = |number: i64| u16::try_from(number).ok().filter(|port| *port != 0);
        let parts = (host.parse().ok(), port_of(base), port_of(bus));
        let (Some(ip), Some(base), Some(bus)) = parts else {
            return error(&format!("Invalid node address specified: {host}:{port}"));
        };
        let address = Address {
            ip: Some(ip),
            port: base,
            bus_port: bus,
            second_port: 0,
        };
        self.start_handshake(address, Greeting::Meet, turn.now);
        Reply::OK
    }

    fn failover(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        // MF-14: the form is checked first.
        let form = match args {
            [_, _] => FailoverForm::Plain,
            [_, _, word] if word.eq_ignore_ascii_case(b"force") => FailoverForm::Force,
            [_, _, word] if word.eq_ignore_ascii_case(b"takeover") => FailoverForm::Takeover,
            [_, _, _] => return error("syntax error"),
            _ => return unknown_form(&args[1]),
        };
        self.start_failover(form, turn)
    }

    fn reset_command(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let form = match args {
            [_, _] => ResetForm::Soft,
            [_, _, word] if word.eq_ignore_ascii_case(b"soft") => ResetForm::Soft,
            [_, _, word] if word.eq_ignore_ascii_case(b"hard") => ResetForm::Hard,
            [_, _, _] => return error("syntax error"),
            _ => return unknown_form(&args[1]),
        };
        self.reset(form, turn)
    }

    /// RP-02.
    fn replicate(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let Some(master) = self.lookup(&args[2]) else {
            return unknown_node(&args[2]);
        };
        if master == self.members.my_index() {
            return error("Can't replicate myself");
        }
        if self.members[master].is_replica() {
            return error("I can only replicate a master, not a replica.");
        }
        let me = self.members.me();
        if me.is_master() && (me.slot_count > 0 || !turn.keys.has_no_keys()) {
            return error("To set a master the node must be empty and without assigned slots.");
        }
        self.change_shard(master, turn);
        self.pending.save(Durability::Buffered);
        Reply::OK
    }

    fn list_replicas(&mut self, args: &[Bytes], _turn: &mut Turn) -> Reply {
        match self.lookup(&args[2]) {
            None => unknown_node(&args[2]),
            Some(index) if self.members[index].is_replica() => {
                error("The specified node is not a master")
            }
            Some(index) => self.replicas_reply(index),
        }
    }

    /// FD-07.
    fn count_failure_reports(&mut self, args: &[Bytes], turn: &mut Turn) -> Reply {
        let Some(index) = self.lookup(&args[2]) else {
            return unknown_node(&args[2]);
        };
        self.expire_reports(index, turn);
        Reply::Integer(self.members[index].reports.len() as i64)
    }

    /// EP-05.
    fn bump(&mut self, _args: &[Bytes], _turn: &mut Turn) -> Reply {
        match self.bump_epoch() {
            Bump::Bumped(epoch) => Reply::Status(format!("BUMPED {}", epoch.0)),
            Bump::Still(epoch) => Reply::Status(format!("STILL {}", epoch.0)),
        }
    }

    /// EP-04.
    fn set_config_epoch(&mut self, args: &[Bytes], _turn: &mut Turn) -> Reply {
        let Some(number) = integer(&args[2]) else {
            return error("value is not an integer or out of range");
        };
        let Ok(epoch) = u64::try_from(number) else {
            return error(&format!("Invalid config epoch specified: {number}"));
        };
        if self.members.len() > 1 {
            return error(
                "The user can assign a config epoch only when the node does not know any other \
                 node.",
            );
        }
        if self.members.me().config_epoch != ConfigEpoch(0) {
            return error("Node config epoch is already non-zero");
        }
        self.members.me_mut().config_epoch = ConfigEpoch(epoch);
        self.current_epoch = self.current_epoch.max(CurrentEpoch(epoch));
        self.pending.evaluate_state = true;
        self.pending.save(Durability::Buffered);
        Reply::OK
    }

    /// PS-13, PS-15: at once; the shell ends the process if it cannot.
    fn save_config(&mut self, _args: &[Bytes], turn: &mut Turn) -> Reply {
        turn.persist(self.nodes_conf(), Durability::Synced);
        Reply::OK
    }

    fn my_shard_reply(&self) -> Reply {
        Reply::text(self.shard_of(self.members.my_index()).as_str())
    }

    /// The node an argument names.
    pub(super) fn lookup(&self, name: &[u8]) -> Option<MemberIndex> {
        NodeId::parse(name).and_then(|id| self.members.find(id))
    }
}

/// `-ERR` and a text.
pub(super) fn error(text: &str) -> Reply {
    Reply::Error(format!("ERR {text}"))
}

/// An argument that names nobody.
pub(super) fn unknown_node(name: &[u8]) -> Reply {
    error(&format!("Unknown node {}", String::from_utf8_lossy(name)))
}

/// Arguments that do not fit a subcommand.
pub(super) fn wrong_arity(subcommand: &str) -> Reply {
    error(&format!(
        "wrong number of arguments for 'cluster|{subcommand}' command"
    ))
}

fn unknown_subcommand(name: &[u8]) -> Reply {
    let name = String::from_utf8_lossy(&name[..name.len().min(128)]);
    error(&format!("unknown subcommand '{name}'. Try CLUSTER HELP."))
}

// What upstream finds out later than the arity.
fn unknown_form(name: &[u8]) -> Reply {
    let name = String::from_utf8_lossy(&name[..name.len().min(128)]);
    let what = "unknown subcommand or wrong number of arguments for";
    error(&format!("{what} '{name}'. Try CLUSTER HELP."))
}

/// A whole number as upstream reads one: no sign but minus, no leading zero, no blanks.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let is_plain = digits.first().is_some_and(|first| first.is_ascii_digit());
    let has_leading_zero = digits.len() > 1 && digits[0] == b'0';
    if !is_plain || has_leading_zero || text == b"-0" {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub(super) fn slot_reply(slot: Slot) -> Reply {
    Reply::Integer(i64::from(slot.number()))
}

//! Publishing and subscribing, with channels of the whole cluster and of a shard (PU clauses).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::cluster::PublishKind;
use crate::commands::args::{self, glob};
use crate::commands::parts::{Answer, Call, Caller, Parts};
use crate::commands::session::{Clients, Session, forget_subscriber};
use crate::commands::table::{Command, Flag, Keys, keyed, keyless};
use crate::ids::ClientId;
use crate::mutants::Mutant;
use crate::output::Protocol;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::slot::Slot;

use Flag::{Fast, Loading, MayReplicate, Noscript, Pubsub, Stale};

const SUBSCRIBING: &[Flag] = &[Pubsub, Noscript, Loading, Stale];
const PUBLISHING: &[Flag] = &[Pubsub, Loading, Stale, Fast, MayReplicate];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("subscribe", -2, SUBSCRIBING, subscribe, "pubsub"),
    keyless("psubscribe", -2, SUBSCRIBING, psubscribe, "pubsub"),
    keyed(
        "ssubscribe",
        -2,
        SUBSCRIBING,
        Keys::ShardChannels(1, -1),
        ssubscribe,
        "pubsub",
    ),
    keyless("unsubscribe", -1, SUBSCRIBING, unsubscribe, "pubsub"),
    keyless("punsubscribe", -1, SUBSCRIBING, punsubscribe, "pubsub"),
    keyed(
        "sunsubscribe",
        -1,
        SUBSCRIBING,
        Keys::ShardChannels(1, -1),
        sunsubscribe,
        "pubsub",
    ),
    keyless("publish", 3, PUBLISHING, publish, "pubsub"),
    keyed(
        "spublish",
        3,
        PUBLISHING,
        Keys::ShardChannels(1, 1),
        spublish,
        "pubsub",
    ),
    keyless("pubsub", -2, &[Pubsub, Loading, Stale], pubsub, "pubsub"),
];

/// Which of the three kinds of subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Channel,
    Pattern,
    Shard,
}

type Index = BTreeMap<Bytes, BTreeSet<ClientId>>;

impl Kind {
    fn index(self, clients: &mut Clients) -> &mut Index {
        match self {
            Kind::Channel => &mut clients.channels,
            Kind::Pattern => &mut clients.patterns,
            Kind::Shard => &mut clients.shard_channels,
        }
    }

    fn names(self, session: &mut Session) -> &mut BTreeSet<Bytes> {
        match self {
            Kind::Channel => &mut session.channels,
            Kind::Pattern => &mut session.patterns,
            Kind::Shard => &mut session.shard_channels,
        }
    }

    fn count(self, session: &Session) -> i64 {
        match self {
            Kind::Channel | Kind::Pattern => session.subscription_count() as i64,
            Kind::Shard => session.shard_channels.len() as i64,
        }
    }

    fn verb(self, ending: &str) -> Reply {
        let prefix = match self {
            Kind::Channel => "",
            Kind::Pattern => "p",
            Kind::Shard => "s",
        };
        Reply::text(format!("{prefix}{ending}"))
    }
}

/// Delivers a message to the subscribers of this node; gives how many got it (PU-03, PU-09).
pub fn deliver(parts: &mut Parts, channel: &Bytes, message: &Bytes, kind: PublishKind) -> usize {
    let bulk = |bytes: &Bytes| Reply::Bulk(bytes.clone());
    let (index, verb) = match kind {
        PublishKind::Global => (&parts.clients.channels, "message"),
        PublishKind::Sharded => (&parts.clients.shard_channels, "smessage"),
    };
    let mut pushes: Vec<(ClientId, Reply)> = Vec::new();
    for client in index.get(channel).into_iter().flatten() {
        let push = vec![Reply::text(verb), bulk(channel), bulk(message)];
        pushes.push((*client, Reply::Push(push)));
    }
    if kind == PublishKind::Global {
        for (pattern, clients) in &parts.clients.patterns {
            if glob(pattern, channel) {
                let push = vec![
                    Reply::text("pmessage"),
                    bulk(pattern),
                    bulk(channel),
                    bulk(message),
                ];
                pushes.extend(
                    clients
                        .iter()
                        .map(|client| (*client, Reply::Push(push.clone()))),
                );
            }
        }
    }
    let count = pushes.len();
    if parts.config.mutant.is(Mutant::DeliversTwice) {
        pushes.extend_from_within(..);
    }
    for (client, push) in pushes {
        parts.push(client, push);
    }
    count
}

/// Ends subscriptions of shard channels whose slot is no longer of my shard (PU-12).
pub fn drop_foreign_shard_channels(parts: &mut Parts) {
    let reads = parts.cluster.reads();
    let mine = [Some(reads.myself()), reads.my_master()];
    let is_foreign = |channel: &&Bytes| {
        let owner = reads.slot_owner(Slot::of_key(channel));
        owner.is_none() || !mine.contains(&owner)
    };
    let channels = parts.clients.shard_channels.iter();
    let foreign: Vec<(Bytes, BTreeSet<ClientId>)> = channels
        .filter(|(channel, _)| is_foreign(channel))
        .map(|(channel, clients)| (channel.clone(), clients.clone()))
        .collect();
    for (channel, clients) in foreign {
        for client in clients {
            let push = leave(parts, client, Kind::Shard, &channel);
            parts.push(client, push);
        }
    }
}

/// Ends all subscriptions of a client without telling it (RESET).
pub fn leave_all(parts: &mut Parts, client: ClientId) {
    for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
        let names = parts
            .clients
            .get_mut(client)
            .map(|session| kind.names(session).clone());
        for name in names.unwrap_or_default() {
            leave(parts, client, kind, &name);
        }
    }
}

fn subscribe(call: &mut Call) -> Answer {
    join(call, Kind::Channel)
}

fn psubscribe(call: &mut Call) -> Answer {
    join(call, Kind::Pattern)
}

fn ssubscribe(call: &mut Call) -> Answer {
    join(call, Kind::Shard)
}

fn unsubscribe(call: &mut Call) -> Answer {
    leave_named(call, Kind::Channel)
}

fn punsubscribe(call: &mut Call) -> Answer {
    leave_named(call, Kind::Pattern)
}

fn sunsubscribe(call: &mut Call) -> Answer {
    leave_named(call, Kind::Shard)
}

fn join(call: &mut Call, kind: Kind) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::None);
    };
    let mut replies = Vec::new();
    for name in &call.args[1..] {
        kind.index(call.parts.clients)
            .entry(name.clone())
            .or_default()
            .insert(client);
        let session = call
            .parts
            .clients
            .get_mut(client)
            .ok_or(Refusal::NoSuchClient)?;
        kind.names(session).insert(name.clone());
        let count = Reply::Integer(kind.count(session));
        let push = vec![kind.verb("subscribe"), Reply::Bulk(name.clone()), count];
        replies.push(Reply::Push(push));
    }
    Ok(Reply::Many(replies))
}

fn leave_named(call: &mut Call, kind: Kind) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::None);
    };
    let mut names = call.args[1..].to_vec();
    if names.is_empty() {
        let session = call.session().ok_or(Refusal::NoSuchClient)?;
        names = kind.names(session).iter().cloned().collect();
    }
    if names.is_empty() {
        let count = call.session().map_or(0, |session| kind.count(session));
        let push = vec![kind.verb("unsubscribe"), Reply::Nil, Reply::Integer(count)];
        return Ok(Reply::Push(push));
    }
    let left = names
        .iter()
        .map(|name| leave(call.parts, client, kind, name));
    Ok(Reply::Many(left.collect()))
}

// PU-13: the push that tells of it.
fn leave(parts: &mut Parts, client: ClientId, kind: Kind, name: &Bytes) -> Reply {
    forget_subscriber(kind.index(parts.clients), name, client);
    let mut count = 0;
    if let Some(session) = parts.clients.get_mut(client) {
        kind.names(session).remove(name);
        count = kind.count(session);
    }
    let name = Reply::Bulk(name.clone());
    Reply::Push(vec![kind.verb("unsubscribe"), name, Reply::Integer(count)])
}

fn publish(call: &mut Call) -> Answer {
    send(call, PublishKind::Global)
}

fn spublish(call: &mut Call) -> Answer {
    send(call, PublishKind::Sharded)
}

fn send(call: &mut Call, kind: PublishKind) -> Answer {
    let (channel, message) = (call.arg(1).clone(), call.arg(2).clone());
    let count = deliver(call.parts, &channel, &message, kind);
    if call.parts.config.cluster_enabled {
        // PU-02, PU-04, PU-08: over the bus, not in the stream.
        if let Caller::Client(_) = call.caller {
            call.parts
                .cluster
                .publish(&channel, &message, kind, call.parts.out);
        }
    } else {
        call.replicate(call.args.to_vec());
    }
    // PU-01: receivers at other nodes are not counted.
    Ok(Reply::Integer(count as i64))
}

fn pubsub(call: &mut Call) -> Answer {
    let subcommand = args::word(call.arg(1));
    let clients = &*call.parts.clients;
    match (subcommand.as_str(), call.args.len()) {
        ("channels", 2..=3) => Ok(names(&clients.channels, call.args.get(2))),
        ("shardchannels", 2..=3) => Ok(names(&clients.shard_channels, call.args.get(2))),
        ("numpat", 2) => Ok(Reply::Integer(clients.patterns.len() as i64)),
        ("numsub", _) => Ok(counts(&clients.channels, &call.args[2..])),
        ("shardnumsub", _) => Ok(counts(&clients.shard_channels, &call.args[2..])),
        ("help", 2) => Ok(help()),
        ("channels" | "shardchannels", _) => Err(Refusal::Facts(format!(
            "ERR unknown subcommand or wrong number of arguments for '{}'. Try PUBSUB HELP.",
            args::shown(call.arg(1))
        ))),
        ("numpat" | "help", _) => Err(Refusal::Arity(format!("pubsub|{subcommand}"))),
        _ => Err(Refusal::UnknownSubcommand(
            args::shown(call.arg(1)),
            "PUBSUB".into(),
        )),
    }
}

fn names(index: &Index, pattern: Option<&Bytes>) -> Reply {
    let fits = |name: &&Bytes| pattern.is_none_or(|pattern| glob(pattern, name));
    Reply::Array(
        index
            .keys()
            .filter(fits)
            .cloned()
            .map(Reply::Bulk)
            .collect(),
    )
}

fn counts(index: &Index, channels: &[Bytes]) -> Reply {
    let pair = |channel: &Bytes| {
        let count = index.get(channel).map_or(0, BTreeSet::len);
        [Reply::Bulk(channel.clone()), Reply::Integer(count as i64)]
    };
    Reply::Array(channels.iter().flat_map(pair).collect())
}

fn help() -> Reply {
    let lines = [
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "NUMPAT",
        "NUMSUB [<channel> ...]",
        "SHARDCHANNELS [<pattern>]",
        "SHARDNUMSUB [<shardchannel> ...]",
        "HELP",
    ];
    Reply::Array(lines.into_iter().map(Reply::Simple).collect())
}

/// The answer to PING for a subscriber in RESP2: an array, as its pushes are.
pub fn subscriber_pong(session: &Session, text: Option<&Bytes>) -> Option<Reply> {
    let is_bound = session.protocol == Protocol::Resp2 && session.is_subscriber();
    let text = Reply::Bulk(text.cloned().unwrap_or_default());
    is_bound.then(|| Reply::Array(vec![Reply::text("pong"), text]))
}

//! Commands that belong to the rooms of the cluster and of replication: handed on as they are.

use crate::cluster::Surroundings;
use crate::commands::args;
use crate::commands::connection::needs_cluster;
use crate::commands::doors::ReplicationSurroundings;
use crate::commands::parts::{Answer, Blocking, Call, Caller};
use crate::commands::session::Wait;
use crate::commands::table::{Command, Flag, keyless};
use crate::mutants::Mutant;
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Admin, Fast, Loading, NoMulti, Noscript, Stale};

const LINKING: &[Flag] = &[Admin, Noscript, NoMulti];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("cluster", -2, &[Admin, Stale], cluster, "cluster"),
    keyless(
        "replconf",
        -1,
        &[Admin, Noscript, Loading, Stale],
        replication,
        "server",
    ),
    keyless("psync", -3, LINKING, replication, "server"),
    keyless("sync", 1, LINKING, replication, "server"),
    keyless(
        "role",
        1,
        &[Admin, Noscript, Loading, Stale, Fast],
        role,
        "server",
    ),
    keyless("wait", 3, &[Noscript, Flag::Blocking], wait, "generic"),
];

fn cluster(call: &mut Call) -> Answer {
    needs_cluster(call)?;
    let parts = &mut *call.parts;
    let around = Surroundings {
        now: parts.now,
        config: &*parts.config,
        keyspace: &*parts.keyspace,
        replication: parts.replication.figures(),
    };
    Ok(parts.cluster.command(&around, call.args, parts.out))
}

fn replication(call: &mut Call) -> Answer {
    let Caller::Client(client) = call.caller else {
        return Ok(Reply::None);
    };
    let parts = &mut *call.parts;
    let peer = parts
        .clients
        .get(client)
        .map(|session| session.peer.ip().to_canonical());
    let mut around = ReplicationSurroundings {
        now: parts.now,
        config: &*parts.config,
        keyspace: &*parts.keyspace,
        rng: parts.rng,
        peer,
    };
    Ok(parts
        .replication
        .command(client, call.args, &mut around, parts.out))
}

fn role(call: &mut Call) -> Answer {
    Ok(call
        .parts
        .replication
        .role(call.parts.config, call.parts.now))
}

// RW-38.
fn wait(call: &mut Call) -> Answer {
    if call.parts.is_replica() {
        return Err(Refusal::Text(
            "ERR WAIT cannot be used with replica instances. Please also note that since Redis \
             4.0 if a replica is configured to be writable (which is not the default) writes to \
             replicas are just local and are not propagated.",
        ));
    }
    let count = args::integer(call.arg(1))?;
    let count = u64::try_from(count).unwrap_or(0);
    let span = args::integer(call.arg(2)).map_err(|_| Refusal::TimeoutNotInteger)?;
    let span = u64::try_from(span).map_err(|_| Refusal::TimeoutNegative)?;
    let counts_all = call.parts.config.mutant.is(Mutant::WaitCountsAll);
    let session = call.session().filter(|_| !counts_all);
    let offset = session.map_or(0, |session| session.last_write_offset);
    let acked = call.parts.replication.acked(offset) as u64;
    if acked >= count || call.blocking == Blocking::Denied {
        return Ok(Reply::Integer(acked as i64));
    }
    call.parts.replication.request_acks(call.parts.out);
    let until = (span > 0).then(|| call.parts.now + Millis(span));
    call.wait = Some(Wait::Replicas {
        count,
        offset,
        until,
    });
    Ok(Reply::None)
}

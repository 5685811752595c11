//! Roles outside cluster mode: REPLICAOF, and FAILOVER, by which a master hands over to a replica.
//!
//! FAILOVER holds writes back until a replica has all of them, then follows that replica, asking
//! it to take over first (RW-18). In cluster mode CLUSTER REPLICATE and CLUSTER FAILOVER do this.

use std::net::{IpAddr, Ipv4Addr};

use crate::commands::args::{self, is_word};
use crate::commands::parts::{Answer, Call, Caller, Parts};
use crate::commands::table::{Command, Flag, keyless};
use crate::commands::wake;
use crate::output::{LogLevel, Output};
use crate::replication::{Attached, Demand, MasterAddress, Verdict};
use crate::resp::Reply;
use crate::resp::errors::Refusal;
use crate::time::Millis;

use Flag::{Admin, Noscript, Stale};

const ROLES: &[Flag] = &[Admin, Noscript, Stale];

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyless("replicaof", 3, ROLES, replicaof, "server"),
    keyless("slaveof", 3, ROLES, replicaof, "server"),
    keyless("failover", -1, ROLES, failover, "server"),
];

/// A FAILOVER on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// Who is to take over; any replica if none was named.
    target: Option<(String, u16)>,
    /// When to give up, or to go ahead.
    deadline: Option<Millis>,
    /// What to do then.
    at_deadline: AtDeadline,
    /// How far it is.
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtDeadline {
    GiveUp,
    GoAhead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// A replica is to catch up.
    WaitingForSync,
    /// We follow it, and it is to answer.
    InProgress,
}

impl Failover {
    /// When to look at it again.
    pub fn due(&self) -> Option<Millis> {
        self.deadline
            .filter(|_| self.stage == Stage::WaitingForSync)
    }

    fn target_name(&self) -> String {
        match &self.target {
            Some((host, port)) => format!("{host}:{port}"),
            None => "any replica".into(),
        }
    }
}

/// The state in the words of INFO.
pub fn state_name(failover: Option<&Failover>) -> &'static str {
    match failover.map(|failover| failover.stage) {
        None => "no-failover",
        Some(Stage::WaitingForSync) => "waiting-for-sync",
        Some(Stage::InProgress) => "failover-in-progress",
    }
}

// RP-01.
fn replicaof(call: &mut Call) -> Answer {
    if call.parts.config.cluster_enabled {
        return Err(Refusal::Text("ERR REPLICAOF not allowed in cluster mode."));
    }
    if call.parts.server.failover.is_some() {
        return Err(Refusal::Text(
            "ERR REPLICAOF not allowed while failing over.",
        ));
    }
    let (host, port) = (call.arg(1), call.arg(2));
    if is_word(host, "no") && is_word(port, "one") {
        if call.parts.replication.is_following() {
            lead(call.parts);
            log(call.parts, "MASTER MODE enabled (user request)");
        }
        return Ok(Reply::OK);
    }
    let is_replica_client = match call.caller {
        Caller::Client(client) => call.parts.replication.is_replica_client(client),
        Caller::Master => false,
    };
    if is_replica_client {
        return Err(Refusal::Text(
            "ERR Command is not valid when client is a replica.",
        ));
    }
    let port = args::integer(port)
        .ok()
        .and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or(Refusal::Text("ERR Invalid master port"))?;
    let host = args::shown(host);
    let wanted = format!("{host} {port}");
    let present = call.parts.config.other.get("replicaof");
    if call.parts.replication.is_following() && present == Some(&wanted) {
        return Ok(Reply::Simple("OK Already connected to specified master"));
    }
    follow(call.parts, Demand::GoOn, (&host, port));
    log(
        call.parts,
        &format!("REPLICAOF {host}:{port} enabled (user request)"),
    );
    Ok(Reply::OK)
}

/// Follows the master that redis.conf names.
pub fn follow_at_start(parts: &mut Parts) {
    let master = parts.config.other.get("replicaof").cloned();
    let master = master.as_deref().and_then(|text| text.split_once(' '));
    if let Some((host, port)) = master
        && let Ok(port) = port.parse()
    {
        follow(parts, Demand::GoOn, (host, port));
    }
}

fn follow(parts: &mut Parts, demand: Demand, (host, port): (&str, u16)) {
    let name = "replicaof".to_string();
    parts.config.other.insert(name, format!("{host} {port}"));
    let time = (parts.now, &mut *parts.out);
    parts
        .replication
        .follow_master(demand, address(host, port), time);
    wake::demoted(parts);
}

fn lead(parts: &mut Parts) {
    parts.config.other.remove("replicaof");
    parts
        .replication
        .lead_again(parts.rng, parts.now, parts.out);
}

// DEVIATION(RW-02): names other than localhost are not looked up: nobody is reached by them.
fn address(host: &str, port: u16) -> MasterAddress {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let is_local = host.eq_ignore_ascii_case("localhost");
    let ip = if is_local { Ok(loopback) } else { host.parse() };
    (ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port)
}

fn failover(call: &mut Call) -> Answer {
    if call.parts.config.cluster_enabled {
        return Err(Refusal::Text(
            "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.",
        ));
    }
    if let [_, word] = call.args
        && is_word(word, "abort")
    {
        return match call.parts.server.failover {
            None => Err(Refusal::Text("ERR No failover in progress.")),
            Some(_) => {
                abort(call.parts, "Failover manually aborted");
                Ok(Reply::OK)
            }
        };
    }
    let failover = requested(call)?;
    check(call.parts, &failover)?;
    let name = failover.target_name();
    log(call.parts, &format!("FAILOVER requested to {name}."));
    call.parts.server.failover = Some(failover);
    let forever = Millis(u64::MAX);
    call.parts
        .replication
        .hold_stream(Some(forever), call.parts.out);
    wake::pause_writes(call.parts, forever);
    Ok(Reply::OK)
}

fn requested(call: &Call) -> Result<Failover, Refusal> {
    let mut failover = Failover {
        target: None,
        deadline: None,
        at_deadline: AtDeadline::GiveUp,
        stage: Stage::WaitingForSync,
    };
    let mut rest = &call.args[1..];
    while let Some(word) = rest.first() {
        rest = match rest {
            [_, span, rest @ ..] if is_word(word, "timeout") && failover.deadline.is_none() => {
                let span = u64::try_from(args::integer(span)?).unwrap_or(0);
                if span == 0 {
                    return Err(Refusal::Text("ERR FAILOVER timeout must be greater than 0"));
                }
                failover.deadline = Some(call.parts.now + Millis(span));
                rest
            }
            [_, host, port, rest @ ..] if is_word(word, "to") && failover.target.is_none() => {
                let port = u16::try_from(args::integer(port)?).unwrap_or(0);
                failover.target = Some((args::shown(host), port));
                rest
            }
            [_, rest @ ..]
                if is_word(word, "force") && failover.at_deadline == AtDeadline::GiveUp =>
            {
                failover.at_deadline = AtDeadline::GoAhead;
                rest
            }
            _ => return Err(Refusal::Syntax),
        };
    }
    Ok(failover)
}

fn check(parts: &Parts, failover: &Failover) -> Result<(), Refusal> {
    if parts.server.failover.is_some() {
        return Err(Refusal::Text("ERR FAILOVER already in progress."));
    }
    if parts.replication.is_following() {
        return Err(Refusal::Text(
            "ERR FAILOVER is not valid when server is a replica.",
        ));
    }
    let attached = parts.replication.attached();
    if attached.is_empty() {
        return Err(Refusal::Text("ERR FAILOVER requires connected replicas."));
    }
    let is_whole = failover.deadline.is_some() && failover.target.is_some();
    if failover.at_deadline == AtDeadline::GoAhead && !is_whole {
        return Err(Refusal::Text(
            "ERR FAILOVER with force option requires both a timeout and target HOST and IP.",
        ));
    }
    let target = failover.target.as_ref();
    if target.is_some_and(|target| !attached.iter().any(|replica| is_at(replica, target))) {
        return Err(Refusal::Text(
            "ERR FAILOVER target HOST and PORT is not a replica.",
        ));
    }
    Ok(())
}

fn is_at(replica: &Attached, (host, port): &(String, u16)) -> bool {
    let address = |host: &str| address(host, 0).0;
    replica.port == *port && address(&replica.host) == address(host)
}

/// Goes on with a FAILOVER: replicas acknowledged something, or time passed.
pub fn look(parts: &mut Parts) {
    let Some(failover) = &parts.server.failover else {
        return;
    };
    if failover.stage != Stage::WaitingForSync {
        return;
    }
    if failover.deadline.is_some_and(|at| at <= parts.now) {
        match (failover.at_deadline, failover.target.clone()) {
            (AtDeadline::GoAhead, Some(target)) => {
                let name = failover.target_name();
                let text = format!("FAILOVER to {name} time out exceeded, failing over.");
                log(parts, &text);
                go_ahead(parts, target);
            }
            (AtDeadline::GoAhead | AtDeadline::GiveUp, _) => {
                abort(parts, "Replica never caught up before timeout");
            }
        }
        return;
    }
    let target = failover.target.as_ref();
    let attached = parts.replication.attached();
    let mut wanted = attached
        .iter()
        .filter(|replica| target.is_none_or(|target| is_at(replica, target)));
    if let Some(level) = wanted.find(|replica| replica.is_level) {
        let target = (level.host.clone(), level.port);
        let (host, port) = &target;
        log(
            parts,
            &format!("Failover target {host}:{port} is synced, failing over."),
        );
        go_ahead(parts, target);
    }
}

fn go_ahead(parts: &mut Parts, target: (String, u16)) {
    follow(parts, Demand::TakeOver, (&target.0, target.1));
    if let Some(failover) = &mut parts.server.failover {
        failover.target = Some(target);
        failover.stage = Stage::InProgress;
    }
}

/// The replica that was to take over has answered.
pub fn answered(parts: &mut Parts, verdict: Verdict) {
    match verdict {
        Verdict::Accepted => end(parts),
        Verdict::Rejected => abort(parts, "Failover target rejected psync request"),
    }
}

fn abort(parts: &mut Parts, why: &str) {
    let Some(failover) = &parts.server.failover else {
        return;
    };
    let (name, stage) = (failover.target_name(), failover.stage);
    log(parts, &format!("FAILOVER to {name} aborted: {why}"));
    if stage == Stage::InProgress {
        lead(parts);
    }
    end(parts);
}

fn end(parts: &mut Parts) {
    if parts.server.failover.take().is_some() {
        parts.replication.hold_stream(None, parts.out);
        parts.server.failover_pause = None;
        wake::resume_soon(parts);
    }
}

fn log(parts: &mut Parts, text: &str) {
    let (level, text) = (LogLevel::Notice, text.into());
    parts.out.push(Output::Log { level, text });
}

//! A trace as a story: one line for each step, what it sent, what it changed.

use std::fmt::Write as _;

use slotquake_core::bus::packet::{Body, Packet};
use slotquake_core::cluster::{Candidacy, VotingView};

use super::Scope;
use super::explorer::{Act, Explorer, Found, Step, name_of};
use super::node::{LIVING, NAMES};

/// The figures of a search, and the way to the broken rule.
pub fn told(found: &Found, explorer: &mut Explorer, scope: &Scope) -> String {
    let mut out = format!(
        "{} elections, {} crashes, delivery {:?}, profile {}, sabotage {:?}\n",
        scope.elections,
        scope.crashes,
        scope.delivery,
        scope.profile.name(),
        scope.sabotage
    );
    let _ = writeln!(
        out,
        "  {} states visited, {} unique, {} steps deep{}",
        found.visited,
        found.unique,
        found.depth,
        match (&found.broken, found.is_complete) {
            (Some(_), _) => "; ended at the first broken rule",
            (None, true) => "; all within the scope",
            (None, false) => "; given up: too many states",
        }
    );
    let _ = writeln!(
        out,
        "  {} states of single nodes, {} packets, {} steps of the node's code, {} victories",
        found.local_states, found.packets, found.room_steps, found.victories
    );
    match &found.broken {
        None => out.push_str("  no rule is broken\n"),
        Some((rule, trace)) => {
            let _ = writeln!(out, "  broken: {rule}");
            out.push_str(&story(explorer, trace, scope));
        }
    }
    out
}

fn story(explorer: &mut Explorer, trace: &[Step], scope: &Scope) -> String {
    let mut out = String::new();
    for (number, (step, made, before, after)) in explorer.replay(trace).into_iter().enumerate() {
        let who = NAMES[LIVING[usize::from(step.place)]];
        let happened = match step.act {
            Act::Deliver(number) => {
                let message = explorer.message(number);
                format!("hears {} of {}", kind(&message.packet), NAMES[message.from])
            }
            Act::WaitEnds => "waited long enough".to_string(),
            Act::GiveUp => "gives its election up".to_string(),
            Act::Crash => "dies and starts again".to_string(),
        };
        let _ = write!(out, "  {:>3}. {who:<2} {happened}", number + 1);
        let mut news = changes(&before.view(scope), &after.view(scope));
        news.extend(sent(explorer, &made.sent));
        if made.is_crash && step.act != Act::Crash {
            news.push("dies before its file is written, and starts again".into());
        }
        if !news.is_empty() {
            let _ = write!(out, ": {}", news.join(", "));
        }
        out.push('\n');
    }
    out
}

/// What was sent, each kind with all who get it.
fn sent(explorer: &Explorer, numbers: &[u16]) -> Vec<String> {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for number in numbers {
        let message = explorer.message(*number);
        let (kind, to) = (kind(&message.packet), NAMES[message.to]);
        match kinds.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, all)) => all.push(to),
            None => kinds.push((kind, vec![to])),
        }
    }
    let told = kinds.into_iter();
    told.map(|(kind, to)| format!("sends {kind} to {}", to.join(", ")))
        .collect()
}

fn kind(packet: &Packet) -> String {
    let epoch = packet.header.current_epoch.0;
    match &packet.body {
        Body::AuthRequest => format!("the request for votes in epoch {epoch}"),
        Body::AuthAck => format!("the vote in epoch {epoch}"),
        Body::Pong(_) => format!(
            "the claim with configEpoch {}",
            packet.header.config_epoch.0
        ),
        Body::Update {
            owner,
            config_epoch,
            ..
        } => {
            let owner = owner.map_or("?", name_of);
            format!(
                "an UPDATE about {owner} with configEpoch {}",
                config_epoch.0
            )
        }
        Body::Ping(_)
        | Body::Meet(_)
        | Body::Fail { .. }
        | Body::Publish { .. }
        | Body::PublishShard { .. }
        | Body::MfStart
        | Body::Module
        | Body::Unknown(_) => "a packet".to_string(),
    }
}

fn changes(before: &VotingView, after: &VotingView) -> Vec<String> {
    let mut news = Vec::new();
    let mut changed = |name: &str, from: u64, to: u64| {
        if from != to {
            news.push(format!("{name} {from} → {to}"));
        }
    };
    changed(
        "currentEpoch",
        before.current_epoch.0,
        after.current_epoch.0,
    );
    changed(
        "lastVoteEpoch",
        before.last_vote_epoch.0,
        after.last_vote_epoch.0,
    );
    if let (Candidacy::Asked { .. }, Candidacy::Asked { voters, .. }) =
        (&before.candidacy, &after.candidacy)
        && before.candidacy != after.candidacy
        && !voters.is_empty()
    {
        let names: Vec<&str> = voters.iter().map(|voter| name_of(*voter)).collect();
        news.push(format!("has the votes of {}", names.join(" and ")));
    }
    if before.members[0].is_master != after.members[0].is_master {
        let epoch = after.members[0].config_epoch.0;
        news.push(match after.members[0].is_master {
            true => format!("is master with configEpoch {epoch}"),
            false => "is a replica".to_string(),
        });
    }
    news
}

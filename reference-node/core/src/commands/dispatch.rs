//! The way of a command through the node: admitted or refused, held back, queued or run; then its
//! effects are replicated and clients that waited for them are served.
//!
//! What is admitted and what is not, `admission` decides.

use bytes::Bytes;

use crate::commands::admission::{self, Admission};
use crate::commands::catalogue;
use crate::commands::doors::ReplicationDoor;
use crate::commands::parts::{Answer, Blocking, Call, Caller, Parts};
use crate::commands::session::{ReplyMode, Session, Wait};
use crate::commands::table::{self, Command, Flag};
use crate::commands::{diagnostics, idle, monitor, notifications, tracking, transactions, wake};
use crate::ids::ClientId;
use crate::mutants::Mutant;
use crate::output::{LogLevel, Output, Protocol};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

/// A client connected.
pub fn client_opened(
    parts: &mut Parts,
    client: ClientId,
    peer: std::net::SocketAddr,
    local: std::net::SocketAddr,
) {
    if parts.clients.len() as u64 >= parts.config.maxclients {
        parts.server.stats.rejected_connections += 1;
        let reply = Reply::Error("ERR max number of clients reached".into());
        parts.out.push(Output::Reply {
            client,
            reply,
            protocol: Protocol::Resp2,
        });
        parts.out.push(Output::CloseClient { client });
        return;
    }
    parts.server.stats.total_connections_received += 1;
    let mut session = Session::new(client, peer, local, parts.now);
    session.is_authenticated = parts.server.users.is_open(parts.config);
    parts.clients.insert(session);
    idle::watch(parts.config, parts.server, parts.now);
}

/// A client is gone.
pub fn client_closed(parts: &mut Parts, client: ClientId) {
    parts.replication.client_closed(client);
    if let Some(session) = parts.clients.remove(client) {
        for key in session.watched.keys() {
            parts.keyspace.unwatch(key);
        }
    }
}

/// Closes a client's connection from our side.
pub fn close(parts: &mut Parts, client: ClientId) {
    parts.out.push(Output::CloseClient { client });
    client_closed(parts, client);
}

/// A client sent a command.
pub fn client_command(parts: &mut Parts, client: ClientId, args: Vec<Bytes>) {
    assert!(
        !args.is_empty(),
        "a request without arguments is no command"
    );
    let Some(session) = parts.clients.get_mut(client) else {
        return;
    };
    if session.is_closing {
        return;
    }
    session.last_active = parts.now;
    idle::watch(parts.config, parts.server, parts.now);
    if session.wait.is_some() {
        session.pending.push(args);
        if session.pending.size_bytes() > parts.config.client_query_buffer_limit {
            let level = LogLevel::Warning;
            let text = "Closing client that reached max query buffer length".into();
            parts.out.push(Output::Log { level, text });
            close(parts, client);
        }
        return;
    }
    run(parts, client, args);
    wake::settle(parts);
}

/// Whether a command from the master took effect at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// It did, and all before it.
    Now,
    /// It waits for EXEC: the offset must not pass it yet (RW-35).
    Queued,
}

/// Applies a command of the stream from our master (RP-09, RP-10, RD-16).
pub fn apply_from_master(parts: &mut Parts, args: Vec<Bytes>) -> Applied {
    let Some(command) = args.first().and_then(|name| table::find(name)) else {
        let name = args
            .first()
            .map(|name| String::from_utf8_lossy(name).into_owned());
        let text = format!(
            "unknown command from master: {:?}",
            name.unwrap_or_default()
        );
        parts.out.push(Output::Log {
            level: LogLevel::Warning,
            text,
        });
        return Applied::Now;
    };
    let queue = parts.clients.master_transaction.take();
    match (command.name, queue) {
        ("multi", None) => {
            parts.clients.master_transaction = Some(Vec::new());
            return Applied::Queued;
        }
        ("exec", Some(queue)) => {
            for args in queue {
                if let Some(command) = table::find(&args[0]) {
                    apply(parts, command, &args);
                }
            }
        }
        (_, Some(mut queue)) => {
            queue.push(args);
            parts.clients.master_transaction = Some(queue);
            return Applied::Queued;
        }
        (_, None) => apply(parts, command, &args),
    }
    wake::settle(parts);
    Applied::Now
}

/// The link to our master broke: a half-received transaction is forgotten (RW-41).
pub fn master_link_lost(parts: &mut Parts) {
    parts.clients.master_transaction = None;
}

fn apply(parts: &mut Parts, command: &'static Command, args: &[Bytes]) {
    if !command.fits(args.len()) {
        return;
    }
    let reply = execute(parts, Caller::Master, command, args, Blocking::Denied);
    if command.has(Flag::Write) && parts.server.append_only.is_on() {
        log_effects(parts, &[args.to_vec()]);
    }
    // RW-40: the stream is handed on as it came, never again command by command.
    parts.server.effects.clear();
    if let Reply::Error(text) = reply {
        let text = format!("{} from master failed: {text}", command.name);
        parts.out.push(Output::Log {
            level: LogLevel::Warning,
            text,
        });
    }
}

/// Runs one command of a client that is not waiting.
pub fn run(parts: &mut Parts, client: ClientId, args: Vec<Bytes>) {
    let Some(session) = parts.clients.get_mut(client) else {
        return;
    };
    if session.reply_mode == ReplyMode::SkipNext {
        session.reply_mode = ReplyMode::Skip;
    }
    let command = table::find(&args[0]);
    let shown = command.map_or("", |command| catalogue::full_name(command.name, &args));
    match admission::admit(parts, client, command, &args) {
        Err(refusal) => refuse(parts, client, command.map(|c| (c, &args[..])), refusal),
        Ok(Admission::Hold) => {
            parts.clients.start_waiting(client, Wait::Resume { args });
            return;
        }
        Ok(Admission::Queue) => {
            let session = parts.clients.get_mut(client).expect("admitted above");
            let transaction = session
                .transaction
                .as_mut()
                .expect("queued only inside MULTI");
            transaction.queue.push(args);
            parts.reply(client, Reply::Simple("QUEUED"));
        }
        Ok(Admission::Run(command)) => {
            let caller = Caller::Client(client);
            let reply = execute(parts, caller, command, &args, Blocking::Allowed);
            if command.name == "exec" && parts.config.mutant.is(Mutant::TransactionsNotSent) {
                parts.server.effects.clear();
            }
            finish_unit(parts, Some(client));
            parts.reply(client, reply);
        }
    }
    tracking::tell(parts, Some(client));
    let name = command.map_or("", |command| command.name);
    after(parts, client, (name, shown));
}

// What must hold after each command, run or refused.
fn after(parts: &mut Parts, client: ClientId, (name, shown): (&'static str, &'static str)) {
    let stays = parts.config.mutant.is(Mutant::AskingStays);
    let Some(session) = parts.clients.get_mut(client) else {
        return;
    };
    // SM-07: ASKING lasts for one command, or for the whole MULTI.
    if name != "asking" && session.transaction.is_none() && !stays {
        session.is_asking = false;
    }
    tracking::end_of_command(session);
    if session.reply_mode == ReplyMode::Skip {
        session.reply_mode = ReplyMode::On;
    }
    if !name.is_empty() {
        session.last_command = shown;
    }
    if session.is_closing {
        close(parts, client);
    }
}

fn refuse(
    parts: &mut Parts,
    client: ClientId,
    command: Option<(&'static Command, &[Bytes])>,
    refusal: Refusal,
) {
    parts.server.stats.count_error(&refusal);
    if let Some((command, args)) = command {
        let name = catalogue::full_name(command.name, args);
        // RD-08: counted as rejected, never executed.
        parts
            .server
            .stats
            .commands
            .entry(name)
            .or_default()
            .rejected_calls += 1;
    }
    let is_exec = command.is_some_and(|(command, _)| command.name == "exec");
    let is_routing = is_redirection(&refusal);
    let mut refusal = refusal;
    if is_exec {
        // RD-11: EXEC itself gives the redirection, and the transaction is gone.
        if !is_routing {
            let why = refusal.to_string();
            let why = why.strip_prefix("ERR ").unwrap_or(&why);
            let text = format!("EXECABORT Transaction discarded because of: {why}");
            refusal = Refusal::Facts(text);
        }
        transactions::discard(parts, client);
    } else if let Some(session) = parts.clients.get_mut(client) {
        // RD-10: the error now, EXECABORT at EXEC.
        if let Some(transaction) = &mut session.transaction {
            transaction.is_doomed = true;
        }
    }
    parts.reply(client, refusal.into());
}

fn is_redirection(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Moved { .. }
            | Refusal::Ask { .. }
            | Refusal::CrossSlot
            | Refusal::TryAgain
            | Refusal::ClusterDown
            | Refusal::ClusterDownReadOnly
            | Refusal::SlotNotServed
    )
}

/// Runs a handler and keeps what it is to replicate for [`finish_unit`].
pub fn execute(
    parts: &mut Parts,
    caller: Caller,
    command: &'static Command,
    args: &[Bytes],
    blocking: Blocking,
) -> Reply {
    let keys = command.keys(args);
    if let Caller::Client(_) = caller {
        wake::expire_keys(parts, &keys);
    }
    notifications::before(parts);
    let mut call = Call {
        args,
        caller,
        blocking,
        parts,
        is_dirty: false,
        effects: None,
        wait: None,
    };
    let answer = (command.handler)(&mut call);
    let Call {
        is_dirty,
        effects,
        wait,
        ..
    } = call;
    if let Caller::Client(client) = caller {
        tracking::remember(parts, client, command, &keys);
        diagnostics::ran(parts, client, command, args);
        monitor::show(parts, client, command, args);
    }
    notifications::after(parts, command.name, args);
    if is_dirty {
        parts.server.dirty += 1;
        // Only where someone waits: a big MSET must not leave a long list behind.
        if parts.clients.is_anyone_waiting() {
            parts.server.ready_keys.extend(keys.into_iter().cloned());
        }
    }
    match effects {
        Some(effects) => parts.server.effects.extend(effects),
        None if is_dirty => parts.server.effects.push(args.to_vec()),
        None => {}
    }
    if let (Some(wait), Caller::Client(client)) = (wait, caller) {
        assert_eq!(
            blocking,
            Blocking::Allowed,
            "no handler waits where it may not"
        );
        wake::start_waiting(parts, client, wait);
    }
    counted(parts, catalogue::full_name(command.name, args), answer)
}

// Counts a call, and its failure.
fn counted(parts: &mut Parts, name: &'static str, answer: Answer) -> Reply {
    let stats = &mut parts.server.stats;
    stats.total_commands_processed += 1;
    let counts = stats.commands.entry(name).or_default();
    counts.calls += 1;
    match answer {
        Ok(reply) => reply,
        Err(refusal) => {
            counts.failed_calls += 1;
            stats.count_error(&refusal);
            refusal.into()
        }
    }
}

/// Replicates what the command that just ran did (RW-34): several effects as one transaction.
pub fn finish_unit(parts: &mut Parts, client: Option<ClientId>) {
    let effects = std::mem::take(&mut parts.server.effects);
    if effects.is_empty() {
        return;
    }
    log_effects(parts, &effects);
    propagate(parts.replication, &effects, parts.out);
    let offset = parts.replication.figures().offset;
    if let Some(session) = client.and_then(|client| parts.clients.get_mut(client)) {
        session.last_write_offset = offset;
    }
}

fn log_effects(parts: &mut Parts, effects: &[Vec<Bytes>]) {
    if let Some(bytes) = parts.server.append_only.record(effects) {
        parts.out.push(Output::Append { bytes });
    }
}

fn propagate(
    replication: &mut dyn ReplicationDoor,
    effects: &[Vec<Bytes>],
    out: &mut crate::output::Outputs,
) {
    let is_transaction = effects.len() > 1;
    if is_transaction {
        replication.propagate(&[Bytes::from_static(b"MULTI")], out);
    }
    for effect in effects {
        replication.propagate(effect, out);
    }
    if is_transaction {
        replication.propagate(&[Bytes::from_static(b"EXEC")], out);
    }
}

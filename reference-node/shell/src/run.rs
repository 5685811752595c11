//! From the command line to the end of the process.

use std::ffi::OsString;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use slotquake_core::cluster::Profile;
use slotquake_core::config::{Config, directives};
use slotquake_core::output::LogLevel;
use slotquake_core::{Boot, BootError, Input, Node};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{LocalSet, spawn_local};

use crate::address::bind_addresses;
use crate::append_log::{AppendLog, Sync};
use crate::clock;
use crate::files::Files;
use crate::listen::{accept_clients, accept_links, listen};
use crate::log::Log;
use crate::options::{self, Wanted};
use crate::shell::{SharedShell, Shell, Signals};

/// Runs a node until it is told to end; the arguments are those of redis-server, without the
/// program's name.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let start = match options::read(args) {
        Ok(Wanted::Start(start)) => start,
        Ok(Wanted::Text(text)) => {
            println!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("\n*** FATAL CONFIG FILE ERROR (slotquake {VERSION}) ***\n{error}");
            return ExitCode::FAILURE;
        }
    };
    match start_node(start) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start_node(start: Box<options::Start>) -> anyhow::Result<u8> {
    let config = &start.config;
    std::env::set_current_dir(&config.dir)
        .map_err(|error| anyhow::anyhow!("Can't chdir to '{}': {error}", config.dir))?;
    let setting = |name: &str| config.other.get(name).map_or("", String::as_str);
    if setting("daemonize") == "yes" {
        nix::unistd::daemon(true, false)?;
    }
    end_on_panic();
    let mut log = Log::open(&config.logfile, setting("loglevel"))?;
    let pid = std::process::id();
    let pidfile = setting("pidfile").to_string();
    if !pidfile.is_empty() {
        std::fs::write(&pidfile, format!("{pid}\n"))?;
    }
    greet(&mut log, config, pid);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let status = runtime.block_on(LocalSet::new().run_until(serve(start, log)));
    if !pidfile.is_empty() {
        let _gone = std::fs::remove_file(pidfile);
    }
    Ok(status)
}

// A step that panicked has changed the node, but what it asked for was not carried out: not saved,
// not answered. A task would swallow that and the node would go on, with promises not on disk.
fn end_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        std::process::abort();
    }));
}

fn greet(log: &mut Log, config: &Config, pid: u32) {
    let mode = if config.cluster_enabled {
        "cluster"
    } else {
        "standalone"
    };
    log.line(LogLevel::Warning, "slotquake-node is starting");
    log.line(
        LogLevel::Warning,
        &format!("Redis version=7.0.15 (slotquake {VERSION}), bits=64, pid={pid}, just started"),
    );
    log.line(
        LogLevel::Notice,
        &format!("Running mode={mode}, port={}. PID: {pid}", config.port),
    );
}

async fn serve(start: Box<options::Start>, mut log: Log) -> u8 {
    let config = start.config.clone();
    let (clients, links) = match listeners(&config) {
        Ok(listeners) => listeners,
        Err(text) => {
            log.line(LogLevel::Warning, &text);
            let text = format!("Failed listening on port {} (TCP), aborting.", config.port);
            log.line(LogLevel::Warning, &text);
            return 1;
        }
    };
    let signals = Rc::new(Signals::default());
    let shell = match boot(start, log, &signals) {
        Ok(shell) => shell,
        Err(status) => return status,
    };
    shell
        .borrow_mut()
        .log(LogLevel::Warning, "Server initialized");
    for listener in clients {
        spawn_local(accept_clients(listener, shell.clone()));
    }
    for listener in links {
        spawn_local(accept_links(listener, shell.clone()));
    }
    spawn_local(keep_time(shell.clone(), signals.clone()));
    shell
        .borrow_mut()
        .log(LogLevel::Notice, "Ready to accept connections");
    wait_for_end(&shell, &signals).await
}

type Listeners = (Vec<TcpListener>, Vec<TcpListener>);

fn listeners(config: &Config) -> Result<Listeners, String> {
    let addresses = bind_addresses(&config.bind).map_err(|text| {
        format!("Could not create server TCP listening socket {text}: no address")
    })?;
    // BUS-01: the bus port must be a port, too.
    if config.cluster_enabled && config.cluster_port == 0 && config.port > CLUSTER_PORT_MAX {
        return Err(format!(
            "Redis port number too high: the cluster bus port is 10000 above it. \
             Your Redis port number must be {CLUSTER_PORT_MAX} or less."
        ));
    }
    let failed = |(at, error)| {
        format!("Warning: Could not create server TCP listening socket {at}: bind: {error}")
    };
    let clients = listen(&addresses, config.port).map_err(failed)?;
    // BUS-01.
    let links = match config.cluster_enabled {
        true => listen(&addresses, config.bus_port()).map_err(failed)?,
        false => Vec::new(),
    };
    Ok((clients, links))
}

fn boot(
    start: Box<options::Start>,
    mut log: Log,
    signals: &Rc<Signals>,
) -> Result<SharedShell, u8> {
    let config = &start.config;
    let nodes_conf_path = config.cluster_config_file.clone();
    let mut files = Files::new(
        &nodes_conf_path,
        &config.dbfilename,
        &start.config_file,
        append_log(config),
    )
    .with_profile(Profile::of(config));
    let fatal = |log: &mut Log, text: &str| {
        log.line(LogLevel::Warning, text);
        1
    };
    let nodes_conf = match config.cluster_enabled {
        true => match files.lock_nodes_conf() {
            Ok(content) => content,
            Err(error) => return Err(fatal(&mut log, &error.to_string())),
        },
        false => None,
    };
    let rdb = files
        .read_rdb()
        .map_err(|error| fatal(&mut log, &error.to_string()))?;
    let append_only = match config.appendonly {
        true => files
            .append_log
            .read()
            .map_err(|error| fatal(&mut log, &error.to_string()))?,
        false => None,
    };
    let boot = Boot {
        config: start.config,
        config_file: start.config_file,
        config_text: start.config_text,
        nodes_conf,
        rdb,
        append_only,
        seed: seed(),
        pid: std::process::id(),
    };
    let mut outputs = Vec::new();
    match Node::boot(boot, clock::now(), &mut outputs) {
        Ok(node) => {
            let shell = Shell::new(node, files, log, signals.clone());
            shell.borrow_mut().carry_out_all(&mut outputs);
            Ok(shell)
        }
        Err(error) => {
            // PS-08.
            if let BootError::NodesConf(fault) = &error {
                let text = "Unrecoverable error: corrupted cluster config file.";
                log.line(LogLevel::Warning, text);
                log.line(LogLevel::Warning, &format!("{nodes_conf_path}: {fault}"));
                return Err(fatal(&mut log, REMEDY));
            }
            Err(fatal(&mut log, &error.to_string()))
        }
    }
}

fn append_log(config: &Config) -> AppendLog {
    let setting = |name: &str| directives::value(config, name).unwrap_or_default();
    let sync = match setting("appendfsync").as_str() {
        "always" => Sync::Always,
        "no" => Sync::Never,
        _ => Sync::EverySecond,
    };
    let (folder, name) = (setting("appenddirname"), setting("appendfilename"));
    AppendLog::new(&folder, &name, sync)
}

async fn keep_time(shell: SharedShell, signals: Rc<Signals>) {
    loop {
        let due = shell.borrow_mut().arm();
        // The wall clock may be set meanwhile: look at it now and then.
        let wait = Duration::from_millis(due.since(clock::now()).0).clamp(WAIT_MIN, WAIT_MAX);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = signals.rearm.notified() => continue,
        }
        if due <= clock::now() {
            let mut shell = shell.borrow_mut();
            shell.take_in(Input::Wake);
            shell.end_turn();
        }
    }
}

async fn wait_for_end(shell: &SharedShell, signals: &Signals) -> u8 {
    let handlers = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    let (Ok(mut terminate), Ok(mut interrupt)) = handlers else {
        shell
            .borrow_mut()
            .log(LogLevel::Warning, "Cannot handle signals");
        return 1;
    };
    loop {
        if let Some(status) = signals.status.get() {
            return status;
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = signals.exit.notified() => continue,
        }
        let mut shell = shell.borrow_mut();
        shell.take_in(Input::Terminate);
        shell.end_turn();
    }
}

/// Random enough that no two nodes are alike.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_u64(clock::now().0);
    hasher.finish()
}

/// The greatest client port from which the bus port can be derived.
const CLUSTER_PORT_MAX: u16 = u16::MAX - 10_000;
const REMEDY: &str = "Put a good copy of this file in its place. Or remove it: then a new node \
     starts, with another id, no slots and no votes, which the cluster must be told to meet.";
/// Of this node.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
const WAIT_MIN: Duration = Duration::from_millis(1);
const WAIT_MAX: Duration = Duration::from_millis(1000);

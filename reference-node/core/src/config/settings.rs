//! The directives the core looks at: how each is read, checked and shown.

use std::ops::RangeInclusive;

use crate::cluster::{PROFILE_DIRECTIVE, Profile};
use crate::config::{Config, EndpointType};
use crate::time::Millis;

/// When a directive may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Before the start only.
    Fixed,
    /// By CONFIG SET too.
    Runtime,
}

/// One directive.
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// When it may be changed.
    pub access: Access,
    /// Its value as CONFIG GET shows it.
    pub read: fn(&Config) -> String,
    /// Sets it, or says why not.
    pub write: fn(&mut Config, &str) -> Result<(), String>,
}

macro_rules! setting {
    ($name:literal, $access:ident, $field:ident, $parse:expr, $show:expr) => {
        Setting {
            name: $name,
            access: Access::$access,
            read: |config| $show(&config.$field),
            write: |config, text| {
                config.$field = $parse(text)?;
                Ok(())
            },
        }
    };
}

macro_rules! number {
    ($name:literal, $access:ident, $field:ident, $range:expr) => {
        setting!(
            $name,
            $access,
            $field,
            |text| number(text, $range),
            ToString::to_string
        )
    };
}

macro_rules! flag {
    ($name:literal, $access:ident, $field:ident) => {
        setting!($name, $access, $field, flag, shown_flag)
    };
}

macro_rules! text {
    ($name:literal, $access:ident, $field:ident) => {
        setting!($name, $access, $field, any_text, String::clone)
    };
}

macro_rules! span {
    ($name:literal, $access:ident, $field:ident, $range:expr) => {
        setting!(
            $name,
            $access,
            $field,
            |text| number(text, $range).map(Millis),
            |span: &Millis| span.0.to_string()
        )
    };
}

/// Every directive the core looks at (CF clauses).
pub const SETTINGS: &[Setting] = &[
    number!("port", Fixed, port, 0..=65_535),
    setting!("bind", Fixed, bind, words, |bind: &Vec<String>| bind
        .join(" ")),
    setting!(
        "bind-source-addr",
        Fixed,
        bind_source_addr,
        optional,
        |addr: &Option<String>| { addr.clone().unwrap_or_default() }
    ),
    flag!("appendonly", Runtime, appendonly),
    flag!("cluster-enabled", Fixed, cluster_enabled),
    // CF-02.
    text!("cluster-config-file", Fixed, cluster_config_file),
    // CF-03.
    span!(
        "cluster-node-timeout",
        Runtime,
        cluster_node_timeout,
        0..=i64::MAX as u64
    ),
    // CF-04.
    number!("cluster-port", Fixed, cluster_port, 0..=65_535),
    number!(
        "cluster-replica-validity-factor",
        Runtime,
        cluster_replica_validity_factor,
        0..=INTEGER_MAX
    ),
    flag!(
        "cluster-replica-no-failover",
        Runtime,
        cluster_replica_no_failover
    ),
    // CF-07.
    number!(
        "cluster-migration-barrier",
        Runtime,
        cluster_migration_barrier,
        0..=INTEGER_MAX
    ),
    // CF-08.
    flag!(
        "cluster-allow-replica-migration",
        Runtime,
        cluster_allow_replica_migration
    ),
    // CF-09.
    flag!(
        "cluster-require-full-coverage",
        Runtime,
        cluster_require_full_coverage
    ),
    // CF-10.
    flag!(
        "cluster-allow-reads-when-down",
        Runtime,
        cluster_allow_reads_when_down
    ),
    // CF-11.
    flag!(
        "cluster-allow-pubsubshard-when-down",
        Runtime,
        cluster_allow_pubsubshard_when_down
    ),
    text!("cluster-announce-ip", Runtime, cluster_announce_ip),
    number!(
        "cluster-announce-port",
        Runtime,
        cluster_announce_port,
        0..=65_535
    ),
    number!(
        "cluster-announce-bus-port",
        Runtime,
        cluster_announce_bus_port,
        0..=65_535
    ),
    setting!(
        "cluster-announce-hostname",
        Runtime,
        cluster_announce_hostname,
        hostname,
        String::clone
    ),
    setting!(
        "cluster-preferred-endpoint-type",
        Runtime,
        cluster_preferred_endpoint_type,
        endpoint_type,
        shown_endpoint_type
    ),
    setting!(
        "cluster-link-sendbuf-limit",
        Runtime,
        cluster_link_sendbuf_limit,
        memory,
        ToString::to_string
    ),
    span!(
        "slotquake-writable-delay",
        Runtime,
        cluster_writable_delay,
        0..=INTEGER_MAX
    ),
    // CF-20.
    number!(
        "repl-ping-replica-period",
        Runtime,
        repl_ping_replica_period_s,
        1..=INTEGER_MAX
    ),
    // Ours: which weaknesses the node has.
    Setting {
        name: PROFILE_DIRECTIVE,
        access: Access::Fixed,
        read: |config| Profile::of(config).name().into(),
        write: |config, text| {
            let profile = Profile::parse(text)?;
            let name = profile.name().into();
            config.other.insert(PROFILE_DIRECTIVE.into(), name);
            Ok(())
        },
    },
    // Ours: a seeded bug.
    #[cfg(feature = "mutants")]
    Setting {
        name: crate::mutants::MUTANT_DIRECTIVE,
        access: Access::Fixed,
        read: |config| config.mutant.name().into(),
        write: |config, text| {
            config.mutant = crate::mutants::Chosen::parse(text)?;
            Ok(())
        },
    },
    // CF-20.
    number!("repl-timeout", Runtime, repl_timeout_s, 1..=INTEGER_MAX),
    setting!(
        "repl-backlog-size",
        Runtime,
        repl_backlog_size,
        backlog_size,
        ToString::to_string
    ),
    number!(
        "repl-backlog-ttl",
        Runtime,
        repl_backlog_ttl_s,
        0..=i64::MAX as u64
    ),
    flag!(
        "replica-serve-stale-data",
        Runtime,
        replica_serve_stale_data
    ),
    flag!("replica-read-only", Runtime, replica_read_only),
    // CF-20.
    number!(
        "min-replicas-to-write",
        Runtime,
        min_replicas_to_write,
        0..=INTEGER_MAX
    ),
    number!(
        "min-replicas-max-lag",
        Runtime,
        min_replicas_max_lag_s,
        0..=INTEGER_MAX
    ),
    number!("maxclients", Runtime, maxclients, 1..=u32::MAX as u64),
    number!("timeout", Runtime, timeout_s, 0..=INTEGER_MAX),
    setting!(
        "client-query-buffer-limit",
        Runtime,
        client_query_buffer_limit,
        at_least_1mb,
        ToString::to_string
    ),
    setting!(
        "proto-max-bulk-len",
        Runtime,
        proto_max_bulk_len,
        at_least_1mb,
        ToString::to_string
    ),
    Setting {
        name: "client-output-buffer-limit",
        access: Access::Runtime,
        read: |config| config.client_output_buffer_limit.shown(),
        write: |config, text| {
            let changed = config.client_output_buffer_limit.changed(text)?;
            config.client_output_buffer_limit = changed;
            Ok(())
        },
    },
    text!("dir", Fixed, dir),
    text!("dbfilename", Runtime, dbfilename),
    setting!("save", Runtime, save, save_points, String::clone),
    text!("logfile", Fixed, logfile),
    text!("requirepass", Runtime, requirepass),
    text!("masterauth", Runtime, masterauth),
];

const INTEGER_MAX: u64 = i32::MAX as u64;

fn number<T: TryFrom<u64>>(text: &str, range: RangeInclusive<u64>) -> Result<T, String> {
    let number: i128 = text
        .parse()
        .map_err(|_| "argument couldn't be parsed into an integer".to_string())?;
    let found = u64::try_from(number)
        .ok()
        .filter(|number| range.contains(number));
    let (low, high) = (range.start(), range.end());
    let outside = || format!("argument must be between {low} and {high} inclusive");
    found
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(outside)
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

fn shown_flag(flag: &bool) -> String {
    if *flag { "yes".into() } else { "no".into() }
}

fn any_text(text: &str) -> Result<String, String> {
    Ok(text.into())
}

fn optional(text: &str) -> Result<Option<String>, String> {
    Ok((!text.is_empty()).then(|| text.into()))
}

fn words(text: &str) -> Result<Vec<String>, String> {
    Ok(text.split_whitespace().map(String::from).collect())
}

// CF-14.
fn hostname(text: &str) -> Result<String, String> {
    if text.len() >= 256 {
        return Err("Hostnames must be less than 256 characters".into());
    }
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if text.bytes().all(is_allowed) {
        return Ok(text.into());
    }
    Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into())
}

// CF-16.
fn endpoint_type(text: &str) -> Result<EndpointType, String> {
    match text.to_lowercase().as_str() {
        "ip" => Ok(EndpointType::Ip),
        "hostname" => Ok(EndpointType::Hostname),
        "unknown-endpoint" => Ok(EndpointType::Unknown),
        _ => Err("argument(s) must be one of the following: ip, hostname, unknown-endpoint".into()),
    }
}

fn shown_endpoint_type(endpoint_type: &EndpointType) -> String {
    match endpoint_type {
        EndpointType::Ip => "ip".into(),
        EndpointType::Hostname => "hostname".into(),
        EndpointType::Unknown => "unknown-endpoint".into(),
    }
}

/// Bytes with a unit: `1mb` is 2^20, `1m` is 10^6.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let text = text.to_lowercase();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let unit: u64 = match &text[end..] {
        "" | "b" => 1,
        "k" => 1000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return Err("argument must be a memory value".into()),
    };
    let number: Option<u64> = text[..end].parse().ok();
    let bytes = number.and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "argument must be a memory value".into())
}

fn at_least_1mb(text: &str) -> Result<u64, String> {
    let bytes = memory(text)?;
    if (1 << 20..=i64::MAX as u64).contains(&bytes) {
        return Ok(bytes);
    }
    Err("argument must be between 1048576 and 9223372036854775807 inclusive".into())
}

fn backlog_size(text: &str) -> Result<u64, String> {
    let bytes = memory(text)?;
    if bytes == 0 {
        return Err("argument must be between 1 and 9223372036854775807 inclusive".into());
    }
    // Upstream raises what is less to 16 KiB.
    Ok(bytes.max(16 * 1024))
}

fn save_points(text: &str) -> Result<String, String> {
    let numbers: Vec<&str> = text.split_whitespace().collect();
    let is_number = |word: &&str| word.parse::<u32>().is_ok();
    if !numbers.len().is_multiple_of(2) || !numbers.iter().all(is_number) {
        return Err("Invalid save parameters".into());
    }
    Ok(numbers.join(" "))
}

//! All error texts of commands, one table. The texts are a contract, byte for byte.
//!
//! Those of CLUSTER subcommands stand with them in the cluster room; those of PSYNC and REPLCONF
//! in the replication room.

use crate::resp::Reply;

/// Why a command is refused; its text is what follows `-` on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is named after its text")]
pub enum Refusal {
    // Generic (cluster-commands.md section 1).
    #[error("ERR unknown command '{name}', with args beginning with: {args}")]
    UnknownCommand { name: String, args: String },
    #[error("ERR wrong number of arguments for '{0}' command")]
    Arity(String),
    #[error("ERR unknown subcommand '{0}'. Try {1} HELP.")]
    UnknownSubcommand(String, String),
    #[error("ERR syntax error")]
    Syntax,
    #[error("WRONGTYPE Operation against a key holding the wrong kind of value")]
    WrongType,
    #[error("ERR no such key")]
    NoSuchKey,
    #[error("ERR value is not an integer or out of range")]
    NotInteger,
    #[error("ERR value is not a valid float")]
    NotFloat,
    #[error("ERR value is out of range")]
    OutOfRange,
    #[error("ERR value is out of range, must be positive")]
    NotPositive,
    #[error("ERR index out of range")]
    IndexOutOfRange,
    #[error("ERR increment or decrement would overflow")]
    Overflow,
    #[error("ERR decrement would overflow")]
    DecrementOverflow,
    #[error("ERR increment would produce NaN or Infinity")]
    FloatOverflow,
    #[error("ERR resulting score is not a number (NaN)")]
    ScoreNotNumber,
    #[error("ERR hash value is not an integer")]
    HashNotInteger,
    #[error("ERR hash value is not a float")]
    HashNotFloat,
    #[error("ERR offset is out of range")]
    Offset,
    #[error("ERR string exceeds maximum allowed size (proto-max-bulk-len)")]
    StringTooLong,
    #[error("ERR invalid expire time in '{0}' command")]
    ExpireTime(&'static str),
    #[error("ERR timeout is not a float or out of range")]
    TimeoutNotFloat,
    #[error("ERR timeout is not an integer or out of range")]
    TimeoutNotInteger,
    #[error("ERR timeout is negative")]
    TimeoutNegative,
    #[error("ERR invalid cursor")]
    Cursor,
    #[error("ERR min or max is not a float")]
    MinMaxFloat,
    #[error("ERR min or max not valid string range item")]
    MinMaxLex,
    #[error("ERR numkeys should be greater than 0")]
    NumKeys,
    #[error("ERR Number of keys can't be greater than number of args")]
    NumKeysTooMany,
    #[error("ERR Invalid number of keys")]
    NoKeysInArguments,
    #[error("ERR The command has no key arguments")]
    NoKeyArguments,
    #[error("ERR Invalid command specified")]
    InvalidCommandGetkeys,
    #[error("ERR Invalid arguments specified for command")]
    InvalidArgumentsGetkeys,
    #[error("ERR Protocol error: {0}")]
    Protocol(String),
    /// One of a kind, with its whole text.
    #[error("{0}")]
    Text(&'static str),
    /// The same with facts in it.
    #[error("{0}")]
    Facts(String),
    // Connections.
    #[error("NOAUTH Authentication required.")]
    NoAuth,
    #[error("WRONGPASS invalid username-password pair or user is disabled.")]
    WrongPass,
    #[error("NOPROTO unsupported protocol version")]
    NoProto,
    #[error("ERR DB index is out of range")]
    DbIndex,
    #[error("ERR No such client")]
    NoSuchClient,
    #[error(
        "ERR Can't execute '{0}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET \
         are allowed in this context"
    )]
    SubscriberContext(String),
    // Transactions.
    #[error("EXECABORT Transaction discarded because of previous errors.")]
    ExecAbort,
    #[error("ERR MULTI calls can not be nested")]
    NestedMulti,
    #[error("ERR {0} without MULTI")]
    WithoutMulti(&'static str),
    #[error("ERR WATCH inside MULTI is not allowed")]
    WatchInMulti,
    #[error("ERR Command not allowed inside a transaction")]
    NotInMulti,
    // Cluster (RD, RP clauses).
    #[error("ERR This instance has cluster support disabled")]
    ClusterDisabled,
    #[error("MOVED {slot} {endpoint}:{port}")]
    Moved {
        slot: u16,
        endpoint: String,
        port: u16,
    },
    #[error("ASK {slot} {endpoint}:{port}")]
    Ask {
        slot: u16,
        endpoint: String,
        port: u16,
    },
    #[error("CROSSSLOT Keys in request don't hash to the same slot")]
    CrossSlot,
    #[error("TRYAGAIN Multiple keys request during rehashing of slot")]
    TryAgain,
    #[error("CLUSTERDOWN The cluster is down")]
    ClusterDown,
    #[error("CLUSTERDOWN The cluster is down and only accepts read commands")]
    ClusterDownReadOnly,
    #[error("CLUSTERDOWN Hash slot not served")]
    SlotNotServed,
    #[error("READONLY You can't write against a read only replica.")]
    ReadOnlyReplica,
    #[error("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")]
    MasterDown,
    #[error("LOADING Redis is loading the dataset in memory")]
    Loading,
    #[error("OOM command not allowed when used memory > 'maxmemory'.")]
    OutOfMemory,
    #[error("NOREPLICAS Not enough good replicas to write.")]
    NoReplicas,
    #[error("ERR Replica can't interact with the keyspace")]
    ReplicaKeyspace,
    #[error(
        "UNBLOCKED force unblock from blocking operation, instance state changed \
         (master -> replica?)"
    )]
    Unblocked,
    // DUMP and RESTORE.
    #[error("BUSYKEY Target key name already exists.")]
    BusyKey,
    #[error("ERR DUMP payload version or checksum are wrong")]
    DumpPayload,
    #[error("ERR Bad data format")]
    BadFormat,
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        Reply::Error(refusal.to_string())
    }
}

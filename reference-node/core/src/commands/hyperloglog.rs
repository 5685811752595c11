//! Approximate counting: PFADD, PFCOUNT, PFMERGE.
//!
//! The value is upstream's string, sparse or dense, so that it replicates and migrates to real
//! servers. The cached count in it is honoured and invalidated, never written: DEVIATION(RW-34)
//! PFCOUNT stays a read here, it changes no value.

use bytes::Bytes;

use crate::commands::args;
use crate::commands::parts::{Answer, Call};
use crate::commands::strings::replace;
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::config;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Admin, Denyoom, Fast, Readonly, Write};

pub mod registers;

use registers::{Encoding, Registers};

const ONE: Keys = Keys::Range(1, 1, 1);
const ALL: Keys = Keys::Range(1, -1, 1);
const GROUP: &str = "hyperloglog";

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("pfadd", -2, &[Write, Denyoom, Fast], ONE, pfadd, GROUP),
    keyed("pfcount", -2, &[Readonly], ALL, pfcount, GROUP),
    keyed("pfmerge", -2, &[Write, Denyoom], ALL, pfmerge, GROUP),
    keyed(
        "pfdebug",
        3,
        &[Write, Denyoom, Admin],
        Keys::Range(2, 2, 1),
        pfdebug,
        GROUP,
    ),
];

const NOT_ONE: Refusal = Refusal::Text("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPT: Refusal = Refusal::Text("INVALIDOBJ Corrupted HLL object detected");

// The registers of a key; none if it is not there.
fn load(call: &mut Call, key: &Bytes) -> Result<Option<Registers>, Refusal> {
    let Some(text) = call.read_as::<Bytes>(key)? else {
        return Ok(None);
    };
    if !registers::is_one(text) {
        return Err(NOT_ONE);
    }
    Registers::decode(text).map(Some).ok_or(CORRUPT)
}

fn store(call: &mut Call, key: &Bytes, registers: &Registers) {
    let limit = config::value(call.parts.config, "hll-sparse-max-bytes");
    let limit = limit.and_then(|text| text.parse().ok()).unwrap_or(3000);
    replace(call, key, registers.encode(limit));
}

fn pfadd(call: &mut Call) -> Answer {
    let key = call.arg(1).clone();
    let old = load(call, &key)?;
    let is_new = old.is_none();
    let mut registers = old.unwrap_or_default();
    let elements = call.args[2..].iter();
    let changed = elements.filter(|element| registers.add(element)).count();
    let is_changed = is_new || changed > 0;
    if is_changed {
        registers.cached = (is_new && changed == 0).then_some(0);
        store(call, &key, &registers);
    }
    Ok(Reply::Integer(is_changed.into()))
}

fn pfcount(call: &mut Call) -> Answer {
    let mut all = Registers::default();
    let keys = call.args[1..].to_vec();
    for key in &keys {
        let Some(registers) = load(call, key)? else {
            continue;
        };
        if let (Some(count), [_]) = (registers.cached, keys.as_slice()) {
            return Ok(Reply::Integer(count as i64));
        }
        all.merge(&registers);
    }
    Ok(Reply::Integer(all.count() as i64))
}

fn pfmerge(call: &mut Call) -> Answer {
    let mut all = Registers::default();
    for key in &call.args[1..] {
        if let Some(registers) = load(call, key)? {
            all.merge(&registers);
        }
    }
    all.cached = None;
    let target = call.arg(1).clone();
    store(call, &target, &all);
    Ok(Reply::OK)
}

fn pfdebug(call: &mut Call) -> Answer {
    let key = call.arg(2).clone();
    let missing = Refusal::Text("ERR The specified key does not exist");
    let mut registers = load(call, &key)?.ok_or(missing)?;
    match args::word(call.arg(1)).as_str() {
        "encoding" => Ok(Reply::Simple(match registers.encoding {
            Encoding::Sparse => "sparse",
            Encoding::Dense => "dense",
        })),
        name @ ("getreg" | "todense") => {
            let was_sparse = registers.encoding == Encoding::Sparse;
            if was_sparse {
                registers.encoding = Encoding::Dense;
                store(call, &key, &registers);
            }
            if name == "todense" {
                return Ok(Reply::Integer(was_sparse.into()));
            }
            let values = registers.values().iter();
            let values = values.map(|value| Reply::Integer(i64::from(*value)));
            Ok(Reply::Array(values.collect()))
        }
        _ => Err(Refusal::Facts(format!(
            "ERR Unknown PFDEBUG subcommand '{}'",
            args::shown(call.arg(1))
        ))),
    }
}

//! Places: GEOADD, GEOPOS, GEODIST, GEOHASH. A place is a member whose score is its 52-bit geohash.

use bytes::Bytes;

use crate::commands::args::{digits, float, is_word};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{self, Command, Flag, Keys, keyed};
use crate::keyspace::Zset;
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Readonly, Write};

pub mod hash;
pub mod search;

use hash::Place;

const ONE: Keys = Keys::Range(1, 1, 1);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("geoadd", -5, &[Write, Denyoom], ONE, geoadd, "geo"),
    keyed("geopos", -2, &[Readonly], ONE, geopos, "geo"),
    keyed("geodist", -4, &[Readonly], ONE, geodist, "geo"),
    keyed("geohash", -2, &[Readonly], ONE, geohash, "geo"),
];

/// Reads longitude and latitude.
pub fn place(longitude: &[u8], latitude: &[u8]) -> Result<Place, Refusal> {
    let longitude = float(longitude).ok_or(Refusal::NotFloat)?;
    let latitude = float(latitude).ok_or(Refusal::NotFloat)?;
    Place::new(longitude, latitude).ok_or_else(|| {
        Refusal::Facts(format!(
            "ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        ))
    })
}

/// Metres in a unit.
pub fn unit_m(text: &[u8]) -> Result<f64, Refusal> {
    let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
    let found = units.into_iter().find(|(name, _)| is_word(text, name));
    found.map(|(_, metres)| metres).ok_or(Refusal::Text(
        "ERR unsupported unit provided. please use M, KM, FT, MI",
    ))
}

/// A distance as a reply, four decimals.
pub fn distance_reply(distance: f64) -> Reply {
    Reply::text(format!("{distance:.4}"))
}

/// Longitude and latitude as a reply.
pub fn place_reply(place: Place) -> Reply {
    let text = |number: f64| {
        let text = format!("{number:.17}");
        Reply::Decimal(text.trim_end_matches('0').trim_end_matches('.').into())
    };
    Reply::Array(vec![text(place.longitude), text(place.latitude)])
}

// Carried out, and replicated, as the ZADD that it is.
fn geoadd(call: &mut Call) -> Answer {
    let options = call.args[2..].iter();
    let is_option = |arg: &&Bytes| ["nx", "xx", "ch"].iter().any(|word| is_word(arg, word));
    let start = 2 + options.take_while(is_option).count();
    let has = |name| call.args[2..start].iter().any(|arg| is_word(arg, name));
    let triples = &call.args[start..];
    if !triples.len().is_multiple_of(3) || (has("nx") && has("xx")) {
        return Err(Refusal::Syntax);
    }
    let mut args = vec![Bytes::from_static(b"zadd")];
    args.extend_from_slice(&call.args[1..start]);
    for triple in triples.chunks_exact(3) {
        args.push(digits(place(&triple[0], &triple[1])?.score()));
        args.push(triple[2].clone());
    }
    let zadd = table::find(b"zadd").ok_or(Refusal::Syntax)?;
    if !zadd.fits(args.len()) {
        return Err(Refusal::Syntax);
    }
    let mut inner = Call {
        args: &args,
        caller: call.caller,
        blocking: call.blocking,
        parts: &mut *call.parts,
        is_dirty: false,
        effects: None,
        wait: None,
    };
    let answer = (zadd.handler)(&mut inner);
    let (is_dirty, effects) = (inner.is_dirty, inner.effects);
    call.is_dirty |= is_dirty;
    call.effects = effects.or_else(|| is_dirty.then(|| vec![args.clone()]));
    answer
}

// The places of members, as far as they are there.
fn places(call: &mut Call, members: &[Bytes]) -> Result<Vec<Option<Place>>, Refusal> {
    let key = call.arg(1).clone();
    let zset = call.read_as::<Zset>(&key)?;
    let score = |member: &Bytes| zset.and_then(|zset| zset.score(member));
    let places = members
        .iter()
        .map(|member| score(member).map(|s| Place::of_score(s.get())));
    Ok(places.collect())
}

fn geopos(call: &mut Call) -> Answer {
    let members = call.args[2..].to_vec();
    let places = places(call, &members)?.into_iter();
    let replies = places.map(|place| place.map_or(Reply::NilArray, place_reply));
    Ok(Reply::Array(replies.collect()))
}

fn geodist(call: &mut Call) -> Answer {
    let unit = match call.args.get(4) {
        Some(text) if call.args.len() == 5 => unit_m(text)?,
        Some(_) => return Err(Refusal::Syntax),
        None => 1.0,
    };
    let members = call.args[2..4].to_vec();
    match places(call, &members)?.as_slice() {
        [Some(from), Some(to)] => Ok(distance_reply(from.distance_m(*to) / unit)),
        _ => Ok(Reply::Nil),
    }
}

fn geohash(call: &mut Call) -> Answer {
    let members = call.args[2..].to_vec();
    let places = places(call, &members)?.into_iter();
    let replies =
        places.map(|place| place.map_or(Reply::Nil, |place| Reply::text(place.geohash())));
    Ok(Reply::Array(replies.collect()))
}

//! Places near a place: GEOSEARCH, GEORADIUS and their kin.
//!
//! Every member is looked at, in order of its geohash: fine for a reference node.

use bytes::Bytes;

use crate::commands::args::{self, float, shown};
use crate::commands::geo::hash::Place;
use crate::commands::geo::{distance_reply, place, place_reply, unit_m};
use crate::commands::parts::{Answer, Call};
use crate::commands::table::{Command, Flag, Keys, keyed};
use crate::keyspace::{Score, Zset};
use crate::resp::Reply;
use crate::resp::errors::Refusal;

use Flag::{Denyoom, Movablekeys, Readonly, Write};

const ONE: Keys = Keys::Range(1, 1, 1);
const TWO: Keys = Keys::Range(1, 2, 1);
const STORING: &[Flag] = &[Write, Denyoom, Movablekeys];
const WITH_STORE: Keys = Keys::Movable(key_places);

/// The rows of this group.
pub const COMMANDS: &[Command] = &[
    keyed("geosearch", -7, &[Readonly], ONE, geosearch, "geo"),
    keyed(
        "geosearchstore",
        -8,
        &[Write, Denyoom],
        TWO,
        geosearch,
        "geo",
    ),
    keyed("georadius", -6, STORING, WITH_STORE, georadius, "geo"),
    keyed("georadius_ro", -6, &[Readonly], ONE, georadius, "geo"),
    keyed(
        "georadiusbymember",
        -5,
        STORING,
        WITH_STORE,
        by_member,
        "geo",
    ),
    keyed(
        "georadiusbymember_ro",
        -5,
        &[Readonly],
        ONE,
        by_member,
        "geo",
    ),
];

fn key_places(args: &[Bytes]) -> Vec<usize> {
    let is_store = |arg: &Bytes| ["store", "storedist"].contains(&args::word(arg).as_str());
    let options = args.iter().enumerate().skip(5);
    let store = options.filter(|(place, arg)| is_store(arg) && place + 1 < args.len());
    [1].into_iter()
        .chain(store.last().map(|(place, _)| place + 1))
        .collect()
}

/// Within what.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Circle { radius_m: f64 },
    Box { width_m: f64, height_m: f64 },
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Any,
    Nearest,
    Farthest,
}

/// From where.
#[derive(Debug, Clone)]
enum Center {
    Place(Place),
    Member(Bytes),
}

/// What is asked for.
struct Request {
    center: Option<Center>,
    shape: Option<Shape>,
    unit_m: f64,
    order: Order,
    count: usize,
    is_any: bool,
    with: [bool; 3],
    store: Option<Bytes>,
    stores_distance: bool,
}

const DIST: usize = 0;
const HASH: usize = 1;
const COORD: usize = 2;

impl Default for Request {
    fn default() -> Request {
        Request {
            center: None,
            shape: None,
            unit_m: 1.0,
            order: Order::Any,
            count: 0,
            is_any: false,
            with: [false; 3],
            store: None,
            stores_distance: false,
        }
    }
}

impl Request {
    fn around(center: Center) -> Request {
        Request {
            center: Some(center),
            ..Request::default()
        }
    }

    fn circle(&mut self, radius: &[u8], unit: &[u8]) -> Result<(), Refusal> {
        let radius = float(radius).ok_or(Refusal::Text("ERR need numeric radius"))?;
        if radius < 0.0 {
            return Err(Refusal::Text("ERR radius cannot be negative"));
        }
        self.unit_m = unit_m(unit)?;
        let radius_m = radius * self.unit_m;
        self.shape = Some(Shape::Circle { radius_m });
        Ok(())
    }

    fn rectangle(&mut self, width: &[u8], height: &[u8], unit: &[u8]) -> Result<(), Refusal> {
        let width = float(width).ok_or(Refusal::Text("ERR need numeric width"))?;
        let height = float(height).ok_or(Refusal::Text("ERR need numeric height"))?;
        if width < 0.0 || height < 0.0 {
            return Err(Refusal::Text("ERR height or width cannot be negative"));
        }
        self.unit_m = unit_m(unit)?;
        let (width_m, height_m) = (width * self.unit_m, height * self.unit_m);
        self.shape = Some(Shape::Box { width_m, height_m });
        Ok(())
    }

    fn options(&mut self, name: &str, mut rest: &[Bytes]) -> Result<(), Refusal> {
        let is_search = name.starts_with("geosearch");
        let is_old = !is_search && !name.ends_with("_ro");
        while let Some((word, after)) = rest.split_first() {
            let mut taken = 0;
            match (args::word(word).as_str(), after) {
                ("withdist", _) => self.with[DIST] = true,
                ("withhash", _) => self.with[HASH] = true,
                ("withcoord", _) => self.with[COORD] = true,
                ("any", _) => self.is_any = true,
                ("asc", _) => self.order = Order::Nearest,
                ("desc", _) => self.order = Order::Farthest,
                ("count", [number, ..]) => {
                    let number = usize::try_from(args::integer(number)?).ok();
                    let number = number.filter(|number| *number > 0);
                    self.count = number.ok_or(Refusal::Text("ERR COUNT must be > 0"))?;
                    taken = 1;
                }
                (option @ ("store" | "storedist"), [key, ..]) if is_old => {
                    self.store = Some(key.clone());
                    self.stores_distance = option == "storedist";
                    taken = 1;
                }
                ("storedist", _) if name == "geosearchstore" => self.stores_distance = true,
                ("frommember", [member, ..])
                    if is_search && !matches!(self.center, Some(Center::Place(_))) =>
                {
                    self.center = Some(Center::Member(member.clone()));
                    taken = 1;
                }
                ("fromlonlat", [longitude, latitude, ..])
                    if is_search && !matches!(self.center, Some(Center::Member(_))) =>
                {
                    self.center = Some(Center::Place(place(longitude, latitude)?));
                    taken = 2;
                }
                ("byradius", [radius, unit, ..])
                    if is_search && !matches!(self.shape, Some(Shape::Box { .. })) =>
                {
                    self.circle(radius, unit)?;
                    taken = 2;
                }
                ("bybox", [width, height, unit, ..])
                    if is_search && !matches!(self.shape, Some(Shape::Circle { .. })) =>
                {
                    self.rectangle(width, height, unit)?;
                    taken = 3;
                }
                _ => return Err(Refusal::Syntax),
            }
            rest = &after[taken..];
        }
        Ok(())
    }

    fn check(&self, name: &[u8]) -> Result<(), Refusal> {
        let name = shown(name);
        if self.store.is_some() && self.with.contains(&true) {
            let is_search = name.to_lowercase().starts_with("geosearch");
            let what = if is_search {
                "GEOSEARCHSTORE"
            } else {
                "STORE option in GEORADIUS"
            };
            return Err(Refusal::Facts(format!(
                "ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            )));
        }
        if self.center.is_none() {
            return Err(Refusal::Facts(format!(
                "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {name}"
            )));
        }
        if self.shape.is_none() {
            return Err(Refusal::Facts(format!(
                "ERR exactly one of BYRADIUS and BYBOX can be specified for {name}"
            )));
        }
        if self.is_any && self.count == 0 {
            return Err(Refusal::Text(
                "ERR the ANY argument requires COUNT argument",
            ));
        }
        Ok(())
    }
}

fn geosearch(call: &mut Call) -> Answer {
    let name = args::word(call.arg(0));
    let mut request = Request::default();
    let mut source = call.arg(1).clone();
    let mut options = 2;
    if name == "geosearchstore" {
        request.store = Some(source);
        source = call.arg(2).clone();
        options = 3;
    }
    call.read_as::<Zset>(&source)?;
    request.options(&name, &call.args[options..])?;
    run(call, &source, &request)
}

fn georadius(call: &mut Call) -> Answer {
    let source = call.arg(1).clone();
    call.read_as::<Zset>(&source)?;
    let center = Center::Place(place(call.arg(2), call.arg(3))?);
    let mut request = Request::around(center);
    request.circle(call.arg(4), call.arg(5))?;
    request.options(&args::word(call.arg(0)), &call.args[6..])?;
    run(call, &source, &request)
}

fn by_member(call: &mut Call) -> Answer {
    let source = call.arg(1).clone();
    call.read_as::<Zset>(&source)?;
    let mut request = Request::around(Center::Member(call.arg(2).clone()));
    request.circle(call.arg(3), call.arg(4))?;
    request.options(&args::word(call.arg(0)), &call.args[5..])?;
    run(call, &source, &request)
}

/// A member that fits.
struct Found {
    member: Bytes,
    score: Score,
    place: Place,
    distance_m: f64,
}

fn run(call: &mut Call, source: &Bytes, request: &Request) -> Answer {
    request.check(call.arg(0))?;
    let (Some(center), Some(shape)) = (&request.center, request.shape) else {
        return Err(Refusal::Syntax);
    };
    let mut found = match call.read_as::<Zset>(source)? {
        None => Vec::new(),
        Some(zset) => {
            let center = match center {
                Center::Place(place) => *place,
                Center::Member(member) => {
                    let missing = Refusal::Text("ERR could not decode requested zset member");
                    Place::of_score(zset.score(member).ok_or(missing)?.get())
                }
            };
            let members = zset.iter();
            members
                .filter_map(|(member, score)| fit(center, shape, member, score))
                .collect()
        }
    };
    let order = match request.order {
        Order::Any if request.count > 0 && !request.is_any => Order::Nearest,
        order => order,
    };
    if request.is_any {
        found.truncate(request.count);
    }
    let by_distance = |a: &Found, b: &Found| a.distance_m.total_cmp(&b.distance_m);
    match order {
        Order::Any => {}
        Order::Nearest => found.sort_by(by_distance),
        Order::Farthest => found.sort_by(|a, b| by_distance(b, a)),
    }
    if request.count > 0 {
        found.truncate(request.count);
    }
    let Some(target) = &request.store else {
        let rows = found.into_iter().map(|found| row(found, request));
        return Ok(Reply::Array(rows.collect()));
    };
    let count = found.len() as i64;
    let score = |found: &Found| match request.stores_distance {
        true => Score::new(found.distance_m / request.unit_m),
        false => Some(found.score),
    };
    let members = found
        .iter()
        .filter_map(|found| Some((found.member.clone(), score(found)?)));
    let members: Zset = members.collect();
    call.store(target, members);
    Ok(Reply::Integer(count))
}

fn fit(center: Place, shape: Shape, member: &Bytes, score: Score) -> Option<Found> {
    let place = Place::of_score(score.get());
    let distance_m = center.distance_m(place);
    let is_inside = match shape {
        Shape::Circle { radius_m } => distance_m <= radius_m,
        Shape::Box { width_m, height_m } => {
            let level = Place {
                longitude: center.longitude,
                latitude: place.latitude,
            };
            place.latitude_distance_m(center) <= height_m / 2.0
                && place.distance_m(level) <= width_m / 2.0
        }
    };
    is_inside.then(|| Found {
        member: member.clone(),
        score,
        place,
        distance_m,
    })
}

fn row(found: Found, request: &Request) -> Reply {
    let member = Reply::Bulk(found.member);
    if !request.with.contains(&true) {
        return member;
    }
    let mut row = vec![member];
    if request.with[DIST] {
        row.push(distance_reply(found.distance_m / request.unit_m));
    }
    if request.with[HASH] {
        row.push(Reply::Integer(found.score.get() as i64));
    }
    if request.with[COORD] {
        row.push(place_reply(found.place));
    }
    Reply::Array(row)
}

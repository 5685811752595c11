//! Reads a plan from JSON and says where it is wrong: the line, the field, and why.
//!
//! What serde refuses has a position; what [`Plan::validate`] refuses has the path of a field. Both
//! are looked up in a list of where each value of the text begins. The text may be anything.

use std::fmt;

use super::Plan;

/// A plan file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileProblem {
    /// Line, from 1.
    pub line: usize,
    /// Path of the field, `script[2].strike.targets`; empty for the whole.
    pub field: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for FileProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}: ", self.line)?;
        if !self.field.is_empty() {
            write!(out, "{}: ", self.field)?;
        }
        out.write_str(&self.why)
    }
}

impl std::error::Error for FileProblem {}

/// Reads and validates a plan.
///
/// # Errors
/// The first thing found wrong, and where.
pub fn read(text: &str) -> Result<Plan, FileProblem> {
    let plan: Plan = serde_json::from_str(text).map_err(|error| refused(text, &error))?;
    plan.validate().map_err(|error| {
        let field = error.field();
        FileProblem {
            line: line_of(text, &field),
            why: error.to_string(),
            field,
        }
    })?;
    Ok(plan)
}

/// Where a text was refused by serde.
pub fn refused(text: &str, error: &serde_json::Error) -> FileProblem {
    let told = error.to_string();
    let why = told.split(" at line ").next().unwrap_or_default();
    let begins = text.split_inclusive('\n').map(str::len);
    let line_begin: usize = begins.take(error.line().saturating_sub(1)).sum();
    let offset = line_begin + error.column().saturating_sub(1);
    let places = places(text);
    let mut around = places
        .iter()
        .filter(|place| (place.begin..place.end).contains(&offset));
    FileProblem {
        line: error.line().max(1),
        field: around
            .next_back()
            .map_or_else(String::new, |place| place.path.clone()),
        why: why.to_string(),
    }
}

/// Where the field is, or what is nearest around it; a field that was left out is nowhere.
pub fn line_of(text: &str, field: &str) -> usize {
    let places = places(text);
    let is_around = |place: &&Place| {
        field.strip_prefix(place.path.as_str()).is_some_and(|rest| {
            rest.is_empty() || place.path.is_empty() || rest.starts_with(['.', '['])
        })
    };
    let nearest = places
        .iter()
        .filter(is_around)
        .max_by_key(|place| place.path.len());
    let begin = nearest.map_or(0, |place| place.begin);
    1 + text.as_bytes()[..begin]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// Where a value stands in the text.
#[derive(Debug)]
struct Place {
    path: String,
    /// Byte of its first character.
    begin: usize,
    /// Byte after its last character; the end of the text if it has no end.
    end: usize,
}

/// An object or list that is open.
struct Open {
    /// Its index among the places.
    place: usize,
    inside: Inside,
}

enum Inside {
    /// Of a list: how many items were seen before this one.
    List(usize),
    /// Of an object: the key seen last, until its value has begun.
    Object(Option<String>),
}

/// Every value of the text in order of its beginning, as far as the text is JSON.
fn places(text: &str) -> Vec<Place> {
    let bytes = text.as_bytes();
    let (mut places, mut open): (Vec<Place>, Vec<Open>) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < bytes.len() && open.len() <= DEPTH_MAX {
        let end = token_end(bytes, at);
        match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' | b':' => {}
            b',' => {
                if let Some(Open {
                    inside: Inside::List(seen),
                    ..
                }) = open.last_mut()
                {
                    *seen += 1;
                }
            }
            b'}' | b']' => {
                if let Some(closed) = open.pop() {
                    places[closed.place].end = end;
                }
            }
            first => match open.last_mut().map(|open| &mut open.inside) {
                Some(Inside::Object(key @ None)) if first == b'"' => {
                    *key = Some(
                        text.get(at + 1..end.max(at + 2) - 1)
                            .unwrap_or_default()
                            .into(),
                    );
                }
                _ => {
                    let path = path_of_next(&places, &mut open);
                    let is_container = matches!(first, b'{' | b'[');
                    let end = if is_container { bytes.len() } else { end };
                    places.push(Place {
                        path,
                        begin: at,
                        end,
                    });
                    let place = places.len() - 1;
                    match first {
                        b'{' => open.push(Open {
                            place,
                            inside: Inside::Object(None),
                        }),
                        b'[' => open.push(Open {
                            place,
                            inside: Inside::List(0),
                        }),
                        _ => {}
                    }
                }
            },
        }
        at = end;
    }
    places
}

/// The path of the value that begins now; its key is used up.
fn path_of_next(places: &[Place], open: &mut [Open]) -> String {
    let Some(Open { place, inside }) = open.last_mut() else {
        return String::new();
    };
    let parent = &places[*place].path;
    match inside {
        Inside::List(index) => format!("{parent}[{index}]"),
        Inside::Object(key) => {
            let key = key.take().unwrap_or_default();
            match parent.as_str() {
                "" => key,
                parent => format!("{parent}.{key}"),
            }
        }
    }
}

/// Byte after the token that begins here: a string, a scalar, or one character.
fn token_end(bytes: &[u8], at: usize) -> usize {
    let is_scalar = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    if bytes[at] == b'"' {
        let mut end = at + 1;
        while end < bytes.len() && bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        return (end + 1).min(bytes.len());
    }
    let scalar = bytes[at..]
        .iter()
        .take_while(|byte| is_scalar(byte))
        .count();
    at + scalar.max(1)
}

/// Deeper than any plan; what is deeper is not looked at.
const DEPTH_MAX: usize = 32;

//! One reply, independent of RESP2 or RESP3 until it is encoded.

use bytes::Bytes;

use crate::digits;
use crate::output::Protocol;

/// A reply or a push.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// `+OK`.
    Simple(&'static str),
    /// `+` with any text.
    Status(String),
    /// `-` with the whole text, code first: `MOVED 1 127.0.0.1:6379`.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// `$3`.
    Bulk(Bytes),
    /// `$-1`, or `_` in RESP3.
    Nil,
    /// `*-1`, or `_` in RESP3.
    NilArray,
    /// `*2`.
    Array(Vec<Reply>),
    /// `%1`, or a flat array in RESP2.
    Map(Vec<(Reply, Reply)>),
    /// `~2`, or an array in RESP2.
    Set(Vec<Reply>),
    /// `,1.5`, or a bulk in RESP2.
    Double(f64),
    /// A double already written out, to its last digit: `,1.5`, or a bulk in RESP2.
    Decimal(String),
    /// `=`, format txt, or a bulk in RESP2.
    Verbatim(String),
    /// `#t`, or an integer in RESP2.
    Boolean(bool),
    /// `(1234`, or a bulk in RESP2.
    BigNumber(&'static str),
    /// `|1` before what it is about; left out in RESP2.
    Attribute(Vec<(Reply, Reply)>),
    /// `>2`, or an array in RESP2.
    Push(Vec<Reply>),
    /// Several replies in a row for one command (SUBSCRIBE a b).
    Many(Vec<Reply>),
    /// No reply at all.
    None,
}

impl Reply {
    /// `+OK`.
    pub const OK: Reply = Reply::Simple("OK");

    /// A bulk string of this text.
    pub fn text(text: impl AsRef<str>) -> Reply {
        Reply::Bulk(Bytes::copy_from_slice(text.as_ref().as_bytes()))
    }

    /// Appends its bytes in a protocol.
    pub fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) {
        match self {
            Reply::Simple(text) => line(out, b'+', text),
            Reply::Status(text) => line(out, b'+', text),
            Reply::Error(text) => line(out, b'-', text),
            Reply::Integer(number) => integer(out, *number),
            Reply::Bulk(bytes) => bulk(out, bytes),
            Reply::Nil if protocol == Protocol::Resp2 => out.extend_from_slice(b"$-1\r\n"),
            Reply::NilArray if protocol == Protocol::Resp2 => out.extend_from_slice(b"*-1\r\n"),
            Reply::Nil | Reply::NilArray => out.extend_from_slice(b"_\r\n"),
            Reply::Array(items) => items_of(out, b'*', items, protocol),
            Reply::Map(pairs) => map(out, pairs, protocol),
            Reply::Set(items) => items_of(out, either(protocol, b'*', b'~'), items, protocol),
            Reply::Push(items) => items_of(out, either(protocol, b'*', b'>'), items, protocol),
            Reply::Double(number) => match protocol {
                Protocol::Resp2 => bulk(out, double_text(*number).as_bytes()),
                Protocol::Resp3 => line(out, b',', &double_text(*number)),
            },
            Reply::Decimal(text) => match protocol {
                Protocol::Resp2 => bulk(out, text.as_bytes()),
                Protocol::Resp3 => line(out, b',', text),
            },
            Reply::Verbatim(text) => match protocol {
                Protocol::Resp2 => bulk(out, text.as_bytes()),
                Protocol::Resp3 => {
                    line(out, b'=', &(text.len() + 4).to_string());
                    out.extend_from_slice(b"txt:");
                    out.extend_from_slice(text.as_bytes());
                    out.extend_from_slice(b"\r\n");
                }
            },
            Reply::Boolean(is_true) => match (protocol, *is_true) {
                (Protocol::Resp2, is_true) => line(out, b':', if is_true { "1" } else { "0" }),
                (Protocol::Resp3, true) => line(out, b'#', "t"),
                (Protocol::Resp3, false) => line(out, b'#', "f"),
            },
            Reply::BigNumber(digits) => match protocol {
                Protocol::Resp2 => bulk(out, digits.as_bytes()),
                Protocol::Resp3 => line(out, b'(', digits),
            },
            Reply::Attribute(pairs) => match protocol {
                Protocol::Resp2 => {}
                Protocol::Resp3 => {
                    line(out, b'|', &pairs.len().to_string());
                    for (name, value) in pairs {
                        name.encode(protocol, out);
                        value.encode(protocol, out);
                    }
                }
            },
            Reply::Many(replies) => {
                for reply in replies {
                    reply.encode(protocol, out);
                }
            }
            Reply::None => {}
        }
    }
}

/// A double as upstream prints it: C's `%.17g`, and `inf`, `-inf`, `nan`.
pub fn double_text(number: f64) -> String {
    if !number.is_finite() {
        return number.to_string().to_lowercase();
    }
    if number == 0.0 {
        return if number.is_sign_negative() {
            "-0".into()
        } else {
            "0".into()
        };
    }
    let scientific = format!("{number:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("Rust writes an exponent");
    let exponent: i32 = exponent.parse().expect("Rust writes a decimal exponent");
    if (-4..17).contains(&exponent) {
        let decimals = usize::try_from(16 - exponent).unwrap_or(0);
        return without_trailing_zeros(&format!("{number:.decimals$}"));
    }
    let mantissa = without_trailing_zeros(mantissa);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

fn without_trailing_zeros(text: &str) -> String {
    if !text.contains('.') {
        return text.into();
    }
    text.trim_end_matches('0').trim_end_matches('.').into()
}

fn either(protocol: Protocol, resp2: u8, resp3: u8) -> u8 {
    match protocol {
        Protocol::Resp2 => resp2,
        Protocol::Resp3 => resp3,
    }
}

// A line break inside would end the reply early: it becomes a space, as upstream does.
fn line(out: &mut Vec<u8>, kind: u8, text: &str) {
    out.push(kind);
    let clean = |byte| {
        if byte == b'\r' || byte == b'\n' {
            b' '
        } else {
            byte
        }
    };
    out.extend(text.bytes().map(clean));
    out.extend_from_slice(b"\r\n");
}

fn integer(out: &mut Vec<u8>, number: i64) {
    out.push(b':');
    if number < 0 {
        out.push(b'-');
    }
    digits::append(out, number.unsigned_abs());
    out.extend_from_slice(b"\r\n");
}

fn length(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    digits::append(out, length as u64);
    out.extend_from_slice(b"\r\n");
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn items_of(out: &mut Vec<u8>, kind: u8, items: &[Reply], protocol: Protocol) {
    length(out, kind, items.len());
    for item in items {
        item.encode(protocol, out);
    }
}

fn map(out: &mut Vec<u8>, pairs: &[(Reply, Reply)], protocol: Protocol) {
    match protocol {
        Protocol::Resp2 => line(out, b'*', &(pairs.len() * 2).to_string()),
        Protocol::Resp3 => line(out, b'%', &pairs.len().to_string()),
    }
    for (key, value) in pairs {
        key.encode(protocol, out);
        value.encode(protocol, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(reply: Reply) -> (String, String) {
        let encode = |protocol| {
            let mut out = Vec::new();
            reply.encode(protocol, &mut out);
            String::from_utf8(out).unwrap()
        };
        (encode(Protocol::Resp2), encode(Protocol::Resp3))
    }

    #[test]
    fn encodes_each_kind_in_both_protocols() {
        let one = || Reply::Integer(1);
        let table: Vec<(Reply, &str, &str)> = vec![
            (Reply::OK, "+OK\r\n", "+OK\r\n"),
            (
                Reply::Error("ERR a\r\nb".into()),
                "-ERR a  b\r\n",
                "-ERR a  b\r\n",
            ),
            (Reply::Integer(-5), ":-5\r\n", ":-5\r\n"),
            (Reply::text("a\r\n"), "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n"),
            (Reply::Nil, "$-1\r\n", "_\r\n"),
            (Reply::NilArray, "*-1\r\n", "_\r\n"),
            (
                Reply::Array(vec![one(), Reply::Nil]),
                "*2\r\n:1\r\n$-1\r\n",
                "*2\r\n:1\r\n_\r\n",
            ),
            (
                Reply::Map(vec![(one(), one())]),
                "*2\r\n:1\r\n:1\r\n",
                "%1\r\n:1\r\n:1\r\n",
            ),
            (Reply::Set(vec![one()]), "*1\r\n:1\r\n", "~1\r\n:1\r\n"),
            (Reply::Push(vec![one()]), "*1\r\n:1\r\n", ">1\r\n:1\r\n"),
            (Reply::Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"),
            (
                Reply::Verbatim("ab".into()),
                "$2\r\nab\r\n",
                "=6\r\ntxt:ab\r\n",
            ),
            (
                Reply::Many(vec![one(), one()]),
                ":1\r\n:1\r\n",
                ":1\r\n:1\r\n",
            ),
            (Reply::None, "", ""),
        ];
        for (reply, resp2, resp3) in table {
            assert_eq!(
                both(reply.clone()),
                (resp2.into(), resp3.into()),
                "{reply:?}"
            );
        }
    }

    #[test]
    fn prints_doubles_with_seventeen_digits() {
        for (number, text) in [
            (0.1, "0.10000000000000001"),
            (3.0, "3"),
            (-2.5, "-2.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e-5, "1.5e-05"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(double_text(number), text);
        }
    }
}

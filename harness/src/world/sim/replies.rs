//! A node's reply as a simulated client reads it, without the detour of bytes.
//!
//! What comes out is what the client's parser makes of the encoded reply, in RESP2.

use bytes::Bytes;
use slotquake_core::resp::Reply;
use slotquake_core::resp::reply::double_text;
use slotquake_workloads::client::RespValue;

/// The values that a client gets for one reply: mostly one.
pub fn values(reply: Reply) -> Vec<RespValue> {
    match reply {
        Reply::Many(replies) => replies.into_iter().flat_map(values).collect(),
        Reply::None | Reply::Attribute(_) => Vec::new(),
        one => vec![value(one)],
    }
}

fn value(reply: Reply) -> RespValue {
    match reply {
        Reply::Simple(text) => RespValue::Simple(line(text.into())),
        Reply::Status(text) => RespValue::Simple(line(text)),
        Reply::Error(text) => RespValue::Error(line(text)),
        Reply::Integer(number) => RespValue::Integer(number),
        Reply::Boolean(is_true) => RespValue::Integer(is_true.into()),
        Reply::Bulk(bytes) => RespValue::Bulk(Some(bytes)),
        Reply::Double(number) => bulk(double_text(number)),
        Reply::Decimal(text) | Reply::Verbatim(text) => bulk(text),
        Reply::BigNumber(digits) => bulk(digits.into()),
        Reply::Nil => RespValue::Bulk(None),
        Reply::NilArray => RespValue::Array(None),
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => array(items),
        Reply::Map(pairs) => array(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
        // Inside an aggregate these have no place, and nodes put none there.
        Reply::Many(items) => array(items),
        Reply::Attribute(_) | Reply::None => RespValue::Bulk(None),
    }
}

fn array(items: Vec<Reply>) -> RespValue {
    RespValue::Array(Some(items.into_iter().map(value).collect()))
}

fn bulk(text: String) -> RespValue {
    RespValue::Bulk(Some(Bytes::from(text)))
}

/// A line break inside would end the line early: it is sent as a space.
fn line(text: String) -> String {
    match text.contains(['\r', '\n']) {
        true => text.replace(['\r', '\n'], " "),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotquake_core::output::Protocol;
    use slotquake_workloads::client::RespParser;

    #[test]
    fn a_client_gets_what_it_would_read_from_the_bytes() {
        let one = || Reply::Integer(-1);
        for reply in [
            Reply::OK,
            Reply::Status("a\r\nb".into()),
            Reply::Error("ERR a\nb".into()),
            one(),
            Reply::text("a\r\n"),
            Reply::Nil,
            Reply::NilArray,
            Reply::Array(vec![one(), Reply::Nil, Reply::Array(vec![])]),
            Reply::Map(vec![(Reply::text("a"), one())]),
            Reply::Set(vec![one()]),
            Reply::Double(0.1),
            Reply::Decimal("1.50".into()),
            Reply::Verbatim("text".into()),
            Reply::Boolean(true),
            Reply::BigNumber("1234"),
            Reply::Attribute(vec![(one(), one())]),
            Reply::Push(vec![one()]),
            Reply::Many(vec![one(), Reply::OK]),
            Reply::None,
        ] {
            let (mut bytes, mut parser) = (Vec::new(), RespParser::default());
            reply.encode(Protocol::Resp2, &mut bytes);
            parser.feed(&bytes);
            let read = std::iter::from_fn(|| parser.next_reply().expect("it is RESP"));
            assert_eq!(values(reply.clone()), read.collect::<Vec<_>>(), "{reply:?}");
        }
    }
}

//! Bus packets: both decoders, the encoder, and a node that gets them.

use slotquake_checkers::observation::decode as judge;
use slotquake_core::Input;
use slotquake_core::bus::codec;
use slotquake_core::ids::LinkId;

use super::rig::Rig;

/// One packet as it is, then with signature, version and length made right: the parts that a
/// mutation seldom hits.
pub(super) fn codec(input: &[u8]) {
    judge_and_node_agree(input);
    if let (Ok(total), true) = (u32::try_from(input.len()), input.len() >= 12) {
        let mut repaired = input.to_vec();
        repaired[..4].copy_from_slice(b"RCmb");
        repaired[4..8].copy_from_slice(&total.to_be_bytes());
        repaired[8..10].copy_from_slice(&1_u16.to_be_bytes());
        judge_and_node_agree(&repaired);
    }
}

fn judge_and_node_agree(bytes: &[u8]) {
    let (framed, judged) = (codec::frame_length(bytes), judge::frame_length(bytes));
    if let (Ok(Some(length)), Ok(Some(judged))) = (&framed, &judged) {
        assert_eq!(length, judged, "the length of one packet");
    }
    let Ok(Some(total)) = framed else {
        // Nobody decodes what is no frame; it must only be survived.
        let _unframed = codec::decode(bytes);
        return;
    };
    let Some(frame) = bytes.get(..total) else {
        assert!(codec::decode(bytes).is_err(), "a cut frame, but a packet");
        return;
    };
    match (codec::decode(frame), judge::decode(frame)) {
        (Ok(packet), judged) => {
            let again = codec::decode(&codec::encode(&packet));
            assert_eq!(again.as_ref(), Ok(&packet), "written and read again");
            if let Err(error) = judged {
                assert!(is_stricter(&error), "the node reads {packet:?}: {error}");
            }
        }
        (Err(_), Err(_)) => {}
        (Err(reason), Ok(decoded)) => panic!("the judges read {decoded:?}, the node: {reason}"),
    }
}

/// What a node may believe and the judges do not: names that are none say nothing to a node
/// (BUS-43) but make a packet useless to a judge, who also keeps a bound of his own and leaves
/// light messages alone.
fn is_stricter(error: &judge::DecodeError) -> bool {
    use judge::DecodeError as Error;
    match error {
        Error::NodeId(_) | Error::Light(_) | Error::LengthTooLarge { .. } => true,
        // A length of zero passes with the node as it does upstream, and says nothing.
        Error::Extension { length, .. } => *length == 0,
        Error::Signature(_)
        | Error::LengthTooSmall { .. }
        | Error::Incomplete { .. }
        | Error::Version(_)
        | Error::LengthMismatch { .. } => false,
    }
}

/// A node in a cluster gets packets, one behind the other, on links of its own and of others.
pub(super) fn node(input: &[u8]) {
    let mut rig = Rig::master();
    let mut rest = input;
    let mut count = 0_u64;
    while let Ok(Some(total)) = codec::frame_length(rest) {
        let Some(frame) = rest.get(..total) else {
            break;
        };
        rest = &rest[total..];
        count += 1;
        if let Ok(packet) = codec::decode(frame) {
            let link = rig.link(count % 3);
            rig.take_in(Input::LinkPacket {
                link,
                packet: Box::new(packet),
            });
        }
        rig.pass_time();
    }
    rig.take_in(Input::LinkClosed {
        link: LinkId::inbound(1),
    });
}

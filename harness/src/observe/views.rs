//! What a node says of the cluster: CLUSTER INFO and CLUSTER NODES become a [`View`].
//!
//! Pure: both worlds ask the node, each in its way, and hand the texts over. What the texts do not
//! say, or say in a form we do not know, is an error with the line; nothing is guessed.

use std::sync::Arc;

use slotquake_checkers::observation::slots::SLOT_COUNT;
use slotquake_checkers::observation::{NodeId, NodeName, SlotSet, View, ViewEntry};

/// One poll of one node.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// The node asked.
    pub node: &'a NodeName,
    /// When the question left, ns since the start.
    pub asked: u64,
    /// When the answer was complete, ns since the start.
    pub time: u64,
    /// Answer to CLUSTER INFO.
    pub info: &'a str,
    /// Answer to CLUSTER NODES.
    pub nodes: &'a str,
}

/// Why a node's answer is no view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// CLUSTER INFO lacks a field, or it is no number.
    #[error("CLUSTER INFO has no usable {0}")]
    Field(&'static str),
    /// A line of CLUSTER NODES that is none.
    #[error("CLUSTER NODES line {0:?}: {1}")]
    Line(String, String),
    /// No line says `myself`.
    #[error("CLUSTER NODES names no node as myself")]
    Myself,
}

/// Reads a poll's answers.
///
/// # Errors
/// The texts are not what CLUSTER INFO and CLUSTER NODES print.
pub fn parse_view(poll: &Poll<'_>) -> Result<View, ViewError> {
    let lines = poll.nodes.lines().filter(|line| !line.trim().is_empty());
    let mut table = Vec::new();
    for line in lines {
        table.push(parse_line(line).map_err(|why| ViewError::Line(line.into(), why))?);
    }
    table.sort_by(|a, b| a.id.cmp(&b.id));
    let myself = table.iter().find(|entry| entry.has_flag("myself"));
    let id = myself.ok_or(ViewError::Myself)?.id.clone();
    Ok(View {
        time: poll.time,
        asked: poll.asked,
        node: poll.node.clone(),
        id,
        state_ok: field(poll.info, "cluster_state")? == "ok",
        current_epoch: number(poll.info, "cluster_current_epoch")?,
        my_epoch: number(poll.info, "cluster_my_epoch")?,
        size: number(poll.info, "cluster_size")? as u32,
        table: Arc::new(table),
    })
}

fn field<'a>(info: &'a str, name: &'static str) -> Result<&'a str, ViewError> {
    let mut pairs = info.lines().filter_map(|line| line.trim().split_once(':'));
    let value = pairs.find_map(|(key, value)| (key == name).then_some(value));
    value.ok_or(ViewError::Field(name))
}

fn number(info: &str, name: &'static str) -> Result<u64, ViewError> {
    field(info, name)?
        .parse()
        .map_err(|_| ViewError::Field(name))
}

/// `<id> <ip:port@bus> <flags> <master|-> <ping> <pong> <epoch> <link> <slots…>`.
fn parse_line(line: &str) -> Result<ViewEntry, String> {
    let mut fields = line.split_ascii_whitespace();
    let mut next = |name: &str| fields.next().ok_or(format!("no {name}"));
    let id = next("id")?;
    let address = next("address")?.to_string();
    let flags = next("flags")?.to_string();
    let master = next("master")?;
    next("ping time")?;
    next("pong time")?;
    let config_epoch = next("epoch")?.parse().map_err(|_| "epoch is no number")?;
    let connected = next("link state")? == "connected";
    let (mut slots, mut open_slots) = (SlotSet::default(), Vec::new());
    for part in fields {
        match part.strip_prefix('[') {
            Some(mark) => open_slots.push(mark.trim_end_matches(']').to_string()),
            None => add_range(&mut slots, part)?,
        }
    }
    Ok(ViewEntry {
        id: NodeId(id.into()),
        address,
        flags,
        master: (master != "-").then(|| NodeId(master.into())),
        config_epoch,
        connected,
        slots,
        open_slots,
    })
}

fn add_range(slots: &mut SlotSet, part: &str) -> Result<(), String> {
    let (start, end) = part.split_once('-').unwrap_or((part, part));
    let slot = |text: &str| match text.parse::<u16>() {
        Ok(slot) if slot < SLOT_COUNT => Ok(slot),
        Ok(_) | Err(_) => Err(format!("{part:?} is no slot range")),
    };
    slots.insert_range(slot(start)?, slot(end)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "cluster_state:ok\r\ncluster_slots_assigned:16384\r\n\
        cluster_known_nodes:2\r\ncluster_size:3\r\ncluster_current_epoch:6\r\n\
        cluster_my_epoch:2\r\n";

    fn poll<'a>(node: &'a NodeName, info: &'a str, nodes: &'a str) -> Poll<'a> {
        Poll {
            node,
            asked: 1,
            time: 2,
            info,
            nodes,
        }
    }

    fn nodes_text() -> String {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        format!(
            "{b} 10.0.0.2:6379@16379,host slave,fail? {a} 1 2 5 disconnected\n\
             {a} 10.0.0.1:6379@16379 myself,master - 0 0 2 connected 0-5 7 [93->-{b}]\n"
        )
    }

    #[test]
    fn reads_what_a_node_says() {
        let (node, nodes) = (NodeName::numbered(1), nodes_text());
        let view = parse_view(&poll(&node, INFO, &nodes)).expect("well formed");
        assert!(view.state_ok);
        assert_eq!((view.current_epoch, view.my_epoch, view.size), (6, 2, 3));
        assert_eq!(&*view.id.0, "a".repeat(40));
        assert_eq!(view.table[0].slots.to_string(), "0-5 7");
        assert_eq!(
            view.table[0].open_slots,
            [format!("93->-{}", "b".repeat(40))]
        );
        assert!(view.table[1].has_flag("fail?"));
        assert_eq!(view.table[1].master, Some(NodeId("a".repeat(40).into())));
        assert!(!view.table[1].connected);
    }

    #[test]
    fn says_what_it_cannot_read() {
        let node = NodeName::numbered(1);
        let nodes = nodes_text();
        let table = [
            ("", nodes.as_str(), "CLUSTER INFO has no usable"),
            (INFO, "", "names no node as myself"),
            (INFO, "abc def\n", "no flags"),
            (INFO, "a b myself - 0 0 x connected", "epoch is no number"),
            (
                INFO,
                "a b myself - 0 0 1 connected 5-99999",
                "is no slot range",
            ),
        ];
        for (info, nodes, expected) in table {
            let error = parse_view(&poll(&node, info, nodes)).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}

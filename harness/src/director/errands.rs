//! Errands: acts of an operator, carried out command by command.
//!
//! A fault made of [`Order`]s is not injected by the world: the director asks one node after the
//! other, waits for each answer, and writes down the fault's steps itself. A fault is *installed*
//! once a node said OK to one of its commands, *skipped* if all refused, *indeterminate* if nobody
//! answered. Each answer is written down as well. The heal is over when its commands are done and
//! all nodes in reach know all nodes.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use slotquake_checkers::observation::{Fault, FaultPhase, NodeId, NodeName, NodeSetting};
use slotquake_workloads::client::RespValue;

use super::chart::Chart;
use crate::nemesis::order::{Fact, Whom, Word};
use crate::nemesis::{Insist, Order, Strike};
use crate::world::{Command, FaultSpec};

/// From an answer that is not enough to the next attempt, ns.
const AGAIN_NS: u64 = 300_000_000;
/// Attempts at one command.
const TRIES_MAX: u32 = 20;
/// Longest wait for all nodes to know each other after a heal, ns.
const REUNION_NS_MAX: u64 = 15_000_000_000;
/// Tags below are those of scenarios.
const TAG_FIRST: u64 = 1 << 32;

/// The acts under way.
#[derive(Debug, Default)]
pub struct Errands {
    active: BTreeMap<u32, Errand>,
    /// What was asked and not answered yet: the fault's number by tag.
    asked: BTreeMap<u64, u32>,
    tag_last: u64,
}

/// What to do next about an errand.
#[derive(Debug)]
pub enum Next {
    /// Send this; the answer drives it on.
    Ask(Command),
    /// Look again at this time, ns.
    Wait(u64),
    /// A step of the fault is over.
    Done(Fault),
    /// It waits for an answer, or is no errand.
    Nothing,
}

#[derive(Debug)]
struct Errand {
    spec: FaultSpec,
    /// Ids of the nodes when the fault began.
    ids: BTreeMap<NodeName, NodeId>,
    undo: Vec<Order>,
    step: Step,
    rest: VecDeque<Order>,
    begun: u64,
    tries: u32,
    /// The next command is not to be sent before this time, ns.
    not_before: u64,
    /// What is out, to whom, and since when, ns.
    asked: Option<Sent>,
    keys: Vec<Bytes>,
    tale: Tale,
}

/// A command that waits for its answer.
#[derive(Debug)]
struct Sent {
    to: NodeName,
    words: String,
    time: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Install,
    InForce,
    Heal,
    Reunion { since: u64 },
}

/// What the nodes said so far in this step.
#[derive(Debug, Default)]
struct Tale {
    accepted: u32,
    refused: Option<String>,
    silent: Option<String>,
    /// A command that had to be accepted and never was.
    failed: Option<String>,
}

impl Errands {
    /// Begins an act. It goes on with [`Errands::drive`].
    pub fn begin(&mut self, spec: FaultSpec, strike: Strike, chart: &Chart, now: u64) {
        let errand = Errand {
            ids: chart.ids(),
            undo: strike.undo,
            step: Step::Install,
            rest: strike.orders.into(),
            begun: now,
            tries: 0,
            not_before: now,
            asked: None,
            keys: Vec::new(),
            tale: Tale::default(),
            spec,
        };
        self.active.insert(errand.spec.id, errand);
    }

    /// Begins to undo an act; says whether this fault is one.
    pub fn end(&mut self, fault: u32, now: u64) -> bool {
        let Some(errand) = self.active.get_mut(&fault) else {
            return false;
        };
        errand.step = Step::Heal;
        errand.rest = errand.undo.clone().into();
        (errand.begun, errand.tries, errand.tale) = (now, 0, Tale::default());
        true
    }

    /// Takes in an answer; gives what to write down of it. The fault is to be driven on.
    pub fn answer(
        &mut self,
        tag: u64,
        reply: &Result<RespValue, String>,
        now: u64,
    ) -> Option<Fault> {
        let fault = self.asked.remove(&tag)?;
        let errand = self.active.get_mut(&fault)?;
        let sent = errand.asked.take()?;
        errand.take(reply, now);
        Some(Fault {
            time: now,
            begun: sent.time,
            id: fault,
            kind: errand.spec.kind,
            phase: FaultPhase::Answered(written(reply)),
            targets: vec![sent.to],
            cuts: Vec::new(),
            note: sent.words,
        })
    }

    /// What comes next.
    pub fn drive(&mut self, fault: u32, now: u64, chart: &Chart, nodes: &[NodeSetting]) -> Next {
        let Some(errand) = self.active.get_mut(&fault) else {
            return Next::Nothing;
        };
        if errand.asked.is_some() {
            return Next::Nothing;
        }
        while let Some(order) = errand.rest.front() {
            let known = Known {
                ids: &errand.ids,
                keys: &errand.keys,
                chart,
                nodes,
                now,
            };
            let Some((node, args)) = known.command(order) else {
                // Nobody to send it to, or nothing to say: that is as good as a refusal.
                let words = order.words.clone();
                errand
                    .tale
                    .refused
                    .get_or_insert(format!("not sent: {words}"));
                errand.rest.pop_front();
                continue;
            };
            if now < errand.not_before {
                return Next::Wait(errand.not_before);
            }
            errand.asked = Some(Sent {
                to: node.clone(),
                words: told(&args),
                time: now,
            });
            self.tag_last = self.tag_last.max(TAG_FIRST) + 1;
            self.asked.insert(self.tag_last, fault);
            return Next::Ask(Command::Ask {
                node,
                args,
                tag: self.tag_last,
            });
        }
        let next = errand.next_step(now, chart);
        if let Next::Done(step) = &next
            && matches!(step.phase, FaultPhase::Healed | FaultPhase::Skipped(_))
        {
            self.active.remove(&fault);
        }
        next
    }

    /// A fault that was given up.
    pub fn forget(&mut self, fault: u32) {
        self.active.remove(&fault);
    }
}

impl Errand {
    fn take(&mut self, reply: &Result<RespValue, String>, now: u64) {
        let Some(order) = self.rest.front() else {
            return;
        };
        self.tries += 1;
        if order.words.starts_with("MIGRATE") && is_refusal(reply) {
            if may_pass(reply) && self.tries < TRIES_MAX {
                self.not_before = now + AGAIN_NS;
                return;
            }
            // Keys that the target does not take stay where they are, and so must their slot.
            self.tale.refused.get_or_insert(written(reply));
            self.rest.retain(|order| order.words.ends_with("STABLE"));
            self.tries = 0;
            return;
        }
        let is_enough = match reply {
            Ok(RespValue::Error(why)) => {
                self.tale.refused.get_or_insert(why.clone());
                order.insist != Insist::Accepted
            }
            Ok(value) => {
                self.tale.accepted += 1;
                if let RespValue::Array(items) = value {
                    let keys = items.iter().flatten().filter_map(RespValue::text);
                    self.keys = keys.map(|key| Bytes::from(key.to_string())).collect();
                }
                true
            }
            Err(why) => {
                self.tale.silent.get_or_insert(why.clone());
                order.insist == Insist::Once
            }
        };
        if !is_enough && self.tries < TRIES_MAX {
            self.not_before = now + AGAIN_NS;
            return;
        }
        if !is_enough {
            self.tale.failed = Some(format!("{} refuses {}", order.to, order.words));
        }
        self.rest.pop_front();
        self.tries = 0;
    }

    /// All commands of a step are done.
    fn next_step(&mut self, now: u64, chart: &Chart) -> Next {
        match self.step {
            Step::Install => {
                self.step = Step::InForce;
                let tale = std::mem::take(&mut self.tale);
                Next::Done(self.fault(now, tale.installed()))
            }
            Step::InForce => Next::Nothing,
            Step::Heal => {
                if let Some(why) = self.tale.failed.take() {
                    return Next::Done(self.fault(now, FaultPhase::Indeterminate(why)));
                }
                if self.undo.is_empty() {
                    return Next::Done(self.fault(now, FaultPhase::Healed));
                }
                self.step = Step::Reunion { since: now };
                Next::Wait(now + AGAIN_NS)
            }
            Step::Reunion { since } => {
                if !chart.knows_all(since, &self.spec.targets) && now < since + REUNION_NS_MAX {
                    return Next::Wait(now + AGAIN_NS);
                }
                Next::Done(self.fault(now, FaultPhase::Healed))
            }
        }
    }

    fn fault(&self, now: u64, phase: FaultPhase) -> Fault {
        let spec = self.spec.clone();
        Fault {
            time: now,
            begun: self.begun,
            id: spec.id,
            kind: spec.kind,
            phase,
            targets: spec.targets,
            cuts: spec.cuts,
            note: spec.note,
        }
    }
}

impl Tale {
    fn installed(self) -> FaultPhase {
        match (self.accepted, self.silent, self.refused) {
            (0, Some(why), _) => FaultPhase::Indeterminate(why),
            (0, None, why) => FaultPhase::Skipped(why.unwrap_or_default()),
            (1.., _, _) => FaultPhase::Installed,
        }
    }
}

/// Whether what was asked for was not done, or not for certain.
fn is_refusal(reply: &Result<RespValue, String>) -> bool {
    matches!(reply, Ok(RespValue::Error(_)) | Err(_))
}

/// Whether the same words may be taken a little later.
fn may_pass(reply: &Result<RespValue, String>) -> bool {
    match reply {
        Ok(RespValue::Error(why)) => ["CLUSTERDOWN", "TRYAGAIN", "IOERR"]
            .iter()
            .any(|word| why.starts_with(word)),
        Ok(_) => false,
        Err(_) => true,
    }
}

/// A command for people and checkers; the keys of MIGRATE are counted.
fn told(args: &[Bytes]) -> String {
    let is_keys = |arg: &Bytes| arg.eq_ignore_ascii_case(b"KEYS");
    let named = args
        .iter()
        .position(is_keys)
        .map_or(args.len(), |at| at + 1);
    let words = args[..named].iter().map(|arg| match arg.is_empty() {
        true => "\"\"".into(),
        false => String::from_utf8_lossy(arg),
    });
    let words = words.collect::<Vec<_>>().join(" ");
    match args.len() - named {
        0 => words,
        keys => format!("{words} … ({keys})"),
    }
}

/// An answer as RESP writes it, without what is in it where it is long.
fn written(reply: &Result<RespValue, String>) -> String {
    match reply {
        Ok(RespValue::Simple(text)) => format!("+{text}"),
        Ok(RespValue::Error(text)) => format!("-{text}"),
        Ok(RespValue::Integer(number)) => format!(":{number}"),
        Ok(RespValue::Bulk(None) | RespValue::Array(None)) => "_".into(),
        Ok(RespValue::Bulk(Some(bytes))) => format!("${}", bytes.len()),
        Ok(RespValue::Array(Some(items))) => format!("*{}", items.len()),
        Ok(RespValue::Map(pairs)) => format!("%{}", pairs.len()),
        Err(why) => format!("?{why}"),
    }
}

/// What the braces of an order stand for.
struct Known<'a> {
    ids: &'a BTreeMap<NodeName, NodeId>,
    keys: &'a [Bytes],
    chart: &'a Chart,
    nodes: &'a [NodeSetting],
    now: u64,
}

impl Known<'_> {
    /// To whom, and what; nothing if that is not known.
    fn command(&self, order: &Order) -> Option<(NodeName, Vec<Bytes>)> {
        let node = self.node(order.whom().ok()?)?;
        let mut args = Vec::new();
        for word in order.parsed_words() {
            match word.ok()? {
                Word::Keys if self.keys.is_empty() => return None,
                Word::Keys => args.extend(self.keys.iter().cloned()),
                Word::Empty => args.push(Bytes::new()),
                Word::Plain(text) => args.push(Bytes::copy_from_slice(text.as_bytes())),
                Word::Fact(fact, whom) => args.push(Bytes::from(self.fact(fact, whom)?)),
            }
        }
        Some((node, args))
    }

    fn fact(&self, fact: Fact, whom: Whom) -> Option<String> {
        let name = self.node(whom)?;
        let setting = self.nodes.iter().find(|setting| setting.name == name)?;
        match fact {
            Fact::Id => self.chart.id_of(&name).map(ToString::to_string),
            Fact::Was => self.ids.get(&name).map(ToString::to_string),
            Fact::Ip => Some(setting.address.ip().to_string()),
            Fact::Port => Some(setting.address.port().to_string()),
            Fact::Bus => Some(setting.bus_port.to_string()),
        }
    }

    fn node(&self, whom: Whom) -> Option<NodeName> {
        match whom {
            Whom::Owner(slot) => self.chart.owner_of(slot, self.now),
            Whom::Node(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests;

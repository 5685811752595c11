//! A cluster that has yet to form: nodes that know only themselves, driven without a director.
//!
//! For measuring how the simulation grows: nothing is recorded, so that memory is that of the nodes
//! and the network, and whether the nodes agree is read from them directly.

use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_core::Node;
use slotquake_core::bus::packet::NodeFlags;
use slotquake_core::cluster::{MemberOutline, Outline};
use slotquake_core::ids::NodeId;
use slotquake_core::slot::SlotSet;

use super::{Bus, Codec, MS, SimWorld, boot};
use crate::plan::Plan;
use crate::world::{Command, FaultSpec, Happening, World};

/// From the start of the first node to that of the last, virtual ns.
const STARTING_NS: u64 = 1000 * MS;
/// From one look at whether a phase is over to the next, virtual ns.
const LOOK_NS: u64 = 500 * MS;

impl SimWorld {
    /// The plan's nodes, up, each a master alone in its own cluster; the first ones have their
    /// slots.
    ///
    /// # Errors
    /// A node refuses to start.
    pub fn strangers(plan: &Plan) -> anyhow::Result<SimWorld> {
        let settings = boot::settings(plan);
        let hosts = boot::strangers(plan, &settings)?;
        let mut world = SimWorld::bare(plan, settings, hosts, Codec::Typed)?;
        world.bus = Bus::Unrecorded;
        let count = world.hosts.len() as u64;
        for host in 0..world.hosts.len() {
            // Real processes do not tick in step.
            world.pass(STARTING_NS * host as u64 / count)?;
            let begun = world.start(host);
            begun.context("a node of the simulation does not start")?;
        }
        Ok(world)
    }

    /// Sends a node one command and waits for its answer.
    ///
    /// # Errors
    /// The node is unknown or gives no answer, or answers with an error.
    pub fn tell(&mut self, node: &NodeName, words: &[&str]) -> anyhow::Result<()> {
        let args = words.iter().map(|word| Bytes::from(word.to_string()));
        self.execute(Command::Ask {
            node: node.clone(),
            args: args.collect(),
            tag: 0,
        });
        loop {
            if let Happening::Answer { reply, .. } = self.next()? {
                let said = reply.map(|value| value.text().unwrap_or_default().to_string());
                return match said {
                    Ok(text) if text == "OK" => Ok(()),
                    Ok(text) | Err(text) => bail!("{node} says to {words:?}: {text}"),
                };
            }
        }
    }

    /// Kills these nodes at one instant.
    pub fn kill_all(&mut self, targets: &[NodeName]) {
        self.execute(Command::Inject(killing(targets)));
    }

    /// Starts them again.
    pub fn restart_all(&mut self, targets: &[NodeName]) {
        self.execute(Command::Heal(killing(targets)));
    }

    /// Lets time pass until this holds, looked at twice a virtual second.
    ///
    /// # Errors
    /// It does not hold after `patience_ms`.
    pub fn pass_until(
        &mut self,
        patience_ms: u64,
        mut holds: impl FnMut(&SimWorld) -> bool,
    ) -> anyhow::Result<()> {
        let end = self.now + patience_ms * MS;
        while !holds(self) {
            if self.now >= end {
                bail!("not after {} s of virtual time", patience_ms / 1000);
            }
            self.pass(self.now + LOOK_NS)?;
        }
        Ok(())
    }

    /// Lets time pass until then.
    fn pass(&mut self, until: u64) -> anyhow::Result<()> {
        self.execute(Command::WakeAt(until));
        while self.next()? != Happening::Woke {}
        Ok(())
    }

    /// The id of a node that is up.
    pub fn id_of(&self, name: &NodeName) -> Option<String> {
        let outline = self.outline(self.host_of(name)?)?;
        Some(outline.myself.to_string())
    }

    /// Whether every node is known to every other, by handshakes that are over.
    pub fn is_acquainted(&self, doubt: &mut Doubt) -> bool {
        let count = self.hosts.len();
        let lacks_some = |host: &usize| {
            let seen = self.outline(*host);
            !seen.is_some_and(|seen| is_whole(&seen, count))
        };
        let mut hosts = doubt.first(0..count);
        doubt.about(hosts.find(lacks_some))
    }

    /// Whether every node that is up says ok and all see the same owners and the same replicas,
    /// with no slot left to a node that is down.
    pub fn agrees(&self, doubt: &mut Doubt) -> bool {
        let up = |host: &usize| self.hosts[*host].node.is_some();
        let Some(first) = (0..self.hosts.len()).find(up) else {
            return false;
        };
        let Some(common) = self.map_of(first) else {
            return doubt.about(Some(first));
        };
        let mut others = doubt.first(first + 1..self.hosts.len()).filter(up);
        doubt.about(others.find(|host| self.map_of(*host).as_ref() != Some(&common)))
    }

    /// Who owns what and follows whom, as a host sees it; none unless all is well there.
    fn map_of(&self, host: usize) -> Option<Map> {
        let seen = self.outline(host).filter(|seen| seen.is_ok)?;
        let is_down =
            |member: &MemberOutline| member.flags.has(NodeFlags::FAIL) && !member.slots.is_empty();
        let is_well = !seen.members.iter().any(is_down) && is_whole(&seen, self.hosts.len());
        let members = seen.members.into_iter();
        let mut map: Map = members
            .map(|member| (member.id, member.master, member.slots))
            .collect();
        map.sort_unstable_by_key(|(id, _, _)| *id);
        is_well.then_some(map)
    }

    /// The nodes that own slots or have a master, as the first node that is up sees it.
    pub fn roles(&self) -> (usize, usize) {
        let mut hosts = (0..self.hosts.len()).filter_map(|host| self.outline(host));
        let members = hosts.next().map(|seen| seen.members).unwrap_or_default();
        let owners = members.iter().filter(|member| !member.slots.is_empty());
        let replicas = members.iter().filter(|member| member.master.is_some());
        (owners.count(), replicas.count())
    }

    /// Whether one of these owns slots, as the first node that is up sees it.
    pub fn own_slots(&self, ids: &[String]) -> bool {
        let mut hosts = (0..self.hosts.len()).filter_map(|host| self.outline(host));
        let members = hosts.next().map(|seen| seen.members).unwrap_or_default();
        let mut owners = members.iter().filter(|member| !member.slots.is_empty());
        owners.any(|member| ids.contains(&member.id.to_string()))
    }

    fn outline(&self, host: usize) -> Option<Outline> {
        self.hosts[host].node.as_ref().and_then(Node::outline)
    }
}

/// Master and slots of each node, by id.
type Map = Vec<(NodeId, Option<NodeId>, Arc<SlotSet>)>;

/// The host that objected last: to be asked first, as it will mostly object again. A look at all
/// hosts takes time that grows with the square of their number.
#[derive(Debug, Default)]
pub struct Doubt(Option<usize>);

impl Doubt {
    /// These hosts, the one in doubt before the others.
    fn first(&self, hosts: Range<usize>) -> impl Iterator<Item = usize> + use<> {
        let doubted = self.0.filter(|host| hosts.contains(host));
        let others = hosts.filter(move |host| Some(*host) != doubted);
        doubted.into_iter().chain(others)
    }

    /// Notes who objected; tells whether nobody did.
    fn about(&mut self, host: Option<usize>) -> bool {
        self.0 = host;
        host.is_none()
    }
}

fn is_whole(seen: &Outline, count: usize) -> bool {
    let is_known = |member: &&MemberOutline| !member.flags.has(NodeFlags::HANDSHAKE);
    seen.members.iter().filter(is_known).count() == count
}

fn killing(targets: &[NodeName]) -> FaultSpec {
    FaultSpec {
        id: 1,
        kind: FaultKind::Kill,
        targets: targets.to_vec(),
        cuts: Vec::new(),
        dose: None,
        note: String::new(),
    }
}

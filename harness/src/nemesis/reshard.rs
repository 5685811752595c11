//! A slot in use moves to another master, and the tool that moves it stops at any step.
//!
//! Nothing else strikes the two shards meanwhile: a failover of either end in the middle may lose
//! keys (MG-05, MG-06), which is another story. At the heal the move is finished, as the
//! documents tell an operator to do: what was moved must not be moved back under load. In between
//! no acknowledged key may be lost (MG-01). Now and then it is an idle slot that changes hands, and
//! a key of it is left behind (MG-02).

use slotquake_checkers::observation::{FaultKind, NodeName, SlotSet};
use slotquake_workloads::rng::Rng;

use super::order::Order;
use super::picture::{Condition, NodePicture, Picture, Role};
use super::{Hold, Nemesis, Share, Skip, Strike, Worlds, left_keys};

/// This fault's line in the registry.
pub const NEMESIS: Nemesis = Nemesis {
    kind: FaultKind::Reshard,
    help: "move a slot in use to another master, interrupted at any step, finished at the heal",
    share: Share::Percent(25),
    worlds: Worlds::All,
    hold: Hold::Targets,
    plan,
};

/// Share of moves whose steps are in another order than the documented one, percent.
const ODD_PERCENT: u64 = 25;
/// Share of moves in which the source is told too early to give the slot away, percent.
const EARLY_PERCENT: u64 = 25;
/// Share of moves of an idle slot without its keys, percent.
const LEFT_PERCENT: u64 = 15;
/// Share of moves that are not interrupted, percent.
const WHOLE_PERCENT: u64 = 40;
/// Share of moves that stop after one key of the slot, percent.
const ONE_KEY_PERCENT: u64 = 20;

fn plan(picture: &Picture, rng: &mut Rng) -> Result<Strike, Skip> {
    if picture.has_struck() {
        return Err(Skip("another fault is in force"));
    }
    let is_whole = |node: &&NodePicture| {
        let mut shard = picture.replicas_of(&node.name).chain([*node]);
        shard.all(|node| node.condition == Condition::Settled)
    };
    let masters: Vec<&NodePicture> = picture.masters().filter(is_whole).collect();
    let busy = |node: &NodePicture| -> Vec<u16> {
        let slots: SlotSet = node.slots();
        let used = picture.busy_slots.iter().copied();
        used.filter(|slot| slots.contains(*slot)).collect()
    };
    let sources: Vec<&NodePicture> = masters
        .iter()
        .copied()
        .filter(|node| !busy(node).is_empty() && can_give(node, picture))
        .collect();
    let source = rng.pick(&sources).copied();
    let source = source.ok_or(Skip("no settled master has a slot in use"))?;
    let empty = picture
        .nodes
        .iter()
        .filter(|node| node.role == Role::Slotless);
    let empty = empty.filter(is_whole);
    let mut targets: Vec<&NodePicture> = masters.iter().copied().chain(empty).collect();
    targets.retain(|node| node.name != source.name);
    let target = rng.pick(&targets).copied();
    let target = target.ok_or(Skip("no other master is settled"))?;
    let left = match rng.chance(LEFT_PERCENT) {
        true => left_keys::strike(source, target, picture, rng),
        false => None,
    };
    let shards = picture
        .replicas_of(&source.name)
        .chain(picture.replicas_of(&target.name));
    let names = [&source.name, &target.name].into_iter();
    let targets = names
        .chain(shards.map(|node| &node.name))
        .cloned()
        .collect();
    if let Some(left) = left {
        return Ok(Strike { targets, ..left });
    }
    let slots = busy(source);
    let slot = *rng.pick(&slots).expect("a source has slots in use");
    let way = Move {
        slot,
        source: &source.name,
        target: &target.name,
    };
    let (documented, steps) = way.drawn_steps(rng);
    Ok(Strike {
        targets,
        note: format!(
            "move slot {slot} from {} to {}: {} of 7 steps",
            source.name, target.name, documented
        ),
        duration_ms: 200 + rng.below(2_000),
        orders: steps,
        undo: way.finish(&masters_of(picture)),
        ..Strike::default()
    })
}

/// Who has slots and replicas keeps one slot: a shard without any would dissolve (UP-08).
fn can_give(node: &NodePicture, picture: &Picture) -> bool {
    node.slots().len() > 1 || picture.replicas_of(&node.name).next().is_none()
}

fn masters_of(picture: &Picture) -> Vec<NodeName> {
    picture.masters().map(|node| node.name.clone()).collect()
}

/// A slot on its way.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// Which.
    pub slot: u16,
    /// Whose it is.
    pub source: &'a NodeName,
    /// Whose it will be.
    pub target: &'a NodeName,
}

impl Move<'_> {
    /// CLUSTER SETSLOT of this slot.
    pub(super) fn setslot(&self, to: &NodeName, what: &str, peer: &NodeName) -> Order {
        let slot = self.slot;
        Order::once(to, format!("CLUSTER SETSLOT {slot} {what} {{id:{peer}}}"))
    }

    fn move_keys(&self, replaces: &str) -> [Order; 2] {
        let (slot, source, target) = (self.slot, self.source, self.target);
        let migrate = format!(
            "MIGRATE {{ip:{target}}} {{port:{target}}} \"\" 0 2000{replaces} KEYS {{keys}}"
        );
        [
            Order::once(source, format!("CLUSTER GETKEYSINSLOT {slot} 1000")),
            Order::once(source, migrate),
        ]
    }

    /// The documented course, but for the word to bystanders, who learn it by gossip.
    pub fn steps(&self) -> Vec<Order> {
        let (source, target) = (self.source, self.target);
        let mut steps = vec![
            self.setslot(target, "IMPORTING", source),
            self.setslot(source, "MIGRATING", target),
        ];
        steps.extend(self.move_keys(""));
        steps.push(Order::once(
            source,
            format!("CLUSTER COUNTKEYSINSLOT {}", self.slot),
        ));
        steps.push(self.setslot(target, "NODE", target));
        steps.push(self.setslot(source, "NODE", target));
        steps
    }

    /// The steps that are carried out before the heal, and how many of the documented ones.
    fn drawn_steps(&self, rng: &mut Rng) -> (usize, Vec<Order>) {
        let mut steps = self.steps();
        if rng.chance(ODD_PERCENT) {
            let first = [0, 5][rng.below(2) as usize];
            steps.swap(first, first + 1);
        }
        if !rng.chance(WHOLE_PERCENT) {
            steps.truncate(1 + rng.below(steps.len() as u64) as usize);
        }
        if rng.chance(ONE_KEY_PERCENT) {
            // MG-07: the others stay behind until the heal.
            steps.truncate(4);
            let mut lists = steps.iter_mut();
            if let Some(list) = lists.find(|step| step.words.contains("GETKEYS")) {
                list.words = format!("CLUSTER GETKEYSINSLOT {} 1", self.slot);
            }
        }
        let documented = steps.len();
        if documented >= 2 && rng.chance(EARLY_PERCENT) {
            steps.splice(2..2, self.too_early());
        }
        (documented, steps)
    }

    /// MG-03: with keys in it the source must refuse to give the slot away.
    fn too_early(&self) -> [Order; 2] {
        let (source, target) = (self.source, self.target);
        let count = format!("CLUSTER COUNTKEYSINSLOT {}", self.slot);
        [
            Order::once(source, count),
            self.setslot(source, "NODE", target),
        ]
    }

    /// From any step to the end. What is done already is refused, and that is well.
    pub fn finish(&self, masters: &[NodeName]) -> Vec<Order> {
        let (source, target) = (self.source, self.target);
        let mut orders = vec![
            self.setslot(target, "IMPORTING", source),
            self.setslot(source, "MIGRATING", target),
        ];
        // A key whose transfer was cut short may be on both sides; the source's is the one in use.
        orders.extend(self.move_keys(" REPLACE"));
        orders.extend(self.move_keys(" REPLACE"));
        orders.push(Order {
            insist: super::order::Insist::Accepted,
            ..self.setslot(target, "NODE", target)
        });
        orders.push(self.setslot(source, "NODE", target));
        let bystanders = masters
            .iter()
            .filter(|name| *name != source && *name != target);
        orders.extend(bystanders.map(|name| self.setslot(name, "NODE", target)));
        for name in [source, target] {
            let close = format!("CLUSTER SETSLOT {} STABLE", self.slot);
            orders.push(Order::once(name, close));
        }
        orders
    }
}

//! How time and memory grow with the number of nodes.
//!
//! Clusters of growing size form from nodes that know only themselves, get their replicas, lose a
//! tenth of their masters at one instant, heal themselves and take the lost ones back. Nothing is
//! recorded and no client is at work: what is measured is the protocol between nodes.

use std::time::Duration;

use anyhow::{Context, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use slotquake_checkers::observation::NodeName;

use super::trial::thread_cpu;
use crate::plan::{Plan, WorldKind};
use crate::world::World;
use crate::world::sim::{Doubt, SimWorld};

/// What a phase of one cluster took.
#[derive(Debug, Clone)]
pub struct Step {
    /// What had to come true.
    pub name: &'static str,
    /// Virtual time until it had, ns.
    pub virtual_ns: u64,
    /// Events of the simulation.
    pub events: u64,
    /// CPU time of this thread.
    pub cpu: Duration,
}

/// One cluster.
#[derive(Debug, Clone)]
pub struct Growth {
    /// Nodes, half of them replicas.
    pub nodes: u16,
    /// Masters killed at once.
    pub lost: usize,
    /// Its phases, in order.
    pub steps: Vec<Step>,
    /// The most memory that this process has had so far, kB.
    pub memory_kb_max: i64,
}

/// Longest wait for a phase, virtual ms: a node meets all others one after the other.
fn patience_ms(nodes: u16) -> u64 {
    900_000 + 3_000 * u64::from(nodes)
}

/// Puts one cluster through it; `done` is told each phase when it is over.
///
/// # Errors
/// A phase that does not come to its end.
pub fn measure(
    (nodes, node_timeout_ms, seed): (u16, u64, u64),
    done: &mut dyn FnMut(&Step),
) -> anyhow::Result<Growth> {
    let plan = Plan {
        seed,
        world: WorldKind::Sim,
        masters: nodes / 2,
        replicas: 1,
        node_timeout_ms,
        ..Plan::default()
    };
    plan.validate()?;
    let masters = usize::from(plan.masters);
    let lost = masters.div_ceil(10);
    let (patience_ms, doubt) = (patience_ms(nodes), &mut Doubt::default());
    let mut steps = Vec::new();
    let mut world = SimWorld::strangers(&plan)?;
    let names: Vec<NodeName> = world.nodes().iter().map(|node| node.name.clone()).collect();

    let mut clock = Clock::of(&world);
    meet(&mut world, &names)?;
    world
        .pass_until(patience_ms, |world| world.is_acquainted(doubt))
        .context("not every node knows every other")?;
    steps.push(clock.step("every node knows every other", &world, done));

    attach(&mut world, &names, masters)?;
    world
        .pass_until(patience_ms, |world| world.agrees(doubt))
        .context("no agreement on the formed cluster")?;
    ensure!(
        world.roles() == (masters, names.len() - masters),
        "roles are not as ordered"
    );
    steps.push(clock.step("replicas attached, all maps equal", &world, done));

    let victims: Vec<NodeName> = names[..lost].to_vec();
    let ids: Vec<String> = victims
        .iter()
        .filter_map(|name| world.id_of(name))
        .collect();
    world.kill_all(&victims);
    world
        .pass_until(patience_ms, |world| {
            !world.own_slots(&ids) && world.agrees(doubt)
        })
        .context("the lost masters are not replaced")?;
    steps.push(clock.step("a tenth of the masters killed and replaced", &world, done));

    world.restart_all(&victims);
    world
        .pass_until(patience_ms, |world| {
            world.agrees(doubt) && world.roles() == (masters, names.len() - masters)
        })
        .context("the lost masters do not come back as replicas")?;
    steps.push(clock.step("the killed are back as replicas", &world, done));
    Ok(Growth {
        nodes: nodes / 2 * 2,
        lost,
        steps,
        memory_kb_max: getrusage(UsageWho::RUSAGE_SELF)?.max_rss(),
    })
}

/// Every node meets the first one, as `redis-cli --cluster create` has it; gossip does the rest.
fn meet(world: &mut SimWorld, names: &[NodeName]) -> anyhow::Result<()> {
    let first = world.nodes()[0].address;
    let (ip, port) = (first.ip().to_string(), first.port().to_string());
    for name in &names[1..] {
        world.tell(name, &["CLUSTER", "MEET", &ip, &port])?;
    }
    Ok(())
}

/// Every node behind the masters becomes a replica of one.
fn attach(world: &mut SimWorld, names: &[NodeName], masters: usize) -> anyhow::Result<()> {
    for (replica, name) in names[masters..].iter().enumerate() {
        let master = world.id_of(&names[replica % masters]);
        let master = master.context("a master is down")?;
        world.tell(name, &["CLUSTER", "REPLICATE", &master])?;
    }
    Ok(())
}

/// What was used up to the last step.
struct Clock {
    virtual_ns: u64,
    events: u64,
    cpu: Duration,
}

impl Clock {
    fn of(world: &SimWorld) -> Clock {
        Clock {
            virtual_ns: world.now(),
            events: world.events_played(),
            cpu: thread_cpu(),
        }
    }

    fn step(&mut self, name: &'static str, world: &SimWorld, done: &mut dyn FnMut(&Step)) -> Step {
        let now = Clock::of(world);
        let step = Step {
            name,
            virtual_ns: now.virtual_ns - self.virtual_ns,
            events: now.events - self.events,
            cpu: now.cpu.saturating_sub(self.cpu),
        };
        *self = now;
        done(&step);
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves HS-01 and EL-01 at a size that no hand-made table has.
    #[test]
    fn strangers_form_a_cluster_that_survives_the_loss_of_a_tenth_of_its_masters() {
        let mut told = 0;
        let growth = measure((20, 2_000, 1), &mut |_| told += 1).expect("it converges");
        assert_eq!(told, 4);
        assert_eq!((growth.nodes, growth.lost, growth.steps.len()), (20, 1, 4));
        assert!(growth.steps.iter().all(|step| step.events > 0));
        // Nobody is replaced before the node timeout is over.
        assert!(growth.steps[2].virtual_ns > 2_000_000_000);
    }
}

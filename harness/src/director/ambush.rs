//! Ambushes: kills that wait for a moment of an election.
//!
//! A candidate that dies between its request and its promotion, or a voter right after its vote,
//! is a matter of milliseconds that a drawn time hardly ever hits. When a master is killed an
//! ambush may be laid for its replicas or for those who will vote, in worlds that tell such
//! moments; a script says itself which of its strikes wait. It goes off at the next whole
//! millisecond of the disturbed phase, so that the script of the run, which knows milliseconds,
//! plays it again.

use std::collections::VecDeque;

use slotquake_checkers::observation::{FaultKind, NodeName};
use slotquake_workloads::rng::Rng;

use super::agenda::Due;
use super::schedule::Drawn;
use super::state::{Director, Phase};
use crate::nemesis::{Condition, Moment, NodePicture, Picture, Role, Strike};
use crate::world::Command;

/// Share of kills of masters that come with an ambush, percent.
const AMBUSH_PERCENT: u64 = 40;
/// Share of ambushes for voters, where one can be spared, percent.
const VOTERS_PERCENT: u64 = 40;
const MS: u64 = 1_000_000;

/// Whether an ambush is laid, and for whom.
#[derive(Debug)]
pub struct Ambush {
    rng: Rng,
    laid: Option<Laid>,
    /// Who is to be killed next.
    victim: Option<(NodeName, Moment)>,
    /// Strikes of a script that wait for their moment, and those whose moment has come.
    waiting: Vec<Drawn>,
    sprung: VecDeque<Drawn>,
}

#[derive(Debug, PartialEq, Eq)]
struct Laid {
    moment: Moment,
    nodes: Vec<NodeName>,
    /// When it is given up, ns.
    until: u64,
}

impl Ambush {
    /// None yet.
    pub fn new(seed: u64) -> Ambush {
        Ambush {
            rng: Rng::named(seed, "ambush"),
            laid: None,
            victim: None,
            waiting: Vec::new(),
            sprung: VecDeque::new(),
        }
    }

    /// Keeps a strike that has to wait for a moment, and gives any other back.
    pub(super) fn lay(&mut self, drawn: Drawn) -> Option<Drawn> {
        if drawn.strike.awaits.is_none() {
            return Some(drawn);
        }
        self.waiting.push(drawn);
        None
    }

    /// A strike was drawn: perhaps lays an ambush for the election that will follow. The master
    /// then stays away until a second attempt had its time (VO-05, EL-06): one that comes back
    /// before comes back empty and passes its emptiness on (HI-07).
    pub fn prepare(&mut self, drawn: &mut Drawn, picture: &Picture, now: u64) {
        let [target] = drawn.strike.targets.as_slice() else {
            return;
        };
        let is_master = picture.masters().any(|master| master.name == *target);
        if drawn.kind != FaultKind::Kill || !is_master || !self.rng.chance(AMBUSH_PERCENT) {
            return;
        }
        let is_settled = |node: &&NodePicture| node.condition == Condition::Settled;
        let rivals = picture.replicas_of(target).filter(is_settled);
        let rivals: Vec<NodeName> = rivals.map(|node| node.name.clone()).collect();
        let voters = picture.strikable_masters().into_iter();
        let voters = voters.filter(|node| node.name != *target);
        let voters: Vec<NodeName> = voters.map(|node| node.name.clone()).collect();
        let can_spare_two = picture.masters_spare() > 1 && !voters.is_empty();
        let (moment, nodes) = match (can_spare_two && self.rng.chance(VOTERS_PERCENT), &rivals) {
            (true, _) => (Moment::Votes, voters),
            (false, rivals) if rivals.len() > 1 => (Moment::AsksForVotes, rivals.clone()),
            (false, _) => return,
        };
        let until = now + drawn.strike.duration_ms * MS;
        drawn.strike.duration_ms += (4 * picture.node_timeout_ms).max(4_000) + 2_000;
        self.laid = Some(Laid {
            moment,
            nodes,
            until,
        });
    }

    /// A moment came: says whether it was awaited.
    fn spring(&mut self, node: &NodeName, moment: Moment, now: u64) -> bool {
        let is_awaited = |laid: &mut Laid| {
            laid.moment == moment && now < laid.until && laid.nodes.contains(node)
        };
        let is_sprung = self.laid.take_if(is_awaited).is_some();
        if is_sprung {
            self.victim = Some((node.clone(), moment));
        }
        is_sprung || self.spring_waiting(node, moment)
    }

    fn spring_waiting(&mut self, node: &NodeName, moment: Moment) -> bool {
        let is_awaited = |Drawn { strike, .. }: &Drawn| {
            strike.awaits == Some(moment) && strike.targets.contains(node)
        };
        let Some(place) = self.waiting.iter().position(is_awaited) else {
            return false;
        };
        let Drawn { kind, strike } = self.waiting.remove(place);
        let strike = Strike {
            targets: vec![node.clone()],
            awaits: None,
            note: format!("{} {node} {}", kind.name(), moment.told()),
            ..strike
        };
        self.sprung.push_back(Drawn { kind, strike });
        true
    }

    /// The kill, if the victim can still be spared.
    fn kill(&mut self, picture: &Picture) -> Option<Drawn> {
        let (name, moment) = self.victim.take()?;
        let mut nodes = picture.nodes.iter();
        let node = nodes.find(|node| node.name == name)?;
        let (is_spare, shortest_ms) = match (&node.role, moment) {
            (Role::Replica { .. }, Moment::AsksForVotes) => {
                let mut rivals = picture.rival_candidates().into_iter();
                let is_rival = rivals.any(|rival| rival.name == name);
                (is_rival, 200)
            }
            (Role::Master { .. }, Moment::Votes) => {
                let mut spare = picture.strikable_masters().into_iter();
                let is_spare = spare.any(|master| master.name == name);
                // As any master: until its replica took over (HI-07).
                (is_spare, picture.failover_ms() + 500)
            }
            (Role::Replica { .. } | Role::Master { .. } | Role::Slotless | Role::Other, _) => {
                return None;
            }
        };
        let strike = Strike {
            targets: vec![name],
            note: format!("kill {} {}", node.describe(), moment.told()),
            duration_ms: shortest_ms + self.rng.below(2 * picture.node_timeout_ms + 500),
            ..Strike::default()
        };
        let kind = FaultKind::Kill;
        is_spare.then_some(Drawn { kind, strike })
    }
}

impl Director {
    /// A node came to a moment of an election.
    pub(super) fn on_moment(&mut self, now: u64, node: &NodeName, moment: Moment) {
        let (phase, begun) = self.phase_and_begin();
        if phase == Phase::Disturb && self.ambush.spring(node, moment, now) {
            let at_ms = (now - begun).div_ceil(MS);
            self.agenda.add(begun + at_ms * MS, Due::Ambush);
        }
    }

    /// The kill of an ambush is due.
    pub(super) fn spring_ambush(&mut self, now: u64, out: &mut Vec<Command>) {
        let picture = self.chart.picture(now);
        let (phase, _) = self.phase_and_begin();
        let sprung = self.ambush.sprung.pop_front();
        let drawn = sprung.or_else(|| self.ambush.kill(&picture));
        if let Some(drawn) = drawn.filter(|_| phase == Phase::Disturb) {
            self.inject(now, drawn, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let node = |number: usize| {
            let master = (number - 1) % 3 + 1;
            NodePicture {
                name: NodeName::numbered(number),
                role: match number <= 3 {
                    true => Role::Master {
                        slots: format!("{}-{}", master * 10, master * 10 + 9),
                    },
                    false => Role::Replica {
                        of: NodeName::numbered(master),
                    },
                },
                condition: Condition::Settled,
            }
        };
        Picture {
            nodes: (1..=9).map(node).collect(),
            node_timeout_ms: 1000,
            busy_slots: Vec::new(),
            world: crate::plan::WorldKind::Sim,
        }
    }

    fn kill_of(number: usize) -> Drawn {
        Drawn {
            kind: FaultKind::Kill,
            strike: Strike {
                targets: vec![NodeName::numbered(number)],
                duration_ms: 5000,
                ..Strike::default()
            },
        }
    }

    /// An ambush after the kill of n1, which is down from then on.
    fn laid() -> (Ambush, Picture) {
        let mut ambush = Ambush::new(1);
        while ambush.laid.is_none() {
            ambush.prepare(&mut kill_of(1), &picture(), 0);
        }
        let mut picture = picture();
        picture.nodes[0].condition = Condition::Struck;
        (ambush, picture)
    }

    #[test]
    fn a_candidate_is_killed_when_it_asks_for_votes() {
        let (mut ambush, picture) = laid();
        let (rival, stranger) = (NodeName::numbered(7), NodeName::numbered(5));
        assert!(!ambush.spring(&rival, Moment::Votes, 1));
        assert!(!ambush.spring(&stranger, Moment::AsksForVotes, 1));
        assert!(ambush.spring(&rival, Moment::AsksForVotes, 1));
        let drawn = ambush.kill(&picture).expect("its sibling is left");
        assert_eq!(drawn.strike.targets, std::slice::from_ref(&rival));
        assert!(!ambush.spring(&rival, Moment::AsksForVotes, 2), "once");
    }

    #[test]
    fn the_last_replica_is_spared() {
        let (mut ambush, mut picture) = laid();
        picture.nodes[3].condition = Condition::Recovering;
        assert!(ambush.spring(&NodeName::numbered(7), Moment::AsksForVotes, 1));
        assert!(ambush.kill(&picture).is_none());
    }

    #[test]
    fn an_ambush_is_given_up_with_the_fault_it_came_with() {
        let (mut ambush, _) = laid();
        let late = 5000 * MS;
        assert!(!ambush.spring(&NodeName::numbered(7), Moment::AsksForVotes, late));
    }

    #[test]
    fn a_strike_of_a_script_waits_for_the_first_of_its_targets() {
        let mut ambush = Ambush::new(1);
        let mut drawn = kill_of(2);
        drawn.strike.awaits = Some(Moment::Votes);
        drawn.strike.targets.push(NodeName::numbered(3));
        assert!(ambush.lay(drawn).is_none(), "it is kept");
        assert!(ambush.lay(kill_of(1)).is_some(), "it strikes at its time");
        let [stranger, first, second] = [1, 3, 2].map(NodeName::numbered);
        assert!(!ambush.spring(&stranger, Moment::Votes, 1));
        assert!(!ambush.spring(&first, Moment::AsksForVotes, 1));
        assert!(ambush.spring(&first, Moment::Votes, 1));
        assert!(!ambush.spring(&second, Moment::Votes, 2), "once");
        let sprung = ambush.sprung.pop_front().expect("its moment came");
        assert_eq!(sprung.strike.targets, [first]);
        assert_eq!(
            (sprung.strike.awaits, sprung.strike.duration_ms),
            (None, 5000)
        );
    }
}

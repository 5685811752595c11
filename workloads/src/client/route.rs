//! Which node serves which slot, as the client believes.
//!
//! Learned from CLUSTER SLOTS and corrected by MOVED. Pure: it sends nothing, it only remembers
//! and says which node to ask. A reply that makes no sense changes nothing.

use std::net::SocketAddrV4;

use slotquake_checkers::observation::slots::SLOT_COUNT;

use super::outcome::host_ip;
use super::resp::RespValue;

/// The client's slot map.
#[derive(Debug, Clone)]
pub struct Route {
    /// Nodes to ask when nothing better is known.
    seeds: Vec<SocketAddrV4>,
    /// Which of the seeds is asked next.
    seed_next: usize,
    /// Runs of slots with one owner, each with its first slot, in order from slot 0 on. There are
    /// few of them, and there may be thousands of clients.
    owners: Vec<(u16, Option<SocketAddrV4>)>,
    /// Ranges of slots and the replicas of their owners, as the last map had them.
    replicas: Vec<(u16, u16, Vec<SocketAddrV4>)>,
    /// Which replica is read next.
    replica_next: usize,
}

impl Route {
    /// A route that knows only whom to ask. Panics without a seed: nobody can be asked.
    pub fn new(seeds: Vec<SocketAddrV4>) -> Route {
        assert!(!seeds.is_empty(), "a client needs at least one node to ask");
        Route {
            seeds,
            seed_next: 0,
            owners: vec![(0, None)],
            replicas: Vec::new(),
            replica_next: 0,
        }
    }

    /// The owner of a slot, if known.
    pub fn owner(&self, slot: u16) -> Option<SocketAddrV4> {
        self.owners[self.run_of(slot)].1
    }

    /// A replica of a slot's owner, another one each time, if one is known.
    pub fn next_replica(&mut self, slot: u16) -> Option<SocketAddrV4> {
        let mut ranges = self.replicas.iter();
        let (_, _, replicas) = ranges.find(|(start, end, _)| (*start..=*end).contains(&slot))?;
        self.replica_next = self.replica_next.wrapping_add(1);
        let position = self.replica_next.checked_rem(replicas.len())?;
        replicas.get(position).copied()
    }

    /// A node to ask for the map, another one each time.
    pub fn next_seed(&mut self) -> SocketAddrV4 {
        let seed = self.seeds[self.seed_next % self.seeds.len()];
        self.seed_next = (self.seed_next + 1) % self.seeds.len();
        seed
    }

    /// Learns one slot's owner from MOVED.
    pub fn learn(&mut self, slot: u16, owner: SocketAddrV4) {
        if slot < SLOT_COUNT {
            self.give(slot, slot, owner);
        }
    }

    /// Takes in a reply to CLUSTER SLOTS from `node`. True if it named at least one range; slots it
    /// does not name keep the owner they had.
    pub fn take_slots(&mut self, reply: &RespValue, node: SocketAddrV4) -> bool {
        let RespValue::Array(Some(ranges)) = reply else {
            return false;
        };
        let mut read = ranges.iter().filter_map(|range| read_range(range, node));
        let Some(first) = read.next() else {
            return false;
        };
        self.replicas.clear();
        for (start, end, owner, replicas) in std::iter::once(first).chain(read) {
            self.give(start, end, owner);
            self.replicas.push((start, end, replicas));
        }
        true
    }

    /// The position of the run that holds this slot.
    fn run_of(&self, slot: u16) -> usize {
        // The first run begins at slot 0.
        self.owners.partition_point(|(first, _)| *first <= slot) - 1
    }

    /// Makes `owner` the owner of the slots from `start` to `end`.
    fn give(&mut self, start: u16, end: u16, owner: SocketAddrV4) {
        if self.owner(start) == Some(owner) && self.run_of(start) == self.run_of(end) {
            return;
        }
        let behind = end + 1;
        let after = (behind < SLOT_COUNT).then(|| (behind, self.owners[self.run_of(behind)].1));
        let runs = self.owners.iter();
        let before = runs.clone().filter(|(first, _)| *first < start);
        let later = runs.filter(|(first, _)| *first > behind);
        let given = std::iter::once((start, Some(owner)));
        let mut owners: Vec<_> = before.copied().chain(given).chain(after).collect();
        owners.extend(later.copied());
        owners.dedup_by_key(|(_, owner)| *owner);
        self.owners = owners;
    }
}

/// A range of slots, their owner, and its replicas.
type SlotRange = (u16, u16, SocketAddrV4, Vec<SocketAddrV4>);

/// `[start, end, [host, port, …], replicas…]`.
fn read_range(range: &RespValue, node: SocketAddrV4) -> Option<SlotRange> {
    let RespValue::Array(Some(fields)) = range else {
        return None;
    };
    let [
        RespValue::Integer(start),
        RespValue::Integer(end),
        owner,
        replicas @ ..,
    ] = fields.as_slice()
    else {
        return None;
    };
    let (start, end) = (u16::try_from(*start).ok()?, u16::try_from(*end).ok()?);
    let owner = read_endpoint(owner, node)?;
    let replicas = replicas.iter();
    let replicas = replicas.filter_map(|replica| read_endpoint(replica, node));
    (start <= end && end < SLOT_COUNT).then(|| (start, end, owner, replicas.collect()))
}

fn read_endpoint(endpoint: &RespValue, node: SocketAddrV4) -> Option<SocketAddrV4> {
    let RespValue::Array(Some(endpoint)) = endpoint else {
        return None;
    };
    let [host, RespValue::Integer(port), ..] = endpoint.as_slice() else {
        return None;
    };
    // RD-07: a null or empty host is the node that answered.
    let host = match host {
        RespValue::Bulk(None) => "",
        named => named.text()?,
    };
    Some(SocketAddrV4::new(
        host_ip(host, node)?,
        u16::try_from(*port).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn node(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new([127, 0, 0, 1].into(), port)
    }

    fn range(start: i64, end: i64, host: Option<&'static str>, port: i64) -> RespValue {
        let host = RespValue::Bulk(host.map(Bytes::from));
        RespValue::Array(Some(vec![
            RespValue::Integer(start),
            RespValue::Integer(end),
            RespValue::Array(Some(vec![host, RespValue::Integer(port)])),
        ]))
    }

    /// Proves RD-07.
    #[test]
    fn learns_the_map_and_reads_a_null_host_as_the_node_asked() {
        let mut route = Route::new(vec![node(1)]);
        let reply = RespValue::Array(Some(vec![
            range(0, 99, Some("127.0.0.1"), 7),
            range(100, 16_383, None, 8),
        ]));
        assert!(route.take_slots(&reply, node(1)));
        assert_eq!(route.owner(99), Some(node(7)));
        assert_eq!(route.owner(16_383), Some(node(8)));
    }

    #[test]
    fn replicas_of_a_slot_take_turns() {
        let mut route = Route::new(vec![node(1)]);
        let RespValue::Array(Some(mut fields)) = range(0, 99, Some("127.0.0.1"), 7) else {
            panic!("a range is an array");
        };
        for port in [8, 9] {
            let host = RespValue::Bulk(Some(Bytes::from("127.0.0.1")));
            fields.push(RespValue::Array(Some(vec![host, RespValue::Integer(port)])));
        }
        let reply = RespValue::Array(Some(vec![RespValue::Array(Some(fields))]));
        assert!(route.take_slots(&reply, node(1)));
        let mut ports: Vec<Option<u16>> = (0..4)
            .map(|_| route.next_replica(5).map(|replica| replica.port()))
            .collect();
        ports.sort_unstable();
        assert_eq!(ports, [Some(8), Some(8), Some(9), Some(9)]);
        assert_eq!(route.next_replica(100), None);
    }

    #[test]
    fn ranges_and_single_slots_are_learned_over_one_another() {
        let mut route = Route::new(vec![node(1)]);
        let mut table: Vec<Option<SocketAddrV4>> = vec![None; usize::from(SLOT_COUNT)];
        let mut rng = crate::rng::Rng::new(7);
        for _ in 0..300 {
            let near = |slot: u64| slot.min(u64::from(SLOT_COUNT) - 1) as u16;
            let start = rng.below(u64::from(SLOT_COUNT)) as u16;
            let length = [0, 1, 700][rng.below(3) as usize];
            let end = near(u64::from(start) + length);
            let owner = node(rng.below(3) as u16 + 1);
            route.give(start, end, owner);
            table[usize::from(start)..=usize::from(end)].fill(Some(owner));
        }
        for slot in 0..SLOT_COUNT {
            assert_eq!(route.owner(slot), table[usize::from(slot)], "slot {slot}");
        }
        assert!(route.owners.len() < 601, "{}", route.owners.len());
    }

    #[test]
    fn one_moved_changes_one_slot() {
        let mut route = Route::new(vec![node(1)]);
        route.learn(5, node(9));
        assert_eq!(route.owner(5), Some(node(9)));
        assert_eq!(route.owner(6), None);
    }

    #[test]
    fn a_reply_without_sense_changes_nothing() {
        let mut route = Route::new(vec![node(1)]);
        let bad = [
            RespValue::Integer(1),
            RespValue::Error("ERR This instance has cluster support disabled".into()),
            RespValue::Array(Some(vec![range(5, 4, Some("127.0.0.1"), 7)])),
            RespValue::Array(Some(vec![range(0, 16_384, Some("127.0.0.1"), 7)])),
            RespValue::Array(Some(vec![range(0, 4, Some("not an ip"), 7)])),
            RespValue::Array(Some(vec![range(0, 4, Some("127.0.0.1"), 70_000)])),
        ];
        for reply in bad {
            assert!(!route.take_slots(&reply, node(1)), "{reply:?}");
        }
        assert!((0..SLOT_COUNT).all(|slot| route.owner(slot).is_none()));
    }

    #[test]
    fn asks_the_seeds_in_turn() {
        let mut route = Route::new(vec![node(1), node(2)]);
        let asked: Vec<u16> = (0..3).map(|_| route.next_seed().port()).collect();
        assert_eq!(asked, [1, 2, 1]);
    }
}

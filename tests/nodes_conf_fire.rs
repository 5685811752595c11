//! nodes.conf under fire: a thousand SIGKILLs at random instants, while epochs, votes and slots
//! churn.
//!
//! Each lane is one node in a cluster on paper. In each of its lives it is kept busy over its
//! client port and its bus until it is killed; then its file is read, and it is started again. What
//! it said before it was killed must hold after it: who it is, epochs, votes, slots. Instants come
//! from a seed; what the scheduler makes of them does not.

use std::time::{Duration, Instant};

use slotquake_core::bus::packet::NodeFlags;
use slotquake_core::cluster::nodes_conf::{NodeLine, NodesConf, OpenSlot};
use slotquake_tests::bare::{BareNode, Line};
use slotquake_tests::fuzz::mutate::Stream;
use slotquake_tests::paper::{MASTERS, Paper, Speaker, master_id};

const HARNESS: &str = env!("CARGO_BIN_EXE_slotquake-under-test");
const MYSELF: &str = "ffffffffffffffffffffffffffffffffffffffff";
const LANES: u64 = 5;
const LIVES_EACH: u64 = 160;
const BIRTHS: u64 = 200;
/// Slots that change hands.
const POOL: std::ops::Range<u16> = 6_000..6_040;

/// What the node has said, so that it must stay true.
#[derive(Debug, Clone, Default)]
struct Promises {
    current_epoch: u64,
    config_epoch: u64,
    slots: Vec<Pledge>,
}

/// A slot of the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Pledge {
    owner: Owner,
    mark: Mark,
    /// A command about it was on its way: it may have been carried out or not.
    is_open: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Owner {
    #[default]
    Nobody,
    Myself,
    First,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mark {
    #[default]
    None,
    Migrating,
    Importing,
}

/// Proves DU-01, VO-07, VO-10, EP-06, PS-14 and PS-17.
#[test]
fn a_node_killed_at_any_instant_comes_back_as_who_it_was() {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for lane in 0..LANES {
            scope.spawn(move || Lane::new(lane).run());
        }
        scope.spawn(births);
    });
    let kills = LANES * LIVES_EACH + BIRTHS;
    println!("{kills} kills in {:.1?}", began.elapsed());
    assert!(kills >= 1000);
}

struct Lane {
    node: BareNode,
    paper: Paper,
    random: Stream,
    promises: Promises,
    /// Links that were opened by the lives before.
    links_before: u64,
}

impl Lane {
    fn new(number: u64) -> Lane {
        let node = BareNode::new(HARNESS, &["--cluster-node-timeout", "5000"]);
        let paper = Paper::listen();
        let text = paper.nodes_conf(MYSELF, (node.port, node.bus_port), 4_999);
        std::fs::write(node.path("nodes.conf"), text).unwrap();
        Lane {
            node,
            paper,
            random: Stream(number),
            links_before: 0,
            promises: Promises {
                slots: vec![Pledge::default(); POOL.len()],
                ..Promises::default()
            },
        }
    }

    fn run(mut self) {
        for _ in 0..LIVES_EACH {
            self.links_before = self.paper.heard(|heard| heard.links);
            self.node.spawn();
            // Every seventh is killed as soon as it was started, before it can say a word.
            if self.random.below(7) == 0 {
                self.die_within(STARTING);
            } else {
                let line = self.node.when_ready();
                self.live(line);
            }
            self.check_file();
        }
        let (votes, twice) = self
            .paper
            .heard(|heard| (heard.votes.len(), heard.vote_given_twice()));
        assert_eq!(twice, None, "one vote per epoch, over all lives (VO-10)");
        let epoch = self.promises.current_epoch;
        println!("lane: {votes} votes, epoch {epoch}");
        assert!(votes > 0, "the votes did not churn: {votes}");
        assert!(epoch > 50, "the epochs did not churn: {epoch}");
    }

    fn die_within(&mut self, span: Duration) {
        let instant = self.random.below(span.as_micros() as usize) as u64;
        std::thread::park_timeout(Duration::from_micros(instant));
        self.node.kill();
    }

    /// Keeps the node busy until it is killed.
    fn live(&mut self, mut line: Line) {
        self.check_node(&mut line);
        // Some live long enough to open their links, on which votes travel.
        let living = LIVING[usize::from(self.random.below(4) == 0)];
        let instant = Duration::from_micros(self.random.below(living.as_micros() as usize) as u64);
        let victim = self.node.pid();
        let work = self.random.next_number();
        std::thread::scope(|scope| {
            let killer = scope.spawn(move || {
                let until = Instant::now() + instant;
                while let Some(left) = until.checked_duration_since(Instant::now()) {
                    std::thread::park_timeout(left);
                }
                kill_process(victim);
            });
            let speaker = self.paper.speak_to(self.node.bus_port);
            let mut speaker = speaker.expect("a node that answers listens on its bus port");
            let mut random = Stream(work);
            while self.act(&mut line, &mut speaker, &mut random).is_some() {}
            killer.join().unwrap();
        });
        self.node.kill();
    }

    /// One thing to do; none if the node is gone.
    fn act(&mut self, line: &mut Line, speaker: &mut Speaker, random: &mut Stream) -> Option<()> {
        let epoch = self.promises.current_epoch;
        let master = random.below(MASTERS as usize) as u64;
        match random.below(8) {
            0 => {
                let reply = line.text(&["CLUSTER", "BUMPEPOCH"])?;
                let (_, epoch) = reply
                    .split_once(' ')
                    .expect("BUMPED or STILL, and an epoch");
                let epoch = epoch.parse().unwrap();
                self.promises.config_epoch = self.promises.config_epoch.max(epoch);
                self.promises.current_epoch = self.promises.current_epoch.max(epoch);
            }
            // Again in an old epoch: it must say nothing.
            1 => speaker.ask_for_vote(master, epoch)?,
            // Without a link to the one who asks, a vote is lost (KW-03), and the next is far.
            2 | 3 if self.paper.heard(|heard| heard.links) >= self.links_before + 2 * MASTERS => {
                speaker.ask_for_vote(master, epoch + 1)?;
            }
            2 | 3 => self.look(line)?,
            4 => speaker.tell_epoch(master, epoch + 1)?,
            5 => self.look(line)?,
            _ => {
                let slot = random.below(POOL.len());
                self.change_slot(line, slot, random.below(3))?;
            }
        }
        Some(())
    }

    // What it says of its epochs must be true from now on.
    fn look(&mut self, line: &mut Line) -> Option<()> {
        let text = line.text(&["CLUSTER", "INFO"])?;
        let number = |name: &str| -> u64 {
            let found = text.lines().find_map(|line| line.strip_prefix(name));
            found.expect(name).parse().unwrap()
        };
        let promises = &mut self.promises;
        promises.current_epoch = promises.current_epoch.max(number("cluster_current_epoch:"));
        promises.config_epoch = promises.config_epoch.max(number("cluster_my_epoch:"));
        Some(())
    }

    fn change_slot(&mut self, line: &mut Line, index: usize, choice: usize) -> Option<()> {
        let slot = (POOL.start + index as u16).to_string();
        let before = self.promises.slots[index].clone();
        let first = master_id(0);
        let (words, after): (Vec<&str>, _) = match (before.owner, before.mark, choice) {
            (Owner::Nobody, ..) => (vec!["ADDSLOTS", &slot], (Owner::Myself, Mark::None)),
            (Owner::Myself, Mark::None, 0) => {
                (vec!["DELSLOTS", &slot], (Owner::Nobody, Mark::None))
            }
            (Owner::Myself, Mark::None, _) => (
                vec!["SETSLOT", &slot, "MIGRATING", &first],
                (Owner::Myself, Mark::Migrating),
            ),
            (Owner::Myself, Mark::Migrating, 0) => (
                vec!["SETSLOT", &slot, "STABLE"],
                (Owner::Myself, Mark::None),
            ),
            (Owner::Myself, ..) => (
                vec!["SETSLOT", &slot, "NODE", &first],
                (Owner::First, Mark::None),
            ),
            (Owner::First, Mark::None, _) => (
                vec!["SETSLOT", &slot, "IMPORTING", &first],
                (Owner::First, Mark::Importing),
            ),
            (Owner::First, _, 0) => (vec!["SETSLOT", &slot, "STABLE"], (Owner::First, Mark::None)),
            (Owner::First, ..) => (
                vec!["SETSLOT", &slot, "NODE", MYSELF],
                (Owner::Myself, Mark::None),
            ),
        };
        self.promises.slots[index].is_open = true;
        let reply = line.text(&[&["CLUSTER"][..], &words].concat())?;
        assert_eq!(reply, "OK", "{words:?} of {before:?}");
        let (owner, mark) = after;
        self.promises.slots[index] = Pledge {
            owner,
            mark,
            is_open: false,
        };
        Some(())
    }

    /// What is on disk after the kill.
    fn check_file(&mut self) {
        let bytes = std::fs::read(self.node.path("nodes.conf")).unwrap();
        let file = NodesConf::parse(&bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)));
        let me = myself(&file);
        assert_eq!(me.id.to_string(), MYSELF);
        let heard = self.paper.heard(|heard| {
            let vote = heard.votes.iter().copied().max().unwrap_or(0);
            (heard.current_epoch, heard.config_epoch, vote)
        });
        self.promises.current_epoch = self.promises.current_epoch.max(heard.0);
        self.promises.config_epoch = self.promises.config_epoch.max(heard.1);
        let (promised, current) = (self.promises.current_epoch, file.current_epoch.0);
        assert!(
            current >= promised,
            "currentEpoch went from {promised} to {current}"
        );
        let (promised, config) = (self.promises.config_epoch, me.config_epoch.0);
        assert!(
            config >= promised,
            "configEpoch went from {promised} to {config}"
        );
        let vote = file.last_vote_epoch.0;
        assert!(
            vote >= heard.2,
            "it voted in {}, the file says {vote}",
            heard.2
        );
        for (index, pledge) in self.promises.slots.iter_mut().enumerate() {
            let found = pledge_in(&file, POOL.start + index as u16);
            if !pledge.is_open {
                assert_eq!(found, *pledge, "slot {}", POOL.start + index as u16);
            }
            *pledge = found;
        }
    }

    /// What the node that was started again says.
    fn check_node(&mut self, line: &mut Line) {
        let Some(id) = line.text(&["CLUSTER", "MYID"]) else {
            let is_running = self.node.is_running();
            panic!("no reply; running: {is_running}; {}", self.node.printed());
        };
        assert_eq!(id, MYSELF, "a new identity (PS-17)");
        let mut number = |name| -> u64 {
            let text = line.field(&["CLUSTER", "INFO"], name);
            let printed = || panic!("the node ended: {}", self.node.printed());
            text.unwrap_or_else(printed).parse().unwrap()
        };
        assert!(number("cluster_current_epoch") >= self.promises.current_epoch);
        assert!(number("cluster_my_epoch") >= self.promises.config_epoch);
    }
}

fn myself(file: &NodesConf) -> &NodeLine {
    let mut nodes = file.nodes.iter();
    let me = nodes.find(|node| node.flags.has(NodeFlags::MYSELF));
    me.expect("the parser asks for it")
}

fn pledge_in(file: &NodesConf, number: u16) -> Pledge {
    let owns = |node: &&NodeLine| node.slots.iter().any(|slot| slot.number() == number);
    let owner = match file.nodes.iter().find(owns) {
        None => Owner::Nobody,
        Some(node) if node.id.to_string() == MYSELF => Owner::Myself,
        Some(_) => Owner::First,
    };
    let mut marks = myself(file).open.iter().filter_map(|open| match open {
        OpenSlot::Migrating(slot, _) => (slot.number() == number).then_some(Mark::Migrating),
        OpenSlot::Importing(slot, _) => (slot.number() == number).then_some(Mark::Importing),
    });
    Pledge {
        owner,
        mark: marks.next().unwrap_or_default(),
        is_open: false,
    }
}

/// Nodes killed in their first moments: what they leave behind starts again.
fn births() {
    let mut random = Stream(77);
    let mut node = BareNode::new(HARNESS, &[]);
    let mut id = None;
    for _ in 0..BIRTHS {
        node.spawn();
        let instant = random.below(STARTING.as_micros() as usize) as u64;
        std::thread::park_timeout(Duration::from_micros(instant));
        node.kill();
        let path = node.path("nodes.conf");
        if let Ok(bytes) = std::fs::read(&path) {
            let file = NodesConf::parse(&bytes).expect("a file is there whole or not at all");
            let now = myself(&file).id;
            assert_eq!(*id.get_or_insert(now), now, "a new identity");
            // Each second one is born again on the same file.
            if random.below(2) == 0 {
                std::fs::remove_file(path).unwrap();
                id = None;
            }
        }
    }
    node.spawn();
    drop(node.when_ready());
    let leftovers = std::fs::read_dir(node.folder()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().contains(".tmp-")
    });
    assert_eq!(leftovers.count(), 0, "a start cleans up after those before");
}

fn kill_process(pid: u32) {
    // The process is our own child and not yet waited for: the number is still its.
    let status = std::process::Command::new("kill")
        .args(["-KILL", &pid.to_string()])
        .status();
    assert!(status.expect("kill exists").success());
}

const STARTING: Duration = Duration::from_millis(12);
const LIVING: [Duration; 2] = [Duration::from_millis(30), Duration::from_millis(400)];

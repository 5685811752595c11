//! Each anomaly has a history that shows it and no other, except what it implies.

use super::story::{judged, story};
use crate::transactions::{ConsistencyModel, Demand, Dialect, TxnProblem, check};

/// Lines, and the names of all anomalies that must be found, worst last.
type Table = &'static [(&'static [&'static str], &'static [&'static str])];

const LISTS: Table = &[
    (
        &[
            "p0 0 2 ok ax:1 ry:",
            "p1 1 3 ok ay:1 rx:1",
            "p2 4 5 ok rx:1 ry:1",
        ],
        &[],
    ),
    // Two transactions interleave their appends.
    (
        &[
            "p0 0 9 ok ax:1 ay:1",
            "p1 0 9 ok ax:2 ay:2",
            "p2 0 9 ok rx:1,2 ry:2,1",
        ],
        &["G0"],
    ),
    // The order of one process is turned round, though in real time as well.
    (
        &["p0 0 1 ok ax:1", "p0 2 3 ok ax:2", "p1 0 9 ok rx:2,1"],
        &["G0-process"],
    ),
    (
        &["p0 0 1 ok ax:1", "p1 2 3 ok ax:2", "p2 0 9 ok rx:2,1"],
        &["G0-realtime"],
    ),
    (&["p0 0 9 fail ax:1", "p1 0 9 ok rx:1"], &["G1a"]),
    (
        &["p0 0 9 ok ax:1 ax:2", "p1 0 9 ok rx:1", "p2 0 9 ok rx:1,2"],
        &["G1b", "G-single-item"],
    ),
    (&["p0 0 9 ok ax:1 ry:1", "p1 0 9 ok ay:1 rx:1"], &["G1c"]),
    // A process reads what a transaction wrote that saw what the process wrote only later.
    (
        &["p0 0 1 ok rx:1", "p0 2 3 ok ay:1", "p1 0 9 ok ax:1 ry:1"],
        &["G1c-process"],
    ),
    (
        &["p0 0 1 ok rx:1", "p2 2 3 ok ay:1", "p1 0 9 ok ax:1 ry:1"],
        &["G1c-realtime"],
    ),
    // Read skew: one append of a transaction seen, the other not.
    (
        &["p0 0 9 ok ax:1 ay:1", "p1 0 9 ok rx: ry:1"],
        &["G-single-item"],
    ),
    (
        &["p0 0 1 ok ax:1", "p0 2 3 ok rx:"],
        &["G-single-item-process"],
    ),
    // A stale read.
    (
        &["p0 0 1 ok ax:1", "p1 2 3 ok rx:", "p2 0 9 ok rx:1"],
        &["G-single-item-realtime"],
    ),
    // An acknowledged append that nobody sees any more.
    (
        &["p0 0 1 ok ax:1", "p1 2 3 ok ax:2", "p2 4 5 ok rx:2"],
        &["G0-realtime", "G-single-item-realtime"],
    ),
    // Long fork: two readers disagree on which of two independent appends came first.
    (
        &[
            "p0 0 9 ok ax:1",
            "p1 0 9 ok ay:1",
            "p2 0 9 ok rx:1 ry:",
            "p3 0 9 ok rx: ry:1",
        ],
        &["G-nonadjacent-item"],
    ),
    // The same, where one reader looked twice.
    (
        &[
            "p0 0 9 ok ax:1",
            "p1 0 9 ok ay:1",
            "p2 0 1 ok rx:1",
            "p2 2 9 ok ry:",
            "p3 0 9 ok ry:1 rx:",
        ],
        &["G-nonadjacent-item-process"],
    ),
    (
        &[
            "p0 0 9 ok ax:1",
            "p1 0 9 ok ay:1",
            "p2 0 1 ok rx:1",
            "p4 2 9 ok ry:",
            "p3 0 9 ok ry:1 rx:",
        ],
        &["G-nonadjacent-item-realtime"],
    ),
    // Write skew.
    (
        &[
            "p0 0 9 ok rx: ay:1",
            "p1 0 9 ok ry: ax:1",
            "p2 10 11 ok rx:1 ry:1",
        ],
        &["G2-item"],
    ),
    // Two of the first process, of which neither other saw what it should.
    (
        &["p0 0 1 ok ax:1", "p0 2 9 ok ry:", "p1 0 9 ok ay:1 rx:"],
        &["G2-item-process"],
    ),
    (
        &["p0 0 1 ok ax:1", "p2 2 9 ok ry:", "p1 0 9 ok ay:1 rx:"],
        &["G2-item-realtime"],
    ),
    (
        &[
            "p0 0 9 ok rx: ax:1",
            "p1 0 9 ok rx: ax:2",
            "p2 0 9 ok rx:1,2",
        ],
        &["lost-update", "G-single-item"],
    ),
    (
        &["p0 0 1 ok ax:1 rx:1,2", "p1 0 1 ok ax:2"],
        &["internal", "G1c"],
    ),
    (&["p0 0 1 ok rx: ax:1 rx:"], &["internal"]),
    (&["p0 0 1 ok rx:1 ax:1"], &["future-read"]),
    (&["p0 0 1 ok rx:1"], &["garbage-read"]),
    (
        &["p0 0 9 ok ax:1", "p1 0 9 ok rx:1,1"],
        &["duplicate-elements"],
    ),
    (
        &[
            "p0 0 9 ok ax:1",
            "p1 0 9 ok ax:2",
            "p2 0 9 ok rx:1",
            "p3 0 9 ok rx:2",
        ],
        &["incompatible-order"],
    ),
    (
        &["p0 0 1 fail ax:1", "p1 2 3 ok ax:2", "p2 4 5 ok rx:1,2"],
        &["G1a", "dirty-update"],
    ),
    // What nobody knows lies between the aborted append and the one that committed.
    (
        &[
            "p0 0 9 fail ax:1",
            "p1 0 9 info ax:2",
            "p2 0 9 ok ax:3",
            "p3 0 9 ok rx:1,2,3",
        ],
        &["G1a", "dirty-update"],
    ),
    // Reads that contradict each other, and a circle through the longest of them.
    (
        &[
            "p0 0 9 ok ax:1 ry:1",
            "p1 0 9 ok ax:2",
            "p2 0 9 ok ax:3 ay:1",
            "p3 0 9 ok rx:1,3",
            "p4 0 9 ok rx:1,2,3",
        ],
        &["G1c", "incompatible-order"],
    ),
    // An append that no read shows comes after all that they show, here on both keys.
    (
        &[
            "p0 0 9 ok ax:1 ay:1",
            "p1 0 9 ok ax:2 ay:2",
            "p2 0 9 ok ax:3 ay:3",
            "p3 0 9 ok rx:1,2",
            "p4 0 9 ok ry:2",
        ],
        &["G-single-item", "G0"],
    ),
    // It missed its own append, between those of another.
    (
        &["p0 0 9 ok ax:1 ax:2 ax:4", "p1 0 9 ok ax:3 rx:1,2,3,4"],
        &["G0", "internal"],
    ),
    // Dependencies that lead in no circle.
    (
        &[
            "p0 0 9 ok rx:5 ay:1",
            "p1 0 9 ok ry: az:2",
            "p2 0 9 ok rz: at:3",
            "p3 0 9 ok rt:3 au:4",
            "p4 0 9 ok ru: ax:5",
        ],
        &[],
    ),
    // Read-modify-write twice by one transaction is nothing.
    (&["p0 0 1 ok rx: ax:1 ax:2", "p1 2 3 ok rx:1,2"], &[]),
];

const REGISTERS: Table = &[
    (
        &["p0 0 1 ok wx:1", "p1 2 3 ok rx:1 wx:2", "p2 4 5 ok rx:2"],
        &[],
    ),
    (&["p0 0 9 fail wx:1", "p1 0 9 ok rx:1"], &["G1a"]),
    (&["p0 0 9 ok wx:1 wx:2", "p1 0 9 ok rx:1"], &["G1b"]),
    (&["p0 0 9 ok wx:1 ry:1", "p1 0 9 ok wy:1 rx:1"], &["G1c"]),
    (
        &["p0 0 9 ok wx:1 wy:1", "p1 0 9 ok rx: ry:1"],
        &["G-single-item"],
    ),
    (
        &[
            "p0 0 9 ok wx:1",
            "p1 0 9 ok wy:1",
            "p2 0 9 ok rx:1 ry:",
            "p3 0 9 ok rx: ry:1",
        ],
        &["G-nonadjacent-item"],
    ),
    (&["p0 0 9 ok rx: wy:1", "p1 0 9 ok ry: wx:1"], &["G2-item"]),
    (
        &["p0 0 9 ok rx: wx:1", "p1 0 9 ok rx: wx:2"],
        &["lost-update", "G2-item"],
    ),
    (&["p0 0 1 ok wx:1 rx:2", "p1 0 1 ok wx:2"], &["internal"]),
    (&["p0 0 1 ok rx:1 wx:1"], &["future-read"]),
    (&["p0 0 1 ok rx:7"], &["garbage-read"]),
    (
        &["p0 0 9 ok rx:1 wx:2", "p1 0 9 ok rx:2 wx:1"],
        &["cyclic-versions", "G1c"],
    ),
    (
        &["p0 0 9 fail wx:1", "p1 0 9 ok rx:1 wx:2"],
        &["G1a", "dirty-update"],
    ),
    // Two transactions replace each other's writes, each of one key.
    (
        &[
            "p0 0 9 ok rx:1 wx:2 wy:1",
            "p1 0 9 ok ry:1 wy:2 wx:1",
            "p2 0 9 ok rx:2 ry:2",
        ],
        &["G0"],
    ),
    (
        &["p0 0 1 ok wx:1", "p0 2 3 ok rx:"],
        &["G-single-item-process"],
    ),
    // A process reads what a transaction wrote that saw what the process wrote only later.
    (
        &["p0 0 1 ok rx:1", "p0 2 3 ok wy:1", "p1 0 9 ok wx:1 ry:1"],
        &["G1c-process"],
    ),
    (
        &["p0 0 1 ok rx:1", "p2 2 3 ok wy:1", "p1 0 9 ok wx:1 ry:1"],
        &["G1c-realtime"],
    ),
    (
        &[
            "p0 0 9 ok wx:1",
            "p1 0 9 ok wy:1",
            "p2 0 1 ok rx:1",
            "p2 2 9 ok ry:",
            "p3 0 9 ok ry:1 rx:",
        ],
        &["G-nonadjacent-item-process"],
    ),
    (
        &[
            "p0 0 9 ok wx:1",
            "p1 0 9 ok wy:1",
            "p2 0 1 ok rx:1",
            "p4 2 9 ok ry:",
            "p3 0 9 ok ry:1 rx:",
        ],
        &["G-nonadjacent-item-realtime"],
    ),
    (
        &["p0 0 1 ok wx:1", "p0 2 9 ok ry:", "p1 0 9 ok wy:1 rx:"],
        &["G2-item-process"],
    ),
    (
        &["p0 0 1 ok wx:1", "p2 2 9 ok ry:", "p1 0 9 ok wy:1 rx:"],
        &["G2-item-realtime"],
    ),
    // A stale read, told by real time alone.
    (
        &["p0 0 1 ok wx:1", "p1 2 3 ok wx:2", "p2 4 5 ok rx:1"],
        &["G-single-item-realtime"],
    ),
    (
        &["p0 0 1 ok wx:1", "p1 2 3 ok rx:"],
        &["G-single-item-realtime"],
    ),
];

fn names(dialect: Dialect, lines: &[&str]) -> Vec<&'static str> {
    let report = judged(dialect, lines);
    let found = report.anomalies.iter();
    let mut names: Vec<&str> = found.map(|anomaly| anomaly.name.name()).collect();
    names.sort_unstable();
    names
}

fn compare(dialect: Dialect, table: Table) {
    for (lines, expected) in table {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(names(dialect, lines), expected, "{lines:#?}");
    }
}

/// Proves HI-02.
#[test]
fn each_anomaly_of_lists_is_named_exactly() {
    compare(Dialect::ListAppend, LISTS);
}

/// Proves HI-02.
#[test]
fn each_anomaly_of_registers_is_named_exactly() {
    compare(Dialect::RwRegister, REGISTERS);
}

#[test]
fn an_unknown_append_counts_if_it_was_read() {
    let lists = Dialect::ListAppend;
    assert!(names(lists, &["p0 0 1 info ax:1", "p1 2 3 ok rx:1"]).is_empty());
    assert!(names(lists, &["p0 0 1 info ax:1", "p1 2 3 ok rx:"]).is_empty());
    // It took effect, and then it did not.
    let lines = ["p0 0 1 info ax:1", "p1 2 3 ok rx:1", "p2 4 5 ok rx:"];
    assert_eq!(names(lists, &lines), ["G-single-item-realtime"]);
}

#[test]
fn tells_why_each_transaction_comes_before_the_next() {
    let lines = ["p0 0 9 ok ax:1 ay:1", "p1 0 9 ok rx: ry:1"];
    let report = judged(Dialect::ListAppend, &lines);
    let (_, case) = report.shortest().unwrap();
    let told: Vec<&str> = case.edges.iter().map(|edge| &*edge.because).collect();
    assert_eq!(
        told,
        [
            "T1 read key x as [] and did not see T2's append of 1",
            "T1 read T2's append of 1 to key y"
        ]
    );
    assert_eq!(case.transactions[0].steps, ["r x []", "r y [1]"]);
    let not: Vec<&str> = report.not.iter().map(|model| model.name()).collect();
    assert_eq!(not, ["consistent-view", "repeatable-read"]);
}

#[test]
fn draws_a_box_for_each_transaction_and_an_arrow_for_each_edge() {
    let lines = ["p0 0 9 ok ax:1 ay:1", "p1 0 9 ok rx: ry:1"];
    let report = judged(Dialect::ListAppend, &lines);
    let (_, case) = report.shortest().unwrap();
    let svg = crate::transactions::picture::svg("a < b", case);
    assert_eq!(svg.matches("<rect x=").count(), 2);
    assert_eq!(svg.matches("marker-end").count(), 2);
    assert!(svg.contains("a &lt; b") && svg.contains(">rw<") && svg.contains(">wr<"));
}

#[test]
fn finds_the_shortest_of_two_cycles() {
    // Three appends in a circle, and two.
    let lines = [
        "p0 0 9 ok ax:1 az:2",
        "p1 0 9 ok ax:2 ay:1",
        "p2 0 9 ok ay:2 az:1",
        "p3 0 9 ok rx:1,2 ry:1,2 rz:1,2",
        "p4 0 9 ok au:1 av:1",
        "p5 0 9 ok au:2 av:2",
        "p6 0 9 ok ru:1,2 rv:2,1",
    ];
    let report = judged(Dialect::ListAppend, &lines);
    let sizes: Vec<usize> = report.anomalies[0]
        .cases
        .iter()
        .map(|c| c.edges.len())
        .collect();
    assert_eq!((report.anomalies[0].name.name(), sizes), ("G0", vec![2, 3]));
}

#[test]
fn a_weaker_model_is_not_violated_by_what_it_allows() {
    let lines = ["p0 0 1 ok ax:1", "p1 2 3 ok rx:", "p2 4 5 ok rx:1"];
    let events = story(Dialect::ListAppend, &lines);
    let demand = |model| Demand {
        model,
        ..Demand::STRICT
    };
    let strict = check(&events, Dialect::ListAppend, Demand::STRICT).unwrap();
    assert!(strict.is_violated());
    let loose = demand(ConsistencyModel::Serializable);
    let serializable = check(&events, Dialect::ListAppend, loose).unwrap();
    assert!(!serializable.is_violated() && serializable.anomalies.is_empty());
}

#[test]
fn refuses_what_it_cannot_judge() {
    let twice = story(Dialect::ListAppend, &["p0 0 1 ok ax:1", "p1 2 3 ok ax:1"]);
    let problem = check(&twice, Dialect::ListAppend, Demand::STRICT).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "op 2 writes 1 to key x, as op 0 did; writes to a key must be unique"
    );
    let wrong = story(Dialect::ListAppend, &["p0 0 1 ok wx:1"]);
    let problem = check(&wrong, Dialect::ListAppend, Demand::STRICT).unwrap_err();
    assert!(matches!(problem, TxnProblem::Malformed { index: 0, .. }));
}

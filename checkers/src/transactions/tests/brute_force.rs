//! Small random histories against a judge that tries every order.
//!
//! A cycle must mean that no order explains the history; and where a history is fully determined
//! (all committed, each list read at the end), no anomaly must mean that one does.

use super::story::judged;
use crate::history::Outcome;
use crate::transactions::anomaly::Order;
use crate::transactions::{AnomalyKind, Dialect, TxnReport};

/// A small transaction.
#[derive(Debug, Clone)]
struct Small {
    begin: u64,
    end: u64,
    micros: Vec<Micro>,
    outcome: Outcome,
}

#[derive(Debug, Clone)]
enum Micro {
    Write(usize, u32),
    Read(usize, Vec<u32>),
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

const KEYS: usize = 2;

/// Transactions run in some order on a store that now and then shows an old state.
fn history(dialect: Dialect, dice: &mut Dice) -> Vec<Small> {
    let count = 2 + dice.below(4);
    let mut states: Vec<[Vec<u32>; KEYS]> = vec![Default::default()];
    let mut value = 0;
    let mut all = Vec::new();
    let staleness = dice.below(10);
    for number in 0..count {
        let begin = (number * 3).saturating_sub(dice.below(6));
        let end = number * 3 + 1 + dice.below(6);
        let back = if dice.below(10) < staleness {
            dice.below(3)
        } else {
            0
        };
        let at = states.len().saturating_sub(1 + back as usize);
        let mut shown = states[at].clone();
        let mut next = states[states.len() - 1].clone();
        let mut micros = Vec::new();
        for _ in 0..1 + dice.below(3) {
            let key = dice.below(KEYS as u64) as usize;
            if dice.below(2) == 0 {
                micros.push(Micro::Read(key, shown[key].clone()));
                continue;
            }
            value += 1;
            for lists in [&mut shown, &mut next] {
                if dialect == Dialect::RwRegister {
                    lists[key].clear();
                }
                lists[key].push(value);
            }
            micros.push(Micro::Write(key, value));
        }
        // Of some nobody knows whether they happened, and some did not.
        let (outcome, has_effect) = match dice.below(10) {
            0 => (Outcome::Unknown, dice.below(2) == 0),
            1 => (Outcome::Fail, false),
            _ => (Outcome::Ok, true),
        };
        if has_effect {
            states.push(next);
        }
        all.push(Small {
            begin,
            end,
            micros,
            outcome,
        });
    }
    // Reading everything at the end determines the order of all writes.
    let last = &states[states.len() - 1];
    let micros = (0..KEYS).map(|key| Micro::Read(key, last[key].clone()));
    all.push(Small {
        begin: 100,
        end: 101,
        micros: micros.collect(),
        outcome: Outcome::Ok,
    });
    all
}

fn lines(history: &[Small]) -> Vec<String> {
    let line = |(process, txn): (usize, &Small)| {
        let outcome = match txn.outcome {
            Outcome::Ok => "ok",
            Outcome::Fail => "fail",
            Outcome::Unknown => "info",
        };
        let mut line = format!("p{process} {} {} {outcome}", txn.begin, txn.end);
        for micro in &txn.micros {
            let told = match micro {
                Micro::Write(key, value) => format!(" {{}}{}:{value}", ["x", "y"][*key]),
                Micro::Read(key, list) => {
                    let list: Vec<String> = list.iter().map(u32::to_string).collect();
                    format!(" r{}:{}", ["x", "y"][*key], list.join(","))
                }
            };
            line.push_str(&told);
        }
        line
    };
    history.iter().enumerate().map(line).collect()
}

/// Whether some order explains all reads; in real time, if that is asked.
fn is_explained(dialect: Dialect, history: &[Small], order: Order) -> bool {
    let state: [Vec<u32>; KEYS] = Default::default();
    place(dialect, history, order, 0, &state)
}

fn place(
    dialect: Dialect,
    history: &[Small],
    order: Order,
    placed: u32,
    state: &[Vec<u32>; KEYS],
) -> bool {
    let is_open = |other: usize| placed & (1 << other) == 0;
    let is_due = |other: usize| is_open(other) && history[other].outcome == Outcome::Ok;
    if !(0..history.len()).any(is_due) {
        return true;
    }
    (0..history.len()).any(|next| {
        let must_wait = (0..history.len()).any(|other| {
            is_due(other) && other != next && history[other].end <= history[next].begin
        });
        let is_part = is_open(next) && history[next].outcome != Outcome::Fail;
        if !is_part || (order == Order::Realtime && must_wait) {
            return false;
        }
        let is_known = history[next].outcome == Outcome::Ok;
        let mut after = state.clone();
        let fits = history[next].micros.iter().all(|micro| match micro {
            Micro::Read(key, seen) => !is_known || after[*key] == *seen,
            Micro::Write(key, value) => {
                if dialect == Dialect::RwRegister {
                    after[*key].clear();
                }
                after[*key].push(*value);
                true
            }
        });
        fits && place(dialect, history, order, placed | 1 << next, &after)
    })
}

fn report(dialect: Dialect, history: &[Small]) -> TxnReport {
    let write = match dialect {
        Dialect::ListAppend => "a",
        Dialect::RwRegister => "w",
    };
    let lines: Vec<String> = lines(history)
        .iter()
        .map(|line| line.replace("{}", write))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    judged(dialect, &lines)
}

/// Compares many histories; gives how many were explained, and how many were not.
fn compare(dialect: Dialect, seeds: std::ops::Range<u64>) -> (u64, u64) {
    let (mut explained, mut refuted) = (0, 0);
    for seed in seeds {
        let history = history(dialect, &mut Dice(seed));
        let report = report(dialect, &history);
        let has = |wanted: fn(Order) -> bool| {
            let mut found = report.anomalies.iter();
            found.any(|anomaly| match anomaly.name {
                AnomalyKind::Cycle(_, order) => wanted(order),
                _ => true,
            })
        };
        let strict = is_explained(dialect, &history, Order::Realtime);
        let serial = is_explained(dialect, &history, Order::Data);
        assert!(
            !(strict && has(|_| true)),
            "{seed}: {history:#?} {report:#?}"
        );
        assert!(
            !(serial && has(|order| order == Order::Data)),
            "{seed}: {history:#?} {report:#?}"
        );
        // The order of lists is known, so nothing escapes.
        if dialect == Dialect::ListAppend {
            assert!(strict || has(|_| true), "{seed}: {history:#?}");
            let is_found = has(|order| order == Order::Data);
            let is_only_in_time = has(|order| order != Order::Data);
            assert!(
                serial || is_found || is_only_in_time,
                "{seed}: {history:#?}"
            );
        }
        assert!(report.unfinished.is_empty());
        match strict {
            true => explained += 1,
            false => refuted += 1,
        }
    }
    (explained, refuted)
}

#[test]
fn agrees_with_every_order_of_small_histories_of_lists() {
    let (explained, refuted) = compare(Dialect::ListAppend, 0..30_000);
    assert!(explained > 5000 && refuted > 2000, "{explained} {refuted}");
}

#[test]
fn accuses_no_small_history_of_registers_wrongly() {
    let (explained, refuted) = compare(Dialect::RwRegister, 0..30_000);
    assert!(explained > 5000 && refuted > 2000, "{explained} {refuted}");
}

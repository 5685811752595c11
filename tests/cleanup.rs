//! Nothing survives the harness, not even `kill -9` of it in mid-run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use slotquake_tests::run::Harness;

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

/// A run that would last a minute, and the folder that is its TMPDIR and holds its store.
struct Victim {
    child: Child,
    folder: tempfile::TempDir,
}

impl Victim {
    fn start() -> Victim {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let child = HARNESS
            .command(
                folder.path(),
                &[
                    "test",
                    "--time-limit",
                    "60s",
                    "--faults",
                    "kill",
                    "--seed",
                    "5",
                ],
            )
            .env("TMPDIR", &temporary)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Victim { child, folder }
    }

    /// Everything below the harness that runs, its nodes included.
    fn descendants(&self) -> BTreeSet<u32> {
        let mut found = BTreeSet::from([self.child.id()]);
        loop {
            let before = found.len();
            for (process, parent) in processes() {
                if found.contains(&parent) {
                    found.insert(process);
                }
            }
            if found.len() == before {
                found.remove(&self.child.id());
                return found;
            }
        }
    }

    /// What the nodes have logged so far, all in one.
    fn logs(&self) -> String {
        let below = |folder: PathBuf| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        let runs = below(self.folder.path().join("store"));
        let nodes = runs.into_iter().flat_map(|run| below(run.join("nodes")));
        nodes
            .filter_map(|node| fs::read_to_string(node.join("log")).ok())
            .collect()
    }

    fn temporary(&self) -> PathBuf {
        self.folder.path().join("tmp")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Every process as (pid, parent).
fn processes() -> Vec<(u32, u32)> {
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    numbers
        .filter_map(|entry| {
            let process: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat
                .rsplit_once(')')?
                .1
                .split_whitespace()
                .nth(1)?
                .parse()
                .ok()?;
            Some((process, parent))
        })
        .collect()
}

/// Whether a process runs; a zombie does not.
fn runs(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z" && state != "X")
}

/// Network namespaces that some process is in.
fn network_namespaces(processes: &BTreeSet<u32>) -> BTreeSet<PathBuf> {
    let links = processes
        .iter()
        .map(|process| format!("/proc/{process}/ns/net"));
    links.filter_map(|link| fs::read_link(link).ok()).collect()
}

/// Waits until something is so.
fn wait_until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < limit, "waited {limit:?} until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Six nodes run and one of them has struck trouble: a run in its middle.
fn wait_until_busy(victim: &Victim) {
    let limit = Duration::from_secs(60);
    wait_until("six nodes run", limit, || victim.descendants().len() >= 7);
    wait_until("a fault is felt", limit, || {
        victim.logs().contains(" as failing")
    });
}

#[test]
fn kill_9_of_the_harness_leaves_no_process_namespace_or_folder() {
    let mut victim = Victim::start();
    wait_until_busy(&victim);
    let alive = victim.descendants();
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let mut namespaces = network_namespaces(&alive);
    namespaces.remove(&own);
    victim.child.kill().unwrap();
    victim.child.wait().unwrap();
    let limit = Duration::from_secs(10);
    wait_until("all its processes are gone", limit, || {
        alive.iter().all(|one| !runs(*one))
    });
    let everybody: BTreeSet<u32> = processes()
        .into_iter()
        .map(|(process, _)| process)
        .collect();
    let left = network_namespaces(&everybody);
    assert!(
        left.is_disjoint(&namespaces),
        "a namespace of the run still has processes"
    );
    wait_until("its temporary folder is gone", limit, || {
        is_empty(&victim.temporary())
    });
}

#[test]
fn an_interrupted_run_judges_what_was_recorded_until_then() {
    let mut victim = Victim::start();
    wait_until_busy(&victim);
    let alive = victim.descendants();
    let asked = std::process::Command::new("kill")
        .args(["-INT", &victim.child.id().to_string()])
        .status()
        .unwrap();
    assert!(asked.success(), "the signal was sent");
    let mut ended = None;
    wait_until("the harness ends", Duration::from_secs(30), || {
        ended = victim.child.try_wait().unwrap();
        ended.is_some()
    });
    let run = victim.folder.path().join("store/latest");
    for file in ["history.jsonl", "verdict.json", "report.html"] {
        assert!(run.join(file).exists(), "{file} was left");
    }
    assert_eq!(
        ended.and_then(|status| status.code()),
        Some(3),
        "an interrupted run has not held"
    );
    assert!(alive.iter().all(|one| !runs(*one)), "no process is left");
}

//! The walls of the house: who may import whom (docs/architecture.md), read from the manifests
//! and from every `use` line.
//!
//! A broken wall fails with the file, the line and the rule, so that the remedy is plain: move the
//! code to the room that may know the thing, or pass the thing in as a value.

use std::path::{Path, PathBuf};

/// What a room must not name. The longest room prefix of a file decides.
struct Wall {
    room: &'static str,
    forbidden: &'static [&'static str],
    reason: &'static str,
}

const NO_DOER: &[&str] = &[
    "tokio",
    "nix::",
    "std::fs",
    "std::net::Tcp",
    "std::thread",
    "std::process",
    "std::env::var",
    "std::env::args",
    "std::env::current",
    "std::env::temp",
    "std::time::Instant",
    "std::time::SystemTime",
    "HashMap",
    "HashSet",
    "rand::",
    "tracing",
];

const WALLS: &[Wall] = &[
    Wall {
        room: "reference-node/core/src",
        forbidden: NO_DOER,
        reason: "the core is pure: time, randomness, network and disk enter only as inputs",
    },
    Wall {
        room: "reference-node/core/src",
        forbidden: &["slotquake_"],
        reason: "the core imports nothing of ours",
    },
    Wall {
        room: "reference-node/shell/src",
        forbidden: &["slotquake_checkers", "slotquake_workloads", "slotquake::"],
        reason: "the shell knows the core and nothing else of ours",
    },
    Wall {
        room: "checkers/src",
        forbidden: NO_DOER,
        reason: "a judge reads recordings and nothing else",
    },
    Wall {
        room: "checkers/src",
        forbidden: &["slotquake_", "slotquake::"],
        reason: "a judge shares no code with the judged",
    },
    Wall {
        room: "workloads/src",
        forbidden: NO_DOER,
        reason: "a workload is pure",
    },
    Wall {
        room: "workloads/src",
        forbidden: &[
            "slotquake_core",
            "slotquake_node",
            "slotquake::",
            "slotquake_checkers::judge",
        ],
        reason: "a workload knows of the rest only the history and observation types",
    },
    Wall {
        room: "harness/src/director",
        forbidden: NO_DOER,
        reason: "the director is pure, so that a run replays from its recording",
    },
    Wall {
        room: "harness/src/nemesis",
        forbidden: NO_DOER,
        reason: "a nemesis only says what to do",
    },
    Wall {
        room: "harness/src/world/sim",
        forbidden: NO_DOER,
        reason: "virtual time knows no real one",
    },
    Wall {
        room: "harness/src/world/sim",
        forbidden: &["world::local", "crate::sandbox", "slotquake_node"],
        reason: "the two worlds do not know each other",
    },
    Wall {
        room: "harness/src/world/local",
        forbidden: &["world::sim", "slotquake_core", "slotquake_node"],
        reason: "the two worlds do not know each other",
    },
    Wall {
        room: "harness/src/report",
        forbidden: &[
            "crate::world",
            "crate::director",
            "crate::sandbox",
            "crate::nemesis",
        ],
        reason: "a report renders a recording and its verdict, and knows no world",
    },
];

/// The only files of the harness that may name the node.
const NODE_DOORS: &[(&str, &str)] = &[
    ("slotquake_core", "harness/src/world/sim"),
    ("slotquake_node", "harness/src/cli/node"),
];

#[test]
fn no_room_names_what_it_must_not_know() {
    let mut broken = Vec::new();
    for (path, line_number, line) in code_lines() {
        for wall in WALLS.iter().filter(|wall| path.starts_with(wall.room)) {
            for word in wall.forbidden.iter().filter(|word| names(&line, word)) {
                broken.push(format!(
                    "{path}:{line_number} names `{word}`: {}",
                    wall.reason
                ));
            }
        }
    }
    assert!(broken.is_empty(), "broken walls:\n{}", broken.join("\n"));
}

#[test]
fn the_harness_reaches_the_node_through_two_doors_only() {
    let mut broken = Vec::new();
    for (path, line_number, line) in code_lines() {
        for (name, door) in NODE_DOORS {
            if path.starts_with("harness/src") && !path.starts_with(door) && names(&line, name) {
                broken.push(format!(
                    "{path}:{line_number} names `{name}`; only {door} may"
                ));
            }
        }
    }
    assert!(broken.is_empty(), "broken walls:\n{}", broken.join("\n"));
}

/// Dependencies of ours that each crate may declare.
const MANIFESTS: &[(&str, &[&str])] = &[
    ("slotquake-core", &[]),
    ("slotquake-node", &["slotquake-core"]),
    ("slotquake-checkers", &[]),
    ("slotquake-workloads", &["slotquake-checkers"]),
    (
        "slotquake",
        &[
            "slotquake-core",
            "slotquake-node",
            "slotquake-checkers",
            "slotquake-workloads",
        ],
    ),
];

/// What the pure crates may take from outside.
const PURE_DEPENDENCIES: &[&str] = &["bytes", "crc16", "serde", "serde_json", "thiserror"];

#[test]
fn the_manifests_agree_with_the_import_table() {
    let metadata = cargo_metadata();
    for (name, allowed) in MANIFESTS {
        let package = metadata["packages"]
            .as_array()
            .and_then(|packages| packages.iter().find(|package| package["name"] == *name))
            .unwrap_or_else(|| panic!("crate {name} is gone from the workspace"));
        let is_pure = matches!(
            *name,
            "slotquake-core" | "slotquake-checkers" | "slotquake-workloads"
        );
        for dependency in package["dependencies"]
            .as_array()
            .expect("a list of dependencies")
        {
            let dependency_name = dependency["name"].as_str().expect("a name");
            let is_ours = dependency_name.starts_with("slotquake");
            assert!(
                !is_ours || allowed.contains(&dependency_name),
                "{name} uses {dependency_name}"
            );
            let is_normal = dependency["kind"].is_null();
            assert!(
                !is_pure || is_ours || !is_normal || PURE_DEPENDENCIES.contains(&dependency_name),
                "the pure crate {name} depends on {dependency_name}; allowed: {PURE_DEPENDENCIES:?}"
            );
        }
    }
}

fn cargo_metadata() -> serde_json::Value {
    let output = std::process::Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// Whether the line names the word as a path or type, not as a part of a longer name.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        !before.is_some_and(|character| character.is_alphanumeric() || character == '_')
    })
}

/// Every line of code of the workspace, comments and test modules' files left out:
/// path from the root, line number from 1, text.
fn code_lines() -> Vec<(String, usize, String)> {
    let mut lines = Vec::new();
    for path in rust_files(&root()) {
        let name = path
            .strip_prefix(root())
            .expect("below the root")
            .display()
            .to_string();
        if name.ends_with("tests.rs") || name.contains("/tests/") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a readable source file");
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (index, line) in code.lines().enumerate() {
            if !line.trim_start().starts_with("//") {
                lines.push((name.clone(), index + 1, without_strings(line)));
            }
        }
    }
    assert!(
        lines.len() > 1000,
        "found only {} lines of code: wrong root?",
        lines.len()
    );
    lines
}

/// The line without what stands between quotes: a word in a text is no import.
fn without_strings(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "store" {
            files.extend(rust_files(&path));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace root")
        .to_path_buf()
}

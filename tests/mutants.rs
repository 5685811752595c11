//! Seeded bugs: each is documented, none is in a default build, and the checkers see them.
//!
//! The hunt itself needs the cargo feature `mutants`; here a handful of quick ones stands for all,
//! `docs/mutants.md` has the rest.

use slotquake_core::mutants::MUTANTS;
use slotquake_tests::run::Harness;
use slotquake_workloads::client::mutants::CLIENT_MUTANTS;

const HARNESS: Harness<'static> = Harness {
    path: env!("CARGO_BIN_EXE_slotquake-under-test"),
};

#[test]
fn every_mutant_stands_in_the_table() {
    let page = include_str!("../docs/mutants.md");
    let of_nodes = MUTANTS.iter().map(|seeded| seeded.name);
    let of_clients = CLIENT_MUTANTS.iter().map(|(_, name, _)| *name);
    let is_missing = |name: &&str| !page.contains(&format!("| `{name}` |"));
    let missing: Vec<&str> = of_nodes.chain(of_clients).filter(is_missing).collect();
    assert_eq!(missing, Vec::<&str>::new(), "make docs/mutants.md again");
}

#[cfg(not(feature = "mutants"))]
#[test]
fn a_default_build_has_no_mutants() {
    let folder = tempfile::tempdir().unwrap();
    let called = HARNESS.call(folder.path(), &["simulate", "--mutant", "VO-01"]);
    called.assert_bad_input(&["--mutant"]);
}

#[cfg(feature = "mutants")]
#[test]
fn quick_mutants_are_caught_and_the_unmutated_node_holds() {
    const QUICK: &str = "VO-01,epoch-reused,suspicion-stays,failure-stays,UP-05,RD-06,\
                         moved-to-myself,reads-when-down,replicas-serve-reads,\
                         stream-not-applied,offset-not-told,timeout-is-fail";
    let folder = tempfile::tempdir().unwrap();
    let hunt = ["simulate", "--mutant", QUICK, "--budget", "30s"];
    let short = ["--shrink-mutants", "0", "--json"];
    let called = HARNESS.call(folder.path(), &[&hunt[..], &short[..]].concat());
    let table = called.object();
    let mutants = table["mutants"].as_array().unwrap();
    assert_eq!(mutants.len(), QUICK.split(',').count());
    for mutant in mutants {
        assert_eq!(mutant["caught"], true, "{mutant}");
    }
    assert_eq!(table["control"]["held"], true, "{table}");
    assert_eq!(called.status, 0, "{called:?}");
}

/// What others see first is seen by the check of its own as well.
#[cfg(feature = "mutants")]
#[test]
fn checks_that_others_forestall_catch_a_mutant_too() {
    let folder = tempfile::tempdir().unwrap();
    for (mutant, check) in [
        ("lost-keys-stay", "MG-02"),
        ("open-slots-not-on-disk", "MG-05"),
        ("demoted-keeps-readers", "HI-11"),
        ("vote-per-shard", "VT-09"),
        ("suspects-by-stream", "ST-07"),
    ] {
        let hunt = ["simulate", "--mutant", mutant, "--caught-by", check];
        let short = ["--shrink-mutants", "0", "--json"];
        let called = HARNESS.call(folder.path(), &[&hunt[..], &short[..]].concat());
        let table = called.object();
        assert_eq!(table["mutants"][0]["caught"], true, "{table}");
        assert_eq!(called.status, 0, "{called:?}");
    }
}

//! Parts of a plan as the command line writes them.
//!
//! What these functions print, the options of `slotquake test` read back as the same: the replay
//! command, the report and the errors of a plan all quote options with them.

use slotquake_checkers::observation::FaultKind;
use slotquake_workloads::load::Load;

/// Kinds as the command line takes them.
pub fn faults_text(faults: &[FaultKind]) -> String {
    if faults.is_empty() {
        return "none".to_string();
    }
    let names: Vec<&str> = faults.iter().map(|kind| kind.name()).collect();
    names.join(",")
}

/// `30s`, `1500ms`.
pub fn duration_text(ms: u64) -> String {
    match ms % 1_000 {
        0 => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

/// The options that ask for this load, and their values; those that ask for nothing are left out.
pub fn load_options(load: &Load) -> Vec<(&'static str, String)> {
    let usual = Load::default();
    let all = [
        ("keys", load.keys.unwrap_or_default().to_string()),
        ("skew", load.skew.name().into()),
        ("hash-tags", load.hash_tags.to_string()),
        ("value-size", load.value_bytes.to_string()),
        ("replica-reads", load.replica_reads_percent.to_string()),
        ("wait", load.wait_replicas.to_string()),
        ("arrival", load.arrival.name().into()),
        ("pipeline", load.pipeline.to_string()),
    ];
    let is_asked = |(name, value): &(&str, String)| match *name {
        "skew" => load.skew != usual.skew,
        "arrival" => load.arrival != usual.arrival,
        "pipeline" => load.pipeline != usual.pipeline,
        _ => value != "0",
    };
    all.into_iter().filter(is_asked).collect()
}

#[cfg(test)]
mod tests {
    use slotquake_workloads::load::Skew;

    use super::*;

    #[test]
    fn names_only_what_is_asked() {
        assert!(load_options(&Load::default()).is_empty());
        let load = Load {
            skew: Skew::Zipf,
            wait_replicas: 1,
            ..Load::default()
        };
        let named = load_options(&load);
        assert_eq!(named, [("skew", "zipf".into()), ("wait", "1".into())]);
    }
}

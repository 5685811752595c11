//! Parts of a plan as the command line writes them.
//!
//! What these functions print, the options of `slotquake test` read back as the same: the replay
//! command, the report and the errors of a plan all quote options with them.

use slotquake_checkers::observation::FaultKind;

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

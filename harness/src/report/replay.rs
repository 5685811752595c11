//! The command that runs the same plan again.

use std::path::Path;

use crate::plan::words::{duration_text, faults_text, load_options};
use crate::plan::{Plan, Profile, WorldKind, config};

/// The command that plays a plan again; one that was written to a folder, if it has a script: that
/// does not fit into options.
pub fn replay_command(plan: &Plan, folder: Option<&Path>) -> String {
    match plan.script {
        None => command_line(plan),
        Some(_) => {
            let file = folder.map_or("plan.json".into(), |folder| folder.join("plan.json"));
            file_command(&file)
        }
    }
}

/// The command that plays a plan file.
pub fn file_command(file: &Path) -> String {
    format!(
        "slotquake test --plan {}",
        quoted(&file.display().to_string())
    )
}

/// The command line of a plan; options at their defaults are left out where that is safe.
fn command_line(plan: &Plan) -> String {
    let mut words = vec!["slotquake test".to_string()];
    let mut option = |name: &str, value: String| words.push(format!("--{name} {value}"));
    option("target", quoted(&plan.target));
    match plan.profile {
        Profile::Default => {}
        Profile::Upstream70 => option("profile", plan.profile.name().to_string()),
    }
    if let Some(mutant) = &plan.mutant {
        option("mutant", mutant.clone());
    }
    match plan.world {
        WorldKind::Local => {}
        WorldKind::Sim => option("world", "sim".to_string()),
    }
    option("masters", plan.masters.to_string());
    option("replicas", plan.replicas.to_string());
    if plan.slotless > 0 {
        option("slotless", plan.slotless.to_string());
    }
    if !plan.network.is_usual() {
        option("network", plan.network.text());
    }
    option("node-timeout", duration_text(plan.node_timeout_ms));
    for directive in config::words(&plan.config) {
        option("config", quoted(&directive));
    }
    option("workload", plan.workloads.join(","));
    match &plan.scenario {
        Some(scenario) => option("scenario", quoted(scenario)),
        None => {
            option("faults", faults_text(&plan.faults));
            option("fault-interval", duration_text(plan.fault_interval_ms));
        }
    }
    option("time-limit", duration_text(plan.time_limit_ms));
    option("rate", plan.rate.to_string());
    option("concurrency", plan.concurrency.to_string());
    for (name, value) in load_options(&plan.load) {
        option(name, value);
    }
    option("seed", plan.seed.to_string());
    words.join(" ")
}

/// A word a shell takes as one.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@/._-,+:=".contains(&byte);
    match !word.is_empty() && word.bytes().all(is_plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixed_target_is_quoted_for_the_shell() {
        assert_eq!(
            quoted("reference*3,redis@7.0.15*3"),
            "'reference*3,redis@7.0.15*3'"
        );
        assert_eq!(quoted("redis@7.0.15"), "redis@7.0.15");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

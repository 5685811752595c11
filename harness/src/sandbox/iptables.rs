//! The packet filter through the `iptables` program, for kernels without nf_tables.
//!
//! One `iptables-restore --noflush` for each change, so that a change is one transaction.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::path::Path;

/// The filter of this network namespace, driven by a program.
#[derive(Debug)]
pub(super) struct Iptables {
    program: &'static str,
}

impl Iptables {
    /// Finds a program that works here; the error says what each of them said.
    pub(super) fn open() -> Result<Iptables, String> {
        let mut refusals = Vec::new();
        for program in ["iptables-restore", "iptables-legacy-restore"] {
            let candidate = Iptables { program };
            match candidate.change(&[], &[]) {
                Ok(()) => return Ok(candidate),
                Err(refusal) => refusals.push(format!("{program}: {refusal}")),
            }
        }
        Err(refusals.join("; "))
    }

    /// Adds and removes paths in one transaction.
    pub(super) fn change(&self, added: &[Path], removed: &[Path]) -> Result<(), String> {
        let mut rules = "*filter\n".to_owned();
        for (verb, paths) in [("-D", removed), ("-A", added)] {
            for path in paths {
                for ports in ports_of(path) {
                    let (source, target) = (path.source, path.target);
                    writeln!(rules, "{verb} INPUT -s {source} -d {target}{ports} -j DROP")
                        .expect("a String takes any text");
                }
            }
        }
        rules.push_str("COMMIT\n");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut restore = Command::new(self.program)
            .arg("--noflush")
            // Debian keeps it where only root's path leads.
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .env("XTABLES_LOCKFILE", "/sys/xtables.lock")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        if let Some(mut stdin) = restore.stdin.take() {
            stdin
                .write_all(rules.as_bytes())
                .map_err(|error| error.to_string())?;
        }
        let output = restore
            .wait_with_output()
            .map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr)
                .trim()
                .replace('\n', ", ")),
        }
    }
}

/// What a rule says about ports; a path of one port takes a rule for each end and protocol.
fn ports_of(path: &Path) -> Vec<String> {
    let Some(port) = path.port else {
        return vec![String::new()];
    };
    // The probe is a datagram.
    let each = ["tcp", "udp"].into_iter().flat_map(|protocol| {
        ["sport", "dport"].map(|end| format!(" -p {protocol} --{end} {port}"))
    });
    each.collect()
}

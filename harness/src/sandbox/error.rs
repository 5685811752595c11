//! Why there is no sandbox, and what would help.
//!
//! The text of an error names the step that the kernel refused and the setting that refuses it on
//! the usual distributions, looked up on this machine.

use std::fs;

use nix::errno::Errno;

/// A step on the way into the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Creating the namespaces.
    Unshare,
    /// Mapping the user into the user namespace.
    MapUser,
    /// Creating a process or a pipe.
    Fork,
    /// Making the mounts private, mounting the tmpfs.
    Mount,
    /// Bringing the loopback device up.
    Loopback,
    /// Tying the process to its parent's life.
    Lifeline,
}

impl Step {
    /// All steps; a step's code is its position here, counted from 1.
    pub(super) const ALL: [Step; 6] = [
        Step::Unshare,
        Step::MapUser,
        Step::Fork,
        Step::Mount,
        Step::Loopback,
        Step::Lifeline,
    ];

    fn name(self) -> &'static str {
        match self {
            Step::Unshare => "create namespaces",
            Step::MapUser => "map the user into its namespace",
            Step::Fork => "create the sandbox's processes",
            Step::Mount => "mount inside the namespace",
            Step::Loopback => "bring the loopback device up",
            Step::Lifeline => "tie the sandbox to its parent's life",
        }
    }
}

/// Why a sandbox could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SandboxError {
    /// The kernel refused a step.
    #[error("this machine does not let the harness {} ({errno}); {}", step.name(), remedy(*step))]
    Refused {
        /// Which step.
        step: Step,
        /// What the kernel said.
        errno: Errno,
    },
    /// Plain loopback was asked for.
    #[error("plain loopback was asked for; leave that option out to have namespaces")]
    NotWanted,
    /// The process has threads already: a mistake of the caller.
    #[error("the sandbox must be entered before any thread starts, {0} run already")]
    ThreadsRunning(usize),
    /// The sandbox's first process ended before it was ready.
    #[error("the sandbox's first process ended before it was ready")]
    Vanished,
    /// No temporary folder.
    #[error("no temporary folder could be made: {0}; set TMPDIR to a writable folder")]
    NoScratch(String),
}

fn remedy(step: Step) -> String {
    let blocking = [
        (
            "/proc/sys/kernel/unprivileged_userns_clone",
            "0",
            "kernel.unprivileged_userns_clone=1",
        ),
        (
            "/proc/sys/user/max_user_namespaces",
            "0",
            "user.max_user_namespaces=10000",
        ),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
    ];
    let settings: Vec<String> = blocking
        .iter()
        .filter(|(path, bad, _)| fs::read_to_string(path).is_ok_and(|text| text.trim() == *bad))
        .map(|(_, _, good)| format!("sudo sysctl -w {good}"))
        .collect();
    match (settings.is_empty(), step) {
        (false, _) => format!("allow it with: {}", settings.join("; ")),
        (true, Step::Unshare | Step::MapUser | Step::Mount | Step::Loopback) => {
            "run as root, or in a container started with --privileged".to_owned()
        }
        (true, Step::Fork | Step::Lifeline) => "see ulimit -u and ulimit -n".to_owned(),
    }
}

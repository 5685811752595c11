//! The processes that only wait: they pass signals down and the exit status up.
//!
//! Signals are blocked before the fork and fetched one by one, so none can fall between the fork
//! and a handler. The process that does the work unblocks them again ([`unblock_signals`]).

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Signals passed on, and the one that says a child has ended.
fn watched() -> SigSet {
    [
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGCHLD,
    ]
    .into_iter()
    .collect()
}

/// Blocks the watched signals; gives the mask as it was.
pub(super) fn block_signals() -> SigSet {
    let before = SigSet::thread_get_mask().unwrap_or_else(|_| SigSet::empty());
    // Blocking valid signals cannot fail.
    let _blocked = watched().thread_block();
    before
}

/// Sets the mask back; release of [`block_signals`].
pub(super) fn restore_signals(before: &SigSet) {
    let _restored = before.thread_set_mask();
}

/// Unblocks the watched signals, in the process that goes on as the harness.
pub(super) fn unblock_signals() {
    let _unblocked = watched().thread_unblock();
}

/// Waits for the child's end, passing signals on to it. The watched signals must be blocked.
pub(super) fn wait_for(child: Pid) -> u8 {
    loop {
        match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(_, status)) => return status as u8,
            Ok(WaitStatus::Signaled(_, signal, _)) => return 128 + signal as u8,
            Err(Errno::ECHILD) => return 1,
            _ => {}
        }
        match watched().wait() {
            Ok(Signal::SIGCHLD) | Err(_) => {}
            // The child may have ended meanwhile; the next round sees it.
            Ok(signal) => {
                let _gone = kill(child, signal);
            }
        }
    }
}

/// Ends this process at once, without running what belongs to its parent.
pub(super) fn exit_now(status: u8) -> ! {
    // SAFETY: `_exit` takes any status and does not return.
    unsafe { libc::_exit(i32::from(status)) }
}

//! Being asked to end: SIGINT, SIGTERM and SIGHUP set a flag that the run looks at.
//!
//! The first signal asks for an orderly end (heal, write what is there); the second ends at once.
//! In the sandbox that is the end of its init, so no node survives it.

use std::sync::atomic::{AtomicU8, Ordering};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static ASKED: AtomicU8 = AtomicU8::new(0);

/// Whether the run was asked to end.
pub fn is_requested() -> bool {
    ASKED.load(Ordering::Relaxed) > 0
}

/// Begins to listen; for runs inside the sandbox, and for those that need none.
pub fn watch() {
    let handler = SigHandler::Handler(note);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // SAFETY: the handler touches one atomic and `_exit`, both safe in a signal handler.
        let _previous = unsafe { sigaction(signal, &action) };
    }
}

extern "C" fn note(signal: libc::c_int) {
    if ASKED.fetch_add(1, Ordering::Relaxed) > 0 {
        // SAFETY: `_exit` is safe in a signal handler.
        unsafe { libc::_exit(128 + signal) }
    }
}

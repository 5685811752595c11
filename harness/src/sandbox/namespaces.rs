//! Creating the namespaces, and the processes that live and die with each other.
//!
//! The caller forks the keeper; the keeper leaves the machine's namespaces and forks the init of a
//! new pid namespace, which goes on as the harness. The way in is reported through a pipe, so that
//! the caller can fall back when a step is refused. Nothing here outlives its parent: each child
//! asks for SIGKILL at its parent's death, and then checks that the parent was still there.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid, getpid, getppid, pipe2, setpgid};

use super::error::{SandboxError, Step};
use super::{loopback, scratch, stop, supervisor};

/// How the attempt ended, seen from the process that asks.
pub(super) enum Attempt {
    /// This is the new init.
    Inside,
    /// This is the caller, and the new init has ended.
    Outer(u8),
    /// This is the caller, and there are no namespaces.
    Refused(SandboxError),
}

/// A step that failed, before it is told to the caller.
struct Refusal {
    step: Step,
    errno: Errno,
}

/// Refuses to go on when other threads run: after a fork they would be missing, with locks held.
pub(super) fn refuse_threads() -> Result<(), SandboxError> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    match threads {
        0 | 1 => Ok(()),
        threads => Err(SandboxError::ThreadsRunning(threads)),
    }
}

/// Forks into the namespaces.
pub(super) fn enter() -> Result<Attempt, SandboxError> {
    let forked = |errno| SandboxError::Refused {
        step: Step::Fork,
        errno,
    };
    let (report_in, report_out) = pipe2(OFlag::O_CLOEXEC).map_err(forked)?;
    let blocked = supervisor::block_signals();
    let caller = getpid();
    // SAFETY: `refuse_threads` saw no other thread, so the child has all it needs to go on.
    match unsafe { fork() }.map_err(forked)? {
        ForkResult::Child => {
            drop(report_in);
            keeper(caller, report_out)
        }
        ForkResult::Parent { child } => {
            drop(report_out);
            match read_report(report_in) {
                Ok(()) => Ok(Attempt::Outer(supervisor::wait_for(child))),
                Err(why) => {
                    supervisor::wait_for(child);
                    supervisor::restore_signals(&blocked);
                    Ok(Attempt::Refused(why))
                }
            }
        }
    }
}

/// The process between: it owns the namespaces and waits. Returns only in its child, the new init.
fn keeper(caller: Pid, mut report: OwnedFd) -> Result<Attempt, SandboxError> {
    let forked = leave_machine(caller).and_then(|()| {
        let step = |errno| Refusal {
            step: Step::Fork,
            errno,
        };
        let life = pipe2(OFlag::O_CLOEXEC).map_err(step)?;
        // SAFETY: this process is single-threaded, as its parent was.
        Ok((unsafe { fork() }.map_err(step)?, life))
    });
    match forked {
        Err(refusal) => {
            send_report(&mut report, Err(&refusal));
            supervisor::exit_now(1)
        }
        Ok((ForkResult::Parent { child }, _life)) => {
            drop(report);
            supervisor::exit_now(supervisor::wait_for(child))
        }
        Ok((ForkResult::Child, (life_in, life_out))) => {
            drop(life_out);
            match settle(&life_in) {
                Ok(()) => {
                    send_report(&mut report, Ok(()));
                    Ok(Attempt::Inside)
                }
                Err(refusal) => {
                    send_report(&mut report, Err(&refusal));
                    supervisor::exit_now(1)
                }
            }
        }
    }
}

/// Leaves the caller's process group and the machine's namespaces.
fn leave_machine(caller: Pid) -> Result<(), Refusal> {
    let lifeline = |errno| Refusal {
        step: Step::Lifeline,
        errno,
    };
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(lifeline)?;
    if getppid() != caller {
        supervisor::exit_now(1);
    }
    // A terminal's Ctrl-C must reach the nodes through the harness only.
    setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(lifeline)?;
    let (user, group) = (geteuid(), getegid());
    let spaces = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID;
    // Root keeps its user namespace and with it the right to read everyone's files.
    if user.is_root() && unshare(spaces).is_ok() {
        return Ok(());
    }
    unshare(spaces | CloneFlags::CLONE_NEWUSER).map_err(|errno| Refusal {
        step: Step::Unshare,
        errno,
    })?;
    let map = |path: &str, text: String| {
        fs::write(path, text).map_err(|error| Refusal {
            step: Step::MapUser,
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        })
    };
    map("/proc/self/setgroups", "deny".to_owned())?;
    map("/proc/self/uid_map", format!("0 {user} 1"))?;
    map("/proc/self/gid_map", format!("0 {group} 1"))?;
    // Taking new rights has cleared the death signal.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(lifeline)?;
    if getppid() != caller {
        supervisor::exit_now(1);
    }
    Ok(())
}

/// Makes the new init's world: its parent's death, its mounts, its network.
fn settle(life: &OwnedFd) -> Result<(), Refusal> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|errno| Refusal {
        step: Step::Lifeline,
        errno,
    })?;
    // The parent is invisible from here; its end of the pipe tells whether it died before this.
    let mut ends = [PollFd::new(life.as_fd(), PollFlags::POLLIN)];
    if poll(&mut ends, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        supervisor::exit_now(1);
    }
    let mounted = |errno| Refusal {
        step: Step::Mount,
        errno,
    };
    let none = None::<&str>;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(none, "/", none, private, none).map_err(mounted)?;
    // A container with a masked /proc refuses a fresh one; nothing here depends on it.
    let _refused = mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), none);
    scratch::mount_tmpfs().map_err(mounted)?;
    loopback::bring_up().map_err(|errno| Refusal {
        step: Step::Loopback,
        errno,
    })?;
    stop::watch();
    supervisor::unblock_signals();
    Ok(())
}

/// The report: 0 for success, or the step's code; then the errno.
fn send_report(pipe: &mut OwnedFd, outcome: Result<(), &Refusal>) {
    let (code, errno) = match outcome {
        Ok(()) => (0, 0),
        Err(refusal) => {
            let position = Step::ALL.iter().position(|step| *step == refusal.step);
            (
                position.map_or(0, |position| position + 1) as u8,
                refusal.errno as i32,
            )
        }
    };
    let mut bytes = vec![code];
    bytes.extend(errno.to_le_bytes());
    if let Ok(end) = pipe.try_clone() {
        // A caller that no longer reads is dead, and so is this process in a moment.
        let _unread = fs::File::from(end).write_all(&bytes);
    }
}

fn read_report(pipe: OwnedFd) -> Result<(), SandboxError> {
    let mut bytes = [0_u8; 5];
    if fs::File::from(pipe).read_exact(&mut bytes).is_err() {
        return Err(SandboxError::Vanished);
    }
    let [code, errno @ ..] = bytes;
    match usize::from(code).checked_sub(1) {
        None => Ok(()),
        Some(position) => Err(SandboxError::Refused {
            step: Step::ALL.get(position).copied().unwrap_or(Step::Fork),
            errno: Errno::from_raw(i32::from_le_bytes(errno)),
        }),
    }
}

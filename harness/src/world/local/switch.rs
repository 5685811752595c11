//! Waiting for many connections at once, and for the desk's bell.
//!
//! Lines are known by an id that is never given twice, so that an event of a line that is gone
//! means nothing.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use super::line::{Interest, Line};

/// Which line; its place, and how many lines there were before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LineId {
    place: u32,
    number: u32,
}

/// What became of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// Which.
    pub(super) line: LineId,
    /// Whether it can be written to, or is connected.
    pub(super) to_write: bool,
    /// Whether there is something to read, if only the end.
    pub(super) to_read: bool,
}

/// Wakes who waits at the switch, from another thread.
#[derive(Debug, Clone)]
pub(super) struct Bell(Arc<EventFd>);

impl Bell {
    /// Rings.
    pub(super) fn ring(&self) {
        // It cannot be full: whoever waits reads it, and each ring counts one.
        let _rung_already = self.0.write(1);
    }
}

/// All lines, and what to wait for.
#[derive(Debug)]
pub(super) struct Switch {
    epoll: Epoll,
    bell: Bell,
    events: Vec<EpollEvent>,
    lines: Vec<Option<(u32, Line)>>,
    free: Vec<u32>,
    numbers: u32,
}

impl Switch {
    pub(super) fn open() -> io::Result<Switch> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = Bell(Arc::new(EventFd::from_flags(flags)?));
        epoll.add(&*bell.0, EpollEvent::new(EpollFlags::EPOLLIN, BELL))?;
        Ok(Switch {
            epoll,
            bell,
            events: vec![EpollEvent::empty(); EVENTS_MAX],
            lines: Vec::new(),
            free: Vec::new(),
            numbers: 0,
        })
    }

    /// What wakes a wait.
    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }

    /// Takes in a line, which is waited for from now on.
    pub(super) fn add(&mut self, line: Line) -> io::Result<LineId> {
        let place = self.free.pop().unwrap_or_else(|| {
            self.lines.push(None);
            (self.lines.len() - 1) as u32
        });
        let number = self.numbers;
        self.numbers = self.numbers.wrapping_add(1) & !(1 << 31);
        let id = LineId { place, number };
        let added = self.epoll.add(&line, wanted(id, line.interest));
        match added {
            Ok(()) => self.lines[place as usize] = Some((number, line)),
            Err(_) => self.free.push(place),
        }
        Ok(added.map(|()| id)?)
    }

    /// The line of this id, if it is still there.
    pub(super) fn line(&mut self, id: LineId) -> Option<&mut Line> {
        match self.lines.get_mut(id.place as usize) {
            Some(Some((number, line))) if *number == id.number => Some(line),
            Some(_) | None => None,
        }
    }

    /// Takes out a line; the kernel forgets it when it is dropped.
    pub(super) fn remove(&mut self, id: LineId) -> Option<Line> {
        self.line(id)?;
        self.free.push(id.place);
        let taken = self.lines[id.place as usize].take();
        taken.map(|(_, line)| line)
    }

    /// Waits for something else than before.
    pub(super) fn set_interest(&mut self, id: LineId, interest: Interest) -> io::Result<()> {
        if let Some((_, line)) = self.lines[id.place as usize].as_mut()
            && line.interest != interest
        {
            line.interest = interest;
            self.epoll.modify(&*line, &mut wanted(id, interest))?;
        }
        Ok(())
    }

    /// Waits until something happens, or that long, and fills `ready`.
    ///
    /// # Errors
    /// Those of the system; an interruption by a signal is none.
    pub(super) fn wait(&mut self, patience: Duration, ready: &mut Vec<Ready>) -> io::Result<()> {
        let ms = u16::try_from(patience.as_millis()).unwrap_or(u16::MAX);
        if ms == 0 && !patience.is_zero() {
            // The kernel's epoll counts whole milliseconds.
            let mut whole = [PollFd::new(self.epoll.0.as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut whole, Some(TimeSpec::from_duration(patience)), None) {
                Ok(0) | Err(Errno::EINTR) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let count = match self.epoll.wait(&mut self.events, EpollTimeout::from(ms)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(error) => return Err(error.into()),
        };
        for event in &self.events[..count] {
            if event.data() == BELL {
                let _how_often = self.bell.0.read();
                continue;
            }
            let flags = event.events();
            let is_over = flags.intersects(EpollFlags::EPOLLERR | EpollFlags::EPOLLHUP);
            ready.push(Ready {
                line: LineId {
                    place: event.data() as u32,
                    number: (event.data() >> 32) as u32,
                },
                to_write: is_over || flags.contains(EpollFlags::EPOLLOUT),
                to_read: is_over || flags.contains(EpollFlags::EPOLLIN),
            });
        }
        Ok(())
    }
}

fn wanted(id: LineId, interest: Interest) -> EpollEvent {
    let flags = match interest {
        Interest::Read => EpollFlags::EPOLLIN,
        Interest::Write => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
    };
    EpollEvent::new(flags, u64::from(id.number) << 32 | u64::from(id.place))
}

/// No line has this number.
const BELL: u64 = u64::MAX;
const EVENTS_MAX: usize = 512;

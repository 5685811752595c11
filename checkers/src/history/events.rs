//! The events of one recording: ready one by one while they are few, packed when they are many.
//!
//! A run at full speed makes millions of events. Ready, each takes some 140 bytes; packed as the
//! binary form packs them ([`Tape`]) some 10, and what reads them has one ready at a time
//! ([`Events::each`]).

use super::binary::{Replay, Tape};
use super::event::Event;
use super::jsonl::fast::blank;

/// Events in order of time.
#[derive(Debug, Clone)]
pub struct Events {
    held: Held,
    /// So many are kept ready.
    ready_max: usize,
}

#[derive(Debug, Clone)]
enum Held {
    Ready(Vec<Event>),
    Packed(Tape),
}

impl Default for Events {
    fn default() -> Self {
        Events::packing_beyond(usize::MAX)
    }
}

impl Events {
    /// None yet; when there are more than so many they are packed.
    pub fn packing_beyond(ready_max: usize) -> Events {
        Events {
            held: Held::Ready(Vec::new()),
            ready_max,
        }
    }

    /// Puts an event at the end.
    pub fn push(&mut self, event: Event) {
        match &mut self.held {
            Held::Ready(ready) if ready.len() < self.ready_max => ready.push(event),
            Held::Ready(ready) => {
                let mut tape = Tape::default();
                ready.iter().for_each(|event| tape.push(event));
                tape.push(&event);
                self.held = Held::Packed(tape);
            }
            Held::Packed(tape) => tape.push(&event),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.held {
            Held::Ready(ready) => ready.len(),
            Held::Packed(tape) => tape.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Time of the last one, ns; 0 if there is none.
    pub fn end(&self) -> u64 {
        match &self.held {
            Held::Ready(ready) => ready.last().map_or(0, |event| event.time),
            Held::Packed(tape) => tape.end(),
        }
    }

    /// All of them, if they are ready.
    pub fn ready(&self) -> Option<&[Event]> {
        match &self.held {
            Held::Ready(ready) => Some(ready),
            Held::Packed(_) => None,
        }
    }

    /// The tape, if they are packed.
    pub fn tape(&self) -> Option<&Tape> {
        match &self.held {
            Held::Ready(_) => None,
            Held::Packed(tape) => Some(tape),
        }
    }

    /// Shows each in turn; none is made but the one at hand.
    pub fn each(&self, mut take: impl FnMut(&Event)) {
        let shown: Result<(), std::convert::Infallible> = self.try_each(|event| {
            take(event);
            Ok(())
        });
        let Ok(()) = shown;
    }

    /// The same until an error.
    ///
    /// # Errors
    /// The first one.
    pub fn try_each<E>(&self, mut take: impl FnMut(&Event) -> Result<(), E>) -> Result<(), E> {
        match &self.held {
            Held::Ready(ready) => ready.iter().try_for_each(take),
            Held::Packed(tape) => {
                let (mut replay, mut event) = (tape.replay(), blank());
                while replay.read(&mut event) {
                    take(&event)?;
                }
                Ok(())
            }
        }
    }

    /// Each in turn, made anew.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match &self.held {
            Held::Ready(ready) => Source::Ready(ready.iter()),
            Held::Packed(tape) => Source::Packed(tape.replay()),
        })
    }

    /// All of them, to be changed; they are ready from now on.
    pub fn unpacked(&mut self) -> &mut Vec<Event> {
        if let Held::Packed(_) = self.held {
            self.held = Held::Ready(self.iter().collect());
        }
        match &mut self.held {
            Held::Ready(ready) => ready,
            Held::Packed(_) => unreachable!("they were unpacked above"),
        }
    }

    /// The last one, to be changed.
    pub fn last_mut(&mut self) -> Option<&mut Event> {
        self.unpacked().last_mut()
    }

    /// Each in turn, to be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut Event> {
        self.unpacked().iter_mut()
    }
}

/// Events of [`Events::iter`].
#[derive(Debug)]
pub struct Iter<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    Ready(std::slice::Iter<'a, Event>),
    Packed(Replay<'a>),
}

impl Iterator for Iter<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        match &mut self.0 {
            Source::Ready(ready) => ready.next().cloned(),
            Source::Packed(replay) => {
                let mut event = blank();
                replay.read(&mut event).then_some(event)
            }
        }
    }
}

impl From<Vec<Event>> for Events {
    fn from(ready: Vec<Event>) -> Events {
        Events {
            held: Held::Ready(ready),
            ready_max: usize::MAX,
        }
    }
}

impl FromIterator<Event> for Events {
    fn from_iter<I: IntoIterator<Item = Event>>(events: I) -> Events {
        events.into_iter().collect::<Vec<Event>>().into()
    }
}

/// The same events, however they are held.
impl PartialEq for Events {
    fn eq(&self, other: &Events) -> bool {
        match (self.ready(), other.ready()) {
            (Some(one), Some(other)) => one == other,
            (_, _) => self.len() == other.len() && self.iter().eq(other.iter()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::RecordingBuilder;

    #[test]
    fn events_are_the_same_however_they_are_held() {
        let ready = RecordingBuilder::good().build().events;
        let mut packed = Events::packing_beyond(3);
        ready.each(|event| packed.push(event.clone()));
        assert!(ready.len() > 4 && packed.ready().is_none());
        assert_eq!((packed.len(), packed.end()), (ready.len(), ready.end()));
        assert!(packed == ready && packed.iter().eq(ready.iter()));
        packed.unpacked().pop();
        assert!(packed != ready && packed.ready().is_some());
    }
}

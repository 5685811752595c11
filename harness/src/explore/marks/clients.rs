//! Marks in what clients saw.

use slotquake_checkers::history::{Event, EventKind};
use slotquake_checkers::observation::slots::slot_of_key;

use super::views::Views;
use super::{Mark, Tally};

/// Takes in an event; `views` tells a MOVED from an ASK: only who migrates the slot says ASK.
pub fn observe(event: &Event, views: &Views<'_>, tally: &mut Tally) {
    match event.kind {
        EventKind::Invoke => {}
        EventKind::Ok => observe_hops(event, views, tally),
        EventKind::Fail | EventKind::Info => match event.error.as_deref() {
            Some(error) if error.starts_with("CLUSTERDOWN") => {
                tally.see(Mark::ClusterDownAnswered);
            }
            Some("timed out") => tally.see(Mark::AnswerMissing),
            Some(_) | None => {}
        },
    }
}

fn observe_hops(event: &Event, views: &Views<'_>, tally: &mut Tally) {
    let Some(key) = event.key.as_deref().filter(|_| !event.hops.is_empty()) else {
        return;
    };
    let slot = slot_of_key(key.as_bytes());
    let is_ask = event.hops.iter().any(|hop| views.is_migrating(hop, slot));
    if event.hops.windows(2).any(|pair| pair[0] == pair[1]) {
        tally.see(Mark::TriedAgain);
    }
    let mut later = event.hops.iter().skip(1);
    if later.any(|hop| views.is_migrating(hop, slot)) {
        tally.see(Mark::AskAfterMoved);
    }
    tally.see(match is_ask {
        true => Mark::AskFollowed,
        false => Mark::MovedFollowed,
    });
}

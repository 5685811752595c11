//! Seeded bugs of the client: mistakes of a good engineer, put in to prove the checkers.
//!
//! As those of the node, they are absent without the cargo feature `mutants`: [`Chosen`] has no
//! size then, and [`Chosen::is`] is "no" at compile time.

/// A seeded bug of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the list says what each is")]
pub enum ClientMutant {
    TimeoutIsFail,
    LostIsOk,
    RetriesAfterTimeout,
    NilIsOk,
    NoWatch,
    AskWithoutAsking,
    AskUpdatesMap,
}

/// All of them: name and mistake.
pub const CLIENT_MUTANTS: &[(ClientMutant, &str, &str)] = &[
    (
        ClientMutant::TimeoutIsFail,
        "timeout-is-fail",
        "the client takes a write without an answer for one that did not happen",
    ),
    (
        ClientMutant::LostIsOk,
        "lost-is-ok",
        "the client takes a write whose connection broke for done",
    ),
    (
        ClientMutant::RetriesAfterTimeout,
        "retries-after-timeout",
        "the client sends a write again that got no answer",
    ),
    (
        ClientMutant::NilIsOk,
        "nil-is-ok",
        "the client takes the nil of EXEC for success",
    ),
    (
        ClientMutant::NoWatch,
        "no-watch",
        "the client compares and sets without WATCH",
    ),
    (
        ClientMutant::AskWithoutAsking,
        "ask-without-asking",
        "the client follows ASK without sending ASKING",
    ),
    (
        ClientMutant::AskUpdatesMap,
        "ask-updates-map",
        "the client takes ASK for MOVED and corrects its slot map",
    ),
];

/// The seeded bug of a client, if it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chosen {
    #[cfg(feature = "mutants")]
    mutant: Option<ClientMutant>,
}

impl Chosen {
    /// This one.
    #[cfg(feature = "mutants")]
    pub fn one(mutant: ClientMutant) -> Chosen {
        let mutant = Some(mutant);
        Chosen { mutant }
    }

    /// Whether the client has this bug.
    #[cfg(feature = "mutants")]
    #[inline]
    pub fn is(self, mutant: ClientMutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// No.
    #[cfg(not(feature = "mutants"))]
    #[inline(always)]
    pub fn is(self, _: ClientMutant) -> bool {
        false
    }
}

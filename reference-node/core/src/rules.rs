//! Rule tables: a decision is a list of small named rules, each with its clause.
//!
//! The first rule that objects names the reason, for logs, tests and reports. One rule, one clause:
//! a seeded bug switches one rule off by its name.

use crate::mutants::Chosen;

/// One rule over the facts `F`: an objection `R`, or nothing to say.
pub struct Rule<F: ?Sized, R> {
    /// The clause it implements: `VO-03`.
    pub clause: &'static str,
    /// Gives the reason why not, if there is one.
    pub objects: fn(&F) -> Option<R>,
}

/// The first objection in the order of the table, with its clause; a mutant may switch rules off.
pub fn first_objection<F: ?Sized, R>(
    rules: &[Rule<F, R>],
    facts: &F,
    mutant: Chosen,
) -> Option<(&'static str, R)> {
    rules
        .iter()
        .filter(|rule| !mutant.skips(rule.clause))
        .find_map(|rule| (rule.objects)(facts).map(|reason| (rule.clause, reason)))
}

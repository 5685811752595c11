//! Where words go: results to stdout, everything else to stderr; colour only for people.
//!
//! A reader that goes away (a broken pipe) is no error: nobody wants the rest.

use std::io::{IsTerminal, Write};

use crate::report::text::Paint;

/// What stdout is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Words for people.
    Words,
    /// One JSON object and nothing else.
    Json,
}

/// Prints a result on stdout.
pub fn result(text: &str) {
    let mut out = std::io::stdout().lock();
    let _reader_may_be_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints words: on stdout, or on stderr where stdout is for JSON.
pub fn words(form: Form, text: &str) {
    match form {
        Form::Words => result(text),
        Form::Json => aside(text),
    }
}

/// Prints something on stderr.
pub fn aside(text: &str) {
    let mut out = std::io::stderr().lock();
    let _reader_may_be_gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether the words of this form go to a person who wants colours.
pub fn paint(form: Form) -> Paint {
    let is_person = match form {
        Form::Words => std::io::stdout().is_terminal(),
        Form::Json => std::io::stderr().is_terminal(),
    };
    // The convention of no-color.org: any value but the empty one.
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match is_person && !is_refused {
        true => Paint::Colour,
        false => Paint::Plain,
    }
}

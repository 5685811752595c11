//! The syntax of EDN, as far as histories use it; one form at a time, at bounded depth.

use std::io::{BufRead, BufReader, Read};

use crate::history::jsonl::HistoryProblem;
use crate::lines::LineProblem;

/// One form.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// `nil`
    Nil,
    /// An integer; `true` and `false` are 1 and 0.
    Int(i64),
    /// A string, a symbol, a character, or a number that is no integer.
    Text(String),
    /// `:word`
    Keyword(String),
    /// A list, vector or set.
    Items(Vec<Form>),
    /// A map, or a record.
    Map(Vec<(Form, Form)>),
}

/// Reads forms and counts lines.
#[derive(Debug)]
pub struct Forms<R> {
    input: BufReader<R>,
    line: u64,
}

impl<R: Read> Forms<R> {
    /// The forms in this input.
    pub fn new(input: R) -> Forms<R> {
        Forms {
            input: BufReader::with_capacity(256 * 1024, input),
            line: 1,
        }
    }

    /// The line reached, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next form that stands on its own; the brackets around a whole history are looked
    /// through. None at the end.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn next_event(&mut self) -> Result<Option<Form>, HistoryProblem> {
        loop {
            match self.next_token()? {
                None => return Ok(None),
                Some(b'[' | b'(' | b']' | b')') => {
                    self.bump()?;
                }
                Some(_) => return self.form(0, None),
            }
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, HistoryProblem> {
        let buffer = self.input.fill_buf().map_err(LineProblem::Io)?;
        Ok(buffer.first().copied())
    }

    fn bump(&mut self) -> Result<Option<u8>, HistoryProblem> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.input.consume(1);
        }
        self.line += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }

    /// Past white space, commas and comments.
    fn next_token(&mut self) -> Result<Option<u8>, HistoryProblem> {
        loop {
            match self.peek()? {
                Some(b';') => while !matches!(self.bump()?, None | Some(b'\n')) {},
                Some(byte) if byte.is_ascii_whitespace() || byte == b',' => {
                    self.bump()?;
                }
                other => return Ok(other),
            }
        }
    }

    /// The next form; none at this bracket, or at the end of the input if there is none to come.
    fn form(&mut self, depth: usize, close: Option<u8>) -> Result<Option<Form>, HistoryProblem> {
        if depth > DEPTH_MAX {
            return Err(bad("forms nested too deep"));
        }
        loop {
            let Some(byte) = self.next_token()? else {
                return match close {
                    None => Ok(None),
                    Some(_) => Err(bad("the history ends within a form")),
                };
            };
            if close == Some(byte) {
                self.bump()?;
                return Ok(None);
            }
            return Ok(Some(match byte {
                b'[' | b'(' => self.items(depth)?,
                b'{' => self.map(depth)?,
                b'"' => Form::Text(self.string()?),
                b'#' => {
                    self.bump()?;
                    match self.peek()? {
                        Some(b'{') => self.items(depth)?,
                        Some(b'_') => {
                            self.bump()?;
                            self.needed(depth)?;
                            continue;
                        }
                        // A tag: what follows is what it is.
                        Some(_) => {
                            self.word()?;
                            self.needed(depth)?
                        }
                        None => return Err(bad("the history ends after a #")),
                    }
                }
                b'^' => {
                    self.bump()?;
                    self.needed(depth)?;
                    continue;
                }
                b']' | b')' | b'}' => return Err(bad("a bracket that closes nothing")),
                _ => atom(&self.word()?),
            }));
        }
    }

    fn needed(&mut self, depth: usize) -> Result<Form, HistoryProblem> {
        let form = self.form(depth + 1, None)?;
        form.ok_or_else(|| bad("the history ends within a form"))
    }

    fn items(&mut self, depth: usize) -> Result<Form, HistoryProblem> {
        let close = match self.bump()? {
            Some(b'[') => b']',
            Some(b'(') => b')',
            _ => b'}',
        };
        let mut items = Vec::new();
        while let Some(item) = self.form(depth + 1, Some(close))? {
            items.push(item);
        }
        Ok(Form::Items(items))
    }

    fn map(&mut self, depth: usize) -> Result<Form, HistoryProblem> {
        self.bump()?;
        let mut entries = Vec::new();
        while let Some(key) = self.form(depth + 1, Some(b'}'))? {
            entries.push((key, self.needed(depth)?));
        }
        Ok(Form::Map(entries))
    }

    fn string(&mut self) -> Result<String, HistoryProblem> {
        self.bump()?;
        let mut bytes = Vec::new();
        loop {
            let byte = match self.bump()? {
                None => return Err(bad("the history ends within a string")),
                Some(b'"') => break,
                Some(b'\\') => match self.bump()? {
                    Some(b'n') => b'\n',
                    Some(b't') => b'\t',
                    Some(b'r') => b'\r',
                    Some(other) => other,
                    None => return Err(bad("the history ends within a string")),
                },
                Some(byte) => byte,
            };
            bytes.push(byte);
            if bytes.len() > TEXT_BYTES_MAX {
                return Err(bad("a string that is too long"));
            }
        }
        String::from_utf8(bytes).map_err(|_| bad("a string that is no text"))
    }

    fn word(&mut self) -> Result<String, HistoryProblem> {
        let mut bytes = Vec::new();
        while let Some(byte) = self.peek()? {
            let ends = byte.is_ascii_whitespace() || b",;\"()[]{}".contains(&byte);
            if ends && !bytes.is_empty() {
                break;
            }
            self.bump()?;
            bytes.push(byte);
            if bytes.len() > TEXT_BYTES_MAX {
                return Err(bad("a word that is too long"));
            }
        }
        String::from_utf8(bytes).map_err(|_| bad("a word that is no text"))
    }
}

fn atom(word: &str) -> Form {
    match word {
        "nil" => return Form::Nil,
        "true" => return Form::Int(1),
        "false" => return Form::Int(0),
        _ => {}
    }
    if let Some(name) = word.strip_prefix(':') {
        return Form::Keyword(name.into());
    }
    let digits = word.strip_suffix('N').unwrap_or(word);
    match digits.parse() {
        Ok(number) => Form::Int(number),
        Err(_) => Form::Text(word.into()),
    }
}

/// What is wrong with a form.
pub fn bad(what: &str) -> HistoryProblem {
    HistoryProblem::Foreign(format!("edn: {what}"))
}

/// Deepest form.
const DEPTH_MAX: usize = 64;
/// Longest string or word.
const TEXT_BYTES_MAX: usize = 1 << 20;

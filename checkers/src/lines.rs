//! Lines of a JSON-lines stream, read one at a time with a bound on their length.
//!
//! Everything a recording holds comes through here, so a damaged or hostile file costs at most
//! [`LINE_BYTES_MAX`] of memory and ends in an error that names the line.

use std::io::{self, BufRead, BufReader, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest line accepted; a final read of a large set is the longest that occurs.
pub const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What is wrong with a line, whatever it should hold.
#[derive(Debug, thiserror::Error)]
pub enum LineProblem {
    /// The stream could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Longer than [`LINE_BYTES_MAX`].
    #[error("is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// Not JSON, or not of the expected shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
}

/// Reads lines and counts them.
#[derive(Debug)]
pub struct Lines<R> {
    input: BufReader<R>,
    buffer: Vec<u8>,
    number: u64,
    length_max: usize,
    /// Bytes of the input that the line handed out last occupies.
    lent: usize,
}

impl<R: Read> Lines<R> {
    /// Lines of this input.
    pub fn new(input: R) -> Lines<R> {
        Lines::bounded(input, LINE_BYTES_MAX)
    }

    /// Lines of this input, none longer than this many bytes.
    pub fn bounded(input: R, length_max: usize) -> Lines<R> {
        Lines {
            input: BufReader::with_capacity(128 * 1024, input),
            buffer: Vec::new(),
            number: 0,
            length_max,
            lent: 0,
        }
    }

    /// Number of the line read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line that is not blank, without its end.
    ///
    /// # Errors
    /// [`LineProblem::Io`] and [`LineProblem::TooLong`]; [`Lines::number`] tells the line.
    pub fn next_line(&mut self) -> Result<Option<&[u8]>, LineProblem> {
        loop {
            self.input.consume(std::mem::take(&mut self.lent));
            self.number += 1;
            // Most lines lie whole in what is buffered, and need not be copied.
            let ahead = self.input.buffer();
            if let Some(length) = line_end(ahead).filter(|end| *end <= self.length_max) {
                self.lent = length + 1;
                if ahead[..length].trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(self.input.buffer()[..length].trim_ascii()));
            }
            self.buffer.clear();
            let bound = self.length_max as u64 + 1;
            let mut bounded = (&mut self.input).take(bound);
            if bounded.read_until(b'\n', &mut self.buffer)? == 0 {
                return Ok(None);
            }
            if self.buffer.last() != Some(&b'\n') && self.buffer.len() > self.length_max {
                return Err(LineProblem::TooLong);
            }
            if !self.buffer.trim_ascii().is_empty() {
                return Ok(Some(self.buffer.trim_ascii()));
            }
        }
    }

    /// The next line, parsed.
    ///
    /// # Errors
    /// Any [`LineProblem`].
    pub fn next_value<T: DeserializeOwned>(&mut self) -> Result<Option<T>, LineProblem> {
        match self.next_line()? {
            None => Ok(None),
            Some(line) => Ok(Some(serde_json::from_slice(line)?)),
        }
    }
}

/// Where the first line ends, if it does: eight bytes at a time.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let (words, tail) = bytes.as_chunks::<8>();
    let has_end = |word: &[u8; 8]| {
        let differs = u64::from_ne_bytes(*word) ^ u64::from_ne_bytes([b'\n'; 8]);
        let borrows = differs.wrapping_sub(u64::from_ne_bytes([0x01; 8]));
        borrows & !differs & u64::from_ne_bytes([0x80; 8]) != 0
    };
    let is_end = |byte: &u8| *byte == b'\n';
    match words.iter().position(has_end) {
        Some(word) => {
            let within = words[word].iter().position(is_end)?;
            Some(word * 8 + within)
        }
        None => {
            let within = tail.iter().position(is_end)?;
            Some(words.len() * 8 + within)
        }
    }
}

/// Writes a value as one line.
///
/// # Errors
/// Those of the output.
pub fn write_line<T: Serialize + ?Sized>(output: &mut impl Write, value: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    output.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_blank_lines_and_counts_them() {
        let mut lines = Lines::new(b"\n1\n\r\n 2".as_slice());
        assert_eq!(lines.next_value::<u8>().unwrap(), Some(1));
        assert_eq!(lines.number(), 2);
        assert_eq!(lines.next_value::<u8>().unwrap(), Some(2));
        assert_eq!(lines.number(), 4);
        assert_eq!(lines.next_value::<u8>().unwrap(), None);
    }

    #[test]
    fn finds_the_end_of_a_line_wherever_it_is() {
        for length in 0..40 {
            let mut bytes = vec![b'a'; 40];
            assert_eq!(line_end(&bytes[..length]), None);
            bytes[length] = b'\n';
            assert_eq!(line_end(&bytes), Some(length));
            bytes[39] = b'\n';
            assert_eq!(line_end(&bytes), Some(length));
        }
        assert_eq!(line_end(&[0x0b, 0x09, 0x8a, 0xff, 0, 1, 2, 3, 4]), None);
    }

    #[test]
    fn lines_that_straddle_what_is_buffered_are_whole() {
        let long = |number: usize| "x".repeat(1 + number * 37 % 9000);
        let text: String = (0..200).map(|number| long(number) + "\n").collect();
        let mut lines = Lines::new(text.as_bytes());
        for number in 0..200 {
            let line = lines.next_line().unwrap().map(<[u8]>::len);
            assert_eq!(line, Some(long(number).len()));
            assert_eq!(lines.number(), number as u64 + 1);
        }
        assert!(lines.next_line().unwrap().is_none());
    }

    #[test]
    fn refuses_a_line_above_the_bound() {
        let mut lines = Lines::bounded(b"1234\n12345\n".as_slice(), 4);
        assert!(lines.next_line().is_ok());
        assert!(matches!(lines.next_line(), Err(LineProblem::TooLong)));
    }
}

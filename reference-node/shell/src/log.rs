//! Log lines in redis-server's form, to the standard output or to `logfile`.

use std::fs::{File, OpenOptions};
use std::io::Write;

use slotquake_core::output::LogLevel;

use crate::clock;

/// Where log lines go.
#[derive(Debug)]
pub struct Log {
    file: Option<File>,
    pid: u32,
    least: LogLevel,
}

impl Log {
    /// A log to this file, or to the standard output if the name is empty.
    pub fn open(logfile: &str, loglevel: &str) -> std::io::Result<Log> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        let file = if logfile.is_empty() {
            None
        } else {
            Some(options.open(logfile)?)
        };
        let least = match loglevel.to_ascii_lowercase().as_str() {
            "debug" => LogLevel::Debug,
            "verbose" => LogLevel::Verbose,
            "warning" => LogLevel::Warning,
            _ => LogLevel::Notice,
        };
        Ok(Log {
            file,
            pid: std::process::id(),
            least,
        })
    }

    /// Writes a line. A log that cannot be written is no reason to stop.
    pub fn line(&mut self, level: LogLevel, text: &str) {
        if level < self.least {
            return;
        }
        let sign = match level {
            LogLevel::Debug => '.',
            LogLevel::Verbose => '-',
            LogLevel::Notice => '*',
            LogLevel::Warning => '#',
        };
        let time = clock::log_time(clock::now());
        let line = format!("{}:M {time} {sign} {text}\n", self.pid);
        let _unwritable = match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => std::io::stdout().lock().write_all(line.as_bytes()),
        };
    }
}

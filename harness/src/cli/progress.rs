//! How far a run is: one line that is written over for people, nothing for pipes.

use std::io::IsTerminal;

use super::console;
use crate::director::{Phase, Progress};
use crate::report::words::grouped;

/// Shows progress on stderr.
#[derive(Debug)]
pub struct ProgressLine {
    is_shown: bool,
    is_open: bool,
}

impl ProgressLine {
    /// For a person at stderr; silent otherwise.
    pub fn new() -> ProgressLine {
        ProgressLine {
            is_shown: std::io::stderr().is_terminal(),
            is_open: false,
        }
    }

    /// Says something that is neither an operation nor a fault: `booting`.
    pub fn say(&mut self, words: &str) {
        self.write(words);
    }

    /// Shows how far the run is.
    pub fn show(&mut self, progress: &Progress) {
        let line = format!(
            "{:>6}.{} s  {:<8} {} ok, {} failed, {} unknown; {} faults",
            progress.time / 1_000_000_000,
            progress.time / 100_000_000 % 10,
            phase_name(progress.phase),
            grouped(progress.ok),
            grouped(progress.failed),
            grouped(progress.unknown),
            progress.faults_installed,
        );
        self.write(&line);
    }

    /// Clears the line.
    pub fn close(&mut self) {
        if self.is_open {
            console::aside("\r\x1b[K");
            self.is_open = false;
        }
    }

    fn write(&mut self, words: &str) {
        if self.is_shown {
            console::aside(&format!("\r\x1b[K{words}"));
            self.is_open = true;
        }
    }
}

impl Default for ProgressLine {
    fn default() -> Self {
        ProgressLine::new()
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.close();
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Boot => "boot",
        Phase::Warm => "warm",
        Phase::Disturb => "disturb",
        Phase::Heal => "heal",
        Phase::Settle => "settle",
        Phase::Drain => "drain",
        Phase::Read => "read",
        Phase::Rest => "rest",
        Phase::Over => "over",
    }
}

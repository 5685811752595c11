//! Words and figures as all printers write them.
//!
//! Times are in nanoseconds since the beginning of the recording; people read seconds with three
//! digits, and numbers in groups of three.

use slotquake_checkers::observation::setting::Server;

/// A server program for people.
pub fn server_name(server: &Server) -> String {
    match server {
        Server::Reference => "reference".to_string(),
        Server::Redis(version) => format!("redis {version}"),
    }
}

/// Seconds with three digits, from ns.
pub fn seconds(time: u64) -> String {
    format!("{}.{:03}", time / 1_000_000_000, time / 1_000_000 % 1_000)
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

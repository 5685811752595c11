//! The wall clock, in the core's unit.

use std::time::{SystemTime, UNIX_EPOCH};

use slotquake_core::time::Millis;

/// Milliseconds since the Unix epoch; 0 for clocks before it.
pub fn now() -> Millis {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as redis-server's log shows it, in UTC: `22 Nov 2026 02:04:29.123`.
pub fn log_time(at: Millis) -> String {
    let seconds = at.0 / 1000;
    let (days, of_day) = ((seconds / 86_400) as i64, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (name, ms) = (MONTHS[month - 1], at.0 % 1000);
    format!("{day:02} {name} {year} {hour:02}:{minute:02}:{second:02}.{ms:03}")
}

/// Year, month from 1, and day from 1 of a day since 1970-01-01; years begin in March inside, so
/// that the leap day is the last.
fn civil(days: i64) -> (i64, usize, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let january = i64::from(month <= 2);
    (year + era * 400 + january, month as usize, day)
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_moments_as_redis_server_does() {
        assert_eq!(log_time(Millis(0)), "01 Jan 1970 00:00:00.000");
        assert_eq!(
            log_time(Millis(951_782_400_007)),
            "29 Feb 2000 00:00:00.007"
        );
        assert_eq!(
            log_time(Millis(1_795_313_069_123)),
            "22 Nov 2026 02:04:29.123"
        );
    }
}

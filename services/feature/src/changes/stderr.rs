use std::time::{SystemTime, UNIX_EPOCH};

use everything_proto::events::v1::{Stderr, change::Change};

/// A line as a local server would write it to its standard error.
pub(super) fn make() -> Change {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    Change::Stderr(Stderr {
        content: content(seconds),
    })
}

/// Time of day in UTC.
fn content(unix_seconds: u64) -> String {
    let of_day = unix_seconds % 86_400;
    format!(
        "{:02}:{:02}:{:02}: A stderr message",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_begins_with_the_time_of_day() {
        assert_eq!(content(1_700_000_000), "22:13:20: A stderr message");
    }
}

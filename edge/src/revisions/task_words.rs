//! What the tasks of 2025-11-25 and those of the extension have in common.

use everything_proto::session::v1::{Task, TaskStatus};

use super::json::ObjectWriter;

/// What both say of a task in the same words.
pub(super) fn common(task: &Task) -> ObjectWriter {
    let mut out = ObjectWriter::new();
    out.value("taskId", &task.task_id);
    out.value("status", &status(task.status()));
    out.text_if("statusMessage", &task.status_message);
    out.value("createdAt", &iso_8601(task.created_at_ms));
    out.value("lastUpdatedAt", &iso_8601(task.updated_at_ms));
    out
}

pub(super) fn status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Working | TaskStatus::Unspecified => "working",
        TaskStatus::InputRequired => "input_required",
        TaskStatus::Completed => "completed",
        TaskStatus::Failed => "failed",
        TaskStatus::Cancelled => "cancelled",
    }
}

/// UTC, with milliseconds. From days since 1970 to a date of the Gregorian calendar, whose cycle is 400 years.
fn iso_8601(unix_ms: i64) -> String {
    const DAY_MS: i64 = 86_400_000;
    let (days, ms) = (unix_ms.div_euclid(DAY_MS), unix_ms.rem_euclid(DAY_MS));
    // Years begin with March here, so that a leap day is the last of its year; day 0 is 0000-03-01.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + cycle * 400 + i64::from(month <= 2);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_iso_8601() {
        for (unix_ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_764_066_600_123, "2025-11-25T10:30:00.123Z"),
            (1_798_761_599_000, "2026-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(iso_8601(unix_ms), text);
        }
    }
}

//! What is wrong with settings, collected so that all of it is said at once.

use std::{fmt, str::FromStr, time::Duration};

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadSetting {
    /// Its environment variable.
    pub name: &'static str,
    pub problem: String,
}

/// All settings that cannot be used.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct BadSettings(pub Vec<BadSetting>);

impl BadSettings {
    pub fn add(&mut self, name: &'static str, problem: impl Into<String>) {
        self.0.push(BadSetting {
            name,
            problem: problem.into(),
        });
    }

    pub(super) fn take<T: FromStr>(&mut self, name: &'static str, expected: &str, text: &str) -> Option<T> {
        let value = text.trim().parse().ok();
        if value.is_none() {
            self.add(name, format!("is not {expected}: {text:?}"));
        }
        value
    }

    /// 0 where it is bad.
    pub(super) fn positive(&mut self, name: &'static str, text: &str) -> usize {
        match self.take(name, "a whole number", text) {
            // A semaphore takes no more; nor does any machine.
            Some(number) if number == 0 || number > usize::MAX >> 3 => {
                self.add(name, "is out of range");
                0
            }
            number => number.unwrap_or_default(),
        }
    }

    pub(super) fn seconds(&mut self, name: &'static str, text: &str, most: f64) -> Duration {
        match self.take::<f64>(name, "a number of seconds", text) {
            Some(seconds) if seconds > 0.0 && seconds <= most => Duration::from_secs_f64(seconds),
            Some(_) => {
                self.add(name, format!("must be above 0 and at most {most} seconds"));
                Duration::ZERO
            }
            None => Duration::ZERO,
        }
    }
}

impl fmt::Display for BadSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, BadSetting { name, problem }) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{name} {problem}")?;
        }
        Ok(())
    }
}

//! `tests/clients/tour.json`: what every client does, and what it must see.

use std::{collections::BTreeMap, fmt::Write};

use serde::Deserialize;
use serde_json::Value;

const SCRIPT: &str = include_str!("../../clients/tour.json");
/// Stands for the revision that the mode leads to.
const REVISION: &str = "$revision";

#[derive(Deserialize)]
pub struct Script {
    pub modes: BTreeMap<String, Mode>,
    /// What the person answers.
    pub person: Value,
    pub steps: Vec<Step>,
}

/// How a client finds the revision, and which one it must find here.
#[derive(Clone, Deserialize)]
pub struct Mode {
    pub revision: String,
    pub era: Era,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    /// Without sessions.
    Modern,
    Legacy,
}

#[derive(Clone, Deserialize)]
pub struct Step {
    pub name: String,
    /// The only era that has this step.
    era: Option<Era>,
    expect: Value,
    /// What the step is done with.
    #[serde(flatten)]
    pub with: Value,
}

/// What a client says of a step.
#[derive(Clone, Debug)]
pub enum Outcome {
    Saw(Value),
    /// The client cannot do it, and says why.
    Unsupported(String),
    Failed(String),
}

/// In the order in which the steps were done.
pub type Report = Vec<(String, Outcome)>;

impl Script {
    pub fn read() -> Self {
        serde_json::from_str(SCRIPT).unwrap()
    }

    pub fn steps(&self, era: Era) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.applies(era))
    }

    /// What is wrong with a report; nothing, if every step of the mode was done as it should, in order, but for exactly
    /// those that the client is known not to be able to do.
    pub fn problems(&self, mode: &Mode, gaps: &[&str], report: &Report) -> String {
        let mut problems = String::new();
        let mut reported = report.iter();
        for step in self.steps(mode.era) {
            let Some((name, outcome)) = reported.next() else {
                _ = writeln!(problems, "{}: never reached", step.name);
                continue;
            };
            if *name != step.name {
                _ = writeln!(problems, "{} in place of {}", name, step.name);
                continue;
            }
            let expected = step.expected(mode);
            match (outcome, gaps.contains(&name.as_str())) {
                (Outcome::Saw(saw), false) if *saw == expected => {}
                (Outcome::Unsupported(_), true) => {}
                (Outcome::Saw(saw), false) => {
                    _ = writeln!(problems, "{name}:\n  expected {expected}\n  saw      {saw}");
                }
                (Outcome::Saw(_), true) => {
                    _ = writeln!(
                        problems,
                        "{name}: the client can do it by now: take it off the list of gaps"
                    );
                }
                (Outcome::Unsupported(why), false) => {
                    _ = writeln!(problems, "{name}: skipped, and not on the list of gaps: {why}");
                }
                (Outcome::Failed(why), _) => _ = writeln!(problems, "{name}: {why}"),
            }
        }
        for (name, _) in reported {
            _ = writeln!(problems, "{name}: not on the tour");
        }
        for gap in gaps {
            if !self.steps(mode.era).any(|step| step.name == *gap) {
                _ = writeln!(problems, "{gap}: a gap in a tour that does not have this step");
            }
        }
        problems
    }
}

impl Step {
    fn applies(&self, era: Era) -> bool {
        self.era.is_none_or(|only| only == era)
    }

    fn expected(&self, mode: &Mode) -> Value {
        let mut expected = self.expect.clone();
        if let Some(revision) = expected.get_mut("revision").filter(|value| **value == REVISION) {
            *revision = Value::from(mode.revision.as_str());
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report in which everything is as it should be.
    fn good(script: &Script, mode: &Mode) -> Report {
        let saw = |step: &Step| (step.name.clone(), Outcome::Saw(step.expected(mode)));
        script.steps(mode.era).map(saw).collect()
    }

    #[test]
    fn nothing_is_skipped_silently() {
        let script = Script::read();
        for mode in script.modes.values() {
            let report = good(&script, mode);
            assert_eq!(script.problems(mode, &[], &report), "");
            for (index, (name, _)) in report.iter().enumerate() {
                let gap: &[&str] = &[name];
                assert!(script.problems(mode, gap, &report).contains("by now"), "{name}");
                let mut skipping = report.clone();
                skipping[index].1 = Outcome::Unsupported("why".to_owned());
                assert!(
                    script.problems(mode, &[], &skipping).contains("not on the list"),
                    "{name}"
                );
                assert_eq!(script.problems(mode, gap, &skipping), "", "{name}");
                skipping[index].1 = Outcome::Failed("why".to_owned());
                assert_ne!(script.problems(mode, gap, &skipping), "", "{name}");
                skipping.remove(index);
                assert_ne!(script.problems(mode, gap, &skipping), "", "{name}");
            }
        }
    }

    #[test]
    fn what_was_seen_must_be_what_was_expected() {
        let script = Script::read();
        let mode = &script.modes["auto"];
        let mut report = good(&script, mode);
        report[0].1 = Outcome::Saw(serde_json::json!({ "revision": "2025-11-25" }));
        let problems = script.problems(mode, &[], &report);
        assert!(problems.contains("2026-07-28"), "{problems}");
    }
}

//! The report of `doctor`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Failure;
use crate::output::line;
use crate::probe::outcome::Outcome;

/// What a check has shown, before it has a name.
pub(super) struct CheckResult {
    pub(super) outcome: Outcome,
    pub(super) saw: String,
    pub(super) change: Option<String>,
    pub(super) measured: Option<Value>,
    /// Whether checks that build on this one cannot be made.
    pub(super) blocks_dependents: bool,
}

/// A check that was made, or why it was not.
#[derive(Serialize)]
pub(super) struct Check {
    pub(super) check: &'static str,
    pub(super) outcome: Outcome,
    /// What was seen, in words.
    pub(super) saw: String,
    /// What to change, if it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) change: Option<String>,
    /// What was seen, in figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) measured: Option<Value>,
}

/// All that was checked.
pub(super) struct DoctorReport {
    pub(super) url: String,
    pub(super) checks: Vec<Check>,
}

impl CheckResult {
    pub(super) fn passed(saw: impl Into<String>) -> Self {
        Self::new(Outcome::Passed, saw.into(), None)
    }

    pub(super) fn warned(saw: impl Into<String>, change: impl Into<String>) -> Self {
        Self::new(Outcome::Warned, saw.into(), Some(change.into()))
    }

    pub(super) fn failed(saw: impl Into<String>, change: impl Into<String>) -> Self {
        Self::new(Outcome::Failed, saw.into(), Some(change.into()))
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, why.into(), None)
    }

    /// Returns a check that is not needed here, so that others can do without.
    pub(super) fn needless(why: impl Into<String>) -> Self {
        Self {
            blocks_dependents: false,
            ..Self::skipped(why)
        }
    }

    /// Returns the same result with figures, for scripts.
    pub(super) fn measuring(self, measured: Value) -> Self {
        Self {
            measured: Some(measured),
            ..self
        }
    }

    fn new(outcome: Outcome, saw: String, change: Option<String>) -> Self {
        Self {
            outcome,
            saw,
            change,
            measured: None,
            blocks_dependents: matches!(outcome, Outcome::Failed | Outcome::Skipped),
        }
    }
}

impl DoctorReport {
    fn count(&self, outcome: Outcome) -> usize {
        let matching = self.checks.iter().filter(|check| check.outcome == outcome);
        matching.count()
    }

    /// Prints the report as one JSON object.
    pub(super) fn print_json(&self) -> Result<(), Failure> {
        let report = json!({
            "url": self.url,
            "passed": self.count(Outcome::Passed),
            "warned": self.count(Outcome::Warned),
            "failed": self.count(Outcome::Failed),
            "skipped": self.count(Outcome::Skipped),
            "checks": self.checks,
        });
        line(&serde_json::to_string_pretty(&report)?)
    }

    /// Prints a line for each check, and below it what to change.
    pub(super) fn print(&self) -> Result<(), Failure> {
        line(&format!("{}\n", self.url))?;
        let width = self.checks.iter().map(|check| check.check.len()).max();
        let width = width.unwrap_or_default();
        for check in &self.checks {
            let mark = check.outcome.mark();
            line(&format!("{mark:<8} {:<width$}  {}", check.check, check.saw))?;
            if let Some(change) = &check.change {
                line(&format!("{:8} {:<width$}  {change}", "", "to change"))?;
            }
        }
        let counts =
            Outcome::ALL.map(|outcome| format!("{} {}", self.count(outcome), outcome.in_words()));
        line(&format!("\n{}", counts.join(", ")))
    }

    /// Fails if the exit status must be one of failure.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match self.count(Outcome::Failed) {
            0 => Ok(()),
            failed => Err(format!("{failed} of {} checks failed", self.checks.len()).into()),
        }
    }
}

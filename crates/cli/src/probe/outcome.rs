//! How something that was tried against an endpoint went.

use serde::Serialize;

/// How a step or a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Passed,
    /// Not as it should be, but one gets along with it.
    Warned,
    Failed,
    /// Not tried: what it builds on failed, or there is no need here.
    Skipped,
}

impl Outcome {
    pub(crate) const ALL: [Self; 4] = [Self::Passed, Self::Warned, Self::Failed, Self::Skipped];

    /// Returns the word for it at the end of a report.
    pub(crate) const fn in_words(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Returns what a line of a report begins with; a failure is to be seen at once.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Warned => "warning",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

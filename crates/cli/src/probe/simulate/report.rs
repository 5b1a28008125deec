//! The report of `simulate`.

use serde::Serialize;
use serde_json::{Value, json};

use crate::Failure;
use crate::output::line;
use crate::probe::outcome::Outcome;

/// Most steps that are explained in the readable report; the others look alike.
const EXPLAINED: usize = 10;

/// The provider that was played, how, and against which endpoint.
pub(super) struct Head {
    pub(super) provider: &'static str,
    /// Entra's dialect.
    pub(super) flag: Option<bool>,
    pub(super) url: String,
}

/// A step that was played.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Played {
    pub(super) step: String,
    /// Counted from 1; `None` before the first user.
    pub(super) user: Option<usize>,
    pub(super) outcome: Outcome,
    pub(super) method: String,
    pub(super) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Value>,
    pub(super) expected: String,
    /// What came back, in words.
    pub(super) got: String,
    pub(super) status: Option<u16>,
    pub(super) milliseconds: Option<u64>,
    /// What it means for the provider, if it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) means: Option<String>,
}

/// What was played, and what is left of it on the server.
pub(super) struct SimulationReport {
    /// Whether the provider would have begun to provision.
    pub(super) connects: bool,
    /// Whether it was interrupted.
    pub(super) is_cut_short: bool,
    pub(super) played: Vec<Played>,
    /// Users that could not be removed, and why.
    pub(super) left_behind: Vec<String>,
}

impl SimulationReport {
    fn count(&self, outcome: Outcome) -> usize {
        let matching = self
            .played
            .iter()
            .filter(|played| played.outcome == outcome);
        matching.count()
    }

    /// Prints the report as one JSON object.
    pub(super) fn print_json(&self, head: &Head) -> Result<(), Failure> {
        let report = json!({
            "provider": head.provider,
            "flag": head.flag,
            "url": head.url,
            "passed": self.count(Outcome::Passed),
            "warned": self.count(Outcome::Warned),
            "failed": self.count(Outcome::Failed),
            "skipped": self.count(Outcome::Skipped),
            "refusal": self.refusal(),
            "isCutShort": self.is_cut_short,
            "leftBehind": self.left_behind,
            "steps": self.played,
        });
        line(&serde_json::to_string_pretty(&report)?)
    }

    /// Prints a line for each step, all users together, and explains what did not pass.
    pub(super) fn print(&self, head: &Head) -> Result<(), Failure> {
        let dialect = match head.flag {
            Some(true) => ", with aadOptscim062020",
            Some(false) => ", without aadOptscim062020",
            None => "",
        };
        line(&format!("{}{dialect}, at {}\n", head.provider, head.url))?;
        let mut names: Vec<&str> = Vec::new();
        for played in &self.played {
            if !names.contains(&played.step.as_str()) {
                names.push(&played.step);
            }
        }
        let width = names.iter().map(|name| name.chars().count()).max();
        for name in names {
            let of_step: Vec<&Played> = self
                .played
                .iter()
                .filter(|played| played.step == name)
                .collect();
            line(&summary(name, width.unwrap_or_default(), &of_step))?;
        }
        self.explain()?;
        if let Some(refusal) = self.refusal() {
            line(&format!("\nThe provider would go no further: {refusal}"))?;
        }
        if self.is_cut_short {
            line("\nEnded early.")?;
        }
        for left in &self.left_behind {
            line(&format!("\nLeft behind: {left}"))?;
        }
        let counts =
            Outcome::ALL.map(|outcome| format!("{} {}", self.count(outcome), outcome.in_words()));
        line(&format!("\n{}", counts.join(", ")))
    }

    /// Returns why the provider does not get as far as its first user, if so.
    fn refusal(&self) -> Option<String> {
        let failed = |played: &&Played| played.outcome == Outcome::Failed;
        let last = self
            .played
            .iter()
            .rfind(failed)
            .filter(|_| !self.connects)?;
        Some(match last.status {
            None => format!("there was no response: {}", last.got),
            Some(300..=399) => "the endpoint redirects; a provider may not follow.".to_owned(),
            Some(401) => "the endpoint does not accept the token.".to_owned(),
            Some(403) => format!("the endpoint refuses every request: {}", last.got),
            Some(404) => {
                "there is no SCIM endpoint at this URL, which ends before '/Users'.".to_owned()
            }
            Some(_) => "the response is not that of a SCIM service provider.".to_owned(),
        })
    }

    fn explain(&self) -> Result<(), Failure> {
        let mut explained: Vec<&Played> = self
            .played
            .iter()
            .filter(|played| played.means.is_some())
            .collect();
        // Warnings must not take the room of failures.
        explained.sort_by_key(|played| played.outcome != Outcome::Failed);
        for played in explained.iter().take(EXPLAINED) {
            let user = played.user.map(|user| format!(", user {user}"));
            line(&format!("\n{}{}", played.step, user.unwrap_or_default()))?;
            line(&format!("  request   {} {}", played.method, played.url))?;
            if let Some(body) = &played.body {
                line(&format!("            {body}"))?;
            }
            line(&format!("  expected  {}", played.expected))?;
            line(&format!("  got       {}", played.got))?;
            line(&format!(
                "  means     {}",
                played.means.as_deref().unwrap_or_default()
            ))?;
        }
        match explained.len().checked_sub(EXPLAINED) {
            Some(more) if more > 0 => line(&format!("\nand {more} more; see --json")),
            _ => Ok(()),
        }
    }

    /// Fails if the exit status must be one of failure.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let failed = self.count(Outcome::Failed);
        if !self.connects {
            Err("the provider would not connect".into())
        } else if failed > 0 {
            Err(format!("{failed} of {} steps failed", self.played.len()).into())
        } else if !self.left_behind.is_empty() {
            Err("some of the simulated users could not be removed".into())
        } else if self.is_cut_short {
            Err("the simulation was interrupted".into())
        } else {
            Ok(())
        }
    }
}

/// Returns one line: outcome, step, statuses, slowest response.
fn summary(name: &str, width: usize, played: &[&Played]) -> String {
    let worst = [Outcome::Failed, Outcome::Skipped, Outcome::Warned]
        .into_iter()
        .find(|outcome| played.iter().any(|played| played.outcome == *outcome));
    let mark = worst.unwrap_or(Outcome::Passed).mark();
    let mut statuses: Vec<u16> = played.iter().filter_map(|played| played.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
    let slowest = played.iter().filter_map(|played| played.milliseconds).max();
    let slowest = slowest.map(|milliseconds| format!("{milliseconds} ms"));
    let passed = played
        .iter()
        .filter(|played| played.outcome == Outcome::Passed)
        .count();
    let times = match played.len() {
        1 => String::new(),
        all => format!("  {passed}/{all}"),
    };
    format!(
        "{mark:<8} {name:<width$}  {:<7} {:>8}{times}",
        statuses.join(","),
        slowest.unwrap_or_default()
    )
    .trim_end()
    .to_owned()
}

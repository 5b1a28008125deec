//! Leads the conversation, and cleans up after it.

use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;
use paradigm_scim::conversation::{self, Variables, differences, filled_in};
use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::endpoint::{Answer, Endpoint};
use super::report::Report;
use super::scenario::{Scenario, Step};

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Outcome {
    Passed,
    /// Not as expected, but the provider gets along with it.
    Warned,
    Failed,
    /// Not played, because what it builds on failed.
    Skipped,
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

/// A user that may have been made, until it is known to be gone.
struct Made {
    user_name: String,
    /// `None` if no answer told it.
    id: Option<String>,
}

/// Plays a scenario against an endpoint.
pub(super) struct Player<'p> {
    pub(super) endpoint: &'p Endpoint,
    pub(super) scenario: &'p Scenario,
    pub(super) progress: &'p ProgressBar,
    /// Set from outside to end early; what was made is cleaned up all the same.
    pub(super) is_over: &'p AtomicBool,
    made: Vec<Made>,
    played: Vec<Played>,
}

impl<'p> Player<'p> {
    pub(super) fn new(
        endpoint: &'p Endpoint,
        scenario: &'p Scenario,
        progress: &'p ProgressBar,
        is_over: &'p AtomicBool,
    ) -> Self {
        Self {
            endpoint,
            scenario,
            progress,
            is_over,
            made: Vec::new(),
            played: Vec::new(),
        }
    }

    /// Plays the connection once and the rest for each user, and removes what is left of them.
    pub(super) fn play(mut self, users: usize) -> Report {
        let scenario = self.scenario;
        let run = Uuid::now_v7().simple().to_string();
        let mut variables = Variables::from([("guid".to_owned(), Uuid::now_v7().to_string())]);
        let connects = scenario
            .connection
            .iter()
            .all(|step| self.run(step, None, &mut variables, &mut Value::Null));
        for number in 1..=users {
            if !connects || self.is_over.load(Ordering::Relaxed) {
                break;
            }
            self.lead_user(&run, number);
        }
        let left_behind = self.clean_up();
        self.progress.finish_and_clear();
        Report {
            connects,
            is_cut_short: self.is_over.load(Ordering::Relaxed),
            played: self.played,
            left_behind,
        }
    }

    fn lead_user(&mut self, run: &str, number: usize) {
        let scenario = self.scenario;
        let name = format!("scim-simulate-{run}-{number}@example.com");
        let mut variables = Variables::from([
            ("guid".to_owned(), Uuid::now_v7().to_string()),
            ("object".to_owned(), Uuid::now_v7().simple().to_string()),
            ("NAME".to_owned(), name.to_ascii_uppercase()),
            ("name".to_owned(), name),
        ]);
        let mut last_read = Value::Null;
        for step in &scenario.user {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            self.run(step, Some(number), &mut variables, &mut last_read);
        }
    }

    /// Plays a step and says whether the provider would go on.
    fn run(
        &mut self,
        step: &Step,
        user: Option<usize>,
        variables: &mut Variables,
        last_read: &mut Value,
    ) -> bool {
        self.progress.set_message(step.step.clone());
        let body = step.body.as_ref().map(|body| {
            let body = filled_in(body, variables);
            if step.over_last_read {
                laid_over(last_read, body)
            } else {
                body
            }
        });
        let mut played = Played {
            step: step.step.clone(),
            user,
            outcome: Outcome::Skipped,
            method: step.method.clone(),
            expected: step.expected(variables),
            got: "not sent: the step it builds on failed".to_owned(),
            status: None,
            milliseconds: None,
            means: None,
            url: self.endpoint.url(&step.target(variables)),
            body,
        };
        // A variable that an earlier step should have found is still to be seen.
        if !played.url.contains('{') {
            self.send(step, &mut played, variables, last_read);
        }
        self.progress.inc(1);
        let goes_on = matches!(played.outcome, Outcome::Passed | Outcome::Warned);
        self.played.push(played);
        goes_on
    }

    fn send(
        &mut self,
        step: &Step,
        played: &mut Played,
        variables: &mut Variables,
        last_read: &mut Value,
    ) {
        let sent = self
            .endpoint
            .send(&step.method, &played.url, played.body.as_ref());
        self.remember(played, &sent);
        let passed = match sent {
            Err(error) => {
                played.got = format!("no answer: {error}");
                false
            }
            Ok(answer) => {
                played.status = Some(answer.status);
                played.milliseconds = Some(answer.milliseconds);
                played.got = answer.summary();
                let is_expected = step.expect.status.contains(&answer.status);
                let wrong = if is_expected {
                    examine(step, &answer, variables)
                } else {
                    Vec::new()
                };
                for wrong in &wrong {
                    played.got = format!("{}; {wrong}", played.got);
                }
                if step.method == "GET" {
                    *last_read = answer.body;
                }
                is_expected && wrong.is_empty()
            }
        };
        played.outcome = match (passed, step.is_advice) {
            (true, _) => Outcome::Passed,
            (false, true) => Outcome::Warned,
            (false, false) => Outcome::Failed,
        };
        if !passed {
            played.means = Some(step.means.clone());
        }
    }

    /// Keeps the account of what exists on the server.
    fn remember(&mut self, played: &Played, sent: &Result<Answer, String>) {
        let id_of = |answer: &Answer| Some(answer.body.get("id")?.as_str()?.to_owned());
        match (played.method.as_str(), sent) {
            ("POST", Ok(answer)) if answer.status < 500 && !answer.is_success() => {}
            ("POST", sent) => self.made.push(Made {
                user_name: user_name(played.body.as_ref()),
                id: sent.as_ref().ok().and_then(id_of),
            }),
            ("DELETE", Ok(answer)) if answer.is_success() || answer.status == 404 => {
                let is_gone = |made: &Made| {
                    let id = made.id.as_deref();
                    id.is_some_and(|id| played.url == self.endpoint.url(&format!("/Users/{id}")))
                };
                self.made.retain(|made| !is_gone(made));
            }
            _ => {}
        }
    }

    /// Deletes what was made and is not gone yet; returns what could not be deleted.
    fn clean_up(&mut self) -> Vec<String> {
        self.progress.set_message("cleaning up");
        let made = std::mem::take(&mut self.made);
        made.into_iter()
            .filter_map(|made| self.delete(&made).err())
            .collect()
    }

    fn delete(&self, made: &Made) -> Result<(), String> {
        let ids = match &made.id {
            Some(id) => vec![id.clone()],
            None => self.ids_by_name(&made.user_name)?,
        };
        for id in ids {
            let url = self.endpoint.url(&format!("/Users/{id}"));
            match self.endpoint.send("DELETE", &url, None) {
                Ok(answer) if answer.is_success() || answer.status == 404 => {}
                Ok(answer) => return Err(format!("DELETE {url}: {}", answer.summary())),
                Err(error) => return Err(format!("DELETE {url}: {error}")),
            }
        }
        Ok(())
    }

    /// For a user whose making was not answered.
    fn ids_by_name(&self, user_name: &str) -> Result<Vec<String>, String> {
        let name = user_name.replace('@', "%40");
        let target = format!("/Users?filter=userName%20eq%20%22{name}%22");
        match self.endpoint.send("GET", &self.endpoint.url(&target), None) {
            Ok(answer) if answer.is_success() => {
                let found = answer.body.get("Resources").and_then(Value::as_array);
                let ids = found
                    .into_iter()
                    .flatten()
                    .filter_map(|user| Some(user.get("id")?.as_str()?.to_owned()));
                Ok(ids.collect())
            }
            Ok(answer) => Err(format!("{user_name}, perhaps: {}", answer.summary())),
            Err(error) => Err(format!("{user_name}, perhaps: {error}")),
        }
    }
}

fn user_name(body: Option<&Value>) -> String {
    let name = body.and_then(|body| body.get("userName")?.as_str());
    name.unwrap_or_default().to_owned()
}

fn laid_over(last_read: &Value, body: Value) -> Value {
    let mut members: Map<String, Value> = last_read.as_object().cloned().unwrap_or_default();
    if let Value::Object(changes) = body {
        members.extend(changes);
    }
    Value::Object(members)
}

/// What is wrong with the body of an answer, and takes out of it what later steps need.
fn examine(step: &Step, answer: &Answer, variables: &mut Variables) -> Vec<String> {
    let mut wrong = Vec::new();
    if !step.expect.body.is_null() {
        let expected = filled_in(&step.expect.body, variables);
        wrong.extend(differences(&expected, &answer.body));
    }
    let present = |pointer: &&String| answer.body.pointer(pointer).is_some();
    for pointer in step.expect.absent.iter().filter(present) {
        wrong.push(format!("{pointer} is there"));
    }
    wrong.extend(conversation::capture(&step.capture, &answer.body, variables).err());
    wrong
}

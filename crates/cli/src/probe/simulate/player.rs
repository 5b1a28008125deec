//! Plays the conversation, and cleans up after it.

use std::sync::atomic::{AtomicBool, Ordering};

use conversation::{
    self, Arrays, Variables, differences_with, filled_in, has_variable, is_unfilled,
};
use indicatif::ProgressBar;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::report::{Played, SimulationReport};
use super::scenario::{Scenario, Step, encoded};
use crate::probe::endpoint::{Authorization, Endpoint, MEDIA_TYPE, Response};
use crate::probe::outcome::Outcome;

/// A POST that may have made a user.
struct Made {
    user_name: String,
    id: Option<String>,
    /// Whether the response showed clearly if it was created.
    is_settled: bool,
}

/// Plays a scenario against an endpoint.
pub(super) struct Player<'p> {
    endpoint: &'p Endpoint,
    scenario: &'p Scenario,
    progress: &'p ProgressBar,
    /// Set from outside to end early; the users that were created are removed all the same.
    is_over: &'p AtomicBool,
    /// Users that may exist and are to be removed.
    made: Vec<Made>,
    played: Vec<Played>,
    left_behind: Vec<String>,
    /// The media type of a response, if it is not SCIM's.
    odd_media_type: Option<String>,
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
            left_behind: Vec::new(),
            odd_media_type: None,
        }
    }

    /// Plays the connection once and the rest for each user, and removes what is left of each.
    /// The users' names begin with `prefix`.
    pub(super) fn play(mut self, users: usize, prefix: &str) -> SimulationReport {
        let scenario = self.scenario;
        let mut variables = Variables::from([("guid".to_owned(), Uuid::now_v7().to_string())]);
        let connects = scenario
            .connection
            .iter()
            // A server that accepts every token accepts the provider's too.
            .all(|step| self.run(step, None, &mut variables, &mut Value::Null) || step.wrong_token);
        for number in 1..=users {
            if !connects || self.is_ending() {
                break;
            }
            self.lead_user(&format!("{prefix}{number}@example.com"), number);
            self.clean_up();
        }
        self.warn_of_media_type();
        self.progress.finish_and_clear();
        SimulationReport {
            connects,
            is_cut_short: self.is_ending(),
            played: self.played,
            left_behind: self.left_behind,
        }
    }

    fn is_ending(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn lead_user(&mut self, name: &str, number: usize) {
        let scenario = self.scenario;
        let mut variables = Variables::from([
            ("guid".to_owned(), Uuid::now_v7().to_string()),
            ("object".to_owned(), Uuid::now_v7().simple().to_string()),
            ("NAME".to_owned(), name.to_ascii_uppercase()),
            ("name".to_owned(), name.to_owned()),
        ]);
        let mut last_read = Value::Null;
        for step in &scenario.user {
            if self.is_ending() {
                break;
            }
            let passed = self.run(step, Some(number), &mut variables, &mut last_read);
            if !passed && step.is_essential {
                break;
            }
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
        let target = step.target(variables);
        let body = step.body.as_ref().map(|body| {
            let body = filled_in(body, variables);
            if step.over_last_read {
                laid_over(last_read, body)
            } else {
                body
            }
        });
        let expected = filled_in(&step.expect.body, variables);
        let misses_something = has_variable(&target)
            || body.as_ref().is_some_and(is_unfilled)
            || is_unfilled(&expected);
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
            url: self.endpoint.url(&target),
            body,
        };
        if !misses_something {
            self.send(step, &expected, &mut played, variables, last_read);
        }
        self.progress.inc(1);
        let goes_on = matches!(played.outcome, Outcome::Passed | Outcome::Warned);
        self.played.push(played);
        goes_on
    }

    fn send(
        &mut self,
        step: &Step,
        expected: &Value,
        played: &mut Played,
        variables: &mut Variables,
        last_read: &mut Value,
    ) {
        let body = played.body.as_ref();
        let authorization = match step.wrong_token {
            true => Authorization::WrongToken,
            false => Authorization::Token,
        };
        let sent = self
            .endpoint
            .send(&step.method, &played.url, body, authorization);
        self.remember(played, &sent);
        let passed = match sent {
            Err(error) => {
                played.got = self.endpoint.shown(&format!("no response: {error}"));
                false
            }
            Ok(response) => {
                played.status = Some(response.status);
                played.milliseconds = Some(response.milliseconds);
                let is_expected = step.expect.status.contains(&response.status);
                let mut wrong = match is_expected && response.is_success() {
                    true => examine(step, expected, &response, variables),
                    false => Vec::new(),
                };
                if played.method == "POST" && response.is_success() && !self.is_known_by_id() {
                    wrong.push("the id in the response is not that of the user".to_owned());
                    for name in step.capture.keys() {
                        variables.remove(name);
                    }
                }
                let reported: Vec<String> = std::iter::once(response.summary())
                    .chain(wrong.clone())
                    .collect();
                played.got = self.endpoint.shown(&reported.join("; "));
                let is_odd = |found: &String| *found != self.scenario.accept;
                let media_type = response.media_type.filter(is_odd);
                self.odd_media_type = self.odd_media_type.take().or(media_type);
                if step.method == "GET" {
                    *last_read = response.body;
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

    /// Records the users that may exist on the server.
    fn remember(&mut self, played: &Played, sent: &Result<Response, String>) {
        if played.method != "POST" {
            return;
        }
        let response = sent.as_ref().ok();
        self.made.push(Made {
            user_name: user_name(played.body.as_ref()),
            id: response
                .filter(|response| response.is_success())
                .and_then(id_of),
            is_settled: response.is_some_and(|response| response.status < 500),
        });
    }

    /// Returns whether the user that was made last is found by the id in the response. If not, the id is
    /// another user's, and is dropped.
    fn is_known_by_id(&mut self) -> bool {
        let Some(made) = self.made.last() else {
            return true;
        };
        let has_name = |id: &String| match self.read(id) {
            Ok(response) => has_user_name(&response.body, &made.user_name),
            Err(_) => false,
        };
        let is_known = made.id.as_ref().is_some_and(has_name);
        if let Some(made) = self.made.last_mut().filter(|_| !is_known) {
            made.id = None;
        }
        is_known
    }

    fn read(&self, id: &str) -> Result<Response, String> {
        self.endpoint
            .send("GET", &self.url_of(id), None, Authorization::Token)
    }

    fn url_of(&self, id: &str) -> String {
        let path = Variables::from([("id".to_owned(), id.to_owned())]);
        self.endpoint.url(&encoded("/Users/{id}", &path))
    }

    /// Removes the users that were created, and verifies that they are deleted.
    fn clean_up(&mut self) {
        self.progress.set_message("cleaning up");
        let made = std::mem::take(&mut self.made);
        let mut ids: Vec<(String, String)> = Vec::new();
        for made in &made {
            if let Some(id) = &made.id {
                ids.push((id.clone(), made.user_name.clone()));
            }
            // Whatever the response was, the user may exist under its name.
            match self.ids_by_name(&made.user_name) {
                Ok(found) if found.is_empty() && made.id.is_none() && !made.is_settled => {
                    self.left(
                        &made.user_name,
                        "perhaps: the response to its creation was lost",
                    );
                }
                Ok(found) => ids.extend(found.into_iter().map(|id| (id, made.user_name.clone()))),
                Err(_) if made.id.is_some() => {}
                Err(error) => self.left(&made.user_name, &format!("perhaps: {error}")),
            }
        }
        ids.sort();
        ids.dedup_by(|left, right| left.0 == right.0);
        for (id, user_name) in &ids {
            if let Err(error) = self.delete(id, user_name) {
                self.left(user_name, &error);
            }
        }
        ids.dedup_by(|left, right| left.1 == right.1);
        for (_, user_name) in &ids {
            let found = self.ids_by_name(user_name);
            let is_reported = self
                .left_behind
                .iter()
                .any(|reported| reported.starts_with(user_name));
            if !is_reported && found.is_ok_and(|found| !found.is_empty()) {
                self.left(user_name, "it is still found by its name");
            }
        }
        self.left_behind.dedup();
    }

    fn left(&mut self, user_name: &str, why: &str) {
        self.left_behind
            .push(self.endpoint.shown(&format!("{user_name}: {why}")));
    }

    /// Removes a user, if it is the one of this name, perhaps as a soft delete renames it.
    fn delete(&self, id: &str, user_name: &str) -> Result<(), String> {
        let read = self.read(id)?;
        if read.status == 404 {
            return Ok(());
        }
        if !has_renamed_user_name(&read.body, user_name) {
            return Err(format!(
                "GET {id}: {}, so it was not removed",
                read.summary()
            ));
        }
        let deleted = self
            .endpoint
            .send("DELETE", &self.url_of(id), None, Authorization::Token)?;
        match (deleted.is_success(), self.read(id)?.status) {
            (_, 404) => Ok(()),
            (true, status) => Err(format!(
                "the response to DELETE was {}, and the user is still there: GET {status}",
                deleted.status
            )),
            (false, _) => Err(format!("DELETE {}", deleted.summary())),
        }
    }

    /// Returns the ids of users with exactly this name. Others that a server may find were not made here.
    fn ids_by_name(&self, user_name: &str) -> Result<Vec<String>, String> {
        let name = Variables::from([("name".to_owned(), user_name.to_owned())]);
        let target = encoded("/Users?filter=userName%20eq%20%22{name}%22", &name);
        let url = self.endpoint.url(&target);
        let response = self
            .endpoint
            .send("GET", &url, None, Authorization::Token)?;
        if !response.is_success() && response.status != 404 {
            return Err(format!("the search for it failed: {}", response.summary()));
        }
        let found = response.body.get("Resources").and_then(Value::as_array);
        let found = found.into_iter().flatten();
        let bearers = found.filter(|user| has_user_name(user, user_name));
        Ok(bearers
            .filter_map(|user| text_of(user.get("id")?))
            .collect())
    }

    fn warn_of_media_type(&mut self) {
        let Some(media_type) = self.odd_media_type.take() else {
            return;
        };
        self.played.push(Played {
            step: "every response is SCIM".to_owned(),
            user: None,
            outcome: Outcome::Warned,
            method: "any".to_owned(),
            url: self.endpoint.url(""),
            body: None,
            expected: format!("Content-Type {MEDIA_TYPE}"),
            got: self.endpoint.shown(&format!("Content-Type {media_type}")),
            status: None,
            milliseconds: None,
            means: Some("Microsoft's validator demands SCIM's own media type.".to_owned()),
        });
    }
}

/// Returns whether a user has a name.
fn has_user_name(user: &Value, user_name: &str) -> bool {
    folded_user_name(user) == user_name.to_lowercase()
}

/// Returns whether a user has a name, or one that ends with it, as a soft delete makes it.
fn has_renamed_user_name(user: &Value, user_name: &str) -> bool {
    folded_user_name(user).ends_with(&user_name.to_lowercase())
}

fn folded_user_name(user: &Value) -> String {
    let user_name = user.get("userName").and_then(Value::as_str);
    user_name.unwrap_or_default().to_lowercase()
}

fn id_of(response: &Response) -> Option<String> {
    text_of(response.body.get("id")?)
}

/// Returns an id, which some servers make a number; not one that would lead to another path.
fn text_of(id: &Value) -> Option<String> {
    match id {
        Value::String(text) if ["", ".", ".."].contains(&text.as_str()) => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
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

/// Returns what is wrong with the body of a response, and captures what later steps need.
fn examine(
    step: &Step,
    expected: &Value,
    response: &Response,
    variables: &mut Variables,
) -> Vec<String> {
    let mut wrong = Vec::new();
    if !expected.is_null() {
        wrong.extend(differences_with(
            Arrays::Containing,
            expected,
            &response.body,
        ));
    }
    let present = |pointer: &&String| {
        let found = response.body.pointer(pointer);
        found.is_some_and(|found| !found.is_null())
    };
    for pointer in step.expect.absent.iter().filter(present) {
        wrong.push(format!("{pointer} is there"));
    }
    wrong.extend(conversation::capture(&step.capture, &response.body, variables).err());
    wrong
}

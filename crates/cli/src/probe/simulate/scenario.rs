//! What each provider does, as data: `scenarios/*.json`.

use conversation::{Variables, filled};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Provider;
use crate::Failure;
use crate::probe::endpoint::{MEDIA_TYPE, USER_AGENT};

/// A provider's conversation: once at the beginning, then once for each user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// What the provider calls itself, where that is known.
    #[serde(default = "unnamed")]
    pub(super) user_agent: String,
    /// The media type that the provider requests.
    #[serde(default = "scim_media_type")]
    pub(super) accept: String,
    /// What the provider does before it provisions anyone; if a step fails, nothing else is tried.
    pub(super) connection: Vec<Step>,
    /// A user's life.
    pub(super) user: Vec<Step>,
}

/// One request, and what the provider needs of the response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    /// Its name in the report.
    pub(super) step: String,
    pub(super) method: String,
    pub(super) path: String,
    /// The query as the provider encodes it.
    #[serde(default)]
    pub(super) query: String,
    pub(super) body: Option<Value>,
    /// Whether the body's members are laid over the response to the last GET, as clients do that
    /// read, change and write back.
    #[serde(default)]
    pub(super) over_last_read: bool,
    pub(super) expect: Expectation,
    /// Variables taken out of the response, by JSON pointer.
    #[serde(default)]
    pub(super) capture: Map<String, Value>,
    /// Only with Entra's `aadOptscim062020` flag, or only without it.
    pub(super) flag: Option<bool>,
    /// Whether the provider gets along with another response.
    #[serde(default)]
    pub(super) is_advice: bool,
    /// Whether nothing more is done with this user if the response is another.
    #[serde(default)]
    pub(super) is_essential: bool,
    /// Whether it is sent with a token that is wrong.
    #[serde(default)]
    pub(super) wrong_token: bool,
    /// What the provider does if the response is another.
    pub(super) means: String,
}

/// What the provider needs of a response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    /// Any of these.
    pub(super) status: Vec<u16>,
    /// What a successful response must hold, in any order.
    #[serde(default)]
    pub(super) body: Value,
    /// JSON pointers to what must not be in a successful response.
    #[serde(default)]
    pub(super) absent: Vec<String>,
}

/// What form encoding leaves as it is.
const UNRESERVED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Returns the part of a URL with the variables in it, encoded.
pub(super) fn encoded(text: &str, variables: &Variables) -> String {
    let encode = |value: &String| utf8_percent_encode(value, &UNRESERVED).to_string();
    let variables = variables
        .iter()
        .map(|(name, value)| (name.clone(), encode(value)));
    filled(text, &variables.collect())
}

fn scim_media_type() -> String {
    MEDIA_TYPE.to_owned()
}

fn unnamed() -> String {
    USER_AGENT.to_owned()
}

impl Scenario {
    /// Returns the conversation of a provider; Entra's in the dialect that the flag chooses.
    pub(super) fn of(provider: Provider, flag: bool) -> Result<Self, Failure> {
        let text = match provider {
            Provider::Entra => include_str!("scenarios/entra.json"),
            Provider::Okta => include_str!("scenarios/okta.json"),
            Provider::Authentik => include_str!("scenarios/authentik.json"),
            Provider::Midpoint => include_str!("scenarios/midpoint.json"),
        };
        let mut scenario: Self = serde_json::from_str(text)?;
        let is_spoken = |step: &Step| step.flag.is_none_or(|dialect| dialect == flag);
        scenario.connection.retain(is_spoken);
        scenario.user.retain(is_spoken);
        Ok(scenario)
    }
}

impl Step {
    /// Returns the path and query with the variables in them, encoded.
    pub(super) fn target(&self, variables: &Variables) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        encoded(&format!("{}{mark}{}", self.path, self.query), variables)
    }

    /// Returns what is expected, in words.
    pub(super) fn expected(&self, variables: &Variables) -> String {
        let statuses: Vec<String> = self.expect.status.iter().map(u16::to_string).collect();
        let mut text = statuses.join(" or ");
        if !self.expect.body.is_null() {
            let body = filled(&self.expect.body.to_string(), variables);
            text = format!("{text} with {body}");
        }
        for pointer in &self.expect.absent {
            text = format!("{text} without {pointer}");
        }
        text
    }
}

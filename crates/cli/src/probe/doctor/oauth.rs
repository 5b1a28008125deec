//! Checks of the token endpoint, if the instance is used by OAuth 2.0 client credentials.

use serde_json::{Value, json};

use super::checks::{DEPLOY, Examination, SEE_LOG};
use super::report::CheckResult;
use crate::probe::endpoint::{Authorization, Response};
use crate::probe::oauth_client::Attempt;

/// The shortest and the longest life of an access token, in seconds.
const LIFE: std::ops::RangeInclusive<u64> = 300..=21_600;

impl Examination {
    /// Checks that a token is issued by both ways, for a limited time, and that no cache keeps it.
    pub(super) fn access_token(&mut self) -> CheckResult {
        let mut life = 0;
        for (way, attempt) in [
            ("HTTP Basic", Attempt::ByBasic),
            ("parameters in the body", Attempt::ByParameters),
        ] {
            let response = match self.attempt(attempt) {
                Ok(response) => response,
                Err(error) => return CheckResult::failed(error, SEE_LOG),
            };
            let saw = format!("by {way}: {}", response.summary());
            match response.status {
                200 => {}
                401 => return CheckResult::failed(saw, REFUSED),
                404 | 405 => return CheckResult::failed(saw, CORRECT_TOKEN_URL),
                _ => return CheckResult::failed(saw, SEE_LOG),
            }
            if let Some(fault) = fault_of(&response) {
                return CheckResult::failed(format!("by {way}: {fault}"), DEPLOY);
            }
            life = life_of(&response);
        }
        let saw = format!("it is issued by HTTP Basic and in the body, for {life} s");
        let finding = match LIFE.contains(&life) {
            true => CheckResult::passed(saw),
            // A key that is about to expire has tokens that live no longer.
            false => CheckResult::warned(
                saw,
                "Look whether the key expires, and at SCIM_ACCESS_TOKEN_MINUTES.",
            ),
        };
        finding.measuring(json!({"seconds": life}))
    }

    pub(super) fn wrong_secret(&mut self) -> CheckResult {
        self.refused(Attempt::WrongSecret, 401, "invalid_client")
    }

    pub(super) fn wrong_grant(&mut self) -> CheckResult {
        self.refused(Attempt::WrongGrant, 400, "unsupported_grant_type")
    }

    /// Checks that a token with another character is refused, in words that make a client request another one.
    pub(super) fn altered_token(&mut self) -> CheckResult {
        let response = match self.get("/Me", Authorization::AlteredToken) {
            Ok(response) => response,
            Err(error) => return CheckResult::failed(format!("no response: {error}"), SEE_LOG),
        };
        let challenge = response.challenge.as_deref().unwrap_or_default();
        let saw = format!("{}, {challenge}", response.status);
        match response.status {
            401 if challenge.contains("invalid_token") => CheckResult::passed(saw),
            401 => CheckResult::warned(saw, DEPLOY),
            _ => CheckResult::failed(saw, DEPLOY),
        }
    }

    /// Checks that a request for a token is refused by an error code (RFC 6749 §5.2).
    fn refused(&self, attempt: Attempt, status: u16, code: &str) -> CheckResult {
        let response = match self.attempt(attempt) {
            Ok(response) => response,
            Err(error) => return CheckResult::failed(error, SEE_LOG),
        };
        let saw = response.summary();
        let found = response.body.get("error").and_then(Value::as_str);
        match (response.status, found) {
            (found_status, Some(found)) if found_status == status && found == code => {
                CheckResult::passed(format!("{status} {code}"))
            }
            _ => CheckResult::failed(format!("{saw}, not {status} {code}"), DEPLOY),
        }
    }

    fn attempt(&self, attempt: Attempt) -> Result<Response, String> {
        let client = self.endpoint.client().ok_or("there is no client")?;
        let response = self.endpoint.request_token(client, attempt);
        response.map_err(|error| format!("no response: {error}"))
    }
}

const REFUSED: &str = "The client id is the id of an API key, and the secret its token. See 'key list': a key that has expired or is revoked is refused, and one that was made before access tokens has to be rotated.";
const CORRECT_TOKEN_URL: &str =
    "Give the URL that issues access tokens: https://<domain>/scim/v2/oauth2/token.";

/// Returns what is wrong with a response that has a token (RFC 6749 §5.1).
fn fault_of(response: &Response) -> Option<&'static str> {
    let text = |name: &str| response.body.get(name).and_then(Value::as_str);
    let is_bearer = |kind: &str| kind.eq_ignore_ascii_case("bearer");
    let cache_control = response.cache_control.as_deref().unwrap_or_default();
    if text("access_token").is_none_or(str::is_empty) {
        Some("the response has no access_token")
    } else if !text("token_type").is_some_and(is_bearer) {
        Some("token_type is not Bearer")
    } else if !cache_control.contains("no-store") {
        Some("caches may store the token: Cache-Control is not no-store")
    } else {
        None
    }
}

fn life_of(response: &Response) -> u64 {
    let seconds = response.body.get("expires_in").and_then(Value::as_u64);
    seconds.unwrap_or_default()
}

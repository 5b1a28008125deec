//! An OAuth client: how it requests access tokens (RFC 6749 §4.4), and the one that it uses until it ends.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Builder;
use paradigm_scim::api::route::TOKEN_PATH;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::credentials::ClientCredentials;

/// What a form leaves as it is, besides letters and digits.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// A secret that no client has.
const WRONG_SECRET: &str = "wrong";

/// How a token is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// With the secret in HTTP Basic.
    ByBasic,
    /// With the secret in the body.
    ByParameters,
    /// With a wrong secret.
    WrongSecret,
    /// For a grant that a client of this kind does not have.
    WrongGrant,
}

/// An access token that is in use.
struct Current {
    token: String,
    /// When the client requests another one.
    ends: Instant,
}

pub(crate) struct OAuthClient {
    id: String,
    secret: String,
    token_url: String,
    current: Mutex<Option<Current>>,
}

impl OAuthClient {
    /// Returns the client of an endpoint, which has no token yet.
    pub(crate) fn new(credentials: ClientCredentials, base_url: &str) -> Self {
        let by_default = || format!("{base_url}{TOKEN_PATH}");
        Self {
            id: credentials.id,
            secret: credentials.secret,
            token_url: credentials.token_url.unwrap_or_else(by_default),
            current: Mutex::default(),
        }
    }

    pub(crate) fn token_url(&self) -> &str {
        &self.token_url
    }

    /// Returns a request for a token, to be completed from `builder`.
    ///
    /// # Errors
    /// The reason why it cannot be sent, as text.
    pub(crate) fn request(
        &self,
        attempt: Attempt,
        builder: Builder,
    ) -> Result<Request<String>, String> {
        let encoded = |text: &str| utf8_percent_encode(text, FORM).to_string();
        let secret = match attempt {
            Attempt::WrongSecret => WRONG_SECRET,
            _ => &self.secret,
        };
        let (id, secret) = (encoded(&self.id), encoded(secret));
        let grant = match attempt {
            Attempt::WrongGrant => "grant_type=password",
            _ => "grant_type=client_credentials",
        };
        let builder = builder
            .method("POST")
            .uri(&self.token_url)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let request = if attempt == Attempt::ByParameters {
            builder.body(format!("{grant}&client_id={id}&client_secret={secret}"))
        } else {
            let basic = STANDARD.encode(format!("{id}:{secret}"));
            let basic = format!("Basic {basic}");
            builder.header(AUTHORIZATION, basic).body(grant.to_owned())
        };
        request.map_err(|error| error.to_string())
    }

    /// Returns the token that is in use, or one that `fetch` gets if that has ended. Who comes meanwhile waits.
    ///
    /// # Errors
    /// Those of `fetch`.
    pub(crate) fn token(
        &self,
        fetch: impl FnOnce() -> Result<Value, String>,
    ) -> Result<String, String> {
        let broken = |_| "another request for an access token broke off".to_owned();
        let mut current = self.current.lock().map_err(broken)?;
        if let Some(current) = current
            .as_ref()
            .filter(|current| Instant::now() < current.ends)
        {
            return Ok(current.token.clone());
        }
        let requested = Instant::now();
        let response = fetch()?;
        let token = response.get("access_token").and_then(Value::as_str);
        let token = token.ok_or("the response of the token endpoint has no access_token")?;
        // A token without a time is used once.
        let seconds = response.get("expires_in").and_then(Value::as_u64);
        let ends = requested + Duration::from_secs(seconds.unwrap_or_default());
        *current = Some(Current {
            token: token.to_owned(),
            ends,
        });
        Ok(token.to_owned())
    }

    /// Forgets the token that is in use. Returns whether there was one.
    pub(crate) fn forget(&self) -> bool {
        let current = self.current.lock();
        current.is_ok_and(|mut current| current.take().is_some())
    }

    /// Returns a text without the secrets of the client.
    pub(crate) fn masked(&self, text: &str, mask: impl Fn(&str, &str) -> String) -> String {
        let text = mask(text, &self.secret);
        match self.current.lock().ok().as_deref() {
            Some(Some(current)) => mask(&text, &current.token),
            _ => text,
        }
    }
}

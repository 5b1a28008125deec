//! `POST /oauth2/token`: issues access tokens to clients that authenticate by an API key (RFC 6749 §4.4).

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use scim::ScimError;
use serde_json::json;
use zeroize::Zeroizing;

use super::Exchange;
use super::message::{MAX_TOKEN_REQUEST_BYTES, Response};
use super::query::form_decoded;
use super::rule;
use crate::directory::api_key::Validity;
use crate::directory::{KeyId, Token};

const CLIENT_CREDENTIALS: &str = "client_credentials";

/// Handles `POST /oauth2/token`. It costs one read, and none if the request is malformed.
pub(super) async fn issue_token(exchange: &Exchange<'_>) -> Result<Response, ScimError> {
    let form = TokenRequest::parse(exchange.request.form(MAX_TOKEN_REQUEST_BYTES)?)?;
    form.require_client_credentials()?;
    let (id, secret) = form.credentials(&exchange.request.headers)?;
    if let Some(key) = KeyId::parse(&id) {
        exchange.observe_client(key);
    }
    let token = Token::of_client(&id, &secret).ok_or_else(invalid_client)?;
    let key = exchange.store.find_key(token.key_id()).await?;
    let Some(key) = key else {
        return Err(invalid_client());
    };
    // The client sees no difference; only the log does.
    match key.validity(exchange.now) {
        Validity::Valid => {}
        Validity::Revoked => return Err(invalid_client().rule(rule::KEY_REVOKED)),
        Validity::Expired if key.has_token(&token) => {
            return Err(invalid_client().rule(rule::KEY_EXPIRED));
        }
        Validity::Expired => return Err(invalid_client()),
    }
    let issued = key.access_token(&token, exchange.access_token_lifetime, exchange.now)?;
    let issued = issued.ok_or_else(invalid_client)?;
    exchange.observe_expiry(key.expires);
    Ok(Response::oauth(
        StatusCode::OK,
        &json!({"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.seconds}),
    ))
}

/// Returns an error as the token endpoint sends it. Details have no `"` and no `\`, which an `error_description` may not
/// have.
pub(super) fn refusal(error: &ScimError) -> Response {
    let code = match error.status {
        _ if error.rule == Some(rule::TOKEN_GRANT_TYPE) => "unsupported_grant_type",
        401 => "invalid_client",
        403 => "access_denied",
        503 => "temporarily_unavailable",
        400..=499 => "invalid_request",
        _ => "server_error",
    };
    Response::oauth_error(
        error,
        &json!({"error": code, "error_description": error.detail}),
    )
}

/// The parameters of a request for a token. Others are ignored, and so is one without a value (RFC 6749 §3.2).
#[derive(Default)]
struct TokenRequest<'r> {
    grant_type: Option<Cow<'r, str>>,
    client_id: Option<Cow<'r, str>>,
    client_secret: Option<Zeroizing<String>>,
}

impl<'r> TokenRequest<'r> {
    fn parse(form: &'r str) -> Result<Self, ScimError> {
        let mut request = Self::default();
        for pair in form.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A name that cannot be decoded is none that is known.
            let name = form_decoded(name).unwrap_or_default();
            if !["grant_type", "client_id", "client_secret"].contains(&&*name) {
                continue;
            }
            let value = form_decoded(value).ok_or_else(|| {
                invalid_request(format!(
                    "The parameter '{name}' is not validly percent-encoded UTF-8."
                ))
            })?;
            if value.is_empty() {
                continue;
            }
            let is_repeated = match &*name {
                "grant_type" => request.grant_type.replace(value).is_some(),
                "client_id" => request.client_id.replace(value).is_some(),
                _ => {
                    let secret = Zeroizing::new(value.into_owned());
                    request.client_secret.replace(secret).is_some()
                }
            };
            if is_repeated {
                let detail = format!("The parameter '{name}' is given twice; send it once.");
                return Err(invalid_request(detail));
            }
        }
        Ok(request)
    }

    fn require_client_credentials(&self) -> Result<(), ScimError> {
        match self.grant_type.as_deref() {
            Some(CLIENT_CREDENTIALS) => Ok(()),
            Some(_) => Err(ScimError::invalid_value(format!(
                "This grant type is not supported; send 'grant_type={CLIENT_CREDENTIALS}'."
            ))
            .rule(rule::TOKEN_GRANT_TYPE)),
            None => Err(invalid_request(format!(
                "The parameter 'grant_type' is missing; send 'grant_type={CLIENT_CREDENTIALS}' in the body, as a form."
            ))),
        }
    }

    /// Returns the id and the secret that the client sends, by HTTP Basic or by parameters.
    fn credentials(
        self,
        headers: &HeaderMap,
    ) -> Result<(Cow<'r, str>, Zeroizing<String>), ScimError> {
        match (Basic::of(headers)?, self.client_id, self.client_secret) {
            (Some(_), _, Some(_)) => Err(invalid_request(
                "The client's secret is given twice; send it either by HTTP Basic or as 'client_secret'.",
            )),
            (Some(basic), Some(id), None) if *id != *basic.id => Err(invalid_request(
                "The parameter 'client_id' differs from the one in 'Authorization'; leave it out.",
            )),
            (Some(basic), _, None) => Ok((Cow::Owned(basic.id), basic.secret)),
            (None, Some(id), Some(secret)) => Ok((id, secret)),
            (None, _, _) => Err(invalid_client()),
        }
    }
}

/// Credentials by HTTP Basic (RFC 6749 §2.3.1, RFC 7617).
struct Basic {
    id: String,
    secret: Zeroizing<String>,
}

impl Basic {
    /// Reads the header; `None` if there is none of this scheme.
    fn of(headers: &HeaderMap) -> Result<Option<Self>, ScimError> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        // If there are several, a proxy that checked the request may have used another one.
        if values.next().is_some() {
            return Err(invalid_client());
        }
        let value = value.to_str().unwrap_or_default().trim();
        let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("Basic") {
            return Ok(None);
        }
        let basic = Self::parse(credentials.trim());
        basic.map(Some).ok_or_else(invalid_client)
    }

    fn parse(credentials: &str) -> Option<Self> {
        let decoded = Zeroizing::new(STANDARD.decode(credentials).ok()?);
        let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some(Self {
            id: form_decoded(id)?.into_owned(),
            secret: Zeroizing::new(form_decoded(secret)?.into_owned()),
        })
    }
}

fn invalid_request(detail: impl Into<String>) -> ScimError {
    ScimError::invalid_syntax(detail).rule(rule::TOKEN_REQUEST)
}

/// Returns the refusal of a client: one sentence for every reason, so that the response does not show which.
fn invalid_client() -> ScimError {
    ScimError::unauthorized(
        "Send the id of a valid API key as client id and its token as client secret, by HTTP Basic or in the body; one is missing, wrong, expired or revoked, or the key was made before access tokens: rotate it.",
    )
    .rule(rule::TOKEN_CLIENT)
}

//! Requests and answers, whatever carries them: a Lambda event or a socket.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LOCATION, CONTENT_TYPE, ETAG,
    LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use super::rule;
use crate::scim::bulk::MAX_PAYLOAD_BYTES;
use crate::scim::{ScimError, list};

/// The media type of all answers (RFC 7644 §3.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
/// The other media type that clients may send and ask for.
pub(super) const JSON: &str = "application/json";
/// The content coding that changes nothing (RFC 9110 §12.5.3).
const IDENTITY: &str = "identity";
/// What some clients write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// Largest request body, in bytes, but for bulk requests.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// The largest body of any request, in bytes: no more of it is kept.
pub const MAX_READ_BYTES: usize = MAX_PAYLOAD_BYTES;

/// A request, as it came.
#[derive(Clone)]
pub struct Request {
    /// Identifies the request in logs and the audit trail.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The path with [`crate::config::BASE_PATH`], still percent-encoded.
    pub path: String,
    /// What follows the `?`, still percent-encoded; quotes and spaces may be raw.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
    /// Scheme and host the client addressed.
    pub origin: String,
}

/// A request's body, as far as it arrived.
#[derive(Clone)]
pub enum Body {
    /// All of it.
    Complete(Bytes),
    /// More than [`MAX_READ_BYTES`].
    TooLarge,
    /// It ended early, or its transfer encoding is wrong.
    Broken,
}

impl Request {
    /// The text of a header, several lines of it joined (RFC 9110 §5.3); `None` if it is absent.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<String> {
        let lines: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// Whether the client takes the media type of the answers: it does unless `Accept` says
    /// otherwise (RFC 9110 §12.5.1).
    #[must_use]
    pub fn accepts_json(&self) -> bool {
        let accept = self.header(ACCEPT).unwrap_or_default();
        let is_acceptable = |range: &str| {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            let is_refused = parts.any(|part| {
                let quality = part.strip_prefix("q=").or(part.strip_prefix("Q="));
                quality.and_then(|quality| quality.parse().ok()) == Some(0.0)
            });
            let includes_json = ["*/*", "application/*", MEDIA_TYPE, JSON]
                .iter()
                .any(|accepted| accepted.eq_ignore_ascii_case(media_type));
            includes_json && !is_refused
        };
        accept.trim().is_empty() || accept.split(',').any(is_acceptable)
    }

    /// The body as a JSON object of at most [`MAX_BODY_BYTES`]. A missing Content-Type is accepted,
    /// an explicitly wrong one is not.
    ///
    /// # Errors
    /// 413, 415 or 400 `invalidSyntax`.
    pub fn json_object(&self) -> Result<Map<String, Value>, ScimError> {
        self.json_object_up_to(MAX_BODY_BYTES)
    }

    /// The same, of at most so many bytes.
    ///
    /// # Errors
    /// 413, 415 or 400 `invalidSyntax`.
    pub fn json_object_up_to(&self, limit: usize) -> Result<Map<String, Value>, ScimError> {
        let body = match &self.body {
            Body::Complete(body) if body.len() <= limit => body,
            Body::Complete(_) | Body::TooLarge => {
                return Err(ScimError::payload_too_large(limit).rule(rule::BODY_TOO_LARGE));
            }
            Body::Broken => {
                return Err(ScimError::invalid_syntax(
                    "The request body did not arrive as announced.",
                )
                .rule(rule::BODY_INCOMPLETE));
            }
        };
        self.require_no_content_coding()?;
        self.require_json()?;
        parsed(body)
    }

    /// RFC 9110 §8.4: a body that is compressed is not read.
    fn require_no_content_coding(&self) -> Result<(), ScimError> {
        let codings = self.header(CONTENT_ENCODING).unwrap_or_default();
        let mut codings = codings.split(',').map(str::trim);
        let is_none = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case(IDENTITY);
        if codings.all(is_none) {
            return Ok(());
        }
        Err(ScimError::unsupported_content_coding().rule(rule::BODY_CONTENT_ENCODING))
    }

    fn require_json(&self) -> Result<(), ScimError> {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        let is_json = [MEDIA_TYPE, JSON]
            .iter()
            .any(|accepted| accepted.eq_ignore_ascii_case(media_type));
        if is_json || content_type.trim().is_empty() {
            return Ok(());
        }
        Err(ScimError::unsupported_media_type().rule(rule::BODY_CONTENT_TYPE))
    }
}

/// A body as a JSON object. A byte order mark before it is ignored (RFC 8259 §8.1).
fn parsed(body: &[u8]) -> Result<Map<String, Value>, ScimError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        ScimError::invalid_syntax(format!(
            "The request body is not UTF-8 text (byte {}); encode the JSON as UTF-8.",
            error.valid_up_to() + 1
        ))
        .rule(rule::BODY_NOT_UTF8)
    })?;
    if text.trim().is_empty() {
        return Err(ScimError::invalid_syntax(
            "The request body is empty; send the JSON object that this request needs.",
        )
        .rule(rule::BODY_EMPTY));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(
            ScimError::invalid_syntax("The request body must be a JSON object.")
                .rule(rule::BODY_NOT_JSON_OBJECT),
        ),
        Err(error) => Err(ScimError::invalid_syntax(format!(
            "The request body is not valid JSON (line {}, column {}).",
            error.line(),
            error.column()
        ))
        .rule(rule::BODY_NOT_JSON_OBJECT)),
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if there is one.
    pub body: Option<Bytes>,
}

impl Response {
    /// An answer without body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, body: &Value) -> Self {
        Self::rendered(status, MEDIA_TYPE, body.to_string())
    }

    /// JSON that is no SCIM message.
    #[must_use]
    pub fn plain_json(body: String) -> Self {
        Self::rendered(StatusCode::OK, JSON, body)
    }

    fn rendered(status: StatusCode, media_type: &'static str, body: String) -> Self {
        let media_type = HeaderValue::from_static(media_type);
        Self {
            status,
            headers: HeaderMap::from_iter([(CONTENT_TYPE, media_type)]),
            body: Some(body.into()),
        }
    }

    /// A resource with its `Location` and `ETag`. `Content-Location` is what `meta.location` is
    /// (RFC 7643 §3.1); at `/Me` it tells where the resource really is (RFC 7644 §3.11).
    #[must_use]
    pub fn resource(
        status: StatusCode,
        resource: Map<String, Value>,
        location: &str,
        etag: &str,
    ) -> Self {
        Self::json(status, &Value::Object(resource))
            .with(LOCATION, location)
            .with(CONTENT_LOCATION, location)
            .with(ETAG, etag)
    }

    /// The client has this version already (RFC 7644 §3.14). Of the headers, those that RFC 9110
    /// §15.4.5 asks for: no `Location`, which some clients would follow.
    #[must_use]
    pub fn not_modified(location: &str, etag: &str) -> Self {
        Self::empty(StatusCode::NOT_MODIFIED)
            .with(CONTENT_LOCATION, location)
            .with(ETAG, etag)
    }

    /// A ListResponse of everything there is, for discovery endpoints, which are not paged.
    #[must_use]
    pub fn whole_list(resources: Vec<Map<String, Value>>) -> Self {
        Self::json(
            StatusCode::OK,
            &list::index_page(resources.len(), 1, resources),
        )
    }

    /// A SCIM error (RFC 7644 §3.12).
    #[must_use]
    pub fn error(error: &ScimError) -> Self {
        let status =
            StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Self::json(status, &error.to_json());
        if status == StatusCode::UNAUTHORIZED {
            response = response.with(WWW_AUTHENTICATE, "Bearer");
        }
        // RFC 9110 §12.5.3: what would have been accepted.
        if error.rule == Some(rule::BODY_CONTENT_ENCODING) {
            response = response.with(ACCEPT_ENCODING, IDENTITY);
        }
        if let Some(seconds) = error.retry_after {
            response = response.with(RETRY_AFTER, &seconds.to_string());
        }
        response
    }

    /// The same answer with a `Location`, if there is one.
    #[must_use]
    pub fn located(self, location: Option<&str>) -> Self {
        match location {
            Some(location) => self.with(LOCATION, location),
            None => self,
        }
    }

    /// The same answer with the methods that a path takes.
    #[must_use]
    pub fn allowing(self, methods: &str) -> Self {
        self.with(ALLOW, methods)
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

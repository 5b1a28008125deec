//! Requests and responses, independent of Lambda events and sockets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LOCATION,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, PRAGMA, RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use scim::messages::{ListResponse, error_message};
use scim::resource::date_time;
use scim::{ScimError, etag};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::accept::{MediaType, preferred};
use super::rule;

pub use super::accept::{JSON, MEDIA_TYPE};

/// The content coding that changes nothing (RFC 9110 §12.5.3).
const IDENTITY: &str = "identity";
/// The media type of forms (RFC 6749 appendix B).
pub const FORM: &str = "application/x-www-form-urlencoded";
/// The byte order mark that some clients write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// A response that no cache may store, which every response is unless it says otherwise: it is about people, or
/// true for the moment only.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A response that may be stored, but is revalidated before each use, because SCIM may be deactivated.
const REVALIDATE: &str = "no-cache";
/// When the caller's key expires.
const API_KEY_EXPIRES: HeaderName = HeaderName::from_static("api-key-expires");
/// How a client has to authenticate at the token endpoint (RFC 7617 §2).
const BASIC_CHALLENGE: &str = "Basic realm=\"API key\"";
/// Largest request body, in bytes, except of bulk requests.
pub const MAX_BODY_BYTES: usize = 256 * 1024;
/// Largest body of a request for an access token, in bytes: everybody may send one.
pub const MAX_TOKEN_REQUEST_BYTES: usize = 8 * 1024;

/// A request, with its body or with what its body is read from.
#[derive(Clone)]
pub struct Request<B = Body> {
    /// Identifies the request in logs and the audit trail.
    pub id: String,
    /// The method.
    pub method: Method,
    /// The path with [`BASE_PATH`](super::route::BASE_PATH), still percent-encoded.
    pub path: String,
    /// What follows the `?`, still percent-encoded; quotes and spaces may be raw.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: B,
    /// Scheme and host the client addressed.
    pub origin: String,
}

/// A request's body, as far as it arrived.
#[derive(Clone)]
pub enum Body {
    /// All of it.
    Complete(Bytes),
    /// It is larger than the limit.
    TooLarge,
    /// It ended early, or its transfer encoding is wrong.
    Broken,
}

/// The source of a body, which is read once the caller and the route are known. So only an admitted request makes the
/// server hold a body.
pub trait BodySource: Send {
    /// Reads a body of at most `limit` bytes.
    fn read(self, limit: usize) -> impl Future<Output = Body> + Send;
}

/// A body that has arrived with its request.
impl BodySource for Body {
    async fn read(self, limit: usize) -> Body {
        match self {
            Body::Complete(body) if body.len() > limit => Body::TooLarge,
            body => body,
        }
    }
}

impl<B: BodySource> Request<B> {
    /// Returns the request with its body of at most `limit` bytes; without a body if there is no limit, because then no
    /// route reads it.
    pub(super) async fn with_body_read(self, limit: Option<usize>) -> Request {
        let body = match limit {
            Some(limit) => self.body.read(limit).await,
            None => Body::Complete(Bytes::new()),
        };
        Request {
            id: self.id,
            method: self.method,
            path: self.path,
            query: self.query,
            headers: self.headers,
            body,
            origin: self.origin,
        }
    }
}

impl<B> Request<B> {
    /// Returns the text of a header, several lines of it joined (RFC 9110 §5.3); `None` if it is absent.
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

    /// Returns the media type of the response that `Accept` prefers; `None` if it accepts neither (RFC 9110 §12.5.1).
    #[must_use]
    pub fn preferred_media_type(&self) -> Option<MediaType> {
        preferred(&self.header(ACCEPT).unwrap_or_default())
    }
}

impl Request {
    /// Returns the body as a JSON object of at most [`MAX_BODY_BYTES`]. A missing Content-Type is accepted,
    /// an explicitly wrong one is not.
    ///
    /// # Errors
    /// 413 for a body beyond the limit, 415 for a `Content-Type` or `Content-Encoding` that is not read, 400
    /// `invalidSyntax` for a body that is incomplete, not UTF-8 or not JSON.
    pub fn json_object(&self) -> Result<Map<String, Value>, ScimError> {
        self.json_up_to(MAX_BODY_BYTES)
    }

    /// Returns the body as [`Request::json_object`] does, of at most `limit` bytes and as another kind of map.
    ///
    /// # Errors
    /// 413 for a body beyond the limit, 415 for a `Content-Type` or `Content-Encoding` that is not read, 400
    /// `invalidSyntax` for a body that is incomplete, not UTF-8 or not JSON.
    pub fn json_up_to<T: DeserializeOwned>(&self, limit: usize) -> Result<T, ScimError> {
        let body = self.plain_body(limit)?;
        self.require_json()?;
        parsed(body)
    }

    /// Returns the body as a form of at most `limit` bytes, still percent-encoded. A missing Content-Type is accepted.
    ///
    /// # Errors
    /// 413 for a body beyond the limit, 415 for a `Content-Encoding` that is not read, 400 `invalidSyntax` for a body
    /// that is incomplete, not UTF-8 or of another type.
    pub fn form(&self, limit: usize) -> Result<&str, ScimError> {
        let body = self.plain_body(limit)?;
        let media_type = self.media_type();
        if !media_type.is_empty() && !media_type.eq_ignore_ascii_case(FORM) {
            let detail = format!("Send the body as 'Content-Type: {FORM}'.");
            return Err(ScimError::invalid_syntax(detail).rule(rule::BODY_CONTENT_TYPE));
        }
        utf8(body, "the form")
    }

    /// Returns the body, which is complete, not too large and not compressed.
    fn plain_body(&self, limit: usize) -> Result<&Bytes, ScimError> {
        let body = match &self.body {
            Body::Complete(body) if body.len() <= limit => body,
            Body::Complete(_) | Body::TooLarge => {
                return Err(ScimError::payload_too_large(limit).rule(rule::BODY_TOO_LARGE));
            }
            Body::Broken => {
                return Err(ScimError::invalid_syntax(
                    "The request body is incomplete or arrived too late; send the request again.",
                )
                .rule(rule::BODY_INCOMPLETE));
            }
        };
        self.require_no_content_coding()?;
        Ok(body)
    }

    /// Returns the media type of the body without parameters; empty if the request does not say.
    fn media_type(&self) -> String {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default();
        media_type.trim().to_owned()
    }

    /// Refuses a compressed body (RFC 9110 §8.4).
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
        let media_type = self.media_type();
        let is_json = [MEDIA_TYPE, JSON]
            .iter()
            .any(|accepted| accepted.eq_ignore_ascii_case(&media_type));
        if is_json || content_type.trim().is_empty() {
            return Ok(());
        }
        Err(ScimError::unsupported_media_type().rule(rule::BODY_CONTENT_TYPE))
    }
}

/// Reads a body that is text.
fn utf8<'b>(body: &'b [u8], what: &str) -> Result<&'b str, ScimError> {
    std::str::from_utf8(body).map_err(|error| {
        ScimError::invalid_syntax(format!(
            "The request body is not UTF-8 text (byte {}); encode {what} as UTF-8.",
            error.valid_up_to() + 1
        ))
        .rule(rule::BODY_NOT_UTF8)
    })
}

/// Reads a body that is a JSON object. A byte order mark before it is ignored (RFC 8259 §8.1).
fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, ScimError> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let text = utf8(body, "the JSON")?;
    if text.trim().is_empty() {
        return Err(ScimError::invalid_syntax(
            "The request body is empty; send the JSON object that this request needs.",
        )
        .rule(rule::BODY_EMPTY));
    }
    serde_json::from_str(text).map_err(|error| {
        let detail = match error.classify() {
            Category::Data => "The request body must be a JSON object.".to_owned(),
            _ => format!(
                "The request body is not valid JSON (line {}, column {}).",
                error.line(),
                error.column()
            ),
        };
        ScimError::invalid_syntax(detail).rule(rule::BODY_NOT_JSON_OBJECT)
    })
}

/// A response.
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
    /// Returns a response without body.
    #[must_use]
    pub fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::from_iter([(CACHE_CONTROL, NO_STORE)]),
            body: None,
        }
    }

    /// Returns a response with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        Self::rendered(status, MEDIA_TYPE, written(body))
    }

    fn rendered(status: StatusCode, media_type: &'static str, body: String) -> Self {
        let mut response = Self::empty(status).with(CONTENT_TYPE, media_type);
        response.body = Some(body.into());
        response
    }

    /// Returns a description of the service itself. It may be stored, and is 304 for a client whose `If-None-Match`
    /// names it.
    #[must_use]
    pub fn discovery(request: &Request, body: &impl Serialize) -> Self {
        Self::revalidated(request, MEDIA_TYPE, written(body))
    }

    /// Returns a description as [`Response::discovery`] does, as JSON that is not a SCIM message.
    #[must_use]
    pub fn plain_discovery(request: &Request, body: String) -> Self {
        Self::revalidated(request, JSON, body)
    }

    fn revalidated(request: &Request, media_type: &'static str, body: String) -> Self {
        // Weak, because both media types have the same bytes.
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(body.as_bytes()));
        let is_known = request
            .header(IF_NONE_MATCH)
            .is_some_and(|tags| etag::names(&tags, &hash));
        let response = match is_known {
            true => Self::empty(StatusCode::NOT_MODIFIED),
            false => Self::rendered(StatusCode::OK, media_type, body),
        };
        response
            .with(ETAG, &etag::weak(&hash))
            .with(CACHE_CONTROL, REVALIDATE)
    }

    /// Returns a resource with its `Location` and `ETag`. `Content-Location` is what `meta.location` is
    /// (RFC 7643 §3.1); at `/Me` it is where the resource really is (RFC 7644 §3.11).
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

    /// Returns 304: the client has this version already (RFC 7644 §3.14). It has the headers that RFC 9110 §15.4.5
    /// requires, and no `Location`, which some clients would follow.
    #[must_use]
    pub fn not_modified(location: &str, etag: &str) -> Self {
        Self::empty(StatusCode::NOT_MODIFIED)
            .with(CONTENT_LOCATION, location)
            .with(ETAG, etag)
    }

    /// Returns a ListResponse of everything there is, for discovery endpoints, which are not paged.
    #[must_use]
    pub fn whole_list(request: &Request, resources: Vec<Map<String, Value>>) -> Self {
        let list = ListResponse::by_index(resources.len(), 1, resources);
        Self::discovery(request, &list)
    }

    /// Returns a SCIM error (RFC 7644 §3.12).
    #[must_use]
    pub fn error(error: &ScimError) -> Self {
        let status = status_of(error);
        let mut response = Self::json(status, &error_message(error));
        if status == StatusCode::UNAUTHORIZED {
            response = response.with(WWW_AUTHENTICATE, bearer_challenge(error));
        }
        response.with_advice(error)
    }

    /// Returns a response of the token endpoint (RFC 6749 §5.1): JSON that nobody may store.
    #[must_use]
    pub fn oauth(status: StatusCode, body: &impl Serialize) -> Self {
        Self::rendered(status, JSON, written(body)).with(PRAGMA, "no-cache")
    }

    /// Returns a refusal of the token endpoint (RFC 6749 §5.2).
    #[must_use]
    pub fn oauth_error(error: &ScimError, body: &impl Serialize) -> Self {
        let response = Self::oauth(status_of(error), body);
        let response = match response.status {
            StatusCode::UNAUTHORIZED => response.with(WWW_AUTHENTICATE, BASIC_CHALLENGE),
            _ => response,
        };
        response.with_advice(error)
    }

    /// Returns the response with the headers that say how the client can do better.
    fn with_advice(self, error: &ScimError) -> Self {
        let mut response = self;
        // RFC 9110 §12.5.3: the codings that the server accepts.
        if error.rule == Some(rule::BODY_CONTENT_ENCODING) {
            response = response.with(ACCEPT_ENCODING, IDENTITY);
        }
        if let Some(seconds) = error.retry_after {
            response = response.with(RETRY_AFTER, &seconds.to_string());
        }
        response
    }

    /// Returns the response with a `Location`, if there is one.
    #[must_use]
    pub fn located(self, location: Option<&str>) -> Self {
        match location {
            Some(location) => self.with(LOCATION, location),
            None => self,
        }
    }

    /// Returns the response with the methods that a path takes.
    #[must_use]
    pub fn allowing(self, methods: &str) -> Self {
        self.with(ALLOW, methods)
    }

    /// Returns the response in the media type that the client prefers, or SCIM's own if it accepts neither. This is the
    /// last step of every response.
    #[must_use]
    pub fn negotiated(mut self, preferred: Option<MediaType>) -> Self {
        let own = self.headers.get(CONTENT_TYPE);
        if own.is_some_and(|media_type| media_type == MEDIA_TYPE) {
            let media_type = preferred.unwrap_or(MediaType::Scim).as_str();
            self.headers
                .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        }
        if self.body.is_some() || self.status == StatusCode::NOT_MODIFIED {
            self.headers
                .insert(VARY, HeaderValue::from_static("Accept"));
        }
        self
    }

    /// Returns the response with the time at which the caller's key expires, if it does.
    #[must_use]
    pub fn with_key_expiry(self, expires: Option<Timestamp>) -> Self {
        match expires {
            Some(expires) => self.with(API_KEY_EXPIRES, &date_time(expires)),
            None => self,
        }
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }
}

fn status_of(error: &ScimError) -> StatusCode {
    StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Returns how a client has to authenticate (RFC 6750 §3): a client that has sent no token learns nothing more.
fn bearer_challenge(error: &ScimError) -> &'static str {
    if error.rule == Some(rule::TOKEN_MISSING) {
        "Bearer"
    } else {
        "Bearer error=\"invalid_token\""
    }
}

/// Returns a message as JSON. It cannot fail: all maps in a message have text as keys.
fn written(message: &impl Serialize) -> String {
    serde_json::to_string(message).unwrap_or_default()
}

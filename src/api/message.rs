//! Requests and answers, whatever carries them: a Lambda event or a socket.

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, CONTENT_LOCATION, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value};

use crate::scim::{ScimError, list};

/// The media type of all answers (RFC 7644 §3.1).
pub const MEDIA_TYPE: &str = "application/scim+json";
/// The other media type that clients may send and ask for.
pub(super) const JSON: &str = "application/json";
/// Largest request body, in bytes, except that of a bulk request.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// A request, with its body or with what its body is read from.
#[derive(Clone)]
pub struct Request<B = Body> {
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
    pub body: B,
    /// Scheme and host the client addressed.
    pub origin: String,
}

/// A request's body, as far as it arrived.
#[derive(Clone)]
pub enum Body {
    /// All of it.
    Complete(Bytes),
    /// More than was to be read.
    TooLarge,
    /// It ended early, or its transfer encoding is wrong.
    Broken,
}

/// What a body is read from, once it is known who sent the request and where it goes: nobody else
/// makes the server hold a body.
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
    /// The same request with its body of at most `limit` bytes; without one if there is no limit,
    /// because then nothing asks for it.
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
}

impl Request {
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
                return Err(ScimError::payload_too_large(limit));
            }
            Body::Broken => {
                return Err(ScimError::invalid_syntax(
                    "The request body did not arrive as announced.",
                ));
            }
        };
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        if !content_type.trim().is_empty() {
            let media_type = content_type.split(';').next().unwrap_or_default().trim();
            let is_json = [MEDIA_TYPE, JSON]
                .iter()
                .any(|accepted| accepted.eq_ignore_ascii_case(media_type));
            if !is_json {
                return Err(ScimError::unsupported_media_type());
            }
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(ScimError::invalid_syntax(
                "The request body must be a JSON object.",
            )),
            Err(error) => Err(ScimError::invalid_syntax(format!(
                "The request body is not valid JSON (line {}, column {}).",
                error.line(),
                error.column()
            ))),
        }
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

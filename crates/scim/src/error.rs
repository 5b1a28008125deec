//! [`ScimError`]: the only error that clients see (RFC 7644 §3.12).

use std::error::Error;
use std::fmt;

use crate::rule::{self, Rule};

/// The `scimType` keywords of RFC 7644 table 9 and RFC 9865 §2.1 that this server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimType {
    /// The filter's syntax is wrong, or it names an unknown attribute, or compares one in a wrong way.
    InvalidFilter,
    /// The filter would have to read more users than one request may.
    TooMany,
    /// A unique value is taken.
    Uniqueness,
    /// A read-only or required attribute would be changed.
    Mutability,
    /// The body is not JSON, or not the message the operation takes.
    InvalidSyntax,
    /// A PATCH path is malformed.
    InvalidPath,
    /// A PATCH path leads to no value.
    NoTarget,
    /// A value is missing or has the wrong type.
    InvalidValue,
    /// The cursor belongs to another query.
    InvalidCursor,
    /// The cursor has expired.
    ExpiredCursor,
    /// `count` is not an integer.
    InvalidCount,
}

impl ScimType {
    /// Returns the keyword as the RFC spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// The reason why a request fails, as the client gets it. It is the only error type that clients see.
///
/// `detail` is for the client and says what to do. `source` is only ever logged, so a caller
/// must not put anything personal into it.
#[derive(Debug)]
pub struct ScimError {
    /// The HTTP status code.
    pub status: u16,
    /// The keyword of RFC 7644 table 9, where one fits.
    pub scim_type: Option<ScimType>,
    /// What was wrong and what to send instead, for the client.
    pub detail: String,
    /// The rule that was broken, for the log.
    pub rule: Option<Rule>,
    /// The attribute that the refusal is about, as its schema names it, for the log.
    pub attribute: Option<String>,
    /// Index of the operation that was refused, in a PATCH or bulk request, for the log.
    pub operation: Option<usize>,
    /// Seconds after which the client may try again (`Retry-After`).
    pub retry_after: Option<u32>,
    /// The cause, for the log.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl ScimError {
    fn new(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        Self {
            status,
            scim_type,
            detail: detail.into(),
            rule: None,
            attribute: None,
            operation: None,
            retry_after: None,
            source: None,
        }
    }

    /// Returns 400 `invalidFilter`.
    pub fn invalid_filter(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidFilter), detail)
    }

    /// Returns 400 `tooMany`.
    pub fn too_many(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::TooMany), detail)
    }

    /// Returns 409 `uniqueness`.
    pub fn uniqueness(detail: impl Into<String>) -> Self {
        Self::new(409, Some(ScimType::Uniqueness), detail)
    }

    /// Returns 400 `mutability`.
    pub fn mutability(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::Mutability), detail)
    }

    /// Returns 400 `invalidSyntax`.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidSyntax), detail)
    }

    /// Returns 400 `invalidPath`.
    pub fn invalid_path(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidPath), detail)
    }

    /// Returns 400 `noTarget`.
    pub fn no_target(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::NoTarget), detail)
    }

    /// Returns 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidValue), detail)
    }

    /// Returns 400 `invalidCursor`.
    pub fn invalid_cursor(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidCursor), detail)
    }

    /// Returns 400 `expiredCursor`.
    pub fn expired_cursor(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::ExpiredCursor), detail)
    }

    /// Returns 400 `invalidCount`.
    pub fn invalid_count(detail: impl Into<String>) -> Self {
        Self::new(400, Some(ScimType::InvalidCount), detail)
    }

    /// Returns 401.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(401, None, detail)
    }

    /// Returns 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, None, detail)
    }

    /// Returns 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, None, detail)
    }

    /// Returns 405.
    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        Self::new(405, None, detail)
    }

    /// Returns 406.
    #[must_use]
    pub fn not_acceptable() -> Self {
        Self::new(
            406,
            None,
            "Responses are 'application/scim+json' or 'application/json'; send an 'Accept' header that allows one of them, or none.",
        )
    }

    /// Returns 409 for a reason other than uniqueness.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(409, None, detail)
    }

    /// Returns 412.
    #[must_use]
    pub fn precondition_failed() -> Self {
        Self::new(
            412,
            None,
            "The resource has changed since the version named in If-Match; GET it and send the change again.",
        )
    }

    /// Returns 413.
    #[must_use]
    pub fn payload_too_large(limit: usize) -> Self {
        Self::new(
            413,
            None,
            format!("The request body may have at most {limit} bytes; send less in one request."),
        )
    }

    /// Returns 413, for a bulk request.
    #[must_use]
    pub fn too_many_operations(limit: usize) -> Self {
        Self::new(
            413,
            None,
            format!("A bulk request may have at most {limit} operations; send several."),
        )
    }

    /// Returns 415.
    #[must_use]
    pub fn unsupported_media_type() -> Self {
        Self::new(
            415,
            None,
            "Send the body as 'Content-Type: application/scim+json' or 'application/json'.",
        )
    }

    /// Returns 415 for a body that is compressed.
    #[must_use]
    pub fn unsupported_content_coding() -> Self {
        Self::new(
            415,
            None,
            "Send the body as it is, without 'Content-Encoding'; compressed bodies are not read.",
        )
    }

    /// Returns 429 with `Retry-After`: the client sends more than it may.
    #[must_use]
    pub fn too_many_requests(detail: impl Into<String>, retry_after: u32) -> Self {
        let mut error = Self::new(429, None, detail);
        error.retry_after = Some(retry_after);
        error
    }

    /// Returns 501.
    pub fn not_implemented(detail: impl Into<String>) -> Self {
        Self::new(501, None, detail)
    }

    /// Returns 503 with `Retry-After`: the store is busy or does not respond.
    #[must_use]
    pub fn unavailable(retry_after: u32) -> Self {
        Self::out_of_service(
            retry_after,
            format!(
                "The directory is busy. Try again in {retry_after} s; a change may have been made already."
            ),
        )
    }

    /// Returns 503 with `Retry-After`, for another reason.
    pub fn out_of_service(retry_after: u32, detail: impl Into<String>) -> Self {
        let mut error = Self::new(503, None, detail);
        error.retry_after = Some(retry_after);
        error
    }

    /// Returns 500: a defect of this server. The cause goes to the log only.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mut error = Self::new(
            500,
            None,
            "The server failed to handle this request; the operator's log has the cause.",
        );
        error.rule = Some(rule::INTERNAL);
        error.source = Some(source.into());
        error
    }

    /// Returns the error with a cause for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the error with the rule that was broken.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Returns the error about an attribute, named as in its schema. If it is about a sub-attribute already, this is
    /// the attribute that the sub-attribute belongs to.
    #[must_use]
    pub fn about(mut self, attribute: &'static str) -> Self {
        self.attribute = Some(match self.attribute {
            None => attribute.to_owned(),
            Some(sub_attribute) => format!("{attribute}.{sub_attribute}"),
        });
        self
    }

    /// Returns the error of one operation of a PATCH or bulk request.
    #[must_use]
    pub fn in_operation(mut self, index: usize) -> Self {
        self.operation = Some(index);
        self.within(&format!("Operations[{index}]"))
    }

    /// Returns the error with `prefix` before its detail, to say which part of a request failed.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.detail = format!("{prefix}: {}", self.detail);
        self
    }
}

/// Returns a client's text as an error quotes it, shortened.
#[must_use]
pub fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl fmt::Display for ScimError {
    /// Writes status and keyword only: the detail may quote what the client sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status)?;
        match self.scim_type {
            Some(scim_type) => write!(f, " {}", scim_type.as_str()),
            None => Ok(()),
        }
    }
}

impl Error for ScimError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

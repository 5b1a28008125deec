//! The scheme and host that a client addressed: the beginning of every URL in its responses.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderValue, Version};
use paradigm_scim::api::rule;
use scim::ScimError;

/// The scheme of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// Returns the scheme and host that the client addressed: those of the request target if it has them, else the
/// `Host` (RFC 9112 §3.2).
///
/// # Errors
/// 400 `invalidSyntax`, unless there is exactly one valid `Host`; only HTTP/1.0 may leave it out.
pub(crate) fn origin(parts: &Parts, listener: Scheme) -> Result<String, ScimError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(authority(host).ok_or_else(wrong_host)?),
        (None, _) if parts.version < Version::HTTP_11 => None,
        _ => return Err(wrong_host()),
    };
    let scheme = parts.uri.scheme_str().unwrap_or(listener.as_str());
    Ok(match (parts.uri.authority(), host) {
        (Some(target), _) if target.as_str().contains('@') => return Err(wrong_target()),
        (Some(target), _) => format!("{scheme}://{target}"),
        (None, Some(host)) => format!("{scheme}://{host}"),
        (None, None) => format!("{scheme}://localhost"),
    })
}

/// Returns the host and port of a `Host` header.
fn authority(host: &HeaderValue) -> Option<Authority> {
    let authority = Authority::try_from(host.as_bytes()).ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

fn wrong_host() -> ScimError {
    ScimError::invalid_syntax(
        "Send exactly one 'Host' header, with a host name and perhaps a port.",
    )
    .rule(rule::HOST)
}

fn wrong_target() -> ScimError {
    ScimError::invalid_syntax("Leave user information out of the request target.").rule(rule::HOST)
}

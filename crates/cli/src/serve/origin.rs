//! The scheme and host that a client addressed: the beginning of every URL in its responses.

use std::net::IpAddr;

use http::Version;
use http::header::HOST;
use http::request::Parts;
use paradigm_scim::api::rule;
use scim::ScimError;

use crate::serve::forwarded::{TrustedProxies, authority};
use crate::serve::listen::Scheme;

/// How the scheme and host of a request are found.
pub(crate) struct Origins {
    /// The scheme of the listener.
    pub(crate) scheme: Scheme,
    /// The proxies whose forwarding headers count.
    pub(crate) proxies: TrustedProxies,
}

impl Origins {
    /// Returns the scheme and host that the client addressed: those that a trusted proxy names, else those of the
    /// request target, else the `Host` (RFC 9112 §3.2).
    ///
    /// # Errors
    /// 400 `invalidSyntax`, unless there is exactly one valid `Host`, which only HTTP/1.0 may leave out; or if a trusted
    /// proxy names a scheme or host that is not valid.
    pub(crate) fn origin(&self, parts: &Parts, peer: IpAddr) -> Result<String, ScimError> {
        let (scheme, host) = addressed(parts, self.scheme)?;
        let forwarded = self.proxies.forwarded(&parts.headers, peer)?;
        let scheme = match forwarded.scheme {
            Some(scheme) => scheme.as_str(),
            None => scheme,
        };
        Ok(match forwarded.host {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{host}"),
        })
    }
}

/// Returns the scheme and host that the request itself names.
fn addressed(parts: &Parts, listener: Scheme) -> Result<(&str, String), ScimError> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(authority(host.as_bytes()).ok_or_else(wrong_host)?),
        (None, _) if parts.version < Version::HTTP_11 => None,
        _ => return Err(wrong_host()),
    };
    let scheme = parts.uri.scheme_str().unwrap_or(listener.as_str());
    let host = match (parts.uri.authority(), host) {
        (Some(target), _) if target.as_str().contains('@') => return Err(wrong_target()),
        (Some(target), _) => target.to_string(),
        (None, Some(host)) => host.to_string(),
        (None, None) => "localhost".to_owned(),
    };
    Ok((scheme, host))
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

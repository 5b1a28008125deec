//! Which requests are for the console, by the headers that a browser sets and a page cannot, and what every response
//! says to the browser.

use std::net::SocketAddr;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Uri};

/// Nothing but the console's own stylesheet and forms: no script, no other origin, no frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Why a request is refused before anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intrusion {
    /// It was addressed to another host: perhaps a page whose name now leads here (DNS rebinding).
    Host,
    /// A page of another origin sent it.
    Origin,
}

/// What requests for the console are addressed to.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    host: String,
    origin: String,
}

impl Guard {
    /// Returns the guard of a listener.
    pub(super) fn new(address: SocketAddr) -> Self {
        // Browsers leave out the default port.
        let host = match address {
            SocketAddr::V4(v4) if v4.port() == 80 => v4.ip().to_string(),
            SocketAddr::V6(v6) if v6.port() == 80 => format!("[{}]", v6.ip()),
            address => address.to_string(),
        };
        Self {
            origin: format!("http://{host}"),
            host,
        }
    }

    /// Returns the URL of the console, without a path.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Checks a request's head.
    pub(super) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Intrusion> {
        let is_here = uri
            .authority()
            .is_none_or(|host| host == self.host.as_str());
        if only(headers, &HOST) != Some(&self.host) || !is_here {
            return Err(Intrusion::Host);
        }
        let has_origin = headers.contains_key(ORIGIN);
        let is_ours = match only(headers, &ORIGIN) {
            Some(origin) if origin == self.origin => true,
            // Under `no-referrer` browsers send this instead of the origin, also to the origin itself. Whether it was
            // that, they say in a header that no page can set.
            Some("null") => only(headers, &SITE) == Some("same-origin"),
            Some(_) => false,
            None => {
                !has_origin
                    && matches!(*method, Method::GET | Method::HEAD)
                    && !is_embedded(headers)
            }
        };
        is_ours.then_some(()).ok_or(Intrusion::Origin)
    }
}

/// Returns whether a page of another origin asks for something to show in itself, such as an image. Browsers say so,
/// and send the cookie to every port of this machine.
fn is_embedded(headers: &HeaderMap) -> bool {
    let is_foreign = matches!(only(headers, &SITE), Some("same-site" | "cross-site"));
    is_foreign && only(headers, &MODE) != Some("navigate")
}

/// Returns the value of a header that is there once.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Sets the headers that every response of the console has.
pub(super) fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        address: &str,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<(), Intrusion> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let guard = Guard::new(address.parse().unwrap());
        guard.check(&method, &uri.parse().unwrap(), &map)
    }

    const HERE: &str = "127.0.0.1:8081";

    #[test]
    fn only_the_host_of_the_listener_is_served_port_included() {
        for (address, host, is_here) in [
            (HERE, HERE, true),
            ("[::1]:8081", "[::1]:8081", true),
            ("127.0.0.1:80", "127.0.0.1", true),
            ("[::1]:80", "[::1]", true),
            (HERE, "127.0.0.1", false),
            (HERE, "127.0.0.1:8080", false),
            (HERE, "localhost:8081", false),
            (HERE, "127.0.0.1:8081.evil.example", false),
            (HERE, "evil.example:8081", false),
            (HERE, "", false),
        ] {
            let checked = check(address, Method::GET, "/", &[("host", host)]);
            assert_eq!(checked.is_ok(), is_here, "{address} {host}");
        }
        let twice = [("host", HERE), ("host", HERE)];
        for (uri, headers) in [
            ("/", &[][..]),
            ("/", &twice),
            ("http://evil.example/", &twice[..1]),
        ] {
            let checked = check(HERE, Method::GET, uri, headers);
            assert_eq!(checked, Err(Intrusion::Host), "{uri} {headers:?}");
        }
    }

    #[test]
    fn what_a_page_of_another_origin_sends_is_refused() {
        let ours = ("origin", "http://127.0.0.1:8081");
        let null = ("origin", "null");
        let same = ("sec-fetch-site", "same-origin");
        let other_site = ("sec-fetch-site", "cross-site");
        let same_site = ("sec-fetch-site", "same-site");
        for (method, headers, is_ours) in [
            (Method::GET, &[][..], true),
            (Method::POST, &[ours], true),
            (Method::POST, &[null, same], true),
            (Method::POST, &[], false),
            (Method::POST, &[same], false),
            (Method::POST, &[null], false),
            (Method::POST, &[null, other_site], false),
            (Method::POST, &[ours, ours], false),
            (
                Method::POST,
                &[("origin", "http://127.0.0.1:8080"), same],
                false,
            ),
            (Method::POST, &[("origin", "https://127.0.0.1:8081")], false),
            (Method::POST, &[("origin", "http://localhost:8081")], false),
            (Method::GET, &[("origin", "https://evil.example")], false),
            (Method::GET, &[same, ("sec-fetch-mode", "no-cors")], true),
            (
                Method::GET,
                &[same_site, ("sec-fetch-mode", "navigate")],
                true,
            ),
            (
                Method::GET,
                &[same_site, ("sec-fetch-mode", "no-cors")],
                false,
            ),
            (
                Method::GET,
                &[other_site, ("sec-fetch-mode", "no-cors")],
                false,
            ),
        ] {
            let all = [&[("host", HERE)], headers].concat();
            let checked = check(HERE, method, "/", &all);
            let expected = match is_ours {
                true => Ok(()),
                false => Err(Intrusion::Origin),
            };
            assert_eq!(checked, expected, "{headers:?}");
        }
    }
}

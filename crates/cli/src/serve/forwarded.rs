//! What proxies say about the requests that they forward. Everybody can send these headers, so only those of proxies that
//! the operator names count.

use std::net::IpAddr;

use clap::ValueEnum;
use http::header::FORWARDED;
use http::uri::Authority;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use paradigm_scim::api::rule;
use scim::ScimError;

use crate::serve::listen::Scheme;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The headers that a proxy sets. It passes the others on as clients send them, so they never count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForwardedHeaders {
    // Comments for the documentation would make the help of all options long.
    /// `X-Forwarded-Proto` and `X-Forwarded-Host`.
    #[default]
    #[value(help = None)]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    #[value(help = None)]
    Forwarded,
}

/// The proxies whose forwarding headers count.
#[derive(Debug, Default)]
pub(crate) struct TrustedProxies {
    pub(crate) networks: Vec<IpNet>,
    pub(crate) headers: ForwardedHeaders,
}

/// What a trusted proxy says that the client addressed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Forwarded {
    pub(crate) scheme: Option<Scheme>,
    pub(crate) host: Option<Authority>,
}

/// Reads an address, or a network such as `10.0.0.0/8`.
///
/// # Errors
/// It is neither.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().ok();
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    network
        .or_else(address)
        .ok_or_else(|| "give an IP address, or a network such as 10.0.0.0/8".to_owned())
}

impl TrustedProxies {
    /// Returns what the headers of a request say, if they come from a trusted proxy. Of a list, the last element counts:
    /// it is the one that this proxy has added.
    ///
    /// # Errors
    /// 400 `invalidSyntax` if the proxy names a scheme or host that is not valid.
    pub(super) fn forwarded(
        &self,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<Forwarded, ScimError> {
        if !self.networks.iter().any(|network| network.contains(&peer)) {
            return Ok(Forwarded::default());
        }
        let (scheme, host) = match self.headers {
            ForwardedHeaders::XForwarded => (
                last_element(headers, &X_FORWARDED_PROTO)?.map(|text| text.trim().to_owned()),
                last_element(headers, &X_FORWARDED_HOST)?.map(|text| text.trim().to_owned()),
            ),
            ForwardedHeaders::Forwarded => {
                let element = last_element(headers, &FORWARDED)?.unwrap_or_default();
                (parameter(&element, "proto")?, parameter(&element, "host")?)
            }
        };
        Ok(Forwarded {
            scheme: scheme.map(|text| scheme_of(&text)).transpose()?,
            host: host.map(|text| host_of(&text)).transpose()?,
        })
    }
}

fn scheme_of(text: &str) -> Result<Scheme, ScimError> {
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
        .ok_or_else(|| malformed("a scheme other than http and https"))
}

fn host_of(text: &str) -> Result<Authority, ScimError> {
    authority(text.as_bytes()).ok_or_else(|| malformed("a host that is not valid"))
}

/// Returns the last element of a list, of all lines of a header together (RFC 9110 §5.3); `None` if it is absent.
fn last_element(headers: &HeaderMap, name: &HeaderName) -> Result<Option<String>, ScimError> {
    let Some(line) = headers.get_all(name).iter().next_back() else {
        return Ok(None);
    };
    let line = line
        .to_str()
        .map_err(|_| malformed("text that is not ASCII"))?;
    Ok(parts(line, ',')?.pop().map(str::to_owned))
}

/// Returns the value of a parameter of `Forwarded`, such as `proto=https`.
fn parameter(element: &str, name: &str) -> Result<Option<String>, ScimError> {
    let mut found = None;
    for pair in parts(element, ';')? {
        let Some((key, value)) = pair.split_once('=') else {
            continue;
        };
        if key.trim().eq_ignore_ascii_case(name) {
            if found.is_some() {
                return Err(malformed("a parameter twice"));
            }
            found = Some(unquoted(value.trim()));
        }
    }
    Ok(found)
}

/// Splits a text at a separator, except inside quotes (RFC 9110 §5.6.4).
fn parts(text: &str, separator: char) -> Result<Vec<&str>, ScimError> {
    let (mut parts, mut begin) = (Vec::new(), 0);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (position, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if character == separator && !is_quoted => {
                parts.push(text.get(begin..position).unwrap_or_default());
                begin = position + separator.len_utf8();
            }
            _ => {}
        }
    }
    if is_quoted {
        return Err(malformed("a quote that does not end"));
    }
    parts.push(text.get(begin..).unwrap_or_default());
    Ok(parts)
}

/// Returns the text of a token or of a quoted string.
fn unquoted(value: &str) -> String {
    let inside = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.extend(characters.next()),
            character => text.push(character),
        }
    }
    text
}

/// Returns a host and perhaps a port.
pub(super) fn authority(text: &[u8]) -> Option<Authority> {
    let authority = Authority::try_from(text).ok()?;
    (!authority.as_str().contains('@')).then_some(authority)
}

fn malformed(what: &str) -> ScimError {
    ScimError::invalid_syntax(format!(
        "The forwarding headers of the proxy have {what}; correct the proxy's configuration."
    ))
    .rule(rule::HOST)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const PROXY: &str = "10.1.2.3";

    /// Returns what the headers mean from a peer, or `Err` if they are refused.
    fn read(headers: ForwardedHeaders, lines: &[(&str, &str)], peer: &str) -> Result<String, ()> {
        let proxies = TrustedProxies {
            networks: vec![network("10.0.0.0/8").unwrap(), network("::1").unwrap()],
            headers,
        };
        let lines = lines.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, value.parse().unwrap())
        });
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(name, value);
        }
        let read = proxies
            .forwarded(&map, peer.parse().unwrap())
            .map_err(drop)?;
        let scheme = read.scheme.map_or("-", Scheme::as_str);
        let host = read.host.map(|host| host.to_string());
        Ok(format!("{scheme} {}", host.as_deref().unwrap_or("-")))
    }

    #[test]
    fn only_the_headers_that_a_trusted_proxy_sets_count() {
        use ForwardedHeaders::{Forwarded, XForwarded};
        let proto = ("x-forwarded-proto", "https");
        let host = ("x-forwarded-host", "scim.example.com:8443");
        let forwarded = ("forwarded", "proto=https;host=scim.example.com");
        let all = [proto, host, forwarded];
        for (headers, lines, peer, expected) in [
            (XForwarded, &all[..], PROXY, "https scim.example.com:8443"),
            (XForwarded, &all[..1], PROXY, "https -"),
            (XForwarded, &all[2..], PROXY, "- -"),
            (Forwarded, &all[..], PROXY, "https scim.example.com"),
            (Forwarded, &all[..2], PROXY, "- -"),
            (XForwarded, &all[..], "::1", "https scim.example.com:8443"),
            (XForwarded, &all[..], "11.1.2.3", "- -"),
            (Forwarded, &all[..], "::2", "- -"),
        ] {
            let read = read(headers, lines, peer);
            assert_eq!(read.as_deref(), Ok(expected), "{lines:?} from {peer}");
        }
    }

    #[test]
    fn the_last_element_is_the_one_of_the_trusted_proxy() {
        let x = |lines: &[_]| read(ForwardedHeaders::XForwarded, lines, PROXY);
        let host = "x-forwarded-host";
        assert_eq!(
            x(&[(host, "evil.example, a.example")]).unwrap(),
            "- a.example"
        );
        assert_eq!(
            x(&[(host, "evil.example"), (host, "a.example")]).unwrap(),
            "- a.example"
        );
        assert_eq!(
            x(&[("x-forwarded-proto", "http , HTTPS ")]).unwrap(),
            "https -"
        );
        let standard = |line| read(ForwardedHeaders::Forwarded, &[("forwarded", line)], PROXY);
        for (line, expected) in [
            (
                "for=1.2.3.4;proto=http;host=evil.example, Proto=https ; HOST=\"a.example:1\"",
                "https a.example:1",
            ),
            ("for=\"[2001:db8::1]:47011\";proto=https;by=_x", "https -"),
            (
                "for=\"a,proto=http\\\";host=evil\";host=\"\\a.example\"",
                "- a.example",
            ),
            ("for=1.2.3.4", "- -"),
        ] {
            assert_eq!(standard(line).as_deref(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_not_valid_is_refused() {
        for line in [
            ("x-forwarded-proto", "ftp"),
            ("x-forwarded-proto", ""),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-host", "a/b"),
            ("x-forwarded-host", "user@a"),
            ("x-forwarded-host", ""),
            ("x-forwarded-host", "a.example, "),
        ] {
            assert!(
                read(ForwardedHeaders::XForwarded, &[line], PROXY).is_err(),
                "{line:?}"
            );
        }
        for line in [
            "proto=ftp",
            "host=\"a b\"",
            "host=\"a",
            "proto=http;proto=https",
        ] {
            let lines = [("forwarded", line)];
            assert!(
                read(ForwardedHeaders::Forwarded, &lines, PROXY).is_err(),
                "{line}"
            );
        }
        assert!(network("proxy.example.com").is_err());
    }
}

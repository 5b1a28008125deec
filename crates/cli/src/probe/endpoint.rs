//! A SCIM endpoint as its clients see it, over HTTP.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::{Method, Request, Uri};
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Proxy, Timeout};

use crate::Failure;

/// Timeout of a request. Entra publishes no figure; API Gateway gives up after 30 s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to find the address, and then to connect.
pub(crate) const CONNECTING_TAKES: Duration = Duration::from_secs(5);
/// Most connections that are kept open: who sends at the same time sends on so many.
pub(crate) const MAX_CONNECTIONS: usize = 4;
/// What a client of ours calls itself.
pub(crate) const USER_AGENT: &str = concat!("paradigm-scim/", env!("CARGO_PKG_VERSION"));
/// The media type that providers expect.
pub(crate) const MEDIA_TYPE: &str = "application/scim+json";
/// How much of what a server says is shown.
const MAX_SHOWN_CHARS: usize = 300;
/// Shortest token that is masked in what is shown.
const MIN_MASKED_BYTES: usize = 16;
/// Longest response that is read, in bytes: longer than what a Lambda can send.
const MAX_RESPONSE_BYTES: u64 = 10 * 1024 * 1024;

/// The query key that makes Entra send RFC form.
const FLAG: &str = "aadOptscim062020";

/// Returns whether a URL has the flag.
pub(crate) fn has_flag(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    url.contains(&FLAG.to_ascii_lowercase())
}

/// What a request is authorized by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Authorization {
    /// The endpoint's token.
    Token,
    /// A token that is wrong.
    WrongToken,
    Nothing,
}

/// A base URL and, if there is one, the token for it.
pub(crate) struct Endpoint {
    /// Without query and trailing slash.
    base_url: String,
    /// The same, taken apart.
    uri: Uri,
    /// The query of the tenant URL, which goes with every request.
    tenant_query: String,
    token: Option<String>,
    user_agent: String,
    /// The media type that requests ask for.
    accept: String,
    roots: RootCerts,
    agent: Agent,
}

/// What came back.
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Null if it is not JSON.
    pub(crate) body: Value,
    /// Media type of the body, if there is one.
    pub(crate) media_type: Option<String>,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    /// What time it is there.
    pub(crate) date: Option<String>,
    /// When the key of the request expires, if it was accepted and expires.
    pub(crate) key_expires: Option<String>,
    pub(crate) milliseconds: u64,
}

impl Endpoint {
    /// Returns an endpoint at a tenant URL; `flag` says whether its query shall have Entra's flag, `roots`
    /// who may vouch for its certificate.
    ///
    /// # Errors
    /// The URL is not an `http` or `https` URL, or a header cannot hold the token.
    pub(crate) fn new(
        tenant_url: &str,
        token: Option<&str>,
        flag: Option<bool>,
        user_agent: &str,
        roots: RootCerts,
    ) -> Result<Self, Failure> {
        let (base_url, query) = tenant_url
            .trim()
            .split_once('?')
            .unwrap_or((tenant_url, ""));
        let base_url = base_url.trim().trim_end_matches('/');
        let uri = checked_url(base_url)?;
        let mut keys: Vec<&str> = query.split('&').filter(|key| !key.is_empty()).collect();
        match flag {
            Some(true) if !has_flag(query) => keys.push(FLAG),
            Some(false) => keys.retain(|key| !has_flag(key)),
            _ => {}
        }
        let tls = TlsConfig::builder().root_certs(roots.clone()).build();
        let agent = Agent::config_builder()
            .proxy(Proxy::try_from_env().filter(|_| !is_loopback(&uri)))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections_per_host(MAX_CONNECTIONS)
            .timeout_resolve(Some(CONNECTING_TAKES))
            .timeout_connect(Some(CONNECTING_TAKES))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .tls_config(tls)
            .build()
            .into();
        Ok(Self {
            base_url: base_url.to_owned(),
            uri,
            tenant_query: keys.join("&"),
            token: token.map(checked_token).transpose()?,
            user_agent: user_agent.to_owned(),
            accept: MEDIA_TYPE.to_owned(),
            roots,
            agent,
        })
    }

    /// Returns the same endpoint, with another media type than SCIM's own in `Accept`.
    pub(crate) fn accepting(self, media_type: &str) -> Self {
        Self {
            accept: media_type.to_owned(),
            ..self
        }
    }

    /// Returns the authorities that may have signed its certificate.
    pub(crate) fn roots(&self) -> &RootCerts {
        &self.roots
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Returns the name or address, without the brackets of IPv6.
    pub(crate) fn host(&self) -> &str {
        bare_host(&self.uri)
    }

    pub(crate) fn port(&self) -> u16 {
        port(&self.uri)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Returns whether it is on this machine, so that no other machine sees what is sent.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.uri)
    }

    /// Returns whether requests go through a proxy of the environment, so that what is at the other end
    /// of a connection is not the endpoint.
    pub(crate) fn is_behind_proxy(&self) -> bool {
        let proxy = self.agent.config().proxy();
        proxy.is_some_and(|proxy| !proxy.is_no_proxy(&self.uri))
    }

    /// Returns whether a URL that the server sent leads below this one.
    pub(crate) fn holds(&self, url: &str) -> bool {
        let Ok(reported) = url.parse::<Uri>() else {
            return false;
        };
        let is_same_host = bare_host(&reported).eq_ignore_ascii_case(self.host());
        let base_path = self.uri.path().trim_end_matches('/');
        let below = reported.path().strip_prefix(base_path);
        reported.scheme() == self.uri.scheme()
            && is_same_host
            && port(&reported) == self.port()
            && below.is_some_and(|below| below.starts_with('/'))
    }

    /// Returns where a path with its query leads, below the base URL.
    pub(crate) fn url(&self, target: &str) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let queries = [self.tenant_query.as_str(), query];
        let queries: Vec<&str> = queries
            .into_iter()
            .filter(|query| !query.is_empty())
            .collect();
        match queries.as_slice() {
            [] => format!("{}{path}", self.base_url),
            queries => format!("{}{path}?{}", self.base_url, queries.join("&")),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// The reason why there was no response, as text.
    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
        authorization: Authorization,
    ) -> Result<Response, String> {
        let token = match authorization {
            Authorization::Token => self.token.as_deref(),
            Authorization::WrongToken => Some("wrong"),
            Authorization::Nothing => None,
        };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?)
            .uri(url)
            .header("accept", &self.accept)
            .header("user-agent", &self.user_agent);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/scim+json; charset=utf-8");
        }
        let content = body.map(Value::to_string).unwrap_or_default();
        let started = Instant::now();
        let mut response = match body {
            Some(_) => self
                .agent
                .run(request.body(content).map_err(|error| error.to_string())?),
            None => self
                .agent
                .run(request.body(()).map_err(|error| error.to_string())?),
        }
        .map_err(|error| in_words(&error))?;
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_RESPONSE_BYTES)
            .read_to_string()
            .map_err(|error| format!("the response broke off: {error}"))?;
        let header = |name: &str| {
            let value = response.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let media_type = header("content-type").unwrap_or_default();
        let media_type = media_type
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_lowercase();
        Ok(Response {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            media_type: (!text.is_empty()).then_some(media_type),
            location: header("location"),
            date: header("date"),
            key_expires: header("api-key-expires"),
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Returns a text of the server's, to be shown: on one line, not too long, without the token.
    pub(crate) fn shown(&self, text: &str) -> String {
        let token = self.token.as_deref().unwrap_or_default();
        // A short one is no secret, and may be a word of the sentence.
        let text = match token.len() >= MIN_MASKED_BYTES {
            true => text.replace(token, "***"),
            false => text.to_owned(),
        };
        let is_long = text.chars().count() > MAX_SHOWN_CHARS;
        let shown = text.chars().take(MAX_SHOWN_CHARS);
        let shown = shown.map(|c| if c.is_control() { ' ' } else { c });
        let end = if is_long { "…" } else { "" };
        format!("{}{end}", shown.collect::<String>())
    }
}

fn bare_host(uri: &Uri) -> &str {
    uri.host().unwrap_or_default().trim_matches(['[', ']'])
}

fn is_loopback(uri: &Uri) -> bool {
    let host = bare_host(uri);
    let address: Result<IpAddr, _> = host.parse();
    address.map_or(host.eq_ignore_ascii_case("localhost"), |address| {
        address.is_loopback()
    })
}

fn port(uri: &Uri) -> u16 {
    let is_https = uri.scheme_str() == Some("https");
    uri.port_u16().unwrap_or(if is_https { 443 } else { 80 })
}

fn checked_url(base_url: &str) -> Result<Uri, Failure> {
    if base_url.contains(['{', '}']) {
        return Err("--url has a placeholder in braces that must be replaced".into());
    }
    let no_url = "--url must be an http or https URL, such as https://scim.example.com/scim/v2/?aadOptscim062020";
    let uri: Uri = base_url.parse().map_err(|_| no_url)?;
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    if authority.contains('@') {
        return Err("--url must not hold a name or password; the token is all that is sent".into());
    }
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let names_port = authority
        .rsplit(']')
        .next()
        .is_some_and(|rest| rest.contains(':'));
    if !is_http || uri.host().is_none_or(str::is_empty) || (names_port && uri.port_u16().is_none())
    {
        return Err(no_url.into());
    }
    Ok(uri)
}

fn checked_token(token: &str) -> Result<String, Failure> {
    let token = token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("the token must be one word of printable ASCII".into());
    }
    Ok(token.to_owned())
}

/// Returns why there was no response, in words for operators.
fn in_words(error: &ureq::Error) -> String {
    let text = error.to_string();
    if text.contains("certificate") || text.contains("CaUsedAsEndEntity") {
        return format!(
            "its certificate is not trusted here, nor would a provider trust it: {text}"
        );
    }
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => format!(
            "there was no connection within {} s",
            CONNECTING_TAKES.as_secs()
        ),
        ureq::Error::Timeout(_) => format!("there was none within {} s", REQUEST_TIMEOUT.as_secs()),
        _ => text,
    }
}

impl Response {
    /// Status and, for an error, what the server says about it.
    pub(crate) fn summary(&self) -> String {
        let kind = self.body.get("scimType").and_then(Value::as_str);
        let detail = self.body.get("detail").and_then(Value::as_str);
        let said: Vec<&str> = [kind, detail].into_iter().flatten().collect();
        let location = self
            .location
            .as_ref()
            .filter(|_| (300..400).contains(&self.status));
        match (said.is_empty(), location) {
            (false, _) => format!("{} {}", self.status, said.join(": ")),
            (true, Some(location)) => format!("{} to {location}", self.status),
            (true, None) => self.status.to_string(),
        }
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

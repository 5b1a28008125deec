//! A SCIM endpoint as its clients see it, over HTTP.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::{Method, Request, Uri};
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Proxy, Timeout};

use super::credentials::Credentials;
use super::oauth_client::{Attempt, OAuthClient};
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
    /// The endpoint's token with a character changed.
    AlteredToken,
    Nothing,
}

/// Who gets the token of an endpoint.
enum Source {
    /// Nobody: there is none.
    Nothing,
    /// The operator.
    Operator(String),
    /// A client, which requests access tokens.
    Client(OAuthClient),
}

/// A base URL and what requests are authenticated by.
pub(crate) struct Endpoint {
    /// Without query and trailing slash.
    base_url: String,
    /// The same, taken apart.
    uri: Uri,
    /// The query of the tenant URL, which goes with every request.
    tenant_query: String,
    source: Source,
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
    /// How the client has to authenticate.
    pub(crate) challenge: Option<String>,
    /// Whether caches may store it.
    pub(crate) cache_control: Option<String>,
    /// When the key of the request expires, if it was accepted and expires.
    pub(crate) key_expires: Option<String>,
    pub(crate) milliseconds: u64,
}

impl Endpoint {
    /// Returns an endpoint at a tenant URL; `flag` says whether its query shall have Entra's flag, `roots`
    /// who may vouch for its certificate.
    ///
    /// # Errors
    /// A URL is not an `http` or `https` URL, a header cannot hold the token, or the client's secret would cross a network
    /// in clear text.
    pub(crate) fn new(
        tenant_url: &str,
        credentials: Option<Credentials>,
        flag: Option<bool>,
        user_agent: &str,
        roots: RootCerts,
    ) -> Result<Self, Failure> {
        let (base_url, query) = tenant_url
            .trim()
            .split_once('?')
            .unwrap_or((tenant_url, ""));
        let base_url = base_url.trim().trim_end_matches('/');
        let uri = checked_url(base_url, "--url")?;
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
            source: Source::of(credentials, base_url)?,
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

    pub(crate) fn has_credentials(&self) -> bool {
        !matches!(self.source, Source::Nothing)
    }

    /// Returns the client that requests access tokens, if there is one.
    pub(crate) fn client(&self) -> Option<&OAuthClient> {
        match &self.source {
            Source::Client(client) => Some(client),
            _ => None,
        }
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

    /// Sends a request. If an access token is refused, sends it once more with a new one.
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
        let response = self.send_once(method, url, body, authorization)?;
        let is_refused = response.status == 401 && authorization == Authorization::Token;
        if is_refused && self.client().is_some_and(OAuthClient::forget) {
            return self.send_once(method, url, body, authorization);
        }
        Ok(response)
    }

    fn send_once(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
        authorization: Authorization,
    ) -> Result<Response, String> {
        let token = match authorization {
            Authorization::Token => self.token()?,
            Authorization::AlteredToken => self.token()?.map(|token| altered(&token)),
            Authorization::WrongToken => Some("wrong".to_owned()),
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
        match body {
            Some(body) => {
                let media_type = "application/scim+json; charset=utf-8";
                let request = request.header("content-type", media_type);
                self.run(request.body(body.to_string()))
            }
            None => self.run(request.body(())),
        }
    }

    /// Returns the token to send, if there is one.
    fn token(&self) -> Result<Option<String>, String> {
        match &self.source {
            Source::Nothing => Ok(None),
            Source::Operator(token) => Ok(Some(token.clone())),
            Source::Client(client) => client.token(|| self.fetch(client)).map(Some),
        }
    }

    /// Requests an access token, and returns the response that has one.
    fn fetch(&self, client: &OAuthClient) -> Result<Value, String> {
        let response = self.request_token(client, Attempt::ByBasic)?;
        match response.is_success() {
            true => Ok(response.body),
            false => Err(format!("no access token: {}", response.summary())),
        }
    }

    /// Requests an access token.
    ///
    /// # Errors
    /// The reason why there was no response, as text.
    pub(crate) fn request_token(
        &self,
        client: &OAuthClient,
        attempt: Attempt,
    ) -> Result<Response, String> {
        let builder = Request::builder()
            .header("accept", "application/json")
            .header("user-agent", &self.user_agent);
        self.run(Ok(client.request(attempt, builder)?))
    }

    fn run<B: AsSendBody>(
        &self,
        request: Result<Request<B>, http::Error>,
    ) -> Result<Response, String> {
        let request = request.map_err(|error| error.to_string())?;
        let started = Instant::now();
        let mut response = self.agent.run(request);
        let response = response.as_mut().map_err(|error| in_words(error))?;
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
            challenge: header("www-authenticate"),
            cache_control: header("cache-control"),
            key_expires: header("api-key-expires"),
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Returns a text of the server's, to be shown: on one line, not too long, without token and secret.
    pub(crate) fn shown(&self, text: &str) -> String {
        // A short one is no secret, and may be a word of the sentence.
        let mask = |text: &str, secret: &str| match secret.len() >= MIN_MASKED_BYTES {
            true => text.replace(secret, "***"),
            false => text.to_owned(),
        };
        let text = match &self.source {
            Source::Nothing => text.to_owned(),
            Source::Operator(token) => mask(text, token),
            Source::Client(client) => client.masked(text, mask),
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

impl Source {
    fn of(credentials: Option<Credentials>, base_url: &str) -> Result<Self, Failure> {
        Ok(match credentials {
            None => Self::Nothing,
            Some(Credentials::Token(token)) => Self::Operator(checked_token(&token)?),
            Some(Credentials::Client(credentials)) => {
                let client = OAuthClient::new(credentials, base_url);
                let uri = checked_url(client.token_url(), "--token-url")?;
                if uri.scheme_str() == Some("http") && !is_loopback(&uri) {
                    return Err("--token-url must begin with https://: everyone on the way could read the client's secret".into());
                }
                Self::Client(client)
            }
        })
    }
}

/// Returns a token with the character in its middle changed.
fn altered(token: &str) -> String {
    let middle = token.chars().count() / 2;
    let change = |(index, c)| match (index == middle, c) {
        (true, 'A') => 'B',
        (true, _) => 'A',
        (false, c) => c,
    };
    token.chars().enumerate().map(change).collect()
}

/// Reads the URL that an option gives.
fn checked_url(base_url: &str, option: &str) -> Result<Uri, Failure> {
    if base_url.contains(['{', '}']) {
        return Err(format!("{option} has a placeholder in braces that must be replaced").into());
    }
    let no_url = format!(
        "{option} must be an http or https URL, such as https://scim.example.com/scim/v2/?aadOptscim062020"
    );
    let uri: Uri = base_url.parse().map_err(|_| no_url.clone())?;
    let authority = uri
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    if authority.contains('@') {
        return Err(format!(
            "{option} must not hold a name or password; the token is all that is sent"
        )
        .into());
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
        // RFC 7644 §3.12; RFC 6749 §5.2.
        let members = ["scimType", "detail", "error", "error_description"];
        let said: Vec<&str> = members
            .iter()
            .filter_map(|member| self.body.get(member)?.as_str())
            .collect();
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

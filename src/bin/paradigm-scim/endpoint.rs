//! A SCIM endpoint as its clients see it, over HTTP.

use std::time::{Duration, Instant};

use http::{Method, Request};
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::Failure;

/// How long a provider may be kept waiting for an answer. Entra publishes no figure; API Gateway
/// gives up after 30 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// The media type that providers expect.
pub(crate) const MEDIA_TYPE: &str = "application/scim+json";
/// How much of what a server says is shown.
const MAX_SHOWN_CHARS: usize = 300;
/// How much of an answer is read, in bytes: more than a Lambda can send.
const MAX_ANSWER_BYTES: u64 = 10 * 1024 * 1024;

/// The query key by which Entra is told to send RFC form.
const FLAG: &str = "aadOptscim062020";

/// Whether a URL says so.
pub(crate) fn has_flag(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    url.contains(&FLAG.to_ascii_lowercase())
}

/// A base URL and the token for it.
pub(crate) struct Endpoint {
    /// Without query and trailing slash.
    base_url: String,
    /// The query of the tenant URL, which goes with every request.
    tenant_query: String,
    token: String,
    user_agent: String,
    agent: Agent,
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Null if it is not JSON.
    pub(crate) body: Value,
    /// Media type of the body, if there is one.
    pub(crate) media_type: Option<String>,
    /// Where a redirect leads.
    pub(crate) location: Option<String>,
    pub(crate) milliseconds: u64,
}

impl Endpoint {
    /// An endpoint at a tenant URL; `flag` says whether its query shall have Entra's flag.
    ///
    /// # Errors
    /// For what is no `http` or `https` URL, and a token that no header can hold.
    pub(crate) fn new(
        tenant_url: &str,
        token: &str,
        flag: Option<bool>,
        user_agent: &str,
    ) -> Result<Self, Failure> {
        let (base_url, query) = tenant_url
            .trim()
            .split_once('?')
            .unwrap_or((tenant_url, ""));
        let base_url = base_url.trim().trim_end_matches('/');
        check_url(base_url)?;
        let mut keys: Vec<&str> = query.split('&').filter(|key| !key.is_empty()).collect();
        match flag {
            Some(true) if !has_flag(query) => keys.push(FLAG),
            Some(false) => keys.retain(|key| !has_flag(key)),
            _ => {}
        }
        let tls = TlsConfig::builder()
            // What this machine trusts, so that a company's own authority counts.
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls)
            .build()
            .into();
        Ok(Self {
            base_url: base_url.to_owned(),
            tenant_query: keys.join("&"),
            token: checked_token(token)?,
            user_agent: user_agent.to_owned(),
            agent,
        })
    }

    /// Where a path with its query leads, below the base URL.
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

    /// Sends a request with the token, or with one that is wrong.
    ///
    /// # Errors
    /// Why no answer came.
    pub(crate) fn send(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
        is_token_right: bool,
    ) -> Result<Answer, String> {
        let token = if is_token_right {
            self.token.as_str()
        } else {
            "wrong"
        };
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?)
            .uri(url)
            .header("authorization", format!("Bearer {token}"))
            .header("accept", MEDIA_TYPE)
            .header("user-agent", &self.user_agent);
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
            .limit(MAX_ANSWER_BYTES)
            .read_to_string()
            .map_err(|error| format!("the answer broke off: {error}"))?;
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
        Ok(Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            media_type: (!text.is_empty()).then_some(media_type),
            location: header("location"),
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// A text of the server's, to be shown: on one line, not too long, without the token.
    pub(crate) fn shown(&self, text: &str) -> String {
        let text = text.replace(&self.token, "***");
        let is_long = text.chars().count() > MAX_SHOWN_CHARS;
        let shown = text.chars().take(MAX_SHOWN_CHARS);
        let shown = shown.map(|c| if c.is_control() { ' ' } else { c });
        let end = if is_long { "…" } else { "" };
        format!("{}{end}", shown.collect::<String>())
    }
}

fn check_url(base_url: &str) -> Result<(), Failure> {
    if base_url.contains(['{', '}']) {
        return Err("--url has a place to be filled in, in braces".into());
    }
    let no_url = "--url must be an http or https URL, such as https://scim.example.com/scim/v2/?aadOptscim062020";
    let uri: http::Uri = base_url.parse().map_err(|_| no_url)?;
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
    Ok(())
}

fn checked_token(token: &str) -> Result<String, Failure> {
    let token = token.trim();
    let token = token.strip_prefix("Bearer ").unwrap_or(token);
    if token.is_empty() || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err("--token must be one word of printable ASCII".into());
    }
    Ok(token.to_owned())
}

/// Why no answer came, for someone who is no programmer.
fn in_words(error: &ureq::Error) -> String {
    let text = error.to_string();
    if text.contains("certificate") || text.contains("CaUsedAsEndEntity") {
        return format!(
            "its certificate is not trusted here, nor would a provider trust it: {text}"
        );
    }
    match error {
        ureq::Error::Timeout(_) => format!("there was none within {} s", PATIENCE.as_secs()),
        _ => text,
    }
}

impl Answer {
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

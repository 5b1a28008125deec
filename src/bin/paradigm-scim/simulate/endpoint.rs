//! The SCIM endpoint under test, over HTTP.

use std::time::{Duration, Instant};

use http::{Method, Request};
use serde_json::Value;
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::Failure;

/// How long a provider may be kept waiting for an answer. Entra publishes no figure; API Gateway
/// gives up after 30 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an answer is read, in bytes: more than a Lambda can send.
const MAX_ANSWER_BYTES: u64 = 10 * 1024 * 1024;

/// A base URL and the token for it.
pub(super) struct Endpoint {
    /// Without query and trailing slash.
    base_url: String,
    token: String,
    /// What the provider adds to the query of every request.
    tenant_query: Option<&'static str>,
    agent: Agent,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    /// Null if it is not JSON.
    pub(super) body: Value,
    pub(super) milliseconds: u64,
}

impl Endpoint {
    /// An endpoint at a tenant URL, whose query and trailing slash do not matter.
    ///
    /// # Errors
    /// For what is no `http` or `https` URL.
    pub(super) fn new(
        tenant_url: &str,
        token: &str,
        tenant_query: Option<&'static str>,
    ) -> Result<Self, Failure> {
        let base_url = tenant_url.split(['?', '#']).next().unwrap_or_default();
        let base_url = base_url.trim().trim_end_matches('/');
        let uri: http::Uri = base_url
            .parse()
            .map_err(|error| format!("--url is no URL: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err("--url must be an http or https URL, such as https://scim.example.com/scim/v2/?aadOptscim062020".into());
        }
        let tls = TlsConfig::builder()
            // What this machine trusts, so that a company's own authority counts.
            .root_certs(RootCerts::PlatformVerifier)
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // Providers do not follow redirects with their token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .tls_config(tls)
            .build()
            .into();
        Ok(Self {
            base_url: base_url.to_owned(),
            token: token.trim().to_owned(),
            tenant_query,
            agent,
        })
    }

    /// Where a path with its query leads, below the base URL.
    pub(super) fn url(&self, target: &str) -> String {
        let Some(tenant_query) = self.tenant_query else {
            return format!("{}{target}", self.base_url);
        };
        match target.split_once('?') {
            Some((path, query)) => format!("{}{path}?{tenant_query}&{query}", self.base_url),
            None => format!("{}{target}?{tenant_query}", self.base_url),
        }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Why no answer came.
    pub(super) fn send(
        &self,
        method: &str,
        url: &str,
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?)
            .uri(url)
            .header("authorization", format!("Bearer {}", self.token))
            .header("accept", "application/scim+json");
        if body.is_some() {
            request = request.header("content-type", "application/scim+json; charset=utf-8");
        }
        let started = Instant::now();
        let sent = match body {
            Some(body) => request
                .body(body.to_string())
                .map_err(|error| error.to_string())
                .and_then(|request| self.agent.run(request).map_err(|error| error.to_string())),
            None => request
                .body(())
                .map_err(|error| error.to_string())
                .and_then(|request| self.agent.run(request).map_err(|error| error.to_string())),
        };
        let mut response = sent?;
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES)
            .read_to_string()
            .map_err(|error| format!("the answer broke off: {error}"))?;
        Ok(Answer {
            status: response.status().as_u16(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl Answer {
    /// Status and, for an error, what the server says about it.
    pub(super) fn summary(&self) -> String {
        let kind = self.body.get("scimType").and_then(Value::as_str);
        let detail = self.body.get("detail").and_then(Value::as_str);
        let said: Vec<&str> = [kind, detail].into_iter().flatten().collect();
        if said.is_empty() {
            self.status.to_string()
        } else {
            format!("{} {}", self.status, said.join(": "))
        }
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

//! The listener for operators: whether the process lives, whether it is ready, and its metrics.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};

use crate::operator_listener::Respond;
use crate::serve::connection::Shared;
use crate::serve::metrics;
use crate::serve::readiness::Readiness;

/// Where it listens if nobody says where.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:9090";

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What operators can see.
pub(crate) struct Admin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) readiness: Arc<Readiness>,
}

impl Respond for Admin {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = response(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET or HEAD only\n");
            let methods = HeaderValue::from_static("GET, HEAD");
            refused.headers_mut().insert(ALLOW, methods);
            return refused;
        }
        match request.uri().path() {
            "/healthz" => response(StatusCode::OK, TEXT, "ok\n"),
            "/readyz" => self.ready().await,
            "/metrics" => self.metrics().await,
            _ => response(
                StatusCode::NOT_FOUND,
                TEXT,
                "/healthz, /readyz or /metrics\n",
            ),
        }
    }
}

impl Admin {
    async fn metrics(&self) -> Response<Full<Bytes>> {
        let checks = self.readiness.checks(&self.shared.phase).await;
        let checks = checks.iter().map(|it| (it.name, it.failure.is_none()));
        match self.shared.metrics.text(&checks.collect::<Vec<_>>()) {
            Ok(text) => response(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(_) => response(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "no metrics\n"),
        }
    }

    /// Returns each check with `ok`, or with the reason why it failed.
    async fn ready(&self) -> Response<Full<Bytes>> {
        let checks = self.readiness.checks(&self.shared.phase).await;
        let is_ready = checks.iter().all(|check| check.failure.is_none());
        let outcomes: Map<String, Value> = checks
            .into_iter()
            .map(|check| {
                let outcome = check.failure.unwrap_or_else(|| "ok".to_owned());
                (check.name.to_owned(), outcome.into())
            })
            .collect();
        let status = match is_ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        let body = json!({"ready": is_ready, "checks": outcomes});
        response(status, JSON, format!("{body}\n"))
    }
}

/// Returns a response. hyper leaves the body out for HEAD.
fn response(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The listener for operators: whether the process lives, whether it is ready, and its metrics. It has its own limits, so
//! that it responds while the listener of SCIM is full.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Map, Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use crate::serve::connection::Shared;
use crate::serve::metrics;
use crate::serve::readiness::Readiness;

/// Where it listens if nobody says where.
pub(crate) const DEFAULT_ADDRESS: &str = "127.0.0.1:9090";
/// Most connections at a time; others wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to send a request or to take a response, and how long a connection may wait for its next
/// request.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of request line and headers together.
const MAX_HEAD_BYTES: usize = 16 * 1024;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// What operators can see.
pub(crate) struct Admin {
    pub(crate) shared: Arc<Shared>,
    pub(crate) readiness: Arc<Readiness>,
}

/// Serves operators for as long as the program runs.
pub(crate) async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let admin = Arc::clone(&admin);
                tokio::spawn(async move {
                    connection(stream, admin).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection of an operator could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, admin: Arc<Admin>) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(CLIENT_TIMEOUT));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            service_fn(move |request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(admin.respond(&request).await) }
            }),
        );
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection of an operator ended early");
    }
}

impl Admin {
    async fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
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

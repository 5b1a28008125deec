//! One connection to `serve`: HTTP in, HTTP out, and an end to clients that are too slow.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use paradigm_scim::api::Service;
use paradigm_scim::api::message::{Body, BodySource, Request, Response};
use scim::ScimError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;
use uuid::Uuid;

use crate::serve::drain::{Phase, Progress, Stage};
use crate::serve::metrics::{Counted, Metrics};
use crate::serve::origin::Origins;
use crate::serve::request_stream::RequestStream;

/// How long a client may take to send its headers, then its body, and to take more of the response;
/// and how long a connection may wait for its next request.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection on which nothing was received yet may take to begin a request, once the server closes.
const FIRST_REQUEST: Duration = Duration::from_secs(1);
/// Most headers of a request.
const MAX_HEADERS: usize = 100;
/// Most bytes of request line and headers together.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// What the connections of a server have in common.
pub(crate) struct Shared {
    pub(crate) service: Arc<Service>,
    pub(crate) origins: Origins,
    pub(crate) phase: watch::Sender<Phase>,
    pub(crate) metrics: Arc<Metrics>,
}

/// Serves the requests of a connection, until either side ends it or the server closes.
///
/// The server closes the connection at once if it waits for another request. A request of which anything was received
/// gets its response first, which then closes the connection.
pub(crate) async fn connection<S>(
    stream: S,
    peer: IpAddr,
    shared: Arc<Shared>,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(CLIENT_TIMEOUT));
    let progress = Progress::default();
    let (stream, announcer) = RequestStream::new(Box::pin(stream), progress.clone());
    let mut phase = shared.phase.subscribe();
    let responding = progress.clone();
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .half_close(true)
        .header_read_timeout(CLIENT_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(
            TokioIo::new(stream),
            service_fn(move |request: hyper::Request<Incoming>| {
                // Before anything else: the stream passes nothing on until it knows.
                announcer.body_follows(request.body().size_hint().exact());
                responding.responds();
                let shared = Arc::clone(&shared);
                async move { Ok::<_, Infallible>(respond(shared, peer, request).await) }
            }),
        );
    let mut served = pin!(served);
    let closing = async {
        let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
    };
    tokio::select! {
        biased;
        ended = &mut served => return ended,
        () = closing => {}
    }
    if progress.stage() == Stage::New {
        tokio::select! {
            biased;
            ended = &mut served => return ended,
            () = tokio::time::sleep(FIRST_REQUEST) => {}
        }
    }
    // hyper takes a connection with half a head for one that waits, and would close it.
    if progress.stage() != Stage::Reading {
        served.as_mut().graceful_shutdown();
    }
    let ended = served.await;
    // Until here, the server waits for this connection.
    drop(phase);
    ended
}

async fn respond(
    shared: Arc<Shared>,
    peer: IpAddr,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Full<Bytes>> {
    let (parts, incoming) = request.into_parts();
    // Where a body of unknown length ends, only hyper knows.
    let has_known_end = incoming.size_hint().exact().is_some();
    let is_read = Arc::new(AtomicBool::new(incoming.is_end_stream()));
    let body = ArrivingBody {
        incoming,
        is_read: Arc::clone(&is_read),
    };
    // A task of its own goes on to the end, though the client may go away.
    let handling = Arc::clone(&shared);
    let until_handled = shared.phase.subscribe();
    let in_flight = Counted::by(&shared.metrics.in_flight);
    let handled = tokio::spawn(async move {
        let service = &handling.service;
        let accept = parts.headers.get(ACCEPT).cloned();
        let response = match received(parts, body, &handling.origins, peer) {
            Ok(request) => service.handle(request).await,
            Err(error) => {
                let accept = accept.as_ref().and_then(|accept| accept.to_str().ok());
                service.refuse(&new_request_id(), accept.unwrap_or_default(), &error)
            }
        };
        // Until here, the server waits for this task.
        drop((until_handled, in_flight));
        response
    });
    let response = handled
        .await
        .unwrap_or_else(|_| Response::empty(StatusCode::INTERNAL_SERVER_ERROR));
    let mut response = sent(response);
    let is_last = *shared.phase.borrow() != Phase::Serving;
    if is_last || !has_known_end || !is_read.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

/// A body that is still on its way.
struct ArrivingBody {
    incoming: Incoming,
    /// Whether all of it has arrived.
    is_read: Arc<AtomicBool>,
}

impl BodySource for ArrivingBody {
    async fn read(self, limit: usize) -> Body {
        if self.incoming.size_hint().lower() > limit as u64 {
            return Body::TooLarge;
        }
        let limited = Limited::new(self.incoming, limit);
        match tokio::time::timeout(CLIENT_TIMEOUT, limited.collect()).await {
            Ok(Ok(body)) => {
                self.is_read.store(true, Ordering::Relaxed);
                Body::Complete(body.to_bytes())
            }
            Ok(Err(error)) if error.is::<LengthLimitError>() => Body::TooLarge,
            Ok(Err(_)) | Err(_) => Body::Broken,
        }
    }
}

fn received(
    parts: Parts,
    body: ArrivingBody,
    origins: &Origins,
    peer: IpAddr,
) -> Result<Request<ArrivingBody>, ScimError> {
    Ok(Request {
        id: new_request_id(),
        origin: origins.origin(&parts, peer)?,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
    })
}

fn new_request_id() -> String {
    Uuid::now_v7().to_string()
}

fn sent(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut sent = hyper::Response::new(Full::new(response.body.unwrap_or_default()));
    *sent.status_mut() = response.status;
    *sent.headers_mut() = response.headers;
    sent
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod test_service;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

//! Listeners for operators, beside that of SCIM: HTTP/1.1 with limits of their own, so that they respond while the
//! listener of SCIM is full.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

/// Most connections at a time; others wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to send a request's head, or to take a response. A connection has one request.
pub(crate) const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of request line and headers together.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What a listener serves.
pub(crate) trait Respond: Send + Sync + 'static {
    /// Handles a request.
    fn respond(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// Serves operators for as long as the program runs.
pub(crate) async fn serve<R: Respond>(listener: TcpListener, responder: Arc<R>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let responder = Arc::clone(&responder);
                tokio::spawn(async move {
                    connection(stream, responder).await;
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

async fn connection<R: Respond>(stream: TcpStream, responder: Arc<R>) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(CLIENT_TIMEOUT));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT)
        // So that nobody keeps a place of the few by asking again and again.
        .keep_alive(false)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            service_fn(move |request| {
                let responder = Arc::clone(&responder);
                async move { Ok::<_, Infallible>(responder.respond(request).await) }
            }),
        );
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection of an operator ended early");
    }
}

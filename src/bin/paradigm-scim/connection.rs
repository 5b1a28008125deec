//! One connection to `serve`: HTTP in, HTTP out, and an end to clients that are too slow.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{EXPECT, HOST};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use paradigm_scim::api::Service;
use paradigm_scim::api::message::{Body, MAX_READ_BYTES, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_io_timeout::TimeoutStream;
use uuid::Uuid;

use crate::request_target::Repaired;

/// How long a client may take to send its headers, then its body, and to take more of the answer; and
/// how long a connection may wait for its next request.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of a body that is too large is read and thrown away, beyond what is read of any: a client
/// that is cut off while it sends sees a broken pipe instead of the answer.
const MAX_THROWN_AWAY_BYTES: usize = 4 * 1024 * 1024;
/// Most headers of a request.
const MAX_HEADERS: usize = 100;
/// Most bytes of request line and headers together.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Serves the requests of a connection, until either side ends it.
pub(crate) fn connection<S>(
    stream: S,
    service: Arc<Service>,
) -> impl GracefulConnection<Error = hyper::Error>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(PATIENCE));
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(
            TokioIo::new(Repaired::new(Box::pin(stream))),
            service_fn(move |request| {
                let service = Arc::clone(&service);
                async move { Ok::<_, Infallible>(answer(service, request).await) }
            }),
        )
}

async fn answer(
    service: Arc<Service>,
    request: hyper::Request<Incoming>,
) -> hyper::Response<Full<Bytes>> {
    let (parts, mut incoming) = request.into_parts();
    if head_bytes(&parts) > MAX_HEAD_BYTES {
        return sent(Response::empty(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
    }
    let body = arrived(&mut incoming).await;
    // A client that asks before it sends the body learns from the answer not to.
    if matches!(body, Body::TooLarge) && !parts.headers.contains_key(EXPECT) {
        tokio::spawn(throw_away(incoming));
    }
    let request = received(parts, body);
    // A task of its own goes on to the end, though the client may go away.
    let answered = tokio::spawn(async move { service.handle(&request).await });
    sent(
        answered
            .await
            .unwrap_or_else(|_| Response::empty(StatusCode::INTERNAL_SERVER_ERROR)),
    )
}

/// Length of request line and headers. hyper takes a longer head than it should, if the end of it comes
/// together with what still fits.
fn head_bytes(parts: &http::request::Parts) -> usize {
    let target = parts
        .uri
        .path_and_query()
        .map_or(1, |target| target.as_str().len());
    let line = parts.method.as_str().len() + target + "  HTTP/1.1\r\n".len();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    line + headers.sum::<usize>() + "\r\n".len()
}

async fn arrived(body: &mut Incoming) -> Body {
    if body.size_hint().lower() > MAX_READ_BYTES as u64 {
        return Body::TooLarge;
    }
    let limited = Limited::new(body, MAX_READ_BYTES);
    match tokio::time::timeout(PATIENCE, limited.collect()).await {
        Ok(Ok(body)) => Body::Complete(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Body::TooLarge,
        Ok(Err(_)) | Err(_) => Body::Broken,
    }
}

/// Reads on while the answer is on its way, within limits.
async fn throw_away(body: Incoming) {
    let mut rest = Limited::new(body, MAX_THROWN_AWAY_BYTES);
    let reading = async { while let Some(Ok(_)) = rest.frame().await {} };
    let _ = tokio::time::timeout(PATIENCE, reading).await;
}

fn received(parts: http::request::Parts, body: Body) -> Request {
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    Request {
        id: Uuid::now_v7().to_string(),
        origin: format!("http://{host}"),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        method: parts.method,
        headers: parts.headers,
        body,
    }
}

fn sent(response: Response) -> hyper::Response<Full<Bytes>> {
    let mut sent = hyper::Response::new(Full::new(response.body.unwrap_or_default()));
    *sent.status_mut() = response.status;
    *sent.headers_mut() = response.headers;
    sent
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use paradigm_scim::config::{Config, SystemClock};
    use paradigm_scim::store::embedded::Embedded;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::{Instant, timeout};

    use super::*;

    /// The client's end of a connection that holds so many bytes on the way.
    async fn connected(bytes: usize) -> DuplexStream {
        let store = Embedded::in_memory().unwrap().store("test").await.unwrap();
        let config = Config {
            is_activated: true,
            ..Config::default()
        };
        let service = Arc::new(Service::new(store, config, Arc::new(SystemClock)));
        let (client, server) = duplex(bytes);
        tokio::spawn(connection(server, service));
        client
    }

    /// What comes until the server ends the connection, on a clock that only waiting moves.
    async fn until_ended(client: &mut DuplexStream) -> (String, Duration) {
        let started = Instant::now();
        let mut answer = Vec::new();
        let read = client.read_to_end(&mut answer);
        // A connection that is torn down may end with an error too.
        let _ = timeout(10 * PATIENCE, read).await.expect("not ended");
        let waited = started.elapsed();
        (String::from_utf8_lossy(&answer).into_owned(), waited)
    }

    /// hyper's, or rather that of `http::Uri`.
    const MAX_TARGET_BYTES: usize = 65_534;

    fn about_patience(waited: Duration) -> bool {
        (PATIENCE..PATIENCE + Duration::from_secs(1)).contains(&waited)
    }

    const DISCOVERY: &[u8] = b"GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn a_client_that_says_nothing_or_half_a_request_is_not_waited_for() {
        for beginning in [
            "",
            "GET /scim",
            "GET /scim/v2/Users HTTP/1.1\r\nhost: x\r\nx-a: ",
        ] {
            let mut client = connected(1 << 20).await;
            client.write_all(beginning.as_bytes()).await.unwrap();
            let (_, waited) = until_ended(&mut client).await;
            assert!(about_patience(waited), "{beginning}: {waited:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_long_for_http_is_refused() {
        // Requests of a target and a head of so many bytes.
        let target = |bytes: usize| {
            let path = "a".repeat(bytes - 1);
            format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n")
        };
        let head = |line: &str, bytes: usize| {
            let start = format!("{line} HTTP/1.1\r\nhost: x\r\nx: ");
            let value = "a".repeat(bytes - start.len() - 4);
            format!("{start}{value}\r\n\r\n")
        };
        let short = |bytes| head("GET /scim/v2/Schemas", bytes);
        let long = format!("GET /{}", "a".repeat(60_000));
        let long = |bytes| head(&long, bytes);
        let headers = |number: usize| {
            let headers: String = (1..number).map(|n| format!("x-{n}: y\r\n")).collect();
            format!("GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
        };
        for (request, status) in [
            (target(MAX_TARGET_BYTES - 1), "401"),
            (target(MAX_TARGET_BYTES), "401"),
            (target(MAX_TARGET_BYTES + 1), "414"),
            (headers(MAX_HEADERS - 1), "200"),
            (headers(MAX_HEADERS), "200"),
            (headers(MAX_HEADERS + 1), "431"),
            (short(MAX_HEAD_BYTES - 1), "200"),
            (short(MAX_HEAD_BYTES), "200"),
            (short(MAX_HEAD_BYTES + 1), "431"),
            (long(MAX_HEAD_BYTES - 1), "401"),
            (long(MAX_HEAD_BYTES), "401"),
            (long(MAX_HEAD_BYTES + 1), "431"),
        ] {
            let mut client = connected(1 << 20).await;
            client.write_all(request.as_bytes()).await.unwrap();
            let (answer, _) = until_ended(&mut client).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status}")),
                "not {status}: {answer:.60}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_body_is_answered_as_broken() {
        let mut client = connected(1 << 20).await;
        let head = b"POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{";
        client.write_all(head).await.unwrap();
        // One byte now and then does not buy more time.
        let (mut reader, mut writer) = tokio::io::split(client);
        let dripping = tokio::spawn(async move {
            while writer.write_all(b" ").await.is_ok() {
                tokio::time::sleep(PATIENCE / 4).await;
            }
        });
        let started = Instant::now();
        let mut answer = [0; 12];
        reader.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
        assert!(about_patience(started.elapsed()));
        dripping.abort();
    }

    #[tokio::test]
    async fn a_client_that_sends_too_much_gets_its_answer_and_may_go_on() {
        let chunk = vec![b' '; 64 * 1024];
        let chunks = 2 * MAX_READ_BYTES / chunk.len();
        let announced = format!("content-length: {}", chunks * chunk.len());
        for header in [announced.as_str(), "transfer-encoding: chunked"] {
            let mut client = connected(chunk.len()).await;
            let head = format!("POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n");
            client.write_all(head.as_bytes()).await.unwrap();
            let is_chunked = header.ends_with("chunked");
            for _ in 0..chunks {
                if is_chunked {
                    client.write_all(b"10000\r\n").await.unwrap();
                }
                client.write_all(&chunk).await.unwrap();
                if is_chunked {
                    client.write_all(b"\r\n").await.unwrap();
                }
            }
            if is_chunked {
                client.write_all(b"0\r\n\r\n").await.unwrap();
            }
            let mut answer = [0; 12];
            client.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 401", "{header}");
            let last = b"GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
            client.write_all(last).await.unwrap();
            let (rest, _) = until_ended(&mut client).await;
            assert!(rest.contains("HTTP/1.1 200"), "{header}: {rest}");
        }
    }

    #[tokio::test]
    async fn a_client_that_sends_without_end_is_cut_off() {
        let mut client = connected(64 * 1024).await;
        let head = b"POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n";
        client.write_all(head).await.unwrap();
        let much = vec![b' '; MAX_READ_BYTES + 2 * MAX_THROWN_AWAY_BYTES];
        assert!(client.write_all(&much).await.is_err());
        let (answer, _) = until_ended(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_asks_before_it_sends_a_body_is_told_to_go_on() {
        let mut client = connected(1 << 20).await;
        let head = b"POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
        client.write_all(head).await.unwrap();
        let started = Instant::now();
        let mut interim = [0; 25];
        client.read_exact(&mut interim).await.unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
        client.write_all(b"{}").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(
            (&answer, started.elapsed()),
            (b"HTTP/1.1 401", Duration::ZERO)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_does_not_idle_for_ever() {
        let mut client = connected(1 << 20).await;
        client.write_all(DISCOVERY).await.unwrap();
        let (answer, waited) = until_ended(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(about_patience(waited), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_no_answer_is_not_waited_for() {
        let mut client = connected(64).await;
        client.write_all(DISCOVERY).await.unwrap();
        tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
        // The server has given up: writing more finds nobody.
        let (_, waited) = until_ended(&mut client).await;
        assert_eq!(waited, Duration::ZERO);
    }
}

//! Connections to a service, on a clock that only waiting moves.

use std::num::NonZeroU32;

use paradigm_scim::api::key_limits::{KeyLimits, LONGEST_DELAY, LOWEST_RATE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::time::{Instant, timeout};

use super::test_service::{PEER, service, shared};
use super::*;
use crate::serve::request_stream::{LINGER, MAX_LINGER_BYTES};

/// Returns the client's end of another connection to a service.
fn connected_to(shared: &Arc<Shared>, bytes: usize) -> DuplexStream {
    let (client, server) = duplex(bytes);
    tokio::spawn(connection(server, PEER, Arc::clone(shared)));
    client
}

/// Returns the client's end of a connection that holds so many bytes on the way, and a token.
async fn connected_with_token(bytes: usize) -> (DuplexStream, String) {
    let (service, token) = service().await;
    (connected_to(&shared(service), bytes), token)
}

/// The same for a client without a token.
async fn connected(bytes: usize) -> DuplexStream {
    connected_with_token(bytes).await.0
}

/// Returns all that comes back for some bytes, and how long that takes.
async fn response_to(request: &str) -> (String, Duration) {
    let mut client = connected(1 << 20).await;
    client.write_all(request.as_bytes()).await.unwrap();
    until_ended(&mut client).await
}

/// Returns what comes until the server ends the connection, on a clock that only waiting moves.
async fn until_ended(client: &mut DuplexStream) -> (String, Duration) {
    let started = Instant::now();
    let mut response = Vec::new();
    let read = client.read_to_end(&mut response);
    // A connection that is torn down may end with an error too.
    let _ = timeout(10 * CLIENT_TIMEOUT, read).await.expect("not ended");
    let waited = started.elapsed();
    (String::from_utf8_lossy(&response).into_owned(), waited)
}

/// hyper's, or rather that of `http::Uri`.
const MAX_TARGET_BYTES: usize = 65_534;

fn is_about_the_timeout(waited: Duration) -> bool {
    (CLIENT_TIMEOUT..CLIENT_TIMEOUT + Duration::from_secs(1)).contains(&waited)
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
        assert!(is_about_the_timeout(waited), "{beginning}: {waited:?}");
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
        let (response, _) = until_ended(&mut client).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status}")),
            "not {status}: {response:.60}"
        );
    }
}

/// Returns the head of a request that creates a user, with these headers.
fn post(token: &str, headers: &str) -> String {
    format!(
        "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}\r\n\r\n"
    )
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_gets_the_response_to_a_broken_one() {
    let (mut client, token) = connected_with_token(1 << 20).await;
    let head = post(&token, "content-length: 100");
    client.write_all(head.as_bytes()).await.unwrap();
    // One byte now and then does not buy more time.
    let (mut reader, mut writer) = tokio::io::split(client);
    let dripping = tokio::spawn(async move {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(CLIENT_TIMEOUT / 4).await;
        }
    });
    let started = Instant::now();
    let mut response = [0; 12];
    reader.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 400");
    assert!(is_about_the_timeout(started.elapsed()));
    dripping.abort();
}

/// Returns a body of spaces, announced or in chunks.
fn spaces(length: usize, header: &str) -> Vec<u8> {
    let body = vec![b' '; length];
    if !header.ends_with("chunked") {
        return body;
    }
    let chunks = body.chunks(60_000).map(|chunk| {
        let size = format!("{:x}\r\n", chunk.len());
        [size.as_bytes(), chunk, b"\r\n"].concat()
    });
    [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
}

/// Status line of the response to a body, and whether the connection ended with it, though
/// another request follows.
async fn response_to_body(path: &str, length: usize, is_chunked: bool) -> (String, bool) {
    let (client, token) = connected_with_token(64 * 1024).await;
    let header = if is_chunked {
        "transfer-encoding: chunked".to_owned()
    } else {
        format!("content-length: {length}")
    };
    let head = post(&token, &header).replace("/Users", path);
    let body = spaces(length, &header);
    let next = b"GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let bytes = [head.as_bytes(), &body, next].concat();
    let (mut reader, mut writer) = tokio::io::split(client);
    let writing = tokio::spawn(async move { writer.write_all(&bytes).await.is_ok() });
    let mut response = String::new();
    reader.read_to_string(&mut response).await.unwrap();
    assert!(writing.await.unwrap(), "cut off while it was sending");
    let responses = response.matches("HTTP/1.1 ").count();
    let status = response.lines().next().unwrap_or_default().to_owned();
    (status, responses == 1)
}

#[tokio::test]
async fn a_body_is_taken_up_to_the_limit_of_its_route() {
    const LIMIT: usize = 256 * 1024;
    for (path, limit) in [("/Users", LIMIT), ("/.search", LIMIT), ("/Bulk", 4 * LIMIT)] {
        for is_chunked in [false, true] {
            let (status, is_ended) = response_to_body(path, limit, is_chunked).await;
            assert!(status.starts_with("HTTP/1.1 400"), "{path}: {status}");
            assert_eq!(is_ended, is_chunked, "{path}");
            let (status, is_ended) = response_to_body(path, limit + 1, is_chunked).await;
            assert!(status.starts_with("HTTP/1.1 413"), "{path}: {status}");
            assert!(is_ended, "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_is_not_waited_for_if_its_caller_is_refused() {
    for token in ["", "authorization: Bearer x\r\n"] {
        for length in ["content-length: 100", "transfer-encoding: chunked"] {
            let head =
                format!("POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\n{token}{length}\r\n\r\n");
            let mut client = connected(1 << 20).await;
            client.write_all(head.as_bytes()).await.unwrap();
            let started = Instant::now();
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            assert!(response.starts_with("HTTP/1.1 401"), "{response}");
            assert!(response.contains("connection: close"), "{response}");
            assert_eq!(started.elapsed(), Duration::ZERO);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_refused_is_listened_to_for_a_moment() {
    let mut client = connected(64 * 1024).await;
    let head = b"POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\ncontent-length: 999999999\r\n\r\n";
    client.write_all(head).await.unwrap();
    let mut response = String::new();
    client.read_to_string(&mut response).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
    // So much may still be on its way, but not without end.
    let much = vec![b' '; MAX_LINGER_BYTES];
    client.write_all(&much).await.unwrap();
    assert!(client.write_all(&much).await.is_err());

    let mut client = connected(64 * 1024).await;
    client.write_all(head).await.unwrap();
    let started = Instant::now();
    while client.write_all(b" ").await.is_ok() {
        tokio::time::sleep(LINGER / 20).await;
    }
    let waited = started.elapsed();
    assert!((LINGER..LINGER * 2).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_head_may_come_in_any_pieces_and_line_ends() {
    let request = "\r\n\nGET /scim/v2/Schemas?x=\"a b\" HTTP/1.1\nhost: x\r\nx: \ty \n\r\n";
    for piece in [1, 2, 3, 1000] {
        let mut client = connected(1 << 20).await;
        for _ in 0..3 {
            for piece in request.as_bytes().chunks(piece) {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
        let (response, _) = until_ended(&mut client).await;
        assert_eq!(response.matches("HTTP/1.1 200").count(), 3, "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_connection_gets_its_responses() {
    let (mut client, token) = connected_with_token(1 << 20).await;
    let body = r#"{"userName": "half@example.com"}"#;
    let head = post(&token, &format!("content-length: {}", body.len()));
    client.write_all(DISCOVERY).await.unwrap();
    client.write_all((head + body).as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let (response, _) = until_ended(&mut client).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(response.contains("HTTP/1.1 201"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn a_request_names_exactly_one_host() {
    let request = |line: &str, headers: &str| format!("{line}\r\n{headers}\r\n");
    let get = "GET /scim/v2/ServiceProviderConfig HTTP/1.1";
    let old = "GET /scim/v2/ServiceProviderConfig HTTP/1.0";
    let absolute = "GET http://b.example:81/scim/v2/ServiceProviderConfig HTTP/1.1";
    for (line, headers, host) in [
        (get, "host: a.example\r\n", Some("http://a.example")),
        (get, "host: [::1]:8080\r\n", Some("http://[::1]:8080")),
        (get, "", None),
        (get, "host:\r\n", None),
        (get, "host: a.example\r\nhost: a.example\r\n", None),
        (get, "host: a.example/b\r\n", None),
        (get, "host: a b\r\n", None),
        (get, "host: user@a.example\r\n", None),
        (old, "", Some("http://localhost")),
        (old, "host: a.example\r\n", Some("http://a.example")),
        (old, "host: a.example\r\nhost: b.example\r\n", None),
        (absolute, "host: a.example\r\n", Some("http://b.example:81")),
        (absolute, "", None),
        (
            "GET https://b.example/scim/v2/ServiceProviderConfig HTTP/1.1",
            "host: a.example\r\n",
            Some("https://b.example"),
        ),
        (
            "GET http://user@b.example/scim/v2/ServiceProviderConfig HTTP/1.1",
            "host: b.example\r\n",
            None,
        ),
    ] {
        let (response, _) = response_to(&request(line, headers)).await;
        match host {
            Some(host) => {
                let location = format!("\"{host}/scim/v2/ServiceProviderConfig\"");
                assert!(response.contains(&location), "{line} {headers}: {response}");
            }
            None => {
                let is_refused = response.get(9..12) == Some("400");
                assert!(is_refused, "{line} {headers}: {response}");
                assert!(response.contains("\"invalidSyntax\""), "{response}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_takes_too_much_waits_and_is_then_refused() {
    let (service, token) = service().await;
    let limits = KeyLimits::new(LOWEST_RATE, NonZeroU32::MIN);
    let service = shared(service.limiting(limits));
    // Its only place is taken by a request whose body does not come.
    let mut slow = connected_to(&service, 1 << 20);
    let head = post(&token, "content-length: 100");
    slow.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let me =
        format!("GET /scim/v2/Me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut second = connected_to(&service, 1 << 20);
    let mut public = connected_to(&service, 1 << 20);
    second.write_all(me.as_bytes()).await.unwrap();
    public.write_all(DISCOVERY).await.unwrap();
    let mut response = [0; 12];
    let started = Instant::now();
    public.read_exact(&mut response).await.unwrap();
    assert_eq!(
        (&response, started.elapsed()),
        (b"HTTP/1.1 200", Duration::ZERO)
    );
    second.read_exact(&mut response).await.unwrap();
    assert_eq!(
        (&response, started.elapsed()),
        (b"HTTP/1.1 429", LONGEST_DELAY)
    );
    let (rest, _) = until_ended(&mut second).await;
    assert!(rest.contains("retry-after: 1\r\n"), "{rest}");
    // The place is free again once the slow request has been given up.
    let _ = until_ended(&mut slow).await;
    let mut third = connected_to(&service, 1 << 20);
    third.write_all(me.as_bytes()).await.unwrap();
    third.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 200");
}

#[tokio::test(start_paused = true)]
async fn a_request_has_at_most_one_authorization() {
    for (number, status) in [(1, "200"), (2, "401")] {
        let (mut client, token) = connected_with_token(1 << 20).await;
        let header = format!("authorization: Bearer {token}\r\n").repeat(number);
        let request = format!("GET /scim/v2/Me HTTP/1.1\r\nhost: x\r\n{header}\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let (response, _) = until_ended(&mut client).await;
        assert_eq!(response.get(9..12), Some(status), "{response}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_before_it_sends_a_body_may_go_on() {
    let (mut client, token) = connected_with_token(1 << 20).await;
    let head = post(&token, "content-length: 2\r\nexpect: 100-continue");
    client.write_all(head.as_bytes()).await.unwrap();
    let started = Instant::now();
    let mut interim = [0; 25];
    client.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"{}").await.unwrap();
    let mut response = [0; 12];
    client.read_exact(&mut response).await.unwrap();
    assert_eq!(
        (&response, started.elapsed()),
        (b"HTTP/1.1 400", Duration::ZERO)
    );
    // Without a key it learns from the response not to send it.
    let (response, _) = response_to(&post("x", "content-length: 2\r\nexpect: 100-continue")).await;
    assert!(response.starts_with("HTTP/1.1 401"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_does_not_idle_for_ever() {
    let mut client = connected(1 << 20).await;
    client.write_all(DISCOVERY).await.unwrap();
    let (response, waited) = until_ended(&mut client).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert!(is_about_the_timeout(waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_response_is_not_waited_for() {
    let mut client = connected(64).await;
    client.write_all(DISCOVERY).await.unwrap();
    tokio::time::sleep(CLIENT_TIMEOUT + Duration::from_secs(1)).await;
    // The server has given up, so writing more fails.
    let (_, waited) = until_ended(&mut client).await;
    assert_eq!(waited, Duration::ZERO);
}

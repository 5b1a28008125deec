//! Many connections and the end of the server, on a clock that only waiting moves.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::ServerName;
use rustls::version::TLS13;
use test_support::authority::Authority;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::*;
use crate::serve::connection::test_service::{PEER, service, shared};
use crate::serve::tls::Files;

/// A server that takes what is connected to it, until it is signalled to end.
struct Running {
    connect: mpsc::UnboundedSender<DuplexStream>,
    signal: mpsc::UnboundedSender<()>,
    taken: Arc<AtomicUsize>,
    ended: JoinHandle<()>,
    token: String,
}

const DRAIN: DrainTimes = DrainTimes {
    delay: Duration::from_secs(5),
    timeout: Duration::from_secs(30),
};

impl Running {
    async fn start(tls: Option<Tls>) -> Self {
        let (service, token) = service().await;
        let (connect, mut waiting) = mpsc::unbounded_channel::<DuplexStream>();
        let (signal, mut signals) = mpsc::unbounded_channel();
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        let accept = async move || {
            let stream = waiting.recv().await.ok_or(io::ErrorKind::Other)?;
            counted.fetch_add(1, Ordering::Relaxed);
            Ok((stream, PEER))
        };
        let server = Server::new(shared(service), tls.map(Arc::new));
        let ended = tokio::spawn(async move {
            let end_signal = async move || signals.recv().await.unwrap();
            server.run(accept, DRAIN, end_signal).await;
        });
        Self {
            connect,
            signal,
            taken,
            ended,
            token,
        }
    }

    fn connect(&self) -> DuplexStream {
        let (client, server) = duplex(64 * 1024);
        self.connect.send(server).unwrap();
        client
    }

    fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Returns the head of a request that creates a user with a body of two bytes.
    fn post(&self) -> String {
        let token = &self.token;
        format!(
            "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: 2\r\n\r\n"
        )
    }
}

const DISCOVERY: &str = "GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\n\r\n";

/// Waits until nothing moves any more: only then does the clock.
async fn settled() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Sends a request, and returns all of the response without the connection being closed.
async fn exchange(client: &mut DuplexStream, request: &str) -> String {
    client.write_all(request.as_bytes()).await.unwrap();
    settled().await;
    let mut chunk = vec![0; 64 * 1024];
    let length = client.read(&mut chunk).await.unwrap();
    String::from_utf8_lossy(&chunk[..length]).into_owned()
}

/// Returns what comes until the server closes the connection.
async fn rest(client: &mut DuplexStream) -> String {
    let mut response = Vec::new();
    client.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_connections_wait_and_the_end_does_not() {
    let server = Running::start(None).await;
    let mut clients = Vec::new();
    for (number, expected) in [
        (MAX_CONNECTIONS - 1, MAX_CONNECTIONS - 1),
        (1, MAX_CONNECTIONS),
        (1, MAX_CONNECTIONS),
    ] {
        clients.extend((0..number).map(|_| server.connect()));
        settled().await;
        assert_eq!(server.taken(), expected);
    }
    drop(clients.remove(0));
    settled().await;
    assert_eq!(server.taken(), MAX_CONNECTIONS + 1);
    server.signal.send(()).unwrap();
    tokio::time::sleep(DRAIN.delay).await;
    settled().await;
    assert!(server.connect.is_closed(), "the end waits for a connection");
}

/// Returns TLS with a certificate for `localhost`.
fn tls(authority: &Authority) -> Tls {
    let folder = tempfile::tempdir().unwrap();
    let files = Files {
        certificate: folder.path().join("certificate.pem"),
        key: folder.path().join("key.pem"),
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = authority.sign(&key, "localhost", (2999, 1, 1));
    std::fs::write(&files.certificate, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    Tls::new(files).unwrap()
}

#[tokio::test(start_paused = true)]
async fn handshakes_that_are_never_completed_keep_nobody_out() {
    let authority = Authority::new("handshakes");
    let server = Running::start(Some(tls(&authority))).await;
    let silent: Vec<_> = (0..3 * MAX_CONNECTIONS).map(|_| server.connect()).collect();
    let started = Instant::now();
    let connector = TlsConnector::from(Arc::new(authority.client(&TLS13)));
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = connector.connect(name, server.connect()).await.unwrap();
    client.write_all(DISCOVERY.as_bytes()).await.unwrap();
    let mut response = [0; 12];
    client.read_exact(&mut response).await.unwrap();
    assert_eq!(&response, b"HTTP/1.1 200");
    assert_eq!(started.elapsed(), Duration::ZERO);
    // The newest are still waited for, and not for ever.
    let mut newest = silent.into_iter().next_back().unwrap();
    assert_eq!(rest(&mut newest).await, "");
    assert_eq!(started.elapsed().as_secs(), 10);
}

/// Each connection gets its response, or is closed before anything of a request was read.
#[tokio::test(start_paused = true)]
async fn a_request_that_has_begun_gets_its_response_when_the_server_ends() {
    let server = Running::start(None).await;
    let [mut idle, mut half, mut slow, mut new] = std::array::from_fn(|_| server.connect());
    for client in [&mut idle, &mut half] {
        let response = exchange(client, DISCOVERY).await;
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(!response.contains("connection: close"), "{response}");
    }
    let (first, second) = DISCOVERY.split_at(30);
    half.write_all(first.as_bytes()).await.unwrap();
    slow.write_all(server.post().as_bytes()).await.unwrap();
    settled().await;
    server.signal.send(()).unwrap();
    settled().await;

    // Until the delay has passed, the server takes everything, and says that it is the last.
    let mut late = server.connect();
    let response = exchange(&mut late, DISCOVERY).await;
    assert!(response.contains("connection: close"), "{response}");
    assert_eq!(rest(&mut late).await, "");
    let started = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    let waited = started.elapsed();
    assert!(
        waited > DRAIN.delay - Duration::from_millis(100),
        "{waited:?}"
    );
    assert!(server.connect.is_closed());

    slow.write_all(b"{}").await.unwrap();
    half.write_all(second.as_bytes()).await.unwrap();
    new.write_all(DISCOVERY.as_bytes()).await.unwrap();
    for (client, status) in [(&mut slow, "400"), (&mut half, "200"), (&mut new, "200")] {
        let response = rest(client).await;
        assert_eq!(response.get(9..12), Some(status), "{response}");
        assert!(response.contains("connection: close"), "{response}");
    }
    server.ended.await.unwrap();
    assert!(started.elapsed() < DRAIN.delay + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_response_does_not_hold_the_end_up() {
    let server = Running::start(None).await;
    let mut hanging = server.connect();
    // More responses than the connection holds.
    hanging
        .write_all(DISCOVERY.repeat(200).as_bytes())
        .await
        .unwrap();
    settled().await;
    server.signal.send(()).unwrap();
    let started = Instant::now();
    server.ended.await.unwrap();
    assert!(started.elapsed() <= DRAIN.delay + DRAIN.timeout);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_ends_the_server_at_once() {
    let server = Running::start(None).await;
    let mut slow = server.connect();
    slow.write_all(server.post().as_bytes()).await.unwrap();
    settled().await;
    server.signal.send(()).unwrap();
    server.signal.send(()).unwrap();
    let started = Instant::now();
    server.ended.await.unwrap();
    assert!(started.elapsed() < Duration::from_millis(100));
}

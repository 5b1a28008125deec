//! `serve` with a certificate of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::KeyPair;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use tempfile::TempDir;
use test_support::authority::Authority;

use crate::serve::{PROGRAM, Serve};

/// A day on which the certificates of these tests are valid.
const FAR: (i32, u8, u8) = (2999, 1, 1);
const DISCOVERY: &str = "GET /scim/v2/ServiceProviderConfig HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// The files that a test gives to `serve`, in a folder of their own.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The same with a certificate for `localhost`.
    fn signed_by(authority: &Authority) -> Self {
        let files = Self::new();
        let key = KeyPair::generate().unwrap();
        files.write(
            "certificate.pem",
            &authority.sign(&key, "localhost", FAR).pem(),
        );
        files.write("key.pem", &key.serialize_pem());
        files
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn arguments(&self) -> Vec<String> {
        let file = |name| self.path(name).to_str().unwrap().to_owned();
        let certificate = ["--tls-certificate".to_owned(), file("certificate.pem")];
        let key = ["--tls-key".to_owned(), file("key.pem")];
        [
            ["--in-memory".to_owned()].to_vec(),
            certificate.into(),
            key.into(),
        ]
        .concat()
    }

    fn serve(&self) -> Serve {
        self.serve_logging_to(Stdio::null())
    }

    fn serve_logging_to(&self, log: impl Into<Stdio>) -> Serve {
        let arguments = self.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Serve::start_with(&arguments, Some("True"), |command| {
            command.stderr(log);
        })
    }

    /// Returns why `serve` does not start with them.
    fn refused(&self) -> String {
        let mut serve = Command::new(PROGRAM);
        serve
            .arg("serve")
            .args(self.arguments())
            .args(["--listen", "127.0.0.1:0"]);
        let output = serve.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

type Client = StreamOwned<ClientConnection, TcpStream>;

fn connect(address: &str, config: ClientConfig) -> Client {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

/// Sends a request and returns the response, after which the connection stays open.
fn exchange(client: &mut Client, request: &str) -> std::io::Result<String> {
    client.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    loop {
        let mut chunk = [0; 8192];
        let length = client.read(&mut chunk)?;
        if length == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        response.extend_from_slice(&chunk[..length]);
        let text = String::from_utf8_lossy(&response);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let lengths = head
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "));
        if lengths.map(|length| length.parse().unwrap()).next() == Some(body.len()) {
            return Ok(text.into_owned());
        }
    }
}

/// Returns the certificate that a new connection gets.
fn certificate_at(address: &str, authority: &Authority) -> Vec<u8> {
    let mut client = connect(address, authority.client(&TLS13));
    exchange(&mut client, DISCOVERY).unwrap();
    client.conn.peer_certificates().unwrap()[0].to_vec()
}

fn certificate_in(path: &Path) -> Vec<u8> {
    let text = std::fs::read_to_string(path).unwrap();
    let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(base64).unwrap()
}

#[test]
fn clients_get_https_by_tls_1_2_and_1_3_and_nothing_older() {
    let authority = Authority::new("versions");
    let files = Files::signed_by(&authority);
    let serve = files.serve();
    let base_url = serve.base_url();
    assert!(base_url.starts_with("https://127.0.0.1:"), "{base_url}");
    for version in [&TLS12, &TLS13] {
        let mut config = authority.client(version);
        // As clients do that know HTTP/2 too.
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut client = connect(serve.address(), config);
        let response = exchange(&mut client, DISCOVERY).unwrap();
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        let location = "\"https://localhost/scim/v2/ServiceProviderConfig\"";
        assert!(response.contains(location), "{response}");
        assert_eq!(client.conn.protocol_version(), Some(version.version));
        assert_eq!(client.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    }
    // A ClientHello of TLS 1.1 gets the alert `protocol_version`.
    let hello = [
        [0x16, 3, 1, 0, 55, 1, 0, 0, 51, 3, 2].as_slice(),
        &[7; 32],
        &[0, 0, 2, 0xc0, 0x13, 1, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3],
    ];
    let mut old = TcpStream::connect(serve.address()).unwrap();
    old.write_all(&hello.concat()).unwrap();
    let mut alert = Vec::new();
    old.read_to_end(&mut alert).unwrap();
    assert_eq!(
        (alert[0], &alert[alert.len() - 2..]),
        (0x15, [2, 70].as_slice())
    );
}

/// Returns the content of the first element of some DER, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, begin) = match der[1] {
        0x82 => (usize::from(der[2]) << 8 | usize::from(der[3]), 4),
        0x81 => (usize::from(der[2]), 3),
        short => (usize::from(short), 2),
    };
    der[begin..].split_at(length)
}

/// Returns the key inside of PKCS#8, in the form that its algorithm had before.
fn traditional(key: &KeyPair, label: &str) -> String {
    let pkcs8 = key.serialize_der();
    let (_version, rest) = element(element(&pkcs8).0);
    let (_algorithm, rest) = element(rest);
    let key = STANDARD.encode(element(rest).0);
    let lines = key
        .as_bytes()
        .chunks(64)
        .map(|line| str::from_utf8(line).unwrap());
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

#[test]
fn a_key_may_be_pkcs8_pkcs1_or_sec1() {
    let authority = Authority::new("keys");
    let elliptic = KeyPair::generate().unwrap();
    let rsa = KeyPair::from_pem(include_str!("../data/rsa-key.pem")).unwrap();
    // As `openssl ecparam -genkey` writes it.
    let parameters =
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
    let sec1 = traditional(&elliptic, "EC PRIVATE KEY");
    for (key, text) in [
        (&elliptic, elliptic.serialize_pem()),
        (&elliptic, format!("{parameters}{sec1}")),
        (&rsa, rsa.serialize_pem()),
        (&rsa, traditional(&rsa, "RSA PRIVATE KEY")),
    ] {
        let files = Files::new();
        files.write(
            "certificate.pem",
            &authority.sign(key, "localhost", FAR).pem(),
        );
        files.write("key.pem", &text);
        let serve = files.serve();
        certificate_at(serve.address(), &authority);
    }
}

#[test]
fn files_that_cannot_be_used_are_refused_with_the_reason() {
    let authority = Authority::new("refused");
    let (other, files) = (Files::signed_by(&authority), Files::signed_by(&authority));
    let text = |files: &Files, name| std::fs::read_to_string(files.path(name)).unwrap();
    let (certificate, key) = (text(&files, "certificate.pem"), text(&files, "key.pem"));
    let encrypted = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    for (name, content, reason) in [
        (
            "key.pem",
            text(&other, "key.pem"),
            "does not belong to the first certificate",
        ),
        ("key.pem", encrypted, "no private key in PEM form"),
        ("key.pem", String::new(), "no private key in PEM form"),
        ("key.pem", key.replace("-----END", "-----"), "not valid PEM"),
        ("certificate.pem", key.clone(), "no certificate in PEM form"),
        (
            "certificate.pem",
            certificate.replace("MII", "AAA"),
            "cannot be used",
        ),
    ] {
        files.write("certificate.pem", &certificate);
        files.write("key.pem", &key);
        files.write(name, &content);
        let message = files.refused();
        assert!(message.contains(reason), "not {reason}: {message}");
        assert!(message.contains(name), "{message}");
    }
    std::fs::remove_file(files.path("key.pem")).unwrap();
    assert!(files.refused().contains("cannot be read"));
}

#[test]
fn a_certificate_that_has_expired_or_soon_will_is_warned_of() {
    let authority = Authority::new("expiry");
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 13);
    let soon = soon.strftime("%Y-%m-%d").to_string();
    let parts: Vec<u8> = soon[2..]
        .split('-')
        .map(|part| part.parse().unwrap())
        .collect();
    let soon = (2000 + i32::from(parts[0]), parts[1], parts[2]);
    for (day, warning) in [
        (FAR, None),
        (soon, Some("expires soon")),
        ((2020, 1, 1), Some("has expired")),
    ] {
        let files = Files::new();
        let key = KeyPair::generate().unwrap();
        files.write(
            "certificate.pem",
            &authority.sign(&key, "localhost", day).pem(),
        );
        files.write("key.pem", &key.serialize_pem());
        let log = files.path("log");
        let serve = files.serve_logging_to(std::fs::File::create(&log).unwrap());
        assert!(serve.signal("-TERM").success());
        let log = std::fs::read_to_string(&log).unwrap();
        match warning {
            Some(warning) => assert!(log.contains(warning), "{log}"),
            None => assert!(!log.contains("WARN"), "{log}"),
        }
    }
}

#[test]
fn sighup_takes_a_new_certificate_and_keeps_the_old_one_if_the_new_one_is_broken() {
    let authority = Authority::new("renewal");
    let (files, renewed) = (Files::signed_by(&authority), Files::signed_by(&authority));
    let (reader, writer) = std::io::pipe().unwrap();
    let serve = files.serve_logging_to(writer);
    let mut log = BufReader::new(reader).lines();
    let mut wait_for_line = |part: &str| {
        let found = log.find(|line| line.as_ref().unwrap().contains(part));
        assert!(found.is_some(), "{part}");
    };
    let before = certificate_in(&files.path("certificate.pem"));
    let mut open = connect(serve.address(), authority.client(&TLS12));
    exchange(&mut open, DISCOVERY).unwrap();

    // As in the moment between the writes of two files.
    std::fs::copy(
        renewed.path("certificate.pem"),
        files.path("certificate.pem"),
    )
    .unwrap();
    serve.send_signal("-HUP");
    wait_for_line("the new certificate cannot be used");
    assert_eq!(certificate_at(serve.address(), &authority), before);

    std::fs::copy(renewed.path("key.pem"), files.path("key.pem")).unwrap();
    serve.send_signal("-HUP");
    wait_for_line("new connections get the certificate");
    let after = certificate_in(&renewed.path("certificate.pem"));
    assert_eq!(certificate_at(serve.address(), &authority), after);
    // What is open goes on with the certificate it has.
    exchange(&mut open, DISCOVERY).unwrap();
    assert_eq!(open.conn.peer_certificates().unwrap()[0].to_vec(), before);
}

#[test]
fn renewals_under_load_drop_no_connection_and_no_request() {
    const RENEWALS: usize = 5;
    let authority = Authority::new("load");
    let files = Files::signed_by(&authority);
    let serve = files.serve();
    let (address, is_over) = (serve.address(), AtomicBool::new(false));
    let (kept, short) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for number in 0..6 {
            let (is_over, kept, short, authority) = (&is_over, &kept, &short, &authority);
            scope.spawn(move || {
                let version = if number % 2 == 0 { &TLS13 } else { &TLS12 };
                let new = || connect(address, authority.client(version));
                let mut open = new();
                while !is_over.load(Ordering::Relaxed) {
                    exchange(&mut open, DISCOVERY).unwrap();
                    kept.fetch_add(1, Ordering::Relaxed);
                    exchange(&mut new(), DISCOVERY).unwrap();
                    short.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..RENEWALS {
            let renewed = Files::signed_by(&authority);
            for name in ["certificate.pem", "key.pem"] {
                std::fs::copy(renewed.path(name), files.path(name)).unwrap();
            }
            serve.send_signal("-HUP");
            let expected = certificate_in(&renewed.path("certificate.pem"));
            while certificate_at(address, &authority) != expected {}
            let seen = kept.load(Ordering::Relaxed);
            while kept.load(Ordering::Relaxed) < seen + 20 {
                std::thread::yield_now();
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    let (kept, short) = (kept.into_inner(), short.into_inner());
    println!(
        "{RENEWALS} renewals: {kept} requests on 6 kept connections, {short} on new ones, none lost"
    );
}

//! The end of `serve` while clients use it.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::command::run_json;
use crate::serve::Serve;

/// A client on one connection that is kept open, as proxies have.
struct Client {
    stream: BufReader<TcpStream>,
}

/// What became of a request.
enum Sent {
    /// It got a whole response; whether the connection stays open.
    Responded { status: u16, stays_open: bool },
    /// The connection was closed without a byte of a response.
    Closed,
}

impl Client {
    fn connect(address: &str) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        Some(Self {
            stream: BufReader::new(stream),
        })
    }

    fn send(&mut self, request: &str) -> Sent {
        if self.stream.get_mut().write_all(request.as_bytes()).is_err() {
            return Sent::Closed;
        }
        let mut status = String::new();
        // Not one byte, or a reset.
        if self.stream.read_line(&mut status).unwrap_or(0) == 0 {
            assert_eq!(status, "", "half a response");
            return Sent::Closed;
        }
        let (mut length, mut stays_open) = (0, true);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("connection", value)) => stays_open = value != "close",
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        Sent::Responded { status, stays_open }
    }
}

/// What a client has seen of the users that it created.
#[derive(Default)]
struct Seen {
    created: BTreeSet<String>,
    /// Its connection was closed before the response.
    unanswered: BTreeSet<String>,
}

/// Creates users on one connection after another, until the server takes no more.
fn create_until_refused(address: &str, token: &str, client: usize, done: &AtomicUsize) -> Seen {
    let mut seen = Seen::default();
    let mut number = 0;
    while let Some(mut connection) = Client::connect(address) {
        loop {
            number += 1;
            let name = format!("u{client}-{number}");
            let body = format!("{{\"userName\": \"{name}\"}}");
            let length = body.len();
            let sent = connection.send(&format!(
                "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}"
            ));
            done.fetch_add(1, Ordering::Relaxed);
            match sent {
                Sent::Responded { status, stays_open } => {
                    assert_eq!(status, 201, "{name}");
                    seen.created.insert(name);
                    if !stays_open {
                        break;
                    }
                }
                Sent::Closed => {
                    seen.unanswered.insert(name);
                    break;
                }
            }
        }
    }
    seen
}

/// Every request gets its whole response, or was not carried out: a client may send it again. The idle connection does
/// not hold up the end.
#[test]
fn sigterm_under_load_loses_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let limits = ["--key-rate", "1000000", "--key-concurrency", "1000"];
    let serve = Serve::start(
        &[&["--data-dir", data_dir], &limits[..]].concat(),
        Some("True"),
    );
    let (address, token) = (serve.address().to_owned(), serve.token().to_owned());
    let mut idle = Client::connect(&address).unwrap();
    let discovery = "GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\n\r\n";
    assert!(matches!(
        idle.send(discovery),
        Sent::Responded {
            stays_open: true,
            ..
        }
    ));
    let done = AtomicUsize::new(0);
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|client| {
                let (address, token, done) = (&address, &token, &done);
                scope.spawn(move || create_until_refused(address, token, client, done))
            })
            .collect();
        while done.load(Ordering::Relaxed) < 300 {
            std::thread::yield_now();
        }
        serve.send_signal("-TERM");
        assert!(serve.wait().success());
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    assert!(matches!(idle.send(discovery), Sent::Closed));
    let listed = run_json(folder.path(), &["user", "list", "--company", "Demo"]);
    let listed = listed.as_array().unwrap().iter();
    let stored: BTreeSet<&str> = listed
        .filter_map(|user| user["userName"].as_str())
        .collect();
    let (mut created, mut unanswered) = (0, 0);
    for seen in &seen {
        for name in &seen.created {
            assert!(stored.contains(name.as_str()), "{name} was lost");
        }
        for name in &seen.unanswered {
            assert!(
                !stored.contains(name.as_str()),
                "{name} was created without a response"
            );
        }
        created += seen.created.len();
        unanswered += seen.unanswered.len();
    }
    println!("{created} requests got their response, {unanswered} were not read");
    assert!(created >= 290, "{created}");
}

#[test]
fn requests_that_hang_are_cut_off_after_the_timeout_and_by_a_second_signal() {
    for (timeout, signals) in [("0", 1), ("3600", 2)] {
        let serve = Serve::start(&["--in-memory", "--drain-timeout", timeout], Some("True"));
        let mut stream = TcpStream::connect(serve.address()).unwrap();
        let token = serve.token();
        let head = format!(
            "POST /scim/v2/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // The request is under way once its body is wanted.
        let mut interim = [0; 12];
        stream.read_exact(&mut interim).unwrap();
        assert_eq!(&interim, b"HTTP/1.1 100");
        for _ in 0..signals {
            serve.send_signal("-TERM");
            // Signals of one kind that follow at once may be one to the program.
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        assert!(serve.wait().success());
    }
}

#[test]
fn the_delay_is_for_those_who_still_connect() {
    let serve = Serve::start(&["--in-memory", "--drain-delay", "3600"], Some("True"));
    let address = serve.address().to_owned();
    serve.send_signal("-TERM");
    // Until then responses leave their connections open.
    loop {
        let mut client = Client::connect(&address).unwrap();
        let discovery = "GET /scim/v2/Schemas HTTP/1.1\r\nhost: x\r\n\r\n";
        match client.send(discovery) {
            Sent::Responded {
                stays_open: false, ..
            } => break,
            Sent::Responded { .. } => {}
            Sent::Closed => panic!("a connection was refused during the delay"),
        }
    }
    assert!(serve.signal("-INT").success());
}

/// `systemctl reload` sends it, whether or not the service has a certificate.
#[test]
fn a_service_without_a_certificate_outlives_sighup() {
    let (reader, writer) = std::io::pipe().unwrap();
    let serve = Serve::start_with(&["--in-memory"], Some("True"), |command| {
        command.stdin(Stdio::null()).stderr(writer);
    });
    serve.send_signal("-HUP");
    let mut log = BufReader::new(reader).lines();
    assert!(log.any(|line| line.unwrap().contains("no certificate")));
    assert_eq!(serve.get("/Me", serve.token()).0, 200);
    assert!(serve.signal("-TERM").success());
}

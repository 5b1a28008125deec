//! Which bytes are a request and which are the body of one: every client and `serve` agree, or the
//! connection ends. Otherwise another client gets the response to what one client puts into a body.
//!
//! Conversations are generated: requests of every kind, with bodies that look like requests and
//! have sizes around every limit, in pieces of any size. Each request names itself by its `Host`,
//! which comes back in its response.
//!
//! - `DESYNCHRONISATION_CASES` is the number of conversations, other than [`CASES`].
//! - `.ci/run proxies` has the same conversations through HAProxy and nginx.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use serde_json::json;

use crate::serve::Serve;

/// Conversations of a test run.
const CASES: u64 = 250;
/// The host of every request that stands in a body.
const SMUGGLED: &str = "smuggled.invalid";
/// How long a response may take before the test fails.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a client waits for a response before it has sent the body.
const PAUSE: Duration = Duration::from_millis(30);
const LIMIT: usize = 256 * 1024;
const BULK_LIMIT: usize = 1024 * 1024;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// What is between the test and `serve`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Direct,
    /// A proxy refuses what is malformed by itself, and may keep its client's connection when
    /// `serve` ends its own.
    Proxied,
}

/// Where requests are sent to.
#[derive(Clone)]
struct Target {
    address: String,
    token: String,
    /// A user that the requests in bodies would delete.
    user: String,
    way: Way,
}

/// A request, and what may come back.
struct Sent {
    bytes: Vec<u8>,
    /// How many of the bytes are sent before the client waits whether a response comes already.
    before_waiting: usize,
    host: String,
    is_head: bool,
    statuses: Vec<u16>,
    /// Whether the response names the host.
    is_marked: bool,
    /// Whether this is the last request that gets a response.
    ends: bool,
}

struct Received {
    status: u16,
    text: String,
    closes: bool,
}

/// Returns the beginning of a request that deletes a user once another client's request completes it: the
/// next request line is its last header. Of even length, because a quote grows by two bytes.
fn deletion(user: &str) -> String {
    let start = format!("DELETE /scim/v2/Users/{user} HTTP/1.1\r\nHost: {SMUGGLED}\r\nX: ");
    let padding = " ".repeat(start.len() % 2);
    start + &padding
}

/// Returns a body of a length, full of requests.
fn hostile(random: &mut Random, length: usize, user: &str) -> Vec<u8> {
    let smuggled = match random.below(3) {
        0 => deletion(user),
        1 => format!("GET /scim/v2/ServiceProviderConfig HTTP/1.1\r\nHost: {SMUGGLED}\r\n\r\n"),
        _ => format!("GET /scim/v2/Schemas?\"x\" y HTTP/1.1\nHost: {SMUGGLED}\n\n"),
    };
    let mut body = match random.below(4) {
        // Each quote grows by two bytes when it is percent-encoded, so that as much is pushed out
        // behind the end.
        0 => format!("GGG /x{}y HTTP/1.1\r\n", "\"".repeat(smuggled.len() / 2)),
        1 => String::new(),
        2 => "\r\n\r\n".to_owned(),
        _ => smuggled.clone(),
    };
    let filler = random.one_of(&["a", " ", "\"", "\r\n", "0\r\n\r\n"]);
    while body.len() + smuggled.len() + filler.len() <= length {
        body.push_str(filler);
    }
    while body.len() + smuggled.len() < length {
        body.push('a');
    }
    body.push_str(&smuggled);
    body.truncate(length);
    body.into_bytes()
}

/// Returns a body in chunks.
fn chunked(random: &mut Random, mut body: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    while !body.is_empty() {
        let largest = random.one_of(&[1024, 20_000, 200_000]);
        let (chunk, rest) = body.split_at(1 + random.below(largest.min(body.len())));
        sent.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
        sent.extend(chunk);
        sent.extend(b"\r\n");
        body = rest;
    }
    sent.extend(b"0\r\n\r\n");
    sent
}

fn body_length(random: &mut Random) -> usize {
    let around = match random.below(12) {
        0..6 => return 1 + random.below(3000),
        6 => 8 * 1024,
        7 => 64 * 1024,
        8..11 => LIMIT,
        _ => BULK_LIMIT,
    };
    around - 1 + random.below(3)
}

/// Returns a request without a body.
fn plain(random: &mut Random, target: &Target, host: String) -> Sent {
    let (method, path, has_key, statuses, is_marked) = random.one_of(&[
        ("GET", "/ServiceProviderConfig", false, 200, true),
        ("GET", "/ServiceProviderConfig?\"raw\"", false, 200, true),
        ("HEAD", "/ServiceProviderConfig", false, 200, false),
        ("OPTIONS", "/Users", true, 204, false),
        ("GET", "/Me?x=\"raw\"", true, 200, true),
        ("GET", "/Me", true, 200, true),
        ("GET", "/Users/none", true, 404, false),
        ("GET", "/Users", false, 401, false),
    ]);
    let path = match target.way {
        Way::Direct => path.replace("\"raw\"", "\"raw and\" <spaced>"),
        Way::Proxied => path.to_owned(),
    };
    let newline = match target.way {
        Way::Direct => random.one_of(&["\r\n", "\n"]),
        Way::Proxied => "\r\n",
    };
    let before = match target.way {
        Way::Direct => random.one_of(&["", "", "\r\n", "\n\r\n"]),
        Way::Proxied => "",
    };
    let mut text =
        format!("{before}{method} /scim/v2{path} HTTP/1.1{newline}Host: {host}{newline}");
    if has_key {
        write!(text, "Authorization: Bearer {}{newline}", target.token).unwrap();
    }
    text.push_str(newline);
    Sent {
        bytes: text.into_bytes(),
        before_waiting: 0,
        host,
        is_head: method == "HEAD",
        statuses: vec![statuses],
        is_marked,
        ends: false,
    }
}

/// Returns a request with a body.
fn with_body(random: &mut Random, target: &Target, host: String) -> Sent {
    let (path, limit, has_key) = random.one_of(&[
        ("/Users", LIMIT, true),
        ("/Bulk", BULK_LIMIT, true),
        ("/Bulk", BULK_LIMIT, true),
        ("/Users", LIMIT, false),
        ("/ServiceProviderConfig", 0, false),
        ("/Me", 0, true),
    ]);
    let is_get = limit == 0;
    let creates = path == "/Users" && has_key && random.below(2) == 0;
    let body = if creates {
        json!({"userName": host, "title": "\"\r\n\r\nGET / HTTP/1.1\r\n"})
            .to_string()
            .into_bytes()
    } else {
        let length = body_length(random);
        hostile(random, length, &target.user)
    };
    let is_chunked = random.below(3) == 0;
    let expects = random.below(4) == 0;
    let method = if is_get { "GET" } else { "POST" };
    let mut head = format!("{method} /scim/v2{path} HTTP/1.1\r\nHost: {host}\r\n");
    if has_key {
        write!(head, "Authorization: Bearer {}\r\n", target.token).unwrap();
    }
    if expects {
        head.push_str("Expect: 100-continue\r\n");
    }
    if is_chunked {
        head.push_str("Transfer-Encoding: chunked\r\n\r\n");
    } else {
        write!(head, "Content-Length: {}\r\n\r\n", body.len()).unwrap();
    }
    let mut bytes = head.into_bytes();
    let before_waiting = random.one_of(&[0, bytes.len()]);
    if is_chunked {
        bytes.extend(chunked(random, &body));
    } else {
        bytes.extend(&body);
    }
    let is_too_large = body.len() > limit;
    let status = match (is_get, has_key, creates, is_too_large) {
        (true, ..) => 200,
        (false, false, ..) => 401,
        (false, true, true, _) => 201,
        (false, true, false, true) => 413,
        (false, true, false, false) => 400,
    };
    Sent {
        bytes,
        before_waiting,
        host,
        is_head: false,
        statuses: vec![status],
        is_marked: is_get || creates,
        ends: is_chunked || is_get || !has_key || is_too_large,
    }
}

/// Returns a request whose body different servers might find at different places.
fn ambiguous(random: &mut Random, target: &Target, host: String) -> Sent {
    let length = 1 + random.below(2000);
    let body = hostile(random, length, &target.user);
    let length = body.len();
    let headers = match random.below(9) {
        0 => format!("Content-Length: {length}\r\nContent-Length: 0"),
        1 => format!("Content-Length: {length}, {length}"),
        2 => format!("Content-Length: +{length}"),
        3 => format!("Content-Length: {length}\r\nTransfer-Encoding: identity"),
        4 => format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        5 => format!("Transfer-Encoding: chunked, identity\r\nContent-Length: {length}"),
        6 => format!("Content-Length:\r\n {length}"),
        7 => format!("Content-Length : {length}"),
        _ => format!("X: y\rContent-Length: {length}"),
    };
    let mut bytes = format!(
        "POST /scim/v2/Users HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n{headers}\r\n\r\n",
        target.token
    )
    .into_bytes();
    let before_waiting = random.one_of(&[0, bytes.len()]);
    bytes.extend(&body);
    Sent {
        bytes,
        before_waiting,
        host,
        is_head: false,
        statuses: vec![400],
        is_marked: false,
        ends: true,
    }
}

fn conversation(random: &mut Random, target: &Target, name: &str) -> Vec<Sent> {
    let mut sent: Vec<Sent> = (0..1 + random.below(5))
        .map(|number| {
            let host = format!("{name}-{number}.example");
            match (random.below(10), target.way) {
                (0..5, _) => plain(random, target, host),
                (5, Way::Direct) => ambiguous(random, target, host),
                _ => with_body(random, target, host),
            }
        })
        .collect();
    sent.push(closing(name));
    sent
}

/// Returns a request that needs no key and ends the connection.
fn closing(name: &str) -> Sent {
    let path = "/ServiceProviderConfig";
    last(format!("{name}-last.example"), path, "")
}

/// Returns a request that succeeds and ends the connection.
fn last(host: String, path: &str, authorization: &str) -> Sent {
    Sent {
        bytes: format!(
            "GET /scim/v2{path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n"
        )
        .into_bytes(),
        before_waiting: 0,
        host,
        is_head: false,
        statuses: vec![200],
        is_marked: true,
        ends: true,
    }
}

/// Bytes in the pieces in which they are sent.
fn pieces<'b>(random: &mut Random, mut bytes: &'b [u8]) -> Vec<&'b [u8]> {
    let largest = random.one_of(&[1, 50, 5000, usize::MAX]);
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        // Not too many single bytes: what is interesting of them is at the beginning.
        let largest = if pieces.len() > 600 {
            usize::MAX
        } else {
            largest
        };
        let (piece, rest) = bytes.split_at(1 + random.below(largest.min(bytes.len())));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Sends a conversation in pieces while responses arrive, and returns all that came back.
fn talk(random: &mut Random, address: &str, sent: &[Sent]) -> Result<Vec<u8>, String> {
    let parts: Vec<Vec<&[u8]>> = sent
        .iter()
        .flat_map(|sent| <[_; 2]>::from(sent.bytes.split_at(sent.before_waiting)))
        .map(|part| pieces(random, part))
        .collect();
    let mut stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let (received, receives) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (number, pieces) in parts.iter().enumerate() {
                for piece in pieces {
                    // The server may have had enough.
                    if writer.write_all(piece).is_err() {
                        return;
                    }
                }
                if number % 2 == 0 && !pieces.is_empty() {
                    let _ = receives.try_iter().count();
                    let _ = receives.recv_timeout(PAUSE);
                }
            }
        });
        let mut bytes = Vec::new();
        let mut chunk = [0; 16 * 1024];
        let end = loop {
            match stream.read(&mut chunk) {
                Ok(0) => break Ok(()),
                Ok(read) => bytes.extend(&chunk[..read]),
                Err(error) => break Err(format!("{error} after {} bytes", bytes.len())),
            }
            let _ = received.send(());
        };
        let _ = stream.shutdown(Shutdown::Both);
        end.map(|()| bytes)
    })
}

/// Splits off the next response; one to HEAD has no body.
fn next_response(bytes: &mut &[u8], is_head: bool) -> Option<Received> {
    loop {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
        if status < 200 {
            *bytes = &bytes[end..];
            continue;
        }
        let length = head.split("content-length: ").nth(1);
        let length = length.and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        let length: usize = if is_head { 0 } else { length.unwrap_or(0) };
        let response = bytes.get(..end + length)?;
        *bytes = &bytes[end + length..];
        return Some(Received {
            status,
            text: String::from_utf8_lossy(response).into_owned(),
            closes: head.contains("connection: close"),
        });
    }
}

/// Returns what is wrong with the responses to a conversation; counts the right ones by status.
fn wrong(
    way: Way,
    sent: &[Sent],
    mut bytes: &[u8],
    counts: &mut BTreeMap<u16, usize>,
) -> Option<String> {
    let mut is_ended = false;
    for (number, request) in sent.iter().enumerate() {
        let Some(received) = next_response(&mut bytes, request.is_head) else {
            let is_right = number > 0 && is_ended && bytes.is_empty();
            let left = String::from_utf8_lossy(bytes);
            return (!is_right).then(|| format!("no response to request {number}: {left:.200}"));
        };
        let Received {
            status,
            text,
            closes,
        } = received;
        if text.contains(SMUGGLED) {
            return Some(format!("a body was handled as a request: {text}"));
        }
        if is_ended && way == Way::Direct {
            return Some(format!("response {number} after the end: {text}"));
        }
        if !request.statuses.contains(&status) {
            return Some(format!("{status} to request {number}: {text}"));
        }
        if request.is_marked && !text.contains(&format!("http://{}/", request.host)) {
            return Some(format!("another response to request {number}: {text}"));
        }
        if request.ends && way == Way::Direct && status != 400 && !closes {
            return Some(format!(
                "response {number} does not announce the end: {text}"
            ));
        }
        is_ended = request.ends || closes;
        *counts.entry(status).or_default() += 1;
    }
    (!bytes.is_empty()).then(|| format!("{} bytes beyond all responses", bytes.len()))
}

/// Has a range of conversations; what went wrong, and how many responses there were by status.
fn conversations(
    target: &Target,
    seeds: std::ops::Range<u64>,
) -> (Vec<String>, BTreeMap<u16, usize>) {
    let mut failures = Vec::new();
    let mut counts = BTreeMap::new();
    for seed in seeds {
        let mut random = Random(seed);
        let sent = conversation(&mut random, target, &format!("c{seed}"));
        let found = match talk(&mut random, &target.address, &sent) {
            Ok(received) => wrong(target.way, &sent, &received, &mut counts),
            Err(error) => Some(error),
        };
        if let Some(found) = found {
            let heads: Vec<String> = sent
                .iter()
                .map(|sent| {
                    String::from_utf8_lossy(&sent.bytes[..sent.bytes.len().min(200)]).into_owned()
                })
                .collect();
            failures.push(format!("seed {seed}: {found}\n  sent {heads:#?}"));
        }
    }
    (failures, counts)
}

/// A request of somebody without a key, whose body is one byte longer than any that is read, and
/// ends in a request that another client's request completes.
fn attack(user: &str) -> Sent {
    let length = BULK_LIMIT + 1;
    let smuggled = deletion(user);
    let mut body = format!("GGG /x{}y HTTP/1.1\r\n", "\"".repeat(smuggled.len() / 2));
    body.push_str(&"a".repeat(length - body.len() - smuggled.len()));
    body.push_str(&smuggled);
    let host = "attacker.example".to_owned();
    let head =
        format!("POST /scim/v2/Users HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
    Sent {
        before_waiting: head.len(),
        bytes: [head.into_bytes(), body.into_bytes()].concat(),
        host,
        is_head: false,
        statuses: vec![401],
        is_marked: false,
        ends: true,
    }
}

fn started() -> Serve {
    let limits = ["--key-rate", "1000000", "--key-concurrency", "1000"];
    Serve::start(&[&["--in-memory"], &limits[..]].concat(), Some("True"))
}

fn target(server: &Serve) -> Target {
    let token = server.token();
    let victim = json!({"userName": "victim@example.com"});
    let (status, user) = server.send("POST", "/Users", token, &victim);
    assert_eq!(status, 201, "{user}");
    let address = server
        .base_url()
        .replace("http://", "")
        .replace("/scim/v2", "");
    Target {
        address,
        token: token.to_owned(),
        user: user["id"].as_str().unwrap().to_owned(),
        way: Way::Direct,
    }
}

#[test]
fn every_response_belongs_to_its_request_or_the_connection_has_ended() {
    let cases = std::env::var("DESYNCHRONISATION_CASES");
    let cases = cases.map_or(CASES, |cases| cases.parse().expect("a number"));
    let server = started();
    let target = target(&server);
    let (failures, counts) = conversations(&target, 0..cases);
    println!("{cases} conversations, responses by status: {counts:?}");
    test_support::data::assert_none(&failures);
    for status in [200, 201, 204, 400, 401, 404, 413] {
        assert!(counts.contains_key(&status), "never {status}: {counts:?}");
    }
    let path = format!("/Users/{}", target.user);
    assert_eq!(
        server.get(&path, &target.token).0,
        200,
        "the user is deleted"
    );
}

/// As above, with a body that was longer than the server would read, so that its end was taken for
/// the beginning of the next request, which another client's request on that connection completed.
#[test]
fn the_end_of_a_body_is_not_the_beginning_of_another_clients_request() {
    let server = started();
    let target = target(&server);
    let authorization = format!("Authorization: Bearer {}\r\n", target.token);
    let victim = last("victim.example".to_owned(), "/Me", &authorization);
    let sent = [attack(&target.user), victim];
    let received = talk(&mut Random(0), &target.address, &sent).unwrap();
    let mut counts = BTreeMap::new();
    let found = wrong(target.way, &sent, &received, &mut counts);
    assert_eq!((found, counts), (None, BTreeMap::from([(401, 1)])));
    let path = format!("/Users/{}", target.user);
    assert_eq!(
        server.get(&path, &target.token).0,
        200,
        "the user is deleted"
    );
}

/// Returns what somebody with a key gets while others attack, on a connection of their own to the proxy.
fn ask_as_victim(
    target: &Target,
    number: usize,
    is_over: &AtomicBool,
    responses: &AtomicUsize,
) -> Vec<String> {
    let mut failures = Vec::new();
    let mut stream = TcpStream::connect(&target.address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        count += 1;
        let host = format!("victim-{number}-{count}.example");
        let request = format!(
            "GET /scim/v2/Me HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\r\n",
            target.token
        );
        let sent = stream.write_all(request.as_bytes());
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let received = loop {
            match sent.as_ref().map(|()| stream.read(&mut chunk)) {
                Ok(Ok(0)) | Ok(Err(_)) | Err(_) => break None,
                Ok(Ok(read)) => bytes.extend(&chunk[..read]),
            }
            if let Some(received) = next_response(&mut bytes.as_slice(), false) {
                break Some(received);
            }
        };
        match received {
            Some(received)
                if received.status == 200 && received.text.contains(&format!("http://{host}/")) =>
            {
                responses.fetch_add(1, Ordering::Relaxed);
            }
            Some(received) => failures.push(format!("{host}: {}", received.text)),
            None => failures.push(format!("{host}: the connection ended")),
        }
        if failures.len() > 10 {
            return failures;
        }
    }
    failures
}

/// Status of the response to an attack, or what came instead.
fn attack_once(target: &Target) -> String {
    let outcome = talk(
        &mut Random(0),
        &target.address,
        &[attack(&target.user), closing("attacker")],
    );
    match outcome.map(|received| next_response(&mut received.as_slice(), false)) {
        Ok(Some(received)) => received.status.to_string(),
        Ok(None) => "nothing".to_owned(),
        Err(error) => error,
    }
}

/// Attackers and victims share the connections that a proxy has to `serve`.
#[test]
#[ignore = "needs a proxy before `serve`: .ci/run proxies"]
fn through_a_proxy() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is missing"));
    let target = Target {
        address: variable("DESYNCHRONISATION_PROXY"),
        token: variable("SCIM_TOKEN"),
        user: variable("DESYNCHRONISATION_USER"),
        way: Way::Proxied,
    };
    let cases: u64 = variable("DESYNCHRONISATION_CASES").parse().unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let responses = Arc::new(AtomicUsize::new(0));
    let victims: Vec<_> = (0..4)
        .map(|number| {
            let (target, is_over, responses) =
                (target.clone(), Arc::clone(&is_over), Arc::clone(&responses));
            std::thread::spawn(move || ask_as_victim(&target, number, &is_over, &responses))
        })
        .collect();
    let attacks: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let attackers: Vec<_> = (0..3)
        .map(|part| {
            let (target, attacks) = (target.clone(), Arc::clone(&attacks));
            std::thread::spawn(move || {
                for _ in 0..cases / 10 {
                    let outcome = attack_once(&target);
                    *attacks.lock().unwrap().entry(outcome).or_default() += 1;
                }
                conversations(&target, part * cases..(part + 1) * cases)
            })
        })
        .collect();
    let mut failures = Vec::new();
    let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
    for attacker in attackers {
        let (found, counted) = attacker.join().unwrap();
        failures.extend(found);
        for (status, count) in counted {
            *counts.entry(status).or_default() += count;
        }
    }
    is_over.store(true, Ordering::Relaxed);
    for victim in victims {
        failures.extend(victim.join().unwrap());
    }
    println!(
        "{} conversations, responses by status: {counts:?}; attacks, by response: {:?}; {} right responses to victims, {} failures",
        3 * cases,
        attacks.lock().unwrap(),
        responses.load(Ordering::Relaxed),
        failures.len()
    );
    test_support::data::assert_none(&failures);
    assert!(responses.load(Ordering::Relaxed) > 100, "too few victims");
    let attacks = attacks.lock().unwrap();
    let only_refused = attacks.keys().all(|outcome| outcome == "401");
    assert!(
        only_refused,
        "the response got lost on the way: {attacks:?}"
    );
}

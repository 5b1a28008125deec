//! The listener for operators.

use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use paradigm_scim::directory::{KeyId, Token};
use serde_json::{Value, json};
use test_support::dynamodb::DynamoDb;
use test_support::http::send;
use test_support::marked::{Marked, assert_nothing_personal};

use crate::serve::Serve;

const ADMIN: [&str; 3] = ["--in-memory", "--admin-listen", "127.0.0.1:0"];

/// Sends a request to the listener for operators, and returns status, media type and body.
fn ask(serve: &Serve, method: &str, path: &str) -> (u16, String, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .build()
        .into();
    let url = serve.line("Admin URL: ").unwrap();
    let request = ureq::http::Request::builder();
    let request = request.method(method).uri(format!("{url}{path}"));
    let mut response = agent.run(request.body(()).unwrap()).unwrap();
    let media_type = response.headers().get("content-type").unwrap();
    let media_type = media_type.to_str().unwrap().to_owned();
    let body = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), media_type, body)
}

fn readiness(serve: &Serve) -> (u16, Value) {
    let (status, _, body) = ask(serve, "GET", "/readyz");
    (status, serde_json::from_str(&body).unwrap())
}

fn metrics(serve: &Serve) -> String {
    ask(serve, "GET", "/metrics").2
}

/// Returns the value of a series.
#[track_caller]
fn value(metrics: &str, series: &str) -> f64 {
    let lines = metrics
        .lines()
        .filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let values: Vec<f64> = lines.map(|value| value.parse().unwrap()).collect();
    assert_eq!(values.len(), 1, "{series} in\n{metrics}");
    values[0]
}

#[test]
fn operators_see_whether_it_lives_and_is_ready_and_nothing_else() {
    let serve = Serve::start(&ADMIN, Some("True"));
    let (status, media_type, body) = ask(&serve, "GET", "/healthz");
    assert_eq!((status, body.as_str()), (200, "ok\n"));
    assert!(media_type.starts_with("text/plain"), "{media_type}");
    let (status, ready) = readiness(&serve);
    let checks = json!({"serving": "ok", "activated": "ok", "reachable": "ok", "writable": "ok"});
    assert_eq!(
        (status, ready),
        (200, json!({"ready": true, "checks": checks}))
    );
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask(&serve, "HEAD", path).2, "", "{path}");
        assert_eq!(ask(&serve, "POST", path).0, 405, "{path}");
    }
    // Neither listener serves what is the other's.
    assert_eq!(ask(&serve, "GET", "/scim/v2/Schemas").0, 404);
    let elsewhere = format!("http://{}/metrics", serve.address());
    assert_eq!(send(&elsewhere, "GET", serve.token(), "").0, 404);
}

#[test]
fn without_activation_it_is_not_ready() {
    let serve = Serve::start(&ADMIN, None);
    let (status, ready) = readiness(&serve);
    assert_eq!(status, 503);
    assert_eq!(ready["checks"]["activated"], "SCIM is not activated");
    assert_eq!(ready["checks"]["reachable"], "ok");
    let metrics = metrics(&serve);
    assert_eq!(value(&metrics, "scim_ready{check=\"activated\"}"), 0.0);
    assert_eq!(value(&metrics, "scim_ready{check=\"reachable\"}"), 1.0);
}

/// So that proxies stop sending before connections are refused.
#[test]
fn while_it_ends_it_is_alive_and_not_ready() {
    let arguments = [&ADMIN[..], &["--drain-delay", "3600"]].concat();
    let serve = Serve::start(&arguments, Some("True"));
    assert_eq!(readiness(&serve).0, 200);
    serve.send_signal("-TERM");
    let ready = loop {
        match readiness(&serve) {
            (200, _) => {}
            (status, ready) => break (status, ready),
        }
    };
    assert_eq!(ready.0, 503);
    assert_eq!(ready.1["checks"]["serving"], "the server is ending");
    assert_eq!(ask(&serve, "GET", "/healthz").0, 200);
    assert_eq!(serve.get("/Me", serve.token()).0, 200);
    assert!(serve.signal("-INT").success());
}

/// A way to a database that can be closed.
fn way_to(url: &str, is_open: &Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let way = format!("http://{}", listener.local_addr().unwrap());
    let (is_open, target) = (Arc::clone(is_open), url.replace("http://", ""));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            if !is_open.load(Ordering::Relaxed) {
                continue;
            }
            let server = TcpStream::connect(&target).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(std::net::Shutdown::Write);
                });
            }
        }
    });
    way
}

#[test]
fn without_a_database_it_starts_says_so_and_recovers_by_itself() {
    let database = DynamoDb::start();
    let is_open = Arc::new(AtomicBool::new(false));
    let way = way_to(&database.url, &is_open);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let arguments = ["--admin-listen", "127.0.0.1:0", "--endpoint-url", &way];
    let serve = Serve::start_with(&arguments, Some("True"), |command| {
        command.envs(database.environment());
        command.stderr(Stdio::from(std::fs::File::create(&log).unwrap()));
    });
    let token = Token::new(KeyId::new(0x5ca1_ab1e), &[7; 32]).reveal();
    let (status, ready) = readiness(&serve);
    assert_eq!((status, &ready["ready"]), (503, &json!(false)));
    assert_ne!(ready["checks"]["reachable"], "ok");
    assert_eq!(serve.get("/Users", &token).0, 503);
    assert_eq!(ask(&serve, "GET", "/healthz").0, 200);
    let failed = metrics(&serve);
    assert!(
        value(
            &failed,
            "scim_table_calls_total{operation=\"get\",outcome=\"busy\"}"
        ) >= 1.0
    );

    is_open.store(true, Ordering::Relaxed);
    while readiness(&serve).0 != 200 {}
    assert_eq!(serve.get("/Users", &token).0, 401);
    assert!(serve.signal("-TERM").success());
    let log = std::fs::read_to_string(&log).unwrap();
    for line in ["the database is not ready", "the database is ready again"] {
        assert_eq!(log.matches(line).count(), 1, "{line}: {log}");
    }
}

#[test]
fn metrics_count_requests_refusals_and_calls_of_the_database() {
    let serve = Serve::start(&ADMIN, Some("True"));
    let token = serve.token().to_owned();
    let refusals = "scim_refusals_total{rule=\"user-name-taken\"}";
    assert_eq!(value(&metrics(&serve), refusals), 0.0);
    let user = json!({"userName": "counted@example.com"});
    assert_eq!(serve.send("POST", "/Users", &token, &user).0, 201);
    assert_eq!(serve.send("POST", "/Users", &token, &user).0, 409);
    let metrics = metrics(&serve);
    for (series, expected) in [
        (
            "scim_requests_total{route=\"/Users\",method=\"POST\",status=\"201\"}",
            1.0,
        ),
        (
            "scim_requests_total{route=\"/Users\",method=\"POST\",status=\"409\"}",
            1.0,
        ),
        (
            "scim_request_duration_seconds_count{route=\"/Users\",method=\"POST\"}",
            2.0,
        ),
        (
            "scim_request_duration_seconds_bucket{route=\"/Users\",method=\"POST\",le=\"25\"}",
            2.0,
        ),
        (
            "scim_request_duration_seconds_count{route=\"/Users/{id}\",method=\"PATCH\"}",
            0.0,
        ),
        (refusals, 1.0),
        ("scim_requests_in_flight", 0.0),
        (
            "scim_table_calls_total{operation=\"commit\",outcome=\"condition\"}",
            1.0,
        ),
    ] {
        assert_eq!(value(&metrics, series), expected, "{series}");
    }
    let started = value(&metrics, "process_start_time_seconds");
    assert!(started > 1.7e9, "{started}");
    assert!(metrics.contains("scim_build_info{version=\""), "{metrics}");
}

/// Every series has a name that Prometheus takes, and no client can make more of them.
#[test]
fn metrics_are_bounded_and_hold_nothing_personal() {
    let serve = Serve::start(&ADMIN, Some("True"));
    let token = serve.token().to_owned();
    let address = serve.address().to_owned();
    let ask = |request: &Marked| {
        let url = format!("{}{}?{}", serve.base_url(), request.path, request.query);
        send(&url, request.method, &request.token, &request.body)
    };
    let (_, created) = ask(&Marked::create(&token));
    let id = created["id"].as_str().unwrap();
    for request in Marked::all(id, &token) {
        ask(&request);
    }
    let strange = |number: usize| {
        use std::io::{Read as _, Write as _};
        let mut client = TcpStream::connect(&address).unwrap();
        let request = format!(
            "M{number} /scim/v2/p{number} HTTP/1.1\r\nhost: h{number}\r\nconnection: close\r\n\r\n"
        );
        client.write_all(request.as_bytes()).unwrap();
        client.read_to_end(&mut Vec::new()).unwrap();
    };
    strange(0);
    let before = metrics(&serve);
    (1..100).for_each(strange);
    let after = metrics(&serve);
    assert_eq!(before.lines().count(), after.lines().count());
    assert_nothing_personal(&after, &token, "metrics");
    assert!(!after.contains(id), "{after}");
    assert!(after.lines().count() < 2_000, "{}", after.lines().count());
    for line in after.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        assert!(is_name && value.parse::<f64>().is_ok(), "{line}");
    }
}

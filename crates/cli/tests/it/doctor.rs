//! `doctor`, against `serve` and against endpoints that are wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use serde_json::{Value, json};

use crate::serve::{PROGRAM, Serve};
use test_support::authority::{Authority, server_with};
use test_support::front::{self, Response};

fn doctor(url: &str, token: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = command(url, token);
    command.args(arguments).env("NO_PROXY", "*");
    command.output().unwrap()
}

fn command(url: &str, token: Option<&str>) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["doctor", "--url", url]);
    match token {
        Some(token) => command.env("SCIM_TOKEN", token),
        None => command.env_remove("SCIM_TOKEN"),
    };
    command
}

/// Returns whether it succeeded, and its report as JSON.
fn report(url: &str, token: Option<&str>, arguments: &[&str]) -> (bool, Value) {
    let output = doctor(url, token, &[arguments, &["--json"]].concat());
    let report = serde_json::from_slice(&output.stdout);
    (output.status.success(), report.unwrap())
}

/// Returns what the readable report and the last word to standard error say.
fn reported(url: &str, token: Option<&str>, arguments: &[&str]) -> (bool, String) {
    let output = doctor(url, token, arguments);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), text)
}

fn check<'r>(report: &'r Value, name: &str) -> &'r Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap()
}

/// Fails unless a check went so, saw this, and says to change that.
#[track_caller]
fn assert_check(report: &Value, name: &str, outcome: &str, saw: &str, change: &str) {
    let check = check(report, name);
    assert_eq!(check["outcome"], outcome, "{check:#}");
    assert!(check["saw"].as_str().unwrap().contains(saw), "{check:#}");
    let reported = check["change"].as_str().unwrap_or_default();
    assert!(reported.contains(change), "{check:#}");
    assert_eq!(change.is_empty(), reported.is_empty(), "{check:#}");
}

#[test]
fn a_healthy_instance_passes() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let flagged = serve.line("Tenant URL: ").unwrap();
    for url in [flagged, serve.base_url()] {
        let (succeeded, report) = report(url, Some(serve.token()), &[]);
        assert!(succeeded, "{report:#}");
        for name in ["TLS version", "certificate"] {
            assert_eq!(check(&report, name)["outcome"], "skipped");
        }
        for name in [
            "reachable",
            "SCIM responses",
            "clock",
            "activation",
            "discovery",
            "media type",
            "public URL",
            "key",
            "key expiry",
            "test connection",
            "groups read",
            "groups refused",
            "key's owner",
        ] {
            assert_eq!(check(&report, name)["outcome"], "passed", "{report:#}");
        }
        // How fast this machine is does not matter here.
        let latency = &check(&report, "latency")["measured"];
        assert!(latency["leastMs"].as_u64() <= latency["mostMs"].as_u64());
    }
    let (succeeded, text) = reported(flagged, Some(serve.token()), &[]);
    assert!(succeeded, "{text}");
    assert!(
        text.contains("ok       test connection  200, an empty list"),
        "{text}"
    );
    assert!(text.contains("0 failed, 2 skipped"), "{text}");
    assert!(!text.contains(serve.token()), "{text}");
    assert_eq!(serve.get("/Users", serve.token()).1["totalResults"], 1);
}

#[test]
fn the_report_for_scripts_has_a_known_shape() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (_, report) = report(serve.base_url(), Some("wrong"), &[]);
    let members: Vec<&String> = report.as_object().unwrap().keys().collect();
    assert_eq!(
        members,
        ["url", "passed", "warned", "failed", "skipped", "checks"]
    );
    let checks = report["checks"].as_array().unwrap();
    for outcome in ["passed", "warned", "failed", "skipped"] {
        let count = checks.iter().filter(|check| check["outcome"] == outcome);
        assert_eq!(report[outcome], count.count(), "{report:#}");
    }
    for check in checks {
        assert!(check["check"].is_string() && check["saw"].is_string());
        let is_wrong = ["warned", "failed"].contains(&check["outcome"].as_str().unwrap());
        assert_eq!(check["change"].is_string(), is_wrong, "{check:#}");
    }
}

#[test]
fn without_a_token_what_needs_one_is_skipped() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (succeeded, report) = report(serve.base_url(), None, &["--load"]);
    assert!(succeeded, "{report:#}");
    for name in [
        "key",
        "test connection",
        "groups read",
        "groups refused",
        "key's owner",
        "load",
    ] {
        assert_check(&report, name, "skipped", "no token was given", "");
    }
    assert!(check(&report, "latency")["measured"].is_object());
}

#[test]
fn an_instance_that_is_not_activated_says_so() {
    let serve = Serve::start(&["--in-memory"], None);
    let (succeeded, report) = report(serve.base_url(), Some(serve.token()), &[]);
    assert!(!succeeded);
    let change = "ScimInstanceActivation=True";
    assert_check(
        &report,
        "activation",
        "failed",
        "SCIM is not activated",
        change,
    );
    assert_check(&report, "key", "skipped", "'activation' failed", "");
    assert_check(&report, "latency", "skipped", "'activation' failed", "");
    assert_eq!(report["failed"], 1);
}

#[test]
fn why_a_key_is_refused_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let serve = Serve::start(&["--data-dir", data_dir], Some("True"));
    let wrong = format!("{}00", serve.token());
    let (succeeded, reported) = report(serve.base_url(), Some(&wrong), &[]);
    assert!(!succeeded);
    assert_check(
        &reported,
        "key",
        "failed",
        "401",
        "paradigm-scim key create",
    );
    assert_check(&reported, "test connection", "skipped", "'key' failed", "");

    run(folder.path(), &["company", "create", "Acme"]);
    let owned =
        |arguments: &[&str]| run(folder.path(), &[arguments, &["--company", "Acme"]].concat());
    owned(&["user", "create", "owner@acme.example"]);
    owned(&["user", "grant", "owner@acme.example"]);
    let key = [
        "key",
        "create",
        "--owner",
        "owner@acme.example",
        "--expires",
        "never",
    ];
    let token_of = |key: &Value| key["token"].as_str().unwrap().to_owned();
    let first = token_of(&owned(&[&key[..], &["--name", "first"]].concat()));
    let second = token_of(&owned(&[&key[..], &["--name", "second"]].concat()));
    owned(&["user", "ungrant", "owner@acme.example"]);
    let (succeeded, reported) = report(serve.base_url(), Some(&first), &[]);
    assert!(!succeeded);
    assert_check(
        &reported,
        "key",
        "failed",
        "403",
        "paradigm-scim user grant",
    );

    run(folder.path(), &["company", "suspend", "Acme"]);
    let (succeeded, reported) = report(serve.base_url(), Some(&second), &[]);
    assert!(!succeeded);
    assert_check(
        &reported,
        "key",
        "failed",
        "403",
        "paradigm-scim company resume",
    );
}

/// Runs a command on a store and returns what it printed.
fn run(folder: &Path, arguments: &[&str]) -> Value {
    let output = Command::new(PROGRAM)
        .args(arguments)
        .arg("--json")
        .arg("--data-dir")
        .arg(folder)
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_key_that_expires_soon_gets_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let serve = Serve::start(&["--data-dir", data_dir], Some("True"));
    for (expires, outcome, saw) in [
        ("180d", "passed", "179 days are left"),
        ("31d", "warned", "30 days are left"),
        ("12h", "failed", "0 days are left"),
        ("never", "passed", "no time"),
    ] {
        let owner = ["--company", "Demo", "--owner", "scim-admin@demo.invalid"];
        let key = ["key", "create", "--name", "k", "--expires", expires];
        let key = run(folder.path(), &[&key[..], &owner].concat());
        let (succeeded, reported) = report(serve.base_url(), key["token"].as_str(), &[]);
        assert_eq!(succeeded, outcome != "failed");
        let change = if outcome == "passed" {
            ""
        } else {
            "key rotate"
        };
        assert_check(&reported, "key expiry", outcome, saw, change);
        let id = key["id"].as_str().unwrap();
        run(folder.path(), &["key", "revoke", id, "--company", "Demo"]);
    }
}

#[test]
fn an_owner_that_the_provider_manages_gets_a_warning() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let managed = json!({"Operations": [{"op": "add", "path": "externalId", "value": "someone"}]});
    assert_eq!(serve.send("PATCH", "/Me", serve.token(), &managed).0, 200);
    let (succeeded, report) = report(serve.base_url(), Some(serve.token()), &[]);
    assert!(succeeded, "{report:#}");
    assert_check(
        &report,
        "key's owner",
        "warned",
        "externalId",
        "service user",
    );
    assert!(!report.to_string().contains("someone"));
}

#[test]
fn what_is_not_scim_is_distinguished_from_what_is() {
    for (status, location, saw, change) in [
        (200, "", "200, with text/html", "Give the Tenant URL"),
        (404, "", "404, with text/html", "Give the Tenant URL"),
        (403, "", "403, with text/html", "with a DomainName"),
        (429, "", "429, with text/html", "ThrottlingRateLimit"),
        (502, "", "502, with text/html", "See the instance's log"),
        (
            302,
            "/login",
            "302 to /login",
            "Give the URL that it leads to",
        ),
    ] {
        let address = front::start(None, move |_| {
            let response = Response::new(status, "text/html", "<h1>Welcome</h1>");
            response.with("location", location)
        });
        let (succeeded, report) = report(&format!("http://{address}"), Some("token"), &[]);
        assert!(!succeeded);
        assert_check(&report, "SCIM responses", "failed", saw, change);
        assert_check(&report, "key", "skipped", "'SCIM responses' failed", "");
    }
    // Below the right host, but not where SCIM is.
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let url = format!("{}/elsewhere", serve.base_url());
    let (succeeded, report) = report(&url, Some(serve.token()), &[]);
    assert!(!succeeded);
    let correct = "Give the Tenant URL";
    assert_check(
        &report,
        "discovery",
        "failed",
        "without a key: 401",
        correct,
    );
    assert_check(&report, "key", "failed", "404", correct);
}

#[test]
fn the_reason_for_a_failed_connection_is_reported() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    // No label is that long, so that no name server is asked.
    let nowhere = format!("https://{}.example/scim/v2", "a".repeat(64));
    for (url, saw, change) in [
        (&closed, "refuses the connection", "Start the instance"),
        (&nowhere, "no address is known", "DNS record"),
    ] {
        let (succeeded, report) = report(url, Some("token"), &[]);
        assert!(!succeeded);
        assert_check(&report, "reachable", "failed", saw, change);
        assert_check(&report, "latency", "skipped", "'reachable' failed", "");
        assert_eq!(report["failed"], 1);
    }
    for (arguments, expected) in [
        (
            ["--url", "ftp://example.com"],
            "must be an http or https URL",
        ),
        (
            ["--url", "https://example.com/{tenant}"],
            "placeholder in braces",
        ),
    ] {
        let output = Command::new(PROGRAM)
            .arg("doctor")
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && text.contains(expected),
            "{text}"
        );
    }
}

#[test]
fn a_proxy_is_not_taken_for_the_instance() {
    let through_proxy = |url: &str, token: &str| {
        let mut command = command(url, Some(token));
        // Nobody listens there.
        command.env("ALL_PROXY", "http://127.0.0.1:1");
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        let output = command.arg("--json").output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.success(), report)
    };
    let (succeeded, report) = through_proxy("https://scim.example.com/scim/v2", "token");
    assert!(!succeeded);
    assert_check(&report, "reachable", "skipped", "through a proxy", "");
    assert_check(&report, "certificate", "skipped", "none was seen", "");
    assert_check(
        &report,
        "SCIM responses",
        "failed",
        "no response",
        "HTTPS_PROXY",
    );
    // There is none between this machine and itself.
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (succeeded, report) = through_proxy(serve.base_url(), serve.token());
    assert!(succeeded, "{report:#}");
}

#[test]
fn responses_that_are_a_little_wrong_are_reported() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let base_url = serve.base_url().to_owned();
    let change_date = |ahead: i64| {
        let date = Timestamp::now() + SignedDuration::from_secs(ahead);
        date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    };
    for (ahead, outcome, saw) in [
        (100, "warned", "s ahead of"),
        (-100, "warned", "s behind"),
        (-36_000, "failed", "s behind"),
    ] {
        let served = base_url.clone();
        let address = front::start(None, move |request| {
            let (status, body) = request.sent_to(&served);
            Response::new(status, "application/json", &body.to_string())
                .with("date", &change_date(ahead))
        });
        let (succeeded, report) = report(&format!("http://{address}"), Some(serve.token()), &[]);
        assert_eq!(succeeded, outcome != "failed", "{report:#}");
        assert_check(&report, "clock", outcome, saw, "NTP");
        let media_type = "application/json, not application/scim+json";
        assert_check(&report, "media type", "warned", media_type, "Content-Type");
        assert_check(&report, "public URL", "warned", &base_url, "PublicUrl");
        assert_check(&report, "test connection", "passed", "empty list", "");
    }
}

#[test]
fn wrong_groups_and_filters_are_reported() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let base_url = serve.base_url().to_owned();
    let address = front::start(None, move |request| {
        let (status, mut body) = request.sent_to(&base_url);
        let is_about_groups = request.target.starts_with("/Groups");
        match request.method.as_str() {
            "POST" => Response::scim(500, &json!({"detail": "broken"})),
            _ if is_about_groups => Response::scim(404, &json!({"detail": "none"})),
            _ if request.target.starts_with("/Users") => {
                body["totalResults"] = json!(1);
                Response::scim(status, &body)
            }
            _ => Response::scim(status, &body),
        }
    });
    let (succeeded, report) = report(&format!("http://{address}"), Some(serve.token()), &[]);
    assert!(!succeeded);
    assert_check(&report, "key", "passed", "accepted", "");
    let saw = "200, but not an empty list";
    assert_check(&report, "test connection", "failed", saw, "totalResults 0");
    assert_check(&report, "groups read", "failed", "404 none", "Deploy");
    assert_check(&report, "groups refused", "failed", "500 broken", "Deploy");
    assert_check(&report, "clock", "skipped", "has no time", "");
}

#[test]
fn what_is_refused_or_throttled_on_the_way_is_not_blamed_on_the_instance() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let refused = |refuses: fn(&str) -> bool, status: u16| {
        let base_url = serve.base_url().to_owned();
        let address = front::start(None, move |request| {
            if refuses(&request.target) {
                // As API Gateway says it.
                return Response::new(status, "application/json", r#"{"message":"Forbidden"}"#);
            }
            let (status, body) = request.sent_to(&base_url);
            Response::scim(status, &body)
        });
        report(&format!("http://{address}"), Some(serve.token()), &[]).1
    };
    let reported = refused(|_| true, 403);
    assert_check(
        &reported,
        "SCIM responses",
        "failed",
        "403",
        "default address",
    );
    let reported = refused(|target| target.starts_with("/Users"), 403);
    assert_check(&reported, "key", "failed", "403", "before the instance");
    let reported = refused(|target| target.starts_with("/Users"), 429);
    assert_check(&reported, "key", "failed", "429", "ThrottlingRateLimit");
    let reported = refused(|target| target.starts_with("/Groups"), 429);
    for name in ["groups read", "groups refused"] {
        assert_check(&reported, name, "failed", "429", "ThrottlingRateLimit");
        let change = check(&reported, name)["change"].as_str().unwrap();
        assert!(!change.contains("Deploy"), "{change}");
    }
    let reported = refused(|target| target.starts_with("/Me"), 429);
    assert_check(
        &reported,
        "key's owner",
        "warned",
        "429",
        "ThrottlingRateLimit",
    );
    // In SCIM's form it is no better a description.
    let address = front::start(None, |_| {
        let schema = "urn:ietf:params:scim:api:messages:2.0:Error";
        Response::scim(429, &json!({"schemas": [schema], "detail": "slowly"}))
    });
    let (_, reported) = report(&format!("http://{address}"), Some("token"), &[]);
    assert_check(
        &reported,
        "discovery",
        "failed",
        "429",
        "ThrottlingRateLimit",
    );
}

#[test]
fn what_a_server_says_is_shown_without_the_token_and_on_one_line() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let said = format!("no such token: {}\n\u{1b}[2J43 passed", serve.token());
    let base_url = serve.base_url().to_owned();
    let address = front::start(None, move |request| match request.token.as_str() {
        "" => Response::scim(200, &request.sent_to(&base_url).1),
        _ => Response::scim(401, &json!({"detail": said})),
    });
    for arguments in [[].as_slice(), &["--json"]] {
        let (succeeded, text) =
            reported(&format!("http://{address}"), Some(serve.token()), arguments);
        assert!(!succeeded, "{text}");
        assert!(text.contains("no such token: ***  [2J43"), "{text}");
        assert!(!text.contains(serve.token()), "{text}");
    }
}

#[test]
fn load_is_measured_on_this_machine_or_where_it_is_confirmed() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (_, reported) = report(serve.base_url(), Some(serve.token()), &["--load"]);
    let load = check(&reported, "load");
    assert!(["passed", "warned"].contains(&load["outcome"].as_str().unwrap()));
    let measured = &load["measured"];
    assert!(measured["answered"].as_u64() > Some(0), "{load:#}");
    assert_eq!(measured["errors"], 0, "{load:#}");
    assert!(measured["requestsPerSecond"].is_number(), "{load:#}");

    // A name of this machine that is not known for one.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.1:{}", listener.local_addr().unwrap().port());
    let output = doctor(&url, Some("token"), &["--load", "--json"]);
    assert!(!output.status.success() && output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("Add --yes") && text.contains("Nothing was sent"),
        "{text}"
    );
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err());

    let (succeeded, reported) = report(&url, Some("token"), &["--load", "--yes"]);
    assert!(!succeeded);
    // The key does not go over the network in plain text.
    assert_check(&reported, "TLS version", "failed", "plain http", "https://");
    assert_check(&reported, "load", "skipped", "'TLS version' failed", "");
    let (mut stream, _) = listener.accept().unwrap();
    let mut sent = Vec::new();
    stream.set_nonblocking(false).unwrap();
    stream.read_to_end(&mut sent).unwrap();
    assert_eq!(sent, b"");
}

#[test]
fn requests_that_are_throttled_under_load_are_counted() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let base_url = serve.base_url().to_owned();
    let searches = AtomicUsize::new(0);
    let address = front::start(None, move |request| {
        // The key, ten for the latency, one more.
        let is_search = request.target.starts_with("/Users");
        if is_search && searches.fetch_add(1, Ordering::Relaxed) >= 12 {
            return Response::scim(429, &json!({"detail": "slowly"}));
        }
        let (status, body) = request.sent_to(&base_url);
        Response::scim(status, &body)
    });
    let (succeeded, report) = report(
        &format!("http://{address}"),
        Some(serve.token()),
        &["--load"],
    );
    assert!(succeeded, "{report:#}");
    assert_check(&report, "load", "warned", "429", "throttling");
    let measured = &check(&report, "load")["measured"];
    assert_eq!(measured["answered"], 1);
    assert!(measured["throttled"].as_u64() > Some(0));
}

/// Returns a TLS server with a certificate as `openssl req -x509` makes it: signed by itself, for an authority.
fn self_signed_server(name: &str) -> ServerConfig {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    server_with(&params.self_signed(&key).unwrap(), &key, &TLS13)
}

/// Returns the day in so many days.
fn day_in(days: i64) -> (i32, u8, u8) {
    let time = Timestamp::now() + SignedDuration::from_hours(days * 24);
    let day = TimeZone::UTC.to_datetime(time).date();
    let (month, date) = (day.month(), day.day());
    (day.year().into(), month as u8, date as u8)
}

/// `serve`, behind a server that speaks TLS.
fn behind_tls(serve: &Serve, config: ServerConfig) -> SocketAddr {
    let base_url = serve.base_url().to_owned();
    front::start(Some(config), move |request| {
        let (status, body) = request.sent_to(&base_url);
        Response::scim(status, &body)
    })
}

#[test]
fn certificates_are_verified() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let authority = Authority::new("ours");
    let stranger = Authority::new("another");
    let impostor = Authority::new("ours");
    let here = "127.0.0.1";
    for (server, trusted, outcome, saw, change) in [
        (
            authority.server(here, (2099, 1, 1), &TLS13),
            &authority,
            "passed",
            "trusted, made for 127.0.0.1, valid until 2099-01-01",
            "",
        ),
        (
            authority.server(here, day_in(10), &TLS13),
            &authority,
            "warned",
            "but valid only for ",
            "Renew",
        ),
        (
            authority.server(here, (2020, 1, 1), &TLS13),
            &authority,
            "failed",
            "it has expired: valid until 2020-01-01",
            "Renew",
        ),
        (
            authority.server(here, (2099, 1, 1), &TLS13),
            &stranger,
            "failed",
            "issuer is unknown",
            "--ca-file",
        ),
        (
            authority.server(here, (2099, 1, 1), &TLS13),
            &impostor,
            "failed",
            "issuer is unknown",
            "--ca-file",
        ),
        (
            self_signed_server(here),
            &authority,
            "failed",
            "it is that of an authority, not of a server",
            "public authority",
        ),
        (
            authority.server("scim.example.com", (2099, 1, 1), &TLS12),
            &authority,
            "failed",
            "it is made for scim.example.com, not for 127.0.0.1",
            "the name",
        ),
    ] {
        let url = format!("https://{}", behind_tls(&serve, server));
        let arguments = ["--ca-file", trusted.path()];
        let (succeeded, report) = report(&url, Some(serve.token()), &arguments);
        assert_eq!(succeeded, outcome != "failed", "{report:#}");
        assert_check(&report, "certificate", outcome, saw, change);
        assert!(check(&report, "certificate")["measured"]["daysLeft"].is_number());
        let version = &check(&report, "TLS version")["saw"];
        let is_old = saw.contains("not for");
        assert_eq!(
            version,
            if is_old {
                "TLS 1.2 was agreed on"
            } else {
                "TLS 1.3 was agreed on"
            }
        );
        if outcome == "failed" {
            assert_check(&report, "key", "skipped", "'certificate' failed", "");
        } else {
            assert_check(&report, "key", "passed", "accepted", "");
        }
    }
}

#[test]
fn a_server_without_tls_or_with_an_old_one_is_reported() {
    // The response of a server that knows TLS 1.0 only: the alert protocol_version.
    let old: &[u8] = &[0x15, 3, 1, 0, 2, 2, 70];
    let plain = b"HTTP/1.1 400 Bad Request\r\n\r\n";
    for (response, saw, change) in [
        (old, "neither TLS 1.3 nor TLS 1.2", "security policy"),
        (plain, "does not speak TLS", "Correct the port"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 1024];
            assert_ne!(stream.read(&mut hello).unwrap(), 0);
            stream.write_all(response).unwrap();
        });
        let (succeeded, report) = report(&url, Some("token"), &[]);
        assert!(!succeeded);
        assert_check(&report, "TLS version", "failed", saw, change);
        assert_check(&report, "key", "skipped", "'TLS version' failed", "");
    }
}

#[test]
fn a_file_of_authorities_that_holds_none_is_refused() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    for (text, expected) in [
        ("", "no certificate"),
        ("-----BEGIN CERTIFICATE-----", "cannot be read"),
    ] {
        file.write_all(text.as_bytes()).unwrap();
        let arguments = ["--ca-file", &path];
        let (succeeded, text) = reported("https://127.0.0.1:1", None, &arguments);
        assert!(!succeeded && text.contains(expected), "{text}");
    }
}

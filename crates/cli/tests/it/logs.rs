//! What `serve` logs, and that nothing of it is personal.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use paradigm_scim::directory::{KeyId, Token};
use serde_json::{Value, json};
use test_support::http::send;
use test_support::marked::{LEVELS, MARKER, Marked, assert_nothing_personal};

use crate::serve::Serve;

/// RFC 7644 §7.5.2: filters, which hold personal data in the URL, are not logged, nor is anything
/// else of a request.
#[test]
fn nothing_personal_is_logged_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = 0;
    for level in LEVELS {
        let path = folder.path().join(level);
        let log = File::create(&path).unwrap();
        let serve = Serve::start_with(&["--in-memory"], Some("True"), |command| {
            command.env("SCIM_LOG", level).stderr(Stdio::from(log));
        });
        let token = serve.token().to_owned();
        let base_url = serve.base_url().to_owned();
        let send = |request: &Marked| {
            let url = format!("{base_url}{}?{}", request.path, request.query);
            send(&url, request.method, &request.token, &request.body)
        };
        let (_, created) = send(&Marked::create(&token));
        let all = Marked::all(created["id"].as_str().unwrap(), &token);
        for request in &all {
            send(request);
        }
        sent += all.len() + 1;
        let (status, printed) = serve.signal_and_read("-TERM");
        assert!(status.success());
        let log = std::fs::read_to_string(&path).unwrap();
        let logs_requests = log.contains("/Users/{id}");
        assert_eq!(
            logs_requests,
            ["info", "debug", "trace"].contains(&level),
            "{level}"
        );
        assert_nothing_personal(&(log + &printed), &token, level);
    }
    // Shown by --nocapture.
    println!("serve: {sent} requests, nothing personal in what it logged and printed");
    assert!(sent > 1_000);
}

fn serve_logging_to(path: &Path) -> Serve {
    let log = File::create(path).unwrap();
    Serve::start_with(&["--in-memory"], Some("True"), |command| {
        command.stderr(Stdio::from(log));
    })
}

/// An operator sees that something is left out, by which key, and not what the client calls it.
#[test]
fn what_is_left_out_or_skipped_is_logged_without_the_clients_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let serve = serve_logging_to(&path);
    let token = serve.token().to_owned();
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let user = json!({
        "userName": "left-out@example.com", "password": MARKER, MARKER: 1, "name": {MARKER: 1, "givenName": "A"},
        enterprise: {MARKER: 1, "manager": "m-1"}, "unassigned": null,
    });
    let (status, created) = serve.send("POST", "/Users", &token, &user);
    assert_eq!(status, 201);
    let path_of_user = format!("/Users/{}", created["id"].as_str().unwrap());
    let patch = json!({"Operations": [
        {"op": "replace", "path": MARKER, "value": 1},
        {"op": "replace", "value": {MARKER: 1, "emails": [{"value": "a@example.com", MARKER: 1}]}},
        {"op": "remove", "path": format!("manager[value eq \"{MARKER}\"]")},
        {"op": "replace", "path": "active", "value": false},
    ]});
    let (status, patched) = serve.send("PATCH", &path_of_user, &token, &patch);
    assert_eq!((status, &patched["active"]), (200, &json!(false)));
    assert_eq!(patched[enterprise]["manager"]["value"], "m-1");
    let (status, _) = serve.send(
        "PUT",
        &path_of_user,
        &token,
        &json!({"userName": "all@example.com"}),
    );
    assert_eq!(status, 200);
    serve.signal("-TERM");
    let log = std::fs::read_to_string(&path).unwrap();
    let line = |of: &str| log.lines().find(|line| line.contains(of)).unwrap();
    assert!(
        line("POST /Users").contains("undeclared_attributes=3"),
        "{log}"
    );
    assert!(
        line("PATCH /Users/{id}").contains("undeclared_attributes=3"),
        "{log}"
    );
    assert!(!line("PUT /Users/{id}").contains("undeclared"), "{log}");
    let skipped = line("a PATCH operation was skipped");
    assert!(
        skipped.contains("operation=2") && skipped.contains("attribute=\"manager\""),
        "{log}"
    );
    assert!(!log.contains(MARKER), "{log}");
}

#[test]
fn serve_logs_the_cold_start_and_the_key_of_a_refused_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let serve = serve_logging_to(&path);
    let token = serve.token().to_owned();
    let wrong_secret = Token::new(KeyId::new(0xab), &[1; 32]).reveal();
    let (rest, _) = token.split_at(token.len() - 1);
    let requests = [
        (&token, 200),
        (&wrong_secret, 401),
        (&format!("{rest}x"), 401),
    ];
    for (token, status) in requests {
        assert_eq!(serve.get("/Users", token).0, status);
    }
    assert!(serve.signal("-TERM").success());
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("GET /Users"))
        .collect();
    let key = &token[6..22];
    for (line, (parts, absent)) in lines.iter().zip([
        (vec!["cold_start=true", key, "company="], "401"),
        (
            vec!["cold_start=false", "key=\"00000000000000ab\""],
            "company=",
        ),
        (vec!["cold_start=false", "status=401"], "key="),
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains(absent), "{absent}: {line}");
    }
    assert_eq!(lines.len(), 3, "{log}");
}

#[test]
fn serve_logs_which_rule_a_refused_request_broke() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = File::create(&path).unwrap();
    let serve = Serve::start_with(&["--in-memory"], Some("True"), |command| {
        command.stderr(Stdio::from(log));
    });
    let body = json!({"Operations": [
        {"op": "add", "path": "title", "value": MARKER},
        {"op": "replace", "path": "displayName", "value": [[MARKER]]},
    ]});
    let url = format!("{}/Me", serve.base_url());
    let (status, _) = send(&url, "PATCH", serve.token(), &body.to_string());
    assert_eq!(status, 400);
    assert!(serve.signal("-TERM").success());
    let log = std::fs::read_to_string(&path).unwrap();
    let line = log.lines().find(|line| line.contains("PATCH /Me")).unwrap();
    for part in [
        "rule=\"attribute-type\"",
        "attribute=\"displayName\"",
        "operation=1",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!log.contains(MARKER), "{log}");
}

/// What a log collector gets: every line is an object with time, level and message.
#[test]
fn json_logs_have_the_members_of_the_handlers_logs_and_nothing_personal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = File::create(&path).unwrap();
    let arguments = ["--in-memory", "--log-format", "json"];
    let serve = Serve::start_with(&arguments, Some("True"), |command| {
        command.env("SCIM_LOG", "trace").env("SCIM_STACK", "site-1");
        command.stderr(Stdio::from(log));
    });
    let token = serve.token().to_owned();
    let base_url = serve.base_url().to_owned();
    let send = |request: &Marked| {
        let url = format!("{base_url}{}?{}", request.path, request.query);
        send(&url, request.method, &request.token, &request.body)
    };
    let (_, created) = send(&Marked::create(&token));
    let all = Marked::all(created["id"].as_str().unwrap(), &token);
    for request in &all {
        send(request);
    }
    assert!(serve.signal("-TERM").success());
    let log = std::fs::read_to_string(&path).unwrap();
    assert_nothing_personal(&log, &token, "json");
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for line in &lines {
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
    let requests: Vec<&Value> = lines
        .iter()
        .filter(|line| line["message"] == "request")
        .collect();
    assert_eq!(requests.len(), all.len() + 1);
    let first = requests[0];
    for (member, value) in [
        ("level", json!("INFO")),
        ("stack", json!("site-1")),
        ("route", json!("POST /Users")),
        ("status", json!(201)),
        ("coldStart", json!(true)),
    ] {
        assert_eq!(first[member], value, "{first}");
    }
    assert!(
        first["requestId"].is_string() && first["_aws"].is_null(),
        "{first}"
    );
    let refused = requests.iter().find(|line| line["status"] == 401);
    assert_eq!(refused.unwrap()["rule"], "unauthorized");
}

#[test]
fn json_logs_respect_the_level() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let log = File::create(&path).unwrap();
    let serve = Serve::start_with(&["--in-memory"], Some("True"), |command| {
        command
            .env("SCIM_LOG", "warn")
            .env("SCIM_LOG_FORMAT", "json");
        command.stderr(Stdio::from(log));
    });
    assert_eq!(serve.get("/Me", serve.token()).0, 200);
    assert!(serve.signal("-TERM").success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
}

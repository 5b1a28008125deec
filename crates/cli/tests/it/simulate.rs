//! `simulate`, against `serve` and against endpoints that are wrong.

use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::serve::{PROGRAM, Serve};
use test_support::front::{self, Response};

fn simulate(url: &str, token: &str, arguments: &[&str]) -> Output {
    Command::new(PROGRAM)
        .arg("simulate")
        .args(arguments)
        .args(["--url", url])
        .env("SCIM_TOKEN", token)
        .output()
        .unwrap()
}

/// Returns whether it succeeded, and its report as JSON.
fn report(url: &str, token: &str, arguments: &[&str]) -> (bool, Value) {
    let output = simulate(url, token, &[arguments, &["--json"]].concat());
    let report = serde_json::from_slice(&output.stdout);
    (output.status.success(), report.unwrap())
}

/// Returns what the readable report and the last word to standard error say.
fn reported(url: &str, token: &str, arguments: &[&str]) -> (bool, String) {
    let output = simulate(url, token, arguments);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.success(), text)
}

fn users(serve: &Serve) -> Value {
    serve.get("/Users", serve.token()).1["totalResults"].clone()
}

#[test]
fn every_provider_gets_what_it_needs_from_serve() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let url = serve.line("Tenant URL: ").unwrap();
    for (provider, least) in [
        (["entra", "--flag"].as_slice(), 30),
        (&["entra", "--no-flag"], 30),
        (&["entra", "--users", "3"], 90),
        (&["okta", "--users", "2"], 30),
        (&["authentik"], 14),
        (&["midpoint"], 13),
    ] {
        let (succeeded, report) = report(url, serve.token(), provider);
        assert!(succeeded, "{provider:?}: {report:#}");
        assert!(report["passed"].as_u64().unwrap() >= least, "{report:#}");
        for nothing in ["warned", "failed", "skipped"] {
            assert_eq!(report[nothing], 0, "{provider:?}: {report:#}");
        }
        assert_eq!(users(&serve), 1, "{provider:?} left users behind");
    }
}

#[test]
fn the_dialect_is_the_one_requested() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let flagged = serve.line("Tenant URL: ").unwrap();
    let plain = serve.base_url();
    for (url, arguments, with_flag) in [
        (flagged, ["entra"].as_slice(), true),
        (plain, &["entra"], false),
        (flagged, &["entra", "--no-flag"], false),
        (plain, &["entra", "--flag"], true),
    ] {
        let (_, report) = report(url, serve.token(), arguments);
        let steps = report["steps"].as_array().unwrap();
        let change = steps
            .iter()
            .find(|step| step["step"] == "change attributes")
            .unwrap();
        let url = change["url"].as_str().unwrap();
        assert_eq!(url.contains("aadOptscim062020"), with_flag, "{url}");
        let op = if with_flag { "replace" } else { "Replace" };
        assert_eq!(change["body"]["Operations"][0]["op"], op);
    }
    let (succeeded, text) = reported(plain, serve.token(), &["okta", "--flag"]);
    assert!(!succeeded && text.contains("about Entra only"), "{text}");
}

#[test]
fn what_keeps_a_provider_from_connecting_is_said() {
    let active = Serve::start(&["--in-memory"], Some("True"));
    let inactive = Serve::start(&["--in-memory"], None);
    let elsewhere = format!("{}/elsewhere", active.base_url());
    let wrong = format!("{}00", active.token());
    for (url, token, expected) in [
        (
            inactive.base_url(),
            inactive.token(),
            "refuses every request: 403 SCIM is not activated on this instance",
        ),
        (active.base_url(), &wrong, "does not accept the token"),
        (&elsewhere, active.token(), "no SCIM endpoint at this URL"),
        // Nothing listens on port 1, and no test is given it.
        (
            "http://127.0.0.1:1",
            active.token(),
            "there was no response",
        ),
        ("ftp://example.com", "x", "must be an http or https URL"),
        ("example.com/scim", "x", "must be an http or https URL"),
        (
            "http://example.com:99999/",
            "x",
            "must be an http or https URL",
        ),
        (
            "https://example.com/{tenant}/",
            "x",
            "placeholder in braces",
        ),
        (
            "https://user:secret@example.com/",
            "x",
            "must not hold a name or password",
        ),
        (active.base_url(), "", "must be one word"),
        (active.base_url(), "two words", "must be one word"),
    ] {
        for provider in ["entra", "okta"] {
            let (succeeded, text) = reported(url, token, &[provider]);
            assert!(!succeeded && text.contains(expected), "{text}");
            assert!(token.len() < 10 || !text.contains(token), "{text}");
        }
    }
}

#[test]
fn a_configuration_that_authentik_cannot_read_is_noticed() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    for (part, limit) in [
        ("bulk", "maxOperations"),
        ("bulk", "maxPayloadSize"),
        ("filter", "maxResults"),
    ] {
        let url = spoiled(&serve, move |_, (status, mut body)| {
            if let Some(Value::Object(members)) = body.get_mut(part) {
                members.remove(limit);
            }
            (status, body)
        });
        let (_, report) = report(&url, serve.token(), &["authentik"]);
        let steps = report["steps"].as_array().unwrap();
        let read = steps
            .iter()
            .find(|step| step["step"] == "read the configuration")
            .unwrap();
        assert_eq!(read["outcome"], "warned", "{read}");
        let got = read["got"].as_str().unwrap();
        assert!(
            got.contains(&format!("/{part}/{limit} is missing")),
            "{got}"
        );
        let means = read["means"].as_str().unwrap();
        assert!(means.contains("without PATCH and filters"), "{means}");
    }
}

#[test]
fn an_endpoint_that_does_not_rename_is_found_out() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    for dialect in ["--flag", "--no-flag"] {
        let url = spoiled(&serve, |method, response| match method {
            "PATCH" => (204, Value::Null),
            _ => response,
        });
        let (succeeded, report) = report(&url, serve.token(), &["entra", dialect]);
        assert!(!succeeded);
        let steps = report["steps"].as_array().unwrap();
        for (name, outcome) in [
            ("rename", "passed"),
            ("found under the new name", "failed"),
            ("not found under the old name", "failed"),
            ("the manager is the next one", "warned"),
        ] {
            let played = steps.iter().find(|step| step["step"] == name).unwrap();
            assert_eq!(played["outcome"], outcome, "{played}");
        }
        assert_eq!(users(&serve), 1);
    }
}

#[test]
fn a_token_that_may_be_a_word_is_not_masked() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (_, text) = reported(serve.base_url(), "wrong", &["entra"]);
    assert!(text.contains("wrong, expired"), "{text}");
}

#[test]
fn an_endpoint_that_fails_is_found_out_and_cleaned_up() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let url = spoiled(&serve, |method, response| match method {
        "PATCH" => (500, json!({"detail": "broken"})),
        _ => response,
    });
    let (succeeded, text) = reported(&url, serve.token(), &["entra"]);
    assert!(!succeeded, "{text}");
    assert!(text.contains("FAILED   unassign "), "{text}");
    assert!(text.contains("got       500 broken"), "{text}");
    assert!(
        text.contains("Who lost access in Entra keeps it here."),
        "{text}"
    );
    assert_eq!(users(&serve), 1);
}

#[test]
fn a_user_whose_making_was_not_acknowledged_is_cleaned_up() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let url = spoiled(&serve, |method, response| match method {
        "POST" => (201, json!({})),
        _ => response,
    });
    let (succeeded, report) = report(&url, serve.token(), &["okta", "--users", "2"]);
    assert!(!succeeded);
    let last = report["steps"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["step"], &last["outcome"]),
        (&json!("create"), &json!("failed"))
    );
    assert_eq!(report["leftBehind"], json!([]));
    assert_eq!(users(&serve), 1);
}

#[test]
fn users_that_cannot_be_removed_are_named() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let url = spoiled(&serve, |method, response| match method {
        "DELETE" => (503, json!({"detail": "busy"})),
        _ => response,
    });
    let (succeeded, text) = reported(&url, serve.token(), &["okta"]);
    assert!(!succeeded, "{text}");
    assert!(text.contains("Left behind: scim-simulate-"), "{text}");
    assert!(text.contains("0 failed"), "{text}");
}

#[test]
fn a_deletion_that_is_none_is_noticed() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let url = spoiled(&serve, |method, response| match method {
        "DELETE" => (204, Value::Null),
        _ => response,
    });
    let (succeeded, text) = reported(&url, serve.token(), &["okta"]);
    assert!(!succeeded, "{text}");
    assert!(text.contains("the user is still there"), "{text}");
}

#[test]
fn an_id_that_is_somebody_elses_is_not_used() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let (_, everyone) = serve.get("/Users", serve.token());
    let administrator = everyone["Resources"][0]["id"].clone();
    for id in [administrator, json!(""), json!("..")] {
        let url = spoiled(&serve, move |method, (status, mut body)| {
            if method == "POST" && status == 201 {
                body["id"] = id.clone();
            }
            (status, body)
        });
        let (succeeded, report) = report(&url, serve.token(), &["okta"]);
        assert!(!succeeded);
        let last = report["steps"].as_array().unwrap().last().unwrap();
        assert_eq!(last["step"], "create");
        assert_eq!(report["leftBehind"], json!([]));
        let (_, left) = serve.get("/Users", serve.token());
        assert_eq!(left["Resources"], everyone["Resources"]);
    }
}

#[test]
fn no_other_user_is_removed_whatever_a_filter_finds() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let everyone = serve.get("/Users", serve.token());
    let url = spoiled(&serve, move |method, response| match method {
        "POST" => (500, Value::Null),
        // Once there is someone, filters are ignored.
        "GET" if response.1["totalResults"] == 1 => everyone.clone(),
        _ => response,
    });
    let (succeeded, _) = reported(&url, serve.token(), &["entra"]);
    assert!(!succeeded);
    let (_, left) = serve.get("/Users", serve.token());
    let administrator = &left["Resources"][0]["userName"];
    assert_eq!(administrator, "scim-admin@demo.invalid");
}

#[test]
fn what_a_server_says_is_shown_without_the_token_and_on_one_line() {
    let serve = Serve::start(&["--in-memory"], Some("True"));
    let said = format!("no such token: {}\n\u{1b}[2J43 passed", serve.token());
    let url = spoiled(&serve, move |_, _| (401, json!({"detail": said})));
    for arguments in [["entra"].as_slice(), &["entra", "--json"]] {
        let (succeeded, text) = reported(&url, serve.token(), arguments);
        assert!(!succeeded, "{text}");
        assert!(text.contains("no such token: ***  [2J43"), "{text}");
        assert!(!text.contains(serve.token()), "{text}");
    }
}

/// Starts an endpoint before another. It responds with `spoil` of the other's responses to a method.
fn spoiled(
    serve: &Serve,
    spoil: impl Fn(&str, (u16, Value)) -> (u16, Value) + Send + 'static,
) -> String {
    let base_url = serve.base_url().to_owned();
    let address = front::start(None, move |request| {
        let method = &request.method;
        // A method that is spoiled whatever comes of it does not reach the other.
        let is_lost = method != "POST" && spoil(method, (0, Value::Null)).0 != 0;
        let response = match is_lost {
            true => (0, Value::Null),
            false => request.sent_to(&base_url),
        };
        let (status, body) = spoil(method, response);
        Response::scim(status, &body)
    });
    format!("http://{address}")
}

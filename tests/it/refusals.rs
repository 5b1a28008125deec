//! What the log says of a refused request: which rule it broke, and where. `tests/data/refusals.json` has a request for
//! each rule but those that need a world of their own, and whose lines other tests read.

use std::collections::BTreeSet;
use std::path::Path;

use conversation::differences;
use paradigm_scim::api::rule as service;
use scim::rule as protocol;
use serde_json::{Value, json};

use crate::architecture::parts;
use crate::support::handlers::{binary, cases};
use crate::support::runtime_api::{Lambda, Outcome};
use test_support::data::{assert_none, data};
use test_support::dynamodb::DynamoDb;
use test_support::marked::MARKER;

/// Returns the names of all rules.
fn rules() -> BTreeSet<&'static str> {
    let all = protocol::ALL.iter().chain(service::ALL);
    let names: BTreeSet<&str> = all.clone().map(|rule| rule.as_str()).collect();
    assert_eq!(names.len(), all.count(), "two rules have one name");
    names
}

/// Returns a value with `{"before": …, "repeat": …, "times": …}` written out: a text, or a list of what an array holds.
fn written_out(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("times") => {
            let times = usize::try_from(members["times"].as_u64().unwrap()).unwrap();
            let before = value["before"].as_str().unwrap_or_default();
            match &members["repeat"] {
                Value::Array(elements) => {
                    let repeated = std::iter::repeat_n(elements, times);
                    repeated.flatten().cloned().collect()
                }
                text => format!("{before}{}", text.as_str().unwrap().repeat(times)).into(),
            }
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), written_out(value)))
            .collect(),
        Value::Array(elements) => elements.iter().map(written_out).collect(),
        value => value.clone(),
    }
}

/// Returns a request as an event for the handler that takes what no other does.
fn event(like: &Value, request: &Value) -> Value {
    let mut event = like.clone();
    event["routeKey"] = "$default".into();
    event["rawPath"] = format!("/scim/v2{}", request["path"].as_str().unwrap()).into();
    event["rawQueryString"] = written_out(request.get("query").unwrap_or(&json!("")));
    event["requestContext"]["http"]["method"] = request["method"].clone();
    event["requestContext"]["http"]["path"] = event["rawPath"].clone();
    event["headers"]["content-type"] = "application/scim+json".into();
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        event["headers"][name] = value.clone();
    }
    let body = &request["body"];
    if let Some(base64) = ["base64", "broken"].iter().find_map(|name| body.get(name)) {
        event["isBase64Encoded"] = true.into();
        event["body"] = base64.clone();
    } else {
        event["body"] = match written_out(body) {
            Value::Null => "".into(),
            Value::String(text) => text.into(),
            body => body.to_string().into(),
        };
    }
    event
}

#[tokio::test]
async fn the_log_says_which_rule_a_request_broke_and_where() {
    let data = data("refusals.json");
    let events = cases();
    let like = events.iter().find(|case| case.name == "list_users/all");
    let like = &like.unwrap().event;
    let dynamodb = DynamoDb::start();
    let mut lambda = Lambda::start(binary("default"), &dynamodb.environment()).await;
    let requests = data["requests"].as_array().unwrap();
    let bulk = json!({
        "method": "POST", "path": "/Bulk", "body": {"Operations": data["bulk"]["operations"]},
        "expect": {"status": 200},
    });
    for request in requests.iter().chain([&bulk]) {
        if let Outcome::Failed(reason) = lambda.handle(&event(like, request)).await {
            panic!("{request}: {reason}");
        }
    }
    let log = lambda.end().await;
    let lines: Vec<Value> = log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let with = |message: &'static str| {
        let lines = lines.iter().filter(move |line| line["message"] == message);
        lines.collect::<Vec<_>>()
    };
    let mut failures = Vec::new();
    let reported = with("request");
    assert_eq!(reported.len(), requests.len() + 1, "{log}");
    for (request, line) in requests.iter().zip(reported) {
        failures.extend(compared(request, &request["expect"], line));
    }
    let reported = with("a bulk operation failed");
    let expected = data["bulk"]["expect"].as_array().unwrap();
    assert_eq!(reported.len(), expected.len(), "{reported:?}");
    for line in reported {
        let index = usize::try_from(line["index"].as_u64().unwrap()).unwrap();
        failures.extend(compared(
            &data["bulk"]["operations"][index],
            &expected[index],
            line,
        ));
    }
    assert_none(&failures);
    assert!(!log.contains(MARKER), "{log}");
}

fn compared(request: &Value, expected: &Value, line: &Value) -> Vec<String> {
    let mut wrong = differences(expected, line);
    for absent in ["attribute", "operation"] {
        if expected.get(absent).is_none() && line.get(absent).is_some() {
            wrong.push(format!("{absent} is {}", line[absent]));
        }
    }
    let about = format!("{} {}", request["method"], request["path"]);
    let named = |wrong| format!("{about}, {expected}: {wrong}");
    wrong.into_iter().map(named).collect()
}

#[test]
fn every_rule_is_documented_and_every_documented_one_exists() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/refusals.md");
    let text = std::fs::read_to_string(path).unwrap();
    let documented: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let names: BTreeSet<&str> = documented.iter().copied().collect();
    assert_eq!(documented.len(), names.len(), "a rule is documented twice");
    assert_eq!(names, rules());
}

#[test]
fn every_rule_has_a_request_or_is_read_elsewhere() {
    let data = data("refusals.json");
    let elsewhere = data["elsewhere"].as_array().unwrap().iter();
    let expected = ["/requests", "/bulk/expect"].map(|pointer| data.pointer(pointer).unwrap());
    let expected = expected.iter().flat_map(|list| list.as_array().unwrap());
    let with_request = expected.filter_map(|case| {
        let case = case.get("expect").unwrap_or(case);
        case["rule"].as_str()
    });
    let all: BTreeSet<&str> = elsewhere
        .filter_map(Value::as_str)
        .chain(with_request)
        .collect();
    assert_eq!(all, rules());
}

/// Constructors of refusals that name no rule themselves.
const REFUSALS: [&str; 23] = [
    "conflict",
    "expired_cursor",
    "forbidden",
    "invalid_count",
    "invalid_cursor",
    "invalid_filter",
    "invalid_path",
    "invalid_syntax",
    "invalid_value",
    "method_not_allowed",
    "mutability",
    "no_target",
    "not_found",
    "not_implemented",
    "out_of_service",
    "payload_too_large",
    "precondition_failed",
    "too_many",
    "unauthorized",
    "unavailable",
    "uniqueness",
    "unsupported_content_coding",
    "unsupported_media_type",
];

/// Returns what stands behind the parenthesis that closes the one at the beginning of the text.
fn behind_call(text: &str) -> &str {
    let (mut depth, mut is_quoted, mut is_escaped) = (0, false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '(' if !is_quoted => depth += 1,
            ')' if !is_quoted => {
                depth -= 1;
                if depth == 0 {
                    return text[index + 1..].trim_start();
                }
            }
            _ => {}
        }
    }
    ""
}

#[test]
fn every_refusal_names_its_rule() {
    let mut found = 0;
    for (part, path, code) in parts() {
        if !["api", "scim"].contains(&part.as_str()) || path.ends_with("error.rs") && part == "scim"
        {
            continue;
        }
        for name in REFUSALS {
            for call in code.split(&format!("ScimError::{name}")).skip(1) {
                let behind = behind_call(call);
                found += 1;
                assert!(
                    behind.starts_with(".rule("),
                    "{path:?}: ScimError::{name} without .rule(…) behind it"
                );
            }
        }
    }
    assert!(found > 60, "{found}");
}

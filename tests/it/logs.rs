//! What is logged, and that nothing of it is personal.

use std::fs::File;
use std::process::Stdio;

use http::Method;
use paradigm_scim::api::route::ROUTES;
use serde_json::{Value, json};

use crate::handlers::{DynamoDb, binary, cases};
use crate::runtime_api::{Lambda, Outcome};
use crate::serve::{Serve, send};

/// In everything personal that is sent.
const MARKER: &str = "zqmarker";

/// Bodies that are right and wrong in many ways, each with personal data.
fn bodies() -> Vec<String> {
    let user = json!({
        "userName": format!("{MARKER}@example.com"), "externalId": MARKER, "displayName": MARKER, "title": MARKER,
        "name": {"givenName": MARKER, "familyName": MARKER}, "password": MARKER, MARKER: MARKER,
        "emails": [{"value": format!("{MARKER}@example.com"), "type": MARKER}],
    });
    let patch = json!({"Operations": [
        {"op": "replace", "path": format!("emails[type eq \"{MARKER}\"].value"), "value": MARKER},
        {"op": "add", "value": {"displayName": MARKER, MARKER: MARKER}},
    ]});
    let bulk = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": MARKER, "data": user},
        {"method": "PATCH", "path": format!("/Users/bulkId:{MARKER}"), "data": patch},
        {"method": "DELETE", "path": format!("/Users/{MARKER}")},
    ]});
    let search = json!({"filter": format!("displayName co \"{MARKER}\""), "attributes": [MARKER], "sortBy": MARKER});
    let wrong = [
        json!({"userName": [MARKER, MARKER]}),
        json!({"userName": MARKER, "active": MARKER, "emails": MARKER}),
        json!({"Operations": [{"op": MARKER, "path": MARKER, "value": MARKER}]}),
        json!({"Operations": [{"op": "add", "path": format!("{MARKER}[{MARKER}"), "value": MARKER}]}),
        json!({"filter": format!("{MARKER} {MARKER}"), "cursor": MARKER, "count": MARKER}),
    ];
    let mut bodies: Vec<String> = [user, patch, bulk, search]
        .iter()
        .chain(&wrong)
        .map(Value::to_string)
        .collect();
    bodies.push(format!("{{\"userName\": \"{MARKER}"));
    bodies
}

/// Sends marked data to every route, with a right and with a wrong token; how many requests.
fn send_everything(serve: &Serve) -> usize {
    let (base_url, token) = (serve.base_url(), serve.token());
    let queries = [
        String::new(),
        format!("filter=userName%20eq%20%22{MARKER}@example.com%22&{MARKER}={MARKER}"),
        format!("filter={MARKER}%20{MARKER}&sortBy={MARKER}&attributes={MARKER}"),
        format!("cursor={MARKER}&count={MARKER}"),
    ];
    let mut number = 0;
    let mut send = |url: String, method: &str, token: &str, body: &str| {
        number += 1;
        send(&url, method, token, body)
    };
    let (_, created) = send(format!("{base_url}/Users"), "POST", token, &bodies()[0]);
    let id = created["id"].as_str().unwrap_or(MARKER).to_owned();
    for route in ROUTES {
        for id in [id.as_str(), MARKER] {
            let path = route.path.replace("{id}", id);
            if id == MARKER && path == route.path {
                continue;
            }
            for query in &queries {
                let url = format!("{base_url}{path}?{query}");
                let method = route.method.as_str();
                let with_body = matches!(route.method, Method::POST | Method::PUT | Method::PATCH);
                let bodies = if with_body {
                    bodies()
                } else {
                    vec![String::new()]
                };
                for body in bodies {
                    send(url.clone(), method, token, &body);
                }
                send(url, method, &format!("pscim_{MARKER}"), "{}");
            }
        }
    }
    send(format!("{base_url}/{MARKER}?{MARKER}"), "GET", token, "");
    number
}

/// RFC 7644 §7.5.2: filters, which hold personal data in the URL, are not logged, nor is anything
/// else of a request.
#[test]
fn nothing_personal_is_logged_at_any_level() {
    let folder = tempfile::tempdir().unwrap();
    let mut sent = 0;
    for level in ["off", "error", "warn", "info", "debug", "trace"] {
        let path = folder.path().join(level);
        let log = File::create(&path).unwrap();
        let serve = Serve::start_with(&["--in-memory"], Some("True"), |command| {
            command.env("SCIM_LOG", level).stderr(Stdio::from(log));
        });
        sent += send_everything(&serve);
        let token = serve.token().to_owned();
        assert!(serve.signal("-TERM").success());
        let log = std::fs::read_to_string(&path).unwrap();
        let tells_requests = log.contains("/Users/{id}");
        assert_eq!(
            tells_requests,
            ["info", "debug", "trace"].contains(&level),
            "{level}"
        );
        for secret in [MARKER, &token, &token[23..]] {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "at level {level}");
        }
    }
    // Shown by --nocapture.
    println!("{sent} requests, nothing personal in the logs");
    assert!(sent > 1_000);
}

#[tokio::test]
async fn what_a_handler_cannot_read_is_refused_and_not_logged() {
    let cases = cases();
    let case = cases.iter().find(|case| case.name == "list_users/all");
    let mut event = case.unwrap().event.clone();
    let token = event["headers"]["authorization"]
        .as_str()
        .unwrap()
        .to_owned();
    event["headers"]["authorization"] = format!("{token}\n").into();
    let environment = [
        ("SCIM_DYNAMODB_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ACCESS_KEY_ID", "demo"),
        ("AWS_SECRET_ACCESS_KEY", "demo"),
        ("SCIM_INSTANCE_ACTIVATION", "True"),
    ];
    let lambda = Lambda::start(binary("default"), &environment).await;
    let (outcome, log) = lambda.invoke(&event).await;
    match outcome {
        Outcome::Answered(answer) => assert_eq!(answer["statusCode"], 400),
        Outcome::Failed(reason) => panic!("{reason}"),
    }
    assert!(log.contains("unreadable request"), "{log}");
    assert!(!log.contains("dedede"), "{log}");
}

#[tokio::test]
async fn a_handler_logs_one_line_with_metrics_for_a_request() {
    let dynamodb = DynamoDb::start();
    let environment = [
        ("SCIM_DYNAMODB_ENDPOINT_URL", dynamodb.url.as_str()),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ACCESS_KEY_ID", "demo"),
        ("AWS_SECRET_ACCESS_KEY", "demo"),
        ("SCIM_INSTANCE_ACTIVATION", "True"),
        ("SCIM_LOG", "trace"),
        ("SCIM_STACK", "paradigm-scim-test"),
    ];
    let cases = cases();
    for (name, expected) in [
        (
            "list_users/work_email",
            json!({"route": "GET /Users", "status": 200, "Errors": 0, "Refusals": 0}),
        ),
        (
            "create_user/duplicate",
            json!({"route": "POST /Users", "status": 409, "scimType": "uniqueness", "Refusals": 1}),
        ),
        (
            "groups/create",
            json!({"route": "POST /Groups", "status": 501, "Errors": 0, "Refusals": 1, "Unsupported": 1}),
        ),
    ] {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        let lambda = Lambda::start(binary(&case.handler), &environment).await;
        let (_, log) = lambda.invoke(&case.event).await;
        let lines: Vec<Value> = log
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["message"] == "request")
            .collect();
        assert_eq!(lines.len(), 1, "{log}");
        let line = &lines[0];
        let wrong = paradigm_scim::conversation::differences(&expected, line);
        assert_eq!(wrong, [""; 0], "{line}");
        assert_eq!(line["stack"], "paradigm-scim-test");
        assert_eq!(line["coldStart"], true);
        assert_eq!(line["key"], "000000000000de30");
        assert_eq!(line["company"].as_str().unwrap().len(), 36);
        assert!(line["dynamoDbCalls"].as_u64().unwrap() >= 2, "{line}");
        assert!(line["ReadUnits"].as_f64().unwrap() > 0.0, "{line}");
        let metrics = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        for metric in metrics.as_array().unwrap() {
            assert!(
                line[metric["Name"].as_str().unwrap()].is_number(),
                "{metric}"
            );
        }
        assert!(
            !log.contains("demo.invalid") && !log.contains("dedede"),
            "{log}"
        );
    }
}

//! The handlers as Lambda runs them, and the template that declares them. `tests/cases/events.rs` replays the events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use conversation::differences;
use paradigm_scim::api::route::{Handler, ROUTES, Route};
use paradigm_scim::api::router::{Match, find};
use rustls::version::TLS13;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::handlers::{binary, cases};
use crate::support::runtime_api::{Lambda, Outcome, read_request};
use crate::support::template::template;
use test_support::authority::Authority;
use test_support::data::{assert_none, data};
use test_support::front::{self, Response};

/// The handler that serves no route.
const PUBLISH_EVENTS: &str = "publish_events";

/// Route keys of the template, such as `GET /scim/v2/Users`, with the binary that serves them.
fn template_routes() -> BTreeMap<String, String> {
    let template = template();
    let mut routes = BTreeMap::new();
    for resource in template["Resources"].as_hash().unwrap().values() {
        if resource["Type"].as_str() != Some("AWS::Serverless::Function") {
            continue;
        }
        assert_eq!(
            resource["Metadata"]["BuildMethod"].as_str(),
            Some("rust-cargolambda")
        );
        let binary = resource["Metadata"]["BuildProperties"]["Binary"]
            .as_str()
            .unwrap();
        for event in resource["Properties"]["Events"].as_hash().unwrap().values() {
            if event["Type"].as_str() == Some("DynamoDB") {
                assert_eq!(binary, PUBLISH_EVENTS);
                continue;
            }
            assert_eq!(event["Type"].as_str(), Some("HttpApi"));
            let properties = &event["Properties"];
            let key = match (properties["Method"].as_str(), properties["Path"].as_str()) {
                (Some(method), Some(path)) => format!("{method} {path}"),
                (None, None) => "$default".to_owned(),
                other => panic!("half a route: {other:?}"),
            };
            let earlier = routes.insert(key.clone(), binary.to_owned());
            assert_eq!(earlier, None, "{key} has two integrations");
        }
    }
    routes
}

/// Returns the key of a route in the gateway, which knows the base URI without a slash.
fn route_key(method: &str, route: &Route) -> String {
    format!("{method} /scim/v2{}", route.path.trim_end_matches('/'))
}

#[test]
fn template_binaries_events_and_routes_agree() {
    let expected: BTreeMap<String, String> = ROUTES
        .iter()
        .map(|route| {
            let key = route_key(route.method.as_str(), route);
            (key, route.endpoint.handler().binary().to_owned())
        })
        .chain([("$default".to_owned(), "default".to_owned())])
        .collect();
    assert_eq!(template_routes(), expected);

    let handlers: BTreeSet<&str> = Handler::ALL
        .iter()
        .map(|handler| handler.binary())
        .collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/lambda");
    let sources: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        sources,
        handlers
            .into_iter()
            .chain([PUBLISH_EVENTS])
            .map(str::to_owned)
            .collect()
    );

    // Each event goes to the handler that the gateway would choose, and every route has one.
    let mut covered = BTreeSet::new();
    for case in cases() {
        let path = case.event["rawPath"].as_str().unwrap();
        let method = case.event["requestContext"]["http"]["method"]
            .as_str()
            .unwrap();
        let key = case.event["routeKey"].as_str().unwrap();
        if key == "$default" {
            assert_eq!(case.handler, "default", "{}", case.name);
            continue;
        }
        assert_eq!(expected.get(key), Some(&case.handler), "{}", case.name);
        match find(&method.parse().unwrap(), path) {
            Match::Route { route, .. } => {
                assert_eq!(key, route_key(method, route), "{}", case.name);
                covered.insert(key.to_owned());
            }
            other => panic!("{}: {other:?}", case.name),
        }
    }
    let missing: Vec<&String> = expected
        .keys()
        .filter(|key| *key != "$default" && !covered.contains(*key))
        .collect();
    assert!(missing.is_empty(), "without event: {missing:?}");
}

#[tokio::test]
async fn a_handler_serves_its_own_routes_only() {
    let events = cases();
    let case = events
        .iter()
        .find(|case| case.name == "list_users/all")
        .unwrap();
    let environment = [
        ("SCIM_INSTANCE_ACTIVATION", "True"),
        ("AWS_REGION", "eu-west-3"),
        ("SCIM_DYNAMODB_ENDPOINT_URL", ""),
    ];
    // Discovery is public and reads nothing, so this handler needs no store to refuse.
    let lambda = Lambda::start(binary("schemas"), &environment).await;
    let (outcome, _) = lambda.invoke(&case.event).await;
    match outcome {
        Outcome::Responded(response) => {
            assert_eq!(response["statusCode"], json!(404), "{response}")
        }
        Outcome::Failed(reason) => panic!("{reason}"),
    }
}

#[tokio::test]
async fn a_handler_talks_to_a_store_whose_certificate_it_trusts() {
    let ours = Authority::new("ours");
    let tls = ours.server("127.0.0.1", (2100, 1, 1), &TLS13);
    // A table in which nothing is found.
    let store = front::start(Some(tls), |_| {
        Response::new(200, "application/x-amz-json-1.0", "{}")
    });
    let url = format!("https://{store}");
    let events = cases();
    let case = events.iter().find(|case| case.name == "get_user/found");
    // Where none are named, Amazon's are trusted.
    for (trusted, status, reported) in [
        (ours.path(), 401, ""),
        ("", 503, "invalid peer certificate: UnknownIssuer"),
    ] {
        let environment = [
            ("SCIM_INSTANCE_ACTIVATION", "True"),
            ("AWS_REGION", "eu-west-3"),
            ("AWS_ACCESS_KEY_ID", "demo"),
            ("AWS_SECRET_ACCESS_KEY", "demo"),
            ("SCIM_DYNAMODB_ENDPOINT_URL", &url),
            ("SSL_CERT_FILE", trusted),
        ];
        let lambda = Lambda::start(binary("get_user"), &environment).await;
        let (outcome, log) = lambda.invoke(&case.unwrap().event).await;
        match outcome {
            Outcome::Responded(response) => assert_eq!(response["statusCode"], status, "{log}"),
            Outcome::Failed(reason) => panic!("{reason}\n{log}"),
        }
        assert!(log.contains(reported), "{log}");
    }
}

#[tokio::test]
async fn the_handler_of_the_stream_sends_to_the_bus() {
    let case = data("stream/soft_delete.json");
    let bus = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", bus.local_addr().unwrap());
    let environment = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "eu-west-3"),
        ("AWS_ACCESS_KEY_ID", "demo"),
        ("AWS_SECRET_ACCESS_KEY", "demo"),
        ("SCIM_EVENTS", "Notice"),
        ("SCIM_EVENT_BUS", "paradigm"),
        (
            "SCIM_DEAD_LETTER_QUEUE",
            "https://queue.example.com/undelivered",
        ),
        ("SCIM_PUBLIC_URL", "https://scim.example.com"),
    ];
    let reported = tokio::spawn(async move {
        let (mut stream, _) = bus.accept().await.unwrap();
        let mut bodies = Vec::new();
        // First it checks that there is such a bus.
        for response in [
            json!({"Name": "paradigm"}),
            json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}, {"EventId": "2"}]}),
        ] {
            let (_, body) = read_request(&mut stream).await.unwrap();
            bodies.push(body);
            let response = response.to_string();
            let length = response.len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            stream
                .write_all(format!("{head}{response}").as_bytes())
                .await
                .unwrap();
        }
        let body = bodies.pop().unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    });
    let lambda = Lambda::start(binary(PUBLISH_EVENTS), &environment).await;
    let (outcome, log) = lambda.invoke(&case["event"]).await;
    match outcome {
        Outcome::Responded(response) => {
            assert_eq!(response, json!({"batchItemFailures": []}), "{log}")
        }
        Outcome::Failed(reason) => panic!("{reason}\n{log}"),
    }
    let reported = reported.await.unwrap();
    let expected = case["expect"]["entries"].as_array().unwrap();
    for (entry, expected) in reported["Entries"].as_array().unwrap().iter().zip(expected) {
        assert_eq!(entry["DetailType"], expected["DetailType"]);
        let detail: Value = serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap();
        assert_none(&differences(&expected["Detail"], &detail));
    }
}

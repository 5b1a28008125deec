//! What is logged, and that nothing of it is personal.

use paradigm_scim::config::RouteMetrics;
use paradigm_scim::telemetry::RequestRecord;
use serde_json::{Value, json};

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::support::handlers::{binary, cases, readable};
use crate::support::records::Records;
use crate::support::runtime_api::{Lambda, Outcome, read_request};
use crate::support::template::template;
use test_support::data::data;
use test_support::dynamodb::DynamoDb;
use test_support::marked::{LEVELS, MARKER, Marked, assert_nothing_personal};
use test_support::world::{Call, World};

/// Returns a response of AWS that quotes what was sent.
fn refusal() -> String {
    let body = json!({
        "__type": "com.amazon.coral.service#ValidationException",
        "message": format!("{MARKER} is not valid"),
    });
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {length}\r\n\r\n{body}")
}

/// A DynamoDB that can be made to refuse everything, for a reason that quotes what was sent.
struct Refusing {
    url: String,
    refuse: watch::Sender<bool>,
}

impl Refusing {
    async fn before(dynamodb: &DynamoDb) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behind = dynamodb.url.strip_prefix("http://").unwrap().to_owned();
        let (refuse, refuses) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Self::serve(stream, behind.clone(), refuses.clone()));
            }
        });
        Self { url, refuse }
    }

    /// Lets one connection through, until everything is refused.
    async fn serve(mut stream: TcpStream, behind: String, mut refuses: watch::Receiver<bool>) {
        if !*refuses.borrow() {
            let mut behind = TcpStream::connect(behind).await.unwrap();
            tokio::select! {
                _ = copy_bidirectional(&mut stream, &mut behind) => {}
                _ = refuses.changed() => {}
            }
            return;
        }
        let response = refusal();
        while read_request(&mut stream).await.is_some() {
            if stream.write_all(response.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn nothing_personal_is_logged_by_a_handler_at_any_level() {
    let cases = cases();
    let like = &cases
        .iter()
        .find(|case| case.name == "list_users/all")
        .unwrap()
        .event;
    let authorization = like["headers"]["authorization"].as_str().unwrap();
    let token = authorization.strip_prefix("Bearer ").unwrap();
    let (mut sent, mut failed) = (0, 0);
    for level in LEVELS {
        let dynamodb = DynamoDb::start();
        let refusing = Refusing::before(&dynamodb).await;
        let environment = [
            ("SCIM_DYNAMODB_ENDPOINT_URL", refusing.url.as_str()),
            ("AWS_REGION", "eu-west-3"),
            ("AWS_ACCESS_KEY_ID", "demo"),
            ("AWS_SECRET_ACCESS_KEY", "demo"),
            ("SCIM_INSTANCE_ACTIVATION", "True"),
            ("SCIM_LOG", level),
        ];
        let mut lambda = Lambda::start(binary("default"), &environment).await;
        let mut handle = async |request: &Marked| match lambda.handle(&request.event(like)).await {
            Outcome::Responded(response) => readable(&response),
            Outcome::Failed(reason) => panic!("{reason}"),
        };
        let created = handle(&Marked::create(token)).await;
        let id = created["body"]["id"].as_str().unwrap().to_owned();
        let mut all = Marked::all(&id, token);
        all.retain(|request| request.is_needed);
        for request in &all {
            handle(request).await;
        }
        // The caller's verification is cached, so what fails is the request itself.
        refusing.refuse.send(true).unwrap();
        for request in &all {
            if handle(request).await["statusCode"] == 500 {
                failed += 1;
            }
        }
        sent += 2 * all.len() + 1;
        let log = lambda.end().await;
        let lines = log
            .lines()
            .filter(|line| line.contains("\"message\":\"request\""));
        assert_eq!(lines.count(), 2 * all.len() + 1, "{level}");
        assert!(log.contains("the store refused a request: ValidationException"));
        assert_nothing_personal(&log, token, level);
    }
    // Shown by --nocapture.
    println!("handler: {sent} requests, {failed} failed in DynamoDB, nothing personal in the log");
    assert!(failed > 100);
}

/// Returns a bus that is there, and refuses every event; a queue that refuses every letter.
async fn refusing_bus() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Some((_, body)) = read_request(&mut stream).await {
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let response = match body["Name"].as_str() {
                        Some(_) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
                        None => refusal(),
                    };
                    stream.write_all(response.as_bytes()).await.unwrap();
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn nothing_personal_is_logged_of_the_stream_at_any_level() {
    // A record that is in order, a damaged one, and one that is none.
    let mut records = data("stream/damaged_item.json")["event"]["Records"].to_string();
    for personal in ["ada@example.com", "e-1", "Dr", "Prof"] {
        assert!(records.contains(personal));
        records = records.replace(personal, MARKER);
    }
    let mut records: Value = serde_json::from_str(&records).unwrap();
    records[2] = json!({"eventName": MARKER, "dynamodb": {
        "Keys": {"PK": {"S": MARKER}, "SK": MARKER}, "NewImage": MARKER, "SequenceNumber": "3",
    }});
    let numbers =
        [0, 1, 2].map(|record: usize| records[record]["dynamodb"]["SequenceNumber"].clone());
    let expected = numbers.map(|number| json!({"itemIdentifier": number}));
    let url = refusing_bus().await;
    for level in LEVELS {
        let environment = [
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_REGION", "eu-west-3"),
            ("AWS_ACCESS_KEY_ID", "demo"),
            ("AWS_SECRET_ACCESS_KEY", "demo"),
            ("SCIM_EVENTS", "Full"),
            ("SCIM_EVENT_BUS", "paradigm"),
            (
                "SCIM_DEAD_LETTER_QUEUE",
                "https://queue.example.com/undelivered",
            ),
            ("SCIM_PUBLIC_URL", "https://scim.example.com"),
            ("SCIM_LOG", level),
        ];
        let lambda = Lambda::start(binary("publish_events"), &environment).await;
        let (outcome, log) = lambda.invoke(&json!({"Records": records})).await;
        match outcome {
            Outcome::Responded(response) => {
                assert_eq!(response["batchItemFailures"], json!(expected), "{log}");
            }
            Outcome::Failed(reason) => panic!("{reason}\n{log}"),
        }
        let logs_why = log.contains("a stream record was not understood");
        assert_eq!(logs_why, level != "off", "{log}");
        let line = log.lines().find(|line| line.contains(MARKER));
        assert_eq!(line, None, "{level}");
    }
    println!(
        "stream: {} records, nothing personal in the log",
        3 * LEVELS.len()
    );
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
        Outcome::Responded(response) => assert_eq!(response["statusCode"], 400),
        Outcome::Failed(reason) => panic!("{reason}"),
    }
    assert!(log.contains("unreadable request"), "{log}");
    assert!(!log.contains("dedede"), "{log}");
}

#[tokio::test]
async fn a_handler_logs_one_line_with_metrics_for_a_request() {
    let dynamodb = DynamoDb::start();
    let settings = [("SCIM_LOG", "trace"), ("SCIM_STACK", "paradigm-scim-test")];
    let environment = [&dynamodb.environment()[..], &settings].concat();
    let cases = cases();
    for (name, expected) in [
        (
            "list_users/work_email",
            json!({"route": "GET /Users", "status": 200}),
        ),
        (
            "create_user/duplicate",
            json!({"route": "POST /Users", "status": 409, "scimType": "uniqueness", "Refusals": 1}),
        ),
        (
            "groups/create",
            json!({"route": "POST /Groups", "status": 501, "Refusals": 1, "Unsupported": 1}),
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
        let wrong = conversation::differences(&expected, line);
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

#[test]
fn the_access_log_leads_to_the_handlers_line_and_holds_nothing_personal() {
    let template = template();
    let settings = &template["Resources"]["Api"]["Properties"]["AccessLogSettings"];
    let format = settings["Format"].as_str().unwrap();
    let variables: Vec<&str> = format.split('"').collect();
    assert!(
        variables
            .windows(3)
            .any(|it| it[0] == "handlerRequestId" && it[2] == "$context.integration.requestId"),
        "{format}"
    );
    for personal in ["context.path", "identity", "query", "Override"] {
        assert!(!format.contains(personal), "{format}");
    }
}

#[tokio::test]
async fn the_log_says_who_was_anonymised_and_of_nobody_else() {
    let (world, records) = Records::of(World::new().await);
    let client = world.client().await;
    let mut ids = Vec::new();
    for name in ["one", "two", "three"] {
        let made = client.post(&json!({"userName": name})).await;
        assert_eq!(records.pop().anonymised, [""; 0]);
        ids.push(made.id());
    }
    client.get(&format!("/Users/{}", ids[0])).await;
    assert_eq!(records.pop().anonymised, [""; 0]);
    client.delete(&ids[0]).await;
    assert_eq!(records.pop().anonymised, ids[..1]);
    client.delete(&ids[0]).await;
    assert_eq!(records.pop().anonymised, [""; 0]);
    let delete = |id: &str| json!({"method": "DELETE", "path": format!("/Users/{id}")});
    let bulk = json!({"Operations": [delete(&ids[1]), delete("nobody"), delete(&ids[2])]});
    client.send(Call::new("POST", "/Bulk").json(&bulk)).await;
    let record = records.pop();
    assert_eq!(record.anonymised, ids[1..]);
    let line = embedded_metrics(&record, "stack", RouteMetrics::Off);
    assert_eq!(line["anonymised"], ids[1..].join(" "));
}

/// Returns the line that CloudWatch gets.
fn embedded_metrics(record: &RequestRecord, stack: &str, route_metrics: RouteMetrics) -> Value {
    serde_json::from_str(&record.to_embedded_metrics(stack, route_metrics)).unwrap()
}

/// A metric costs in each hour in which it has a value, and for each route.
#[test]
fn a_line_has_the_metrics_that_are_not_zero_and_those_of_the_route_only_if_wanted() {
    let ordinary = RequestRecord {
        status: 200,
        read_units: 1.0,
        ..RequestRecord::default()
    };
    let refused = RequestRecord {
        status: 401,
        ..RequestRecord::default()
    };
    let failed = RequestRecord {
        status: 503,
        key_days_left: Some(9),
        write_units: 5.0,
        ..RequestRecord::default()
    };
    let (stack, route) = (json!([["stack"]]), json!([["stack", "route"]]));
    for (record, metrics, of_route) in [
        (&ordinary, "Latency ReadUnits", "Latency ReadUnits"),
        (
            &refused,
            "Latency Refusals Unauthorized",
            "Latency Refusals Unauthorized",
        ),
        (
            &failed,
            "Latency WriteUnits Errors KeyDaysLeft",
            "Latency WriteUnits Errors",
        ),
    ] {
        let directives = |route_metrics| {
            let line = embedded_metrics(record, "one", route_metrics);
            let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap().iter();
            let named = directives.map(|directive| {
                let metrics = directive["Metrics"].as_array().unwrap().iter();
                let names = metrics.map(|metric| metric["Name"].as_str().unwrap());
                assert!(names.clone().all(|name| line[name].is_number()), "{line}");
                let names: Vec<&str> = names.collect();
                (directive["Dimensions"].clone(), names.join(" "))
            });
            named.collect::<Vec<_>>()
        };
        let all = (stack.clone(), metrics.to_owned());
        assert_eq!(directives(RouteMetrics::Off), std::slice::from_ref(&all));
        let by_route = (route.clone(), of_route.to_owned());
        assert_eq!(directives(RouteMetrics::On), [all, by_route]);
    }
}

#[test]
fn alarms_watch_metrics_that_requests_write() {
    let record = RequestRecord {
        status: 401,
        key_days_left: Some(20),
        ..RequestRecord::default()
    };
    let reported = embedded_metrics(&record, "stack", RouteMetrics::Off);
    let directives = reported["_aws"]["CloudWatchMetrics"].as_array().unwrap();
    let template = template();
    let stack = &template["Globals"]["Function"]["Environment"]["Variables"]["SCIM_STACK"];
    let resources = template["Resources"].as_hash().unwrap().values();
    let metrics = resources
        .filter_map(|alarm| alarm["Properties"]["Metrics"].as_vec())
        .flatten()
        .map(|metric| &metric["MetricStat"]["Metric"])
        .filter(|metric| metric["Namespace"].as_str() == directives[0]["Namespace"].as_str());
    let mut watched = Vec::new();
    for metric in metrics {
        let name = metric["MetricName"].as_str().unwrap();
        let has_metric = |directive: &&Value| {
            let mut metrics = directive["Metrics"].as_array().unwrap().iter();
            metrics.any(|metric| metric["Name"] == name)
        };
        let directive = directives.iter().find(has_metric);
        let reported = directive.unwrap_or_else(|| panic!("{name} is not reported"));
        let dimensions = metric["Dimensions"].as_vec().unwrap().iter();
        let names: Vec<&str> = dimensions
            .map(|dimension| {
                assert_eq!(&dimension["Value"], stack, "{name}");
                dimension["Name"].as_str().unwrap()
            })
            .collect();
        let mut known = reported["Dimensions"].as_array().unwrap().iter();
        assert!(known.any(|known| *known == json!(names)), "{name}");
        watched.push(name);
    }
    let expected = ["Latency", "Unauthorized", "KeyDaysLeft", "KeyDaysLeft"];
    assert_eq!(watched, expected);
}

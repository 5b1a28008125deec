//! SCIM events (RFC 9967): captured records of a table's stream, and a table with a stream.

use std::collections::BTreeSet;

use aws_config::Region;
use embedded::Embedded;
use paradigm_scim::aws::handler::of_handler;
use paradigm_scim::directory::{Permission, UserId};
use paradigm_scim::events::Publisher;
use paradigm_scim::store::Next;
use rustls::version::TLS13;
use scim::event::Content;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::bus::{BASE_URL, Bus, publisher};
use crate::support::template::template;
use test_support::authority::Authority;
use test_support::data::{data, data_files};
use test_support::front::{self, Response};
use test_support::world::World;

#[tokio::test]
async fn the_handler_may_do_to_bus_and_queue_what_it_does_and_nothing_else() {
    let bus = Bus::default();
    bus.publisher(Content::Notice).find_bus().await.unwrap();
    for (_, case) in data_files("stream") {
        bus.after(Content::Notice, &case["event"]).await;
    }
    let template = template();
    let policy = &template["Resources"]["PublishEventsRole"]["Properties"]["Policies"][0];
    let statements = policy["PolicyDocument"]["Statement"].as_vec().unwrap();
    let actions = statements
        .iter()
        .filter_map(|statement| statement["Action"].as_vec())
        .flatten()
        .map(|action| action.as_str().unwrap())
        // The others are Lambda's own, which reads the stream by this role.
        .filter(|action| !action.starts_with("dynamodb:"));
    let allowed: BTreeSet<String> = actions.map(ToOwned::to_owned).collect();
    assert_eq!(*bus.actions.lock().unwrap(), allowed);
}

/// The DynamoDB API of an embedded database, for requests that the store itself never sends.
struct Streams {
    url: String,
}

impl Streams {
    async fn of(embedded: &Embedded) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(embedded.clone().serve(listener, std::future::pending()));
        Self { url }
    }

    async fn call(&self, target: &'static str, request: Value) -> Value {
        let url = self.url.clone();
        let send = move || {
            let authorization = "AWS4-HMAC-SHA256 Credential=a/20260101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
            let mut response = ureq::post(&url)
                .header("x-amz-target", target)
                .header("content-type", "application/x-amz-json-1.0")
                .header("x-amz-date", "20260101T000000Z")
                .header("authorization", authorization)
                .send(request.to_string())
                .unwrap();
            serde_json::from_str(&response.body_mut().read_to_string().unwrap()).unwrap()
        };
        tokio::task::spawn_blocking(send).await.unwrap()
    }

    async fn enable(&self, table: &str) {
        let stream = json!({"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"});
        let request = json!({"TableName": table, "StreamSpecification": stream});
        self.call("DynamoDB_20120810.UpdateTable", request).await;
    }

    /// Returns all records of the table's stream, as Lambda hands them over.
    async fn records(&self, table: &str) -> Value {
        let streams = self
            .call(
                "DynamoDBStreams_20120810.ListStreams",
                json!({"TableName": table}),
            )
            .await;
        let arn = &streams["Streams"][0]["StreamArn"];
        let stream = self
            .call(
                "DynamoDBStreams_20120810.DescribeStream",
                json!({"StreamArn": arn}),
            )
            .await;
        let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
        let request =
            json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
        let iterator = self
            .call("DynamoDBStreams_20120810.GetShardIterator", request)
            .await;
        let request = json!({"ShardIterator": iterator["ShardIterator"]});
        self.call("DynamoDBStreams_20120810.GetRecords", request)
            .await
    }
}

#[tokio::test]
async fn the_tables_stream_becomes_the_events_of_a_users_life() {
    let embedded = Embedded::in_memory().unwrap();
    let world = World::on(embedded.store("test").await.unwrap());
    let client = world.client().await;
    let streams = Streams::of(&embedded).await;
    streams.enable("test").await;

    let user = json!({"userName": "ada@example.com", "externalId": "e-1", "title": "Dr"});
    let id = client.create(&user).await;
    let patch = async |operations: Value| client.patch(&id, &operations).await.assert_status(200);
    patch(json!([{"op": "replace", "path": "title", "value": "Prof"}])).await;
    // Nothing changes, and nothing is reported.
    patch(json!([{"op": "replace", "path": "title", "value": "Prof"}])).await;
    let user_id = UserId::parse(&id).unwrap();
    world
        .change(client.company, user_id, |user| {
            Next::Update(user.granted(Permission::UsersManage))
        })
        .await;
    let deleted = format!("{}ada@example.com", "a".repeat(32));
    patch(json!([{"op": "replace", "value": {"active": false, "userName": deleted}}])).await;
    patch(json!([{"op": "replace", "value": {"active": true}}])).await;
    client.delete(&id).await.assert_status(204);

    let records = streams.records("test").await;
    let (entries, failures) = Bus::default().after(Content::Notice, &records).await;
    assert!(failures.is_empty(), "{failures:?}");
    let reported: Vec<(String, u64, bool)> = entries
        .iter()
        .map(|entry| {
            let detail = &entry["Detail"];
            assert_eq!(detail["sub_id"]["uri"], format!("/Users/{id}"));
            assert_eq!(detail["company"], client.company.to_string());
            let uri = entry["DetailType"].as_str().unwrap();
            let event = uri
                .strip_prefix("urn:ietf:params:scim:event:prov:")
                .unwrap();
            let version = detail["version"].as_u64().unwrap();
            (event.to_owned(), version, detail["active"] == true)
        })
        .collect();
    let expected = [
        ("create:notice", 1, true),
        ("put:notice", 2, true),
        // Version 3 is a permission, which is no SCIM attribute.
        ("deactivate", 4, false),
        ("put:notice", 4, false),
        ("activate", 5, true),
        ("put:notice", 5, true),
        ("delete", 6, false),
    ];
    let expected = expected.map(|(event, version, active)| (event.to_owned(), version, active));
    assert_eq!(reported, expected);
    assert!(!json!(entries).to_string().contains("ada@"));

    // With full content, the last event with a payload has the whole user as a GET would.
    let (entries, _) = Bus::default().after(Content::Full, &records).await;
    let put = entries
        .iter()
        .rfind(|entry| entry["DetailType"].as_str().unwrap().ends_with("put:full"));
    let detail = &put.unwrap()["Detail"];
    let payload = &detail["events"]["urn:ietf:params:scim:event:prov:put:full"];
    assert_eq!(payload["data"]["userName"], "ada@example.com");
    assert_eq!(
        payload["data"]["meta"]["location"],
        format!("{BASE_URL}/Users/{id}")
    );
    assert_eq!(payload["version"], payload["data"]["meta"]["version"]);
    assert_eq!(detail["sub_id"]["externalId"], "e-1");

    // Redelivered, the same tokens: receivers know them by their `jti`.
    let (again, _) = Bus::default().after(Content::Full, &records).await;
    assert_eq!(again, entries);
}

/// Returns a record of a new user whose document has that many bytes, with its number in the stream.
fn new_user(number: usize, document_bytes: usize) -> Value {
    let case = data("stream/create.json");
    let mut record = case["event"]["Records"][0].clone();
    let id = format!("018cc251-f400-7000-8000-{number:012x}");
    let company = case["expect"]["entries"][0]["Detail"]["company"]
        .as_str()
        .unwrap();
    let document = json!({"userName": format!("user{number}"), "active": true, "title": "x".repeat(document_bytes)});
    let change = &mut record["dynamodb"];
    change["Keys"]["PK"]["S"] = format!("COMPANY#{company}#USER#{id}").into();
    change["NewImage"]["document"]["S"] = document.to_string().into();
    change["SequenceNumber"] = number.to_string().into();
    record
}

#[tokio::test]
async fn batches_stay_within_the_buss_limits() {
    let bus = Bus::default();
    let small: Vec<Value> = (0..25).map(|number| new_user(number, 10)).collect();
    let (taken, failures) = bus.after(Content::Full, &json!({"Records": small})).await;
    assert_eq!((taken.len(), failures.len()), (25, 0));
    assert_eq!(*bus.batches.lock().unwrap(), [10, 10, 5]);

    let bus = Bus::default();
    let large: Vec<Value> = (0..8).map(|number| new_user(number, 60_000)).collect();
    let (taken, failures) = bus.after(Content::Full, &json!({"Records": large})).await;
    assert_eq!((taken.len(), failures.len()), (8, 0));
    assert_eq!(*bus.batches.lock().unwrap(), [4, 4]);

    // Other programs may write what is larger than we do: the event leaves its contents out.
    let too_large = json!({"Records": [new_user(1, 260_000)]});
    let (taken, failures) = Bus::default().after(Content::Full, &too_large).await;
    assert!(failures.is_empty());
    let kind = taken[0]["DetailType"].as_str().unwrap();
    assert!(kind.ends_with(":create:notice"), "{kind}");
}

#[tokio::test]
async fn what_the_bus_does_not_take_is_redelivered() {
    let records: Vec<Value> = (1..=12).map(|number| new_user(number, 10)).collect();
    let event = json!({"Records": records});
    let refusing = Bus {
        refuses: Some("\"user11\"".to_owned()),
        refuses_with: "InternalFailure",
        ..Bus::default()
    };
    let (taken, failures) = refusing.after(Content::Full, &event).await;
    assert_eq!((taken.len(), failures), (11, vec!["11".to_owned()]));

    // Unless it never will.
    let refusing = Bus {
        refuses_with: "MalformedDetail",
        ..refusing
    };
    let (_, failures) = refusing.after(Content::Full, &event).await;
    assert!(failures.is_empty(), "{failures:?}");
    let buried = refusing.buried.lock().unwrap().clone();
    assert_eq!(
        (buried.len(), &buried[0]["sequenceNumber"]),
        (1, &json!("11"))
    );

    let down = Bus {
        is_down: true,
        ..Bus::default()
    };
    let (_, failures) = down.after(Content::Full, &event).await;
    assert_eq!(failures.len(), 12);
    assert_eq!(why_not(&down.publisher(Content::Full)).await, "no response");
    // Nor is anything lost that should have gone to the queue.
    let damaged = data("stream/damaged_item.json");
    let (_, failures) = down.after(Content::Notice, &damaged["event"]).await;
    assert_eq!(failures.len(), 3);
}

/// Returns what keeps a publisher from its bus.
async fn why_not(publisher: &Publisher) -> String {
    let error = publisher.find_bus().await.unwrap_err();
    let cause = error.strip_prefix("the event bus cannot be used: ");
    cause.unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[tokio::test]
async fn the_log_says_why_a_bus_cannot_be_reached() {
    let tls = Authority::new("unknown").server("127.0.0.1", (2100, 1, 1), &TLS13);
    let bus = front::start(Some(tls), |_| Response::new(200, "application/json", "{}"));
    let config = of_handler(Some(format!("https://{bus}")))
        .await
        .into_builder()
        .region(Region::from_static("eu-west-3"))
        .build();
    assert_eq!(
        why_not(&publisher(config, Content::Notice)).await,
        "invalid peer certificate: UnknownIssuer"
    );
}

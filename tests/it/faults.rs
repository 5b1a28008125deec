//! What a client sees when DynamoDB is busy, silent or refuses. Time is paused: pauses cost none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use embedded::Embedded;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use paradigm_scim::api::message::{Body, BodySource, Request};
use serde_json::{Value, json};

use crate::support::records::Records;
use test_support::world::{Call, World, store_through};

/// What happens to a request to DynamoDB.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Its response has this status and body, and it has no effect.
    Responded(u16, &'static str),
    /// It takes effect, and its response is lost.
    ResponseLost,
    /// It has no effect and no response.
    Lost,
    /// The connection is closed instead of a response, before it takes effect.
    Closed,
    /// The same, after it has taken effect.
    ClosedAfter,
    /// It has no effect and never gets a response.
    Silent,
    /// It takes effect, and never gets a response.
    SilentAfter,
    /// It takes effect, and its response is no JSON.
    Garbled,
    /// A transaction takes effect, its response is lost, and before it is sent again another program
    /// changes the user; other operations lose their response.
    Overtaken,
    /// None of the keys of a BatchGetItem is processed; other operations are throttled.
    Unprocessed,
    /// Half of the keys of a BatchGetItem are processed; other operations are throttled.
    HalfProcessed,
    /// It takes effect after so long.
    Late(Duration),
    /// A transaction is in conflict with another; other operations are throttled.
    Conflict,
    /// It is refused if it is this operation.
    NotPermitted(&'static str),
}

#[derive(Debug)]
struct Faulty {
    inner: SharedHttpConnector,
    fault: Fault,
    switch: Arc<Switch>,
}

/// Which of the coming requests a fault happens to.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    skip: AtomicUsize,
    left: AtomicUsize,
}

impl Switch {
    /// To so many, after so many others.
    pub(crate) fn set(&self, skip: usize, left: usize) {
        self.skip.store(skip, Ordering::SeqCst);
        self.left.store(left, Ordering::SeqCst);
    }

    fn is_on(&self) -> bool {
        let take = |counter: &AtomicUsize| {
            let one_less = |left: usize| left.checked_sub(1);
            counter
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
                .is_ok()
        };
        !take(&self.skip) && take(&self.left)
    }
}

impl HttpConnector for Faulty {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if !self.switch.is_on() {
            return self.inner.call(request);
        }
        let lost = || ConnectorError::io("connection reset".into());
        // What the SDK's HTTP client makes of it.
        let closed = || {
            let source = "connection closed before message completed".into();
            ConnectorError::other(source, Some(ErrorKind::TransientError))
        };
        match self.fault {
            Fault::Responded(status, body) => {
                let status = StatusCode::try_from(status).unwrap();
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
            Fault::ResponseLost => {
                let response = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    response.await?;
                    Err(lost())
                })
            }
            Fault::ClosedAfter => {
                let response = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    response.await?;
                    Err(closed())
                })
            }
            Fault::Silent => HttpConnectorFuture::new(std::future::pending()),
            Fault::SilentAfter => {
                let response = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    response.await?;
                    std::future::pending().await
                })
            }
            Fault::Garbled => {
                let response = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    let status = response.await?.status();
                    Ok(HttpResponse::new(status, SdkBody::from("{")))
                })
            }
            Fault::Conflict => {
                let target = request.headers().get("x-amz-target").unwrap_or_default();
                let is_transaction = target.ends_with("TransactWriteItems");
                let body = if is_transaction { CONFLICT } else { THROTTLED };
                let status = StatusCode::try_from(400).unwrap();
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
            Fault::Overtaken => {
                let change = change_of_another(&request);
                let response = self.inner.call(request);
                let inner = self.inner.clone();
                HttpConnectorFuture::new(async move {
                    response.await?;
                    if let Some(change) = change {
                        assert!(inner.call(change).await?.status().is_success());
                    }
                    Err(lost())
                })
            }
            Fault::Unprocessed => self.process(request, |_| 0),
            Fault::HalfProcessed => self.process(request, |keys| keys.div_ceil(2)),
            Fault::Late(by) => {
                let response = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    tokio::time::sleep(by).await;
                    response.await
                })
            }
            Fault::NotPermitted(operation) => {
                let target = request.headers().get("x-amz-target").unwrap_or_default();
                if !target.ends_with(operation) {
                    return self.inner.call(request);
                }
                let status = StatusCode::try_from(400).unwrap();
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(DENIED))))
            }
            Fault::Lost => HttpConnectorFuture::ready(Err(lost())),
            Fault::Closed => HttpConnectorFuture::ready(Err(closed())),
        }
    }
}

impl Faulty {
    /// Lets BatchGetItem process so many of its keys; other operations are throttled.
    fn process(
        &self,
        mut request: HttpRequest,
        processed: fn(usize) -> usize,
    ) -> HttpConnectorFuture {
        let respond = |status: u16, body: String| {
            let status = StatusCode::try_from(status).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
        };
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if !target.ends_with("BatchGetItem") {
            return respond(400, THROTTLED.to_owned());
        }
        let mut body = json_of(request.body());
        let mut unprocessed = body["RequestItems"].clone();
        let keys = |tables: &mut Value| {
            let table = tables.as_object_mut().unwrap().values_mut().next().unwrap();
            std::mem::take(table["Keys"].as_array_mut().unwrap())
        };
        let mut left = keys(&mut unprocessed);
        let taken: Vec<Value> = left.drain(..processed(left.len())).collect();
        if !left.is_empty() {
            *unprocessed
                .as_object_mut()
                .unwrap()
                .values_mut()
                .next()
                .unwrap() = json!({"Keys": left});
        } else {
            unprocessed = json!({});
        }
        if taken.is_empty() {
            let nothing = json!({"Responses": {}, "UnprocessedKeys": unprocessed});
            return respond(200, nothing.to_string());
        }
        let table = body["RequestItems"].as_object_mut().unwrap();
        table.values_mut().next().unwrap()["Keys"] = taken.into();
        *request.body_mut() = SdkBody::from(body.to_string());
        let response = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await?;
            let mut body = json_of(response.body());
            body["UnprocessedKeys"] = unprocessed;
            Ok(HttpResponse::new(
                response.status(),
                SdkBody::from(body.to_string()),
            ))
        })
    }
}

fn json_of(body: &SdkBody) -> Value {
    serde_json::from_slice(body.bytes().unwrap()).unwrap()
}

/// Returns what another program might do to the user that a transaction writes: a new version of the item.
fn change_of_another(request: &HttpRequest) -> Option<HttpRequest> {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    if !target.ends_with("TransactWriteItems") {
        return None;
    }
    let put = json_of(request.body())["TransactItems"][0]["Put"].clone();
    let change = json!({
        "TableName": put["TableName"],
        "Key": {"PK": put["Item"]["PK"], "SK": put["Item"]["SK"]},
        "UpdateExpression": "SET writeId = :another ADD version :one",
        "ConditionExpression": "attribute_exists(PK)",
        "ExpressionAttributeValues": {":another": {"S": "another"}, ":one": {"N": "1"}},
    });
    let mut request = HttpRequest::new(SdkBody::from(change.to_string()));
    let target = "DynamoDB_20120810.UpdateItem";
    request.headers_mut().insert("x-amz-target", target);
    Some(request)
}

/// Returns a world in which a fault can be switched on for so many requests.
pub(crate) async fn world(fault: Fault) -> (World, Arc<Switch>) {
    let switch = Arc::new(Switch::default());
    let theirs = Arc::clone(&switch);
    let embedded = Embedded::in_memory().unwrap();
    let store = store_through(&embedded, move |inner| Faulty {
        inner,
        fault,
        switch: Arc::clone(&theirs),
    })
    .await;
    (World::on(store), switch)
}

pub(crate) const THROTTLED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#;
const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"},{"Code":"None"},{"Code":"None"}]}"#;
const DENIED: &str =
    r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"#;

#[tokio::test(start_paused = true)]
async fn a_busy_store_is_503_with_retry_after_and_never_500() {
    for fault in [
        Fault::Responded(500, ""),
        Fault::Responded(503, "<html>"),
        Fault::Responded(429, ""),
        Fault::Responded(400, THROTTLED),
        Fault::Lost,
        Fault::Closed,
    ] {
        let (world, switch) = world(fault).await;
        let client = world.client().await;
        let id = client.create(&json!({"userName": "u"})).await;
        switch.set(0, usize::MAX);
        let disable = json!([{"op": "replace", "path": "active", "value": false}]);
        for response in [
            client.get(&format!("/Users/{id}")).await,
            client.get("/Users").await,
            client.post(&json!({"userName": "v"})).await,
            client.patch(&id, &disable).await,
            client.delete(&id).await,
        ] {
            response.assert_error(503, None);
            assert!(response.header("retry-after").is_some(), "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_nothing_is_done_twice() {
    for fault in [
        Fault::Responded(400, THROTTLED),
        Fault::Conflict,
        Fault::Responded(500, ""),
        Fault::Lost,
        Fault::ResponseLost,
        Fault::Closed,
        Fault::ClosedAfter,
    ] {
        for times in [1, 4] {
            let (world, switch) = world(fault).await;
            let client = world.client().await;
            client.get("/Users").await.assert_status(200);
            switch.set(0, times);
            let id = client
                .create(&json!({"userName": "u", "emails": [{"value": "e"}]}))
                .await;
            // The read before a change is not tried again as often: one fault.
            switch.set(0, 1);
            let set = json!([{"op": "add", "path": "title", "value": "T"}]);
            let patched = client.patch(&id, &set).await;
            patched.assert_status(200);
            assert_eq!(patched.json()["meta"]["version"], "W/\"2\"", "{fault:?}");
            switch.set(0, 0);
            assert_eq!(client.get("/Users").await.total(), 2, "{fault:?}");
            assert_eq!(client.filter("emails.value eq \"e\"").await.total(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_is_500_without_its_cause() {
    let (world, switch) = world(Fault::Responded(400, DENIED)).await;
    let client = world.client().await;
    client.get("/Users").await.assert_status(200);
    switch.set(0, usize::MAX);
    let response = client.get("/Users").await;
    response.assert_error(500, None);
    assert!(!response.json().to_string().contains("Denied"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_bulk_request_ends_in_time_and_says_what_was_not_done() {
    let (world, switch) = world(Fault::Late(Duration::from_millis(1900))).await;
    let client = world.client().await;
    let create = |number| json!({"method": "POST", "path": "/Users", "bulkId": format!("{number}"), "data": {"userName": format!("u{number}")}});
    let operations: Vec<_> = (0..100).map(create).collect();
    let call = Call::new("POST", "/Bulk").json(&json!({"Operations": operations}));
    let started = tokio::time::Instant::now();
    switch.set(0, usize::MAX);
    let response = client.send(call).await;
    switch.set(0, 0);
    assert!(started.elapsed() < Duration::from_secs(25));
    response.assert_status(200);
    let results = response.json()["Operations"].as_array().unwrap();
    let of_status = |status: &str| {
        results
            .iter()
            .filter(|result| result["status"] == status)
            .count()
    };
    assert_eq!((of_status("201"), of_status("503")), (8, 92));
    assert_eq!(results[99]["response"]["status"], "503");
    assert_eq!(client.get("/Users").await.total(), 9);
}

#[tokio::test(start_paused = true)]
async fn a_request_does_not_fail_because_the_use_of_its_key_cannot_be_recorded() {
    for fault in [
        Fault::NotPermitted("UpdateItem"),
        Fault::Late(Duration::from_millis(900)),
    ] {
        let (world, switch) = world(fault).await;
        let client = world.client().await;
        switch.set(0, usize::MAX);
        client.get("/Users").await.assert_status(200);
    }
}

/// The write may have been carried out, and the log is what is left if the database is lost.
#[tokio::test(start_paused = true)]
async fn the_log_names_a_user_whose_anonymising_has_no_known_outcome() {
    for fault in [Fault::SilentAfter, Fault::Silent] {
        let (world, switch) = world(fault).await;
        let (world, records) = Records::of(world);
        let client = world.client().await;
        let id = client.create(&json!({"userName": "gone"})).await;
        client.get("/Users").await.assert_status(200);
        switch.set(1, usize::MAX);
        assert_eq!(client.delete(&id).await.status, 503);
        assert_eq!(records.pop().anonymised, [id]);
    }
}

/// A body whose reading panics: a defect, with something personal in the message.
struct Defect;

impl BodySource for Defect {
    async fn read(self, _: usize) -> Body {
        panic!("ada@example.com")
    }
}

#[tokio::test]
async fn a_panic_becomes_a_scim_error_and_a_line_of_the_log_and_the_service_goes_on() {
    let (world, records) = Records::of(World::new().await);
    let client = world.client().await;
    let mut headers = HeaderMap::new();
    let token = format!("Bearer {}", client.token);
    headers.insert(AUTHORIZATION, token.parse().unwrap());
    let request = Request {
        id: "request-1".to_owned(),
        method: Method::POST,
        path: "/scim/v2/Users".to_owned(),
        query: String::new(),
        headers,
        body: Defect,
        origin: "https://scim.example.com".to_owned(),
    };
    let response = world.service.handle(request).await;
    assert_eq!(response.status.as_u16(), 500);
    let body: Value = serde_json::from_slice(&response.body.unwrap()).unwrap();
    assert_eq!(body["status"], "500");
    assert!(!body.to_string().contains("ada"), "{body}");
    let record = records.pop();
    assert_eq!((record.status, record.rule), (500, Some("internal")));
    assert_eq!(record.company, Some(client.company.to_string()));
    assert!(!record.cause.unwrap().contains("ada"));
    assert_eq!(client.get("/Users").await.status, 200);
}

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
use paradigm_scim::store::embedded::Embedded;
use serde_json::json;

use crate::support::{Call, World, store_through};

/// What happens to a request to DynamoDB.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// It is answered with this status and body, and has no effect.
    Answered(u16, &'static str),
    /// It takes effect, and its answer is lost.
    AnswerLost,
    /// It has no effect and no answer.
    Lost,
    /// It takes effect after so long.
    Late(Duration),
    /// It is refused if it is this operation.
    NotPermitted(&'static str),
}

#[derive(Debug)]
struct Faulty {
    inner: SharedHttpConnector,
    fault: Fault,
    /// How many of the coming requests it happens to.
    left: Arc<AtomicUsize>,
}

impl HttpConnector for Faulty {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let take = |left: usize| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
            .is_err()
        {
            return self.inner.call(request);
        }
        let lost = || ConnectorError::io("connection reset".into());
        match self.fault {
            Fault::Answered(status, body) => {
                let status = StatusCode::try_from(status).unwrap();
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
            Fault::AnswerLost => {
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(lost())
                })
            }
            Fault::Late(by) => {
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    tokio::time::sleep(by).await;
                    answer.await
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
        }
    }
}

/// A world in which a fault can be switched on for so many requests.
async fn world(fault: Fault) -> (World, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(0));
    let switch = Arc::clone(&left);
    let embedded = Embedded::in_memory().unwrap();
    let store = store_through(&embedded, move |inner| Faulty {
        inner,
        fault,
        left: Arc::clone(&switch),
    })
    .await;
    (World::on(store), left)
}

const THROTTLED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#;
const CONFLICT: &str = r#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"},{"Code":"None"},{"Code":"None"}]}"#;
const DENIED: &str =
    r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"#;

#[tokio::test(start_paused = true)]
async fn a_busy_store_is_503_with_retry_after_and_never_500() {
    for fault in [
        Fault::Answered(500, ""),
        Fault::Answered(503, "<html>"),
        Fault::Answered(429, ""),
        Fault::Answered(400, THROTTLED),
        Fault::Lost,
    ] {
        let (world, left) = world(fault).await;
        let client = world.client().await;
        let id = client.create(&json!({"userName": "u"})).await;
        left.store(usize::MAX, Ordering::SeqCst);
        let disable = json!([{"op": "replace", "path": "active", "value": false}]);
        for answer in [
            client.get(&format!("/Users/{id}")).await,
            client.get("/Users").await,
            client.post(&json!({"userName": "v"})).await,
            client.patch(&id, &disable).await,
            client.delete(&id).await,
        ] {
            answer.assert_error(503, None);
            assert!(answer.header("retry-after").is_some(), "{fault:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_passes_is_tried_again_and_nothing_is_done_twice() {
    for fault in [
        Fault::Answered(400, THROTTLED),
        Fault::Answered(400, CONFLICT),
        Fault::Answered(500, ""),
        Fault::Lost,
        Fault::AnswerLost,
    ] {
        for times in [1, 4] {
            let (world, left) = world(fault).await;
            let client = world.client().await;
            client.get("/Users").await.assert_status(200);
            left.store(times, Ordering::SeqCst);
            let id = client
                .create(&json!({"userName": "u", "emails": [{"value": "e"}]}))
                .await;
            // Reads have no write id to recognise themselves by, and no second loop: one fault.
            left.store(1, Ordering::SeqCst);
            let set = json!([{"op": "add", "path": "title", "value": "T"}]);
            let patched = client.patch(&id, &set).await;
            if !matches!(fault, Fault::Answered(_, CONFLICT)) {
                patched.assert_status(200);
                assert_eq!(patched.json()["meta"]["version"], "W/\"2\"", "{fault:?}");
            }
            left.store(0, Ordering::SeqCst);
            assert_eq!(client.get("/Users").await.total(), 2, "{fault:?}");
            assert_eq!(client.filter("emails.value eq \"e\"").await.total(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_is_500_without_its_cause() {
    let (world, left) = world(Fault::Answered(400, DENIED)).await;
    let client = world.client().await;
    client.get("/Users").await.assert_status(200);
    left.store(usize::MAX, Ordering::SeqCst);
    let answer = client.get("/Users").await;
    answer.assert_error(500, None);
    assert!(!answer.json().to_string().contains("Denied"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_bulk_request_ends_in_time_and_says_what_was_not_done() {
    let (world, left) = world(Fault::Late(Duration::from_millis(1900))).await;
    let client = world.client().await;
    let create = |number| json!({"method": "POST", "path": "/Users", "bulkId": format!("{number}"), "data": {"userName": format!("u{number}")}});
    let operations: Vec<_> = (0..100).map(create).collect();
    let call = Call::new("POST", "/Bulk").json(&json!({"Operations": operations}));
    let started = tokio::time::Instant::now();
    left.store(usize::MAX, Ordering::SeqCst);
    let answer = client.send(call).await;
    left.store(0, Ordering::SeqCst);
    assert!(started.elapsed() < Duration::from_secs(25));
    answer.assert_status(200);
    let results = answer.json()["Operations"].as_array().unwrap();
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
async fn a_request_does_not_fail_because_the_use_of_its_key_cannot_be_noted() {
    for fault in [
        Fault::NotPermitted("UpdateItem"),
        Fault::Late(Duration::from_millis(900)),
    ] {
        let (world, left) = world(fault).await;
        let client = world.client().await;
        left.store(usize::MAX, Ordering::SeqCst);
        client.get("/Users").await.assert_status(200);
    }
}

//! An event bus and a queue of the tests' own.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use embedded::Embedded;
use paradigm_scim::events::Publisher;
use paradigm_scim::lambda::stream::{self, StreamEvent};
use scim::event::Content;
use serde_json::{Value, json};

pub const BASE_URL: &str = "https://scim.example.com/scim/v2";

/// An event bus that keeps what it takes, and refuses what contains a text; and a queue.
#[derive(Debug, Clone, Default)]
pub struct Bus {
    pub taken: Arc<Mutex<Vec<Value>>>,
    pub batches: Arc<Mutex<Vec<usize>>>,
    pub buried: Arc<Mutex<Vec<Value>>>,
    /// The requested actions, as IAM names them.
    pub actions: Arc<Mutex<BTreeSet<String>>>,
    pub refuses: Option<String>,
    pub refuses_with: &'static str,
    pub is_down: bool,
}

impl HttpConnector for Bus {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap();
        self.actions.lock().unwrap().insert(action(target));
        let status = if self.is_down { 400 } else { 200 };
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        if let Some(letter) = body["MessageBody"].as_str() {
            if !self.is_down {
                let letter = serde_json::from_str(letter).unwrap();
                self.buried.lock().unwrap().push(letter);
            }
            let status = status.try_into().unwrap();
            let response = SdkBody::from(json!({"MessageId": "1"}).to_string());
            return HttpConnectorFuture::ready(Ok(HttpResponse::new(status, response)));
        }
        if target == "AWSEvents.DescribeEventBus" {
            let response = SdkBody::from(json!({"Name": body["Name"]}).to_string());
            let status = status.try_into().unwrap();
            return HttpConnectorFuture::ready(Ok(HttpResponse::new(status, response)));
        }
        let entries = body["Entries"].as_array().unwrap();
        let results: Vec<Value> = entries
            .iter()
            .map(|entry| {
                let detail = entry["Detail"].as_str().unwrap();
                if self
                    .refuses
                    .as_deref()
                    .is_some_and(|text| detail.contains(text))
                {
                    return json!({"ErrorCode": self.refuses_with});
                }
                let mut entry = entry.clone();
                entry["Detail"] = serde_json::from_str(detail).unwrap();
                self.taken.lock().unwrap().push(entry);
                json!({"EventId": "1"})
            })
            .collect();
        self.batches.lock().unwrap().push(entries.len());
        let response = json!({"FailedEntryCount": 0, "Entries": results}).to_string();
        let status = status.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(response))))
    }
}

/// Returns the action that an operation is to IAM.
fn action(target: &str) -> String {
    let (service, operation) = target.split_once('.').unwrap();
    match service {
        "AWSEvents" => format!("events:{operation}"),
        "AmazonSQS" => format!("sqs:{operation}"),
        other => panic!("{other}"),
    }
}

/// Returns a publisher to an event bus that a configuration leads to.
pub fn publisher(config: SdkConfig, content: Content) -> Publisher {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = config
        .into_builder()
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Publisher {
        event_bridge: aws_sdk_eventbridge::Client::new(&config),
        bus: "paradigm".to_owned(),
        sqs: aws_sdk_sqs::Client::new(&config),
        dead_letter_queue: "https://queue.example.com/undelivered".to_owned(),
        content,
        base_url: BASE_URL.to_owned(),
    }
}

impl Bus {
    pub fn publisher(&self, content: Content) -> Publisher {
        let connector = SharedHttpConnector::new(self.clone());
        let config = Embedded::in_memory().unwrap().config().into_builder();
        let config = config
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        publisher(config, content)
    }

    /// Publishes an event of the stream. Returns what the bus took, and the records to redeliver.
    pub async fn after(&self, content: Content, event: &Value) -> (Vec<Value>, Vec<String>) {
        let event: StreamEvent = serde_json::from_value(event.clone()).unwrap();
        let response = stream::respond(&self.publisher(content), event).await;
        let failures = response.batch_item_failures.into_iter();
        let failures = failures.map(|failure| failure.item_identifier.unwrap());
        let taken = std::mem::take(&mut *self.taken.lock().unwrap());
        (taken, failures.collect())
    }
}

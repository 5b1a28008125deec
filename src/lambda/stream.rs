//! Records of the table's stream, for the handler that publishes events.

use aws_lambda_events::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_http::lambda_runtime;
use lambda_http::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::Value;

use crate::api::route::base_url;
use crate::aws::handler::of_handler;
use crate::config::Config;
use crate::events::Publisher;
use crate::telemetry;

/// A batch of records. They are read one by one, so that an unreadable one stops no other.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    /// The records, oldest first.
    #[serde(rename = "Records")]
    pub records: Vec<Value>,
}

/// Runs the handler until Lambda ends the process.
///
/// # Errors
/// The configuration is incomplete, the bus cannot be used, or the runtime API of Lambda cannot be reached.
pub async fn run() -> Result<(), Error> {
    let config = Config::from_env();
    telemetry::log_as_json(&config);
    let public_url = config.public_url.as_deref();
    let base_url = base_url(public_url.ok_or("SCIM_PUBLIC_URL is not set")?);
    let sdk_config = of_handler(None).await;
    let publisher = Publisher::new(&sdk_config, config.events?, base_url);
    publisher.find_bus().await?;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<StreamEvent>| {
        Ok::<_, Error>(respond(&publisher, event.payload).await)
    }))
    .await
}

/// Publishes what a batch says, and names the records that Lambda must redeliver.
pub async fn respond(publisher: &Publisher, event: StreamEvent) -> DynamoDbEventResponse {
    let failed = publisher.publish(&event.records).await;
    let mut response = DynamoDbEventResponse::default();
    response.batch_item_failures = failed.into_iter().map(failure).collect();
    response
}

fn failure(sequence_number: String) -> DynamoDbBatchItemFailure {
    let mut failure = DynamoDbBatchItemFailure::default();
    failure.item_identifier = Some(sequence_number);
    failure
}

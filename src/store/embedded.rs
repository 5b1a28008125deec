//! DynamoDB in this process: the SDK's requests go to [`dynoxide`] without a socket.

use std::path::Path;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Store, StoreError};

const TARGET_PREFIX: &str = "DynamoDB_20120810.";

impl Store {
    /// A store in memory, with its table made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn in_memory(table: &str) -> Result<Self, StoreError> {
        Self::embedded(&in_memory_config()?, table).await
    }

    /// A store in a file, with its table made. Several processes may use it at a time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn in_file(path: &Path, table: &str) -> Result<Self, StoreError> {
        let path = path.to_str().ok_or(StoreError::Corrupt("path"))?;
        let database = Database::new(path).map_err(not_opened)?;
        Self::embedded(&config(database), table).await
    }

    async fn embedded(config: &SdkConfig, table: &str) -> Result<Self, StoreError> {
        let store = Self::new(config, table);
        store.ensure_table().await?;
        Ok(store)
    }
}

/// The SDK's configuration for a new database in memory, without a table yet.
///
/// # Errors
/// [`StoreError`].
pub fn in_memory_config() -> Result<SdkConfig, StoreError> {
    Ok(config(Database::memory().map_err(not_opened)?))
}

fn not_opened(error: DynoxideError) -> StoreError {
    StoreError::Refused {
        code: "the embedded store cannot be opened".to_owned(),
        source: error.into(),
    }
}

fn config(database: Database) -> SdkConfig {
    let connector = SharedHttpConnector::new(EmbeddedDynamoDb { database });
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::from_static("local"))
        .endpoint_url("http://embedded.invalid")
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "embedded", "embedded", None, None, "embedded",
        )))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build()
}

struct EmbeddedDynamoDb {
    database: Database,
}

impl std::fmt::Debug for EmbeddedDynamoDb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmbeddedDynamoDb")
    }
}

impl HttpConnector for EmbeddedDynamoDb {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.answer(&request))
    }
}

impl EmbeddedDynamoDb {
    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let operation = request
            .headers()
            .get("x-amz-target")
            .and_then(|target| target.strip_prefix(TARGET_PREFIX))
            .unwrap_or_default();
        let body = request.body().bytes().unwrap_or_default();
        let (status, json) = match self.run(operation, body) {
            Ok(json) => (200, json),
            Err(error) => refusal(&error),
        };
        let status = StatusCode::try_from(status)
            .map_err(|error| ConnectorError::other(error.into(), None))?;
        let mut response = HttpResponse::new(status, SdkBody::from(json));
        response
            .headers_mut()
            .insert("content-type", "application/x-amz-json-1.0");
        Ok(response)
    }

    fn run(&self, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
        let database = &self.database;
        match operation {
            "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
            "CreateTable" => call(body, |request| database.create_table(request)),
            "GetItem" => call(body, |request| database.get_item(request)),
            "PutItem" => call(body, |request| database.put_item(request)),
            "Query" => call(body, |request| database.query(request)),
            "Scan" => call(body, |request| database.scan(request)),
            "TransactWriteItems" => call(body, |request| database.transact_write_items(request)),
            _ => Err(DynoxideError::ValidationException(format!(
                "The embedded store does not know the operation '{operation}'"
            ))),
        }
    }
}

fn call<Request: DeserializeOwned, Response: Serialize>(
    body: &[u8],
    run: impl FnOnce(Request) -> Result<Response, DynoxideError>,
) -> Result<Vec<u8>, DynoxideError> {
    let request = serde_json::from_slice(body)
        .map_err(|error| DynoxideError::ValidationException(error.to_string()))?;
    let response = run(request)?;
    serde_json::to_vec(&response)
        .map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

/// The answer for an error. Where another process holds the file, DynamoDB would throttle: the
/// SDK then tries again.
fn refusal(error: &DynoxideError) -> (u16, Vec<u8>) {
    let message = error.to_string();
    let is_busy = matches!(error, DynoxideError::SqliteError(_))
        && (message.contains("locked") || message.contains("busy"));
    if is_busy {
        let throttled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"the file is in use"}"#;
        return (400, throttled.into());
    }
    (error.status_code(), error.to_json().into_bytes())
}

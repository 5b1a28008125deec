//! DynamoDB in this process: the SDK's requests go to [`dynoxide`] without a socket.

pub mod demo;
mod file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{Region, SdkConfig};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use dynoxide::actions::transact_write_items::TransactWriteItemsRequest;
use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpListener;

use file::InUse;
use paradigm_scim::aws::sdk_config;
use paradigm_scim::store::dynamodb::DynamoDb;
use paradigm_scim::store::{Store, StoreError};

const TARGET_PREFIX: &str = "DynamoDB_20120810.";
/// Status of a response to a request for which there is no space: one that the SDK does not send again.
const INSUFFICIENT_STORAGE: u16 = 507;
/// Two processes that open one file at a time meet for moments only.
const OPENING_ATTEMPTS: u32 = 20;
const OPENING_PAUSE: Duration = Duration::from_millis(100);

/// A DynamoDB in this process, in memory or in a file.
#[derive(Clone)]
pub struct Embedded {
    database: Database,
    /// The use of the file, which ends after the database is closed; `None` in memory.
    file: Option<InUse>,
}

impl Embedded {
    /// Returns an empty database in memory.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Database::memory().map_err(|error| not_opened(&error))?;
        Ok(Self {
            database,
            file: None,
        })
    }

    /// Returns the database in a file, which is created if it is not there. Several processes may use it at a time.
    /// After an unclean stop the whole file is read and checked first.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a damaged file and for one that cannot be opened, [`StoreError::Unwritable`] for a
    /// full disk.
    pub fn in_file(path: &Path) -> Result<Self, StoreError> {
        let text = path
            .to_str()
            .ok_or_else(|| StoreError::Refused("the path is not UTF-8".to_owned()))?;
        let in_use = file::prepare(path)?;
        let mut attempts = 1;
        loop {
            match Database::new(text) {
                Ok(database) => {
                    return Ok(Self {
                        database,
                        file: Some(in_use),
                    });
                }
                Err(error) if is_busy(&error) && attempts < OPENING_ATTEMPTS => attempts += 1,
                Err(error) => return Err(not_opened(&error)),
            }
            std::thread::sleep(OPENING_PAUSE);
        }
    }

    /// Returns the store on a table of this database, which is made if it is not there.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn store(&self, table: &str) -> Result<Store, StoreError> {
        let engine = DynamoDb::new(&self.config(), table);
        engine.ensure_table().await?;
        Ok(Store::on(Arc::new(engine)))
    }

    /// Returns the SDK's configuration for this database: requests reach it without a socket.
    #[must_use]
    pub fn config(&self) -> SdkConfig {
        let connector = SharedHttpConnector::new(Connector(self.clone()));
        SdkConfig::builder()
            .behavior_version(sdk_config::behavior_version())
            // One the SDK knows: another is compared with the patterns of all regions each time.
            .region(Region::from_static("us-east-1"))
            .endpoint_url("http://embedded.invalid")
            .retry_config(sdk_config::retries())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build()
    }

    /// Serves DynamoDB's API over HTTP until `shutdown` resolves.
    ///
    /// # Errors
    /// The reason why the server failed, as text.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), String> {
        dynoxide::server::serve_with_shutdown(listener, self.database, shutdown).await
    }
}

fn not_opened(error: &DynoxideError) -> StoreError {
    if let Some(reason) = file::failure(error) {
        return StoreError::Unwritable(reason);
    }
    if file::is_damage(error) {
        return file::damaged(&error.to_string());
    }
    StoreError::Refused(format!("the embedded store cannot be opened: {error}"))
}

struct Connector(Embedded);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("embedded DynamoDB")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.0.file.is_none() {
            return HttpConnectorFuture::ready(respond(&self.0.database, &request));
        }
        // A file may have to be waited for, and must not hold up other requests meanwhile.
        let database = self.0.database.clone();
        HttpConnectorFuture::new(async move {
            tokio::task::spawn_blocking(move || respond(&database, &request))
                .await
                .map_err(|error| ConnectorError::other(error.into(), None))?
        })
    }
}

fn respond(database: &Database, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let operation = request
        .headers()
        .get("x-amz-target")
        .and_then(|target| target.strip_prefix(TARGET_PREFIX))
        .unwrap_or_default();
    let body = request.body().bytes().unwrap_or_default();
    let (status, json) = match run(database, operation, body) {
        Ok(json) => (200, json),
        Err(error) => refusal(&error),
    };
    let status =
        StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut response = HttpResponse::new(status, SdkBody::from(json));
    response
        .headers_mut()
        .insert("content-type", "application/x-amz-json-1.0");
    Ok(response)
}

fn run(database: &Database, operation: &str, body: &[u8]) -> Result<Vec<u8>, DynoxideError> {
    match operation {
        "BatchGetItem" => call(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => call(body, |request| database.batch_write_item(request)),
        "CreateTable" => call(body, |request| database.create_table(request)),
        "DeleteItem" => call(body, |request| database.delete_item(request)),
        "DescribeTable" => call(body, |request| database.describe_table(request)),
        "GetItem" => call(body, |request| database.get_item(request)),
        "PutItem" => call(body, |request| database.put_item(request)),
        "Query" => call(body, |request| database.query(request)),
        "Scan" => call(body, |request| database.scan(request)),
        "TransactWriteItems" => call(body, |mut request: TransactWriteItemsRequest| {
            // The SDK sends one with each transaction, and the emulator looks through those of the last
            // ten minutes each time. A change's audit record shows that it was written before.
            request.client_request_token = None;
            database.transact_write_items(request)
        }),
        "UpdateItem" => call(body, |request| database.update_item(request)),
        _ => Err(DynoxideError::ValidationException(format!(
            "The embedded store does not know the operation '{operation}'"
        ))),
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

/// Returns the response for an error. If another process holds the file, it is a throttle, after which the
/// SDK tries again.
fn refusal(error: &DynoxideError) -> (u16, Vec<u8>) {
    if is_busy(error) {
        let throttled = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"the file is in use"}"#;
        return (400, throttled.into());
    }
    if let Some(reason) = file::failure(error) {
        let unwritable = json!({"__type": reason.code(), "message": reason.to_string()});
        return (INSUFFICIENT_STORAGE, unwritable.to_string().into_bytes());
    }
    (error.status_code(), error.to_json().into_bytes())
}

/// Returns whether another process holds the file.
fn is_busy(error: &DynoxideError) -> bool {
    let message = error.to_string();
    message.contains("locked") || message.contains("busy")
}

//! API Gateway's HTTP API events (payload version 2.0) as requests and responses: the only file that knows its
//! event types.
//!
//! `lambda_http::run` makes an `http::Uri` of the event before our code sees it, and panics on an
//! unescaped `"` or space in `rawQueryString`, which Entra has been captured sending. So its
//! runtime and event types are used without that conversion.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::lambda_runtime;
use lambda_http::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::api::Service;
use crate::api::message::{Body, Request, Response};
use crate::api::route::Handler;
use crate::aws::handler::of_handler;
use crate::config::{Config, SystemClock};
use crate::store::Store;
use crate::telemetry;

/// Runs a handler until Lambda ends the process.
///
/// # Errors
/// The runtime API of Lambda cannot be reached.
pub async fn run(handler: Handler) -> Result<(), Error> {
    let config = Config::from_env();
    telemetry::log_as_json(&config);
    if let Err(reason) = &config.access_token_minutes {
        tracing::warn!("{reason}");
    }
    let store = store(&config).await;
    if handler.needs_store() {
        store.connect().await;
    }
    let service = Service::new(store, config, Arc::new(SystemClock)).only(handler);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        Ok::<_, Error>(respond(&service, event).await)
    }))
    .await
}

/// Handles one event. The event is parsed here and not by the runtime, which would log what it cannot read, such
/// as a token with a line feed behind it.
pub async fn respond(
    service: &Service,
    event: LambdaEvent<Box<RawValue>>,
) -> ApiGatewayV2httpResponse {
    let LambdaEvent { payload, context } = event;
    sent(match serde_json::from_str(payload.get()) {
        Ok(payload) => {
            service
                .handle(received(LambdaEvent { payload, context }))
                .await
        }
        Err(_) => service.refuse_unreadable(&context.request_id, &accept_of(&payload)),
    })
}

/// Returns the `Accept` of an event that is not as API Gateway sends it; empty if there is none.
fn accept_of(event: &RawValue) -> String {
    let event: Value = serde_json::from_str(event.get()).unwrap_or_default();
    let accept = event.pointer("/headers/accept").and_then(Value::as_str);
    accept.unwrap_or_default().to_owned()
}

fn received(event: LambdaEvent<ApiGatewayV2httpRequest>) -> Request {
    let LambdaEvent { payload, context } = event;
    let gateway = payload.request_context;
    let body = payload.body.unwrap_or_default();
    let body = if payload.is_base64_encoded {
        STANDARD
            .decode(body)
            .map_or(Body::Broken, |bytes| Body::Complete(bytes.into()))
    } else {
        Body::Complete(body.into())
    };
    Request {
        id: context.request_id,
        method: gateway.http.method,
        path: without_stage(
            payload.raw_path.unwrap_or_default(),
            gateway.stage.as_deref().unwrap_or_default(),
        ),
        query: payload.raw_query_string.unwrap_or_default(),
        headers: payload.headers,
        body,
        origin: format!("https://{}", gateway.domain_name.unwrap_or_default()),
    }
}

/// Returns a path without the stage's name, with which it begins on a stage other than `$default`.
fn without_stage(path: String, stage: &str) -> String {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(stage))
        .filter(|rest| !stage.is_empty() && rest.starts_with('/'))
        .map(str::to_owned)
        .unwrap_or(path)
}

fn sent(response: Response) -> ApiGatewayV2httpResponse {
    let mut sent = ApiGatewayV2httpResponse::default();
    sent.status_code = i64::from(response.status.as_u16());
    sent.headers = response.headers;
    sent.body = response
        .body
        .map(|body| lambda_http::Body::Text(text(body)));
    sent
}

/// Returns a body as text, which JSON always is.
fn text(body: Bytes) -> String {
    String::from_utf8(body.into())
        .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}

/// Makes the store on the table of DynamoDB that the environment names.
async fn store(config: &Config) -> Store {
    let sdk_config = of_handler(config.dynamodb_endpoint_url.clone()).await;
    let store = Store::new(&sdk_config, &config.table);
    match &config.audit_retention_days {
        Ok(days) => store.keeping_audit_for(*days),
        Err(reason) => {
            // Users are served all the same.
            tracing::warn!("{reason}");
            store
        }
    }
}

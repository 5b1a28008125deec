//! A store whose calls to DynamoDB are counted, with the capacity they consume.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use embedded::Embedded;
use paradigm_scim::store::Store;
use serde_json::Value;

use test_support::world::store_through;

/// Operations in the order of their names, with their number.
pub(crate) type Calls = BTreeMap<String, usize>;

/// The requests to DynamoDB.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Usage {
    pub(crate) calls: Calls,
    pub(crate) read_units: f64,
    pub(crate) write_units: f64,
}

#[derive(Debug)]
struct Counting {
    inner: SharedHttpConnector,
    usage: Arc<Mutex<Usage>>,
}

impl HttpConnector for Counting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let usage = Arc::clone(&self.usage);
        let response = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let response = response.await?;
            let body: Value = serde_json::from_slice(response.body().bytes().unwrap()).unwrap();
            let consumed = match &body["ConsumedCapacity"] {
                Value::Array(tables) => tables.clone(),
                one => vec![one.clone()],
            };
            let units = consumed
                .iter()
                .filter_map(|consumed| consumed["CapacityUnits"].as_f64());
            let mut usage = usage.lock().unwrap();
            match operation.as_str() {
                "GetItem" | "BatchGetItem" | "Query" => usage.read_units += units.sum::<f64>(),
                _ => usage.write_units += units.sum::<f64>(),
            }
            *usage.calls.entry(operation).or_default() += 1;
            Ok(response)
        })
    }
}

pub(crate) async fn counted_store(embedded: &Embedded) -> (Store, Arc<Mutex<Usage>>) {
    let usage = Arc::new(Mutex::new(Usage::default()));
    let counted = Arc::clone(&usage);
    let store = store_through(embedded, move |inner| Counting {
        inner,
        usage: Arc::clone(&counted),
    })
    .await;
    (store, usage)
}

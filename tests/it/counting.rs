//! A store whose calls to DynamoDB are counted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use paradigm_scim::store::Store;

use crate::support::store_through;

/// Operations in the order of their names, with their number.
pub(crate) type Calls = BTreeMap<String, usize>;

#[derive(Debug)]
struct Counting {
    inner: SharedHttpConnector,
    calls: Arc<Mutex<Calls>>,
}

impl HttpConnector for Counting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        *self.calls.lock().unwrap().entry(operation).or_default() += 1;
        self.inner.call(request)
    }
}

pub(crate) async fn counted_store() -> (Store, Arc<Mutex<Calls>>) {
    let calls = Arc::new(Mutex::new(Calls::new()));
    let counted = Arc::clone(&calls);
    let store = store_through(move |inner| Counting {
        inner,
        calls: Arc::clone(&counted),
    })
    .await;
    (store, calls)
}

//! What a filter or sort goes through.

use super::{document_of, search};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use embedded::Embedded;
use paradigm_scim::directory::user::MAX_DOCUMENT_BYTES;
use paradigm_scim::store::MAX_SCANNED_USERS;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use test_support::world::{World, fill, fill_with, store_through};

/// Most bytes of documents that a filter or sort reads.
const MAX_SCANNED_BYTES: usize = 32 * 1024 * 1024;

/// Most users that a page by cursor reads.
const MAX_SCANNED_PER_PAGE: usize = 1_000;

#[tokio::test]
async fn bytes_that_a_filter_or_sort_goes_through() {
    let (world, table) = World::with_table();
    let client = world.client().await;
    let administrator = r#"{"userName":"administrator@example.com","active":true}"#.len();
    let users = MAX_SCANNED_BYTES / MAX_DOCUMENT_BYTES;
    fill_with(
        &table,
        client.company,
        users - 1,
        document_of(MAX_DOCUMENT_BYTES),
    )
    .await;
    let rest = MAX_DOCUMENT_BYTES - administrator;
    fill_with(&table, client.company, 1, document_of(rest)).await;
    let queries = [("filter", "active eq true"), ("sortBy", "title")];
    for query in queries {
        let response = client.send(search(&[query, ("count", "1")])).await;
        assert_eq!(response.total(), users as u64 + 1, "{query:?}");
    }
    fill_with(&table, client.company, 1, document_of(100)).await;
    for query in queries {
        let response = client.send(search(&[query, ("count", "1")])).await;
        response.assert_error(400, Some("tooMany"));
    }
}

#[tokio::test]
async fn users_that_a_filter_or_sort_goes_through() {
    let (world, table) = World::with_table();
    let client = world.client().await;
    let (filter, sort) = (("filter", "active eq true"), ("sortBy", "title"));
    let go_through = async |queries: &[(&str, &str)]| {
        let mut totals = Vec::new();
        for &query in queries {
            let response = client.send(search(&[query, ("count", "1")])).await;
            totals.push(match response.status {
                200 => Some(response.total()),
                _ => {
                    response.assert_error(400, Some("tooMany"));
                    None
                }
            });
        }
        totals
    };
    let most = MAX_SCANNED_USERS as u64;
    // One is the administrator.
    fill(&table, client.company, MAX_SCANNED_USERS - 2).await;
    assert_eq!(go_through(&[filter]).await, [Some(most - 1)]);
    fill(&table, client.company, 1).await;
    assert_eq!(go_through(&[filter, sort]).await, [Some(most); 2]);
    fill(&table, client.company, 1).await;
    assert_eq!(go_through(&[filter, sort]).await, [None; 2]);
}

#[tokio::test]
async fn users_that_a_page_by_cursor_goes_through() {
    for users in MAX_SCANNED_PER_PAGE - 1..=MAX_SCANNED_PER_PAGE + 1 {
        let (world, table) = World::with_table();
        let client = world.client().await;
        // The first is the administrator, the last the one that is searched for.
        fill(&table, client.company, users - 2).await;
        let last = json!({"userName": "last", "title": "T"});
        client.create(&last).await;
        let page = async |cursor: &str| {
            let query = [("filter", "title eq \"T\""), ("cursor", cursor)];
            let page = client.send(search(&query)).await;
            let next = page.json()["nextCursor"].as_str().map(str::to_owned);
            (page.user_names().len(), next)
        };
        let (mut found, mut next) = page("").await;
        if users > MAX_SCANNED_PER_PAGE {
            assert_eq!(found, 0);
            (found, next) = page(&next.unwrap()).await;
        }
        assert_eq!((found, next), (1, None), "{users}");
    }
}

/// A store that takes a moment for each BatchGetItem, and counts how many it gets at a time.
#[derive(Debug)]
struct InFlight {
    inner: SharedHttpConnector,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl HttpConnector for InFlight {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if !target.ends_with("BatchGetItem") {
            return self.inner.call(request);
        }
        let (inner, now) = (self.inner.clone(), Arc::clone(&self.now));
        let at_a_time = now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(at_a_time, Ordering::SeqCst);
        HttpConnectorFuture::new(async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let response = inner.call(request).await;
            now.fetch_sub(1, Ordering::SeqCst);
            response
        })
    }
}

#[tokio::test(start_paused = true)]
async fn batches_that_a_filter_reads_at_a_time() {
    let embedded = Embedded::in_memory().unwrap();
    let (now, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let counted = Arc::clone(&most);
    let store = store_through(&embedded, move |inner| InFlight {
        inner,
        now: Arc::clone(&now),
        most: Arc::clone(&counted),
    })
    .await;
    let world = World::on(store);
    let client = world.client().await;
    fill(&embedded, client.company, 2_000).await;
    let response = client.filter("active eq true").await;
    assert_eq!(response.total(), 2_001);
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

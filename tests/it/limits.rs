//! Every limit, below it, at it and above it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::api::message::MAX_BODY_BYTES;
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::api_key::MAX_KEY_NAME_CHARS;
use paradigm_scim::directory::company::MAX_COMPANY_NAME_CHARS;
use paradigm_scim::directory::user::{MAX_DOCUMENT_BYTES, MAX_EMAILS, MAX_USER_NAME_CHARS};
use paradigm_scim::directory::{ApiKey, Company, CompanyId, CursorSecret, KeyId, Token, UserId};
use paradigm_scim::store::{MAX_LOOKUP_MATCHES, MAX_SCANNED_USERS};
use scim::compare::MAX_SORTED_CHARS;
use scim::filter::{MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH};
use scim::messages::{
    MAX_BULK_DATA_BYTES, MAX_BULK_ID_BYTES, MAX_BULK_OPERATIONS, MAX_BULK_PATH_BYTES,
    MAX_BULK_PAYLOAD_BYTES, MAX_PATCH_COMPARISONS, MAX_PATCH_OPERATIONS,
};
use scim::name::MAX_PATH_LENGTH;
use scim::page::MAX_COUNT;
use scim::patch::MAX_VALUE_BYTES;
use scim::projection::MAX_NAMES;
use scim::resource::MAX_VALUES;
use serde_json::{Value, json};
use uuid::Uuid;

use test_support::world::{Call, World, encode, fill, fill_with, store_through};

/// Most bytes of the users in a page.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of documents that are read for a page.
const MAX_PAGE_READ_BYTES: usize = 12 * 1024 * 1024;
/// Most bytes of documents that a filter or sort reads.
const MAX_SCANNED_BYTES: usize = 32 * 1024 * 1024;
/// Most users that a page by cursor reads.
const MAX_SCANNED_PER_PAGE: usize = 1_000;

/// A limit on what a caller sends: a request of a given size, and its responses.
struct Limit {
    name: &'static str,
    most: usize,
    request: Box<dyn Fn(usize) -> Call>,
    within: u16,
    beyond: (u16, Option<&'static str>),
}

fn limit(
    name: &'static str,
    most: usize,
    within: u16,
    beyond: (u16, Option<&'static str>),
    request: impl Fn(usize) -> Call + 'static,
) -> Limit {
    Limit {
        name,
        most,
        request: Box::new(request),
        within,
        beyond,
    }
}

/// JSON with spaces behind it, up to a length in bytes.
fn padded(body: &Value, length: usize) -> String {
    let text = body.to_string();
    format!("{text}{}", " ".repeat(length - text.len()))
}

fn search(query: &[(&str, &str)]) -> Call {
    Call::new("GET", "/Users").query(&encode(query))
}

fn limits(user: &str) -> Vec<Limit> {
    let refused = |scim_type| (400, Some(scim_type));
    let path = format!("/Users/{user}");
    let patch =
        move |operations: Value| Call::new("PATCH", &path).json(&json!({"Operations": operations}));
    let (patch_path, patch_value) = (patch.clone(), patch.clone());
    let patch_comparisons = patch.clone();
    let bulk = |operation: Value, number: usize| json!({"Operations": vec![operation; number]});
    let missing = json!({"method": "DELETE", "path": "/Users/nobody"});
    let few = bulk(missing.clone(), 1);
    vec![
        limit(
            "request body, bytes",
            MAX_BODY_BYTES,
            200,
            (413, None),
            |n| Call::new("POST", "/.search").body(padded(&json!({}), n)),
        ),
        limit(
            "bulk body, bytes",
            MAX_BULK_PAYLOAD_BYTES,
            200,
            (413, None),
            move |n| Call::new("POST", "/Bulk").body(padded(&few, n)),
        ),
        limit(
            "bulk operations",
            MAX_BULK_OPERATIONS,
            200,
            (413, None),
            move |n| Call::new("POST", "/Bulk").json(&bulk(missing.clone(), n)),
        ),
        limit(
            "bulkId, bytes",
            MAX_BULK_ID_BYTES,
            200,
            refused("invalidSyntax"),
            |n| {
                let operation =
                    json!({"method": "DELETE", "path": "/Users/nobody", "bulkId": "b".repeat(n)});
                Call::new("POST", "/Bulk").json(&json!({"Operations": [operation]}))
            },
        ),
        limit("JSON, levels", 127, 200, refused("invalidSyntax"), |n| {
            let body = format!("{{\"x\":{}{}}}", "[".repeat(n - 1), "]".repeat(n - 1));
            Call::new("POST", "/.search").body(body)
        }),
        limit(
            "PATCH operations",
            MAX_PATCH_OPERATIONS,
            200,
            refused("invalidSyntax"),
            move |n| {
                let operation = json!({"op": "replace", "path": "title", "value": "t"});
                patch(vec![operation; n].into())
            },
        ),
        limit(
            "PATCH path, bytes",
            MAX_PATH_LENGTH,
            200,
            refused("invalidPath"),
            move |n| {
                let path = format!("emails[type eq \"{}\"].value", "t".repeat(n - 24));
                patch_path(json!([
                    {"op": "remove", "path": "emails"},
                    {"op": "add", "path": path, "value": "a@x.org"},
                ]))
            },
        ),
        limit(
            "filter, bytes",
            MAX_FILTER_LENGTH,
            200,
            refused("invalidFilter"),
            |n| search(&[("filter", &format!("userName eq \"{}\"", "x".repeat(n - 14)))]),
        ),
        limit(
            "filter, levels",
            MAX_FILTER_DEPTH,
            200,
            refused("invalidFilter"),
            |n| {
                search(&[(
                    "filter",
                    &format!("{}title pr{}", "(".repeat(n), ")".repeat(n)),
                )])
            },
        ),
        limit(
            "filter, comparisons",
            MAX_FILTER_COMPARISONS,
            200,
            refused("invalidFilter"),
            |n| search(&[("filter", &vec!["title pr"; n].join(" or "))]),
        ),
        limit(
            "comparisons in paths of a PATCH",
            MAX_PATCH_COMPARISONS,
            200,
            refused("invalidPath"),
            move |n| {
                // Five in each path but the last.
                let path = |comparisons: usize| {
                    let filter = vec!["value eq \"a\""; comparisons].join(" and ");
                    json!({"op": "add", "path": format!("roles[{filter}].display"), "value": "d"})
                };
                let mut operations = vec![path(5); n / 5];
                operations.extend((n % 5 > 0).then(|| path(n % 5)));
                patch_comparisons(operations.into())
            },
        ),
        limit(
            "value of a PATCH operation, bytes",
            MAX_VALUE_BYTES,
            400,
            refused("invalidValue"),
            move |n| {
                // With its quotes. Within the limit of the value, the user is still too large.
                let value = "t".repeat(n - 2);
                patch_value(json!([{"op": "add", "path": "title", "value": value}]))
            },
        ),
        limit(
            "path of a bulk operation, bytes",
            MAX_BULK_PATH_BYTES,
            200,
            refused("invalidSyntax"),
            |n| {
                let path = format!("/Users/{}", "x".repeat(n - 7));
                let operation = json!({"method": "DELETE", "path": path});
                Call::new("POST", "/Bulk").json(&json!({"Operations": [operation]}))
            },
        ),
        limit(
            "names in attributes",
            MAX_NAMES,
            200,
            refused("invalidValue"),
            |n| search(&[("attributes", &vec!["userName"; n].join(","))]),
        ),
        limit(
            "names in excludedAttributes",
            MAX_NAMES,
            200,
            refused("invalidValue"),
            |n| {
                let body = json!({"excludedAttributes": vec!["title"; n]});
                Call::new("POST", "/Users/.search").json(&body)
            },
        ),
        limit(
            "userName, characters",
            MAX_USER_NAME_CHARS,
            201,
            refused("invalidValue"),
            |n| Call::new("POST", "/Users").json(&json!({"userName": "é".repeat(n)})),
        ),
        limit("emails", MAX_EMAILS, 201, refused("invalidValue"), |n| {
            let emails: Value = (0..n)
                .map(|e| json!({"value": format!("{e}@x.org")}))
                .collect();
            let user = json!({"userName": format!("emails{n}"), "emails": emails});
            Call::new("POST", "/Users").json(&user)
        }),
        limit(
            "values of roles",
            MAX_VALUES,
            201,
            refused("invalidValue"),
            |n| {
                let roles: Value = (0..n).map(|r| json!({"value": r.to_string()})).collect();
                let user = json!({"userName": format!("roles{n}"), "roles": roles});
                Call::new("POST", "/Users").json(&user)
            },
        ),
        limit(
            "user, bytes of JSON",
            MAX_DOCUMENT_BYTES,
            201,
            refused("invalidValue"),
            |n| {
                let user = |title: usize| json!({"userName": format!("size{n}"), "active": true, "title": "t".repeat(title)});
                let rest = user(0).to_string().len();
                Call::new("POST", "/Users").json(&user(n - rest))
            },
        ),
    ]
}

/// RFC 7644 §3.7.4: 413 beyond `maxPayloadSize` and `maxOperations`; and the other limits. Shown by
/// --nocapture: each with its three responses.
#[tokio::test]
async fn what_a_caller_sends_below_at_and_above_each_limit() {
    let world = World::new().await;
    let client = world.client().await;
    let id = client.create(&json!({"userName": "patched"})).await;
    println!("{:<28} {:>9} below at above", "limit", "most");
    for limit in limits(&id) {
        let mut statuses = Vec::new();
        for size in [limit.most - 1, limit.most] {
            let response = client.send((limit.request)(size)).await;
            assert_eq!(
                response.status, limit.within,
                "{} {size}: {:?}",
                limit.name, response.body
            );
            statuses.push(response.status);
        }
        let response = client.send((limit.request)(limit.most + 1)).await;
        let (status, scim_type) = limit.beyond;
        response.assert_error(status, scim_type);
        let detail = response.json()["detail"].as_str().unwrap();
        println!(
            "{:<28} {:>9} {}   {} {status} {} {detail}",
            limit.name,
            limit.most,
            statuses[0],
            statuses[1],
            scim_type.unwrap_or_default(),
        );
    }
}

#[tokio::test]
async fn the_document() {
    let world = World::new().await;
    let client = world.client().await;
    let body = |title: usize| json!({"userName": "u", "active": true, "title": "t".repeat(title)});
    let overhead = body(0).to_string().len();
    let most = MAX_DOCUMENT_BYTES - overhead;
    client
        .post(&body(most + 1))
        .await
        .assert_error(400, Some("invalidValue"));
    let id = client.create(&body(most)).await;
    let larger = json!([{"op": "add", "path": "nickName", "value": "n"}]);
    client
        .patch(&id, &larger)
        .await
        .assert_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn the_user_name_leaves_room_for_a_soft_delete() {
    let world = World::new().await;
    let client = world.client().await;
    let longest = "é".repeat(MAX_USER_NAME_CHARS);
    let too_long = json!({"userName": format!("{longest}x")});
    client
        .post(&too_long)
        .await
        .assert_error(400, Some("invalidValue"));
    let id = client.create(&json!({"userName": longest})).await;
    let deleted = format!("{}{longest}", "a".repeat(32));
    let soft_delete = json!([{"op": "replace", "value": {"active": false, "userName": deleted}}]);
    client.patch(&id, &soft_delete).await.assert_status(200);
}

#[tokio::test]
async fn emails_fit_into_one_transaction_old_and_new() {
    let world = World::new().await;
    let client = world.client().await;
    let emails = |prefix: &str, count: usize| -> Value {
        (0..count)
            .map(|n| json!({"value": format!("{prefix}{n}@x.org")}))
            .collect()
    };
    let user = |emails| json!({"userName": "u", "externalId": "x", "emails": emails});
    let too_many = user(emails("a", MAX_EMAILS + 1));
    client
        .post(&too_many)
        .await
        .assert_error(400, Some("invalidValue"));
    let id = client.create(&user(emails("a", MAX_EMAILS))).await;
    let mut other = user(emails("b", MAX_EMAILS));
    other["userName"] = "v".into();
    other["externalId"] = "y".into();
    client.put(&id, &other).await.assert_status(200);
    assert_eq!(
        client.filter("emails.value eq \"a0@x.org\"").await.total(),
        0
    );
    assert_eq!(
        client.filter("emails.value eq \"b19@x.org\"").await.total(),
        1
    );
}

#[tokio::test]
async fn values_of_an_attribute() {
    let world = World::new().await;
    let client = world.client().await;
    let user = |count: usize| {
        let roles: Value = (0..count)
            .map(|n| json!({"value": format!("r{n}")}))
            .collect();
        json!({"userName": "u", "roles": roles})
    };
    client
        .post(&user(MAX_VALUES + 1))
        .await
        .assert_error(400, Some("invalidValue"));
    let id = client.create(&user(MAX_VALUES)).await;
    let one_more = json!([{"op": "add", "path": "roles", "value": [{"value": "more"}]}]);
    client
        .patch(&id, &one_more)
        .await
        .assert_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn a_page() {
    let world = World::new().await;
    let client = world.client().await;
    for number in 0..MAX_COUNT {
        client
            .create(&json!({"userName": format!("u{number}")}))
            .await;
    }
    for (count, returned) in [
        (MAX_COUNT - 1, MAX_COUNT - 1),
        (MAX_COUNT, MAX_COUNT),
        (MAX_COUNT + 1, MAX_COUNT),
    ] {
        let query = format!("count={count}");
        let page = client.send(Call::new("GET", "/Users").query(&query)).await;
        assert_eq!(page.user_names().len(), returned, "{query}");
        assert_eq!(page.total(), MAX_COUNT as u64 + 1);
    }
    let default = client.get("/Users").await;
    assert_eq!(default.user_names().len(), 50);
}

#[tokio::test]
async fn bytes_of_a_page() {
    let world = World::new().await;
    let client = world.client().await;
    let user = |number: usize, title: usize| json!({"userName": format!("u{number}"), "active": true, "title": "t".repeat(title)});
    let users = 65;
    let mut all = 0;
    let mut id = String::new();
    for number in 1..=users {
        // The last makes the difference.
        let title = if number == users { 0 } else { 64_200 };
        let created = client.post(&user(number, title)).await;
        all += created.json().to_string().len();
        id = created.id();
    }
    let administrator = format!("/Users/{}", client.administrator);
    all += client.get(&administrator).await.json().to_string().len();
    let page = async |query: &str| {
        let page = client.send(Call::new("GET", "/Users").query(query)).await;
        let next = page.json()["nextCursor"].as_str().map(str::to_owned);
        (page.user_names().len(), next)
    };
    let most = MAX_PAGE_BYTES - all;
    for title in [most - 1, most] {
        let last = user(users, title);
        client.put(&id, &last).await.assert_status(200);
        assert_eq!(page("count=100&cursor").await, (users + 1, None));
    }
    client
        .put(&id, &user(users, most + 1))
        .await
        .assert_status(200);
    assert_eq!(page("count=100").await.0, users);
    let (number, next) = page("count=100&cursor").await;
    assert_eq!(number, users);
    let rest = format!("count=100&cursor={}", next.unwrap());
    assert_eq!(page(&rest).await, (1, None));
}

#[tokio::test]
async fn data_of_a_bulk_operation() {
    let world = World::new().await;
    let client = world.client().await;
    for (bytes, expected) in [
        (MAX_BULK_DATA_BYTES, "201"),
        (MAX_BULK_DATA_BYTES + 1, "413"),
    ] {
        // What no schema declares is dropped.
        let user =
            |size: usize| json!({"userName": bytes.to_string(), "unknown": "u".repeat(size)});
        let user = user(bytes - user(0).to_string().len());
        let operation = json!({"method": "POST", "path": "/Users", "bulkId": "b", "data": user});
        let bulk = json!({"Operations": [operation]});
        let response = client.send(Call::new("POST", "/Bulk").json(&bulk)).await;
        assert_eq!(
            response.json()["Operations"][0]["status"],
            expected,
            "{bytes}"
        );
    }
}

#[tokio::test]
async fn a_value_is_measured_with_all_its_copies() {
    let world = World::new().await;
    let client = world.client().await;
    let roles: Vec<Value> = (0..MAX_VALUES)
        .map(|n| json!({"value": n.to_string()}))
        .collect();
    let id = client
        .create(&json!({"userName": "u", "roles": roles}))
        .await;
    // With its quotes, each of 100 copies.
    let most = MAX_VALUE_BYTES / MAX_VALUES - 2;
    for (path, size, status) in [
        ("roles.display", most - 100, 200),
        ("roles[value pr].display", most - 100, 200),
        ("roles.display", most + 1, 400),
        ("roles[value pr].display", most + 1, 400),
    ] {
        let operations = json!([{"op": "replace", "path": path, "value": "d".repeat(size)}]);
        let response = client.patch(&id, &operations).await;
        assert_eq!(
            response.status, status,
            "{path} {size}: {:?}",
            response.body
        );
        if status == 400 {
            let detail = response.json()["detail"].as_str().unwrap();
            assert!(detail.contains("in 100 elements"), "{detail}");
        }
    }
}

/// Documents of exactly so many bytes.
fn document_of(bytes: usize) -> impl Fn(usize) -> Value {
    move |number| {
        let user = |title: usize| json!({"userName": format!("u{number:05}"), "active": true, "title": "t".repeat(title)});
        user(bytes - user(0).to_string().len())
    }
}

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
async fn bytes_that_are_read_for_a_page() {
    let (world, table) = World::with_table();
    let client = world.client().await;
    let users = MAX_PAGE_READ_BYTES / MAX_DOCUMENT_BYTES;
    fill_with(
        &table,
        client.company,
        users,
        document_of(MAX_DOCUMENT_BYTES),
    )
    .await;
    // The administrator is the first, so the last user does not fit.
    let names = ("attributes", "userName");
    let page = client.send(search(&[names, ("count", "200")])).await;
    assert_eq!(page.user_names().len(), users);
    let mut seen = 0;
    let mut cursor = Some(String::new());
    while let Some(from) = cursor {
        let query = [names, ("count", "200"), ("cursor", from.as_str())];
        let page = client.send(search(&query)).await;
        seen += page.user_names().len();
        cursor = page.json()["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(seen, users + 1);
}

#[tokio::test]
async fn characters_that_a_list_is_sorted_by() {
    let world = World::new().await;
    let client = world.client().await;
    let title = |same: usize, last: char| format!("{}{last}", "é".repeat(same));
    // Those who are created first would come last.
    for (name, title) in [
        ("first", title(MAX_SORTED_CHARS, 'b')),
        ("second", title(MAX_SORTED_CHARS, 'a')),
        ("third", title(MAX_SORTED_CHARS - 1, 'b')),
        ("fourth", title(MAX_SORTED_CHARS - 1, 'a')),
    ] {
        client
            .create(&json!({"userName": name, "title": title}))
            .await;
    }
    let sorted = client.send(search(&[("sortBy", "title")])).await;
    let expected = ["fourth", "third", "first", "second"];
    assert_eq!(sorted.user_names()[..4], expected);
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

#[tokio::test]
async fn names_of_companies_and_keys() {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let company = CompanyId::new(Uuid::now_v7());
    let company_name = |name: &str| Company::new(company, name, CursorSecret([0; 32]), now).is_ok();
    let token = Token::new(KeyId::new(1), &[1; 32]);
    let owner = UserId::new(Uuid::now_v7());
    let key_name = |name: &str| ApiKey::new(&token, name, company, owner, None, now).is_ok();
    let sizes = |most: usize| [0, 1, most - 1, most, most + 1].map(|length| "é".repeat(length));
    let expected = [false, true, true, true, false];
    let companies = sizes(MAX_COMPANY_NAME_CHARS);
    assert_eq!(companies.map(|name| company_name(&name)), expected);
    let keys = sizes(MAX_KEY_NAME_CHARS);
    assert_eq!(keys.map(|name| key_name(&name)), expected);
    assert_eq!((MAX_COMPANY_NAME_CHARS, MAX_KEY_NAME_CHARS), (100, 50));
}

#[tokio::test]
async fn active_keys_of_a_user_where_expired_ones_make_room() {
    let world = World::new().await;
    let client = world.client().await;
    let soon = world.clock.now() + SignedDuration::from_secs(10);
    let (expiring, _) = world
        .key(client.company, client.administrator, Some(soon))
        .await;
    for _ in 0..3 {
        world.key(client.company, client.administrator, None).await;
    }
    let owner = async || {
        let owner = world.store.user(client.company, client.administrator).await;
        owner.unwrap().unwrap()
    };
    let key = world.store.find_key(client.key).await.unwrap().unwrap();
    assert!(owner().await.with_key(&key, world.clock.now()).is_err());
    world.clock.advance(SignedDuration::from_secs(10));
    world.key(client.company, client.administrator, None).await;
    assert_eq!(owner().await.keys.len(), 5);
    let expired = world.store.find_key(expiring).await.unwrap().unwrap();
    assert!(expired.revoked.is_some());
}

#[tokio::test]
async fn a_restore_stays_within_the_document() {
    // Folding makes 11 letters of this one, so that a renamed email may be shorter than the original.
    let (long, short) = ("صلى الله عليه وسلم".repeat(500), "\u{fdfa}".repeat(500));
    let world = World::new().await;
    let client = world.client().await;
    let user = json!({"userName": "u", "emails": [{"value": long}]});
    let id = client.create(&user).await;
    let emails: Value = (0..10)
        .map(|n| json!({"value": format!("{n:032x}{short}")}))
        .collect();
    let deleted = json!({"userName": "u", "active": false, "emails": emails});
    client.put(&id, &deleted).await.assert_status(200);
    let activate = json!([{"op": "replace", "path": "active", "value": true}]);
    let restored = client.patch(&id, &activate).await;
    restored.assert_status(200);
    let size = restored.json().to_string().len();
    assert!(size <= MAX_DOCUMENT_BYTES, "{size}");
    let deactivate = json!([{"op": "replace", "path": "active", "value": false}]);
    client.patch(&id, &deactivate).await.assert_status(200);
}

/// RFC 7644 §3.12: `tooMany`.
#[tokio::test]
async fn users_who_share_a_value() {
    let world = World::new().await;
    let client = world.client().await;
    for number in 1..=MAX_LOOKUP_MATCHES + 1 {
        let emails = json!([{"value": "x@x.org"}]);
        client
            .create(&json!({"userName": format!("u{number}"), "externalId": "x", "emails": emails}))
            .await;
        if number < MAX_LOOKUP_MATCHES - 1 {
            continue;
        }
        for filter in ["externalId eq \"x\"", "emails.value eq \"x@x.org\""] {
            let response = client.filter(filter).await;
            if number <= MAX_LOOKUP_MATCHES {
                assert_eq!(response.total(), number as u64, "{filter}");
            } else {
                response.assert_error(400, Some("tooMany"));
            }
        }
    }
    // Beside an attribute that is unique, in whatever order, it is no limit.
    for filter in [
        "externalId eq \"x\" and userName eq \"u7\"",
        "userName eq \"u7\" and externalId eq \"x\"",
    ] {
        assert_eq!(client.filter(filter).await.total(), 1, "{filter}");
    }
}

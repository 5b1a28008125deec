//! Limits on what a caller sends: one table.

use super::search;
use paradigm_scim::api::message::MAX_BODY_BYTES;
use paradigm_scim::directory::user::{MAX_DOCUMENT_BYTES, MAX_EMAILS, MAX_USER_NAME_CHARS};
use scim::filter::{MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH};
use scim::messages::{
    MAX_BULK_DATA_BYTES, MAX_BULK_ID_BYTES, MAX_BULK_OPERATIONS, MAX_BULK_PATH_BYTES,
    MAX_BULK_PAYLOAD_BYTES, MAX_PATCH_COMPARISONS, MAX_PATCH_OPERATIONS,
};
use scim::name::MAX_PATH_LENGTH;
use scim::patch::MAX_VALUE_BYTES;
use scim::projection::MAX_NAMES;
use scim::resource::MAX_VALUES;
use serde_json::{Value, json};
use test_support::world::{Call, World};

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

/// Limits on whole requests and on bulk messages.
fn of_messages() -> Vec<Limit> {
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
            (400, Some("invalidSyntax")),
            |n| {
                let operation =
                    json!({"method": "DELETE", "path": "/Users/nobody", "bulkId": "b".repeat(n)});
                Call::new("POST", "/Bulk").json(&json!({"Operations": [operation]}))
            },
        ),
        limit(
            "JSON, levels",
            127,
            200,
            (400, Some("invalidSyntax")),
            |n| {
                let body = format!("{{\"x\":{}{}}}", "[".repeat(n - 1), "]".repeat(n - 1));
                Call::new("POST", "/.search").body(body)
            },
        ),
        limit(
            "path of a bulk operation, bytes",
            MAX_BULK_PATH_BYTES,
            200,
            (400, Some("invalidSyntax")),
            |n| {
                let path = format!("/Users/{}", "x".repeat(n - 7));
                let operation = json!({"method": "DELETE", "path": path});
                Call::new("POST", "/Bulk").json(&json!({"Operations": [operation]}))
            },
        ),
    ]
}

/// Limits on PATCH messages.
fn of_patches(user: &str) -> Vec<Limit> {
    let path = format!("/Users/{user}");
    let patch =
        move |operations: Value| Call::new("PATCH", &path).json(&json!({"Operations": operations}));
    let (patch_path, patch_value) = (patch.clone(), patch.clone());
    let patch_comparisons = patch.clone();
    vec![
        limit(
            "PATCH operations",
            MAX_PATCH_OPERATIONS,
            200,
            (400, Some("invalidSyntax")),
            move |n| {
                let operation = json!({"op": "replace", "path": "title", "value": "t"});
                patch(vec![operation; n].into())
            },
        ),
        limit(
            "PATCH path, bytes",
            MAX_PATH_LENGTH,
            200,
            (400, Some("invalidPath")),
            move |n| {
                let path = format!("emails[type eq \"{}\"].value", "t".repeat(n - 24));
                patch_path(json!([
                    {"op": "remove", "path": "emails"},
                    {"op": "add", "path": path, "value": "a@x.org"},
                ]))
            },
        ),
        limit(
            "comparisons in paths of a PATCH",
            MAX_PATCH_COMPARISONS,
            200,
            (400, Some("invalidPath")),
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
            (400, Some("invalidValue")),
            move |n| {
                // With its quotes. Within the limit of the value, the user is still too large.
                let value = "t".repeat(n - 2);
                patch_value(json!([{"op": "add", "path": "title", "value": value}]))
            },
        ),
    ]
}

/// Limits on queries.
fn of_queries() -> Vec<Limit> {
    vec![
        limit(
            "filter, bytes",
            MAX_FILTER_LENGTH,
            200,
            (400, Some("invalidFilter")),
            |n| search(&[("filter", &format!("userName eq \"{}\"", "x".repeat(n - 14)))]),
        ),
        limit(
            "filter, levels",
            MAX_FILTER_DEPTH,
            200,
            (400, Some("invalidFilter")),
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
            (400, Some("invalidFilter")),
            |n| search(&[("filter", &vec!["title pr"; n].join(" or "))]),
        ),
        limit(
            "names in attributes",
            MAX_NAMES,
            200,
            (400, Some("invalidValue")),
            |n| search(&[("attributes", &vec!["userName"; n].join(","))]),
        ),
        limit(
            "names in excludedAttributes",
            MAX_NAMES,
            200,
            (400, Some("invalidValue")),
            |n| {
                let body = json!({"excludedAttributes": vec!["title"; n]});
                Call::new("POST", "/Users/.search").json(&body)
            },
        ),
    ]
}

/// Limits on users.
fn of_users() -> Vec<Limit> {
    vec![
        limit(
            "userName, characters",
            MAX_USER_NAME_CHARS,
            201,
            (400, Some("invalidValue")),
            |n| Call::new("POST", "/Users").json(&json!({"userName": "é".repeat(n)})),
        ),
        limit(
            "emails",
            MAX_EMAILS,
            201,
            (400, Some("invalidValue")),
            |n| {
                let emails: Value = (0..n)
                    .map(|e| json!({"value": format!("{e}@x.org")}))
                    .collect();
                let user = json!({"userName": format!("emails{n}"), "emails": emails});
                Call::new("POST", "/Users").json(&user)
            },
        ),
        limit(
            "values of roles",
            MAX_VALUES,
            201,
            (400, Some("invalidValue")),
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
            (400, Some("invalidValue")),
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
    for limit in of_messages()
        .into_iter()
        .chain(of_patches(&id))
        .chain(of_queries())
        .chain(of_users())
    {
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

//! Pagination by cursor (RFC 9865): whole walks, and cursors that are refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::api::Service;
use paradigm_scim::config::Config;
use serde_json::json;

use test_support::world::{Call, Client, Response, World, encode, store_through};

async fn page(client: &Client<'_>, cursor: &str, others: &[(&str, &str)]) -> Response {
    let parameters = [&[("cursor", cursor)], others].concat();
    let call = Call::new("GET", "/Users").query(&encode(&parameters));
    client.send(call).await
}

fn next(response: &Response) -> Option<String> {
    Some(response.json().get("nextCursor")?.as_str()?.to_owned())
}

async fn walk(client: &Client<'_>, others: &[(&str, &str)]) -> Vec<String> {
    let mut names = Vec::new();
    let mut cursor = Some(String::new());
    while let Some(at) = cursor {
        let response = page(client, &at, others).await;
        response.assert_status(200);
        assert_eq!(response.json().get("totalResults"), None);
        assert_eq!(response.json().get("startIndex"), None);
        names.extend(response.user_names().into_iter().map(str::to_owned));
        cursor = next(&response);
    }
    names
}

async fn create_many(client: &Client<'_>, number: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for index in 0..number {
        let user = json!({
            "userName": format!("u{index:04}"),
            "title": if index % 100 == 0 { "Chief" } else { "Engineer" },
            "externalId": format!("group {}", index % 2),
        });
        ids.push(client.create(&user).await);
    }
    ids
}

#[tokio::test]
async fn a_walk_meets_everyone_once() {
    let world = World::new().await;
    let client = world.client().await;
    create_many(&client, 25).await;
    for count in ["1", "5", "13", "25", "26", "200"] {
        for (filter, sort_by, expected) in [
            ("", "", 26),
            ("", "userName", 26),
            ("title eq \"Engineer\"", "", 24),
            ("title eq \"Engineer\"", "externalId", 24),
            ("externalId eq \"group 1\"", "", 12),
            ("externalId eq \"group 1\"", "userName", 12),
            ("userName eq \"u0003\"", "", 1),
            ("userName eq \"nobody\"", "", 0),
        ] {
            let mut others = vec![("count", count)];
            others.extend(Some(("filter", filter)).filter(|_| !filter.is_empty()));
            others.extend(Some(("sortBy", sort_by)).filter(|_| !sort_by.is_empty()));
            let names = walk(&client, &others).await;
            let distinct: BTreeSet<&String> = names.iter().collect();
            assert_eq!(names.len(), expected, "{others:?}");
            assert_eq!(distinct.len(), expected, "{others:?}");
        }
    }
}

#[tokio::test]
async fn no_user_is_skipped_when_others_come_and_go() {
    let world = World::new().await;
    let client = world.client().await;
    let ids = create_many(&client, 9).await;
    for others in [
        &[("count", "3")][..],
        &[("count", "3"), ("filter", "title pr")],
    ] {
        let first = page(&client, "", others).await;
        let cursor = next(&first).unwrap();
        // Of the page that was read, the last user included, whose id the cursor holds.
        for user in first.json()["Resources"].as_array().unwrap() {
            let id = user["id"].as_str().unwrap();
            if ids.iter().any(|created| created == id) {
                client.delete(id).await;
            }
        }
        let late = client
            .create(&json!({"userName": "late", "title": "T"}))
            .await;
        let second = page(&client, &cursor, others).await;
        let seen = second.user_names().into_iter().map(str::to_owned);
        let mut seen: Vec<String> = seen.collect();
        let mut cursor = next(&second);
        while let Some(at) = cursor {
            let response = page(&client, &at, others).await;
            seen.extend(response.user_names().into_iter().map(str::to_owned));
            cursor = next(&response);
        }
        let everyone = Call::new("GET", "/Users").query("count=200");
        let left: Vec<String> = client
            .send(everyone)
            .await
            .user_names()
            .into_iter()
            .filter(|name| *name != "administrator@example.com")
            .map(str::to_owned)
            .collect();
        assert_eq!(seen, left);
        client.delete(&late).await;
    }
}

#[tokio::test]
async fn a_rare_match_costs_short_pages_and_no_long_ones() {
    let world = World::new().await;
    let client = world.client().await;
    create_many(&client, 1_205).await;
    let others = [("count", "2"), ("filter", "userName ew \"1204\"")];
    let first = page(&client, "", &others).await;
    assert_eq!(first.json()["Resources"], json!([]));
    assert_eq!(walk(&client, &others).await, ["u1204"]);
}

/// RFC 9865 §2.1: `expiredCursor`.
#[tokio::test]
async fn a_cursor_is_good_on_every_instance_for_an_hour() {
    let world = World::new().await;
    let client = world.client().await;
    create_many(&client, 3).await;
    let cursor = next(&page(&client, "", &[("count", "2")]).await).unwrap();
    let is_unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
    assert!(cursor.chars().all(is_unreserved), "{cursor}");

    let config = Config {
        is_activated: true,
        ..Config::default()
    };
    let clock = Arc::new(world.clock.clone());
    let other = World {
        service: Service::new(world.store.clone(), config, clock),
        store: world.store.clone(),
        clock: world.clock.clone(),
    };
    let elsewhere = Client {
        world: &other,
        token: client.token.clone(),
        ..client
    };
    let names = ["u0001", "u0002"];
    let response = page(&elsewhere, &cursor, &[("count", "2")]).await;
    assert_eq!(response.user_names(), names);

    world.clock.advance(SignedDuration::from_hours(1));
    let response = page(&client, &cursor, &[("count", "2")]).await;
    assert_eq!(response.user_names(), names);
    world.clock.advance(SignedDuration::from_secs(1));
    let response = page(&client, &cursor, &[("count", "2")]).await;
    response.assert_error(400, Some("expiredCursor"));
}

#[tokio::test]
async fn a_sorted_walk_without_its_bookmark_begins_again() {
    let world = World::new().await;
    let client = world.client().await;
    let ids = create_many(&client, 3).await;
    let sorted = [("count", "3"), ("sortBy", "userName")];
    let cursor = next(&page(&client, "", &sorted).await).unwrap();
    // A user that has moved no longer marks the place, as if it were deleted.
    let rename = |name: &str| json!([{"op": "replace", "path": "userName", "value": name}]);
    client
        .patch(&ids[1], &rename("zzz"))
        .await
        .assert_status(200);
    let response = page(&client, &cursor, &sorted).await;
    response.assert_error(400, Some("expiredCursor"));
    client
        .patch(&ids[1], &rename("u0001"))
        .await
        .assert_status(200);
    let response = page(&client, &cursor, &sorted).await;
    assert_eq!(response.user_names(), ["u0002"]);
    client.delete(&ids[1]).await;
    let response = page(&client, &cursor, &sorted).await;
    response.assert_error(400, Some("expiredCursor"));
}

/// RFC 9865 §2.1 and §5.2: `invalidCursor`, also for one of another company.
#[tokio::test]
async fn a_cursor_cannot_be_made_changed_or_lent() {
    let world = World::new().await;
    let (client, stranger) = (world.client().await, world.client().await);
    create_many(&client, 3).await;
    create_many(&stranger, 3).await;
    let cursor = next(&page(&client, "", &[("count", "2")]).await).unwrap();
    let refused = page(&stranger, &cursor, &[("count", "2")]).await;
    refused.assert_error(400, Some("invalidCursor"));

    for query in [
        [("filter", "title pr")],
        [("sortBy", "userName")],
        [("sortOrder", "descending")],
    ] {
        let response = page(&client, &cursor, &query).await;
        response.assert_error(400, Some("invalidCursor"));
    }
    for index in 0..cursor.len() {
        let mut changed: Vec<char> = cursor.chars().collect();
        changed[index] = if changed[index] == 'A' { 'Q' } else { 'A' };
        let changed: String = changed.into_iter().collect();
        let response = page(&client, &changed, &[("count", "2")]).await;
        response.assert_error(400, Some("invalidCursor"));
        assert_eq!(response.body, refused.body, "the refusals differ");
    }
    for wrong in [
        "x",
        "AQ",
        "%",
        "ä",
        &cursor[1..],
        &format!("{cursor}{cursor}"),
    ] {
        for count in ["0", "5"] {
            let response = page(&client, wrong, &[("count", count)]).await;
            response.assert_error(400, Some("invalidCursor"));
        }
    }
}

/// A store in which the users of one BatchGetItem are deleted: the one after so many others.
#[derive(Debug)]
struct Deleted {
    inner: SharedHttpConnector,
    others: Arc<AtomicUsize>,
}

impl HttpConnector for Deleted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if !target.ends_with("BatchGetItem") || self.others.fetch_sub(1, Ordering::SeqCst) != 0 {
            return self.inner.call(request);
        }
        let nothing = SdkBody::from(r#"{"Responses":{"test":[]},"UnprocessedKeys":{}}"#);
        let response = HttpResponse::new(200.try_into().unwrap(), nothing);
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The client would take a page without cursor for the last one.
#[tokio::test]
async fn a_sorted_walk_does_not_end_when_all_users_of_a_page_are_deleted_meanwhile() {
    let embedded = Embedded::in_memory().unwrap();
    let others = Arc::new(AtomicUsize::new(usize::MAX));
    let counted = Arc::clone(&others);
    let store = store_through(&embedded, move |inner| Deleted {
        inner,
        others: Arc::clone(&counted),
    })
    .await;
    let world = World::on(store);
    let client = world.client().await;
    create_many(&client, 5).await;
    let by_name = [("sortBy", "userName"), ("count", "2")];
    let first = page(&client, "", &by_name).await;
    // All users are read, then those of the page.
    others.store(1, Ordering::SeqCst);
    page(&client, &next(&first).unwrap(), &by_name)
        .await
        .assert_error(400, Some("expiredCursor"));
    let again = page(&client, "", &by_name).await;
    assert_eq!(again.user_names().len(), 2);
}

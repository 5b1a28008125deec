//! Every limit, at it and above it.

use jiff::SignedDuration;
use paradigm_scim::api::message::MAX_BODY_BYTES;
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::user::{MAX_DOCUMENT_BYTES, MAX_EMAILS, MAX_USER_NAME_CHARS};
use paradigm_scim::scim::bulk;
use paradigm_scim::scim::filter::{MAX_FILTER_DEPTH, MAX_FILTER_LENGTH};
use paradigm_scim::scim::list::MAX_COUNT;
use paradigm_scim::scim::patch::MAX_OPERATIONS;
use paradigm_scim::scim::path::MAX_PATH_LENGTH;
use paradigm_scim::scim::resource::MAX_VALUES;
use paradigm_scim::store::MAX_LOOK_UP_MATCHES;
use serde_json::{Value, json};

use crate::support::{Call, World};

#[tokio::test]
async fn the_request_body() {
    let world = World::new().await;
    let client = world.client().await;
    let padded = |length: usize| {
        let mut body = json!({"userName": "body@example.com"}).to_string();
        body.extend(std::iter::repeat_n(' ', length - body.len()));
        Call::new("POST", "/Users").body(body)
    };
    client.send(padded(MAX_BODY_BYTES)).await.assert_status(201);
    client
        .send(padded(MAX_BODY_BYTES + 1))
        .await
        .assert_error(413, None);
}

#[tokio::test]
async fn a_bulk_request() {
    let world = World::new().await;
    let client = world.client().await;
    let missing = json!({"method": "DELETE", "path": "/Users/nobody"});
    let of = |number| json!({"Operations": vec![missing.clone(); number]});
    let bulk = |body: &Value| client.send(Call::new("POST", "/Bulk").json(body));
    let answer = bulk(&of(bulk::MAX_OPERATIONS)).await;
    let results = answer.json()["Operations"].as_array().unwrap();
    assert_eq!(results.len(), bulk::MAX_OPERATIONS);
    bulk(&of(bulk::MAX_OPERATIONS + 1))
        .await
        .assert_error(413, None);

    let padded = |length: usize| {
        let mut body = of(1).to_string();
        body.extend(std::iter::repeat_n(' ', length - body.len()));
        client.send(Call::new("POST", "/Bulk").body(body))
    };
    padded(bulk::MAX_PAYLOAD_BYTES).await.assert_status(200);
    padded(bulk::MAX_PAYLOAD_BYTES + 1)
        .await
        .assert_error(413, None);
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
async fn operations_in_a_patch() {
    let world = World::new().await;
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let operations = |count: usize| -> Value {
        (0..count)
            .map(|n| json!({"op": "replace", "path": "title", "value": n.to_string()}))
            .collect()
    };
    client
        .patch(&id, &operations(MAX_OPERATIONS))
        .await
        .assert_status(200);
    let answer = client.patch(&id, &operations(MAX_OPERATIONS + 1)).await;
    answer.assert_error(400, Some("invalidSyntax"));
}

#[tokio::test]
async fn a_patch_path() {
    let world = World::new().await;
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let operations = |length: usize| {
        let start = "emails[type eq \"";
        let end = "\"].value";
        let path = format!(
            "{start}{}{end}",
            "t".repeat(length - start.len() - end.len())
        );
        json!([{"op": "add", "path": path, "value": "a@x.org"}])
    };
    client
        .patch(&id, &operations(MAX_PATH_LENGTH))
        .await
        .assert_status(200);
    let answer = client.patch(&id, &operations(MAX_PATH_LENGTH + 1)).await;
    answer.assert_error(400, Some("invalidPath"));
}

#[tokio::test]
async fn a_filter() {
    let world = World::new().await;
    let client = world.client().await;
    let long = |length: usize| format!("userName eq \"{}\"", "x".repeat(length - 14));
    client
        .filter(&long(MAX_FILTER_LENGTH))
        .await
        .assert_status(200);
    let answer = client.filter(&long(MAX_FILTER_LENGTH + 1)).await;
    answer.assert_error(400, Some("invalidFilter"));
    let deep = |depth: usize| format!("{}title pr{}", "(".repeat(depth), ")".repeat(depth));
    client
        .filter(&deep(MAX_FILTER_DEPTH))
        .await
        .assert_status(200);
    let answer = client.filter(&deep(MAX_FILTER_DEPTH + 1)).await;
    answer.assert_error(400, Some("invalidFilter"));
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
    let page = client
        .send(Call::new("GET", "/Users").query("count=1000"))
        .await;
    assert_eq!(page.user_names().len(), MAX_COUNT);
    assert_eq!(page.total(), MAX_COUNT as u64 + 1);
    let default = client.get("/Users").await;
    assert_eq!(default.user_names().len(), 50);
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

#[tokio::test]
async fn users_who_share_a_value() {
    let world = World::new().await;
    let client = world.client().await;
    for number in 0..=MAX_LOOK_UP_MATCHES {
        client
            .create(&json!({"userName": format!("u{number}"), "externalId": "x"}))
            .await;
    }
    let answer = client.filter("externalId eq \"x\"").await;
    answer.assert_error(400, Some("tooMany"));
    // Beside an attribute that is unique, in whatever order, it is no limit.
    for filter in [
        "externalId eq \"x\" and userName eq \"u7\"",
        "userName eq \"u7\" and externalId eq \"x\"",
    ] {
        assert_eq!(client.filter(filter).await.total(), 1, "{filter}");
    }
}

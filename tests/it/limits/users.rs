//! What a user may have.

use paradigm_scim::directory::user::{MAX_DOCUMENT_BYTES, MAX_EMAILS, MAX_USER_NAME_CHARS};
use paradigm_scim::store::MAX_LOOKUP_MATCHES;
use scim::resource::MAX_VALUES;
use serde_json::{Value, json};
use test_support::world::World;

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

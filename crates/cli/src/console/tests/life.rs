//! A user's life.

use jiff::SignedDuration;
use serde_json::json;

use super::Desk;

/// Returns the words of a timeline, newest first.
fn happened(page: &str) -> Vec<&str> {
    let parts = page.split("<strong>").skip(1);
    parts.map(|part| part.split('<').next().unwrap()).collect()
}

#[tokio::test]
async fn it_has_every_change_with_the_key_and_the_request() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let cookie = desk.open().await;
    let user = json!({"userName": "ada@example.com", "title": "Countess"});
    let id = client.create(&user).await;
    let path = format!("/companies/{}/users/{id}", client.company);
    let next = || desk.world.clock.advance(SignedDuration::from_mins(1));
    let renamed = "0123456789abcdef0123456789abcdefada@example.com";
    for operations in [
        json!([{"op": "replace", "path": "title", "value": "Lady"}]),
        json!([{"op": "replace", "path": "active", "value": false}]),
        json!([{"op": "replace", "path": "active", "value": true}]),
        json!([{"op": "replace", "path": "active", "value": false}, {"op": "replace", "path": "userName", "value": renamed}]),
    ] {
        next();
        client.patch(&id, &operations).await.assert_status(200);
    }
    let page = desk.page(&cookie, &path).await;
    let words = [
        "soft-deleted",
        "restored",
        "deactivated",
        "changed",
        "created",
    ];
    assert_eq!(happened(&page), words);
    for part in [
        "<bdi>title</bdi>",
        &client.key.to_string(),
        "2026-01-01 00:01:00 UTC",
        // The resource as the API returns it, with the URL of the instance.
        "&quot;title&quot;: &quot;Lady&quot;",
        &format!("https://scim.example.com/scim/v2/Users/{id}"),
        "Name before the soft delete",
        &format!(
            "paradigm-scim user restore {id} --company {}",
            client.company
        ),
        &format!("paradigm-scim erase {id} --company {}", client.company),
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let shown: serde_json::Value = {
        let resource = page.split("<pre><code><bdi>").nth(1).unwrap();
        let resource = resource.split("</bdi>").next().unwrap();
        serde_json::from_str(&resource.replace("&quot;", "\"")).unwrap()
    };
    assert_eq!(&shown, client.get(&format!("/Users/{id}")).await.json());
    next();
    client.delete(&id).await.assert_status(204);
    let page = desk.page(&cookie, &path).await;
    assert_eq!(happened(&page)[0], "anonymised");
    for personal in [
        "ada@example.com",
        "Countess",
        "Lady",
        "user restore",
        "erase",
    ] {
        assert!(!page.contains(personal), "{personal} in {page}");
    }
}

#[tokio::test]
async fn an_active_user_is_not_to_be_restored() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let cookie = desk.open().await;
    let path = format!(
        "/companies/{}/users/{}",
        client.company, client.administrator
    );
    let page = desk.page(&cookie, &path).await;
    assert!(!page.contains("user restore"), "{page}");
    assert_eq!(happened(&page).len(), 3);
}

/// One call does not give all changes of such a user. The page has the latest nevertheless, and says that others are
/// missing.
#[tokio::test]
async fn of_very_many_changes_the_latest_are_shown() {
    let desk = Desk::new().await;
    let client = desk.world.client().await;
    let id = client
        .create(&json!({"userName": "busy@example.com"}))
        .await;
    for number in 0..2100 {
        desk.world.clock.advance(SignedDuration::from_millis(5));
        let title = json!([{"op": "replace", "path": "title", "value": format!("T{number}")}]);
        client.patch(&id, &title).await.assert_status(200);
    }
    let last = json!([{"op": "replace", "path": "active", "value": false}]);
    client.patch(&id, &last).await.assert_status(200);
    let cookie = desk.open().await;
    let path = format!("/companies/{}/users/{id}", client.company);
    let page = desk.page(&cookie, &path).await;
    let words = happened(&page);
    assert_eq!((words.len(), words[0]), (100, "deactivated"));
    assert!(page.contains("more changes than a page shows"), "{page}");
}

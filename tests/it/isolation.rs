//! One company neither sees, changes, counts nor learns of another's users.

use serde_json::json;

use crate::support::{Call, World};

#[tokio::test]
async fn another_companys_user_is_as_good_as_none() {
    let world = World::new().await;
    let (ours, theirs) = (world.client().await, world.client().await);
    let body = json!({
        "userName": "shared@example.com", "externalId": "x",
        "emails": [{"value": "shared@example.com"}],
    });
    let id = theirs.create(&body).await;
    let unknown = "00000000-0000-4000-8000-000000000000";
    let disable = json!([{"op": "replace", "path": "active", "value": false}]);
    for (foreign, absent) in [
        (
            ours.get(&format!("/Users/{id}")).await,
            ours.get(&format!("/Users/{unknown}")).await,
        ),
        (ours.put(&id, &body).await, ours.put(unknown, &body).await),
        (
            ours.patch(&id, &disable).await,
            ours.patch(unknown, &disable).await,
        ),
        (ours.delete(&id).await, ours.delete(unknown).await),
    ] {
        foreign.assert_error(404, None);
        assert_eq!(foreign.body, absent.body);
        assert_eq!(foreign.headers, absent.headers);
    }
    for filter in [
        format!("id eq \"{id}\""),
        "userName eq \"shared@example.com\"".to_owned(),
        "externalId eq \"x\"".to_owned(),
        "emails.value eq \"shared@example.com\"".to_owned(),
        "userName sw \"shared\"".to_owned(),
    ] {
        assert_eq!(ours.filter(&filter).await.total(), 0, "{filter}");
        assert_eq!(theirs.filter(&filter).await.total(), 1, "{filter}");
    }
    let operations = json!({"Operations": [
        {"method": "PUT", "path": format!("/Users/{id}"), "data": body},
        {"method": "PATCH", "path": format!("/Users/{id}"), "data": {"Operations": disable}},
        {"method": "DELETE", "path": format!("/Users/{id}")},
    ]});
    let bulk = ours
        .send(Call::new("POST", "/Bulk").json(&operations))
        .await;
    for result in bulk.json()["Operations"].as_array().unwrap() {
        assert_eq!(result["status"], "404");
    }
    for path in ["/.search", "/Users/.search"] {
        let everyone = ours.send(Call::new("POST", path).json(&json!({}))).await;
        assert_eq!(everyone.total(), 1);
    }
    assert_eq!(ours.get("/Users").await.total(), 1);
    assert_eq!(theirs.get("/Users").await.total(), 2);
    // The name is free here, whoever bears it there.
    ours.create(&body).await;
    let unchanged = theirs.get(&format!("/Users/{id}")).await;
    assert_eq!(unchanged.json()["meta"]["version"], "W/\"1\"");
}

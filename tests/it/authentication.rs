//! Keys, their owners, companies and activation: who is let in, and what the others are told.

use jiff::{SignedDuration, Timestamp};
use paradigm_scim::config::Config;
use paradigm_scim::directory::Permission;
use paradigm_scim::store::Next;
use serde_json::json;

use crate::support::{Call, Client, World, in_memory};

const ONE_MINUTE: SignedDuration = SignedDuration::from_secs(60);

async fn status(client: &Client<'_>) -> u16 {
    client.get("/Users").await.status
}

#[tokio::test]
async fn without_a_valid_token_every_answer_is_the_same() {
    let world = World::new().await;
    let client = world.client().await;
    let token = client.token.clone();
    let typo = format!("{}0", &token[..token.len() - 1]);
    let unknown = paradigm_scim::directory::Token::new(
        paradigm_scim::directory::KeyId::new(u64::MAX),
        [1; 32],
    );
    let wrong_secret = paradigm_scim::directory::Token::new(client.key, [1; 32]);
    let mut bodies = Vec::new();
    for authorization in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some(token.clone()),
        Some(format!("Basic {token}")),
        Some("Bearer wrong".to_owned()),
        Some(format!("Bearer {typo}")),
        Some(format!("Bearer {}", *unknown.reveal())),
        Some(format!("Bearer {}", *wrong_secret.reveal())),
    ] {
        let mut call = Call::new("GET", "/Users");
        if let Some(value) = &authorization {
            call = call.header("authorization", value);
        }
        let answer = world.send(call).await;
        answer.assert_error(401, None);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the answers tell reasons apart");
    for authorization in [format!("bearer {token}"), format!("BEARER  {token} ")] {
        let call = Call::new("GET", "/Users").header("authorization", &authorization);
        world.send(call).await.assert_status(200);
    }
}

#[tokio::test]
async fn unknown_paths_are_told_to_callers_only() {
    let world = World::new().await;
    let client = world.client().await;
    let anonymous = world.send(Call::new("GET", "/nothing")).await;
    anonymous.assert_error(401, None);
    client.get("/nothing").await.assert_error(404, None);
}

#[tokio::test]
async fn without_activation_every_path_says_so() {
    let store = in_memory().await;
    let active = World::on(store.clone());
    let token = active.client().await.token;
    for value in [
        None,
        Some(""),
        Some("False"),
        Some("TRUE"),
        Some("1"),
        Some("yes"),
    ] {
        let config = Config::from_variables(|name| {
            (name == "SCIM_INSTANCE_ACTIVATION").then(|| value.map(str::to_owned))?
        });
        let world = World::with_config(store.clone(), config);
        for path in ["/Users", "/ServiceProviderConfig", "/nothing"] {
            let call = Call::new("GET", path).header("authorization", &format!("Bearer {token}"));
            let answer = world.send(call).await;
            answer.assert_error(403, None);
            let detail = answer.json()["detail"].as_str().unwrap();
            assert!(detail.contains("SCIM_INSTANCE_ACTIVATION=True"), "{detail}");
        }
    }
    for value in ["True", "true"] {
        let config = Config::from_variables(|name| {
            (name == "SCIM_INSTANCE_ACTIVATION").then(|| value.to_owned())
        });
        let world = World::with_config(store.clone(), config);
        let call = Call::new("GET", "/Users").header("authorization", &format!("Bearer {token}"));
        world.send(call).await.assert_status(200);
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_within_a_minute() {
    let world = World::new().await;
    let client = world.client().await;
    assert_eq!(status(&client).await, 200);
    let key = client.key;
    world
        .change(client.company, client.administrator, |owner| {
            let (owner, changes) = owner.without_key(key);
            Next::UpdateWithKeys(owner, changes)
        })
        .await;
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&client).await, 401);
}

#[tokio::test]
async fn a_key_is_refused_at_the_very_moment_it_expires() {
    let world = World::new().await;
    let mut client = world.client().await;
    let expires: Timestamp = "2026-01-01T00:00:30Z".parse().unwrap();
    let (_, token) = world
        .key(client.company, client.administrator, Some(expires))
        .await;
    client.token = token;
    assert_eq!(status(&client).await, 200);
    world.clock.advance(SignedDuration::from_secs(29));
    assert_eq!(status(&client).await, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(status(&client).await, 401);
}

#[tokio::test]
async fn a_key_whose_owner_is_deactivated_or_gone_is_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let owner = client.administrator.to_string();
    let deactivate = json!([{"op": "replace", "path": "active", "value": false}]);
    client.patch(&owner, &deactivate).await.assert_status(200);
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&client).await, 401);

    let other = world.client().await;
    let owner = other.administrator.to_string();
    other.delete(&owner).await.assert_status(204);
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&other).await, 401);
    let key = world.store.find_key(other.key).await.unwrap().unwrap();
    assert!(key.revoked.is_some());
    assert_eq!(key.name, "");
}

#[tokio::test]
async fn a_key_whose_owner_may_not_manage_users_is_forbidden() {
    let world = World::new().await;
    let client = world.client().await;
    world
        .change(client.company, client.administrator, |owner| {
            Next::Update(owner.ungranted(Permission::UsersManage))
        })
        .await;
    let answer = client.get("/Users").await;
    answer.assert_error(403, None);
    // The refusal is remembered no longer than an acceptance.
    world
        .change(client.company, client.administrator, |owner| {
            Next::Update(owner.granted(Permission::UsersManage))
        })
        .await;
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&client).await, 200);
}

#[tokio::test]
async fn roles_entitlements_and_user_type_never_change_permissions() {
    let world = World::new().await;
    let client = world.client().await;
    let id = client
        .create(&json!({
            "userName": "climber@example.com",
            "userType": "administrator",
            "roles": [{"value": "users:manage", "primary": true}],
            "entitlements": [{"value": "users:manage"}],
        }))
        .await;
    let id = paradigm_scim::directory::UserId::parse(&id).unwrap();
    let user = world.store.user(client.company, id).await.unwrap().unwrap();
    assert!(user.permissions.is_empty());
    // And PUT on the administrator does not take theirs away.
    let owner = client.administrator.to_string();
    let replaced = client
        .put(&owner, &json!({"userName": "a@example.com"}))
        .await;
    replaced.assert_status(200);
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&client).await, 200);
}

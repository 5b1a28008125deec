//! Keys, their owners, companies and activation: which requests are admitted, and the responses to the others.

use embedded::Embedded;
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::api::authentication::{MAX_ACCEPTED, MAX_CACHED};
use paradigm_scim::config::Config;
use paradigm_scim::directory::api_key::ApiKey;
use paradigm_scim::directory::user::MAX_ACTIVE_KEYS;
use paradigm_scim::directory::{CompanyStatus, KeyId, Operation, Permission, Token};
use paradigm_scim::store::{Next, StoreError};
use serde_json::{Value, json};

use crate::counting::{Calls, counted_store};
use crate::oauth::access_token;
use crate::support::records::Records;
use test_support::world::{Call, Client, World, in_memory};

const ONE_MINUTE: SignedDuration = SignedDuration::from_secs(60);

async fn status(client: &Client<'_>) -> u16 {
    client.get("/Users").await.status
}

#[tokio::test]
async fn without_a_valid_token_every_response_is_the_same() {
    let world = World::new().await;
    let client = world.client().await;
    let token = client.token.clone();
    let (rest, last) = token.split_at(token.len() - 1);
    let typo = format!("{rest}{}", if last == "0" { "1" } else { "0" });
    let unknown = paradigm_scim::directory::Token::new(
        paradigm_scim::directory::KeyId::new(u64::MAX),
        &[1; 32],
    );
    let wrong_secret = paradigm_scim::directory::Token::new(client.key, &[1; 32]);
    let mut bodies = Vec::new();
    let refused = "Bearer error=\"invalid_token\"";
    for (authorization, challenge) in [
        (None, "Bearer"),
        (Some(String::new()), "Bearer"),
        (Some("Bearer".to_owned()), "Bearer"),
        (Some(token.clone()), "Bearer"),
        (Some(format!("Basic {token}")), "Bearer"),
        (Some("Bearer wrong".to_owned()), refused),
        (Some(format!("Bearer {typo}")), refused),
        (Some(format!("Bearer {}", *unknown.reveal())), refused),
        (Some(format!("Bearer {}", *wrong_secret.reveal())), refused),
    ] {
        let mut call = Call::new("GET", "/Users");
        if let Some(value) = &authorization {
            call = call.header("authorization", value);
        }
        let response = world.send(call).await;
        response.assert_error(401, None);
        assert_eq!(response.header("www-authenticate"), Some(challenge));
        bodies.push(response.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the responses differ by reason");
    for authorization in [format!("bearer {token}"), format!("BEARER  {token} ")] {
        let call = Call::new("GET", "/Users").header("authorization", &authorization);
        world.send(call).await.assert_status(200);
    }
}

#[tokio::test]
async fn unknown_paths_are_reported_to_callers_only() {
    let world = World::new().await;
    let client = world.client().await;
    let anonymous = world.send(Call::new("GET", "/nothing")).await;
    anonymous.assert_error(401, None);
    client.get("/nothing").await.assert_error(404, None);
}

#[tokio::test]
async fn without_activation_every_path_says_so() {
    let store = in_memory();
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
        for path in [
            "/Users",
            "/ServiceProviderConfig",
            "/openapi.json",
            "/nothing",
        ] {
            // Also to a cache that revalidates what it has.
            let call = Call::new("GET", path)
                .header("authorization", &format!("Bearer {token}"))
                .header("if-none-match", "*");
            let response = world.send(call).await;
            response.assert_error(403, None);
            assert_eq!(response.header("cache-control"), Some("no-store"));
            assert_eq!(response.header("etag"), None);
            let detail = response.json()["detail"].as_str().unwrap();
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
    revoke_elsewhere(&client).await;
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

/// Revokes a client's key as another process does.
async fn revoke_elsewhere(client: &Client<'_>) {
    let (owner, key) = (client.administrator, client.key);
    let revoke = |owner: &paradigm_scim::directory::User| {
        let (owner, changes) = owner.without_key(key);
        Next::UpdateWithKeys(owner, changes)
    };
    client.world.change(client.company, owner, revoke).await;
}

#[tokio::test]
async fn a_verdict_is_used_only_while_both_clocks_say_that_it_is_young() {
    let seconds = SignedDuration::from_secs;
    // By how much both clocks move, by how much the wall clock besides, and whether the verdict is still used.
    for (both, wall, is_used) in [
        (seconds(59), seconds(0), true),
        (seconds(0), seconds(59), true),
        (seconds(60), seconds(0), false),
        // The process was paused, and its monotonic clock stood still.
        (seconds(0), seconds(60), false),
        (seconds(0), SignedDuration::from_hours(72), false),
        // The wall clock was set back.
        (seconds(60), -SignedDuration::from_hours(72), false),
        (seconds(60), -seconds(59), false),
        (seconds(1), -seconds(2), false),
    ] {
        let world = World::new().await;
        let client = world.client().await;
        assert_eq!(status(&client).await, 200);
        revoke_elsewhere(&client).await;
        world.clock.advance(both);
        world.clock.set_wall_clock(wall);
        let expected = if is_used { 200 } else { 401 };
        assert_eq!(status(&client).await, expected, "{both} and {wall}");
    }
}

#[tokio::test]
async fn a_key_is_refused_at_once_by_the_process_that_deactivates_or_deletes_its_owner() {
    let inactive = json!({"userName": "administrator@example.com", "active": false});
    let deactivate = json!({"Operations": [{"op": "replace", "path": "active", "value": false}]});
    let renamed = format!("{}administrator@example.com", "a".repeat(32));
    let soft_delete = json!({"Operations": [
        {"op": "replace", "value": {"active": false, "userName": renamed}},
    ]});
    let bulk = |method: &str, data: &Value| {
        let operation = json!({"method": method, "path": "/Users/{owner}", "data": data});
        ("POST", "/Bulk", json!({"Operations": [operation]}))
    };
    for (method, path, body) in [
        ("PATCH", "/Users/{owner}", deactivate.clone()),
        ("PATCH", "/Users/{owner}", soft_delete),
        ("PUT", "/Users/{owner}", inactive.clone()),
        ("DELETE", "/Users/{owner}", Value::Null),
        ("PATCH", "/Me", deactivate.clone()),
        ("PUT", "/Me", inactive.clone()),
        bulk("PATCH", &deactivate),
        bulk("PUT", &inactive),
        bulk("DELETE", &Value::Null),
    ] {
        let world = World::new().await;
        let client = world.client().await;
        let other = world.client().await;
        let owner = client.administrator.to_string();
        assert_eq!(status(&other).await, 200);
        let body = body.to_string().replace("{owner}", &owner);
        let call = Call::new(method, &path.replace("{owner}", &owner)).body(body);
        let response = client.send(call).await;
        assert!(response.status < 300, "{method} {path}: {response:?}");
        assert_eq!(status(&client).await, 401, "{method} {path}");
        assert_eq!(status(&other).await, 200, "{method} {path}");
    }
}

#[tokio::test]
async fn a_deleted_owners_key_is_revoked_and_loses_its_name() {
    let world = World::new().await;
    let client = world.client().await;
    let owner = client.administrator.to_string();
    client.delete(&owner).await.assert_status(204);
    let key = world.store.find_key(client.key).await.unwrap().unwrap();
    assert!(key.revoked.is_some());
    assert_eq!(key.name, "");
}

#[tokio::test]
async fn a_verdict_about_an_owner_who_stays_active_is_kept() {
    let (store, usage) = counted_store(&Embedded::in_memory().unwrap()).await;
    let world = World::on(store);
    let client = world.client().await;
    let owner = client.administrator.to_string();
    assert_eq!(status(&client).await, 200);
    let title = json!([{"op": "replace", "path": "title", "value": "T"}]);
    client.patch(&owner, &title).await.assert_status(200);
    let wrong = json!([{"op": "replace", "path": "active", "value": "neither"}]);
    client.patch(&owner, &wrong).await.assert_status(400);
    usage.lock().unwrap().calls.clear();
    client.get("/nothing").await.assert_error(404, None);
    assert_eq!(usage.lock().unwrap().calls, Calls::new());
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
    let response = client.get("/Users").await;
    response.assert_error(403, None);
    // The refusal is cached no longer than an acceptance.
    world
        .change(client.company, client.administrator, |owner| {
            Next::Update(owner.granted(Permission::UsersManage))
        })
        .await;
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&client).await, 200);
}

#[tokio::test]
async fn a_key_whose_owner_loses_the_permission_is_forbidden_within_a_minute() {
    let world = World::new().await;
    let client = world.client().await;
    assert_eq!(status(&client).await, 200);
    world
        .change(client.company, client.administrator, |owner| {
            Next::Update(owner.ungranted(Permission::UsersManage))
        })
        .await;
    world.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(status(&client).await, 200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(status(&client).await, 403);
}

#[tokio::test]
async fn refusals_are_remembered_for_a_minute_and_bounded_in_number() {
    let (store, usage) = counted_store(&Embedded::in_memory().unwrap()).await;
    let world = World::on(store);
    let client = world.client().await;
    assert_eq!(status(&client).await, 200);
    // Whether the store is read for a wrong secret, of so many.
    let is_read = async |number: usize| {
        let mut secret = [1; 32];
        secret[..8].copy_from_slice(&number.to_be_bytes());
        let token = Token::new(client.key, &secret).reveal().to_string();
        usage.lock().unwrap().calls.clear();
        let call = Call::new("GET", "/Users").header("authorization", &format!("Bearer {token}"));
        world.send(call).await.assert_error(401, None);
        !usage.lock().unwrap().calls.is_empty()
    };
    assert!(is_read(0).await);
    assert!(!is_read(0).await);
    world.clock.advance(SignedDuration::from_secs(59));
    assert!(!is_read(0).await);
    world.clock.advance(SignedDuration::from_secs(1));
    assert!(is_read(0).await);

    // With the valid key, as many as are cached.
    assert_eq!(status(&client).await, 200);
    for number in 1..MAX_CACHED - 1 {
        assert!(is_read(number).await, "{number}");
    }
    assert!(!is_read(0).await);
    // One more displaces refusals only.
    assert!(is_read(MAX_CACHED).await);
    assert!(!is_read(MAX_CACHED).await);
    assert!(is_read(0).await);
    usage.lock().unwrap().calls.clear();
    client.get("/nothing").await.assert_error(404, None);
    assert_eq!(usage.lock().unwrap().calls, Calls::new());
}

/// Tokens of one key must not take the place of others' verdicts.
#[tokio::test]
async fn of_one_keys_access_tokens_the_newest_are_remembered() {
    let (store, usage) = counted_store(&Embedded::in_memory().unwrap()).await;
    let world = World::on(store);
    let client = world.client().await;
    let mut tokens = Vec::new();
    for _ in 0..=MAX_ACCEPTED {
        world.clock.advance(SignedDuration::from_secs(1));
        tokens.push(access_token(&client).await);
    }
    let is_read = async |token: &str| {
        usage.lock().unwrap().calls.clear();
        let call = Call::new("GET", "/nothing").header("authorization", &format!("Bearer {token}"));
        world.send(call).await.assert_error(404, None);
        !usage.lock().unwrap().calls.is_empty()
    };
    for token in &tokens {
        assert!(is_read(token).await);
        world.clock.advance(SignedDuration::from_secs(1));
    }
    for token in &tokens[1..] {
        assert!(!is_read(token).await);
    }
    assert!(is_read(&tokens[0]).await);
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

#[tokio::test]
async fn a_suspended_companys_keys_are_refused_within_a_minute_until_it_resumes() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    assert_eq!(status(&client).await, 200);
    for (operation, company_status, expected) in [
        (Operation::Suspend, CompanyStatus::Suspended, 403),
        (Operation::Resume, CompanyStatus::Active, 200),
    ] {
        let change = world.operator(client.company, operation);
        let changed = world.store.set_company_status(&change, company_status);
        assert_eq!(changed.await.unwrap().unwrap().status, company_status);
        world.clock.advance(ONE_MINUTE);
        assert_eq!(status(&client).await, expected);
        assert_eq!(status(&other).await, 200, "another company is concerned");
    }
}

#[tokio::test]
async fn a_rotated_key_is_honoured_as_long_as_it_overlaps() {
    let world = World::new().await;
    let mut client = world.client().await;
    assert_eq!(status(&client).await, 200);
    let new = Token::new(KeyId::new(u64::MAX - 1), &[3; 32]);
    let (old, now) = (client.key, paradigm_scim::config::Clock::now(&world.clock));
    let owner = client.administrator;
    let key = ApiKey::new(&new, "next", client.company, owner, None, now).unwrap();
    let until = now + SignedDuration::from_hours(1);
    world
        .change(client.company, owner, |owner| {
            let rotated = owner.with_key_rotated(old, until, &key, now).unwrap();
            Next::UpdateWithKeys(rotated.0, rotated.1)
        })
        .await;
    let old_token = std::mem::replace(&mut client.token, new.reveal().to_string());
    assert_eq!(status(&client).await, 200);
    client.token.clone_from(&old_token);
    world.clock.advance(SignedDuration::from_mins(59));
    assert_eq!(status(&client).await, 200);
    world.clock.advance(ONE_MINUTE);
    assert_eq!(status(&client).await, 401);
    client.token = new.reveal().to_string();
    assert_eq!(status(&client).await, 200);
    // A key that no longer exists cannot be rotated.
    let user = world.store.user(client.company, owner).await.unwrap();
    let again = Token::new(KeyId::new(u64::MAX - 2), &[4; 32]);
    let key = ApiKey::new(&again, "again", client.company, owner, None, now).unwrap();
    let unknown = KeyId::new(u64::MAX - 3);
    assert!(
        user.unwrap()
            .with_key_rotated(unknown, until, &key, now)
            .is_err()
    );
}

#[tokio::test]
async fn the_log_and_the_client_see_how_long_a_key_lives_and_that_it_is_sent_after_its_end() {
    let (world, records) = Records::of(World::new().await);
    let client = world.client().await;
    let expires: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
    let (company, owner) = (client.company, client.administrator);
    let (expiring, expiring_token) = world.key(company, owner, Some(expires)).await;
    let (revoked, revoked_token) = world.key(company, owner, None).await;
    let revoke = |owner: &paradigm_scim::directory::User| {
        let (owner, changes) = owner.without_key(revoked);
        Next::UpdateWithKeys(owner, changes)
    };
    world.change(company, owner, revoke).await;
    let wrong = Token::new(expiring, &[1; 32]).reveal().to_string();
    // After so many hours by each way: the rule of the refusal, the days left, and when the response says that it ends.
    let announced = Some("2026-01-31T00:00:00.000Z");
    for (hours, token, rule, days, expected) in [
        (0, &client.token, None, None, None),
        (0, &expiring_token, None, Some(30), announced),
        (1, &expiring_token, None, Some(29), announced),
        (718, &expiring_token, None, Some(0), announced),
        (1, &expiring_token, Some("key-expired"), None, None),
        (0, &wrong, Some("unauthorized"), None, None),
        (0, &revoked_token, Some("key-revoked"), None, None),
    ] {
        world.clock.advance(SignedDuration::from_hours(hours));
        let id = token[6..22].to_owned();
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={token}");
        let by_key = Call::new("GET", "/Users").header("authorization", &format!("Bearer {token}"));
        let fetch = Call::new("POST", "/oauth2/token").body(form);
        for call in [by_key, fetch] {
            let response = world.send(call).await;
            let record = records.pop();
            let at_token_endpoint = rule.map(|rule| match rule {
                "unauthorized" => "token-client",
                rule => rule,
            });
            let rules = [rule, at_token_endpoint];
            assert!(rules.contains(&record.rule), "{record:?}");
            assert_eq!(record.key, Some(id.clone()));
            assert_eq!(record.key_days_left, days, "{record:?}");
            assert_eq!(response.header("api-key-expires"), expected);
            assert_eq!(response.status, if rule.is_some() { 401 } else { 200 });
        }
    }
}

#[tokio::test]
async fn a_user_has_five_keys_at_most_also_if_they_are_made_at_once() {
    let world = World::new().await;
    let client = world.client().await;
    let now = paradigm_scim::config::Clock::now(&world.clock);
    let owner = client.administrator;
    let make = async |number: u64| {
        let token = Token::new(KeyId::new(u64::MAX - 100 - number), &[5; 32]);
        let key = ApiKey::new(&token, "many", client.company, owner, None, now).unwrap();
        let change = world.operator(client.company, Operation::CreateKey);
        let made = world.store.change_user(&change, owner, |owner| {
            let (owner, changes) = owner.with_key(&key, now).map_err(|_| refused())?;
            Ok::<_, StoreError>(Next::UpdateWithKeys(owner, changes))
        });
        made.await.is_ok()
    };
    let made = futures_util::future::join_all((0..8).map(make)).await;
    let made = made.into_iter().filter(|made| *made).count();
    // One is the client's own.
    assert_eq!(made, MAX_ACTIVE_KEYS - 1);
    let keys = world.store.api_keys(client.company).await.unwrap();
    assert_eq!(keys.len(), MAX_ACTIVE_KEYS);
}

fn refused() -> StoreError {
    StoreError::Refused("too many keys".to_owned())
}

#[tokio::test]
async fn the_day_a_key_is_used_on_is_recorded() {
    let world = World::new().await;
    let client = world.client().await;
    let last_used = async || {
        let key = world.store.find_key(client.key).await.unwrap().unwrap();
        key.last_used.map(|day| day.to_string())
    };
    assert_eq!(last_used().await, None);
    assert_eq!(status(&client).await, 200);
    assert_eq!(last_used().await.as_deref(), Some("2026-01-01"));
    world.clock.advance(SignedDuration::from_hours(30));
    assert_eq!(status(&client).await, 200);
    assert_eq!(last_used().await.as_deref(), Some("2026-01-02"));
}

#[tokio::test]
async fn the_day_is_recorded_once_by_however_many_requests_and_instances() {
    let embedded = Embedded::in_memory().unwrap();
    let (store, usage) = counted_store(&embedded).await;
    let worlds = [World::on(store.clone()), World::on(store.clone())];
    let client = worlds[0].client().await;
    let (key, token) = (client.key, client.token.clone());
    let authorization = format!("Bearer {token}");
    let everyone_asks = async || {
        let calls = worlds.iter().flat_map(|world| {
            let call = || Call::new("GET", "/Me").header("authorization", &authorization);
            (0..20).map(move |_| world.send(call()))
        });
        for response in futures_util::future::join_all(calls).await {
            response.assert_status(200);
        }
        let mut usage = usage.lock().unwrap();
        std::mem::take(&mut *usage)
    };
    everyone_asks().await;
    let last_used = async || {
        let key = store.find_key(key).await.unwrap().unwrap();
        key.last_used.unwrap().to_string()
    };
    for (hours, day) in [(30, "2026-01-02"), (24, "2026-01-03")] {
        for world in &worlds {
            world.clock.advance(SignedDuration::from_hours(hours));
        }
        let used = everyone_asks().await;
        // Each instance sends one at most, and one is written.
        let sent = used.calls["UpdateItem"];
        assert!((1..=worlds.len()).contains(&sent), "{used:?}");
        assert_eq!(used.write_units, 1.0, "{used:?}");
        assert_eq!(last_used().await, day);
        worlds[0].clock.advance(ONE_MINUTE);
        let used = everyone_asks().await;
        assert_eq!(used.calls.get("UpdateItem"), None);
    }
    // An instance whose clock is behind does not move the day back.
    let behind = World::on(store.clone());
    let call = Call::new("GET", "/Users").header("authorization", &authorization);
    behind.send(call).await.assert_status(200);
    store
        .mark_key_used(key, "2026-01-01".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(last_used().await, "2026-01-03");
}

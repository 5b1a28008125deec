//! Access tokens: how long they are accepted, and that only a key's secret makes them. `conversations/oauth2.json` has
//! the requests of clients and their responses.

use std::sync::Arc;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use embedded::Embedded;
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::config::{Clock as _, Config};
use paradigm_scim::directory::access_token::{Claims, SigningKey};
use paradigm_scim::directory::{AccessToken, CompanyId, KeyId, Token, User};
use paradigm_scim::store::layout::{Item, PK, Value as Stored};
use paradigm_scim::store::memory::Memory;
use paradigm_scim::store::{Next, Store};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::faults::{Fault, world};
use test_support::counted::Counted;
use test_support::data::assert_none;
use test_support::raw::RawTable;
use test_support::world::{Call, Client, Response, World, in_memory};

const GRANT: &str = "grant_type=client_credentials";
const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\"";

/// Requests an access token by parameters.
async fn requested(world: &World, id: &str, secret: &str) -> Response {
    let form = format!("{GRANT}&client_id={id}&client_secret={secret}");
    world
        .send(Call::new("POST", "/oauth2/token").body(form))
        .await
}

/// Requests an access token by HTTP Basic.
async fn requested_by_basic(world: &World, id: &str, secret: &str) -> Response {
    let basic = STANDARD.encode(format!("{id}:{secret}"));
    let call = Call::new("POST", "/oauth2/token")
        .body(GRANT)
        .header("authorization", &format!("Basic {basic}"));
    world.send(call).await
}

#[track_caller]
fn token_in(response: &Response) -> String {
    response.assert_status(200);
    let token = response.json()["access_token"].as_str().unwrap();
    token.to_owned()
}

/// Returns an access token for the key of a client.
pub(crate) async fn access_token(client: &Client<'_>) -> String {
    let response = requested(client.world, &client.key.to_string(), &client.token).await;
    token_in(&response)
}

async fn get_users(world: &World, token: &str) -> Response {
    let call = Call::new("GET", "/Users").header("authorization", &format!("Bearer {token}"));
    world.send(call).await
}

#[track_caller]
fn assert_refused(response: &Response) {
    response.assert_error(401, None);
    assert_eq!(response.header("www-authenticate"), Some(INVALID_TOKEN));
}

/// The secret of a token as its key pair is derived from it.
fn secret(token: &str) -> &[u8] {
    &token.rsplit('_').next().unwrap().as_bytes()[..64]
}

#[tokio::test]
async fn a_token_by_basic_or_by_parameters_is_accepted_for_its_hour() {
    let world = World::new().await;
    let client = world.client().await;
    let id = client.key.to_string();
    let tokens = [
        token_in(&requested_by_basic(&world, &id, &client.token).await),
        token_in(&requested(&world, &id, &client.token).await),
    ];
    for (number, token) in tokens.iter().enumerate() {
        let user = json!({"userName": format!("user-{number}@example.com")});
        let call = Call::new("POST", "/Users")
            .json(&user)
            .header("authorization", &format!("Bearer {token}"));
        world.send(call).await.assert_status(201);
    }
    // Clocks may be a minute apart.
    for (after, is_accepted) in [(3_600, true), (59, true), (1, false)] {
        world.clock.advance(SignedDuration::from_secs(after));
        for token in &tokens {
            let response = get_users(&world, token).await;
            match is_accepted {
                true => response.assert_status(200),
                false => assert_refused(&response),
            }
        }
    }
    // The key itself is as valid as before.
    client.get("/Users").await.assert_status(200);
}

#[tokio::test]
async fn a_token_is_refused_within_a_minute_of_its_keys_revocation() {
    let world = World::new().await;
    let client = world.client().await;
    let token = access_token(&client).await;
    get_users(&world, &token).await.assert_status(200);
    let revoke = |owner: &User| {
        let (owner, changes) = owner.without_key(client.key);
        Next::UpdateWithKeys(owner, changes)
    };
    world
        .change(client.company, client.administrator, revoke)
        .await;
    world.clock.advance(SignedDuration::from_secs(59));
    get_users(&world, &token).await.assert_status(200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_refused(&get_users(&world, &token).await);
    let key = world.store.find_key(client.key).await.unwrap().unwrap();
    assert_eq!(key.public_key, None);
}

#[tokio::test]
async fn a_token_ends_with_its_key() {
    let world = World::new().await;
    let client = world.client().await;
    let expires: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
    let (key, token) = world
        .key(client.company, client.administrator, Some(expires))
        .await;
    let response = requested(&world, &key.to_string(), &token).await;
    assert_eq!(response.json()["expires_in"], 600);
    let token = token_in(&response);
    world.clock.advance(SignedDuration::from_secs(599));
    get_users(&world, &token).await.assert_status(200);
    world.clock.advance(SignedDuration::from_secs(1));
    assert_refused(&get_users(&world, &token).await);
}

#[tokio::test]
async fn a_token_lives_as_long_as_the_variable_says() {
    let store = in_memory();
    let client = World::on(store.clone());
    let client = client.client().await;
    for (minutes, expected) in [
        (None, Some(3_600)),
        (Some(""), Some(3_600)),
        (Some("5"), Some(300)),
        (Some("360"), Some(21_600)),
        (Some("4"), None),
        (Some("361"), None),
        (Some("1h"), None),
    ] {
        let config = Config::from_variables(|name| match name {
            "SCIM_INSTANCE_ACTIVATION" => Some("True".to_owned()),
            "SCIM_ACCESS_TOKEN_MINUTES" => minutes.map(str::to_owned),
            _ => None,
        });
        let read = config.access_token_minutes.clone();
        assert_eq!(read.is_ok(), expected.is_some(), "{minutes:?}: {read:?}");
        let world = World::with_config(store.clone(), config);
        let response = requested(&world, &client.key.to_string(), &client.token).await;
        // A handler that cannot use the variable goes on with the default.
        let seconds = expected.unwrap_or(3_600);
        assert_eq!(response.json()["expires_in"], seconds, "{minutes:?}");
    }
}

#[tokio::test]
async fn a_token_of_a_clock_that_is_ahead_is_accepted_up_to_a_minute() {
    let store = in_memory();
    let (ahead, behind) = (World::on(store.clone()), World::on(store));
    let client = ahead.client().await;
    for (seconds, is_accepted) in [(60, true), (1, false)] {
        ahead.clock.advance(SignedDuration::from_secs(seconds));
        let token = access_token(&client).await;
        let response = get_users(&behind, &token).await;
        match is_accepted {
            true => response.assert_status(200),
            false => assert_refused(&response),
        }
    }
}

#[tokio::test]
async fn a_token_does_what_its_key_may_do() {
    let world = World::new().await;
    let client = world.client().await;
    let token = access_token(&client).await;
    let me = Call::new("GET", "/Me").header("authorization", &format!("Bearer {token}"));
    assert_eq!(world.send(me).await.id(), client.administrator.to_string());
    // The process that deactivates the owner refuses the owner's tokens at once.
    let deactivate = json!([{"op": "replace", "path": "active", "value": false}]);
    let owner = client.administrator.to_string();
    client.patch(&owner, &deactivate).await.assert_status(200);
    assert_refused(&get_users(&world, &token).await);
}

/// Returns an access token of an hour.
fn signed(signing_key: &SigningKey, key: KeyId, company: CompanyId, now: Timestamp) -> String {
    let claims = Claims {
        key,
        company,
        issued: now,
        expires: now + SignedDuration::from_hours(1),
    };
    signing_key.sign(claims).unwrap()
}

#[tokio::test]
async fn a_key_signs_for_its_own_company_only() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    let own = SigningKey::derive(secret(&client.token)).unwrap();
    let now = world.clock.now();
    let token = |key, company| signed(&own, key, company, now);
    for (token, is_accepted) in [
        (token(client.key, client.company), true),
        (token(client.key, other.company), false),
        (token(other.key, other.company), false),
        (token(client.key, CompanyId::new(Uuid::nil())), false),
    ] {
        let response = get_users(&world, &token).await;
        match is_accepted {
            true => response.assert_status(200),
            false => assert_refused(&response),
        }
    }
}

/// Returns every value of an item, as bytes.
fn bytes_of(value: &Stored) -> Vec<Vec<u8>> {
    match value {
        Stored::Bytes(bytes) => vec![bytes.clone()],
        Stored::Map(members) => {
            let names = members.keys().map(|name| name.clone().into_bytes());
            names.chain(members.values().flat_map(bytes_of)).collect()
        }
        Stored::StringSet(texts) => texts.iter().map(|text| text.clone().into_bytes()).collect(),
        Stored::String(text) | Stored::Number(text) => vec![text.clone().into_bytes()],
        _ => Vec::new(),
    }
}

/// Returns the token signed again by another seed.
fn signed_by_seed(token: &str, seed: &[u8]) -> String {
    let (prefix, text) = token.split_at("pscimat_".len());
    let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
    let claims = &bytes[..41];
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).unwrap();
    let bytes = [claims, pair.sign(claims).as_ref()].concat();
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

#[tokio::test]
async fn every_byte_of_the_table_does_not_suffice_to_make_a_token() {
    let (world, table) = World::with_table();
    let client = world.client().await;
    let (id, now) = (client.key.to_string(), world.clock.now());
    let genuine = access_token(&client).await;
    get_users(&world, &genuine).await.assert_status(200);
    let stored: Vec<Vec<u8>> = table
        .items()
        .await
        .iter()
        .flat_map(|item| item.values().flat_map(bytes_of).collect::<Vec<_>>())
        .collect();
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let texts: Vec<String> = stored.iter().map(hex).collect();
    let materials: Vec<&[u8]> = stored
        .iter()
        .map(Vec::as_slice)
        .chain(texts.iter().map(String::as_bytes))
        .collect();
    assert!(materials.len() > 50, "{}", materials.len());
    let mut forged: Vec<String> = Vec::new();
    for material in &materials {
        // As the secret, and every part of it as the private key.
        let signing_key = SigningKey::derive(material).unwrap();
        forged.push(signed(&signing_key, client.key, client.company, now));
        let seeds = material.windows(32);
        forged.extend(seeds.map(|seed| signed_by_seed(&genuine, seed)));
    }
    let key = world.store.find_key(client.key).await.unwrap().unwrap();
    let public_key = key.public_key.unwrap();
    for token in &forged {
        let token = AccessToken::parse(token).unwrap();
        assert!(!token.is_signed_by(&public_key));
    }
    for token in forged.iter().take(200) {
        assert_refused(&get_users(&world, token).await);
    }
    // Nor does the token endpoint take any of it for the secret.
    for text in &texts {
        requested(&world, &id, text).await.assert_status(401);
    }
    // The same way makes a token from the secret, so the way is right.
    let signing_key = SigningKey::derive(secret(&client.token)).unwrap();
    let token = signed(&signing_key, client.key, client.company, now);
    get_users(&world, &token).await.assert_status(200);
}

/// A table with its calls counted, and the clients whose secrets are refused.
async fn refused_clients(world: &World, table: &RawTable) -> Vec<(&'static str, String, String)> {
    let client = world.client().await;
    let now = world.clock.now();
    let (company, owner) = (client.company, client.administrator);
    let valid = client.key.to_string();
    let wrong = Token::new(client.key, &[1; 32]).reveal().to_string();
    let unknown = Token::new(KeyId::new(u64::MAX - 20), &[9; 32]);
    let soon = now + SignedDuration::from_secs(30);
    let (expired, of_expired) = world.key(company, owner, Some(soon)).await;
    let (revoked, of_revoked) = world.key(company, owner, None).await;
    let revoke = |owner: &User| {
        let (owner, changes) = owner.without_key(revoked);
        Next::UpdateWithKeys(owner, changes)
    };
    world.change(company, owner, revoke).await;
    let (old, of_old) = world.key(company, owner, None).await;
    let as_before = |item: &Item| {
        let is_old = item[PK] == Stored::String(format!("KEY#{old}"));
        let mut item = item.clone();
        item.remove("publicKey");
        is_old.then_some(item)
    };
    let items = table.items().await;
    table.put(items.iter().filter_map(as_before)).await;
    world.clock.advance(SignedDuration::from_secs(30));
    vec![
        ("a wrong secret", valid.clone(), wrong),
        (
            "an unknown key",
            unknown.key_id().to_string(),
            unknown.reveal().to_string(),
        ),
        ("an expired key", expired.to_string(), of_expired),
        ("a revoked key", revoked.to_string(), of_revoked),
        ("a key of before", old.to_string(), of_old),
        ("no secret at all", valid.clone(), String::new()),
        ("an access token", valid, access_token(&client).await),
    ]
}

#[tokio::test]
async fn all_refusals_of_clients_look_the_same_and_cost_one_read_at_most() {
    let table = RawTable(Arc::new(Memory::new()));
    let counted = Arc::new(Counted::new(Arc::clone(&table.0)));
    let world = World::on(Store::on(Arc::clone(&counted) as _));
    let clients = refused_clients(&world, &table).await;
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    for (about, id, secret) in &clients {
        for way in ["by parameters", "by Basic"] {
            counted.take();
            let response = match way {
                "by Basic" => requested_by_basic(&world, id, secret).await,
                _ => requested(&world, id, secret).await,
            };
            let calls = counted.take();
            let is_cheap = calls.iter().all(|call| call == (&"get", &1));
            if response.status != 401 || !is_cheap {
                wrong.push(format!("{about} {way}: {} {calls:?}", response.status));
            }
            seen.push(format!("{:?} {:?}", response.headers, response.body));
        }
    }
    assert_none(&wrong);
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

// Time is paused: the store's attempts wait for each other.
#[tokio::test(start_paused = true)]
async fn refusals_of_the_instance_have_the_form_of_oauth() {
    let store = in_memory();
    let inactive = World::with_config(store, Config::default());
    let response = requested(&inactive, "x", "x").await;
    response.assert_status(403);
    assert_eq!(response.json()["error"], "access_denied");

    let (busy, switch) = world(Fault::Responded(500, "")).await;
    let client = busy.client().await;
    switch.set(0, usize::MAX);
    let response = requested(&busy, &client.key.to_string(), &client.token).await;
    response.assert_status(503);
    assert_eq!(response.json()["error"], "temporarily_unavailable");
    assert_eq!(response.header("retry-after"), Some("5"));
    for response in [response, requested(&inactive, "x", "x").await] {
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("cache-control"), Some("no-store"));
        let description = response.json()["error_description"].as_str().unwrap();
        // RFC 6749 §5.2.
        let is_allowed = |c: char| (' '..='~').contains(&c) && !['"', '\\'].contains(&c);
        assert!(description.chars().all(is_allowed), "{description}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_by_the_token_endpoint() {
    let world = World::new().await;
    let client = world.client().await;
    let form = format!(
        "{GRANT}&client_id={}&client_secret={}",
        client.key, client.token
    );
    for (length, status) in [(8_192, 200), (8_193, 413)] {
        let padding = "x".repeat(length - form.len() - 3);
        let call = Call::new("POST", "/oauth2/token").body(format!("{form}&x={padding}"));
        let response = world.send(call).await;
        response.assert_status(status);
        if status == 413 {
            assert_eq!(response.json()["error"], "invalid_request");
        }
    }
}

#[tokio::test]
async fn the_day_of_use_is_recorded_when_a_token_is_used_and_not_when_it_is_fetched() {
    let world = World::on(Embedded::in_memory().unwrap().store("test").await.unwrap());
    let client = world.client().await;
    let last_used = async || {
        let key = world.store.find_key(client.key).await.unwrap().unwrap();
        key.last_used.map(|day| Value::from(day.to_string()))
    };
    let token = access_token(&client).await;
    assert_eq!(last_used().await, None);
    get_users(&world, &token).await.assert_status(200);
    assert_eq!(last_used().await, Some("2026-01-01".into()));
}

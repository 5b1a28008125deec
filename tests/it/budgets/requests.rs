//! The calls of each kind of request.

use crate::counting::Usage;
use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::Token;
use scim::cursor::{self, MARK_BYTES, Position};
use serde_json::{Value, json};
use test_support::world::{Call, Client, World, encode, fill};
use uuid::Uuid;

use super::Measured;

const ONE: (&str, usize) = ("GetItem", 1);
const WRITE: (&str, usize) = ("TransactWriteItems", 1);
const CHANGE: [(&str, usize); 2] = [ONE, WRITE];

/// Every kind of request in a company of so many users more than the three it needs.
pub(super) async fn measure(others: usize) -> Vec<(&'static str, Usage)> {
    let embedded = Embedded::in_memory().unwrap();
    let mut measured = Measured::new(&embedded).await;
    let world = World::on(measured.world.store.clone());
    let client = world.client().await;
    client.create(&json!({"userName": "other"})).await;
    fill(&embedded, client.company, others).await;
    let emails =
        json!([{"type": "work", "value": "a@x.org"}, {"type": "home", "value": "b@x.org"}]);
    let user = json!({"userName": "user@x.org", "externalId": "x", "emails": emails});
    let m = &mut measured;
    authentication(m, &client).await;
    // An id later than all there are, and earlier than the next.
    let before_the_last = Uuid::now_v7();
    let path = lookups(m, &client, &user).await;
    lists(m, &client, before_the_last).await;
    searches(m, &client).await;
    me(m, &client).await;
    changes(m, &client, &path, &user).await;
    entra_users(m, &client).await;
    descriptions(m, &client).await;
    measured.rows
}

/// Verifying the caller: once a minute, and then by what is cached.
async fn authentication(m: &mut Measured, client: &Client<'_>) {
    client.get("/nothing").await;
    client.world.clock.advance(SignedDuration::from_secs(60));
    let nothing = || Call::new("GET", "/nothing");
    let cold = [("BatchGetItem", 1), ("GetItem", 1)];
    m.row(client, "authentication, once a minute", &cold, nothing())
        .await;
    m.row(client, "authentication, cached", &[], nothing())
        .await;
    client.world.clock.advance(SignedDuration::from_hours(24));
    let first_of_a_day = [("BatchGetItem", 1), ("GetItem", 1), ("UpdateItem", 1)];
    let about = "authentication, first of a day";
    m.row(client, about, &first_of_a_day, nothing()).await;
    let token = |secret: &str| {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}",
            client.key
        );
        client
            .world
            .send(Call::new("POST", "/oauth2/token").body(form))
    };
    let issued = m.row_of("access token", &[ONE], token(&client.token)).await;
    issued.assert_status(200);
    let wrong = Token::new(client.key, &[1; 32]).reveal().to_string();
    m.row_of("access token, wrong secret", &[ONE], token(&wrong))
        .await
        .assert_status(401);
    let access_token = issued.json()["access_token"].as_str().unwrap();
    let authorization = format!("Bearer {access_token}");
    let by_token = || {
        client
            .world
            .send(nothing().header("authorization", &authorization))
    };
    m.row_of(
        "authentication by access token, once a minute",
        &cold,
        by_token(),
    )
    .await
    .assert_status(404);
    m.row_of("authentication by access token, cached", &[], by_token())
        .await
        .assert_status(404);
    let store = m.world.store.clone();
    m.row_of("start of an instance", &[("GetItem", 1)], store.connect())
        .await;
}

/// Creating a user and finding it. Returns the path of the user.
async fn lookups(m: &mut Measured, client: &Client<'_>, user: &Value) -> String {
    let post = || Call::new("POST", "/Users").json(user);
    let created = m.row(client, "POST", &[WRITE], post()).await;
    m.row(client, "POST, name taken", &[WRITE], post()).await;
    let path = format!("/Users/{}", created.id());
    m.row(client, "GET by id", &[ONE], Call::new("GET", &path))
        .await;
    let filtered = |filter: &str| Call::new("GET", "/Users").query(&encode(&[("filter", filter)]));
    let by_id = filtered(&format!("id eq \"{}\"", created.id()));
    m.row(client, "id eq", &[ONE], by_id).await;
    let miss = filtered("userName eq \"nobody\"");
    m.row(client, "userName eq, nobody", &[ONE], miss).await;
    let hit = "userName eq \"USER@x.org\"";
    m.row(client, "userName eq", &[("GetItem", 2)], filtered(hit))
        .await;
    let both = filtered("active eq true and userName eq \"user@x.org\"");
    m.row(client, "userName eq, beside and", &[("GetItem", 2)], both)
        .await;
    let lookup = [("BatchGetItem", 1), ("Query", 1)];
    let external_id = filtered("externalId eq \"x\"");
    m.row(client, "externalId eq", &lookup, external_id).await;
    let by_email = filtered("emails[type eq \"work\"].value eq \"a@x.org\"");
    m.row(client, "emails…value eq", &lookup, by_email).await;
    path
}

/// Pages of users.
async fn lists(m: &mut Measured, client: &Client<'_>, before_the_last: Uuid) {
    let list = [("BatchGetItem", 1), ("Query", 2)];
    let first = || Call::new("GET", "/Users").query("count=2");
    m.row(client, "page of 2 by index, first", &list, first())
        .await;
    let next = Call::new("GET", "/Users").query("startIndex=3&count=1");
    m.row(client, "page of 1 by index, next", &list, next).await;
    let total = Call::new("GET", "/Users").query("count=0");
    m.row(client, "total only", &[("Query", 1)], total).await;
    let by_cursor = |query: &str| Call::new("GET", "/Users").query(&format!("cursor&{query}"));
    let page = [("BatchGetItem", 1), ("Query", 1)];
    let first = by_cursor("count=2");
    let first = m
        .row(client, "page of 2 by cursor, first", &page, first)
        .await;
    let next = first.json()["nextCursor"].as_str().unwrap();
    let next = Call::new("GET", "/Users").query(&format!("cursor={next}&count=1"));
    m.row(client, "page of 1 by cursor, next", &page, next)
        .await;
    let deep = sealed(before_the_last, client);
    let deep = Call::new("GET", "/Users").query(&format!("cursor={deep}&count=1"));
    m.row(client, "page of 1 by cursor, the last", &page, deep)
        .await;
}

/// Queries in a body.
async fn searches(m: &mut Measured, client: &Client<'_>) {
    let hit = "userName eq \"USER@x.org\"";
    for (about, path) in [
        ("Users/.search, userName eq", "/Users/.search"),
        (".search, userName eq", "/.search"),
    ] {
        let search = Call::new("POST", path).json(&json!({"filter": hit}));
        m.row(client, about, &[("GetItem", 2)], search).await;
    }
    let base = Call::new("GET", "/").query(&encode(&[("filter", hit)]));
    m.row(client, "base URI, userName eq", &[("GetItem", 2)], base)
        .await;
}

/// A PATCH of the title.
fn title() -> Value {
    json!({"Operations": [{"op": "replace", "path": "title", "value": "T"}]})
}

/// The caller's own user.
async fn me(m: &mut Measured, client: &Client<'_>) {
    m.row(client, "GET Me", &[ONE], Call::new("GET", "/Me"))
        .await;
    let title = title();
    let patch_me = Call::new("PATCH", "/Me").json(&title);
    m.row(client, "PATCH Me", &CHANGE, patch_me).await;
    let put_me = Call::new("PUT", "/Me").json(&json!({"userName": "administrator@example.com"}));
    m.row(client, "PUT Me", &CHANGE, put_me).await;
}

/// Changes of a user.
async fn changes(m: &mut Measured, client: &Client<'_>, path: &str, user: &Value) {
    let title = title();
    let patch = || Call::new("PATCH", path).json(&title);
    m.row(client, "PATCH", &CHANGE, patch()).await;
    m.row(client, "PATCH, nothing changes", &[ONE], patch())
        .await;
    let put = || Call::new("PUT", path).json(user);
    m.row(client, "PUT", &CHANGE, put()).await;
    m.row(client, "PUT, nothing changes", &[ONE], put()).await;
    let rename = json!({"Operations": [{"op": "replace", "value": {
        "active": false, "userName": format!("{}user@x.org", "a".repeat(32)),
    }}]});
    let rename = Call::new("PATCH", path).json(&rename);
    m.row(client, "PATCH, soft delete", &CHANGE, rename).await;
    let restore = json!({"Operations": [{"op": "replace", "path": "active", "value": true}]});
    let restore = Call::new("PATCH", path).json(&restore);
    m.row(client, "PATCH, restore", &CHANGE, restore).await;
    let bulk = json!({"Operations": [
        {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bulk"}},
        {"method": "PATCH", "path": path, "data": title},
    ]});
    let bulk = Call::new("POST", "/Bulk").json(&bulk);
    let both = [ONE, ("TransactWriteItems", 2)];
    m.row(client, "Bulk of a POST and a PATCH", &both, bulk)
        .await;
    m.row(client, "DELETE", &CHANGE, Call::new("DELETE", path))
        .await;
    m.row(client, "DELETE, gone", &[ONE], Call::new("DELETE", path))
        .await;
}

/// The writes in the life of a user as Entra usually creates them: one work email, which is the `userName`, and an
/// `externalId`. An item counts one unit more for each kB.
async fn entra_users(m: &mut Measured, client: &Client<'_>) {
    let [small, large] = [0, 900].map(|length| "x".repeat(length));
    for (title, about) in [
        (
            small,
            [
                "POST of Entra's user",
                "PATCH of Entra's user",
                "PATCH, soft delete of Entra's user",
                "DELETE of Entra's user",
            ],
        ),
        (
            large,
            [
                "POST of Entra's user above 1 kB",
                "PATCH of Entra's user above 1 kB",
                "PATCH, soft delete of Entra's user above 1 kB",
                "DELETE of Entra's user above 1 kB",
            ],
        ),
    ] {
        let [create, change, soft_delete, delete] = about;
        let name = "ada.lovelace@example.com";
        let renamed = format!("0123456789abcdef0123456789abcdef{name}");
        let user = json!({
            "userName": name, "externalId": "7c0f3e4e-0a35-4a46-a3ad-9e2cb1a0d7a4", "active": true,
            "displayName": "Ada Lovelace", "name": {"givenName": "Ada", "familyName": "Lovelace"},
            "title": title, "emails": [{"type": "work", "value": name, "primary": true}],
        });
        let made = Call::new("POST", "/Users").json(&user);
        let path = format!(
            "/Users/{}",
            m.row(client, create, &[WRITE], made).await.id()
        );
        let patch =
            |operations: &Value| Call::new("PATCH", &path).json(&json!({"Operations": operations}));
        let display_name = json!([{"op": "replace", "path": "displayName", "value": "Ada King"}]);
        m.row(client, change, &CHANGE, patch(&display_name)).await;
        let tombstone = json!([
            {"op": "replace", "path": "active", "value": false},
            {"op": "replace", "path": "userName", "value": renamed},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": renamed},
        ]);
        m.row(client, soft_delete, &CHANGE, patch(&tombstone)).await;
        m.row(client, delete, &CHANGE, Call::new("DELETE", &path))
            .await;
    }
}

/// What describes the service.
async fn descriptions(m: &mut Measured, client: &Client<'_>) {
    for (about, path) in [
        ("ServiceProviderConfig", "/ServiceProviderConfig"),
        ("ResourceTypes", "/ResourceTypes"),
        ("Schemas", "/Schemas"),
        ("Groups", "/Groups"),
    ] {
        m.row(client, about, &[], Call::new("GET", path)).await;
    }
}

/// Returns a cursor for what comes after an id.
fn sealed(after: Uuid, client: &Client<'_>) -> String {
    let position = Position {
        after,
        mark: [0; MARK_BYTES],
    };
    let mut secret = [0; 32];
    secret.copy_from_slice(&client.company.to_string().as_bytes()[4..]);
    cursor::seal(position, "\0\0", &secret, client.world.clock.now()).unwrap()
}

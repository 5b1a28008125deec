//! One company neither sees, changes, counts nor learns of another's users: on every route, whatever
//! refers to something of the other company is handled like something that does not exist, with
//! the same status, headers, body and calls of the engine.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use jiff::SignedDuration;
use paradigm_scim::api::route::{Endpoint, ROUTES, Route};
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::access_token::{Claims, SigningKey};
use paradigm_scim::directory::{CompanyId, KeyId, Token};
use paradigm_scim::store::Store;
use serde_json::{Value, json};
use uuid::Uuid;

use test_support::counted::{Calls, Counted};
use test_support::data::assert_none;
use test_support::engine::Engine;
use test_support::on_every_engine;
use test_support::world::{Call, Client, Response, World, encode};

on_every_engine!(
    nothing_of_another_company_can_be_reached_or_learned,
    names_are_unique_in_a_company_only,
);

/// By what a request may refer to something.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Id,
    Filter,
    Manager,
    BulkId,
    Cursor,
    ETag,
    KeyId,
}

const KINDS: [Kind; 7] = [
    Kind::Id,
    Kind::Filter,
    Kind::Manager,
    Kind::BulkId,
    Kind::Cursor,
    Kind::ETag,
    Kind::KeyId,
];

/// What is referred to: something of the other company's, or the same with values that no company has.
struct Referred {
    id: String,
    user_name: &'static str,
    external_id: &'static str,
    bulk_id: &'static str,
    cursor: String,
    version: &'static str,
    token: String,
    /// Signed by the caller's key, but issued for another key and company.
    access_token: String,
}

/// A request that refers to something, and where in it.
struct Reference {
    place: String,
    request: Box<dyn Fn(&Referred) -> Call>,
}

fn reference(place: &str, request: impl Fn(&Referred) -> Call + 'static) -> Reference {
    Reference {
        place: place.to_owned(),
        request: Box::new(request),
    }
}

/// Returns the requests on a route that refer to something in this way; `own` is a user of the caller's.
fn references(kind: Kind, route: &'static Route, own: &str) -> Vec<Reference> {
    if exception(kind, route).is_some() && route.endpoint == Endpoint::IssueToken {
        return Vec::new();
    }
    match kind {
        Kind::Id => ids(route, own),
        Kind::Filter => filters(route, &FILTERS),
        Kind::Manager if is_search(route) => filters(route, &MANAGER_FILTERS),
        Kind::Manager => values(route, own, "manager", |referred| referred.id.clone()),
        Kind::BulkId => bulk_ids(route, own),
        Kind::Cursor => cursors(route),
        Kind::ETag => etags(route),
        Kind::KeyId if route.endpoint == Endpoint::IssueToken => clients(route),
        Kind::KeyId => ["in the token", "in an access token"]
            .map(|place| {
                reference(place, move |referred| {
                    let token = match place {
                        "in the token" => &referred.token,
                        _ => &referred.access_token,
                    };
                    call(route, "x").header("authorization", &format!("Bearer {token}"))
                })
            })
            .into(),
    }
}

/// Requests for an access token.
fn clients(route: &'static Route) -> Vec<Reference> {
    let id = |referred: &Referred| referred.token[6..22].to_owned();
    let grant = "grant_type=client_credentials";
    vec![
        reference("by HTTP Basic", move |referred| {
            let basic = STANDARD.encode(format!("{}:{}", id(referred), referred.token));
            at(route, "")
                .body(grant)
                .header("authorization", &format!("Basic {basic}"))
        }),
        reference("by parameters", move |referred| {
            let (id, secret) = (id(referred), &referred.token);
            at(route, "").body(format!("{grant}&client_id={id}&client_secret={secret}"))
        }),
    ]
}

/// Returns why nothing can be referred to in this way on a route.
fn exception(kind: Kind, route: &Route) -> Option<&'static str> {
    let takes_a_user = takes_body(route) && !is_search(route);
    match kind {
        Kind::KeyId => None,
        _ if route.endpoint == Endpoint::IssueToken => Some("takes the credentials of a key only"),
        Kind::Id if !route.path.contains("{id}") && !takes_a_user => Some("names no user"),
        Kind::Manager if !takes_a_user && !is_search(route) => {
            Some("takes neither user nor filter")
        }
        Kind::BulkId if !route.path.contains("{id}") && !takes_a_user => {
            Some("takes neither id nor user")
        }
        _ => None,
    }
}

const FILTERS: [&str; 9] = [
    "id eq \"ID\"",
    "userName eq \"NAME\"",
    "userName sw \"NAME\"",
    "not (title pr) and userName eq \"NAME\"",
    "emails.value eq \"NAME\"",
    "emails[type eq \"work\"].value eq \"NAME\"",
    "emails.value ew \"NAME\"",
    "externalId eq \"EXTERNAL\"",
    "externalId co \"EXTERNAL\"",
];
const MANAGER_FILTERS: [&str; 2] = ["manager eq \"ID\"", "manager.value eq \"ID\""];

fn is_search(route: &Route) -> bool {
    matches!(
        route.endpoint,
        Endpoint::ListUsers | Endpoint::SearchUsers | Endpoint::SearchAll | Endpoint::QueryAll
    )
}

fn takes_body(route: &Route) -> bool {
    matches!(route.method, Method::POST | Method::PUT | Method::PATCH)
}

fn deactivate() -> Value {
    json!({"Operations": [{"op": "replace", "path": "active", "value": false}]})
}

fn user() -> Value {
    json!({"userName": "new@example.com"})
}

fn at(route: &Route, id: &str) -> Call {
    Call::new(route.method.as_str(), &route.path.replace("{id}", id))
}

/// Returns a request of the route that does something, if there is what it is about.
fn call(route: &Route, id: &str) -> Call {
    let body = match (route.endpoint, &route.method) {
        (Endpoint::Bulk, _) => json!({"Operations": [{"method": "DELETE", "path": "/Users/x"}]}),
        (Endpoint::SearchUsers | Endpoint::SearchAll, _) => json!({"count": 10}),
        (Endpoint::PatchMe, _) => {
            json!({"Operations": [{"op": "add", "path": "title", "value": "T"}]})
        }
        (_, &Method::PATCH) => deactivate(),
        (_, &Method::POST | &Method::PUT) => user(),
        _ => return at(route, id),
    };
    at(route, id).json(&body)
}

/// One operation of a bulk request.
fn bulk(method: &str, path: &str, data: &Value) -> Value {
    json!({"method": method, "path": path, "data": data, "bulkId": "b"})
}

/// Returns what `PUT`, `PATCH` and `DELETE` of a user come with.
fn changes() -> [(&'static str, Value); 3] {
    [
        ("PUT", user()),
        ("PATCH", deactivate()),
        ("DELETE", Value::Null),
    ]
}

fn ids(route: &'static Route, own: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    if route.path.contains("{id}") {
        found.push(reference("in the path", |referred| {
            call(route, &referred.id)
        }));
    }
    if route.endpoint == Endpoint::Bulk {
        for (method, data) in changes() {
            found.push(reference(method, move |referred| {
                let path = format!("/Users/{}", referred.id);
                call_with(route, &json!([bulk(method, &path, &data)]))
            }));
        }
    }
    found.extend(values(route, own, "id", |referred| referred.id.clone()));
    found
}

fn call_with(route: &Route, operations: &Value) -> Call {
    at(route, "").json(&json!({"Operations": operations}))
}

/// Requests that write a value into a user of the caller's, or into a new one.
fn values(
    route: &'static Route,
    own: &str,
    name: &'static str,
    value: impl Fn(&Referred) -> String + Copy + 'static,
) -> Vec<Reference> {
    if !takes_body(route) || is_search(route) {
        return Vec::new();
    }
    let own = own.to_owned();
    let written = move |referred: &Referred| {
        let mut user = user();
        user[name] = value(referred).into();
        user
    };
    let patched = move |referred: &Referred| json!({"Operations": [{"op": "add", "path": name, "value": value(referred)}]});
    if route.endpoint == Endpoint::Bulk {
        let (put, patch) = (own.clone(), own);
        return vec![
            reference("in a POST", move |referred| {
                call_with(route, &json!([bulk("POST", "/Users", &written(referred))]))
            }),
            reference("in a PUT", move |referred| {
                let path = format!("/Users/{put}");
                call_with(route, &json!([bulk("PUT", &path, &written(referred))]))
            }),
            reference("in a PATCH", move |referred| {
                let path = format!("/Users/{patch}");
                call_with(route, &json!([bulk("PATCH", &path, &patched(referred))]))
            }),
        ];
    }
    vec![reference("in the body", move |referred| {
        let body = match route.method {
            Method::PATCH => patched(referred),
            _ => written(referred),
        };
        at(route, &own).json(&body)
    })]
}

/// Filters where they are taken; elsewhere the first, in a query that means nothing there.
fn filters(route: &'static Route, filters: &[&'static str]) -> Vec<Reference> {
    let most = if is_search(route) { filters.len() } else { 1 };
    let filled = |filter: &str, referred: &Referred| {
        let filter = filter.replace("ID", &referred.id);
        let filter = filter.replace("NAME", referred.user_name);
        filter.replace("EXTERNAL", referred.external_id)
    };
    let filters = filters.iter().copied().take(most);
    let references = filters.map(|filter| {
        reference(filter, move |referred| {
            requested(route, "filter", &filled(filter, referred))
        })
    });
    references.collect()
}

/// Returns a request with a parameter of a list: in the body of a search, else in the query.
fn requested(route: &Route, name: &str, value: &str) -> Call {
    match route.endpoint {
        Endpoint::SearchUsers | Endpoint::SearchAll => at(route, "").json(&json!({name: value})),
        _ => call(route, "x").query(&encode(&[(name, value)])),
    }
}

fn cursors(route: &'static Route) -> Vec<Reference> {
    vec![reference("as cursor", |referred| {
        requested(route, "cursor", &referred.cursor)
    })]
}

/// Returns the other company's `bulkId`, and a `bulkId` that is its user's id.
fn bulk_ids(route: &'static Route, own: &str) -> Vec<Reference> {
    let name = |referred: &Referred| format!("bulkId:{}", referred.bulk_id);
    let mut found = values(route, own, "manager", name);
    if route.path.contains("{id}") {
        found.push(reference("in the path", move |referred| {
            call(route, &name(referred))
        }));
    }
    if route.endpoint == Endpoint::Bulk {
        for (method, data) in changes() {
            found.push(reference(method, move |referred| {
                let path = format!("/Users/{}", name(referred));
                call_with(route, &json!([bulk(method, &path, &data)]))
            }));
        }
        let own = own.to_owned();
        found.push(reference("an id as bulkId", move |referred| {
            let manager = format!("bulkId:{}", referred.id);
            let patch = json!({"Operations": [{"op": "add", "path": "manager", "value": manager}]});
            let post =
                json!({"method": "POST", "path": "/Users", "bulkId": referred.id, "data": user()});
            let patch = bulk("PATCH", &format!("/Users/{own}"), &patch);
            call_with(route, &json!([post, patch]))
        }));
    }
    found
}

/// Returns the user together with their version, the version alone where no id is taken.
fn etags(route: &'static Route) -> Vec<Reference> {
    let mut found = Vec::new();
    for header in ["if-match", "if-none-match"] {
        found.push(reference(header, move |referred| {
            call(route, &referred.id).header(header, referred.version)
        }));
        for other in ["W/\"77\"", "*"] {
            let place = format!("{header}: {other}");
            found.push(reference(&place, move |referred| {
                call(route, &referred.id).header(header, other)
            }));
        }
    }
    if route.endpoint == Endpoint::Bulk {
        for (method, data) in changes() {
            found.push(reference(method, move |referred| {
                let path = format!("/Users/{}", referred.id);
                let mut operation = bulk(method, &path, &data);
                operation["version"] = referred.version.into();
                call_with(route, &json!([operation]))
            }));
        }
    }
    found
}

/// The caller, who is in the same state before each request.
struct Caller<'c> {
    client: Client<'c>,
    table: &'c Counted,
    own: String,
}

impl Caller<'_> {
    fn users(&self) -> [String; 2] {
        [self.client.administrator.to_string(), self.own.clone()]
    }

    /// Puts back what a request changed, and returns the ids of the users that it made.
    async fn put_back(&self) -> Vec<String> {
        let mut made = Vec::new();
        let list = self.client.get("/Users").await;
        for user in list.json()["Resources"].as_array().unwrap() {
            let id = user["id"].as_str().unwrap().to_owned();
            if !self.users().contains(&id) {
                self.client.delete(&id).await.assert_status(204);
                made.push(id);
            }
        }
        for (id, name) in self
            .users()
            .iter()
            .zip(["administrator@example.com", "own@example.com"])
        {
            let user = json!({"userName": name, "active": true});
            self.client.put(id, &user).await.assert_status(200);
        }
        made
    }

    /// Returns all that a response shows, without what the request refers to.
    async fn observed(&self, request: Call, referred: &Referred) -> (String, Calls) {
        self.table.take();
        let response = self.client.send(request).await;
        let calls = self.table.take();
        let mut observed = observed(&response, referred);
        if !calls.contains_key("commit") {
            return (without_progress(&observed), calls);
        }
        for made in self.put_back().await {
            observed = observed.replace(&made, "MADE");
        }
        (without_progress(&observed), calls)
    }
}

fn observed(response: &Response, referred: &Referred) -> String {
    let body = response.body.clone().unwrap_or_default().to_string();
    let headers: Vec<String> = response
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    let mut observed = format!("{} {headers:?} {body}", response.status);
    for value in [
        &referred.id,
        referred.user_name,
        referred.external_id,
        referred.bulk_id,
        &referred.cursor,
    ] {
        observed = observed.replace(value, "REFERENCE");
    }
    observed
}

/// Removes what changes with every change of the caller's own users: version and time.
fn without_progress(observed: &str) -> String {
    let mut text = observed.to_owned();
    while let Some(start) = text.find("W/\\\"").or_else(|| text.find("W/\"")) {
        let end = text[start..]
            .find(['}', ',', ']'])
            .map_or(text.len(), |end| start + end);
        text.replace_range(start..end, "VERSION");
    }
    text
}

/// Returns an access token for a key and a company, signed by the key of a client.
fn access_token(client: &Client<'_>, key: KeyId, company: CompanyId) -> String {
    let secret = client.token.rsplit('_').next().unwrap();
    let now = client.world.clock.now();
    let claims = Claims {
        key,
        company,
        issued: now,
        expires: now + SignedDuration::from_hours(1),
    };
    let signing_key = SigningKey::derive(&secret.as_bytes()[..64]).unwrap();
    signing_key.sign(claims).unwrap()
}

async fn everything(client: &Client<'_>) -> Value {
    client.get("/Users").await.json().clone()
}

/// Returns a user of the other company's, with all that refers to them.
async fn theirs(client: &Client<'_>, caller: &Client<'_>) -> Referred {
    let create = json!({
        "method": "POST", "path": "/Users", "bulkId": "their-bulk-id", "data": {
            "userName": "theirs@example.com", "externalId": "their-external", "title": "0",
            "emails": [{"value": "theirs@example.com", "type": "work"}],
        },
    });
    let report = json!({
        "method": "POST", "path": "/Users", "bulkId": "report",
        "data": {"userName": "report@example.com", "manager": "bulkId:their-bulk-id"},
    });
    let both = json!({"Operations": [create, report]});
    let created = client.send(Call::new("POST", "/Bulk").json(&both)).await;
    let location = created.json()["Operations"][0]["location"].as_str();
    let id = location.unwrap().rsplit('/').next().unwrap().to_owned();
    // A version that no user of ours comes by.
    for title in 1..300 {
        let title = json!([{"op": "replace", "path": "title", "value": title.to_string()}]);
        client.patch(&id, &title).await.assert_status(200);
    }
    let page = Call::new("GET", "/Users").query("cursor&count=1");
    let cursor = client.send(page).await.json()["nextCursor"].clone();
    Referred {
        id,
        user_name: "theirs@example.com",
        external_id: "their-external",
        bulk_id: "their-bulk-id",
        cursor: cursor.as_str().unwrap().to_owned(),
        version: "W/\"300\"",
        token: Token::new(client.key, &[1; 32]).reveal().to_string(),
        access_token: access_token(caller, client.key, client.company),
    }
}

/// Shown by --nocapture: the matrix, how many requests were compared on each route by each kind of
/// reference.
async fn nothing_of_another_company_can_be_reached_or_learned(engine: Engine) {
    let table = Arc::new(Counted::new(engine.table().await));
    let world = World::on(Store::on(Arc::clone(&table) as _));
    let (client, other) = (world.client().await, world.client().await);
    let foreign = theirs(&other, &client).await;
    let mut cursor = foreign.cursor.clone().into_bytes();
    cursor.reverse();
    let unknown = Token::new(KeyId::new(u64::MAX - 7), &[1; 32]);
    let absent = Referred {
        id: "00000000-0000-4000-8000-000000000000".to_owned(),
        user_name: "nobody@example.com",
        external_id: "nobodys-external",
        bulk_id: "nobodys-bulk-id",
        cursor: String::from_utf8(cursor).unwrap(),
        version: "W/\"9999\"",
        token: unknown.reveal().to_string(),
        access_token: access_token(&client, unknown.key_id(), CompanyId::new(Uuid::nil())),
    };
    let before = everything(&other).await;
    let own = client.create(&json!({"userName": "own@example.com"})).await;
    let caller = Caller {
        client,
        table: &table,
        own,
    };
    caller.put_back().await;
    let mut failures = Vec::new();
    let kinds = KINDS.map(|kind| format!("{:>9}", format!("{kind:?}")));
    println!("{:<34}{}", "compared", kinds.concat());
    for route in ROUTES {
        let mut row = format!("{:<7}{:<27}", route.method.as_str(), route.path);
        for kind in KINDS {
            let about = format!("{} {}, {kind:?}", route.method, route.path);
            let references = references(kind, route, &caller.own);
            match exception(kind, route) {
                Some(_) => assert!(references.is_empty(), "{about} is no exception"),
                None => assert!(!references.is_empty(), "{about} is not compared"),
            }
            row += &match references.len() {
                0 => format!("{:>9}", "-"),
                number => format!("{number:>9}"),
            };
            for reference in references {
                let place = &reference.place;
                let foreign = caller
                    .observed((reference.request)(&foreign), &foreign)
                    .await;
                let absent = caller.observed((reference.request)(&absent), &absent).await;
                if foreign != absent {
                    failures.push(format!("{about} {place}:\n  {foreign:?}\n  {absent:?}"));
                }
            }
        }
        println!("{row}");
    }
    assert_none(&failures);
    assert_eq!(everything(&other).await, before);
}

async fn names_are_unique_in_a_company_only(engine: Engine) {
    let world = engine.world().await;
    let (ours, theirs) = (world.client().await, world.client().await);
    let body = json!({"userName": "shared@example.com", "externalId": "x"});
    let id = theirs.create(&body).await;
    ours.create(&body).await;
    assert_eq!(ours.filter("externalId eq \"x\"").await.total(), 1);
    assert_eq!(ours.get("/Users").await.total(), 2);
    let unchanged = theirs.get(&format!("/Users/{id}")).await;
    assert_eq!(unchanged.json()["meta"]["version"], "W/\"1\"");
}

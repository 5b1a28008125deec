//! Many writers at once, in one process and in several on one store: one name goes to one user, no
//! change is lost, and `check` finds nothing afterwards.

use std::sync::{Arc, Barrier};

use embedded::Embedded;
use paradigm_scim::store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use test_support::engine::Engine;
use test_support::findings::findings;
use test_support::on_every_engine;

use crate::check::check;
use crate::serve::Serve;
use test_support::world::{Call, Client, World};

on_every_engine!(
    one_of_many_creators_gets_the_name,
    patches_of_different_attributes_all_survive,
    of_many_changes_of_one_version_one_wins,
    of_many_deletes_one_finds_the_user,
    a_delete_among_patches_leaves_nothing,
    crossing_renames_never_share_a_name,
    the_counters_are_exact_while_users_come_and_go,
);

const WRITERS: usize = 24;
/// Processes on one store.
const PROCESSES: usize = 3;
/// How often a client sends again what a busy store refused.
const ATTEMPTS: usize = 50;
const ATTRIBUTES: [&str; 6] = [
    "title",
    "nickName",
    "displayName",
    "locale",
    "timezone",
    "userType",
];

/// A request: method, path and body.
type Request = (&'static str, String, Value);

fn post(name: &str) -> Request {
    let user = json!({"userName": name, "externalId": name, "emails": [{"value": name}]});
    ("POST", "/Users".to_owned(), user)
}

/// Creates one user, in one spelling or another.
fn race(number: usize) -> Request {
    post(match number.is_multiple_of(2) {
        true => "race@example.com",
        false => "RACE@example.com",
    })
}

fn set(id: &str, attribute: &str, value: &str) -> Request {
    let operations = json!([{"op": "replace", "path": attribute, "value": value}]);
    let body = json!({"Operations": operations});
    ("PATCH", format!("/Users/{id}"), body)
}

/// Gives a user another name and another email.
fn rename(id: &str, name: &str) -> Request {
    let value = json!({"userName": name, "emails": [{"value": name}]});
    let body = json!({"Operations": [{"op": "replace", "value": value}]});
    ("PATCH", format!("/Users/{id}"), body)
}

fn delete(id: &str) -> Request {
    ("DELETE", format!("/Users/{id}"), Value::Null)
}

/// Two users who want each other's name, and one that is free.
fn crossing(first: &str, second: &str) -> Vec<Request> {
    vec![
        rename(first, "second"),
        rename(second, "first"),
        rename(first, "free"),
        rename(second, "free"),
    ]
}

/// Deletes a user many times while their names are changed.
fn delete_against_patch(id: &str) -> Vec<Request> {
    let request = |number: usize| match number % 3 {
        0 => delete(id),
        1 => set(id, "title", &number.to_string()),
        _ => rename(id, &format!("other{number}")),
    };
    (0..WRITERS).map(request).collect()
}

/// Returns how many of these responses have a status.
fn of(status: u16, responses: &[(u16, Value)]) -> usize {
    responses.iter().filter(|(it, _)| *it == status).count()
}

/// In a file, so that requests wait for each other as they do in the table.
async fn in_file() -> (TempDir, Arc<World>) {
    let folder = tempfile::tempdir().unwrap();
    let database = Embedded::in_file(&folder.path().join("store")).unwrap();
    let store = database.store("test").await.unwrap();
    (folder, Arc::new(World::on(store)))
}

/// Returns a service on an engine whose requests wait for each other: the embedded DynamoDB is in a file.
async fn waiting(engine: Engine) -> (Option<TempDir>, Arc<World>) {
    if let Engine::DynamoDb = engine {
        let (folder, world) = in_file().await;
        return (Some(folder), world);
    }
    (None, Arc::new(engine.world().await))
}

/// Sends all requests at once and returns the responses, in no order. What a busy store refuses is sent
/// again, as clients do.
async fn at_once(
    world: &Arc<World>,
    client: &Client<'_>,
    requests: Vec<Request>,
    if_match: Option<&'static str>,
) -> Vec<(u16, Value)> {
    let mut tasks = JoinSet::new();
    for (method, path, body) in requests {
        let world = Arc::clone(world);
        let authorization = format!("Bearer {}", client.token);
        tasks.spawn(async move {
            for _ in 0..ATTEMPTS {
                let call = Call::new(method, &path).header("authorization", &authorization);
                let call = match if_match {
                    Some(etag) => call.header("if-match", etag),
                    None => call,
                };
                let call = match &body {
                    Value::Null => call,
                    body => call.json(body),
                };
                let response = world.send(call).await;
                if response.status != 503 {
                    return (response.status, response.body.unwrap_or_default());
                }
            }
            panic!("{method} {path} is refused again and again");
        });
    }
    tasks.join_all().await
}

async fn assert_sound(store: &Store) {
    assert_eq!(findings(store).await, []);
}

async fn one_of_many_creators_gets_the_name(engine: Engine) {
    let (_folder, world) = waiting(engine).await;
    let client = world.client().await;
    let requests = (0..WRITERS).map(race).collect();
    let responses = at_once(&world, &client, requests, None).await;
    assert_eq!((of(201, &responses), of(409, &responses)), (1, WRITERS - 1));
    for attribute in ["userName", "emails.value"] {
        let filter = format!("{attribute} eq \"race@example.com\"");
        assert_eq!(client.filter(&filter).await.total(), 1);
    }
    assert_eq!(client.get("/Users").await.total(), 2);
    assert_sound(&world.store).await;
}

async fn patches_of_different_attributes_all_survive(engine: Engine) {
    let world = Arc::new(engine.world().await);
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let requests = ATTRIBUTES.map(|attribute| set(&id, attribute, "set"));
    let responses = at_once(&world, &client, requests.into(), None).await;
    assert_eq!(of(200, &responses), ATTRIBUTES.len(), "{responses:?}");
    let user = client.get(&format!("/Users/{id}")).await;
    for attribute in ATTRIBUTES {
        assert_eq!(user.json()[attribute], "set");
    }
    assert_eq!(user.json()["meta"]["version"], "W/\"7\"");
    assert_sound(&world.store).await;
}

async fn of_many_changes_of_one_version_one_wins(engine: Engine) {
    let world = Arc::new(engine.world().await);
    let client = world.client().await;
    let id = client.create(&json!({"userName": "u"})).await;
    let requests = (0..WRITERS).map(|number| rename(&id, &format!("u{number}")));
    let responses = at_once(&world, &client, requests.collect(), Some("W/\"1\"")).await;
    assert_eq!((of(200, &responses), of(412, &responses)), (1, WRITERS - 1));
    assert_sound(&world.store).await;
}

async fn of_many_deletes_one_finds_the_user(engine: Engine) {
    let world = Arc::new(engine.world().await);
    let client = world.client().await;
    let id = client
        .create(&json!({"userName": "u", "emails": [{"value": "u"}]}))
        .await;
    let requests = (0..WRITERS).map(|_| delete(&id)).collect();
    let responses = at_once(&world, &client, requests, None).await;
    assert_eq!((of(204, &responses), of(404, &responses)), (1, WRITERS - 1));
    assert_eq!(client.get("/Users").await.total(), 1);
    assert_sound(&world.store).await;
}

async fn a_delete_among_patches_leaves_nothing(engine: Engine) {
    let (_folder, world) = waiting(engine).await;
    let client = world.client().await;
    for _ in 0..4 {
        let id = client.create(&json!({"userName": "u"})).await;
        let requests = delete_against_patch(&id);
        let responses = at_once(&world, &client, requests, None).await;
        assert_eq!(of(204, &responses), 1, "{responses:?}");
        let patched = of(200, &responses);
        assert_eq!(of(404, &responses), WRITERS - 1 - patched, "{responses:?}");
        client.get(&format!("/Users/{id}")).await.assert_status(404);
    }
    assert_eq!(client.get("/Users").await.total(), 1);
    assert_sound(&world.store).await;
}

async fn crossing_renames_never_share_a_name(engine: Engine) {
    let world = Arc::new(engine.world().await);
    let client = world.client().await;
    let first = client.create(&json!({"userName": "first"})).await;
    let second = client.create(&json!({"userName": "second"})).await;
    for _ in 0..8 {
        let responses = at_once(&world, &client, crossing(&first, &second), None).await;
        let is_fair = |(status, _): &(u16, Value)| [200, 409].contains(status);
        assert!(responses.iter().all(is_fair), "{responses:?}");
        let mut bearers = 0;
        for name in ["first", "second", "free"] {
            let filter = format!("userName eq \"{name}\"");
            bearers += client.filter(&filter).await.total();
        }
        assert_eq!(bearers, 2);
    }
    assert_sound(&world.store).await;
}

/// Another process holds the file for longer than a request lasts.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_to_a_file_in_use_gets_retry_after() {
    let (folder, world) = in_file().await;
    let client = world.client().await;
    client.get("/Users").await.assert_status(200);
    let holder = rusqlite::Connection::open(folder.path().join("store")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let user = json!({"userName": "u"});
    let response = client.post(&user).await;
    response.assert_error(503, None);
    assert!(response.header("retry-after").is_some());
    assert_eq!(client.get("/Users").await.total(), 1);
    holder.execute_batch("COMMIT").unwrap();
    client.post(&user).await.assert_status(201);
    assert_sound(&world.store).await;
}

async fn the_counters_are_exact_while_users_come_and_go(engine: Engine) {
    let (_folder, world) = waiting(engine).await;
    let client = world.client().await;
    let mut there: Vec<String> = Vec::new();
    for round in 0..3 {
        let (deleted, kept) = there.split_at(there.len() / 2);
        let mut requests: Vec<Request> = deleted.iter().map(|id| delete(id)).collect();
        requests.extend((0..WRITERS).map(|number| post(&format!("u{round}.{number}"))));
        let expected = (deleted.len(), WRITERS);
        let responses = at_once(&world, &client, requests, None).await;
        assert_eq!((of(204, &responses), of(201, &responses)), expected);
        let created = responses.iter().filter(|(status, _)| *status == 201);
        let created = created.map(|(_, user)| user["id"].as_str().unwrap().to_owned());
        there = created.chain(kept.iter().cloned()).collect();
        let total = client.get("/Users").await.total();
        assert_eq!(total, there.len() as u64 + 1);
    }
    assert_sound(&world.store).await;
}

/// Several `serve` on one store.
struct Fleet {
    folder: TempDir,
    serves: Vec<Serve>,
    token: String,
}

impl Fleet {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = ["--data-dir", folder.path().to_str().unwrap()];
        let serves: Vec<Serve> = (0..PROCESSES)
            .map(|_| Serve::start(&data_dir, Some("True")))
            .collect();
        let token = serves[0].token().to_owned();
        Self {
            folder,
            serves,
            token,
        }
    }

    /// Returns the response of one of the processes. What a busy store refuses is sent again, as clients do.
    fn send(
        &self,
        process: usize,
        (method, path, body): &Request,
        if_match: Option<&str>,
    ) -> (u16, Value) {
        for _ in 0..ATTEMPTS {
            let serve = &self.serves[process];
            let response = serve.send_if(if_match, method, path, &self.token, body);
            if response.0 != 503 {
                return response;
            }
        }
        panic!("{method} {path} is refused again and again");
    }

    /// Sends all requests at once, to each process its share.
    fn at_once(&self, requests: &[Request], if_match: Option<&str>) -> Vec<(u16, Value)> {
        let start = Barrier::new(requests.len());
        std::thread::scope(|threads| {
            let send = |(number, request)| {
                let start = &start;
                threads.spawn(move || {
                    start.wait();
                    self.send(number % PROCESSES, request, if_match)
                })
            };
            let sent: Vec<_> = requests.iter().enumerate().map(send).collect();
            sent.into_iter().map(|it| it.join().unwrap()).collect()
        })
    }

    fn create(&self, name: &str) -> String {
        let (status, user) = self.send(0, &post(name), None);
        assert_eq!(status, 201, "{user}");
        user["id"].as_str().unwrap().to_owned()
    }

    fn get(&self, process: usize, path: &str) -> (u16, Value) {
        self.send(process, &("GET", path.to_owned(), Value::Null), None)
    }

    /// Returns the number of users, which every process knows.
    fn total(&self) -> u64 {
        let total = |process| self.get(process, "/Users").1["totalResults"].as_u64();
        let totals: Vec<_> = (0..PROCESSES).map(total).collect();
        assert!(totals.iter().all(|it| *it == totals[0]), "{totals:?}");
        totals[0].unwrap()
    }

    fn assert_sound(&self) {
        let (is_well, report, printed) = check(self.folder.path(), &[]);
        assert!(is_well, "{report} {printed}");
    }
}

#[test]
fn one_of_many_creators_in_several_processes_gets_the_name() {
    let fleet = Fleet::start();
    let requests: Vec<Request> = (0..WRITERS).map(race).collect();
    let responses = fleet.at_once(&requests, None);
    assert_eq!(
        (of(201, &responses), of(409, &responses)),
        (1, WRITERS - 1),
        "{responses:?}"
    );
    assert_eq!(fleet.total(), 2);
    fleet.assert_sound();
}

#[test]
fn of_many_changes_of_one_version_in_several_processes_one_wins() {
    let fleet = Fleet::start();
    let id = fleet.create("u");
    let rename = |number| rename(&id, &format!("u{number}"));
    let requests: Vec<Request> = (0..WRITERS).map(rename).collect();
    let responses = fleet.at_once(&requests, Some("W/\"1\""));
    assert_eq!(
        (of(200, &responses), of(412, &responses)),
        (1, WRITERS - 1),
        "{responses:?}"
    );
    fleet.assert_sound();
}

#[test]
fn patches_in_several_processes_all_survive() {
    let fleet = Fleet::start();
    let id = fleet.create("u");
    let responses = fleet.at_once(
        &ATTRIBUTES.map(|attribute| set(&id, attribute, "set")),
        None,
    );
    assert_eq!(of(200, &responses), ATTRIBUTES.len(), "{responses:?}");
    for process in 0..PROCESSES {
        let (_, user) = fleet.get(process, &format!("/Users/{id}"));
        for attribute in ATTRIBUTES {
            assert_eq!(user[attribute], "set", "{user}");
        }
        assert_eq!(user["meta"]["version"], "W/\"7\"");
    }
    fleet.assert_sound();
}

#[test]
fn renames_crossing_in_several_processes_never_share_a_name() {
    let fleet = Fleet::start();
    let (first, second) = (fleet.create("first"), fleet.create("second"));
    for _ in 0..4 {
        let responses = fleet.at_once(&crossing(&first, &second), None);
        let is_fair = |(status, _): &(u16, Value)| [200, 409].contains(status);
        assert!(responses.iter().all(is_fair), "{responses:?}");
    }
    let name = |id: &str| fleet.get(1, &format!("/Users/{id}")).1["userName"].clone();
    assert_ne!(name(&first), name(&second));
    fleet.assert_sound();
}

#[test]
fn a_delete_among_patches_in_several_processes_leaves_nothing() {
    let fleet = Fleet::start();
    for _ in 0..2 {
        let id = fleet.create("u");
        let responses = fleet.at_once(&delete_against_patch(&id), None);
        assert_eq!(of(204, &responses), 1, "{responses:?}");
        let patched = of(200, &responses);
        assert_eq!(of(404, &responses), WRITERS - 1 - patched, "{responses:?}");
        assert_eq!(fleet.get(2, &format!("/Users/{id}")).0, 404);
    }
    assert_eq!(fleet.total(), 1);
    fleet.assert_sound();
}

#[test]
fn the_counters_are_exact_with_several_processes() {
    let fleet = Fleet::start();
    let deleted: Vec<String> = (0..6)
        .map(|number| fleet.create(&format!("gone{number}")))
        .collect();
    let created = (0..WRITERS).map(|number| post(&format!("u{number}")));
    let requests: Vec<Request> = deleted.iter().map(|id| delete(id)).chain(created).collect();
    let responses = fleet.at_once(&requests, None);
    assert_eq!(
        (of(204, &responses), of(201, &responses)),
        (6, WRITERS),
        "{responses:?}"
    );
    assert_eq!(fleet.total(), WRITERS as u64 + 1);
    fleet.assert_sound();
}

//! Rolling back needs no change of data: this release reads what the one before has written, and what this one
//! writes has everything that the one before reads, in forms that it knows.
//!
//! `tests/data/releases/VERSION.json` has the items of a small directory as that release wrote them. It is made
//! with the release: at its commit, with its version in `Cargo.toml`, `cargo test --test it releases -- --ignored`
//! writes the file; then the version is raised, so that what is written from there on is checked against it. A file
//! that is there is not written again, because what a release wrote does not change; of a version that is not
//! released yet, delete it first. Those older than the release before may go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Write as _;

use aws_sdk_dynamodb::Client as DynamoDb;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::Embedded;
use jiff::SignedDuration;
use paradigm_scim::config::Clock as _;
use paradigm_scim::directory::{CompanyStatus, KeyId, Operation, Permission, UserId};
use paradigm_scim::store::Next;
use serde_json::{Value, json};

use test_support::data::{assert_none, data, data_files};
use test_support::world::{Client, World, dynamodb};

type Item = HashMap<String, AttributeValue>;

const TABLE: &str = "test";

/// Kinds of items that the release before does not know, each with the reason why its readers never meet them.
const NEW_KINDS: &[(&str, &str)] = &[(
    "scan budget",
    "found by a key that the release before does not build, and in no index; only its `check` meets it, which reports an \
     unknown item until DynamoDB drops it",
)];

/// Returns every kind of item, in every state, as this release writes it.
async fn written() -> Value {
    let embedded = Embedded::in_memory().unwrap();
    let world = World::on(embedded.store(TABLE).await.unwrap());
    let client = world.client().await;
    let full = json!({
        "userName": "ada@example.com", "externalId": "e-1", "active": true, "title": "Dr",
        "name": {"givenName": "Ada", "familyName": "Lovelace"},
        "emails": [{"type": "work", "value": "ada@example.com", "primary": true}],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D"},
    });
    let ada = client.create(&full).await;
    let bob = client.create(&json!({"userName": "bob@example.com"})).await;
    let deactivate = json!([{"op": "replace", "path": "active", "value": false}]);
    client.patch(&bob, &deactivate).await.assert_status(200);
    let carol =
        json!({"userName": "carol@example.com", "emails": [{"value": "carol@example.com"}]});
    let carol = client.create(&carol).await;
    let renamed = |name: &str| format!("{}{name}", "a".repeat(32));
    let soft_delete = json!([{"op": "replace", "value": {
        "active": false, "userName": renamed("carol@example.com"),
        "emails": [{"value": renamed("carol@example.com")}],
    }}]);
    client.patch(&carol, &soft_delete).await.assert_status(200);
    let dan = client.create(&json!({"userName": "dan@example.com"})).await;
    client.delete(&dan).await.assert_status(204);
    // An owner with a key that expires and one that is revoked.
    let owner = UserId::parse(&ada).unwrap();
    let (company, now) = (client.company, world.clock.now());
    let grant = |user: &_| {
        Next::Update(paradigm_scim::directory::User::granted(
            user,
            Permission::UsersManage,
        ))
    };
    world.change(company, owner, grant).await;
    let soon = now + SignedDuration::from_hours(24);
    world.key(company, owner, Some(soon)).await;
    let (revoked, _) = world.key(company, owner, None).await;
    let revoke = |user: &paradigm_scim::directory::User| {
        let (owner, changes) = user.without_key(revoked);
        Next::UpdateWithKeys(owner, changes)
    };
    world.change(company, owner, revoke).await;
    for (operation, status) in [
        (Operation::Suspend, CompanyStatus::Suspended),
        (Operation::Resume, CompanyStatus::Active),
    ] {
        world.clock.advance(SignedDuration::from_secs(1));
        let change = world.operator(company, operation);
        world
            .store
            .set_company_status(&change, status)
            .await
            .unwrap();
    }
    client.filter("active eq true").await.assert_status(200);
    // A company that stays suspended.
    let suspended = world.client().await.company;
    let change = world.operator(suspended, Operation::Suspend);
    let status = CompanyStatus::Suspended;
    let set = world.store.set_company_status(&change, status).await;
    set.unwrap();
    let items = items(&dynamodb(&embedded.config())).await;
    let items = items.into_iter().map(|item| {
        let item: serde_dynamo::Item = item.into();
        serde_json::to_value(item).unwrap()
    });
    json!({
        "company": company.to_string(), "token": client.token, "key": client.key.to_string(),
        "administrator": client.administrator.to_string(), "suspended": suspended.to_string(),
        "ada": ada, "bob": bob, "carol": carol, "dan": dan,
        "items": items.collect::<Vec<_>>(),
    })
}

async fn items(dynamodb: &DynamoDb) -> Vec<Item> {
    let output = dynamodb.scan().table_name(TABLE).send().await.unwrap();
    assert!(output.last_evaluated_key.is_none());
    output.items.unwrap_or_default()
}

/// Returns what kind of item it is, and in what state.
fn kind(item: &Value) -> String {
    let text = |name: &str| item[name]["S"].as_str().unwrap();
    let (pk, sk) = (text("PK"), text("SK"));
    let is_of_user = pk.contains("#USER#");
    match (pk, sk) {
        _ if sk.starts_with("AUDIT#") && is_of_user => "audit of a user".to_owned(),
        // Made of nothing, it has no state before, as a new user has none; every reader can do without.
        _ if sk.starts_with("AUDIT#") && item["operation"]["S"] == "create" => {
            "audit of the new company".to_owned()
        }
        _ if sk.starts_with("AUDIT#") => "audit of the company".to_owned(),
        (_, "USER") if is_of_user => format!("user {}", text("state")),
        (_, "COMPANY") => format!("company {}", text("status")),
        (_, "KEY") if item.get("revoked").is_some() => "revoked key".to_owned(),
        (_, "KEY") => "key".to_owned(),
        _ if sk.starts_with("SHARD#") => "counter".to_owned(),
        _ if sk.starts_with("MINUTE#") => "scan budget".to_owned(),
        _ => format!("lookup by {}", pk.split('#').nth(2).unwrap()),
    }
}

/// Attributes, and what is in them, by their paths, each with the forms that it has.
type Forms = BTreeMap<String, BTreeSet<String>>;

fn note(forms: &mut Forms, path: &str, form: impl Into<String>) {
    let known = forms.entry(path.to_owned()).or_default();
    known.insert(form.into());
}

/// Records the forms of an attribute.
fn note_attribute(forms: &mut Forms, path: &str, value: &Value) {
    let (of_type, value) = value.as_object().unwrap().iter().next().unwrap();
    match (path, of_type.as_str()) {
        ("PK" | "SK" | "ByCompanyPK" | "ByCompanySK", "S") => {
            note(forms, path, key_form(value.as_str().unwrap()));
        }
        ("document" | "renames", "S") => {
            note(forms, path, "JSON");
            let json = serde_json::from_str(value.as_str().unwrap()).unwrap();
            note_json(forms, path, &json);
        }
        (_, "M") => {
            note(forms, path, "M");
            // Its members are named by ids.
            for member in value.as_object().unwrap().values() {
                note_attribute(forms, &format!("{path}/*"), member);
            }
        }
        _ => note(forms, path, of_type),
    }
}

/// Returns a key's words, with `*` for each id, hash or time.
fn key_form(key: &str) -> String {
    let is_word = |part: &&str| part.chars().all(|letter| letter.is_ascii_alphabetic());
    let parts = key
        .split('#')
        .map(|part| Some(part).filter(is_word).unwrap_or("*"));
    parts.collect::<Vec<_>>().join("#")
}

fn note_json(forms: &mut Forms, path: &str, json: &Value) {
    match json {
        Value::Object(members) => {
            note(forms, path, "object");
            for (name, value) in members {
                note_json(forms, &format!("{path}/{name}"), value);
            }
        }
        // A reader of a tuple reads neither more nor less.
        Value::Array(values) if values.iter().any(Value::is_string) => {
            note(forms, path, format!("tuple of {}", values.len()));
        }
        Value::Array(values) => {
            note(forms, path, "array");
            for value in values {
                note_json(forms, &format!("{path}/*"), value);
            }
        }
        Value::Null => note(forms, path, "null"),
        Value::Bool(_) => note(forms, path, "boolean"),
        Value::Number(_) => note(forms, path, "number"),
        Value::String(_) => note(forms, path, "string"),
    }
}

/// How a release writes a kind of item.
#[derive(Default)]
struct Shape {
    /// The paths that are in every item.
    always: BTreeSet<String>,
    forms: Forms,
}

fn shapes(release: &Value) -> BTreeMap<String, Shape> {
    let mut shapes = BTreeMap::<String, Shape>::new();
    for item in release["items"].as_array().unwrap() {
        let mut forms = Forms::new();
        for (name, value) in item.as_object().unwrap() {
            note_attribute(&mut forms, name, value);
        }
        let paths: BTreeSet<String> = forms.keys().cloned().collect();
        let shape = shapes.entry(kind(item)).or_insert_with(|| Shape {
            always: paths.clone(),
            forms: Forms::new(),
        });
        shape.always.retain(|path| paths.contains(path));
        for (path, found) in forms {
            shape.forms.entry(path).or_default().extend(found);
        }
    }
    shapes
}

/// Returns what the release before could not read of what this one writes.
fn unreadable(before: &Value, now: &Value) -> Vec<String> {
    let (before, now) = (shapes(before), shapes(now));
    let mut wrong = Vec::new();
    for (kind, now) in &now {
        let Some(before) = before.get(kind) else {
            if !NEW_KINDS.iter().any(|(new, _)| new == kind) {
                wrong.push(format!("{kind} is a new kind"));
            }
            continue;
        };
        let lost = before.always.difference(&now.always);
        wrong.extend(lost.map(|path| format!("{kind} may lack {path}")));
        for (path, known) in &before.forms {
            let found = now.forms.get(path).into_iter().flatten();
            let unknown = found.filter(|form| !known.contains(*form));
            wrong.extend(unknown.map(|form| format!("{path} of {kind} may be {form}")));
        }
    }
    wrong
}

#[tokio::test]
async fn what_this_release_writes_can_be_read_by_the_one_before() {
    let now = written().await;
    let releases = data_files("releases");
    assert!(!releases.is_empty());
    for (name, before) in releases {
        let wrong = unreadable(&before, &now);
        let wrong: Vec<String> = wrong
            .iter()
            .map(|wrong| format!("{name}: {wrong}"))
            .collect();
        assert_none(&wrong);
    }
}

#[test]
fn what_the_release_before_could_not_read_is_seen() {
    let before = data("releases/0.1.0.json");
    let text = before.to_string();
    for (as_before, as_now, expected) in [
        (
            r#""state":{"S":"softDeleted"}"#,
            r#""state":{"S":"gone"}"#,
            "user gone is a new kind",
        ),
        (
            r#""status":{"S":"suspended"}"#,
            r#""status":{"S":"frozen"}"#,
            "company frozen is a new kind",
        ),
        ("#emails#", "#phones#", "lookup by phones is a new kind"),
        (
            r#""users":{"N""#,
            r#""people":{"N""#,
            "counter may lack users",
        ),
        (
            r#""version":{"N""#,
            r#""version":{"S""#,
            "version of user active may be S",
        ),
        (
            r#"{"NULL":true}"#,
            r#"{"M":{}}"#,
            "keys/* of user active may be M",
        ),
        (
            r#"\"userName\":[\"carol@example.com\","#,
            r#"\"userName\":[\"carol@example.com\",\"more\","#,
            "renames/userName of user softDeleted may be tuple of 3",
        ),
        (
            r#"\"emails\":[["#,
            r#"\"mails\":[["#,
            "user softDeleted may lack renames/emails",
        ),
        (
            r#"#AUDIT#2026-01-01""#,
            r#"#AUDIT#2026#01""#,
            "ByCompanyPK of audit of a user may be COMPANY#*#AUDIT#*#*",
        ),
    ] {
        assert!(text.contains(as_before), "{as_before}");
        let now = serde_json::from_str(&text.replace(as_before, as_now)).unwrap();
        let wrong = unreadable(&before, &now);
        assert!(wrong.iter().any(|wrong| wrong == expected), "{wrong:?}");
    }
    assert_none(&unreadable(&before, &before));
}

#[tokio::test]
async fn what_the_release_before_has_written_is_served() {
    for (name, release) in data_files("releases") {
        let embedded = Embedded::in_memory().unwrap();
        let world = World::on(embedded.store(TABLE).await.unwrap());
        let dynamodb = dynamodb(&embedded.config());
        for item in release["items"].as_array().unwrap() {
            let item: serde_dynamo::Item = serde_json::from_value(item.clone()).unwrap();
            let put = dynamodb.put_item().table_name(TABLE);
            put.set_item(Some(item.into())).send().await.unwrap();
        }
        let text = |member: &str| release[member].as_str().unwrap().to_owned();
        let client = Client {
            world: &world,
            company: paradigm_scim::directory::CompanyId::parse(&text("company")).unwrap(),
            administrator: UserId::parse(&text("administrator")).unwrap(),
            key: KeyId::parse(&text("key")).unwrap(),
            token: text("token"),
        };
        let (ada, bob, carol, dan) = (text("ada"), text("bob"), text("carol"), text("dan"));

        let list = client.get("/Users").await;
        assert_eq!(list.total(), 4, "{name}");
        let user = client.get(&format!("/Users/{ada}")).await;
        assert_eq!(user.json()["name"]["familyName"], "Lovelace");
        for filter in [
            "userName eq \"ADA@example.com\"",
            "externalId eq \"e-1\"",
            "emails.value eq \"ada@example.com\"",
        ] {
            assert_eq!(client.filter(filter).await.total(), 1, "{name}: {filter}");
        }
        client
            .get(&format!("/Users/{dan}"))
            .await
            .assert_status(404);
        let activate = json!([{"op": "replace", "path": "active", "value": true}]);
        client.patch(&bob, &activate).await.assert_status(200);
        let restored = client.patch(&carol, &activate).await;
        assert_eq!(restored.json()["userName"], "carol@example.com", "{name}");
        client.delete(&ada).await.assert_status(204);
        assert_eq!(client.get("/Users").await.total(), 3, "{name}");
        let since = "2025-01-01T00:00:00Z".parse().unwrap();
        let company = client.company;
        let trail = world
            .store
            .audit_of_company(company, since, world.clock.now())
            .await;
        assert!(trail.unwrap().len() > 10, "{name}");
        let keys = world.store.api_keys(company).await.unwrap();
        let revoked = keys.iter().filter(|key| key.revoked.is_some()).count();
        // One was revoked then, two with their owner now.
        assert_eq!((keys.len(), revoked), (3, 2), "{name}");
        let companies = world.store.companies().await.unwrap();
        let statuses: BTreeMap<String, &str> = companies
            .iter()
            .map(|company| (company.id.to_string(), company.status.as_str()))
            .collect();
        assert_eq!(statuses[&text("suspended")], "suspended", "{name}");
        assert_eq!(statuses[&text("company")], "active", "{name}");
    }
}

#[tokio::test]
#[ignore = "writes the items of this release, when one is made"]
async fn write_the_items_of_this_release() {
    let path = format!(
        "{}/tests/data/releases/{}.json",
        env!("CARGO_MANIFEST_DIR"),
        env!("CARGO_PKG_VERSION")
    );
    let text = serde_json::to_string_pretty(&written().await).unwrap();
    let mut file = File::create_new(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    file.write_all((text + "\n").as_bytes()).unwrap();
}

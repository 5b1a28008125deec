//! What a deleted user leaves behind: nothing personal, in any item.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use embedded::Embedded;
use paradigm_scim::directory::{CompanyId, Permission, UserId};
use paradigm_scim::store::{Next, Store, layout};
use serde_json::{Value, json};

use crate::command::{run, run_json};
use test_support::engine::Engine;
use test_support::on_every_engine;
use test_support::raw::{RawTable, key_of};
use test_support::world::{World, dynamodb};

on_every_engine!(nothing_personal_is_left_after_delete);

type Item = HashMap<String, AttributeValue>;

async fn items(client: &Client, table: &str) -> Vec<Item> {
    let output = client.scan().table_name(table).send().await.unwrap();
    assert!(output.last_evaluated_key.is_none());
    output.items.unwrap_or_default()
}

async fn nothing_personal_is_left_after_delete(engine: Engine) {
    let table = RawTable(engine.table().await);
    let world = World::on(Store::on(Arc::clone(&table.0)));
    let client = world.client().await;
    let before = table.items().await;

    let id = client
        .create(&json!({
            "userName": "marker@example.com", "externalId": "marker-external",
            "displayName": "Marker Display", "name": {"familyName": "Marker"},
            "emails": [{"type": "work", "value": "marker@example.com"}],
        }))
        .await;
    let user = UserId::parse(&id).unwrap();
    world
        .change(client.company, user, |user| {
            Next::Update(user.granted(Permission::UsersManage))
        })
        .await;
    world.key(client.company, user, None).await;
    let deleted = format!("{}marker@example.com", "a".repeat(32));
    let soft_delete = json!([{"op": "replace", "value": {"active": false, "userName": deleted}}]);
    client.patch(&id, &soft_delete).await.assert_status(200);
    let alive = format!("{:?}", table.items().await).to_lowercase();
    assert!(alive.contains("marker"));

    client.delete(&id).await.assert_status(204);
    let after = table.items().await;
    let text = format!("{after:?}").to_lowercase();
    assert!(!text.contains("marker"), "{text}");

    // Beside what was there before stay: the anonymised user, five audit records, the revoked key,
    // and perhaps the counter of the user's shard.
    let is_new = |item: &&layout::Item| !before.iter().any(|old| key_of(old) == key_of(item));
    let new: Vec<&layout::Item> = after.iter().filter(is_new).collect();
    let kinds = |prefix: &str| {
        let is_kind = |item: &&&layout::Item| key_of(item).sk.starts_with(prefix);
        new.iter().filter(is_kind).count()
    };
    assert_eq!(
        (kinds("USER"), kinds("AUDIT"), kinds("KEY")),
        (1, 5, 1),
        "{new:?}"
    );
    assert_eq!(new.len(), 7 + kinds("SHARD"), "{new:?}");
    let anonymised = new.iter().find(|item| key_of(item).sk == "USER").unwrap();
    let names: Vec<&str> = anonymised.keys().map(String::as_str).collect();
    let kept = [
        "PK",
        "SK",
        "created",
        "lastModified",
        "state",
        "version",
        "writeId",
    ];
    assert_eq!(names, kept);
}

/// Everything in the operators' table, also in one that stands for a backup restored.
async fn restore_a_backup(folder: &Path) -> Client {
    let file = folder.join("paradigm-scim.sqlite");
    let embedded = Embedded::in_file(&file).unwrap();
    embedded.store("restored").await.unwrap();
    let dynamodb = dynamodb(&embedded.config());
    for item in items(&dynamodb, "paradigm-scim").await {
        let put = dynamodb.put_item().table_name("restored");
        put.set_item(Some(item)).send().await.unwrap();
    }
    dynamodb
}

#[tokio::test]
async fn a_restored_table_loses_again_what_was_erased_and_revoked_since() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let company = run_json(folder, &["company", "create", "Acme"]);
    let company = company["id"].as_str().unwrap();
    let of = |command: &[&str], table: &str| {
        let place = ["--company", company, "--table", table];
        run_json(folder, &[command, &place].concat())
    };
    let main = "paradigm-scim";
    for name in ["marker", "admin", "bob", "second", "broken", "last"] {
        of(&["user", "create", &format!("{name}@example.com")], main);
    }
    for name in ["admin@example.com", "second@example.com"] {
        of(&["user", "grant", name], main);
    }
    let key = |name: &str, owner: &str| {
        let command = ["key", "create", "--owner", owner, "--name", name];
        let command = [&command[..], &["--expires", "never"]].concat();
        of(&command, main)["id"].as_str().unwrap().to_owned()
    };
    let (admin, second) = ("admin@example.com", "second@example.com");
    let (revoked, rotated, kept) = (key("a", admin), key("b", admin), key("c", admin));
    let of_second = key("d", second);

    let dynamodb = restore_a_backup(folder).await;
    of(&["erase", "marker@example.com"], main);
    of(&["erase", "last@example.com"], main);
    of(&["key", "revoke", &revoked], main);
    let rotate = ["key", "rotate", &rotated, "--overlap", "1h"];
    of(&[&rotate[..], &["--expires", "never"]].concat(), main);
    of(&["user", "ungrant", second], main);
    deactivate(folder, company, "bob@example.com").await;
    run(folder, &["company", "suspend", company]).unwrap();
    run(folder, &["company", "create", "Younger"]).unwrap();
    let before = format!("{:?}", items(&dynamodb, "restored").await);
    assert!(before.contains("marker@example.com"));
    // One user's item is damaged in the restored table; the others must not live for that.
    let broken = of(&["user", "show", "broken@example.com"], "restored");
    of(&["erase", "broken@example.com"], main);
    let broken = broken["id"].as_str().unwrap();
    damage(&dynamodb, company, broken).await;

    let replay = ["erase", "--replay", "--from", main, "--table", "restored"];
    let incomplete = run(folder, &replay).unwrap_err();
    assert!(incomplete.contains(broken), "{incomplete}");
    assert!(
        incomplete.contains("1 users could not be compared"),
        "{incomplete}"
    );
    let after = format!("{:?}", items(&dynamodb, "restored").await);
    assert!(!after.contains("marker"), "{after}");
    assert!(!after.contains("last@"), "{after}");
    let keys = of(&["key", "list"], "restored");
    let key_of = |id: &str| {
        let keys = keys.as_array().unwrap().iter();
        keys.clone().find(|key| key["id"] == id).unwrap().clone()
    };
    assert_ne!(key_of(&revoked)["revoked"], Value::Null);
    // The overlap is not over yet: it ends here when it ends there.
    assert_eq!(key_of(&rotated)["revoked"], Value::Null);
    assert_ne!(key_of(&rotated)["expires"], Value::Null);
    assert_eq!(key_of(&kept)["revoked"], Value::Null);
    assert_eq!(key_of(&of_second)["revoked"], Value::Null);
    let show = |name: &str| of(&["user", "show", name], "restored");
    assert_eq!(show(second)["permissions"], json!([]));
    assert_eq!(show("bob@example.com")["state"], "deactivated");
    let companies = run_json(folder, &["company", "list", "--table", "restored"]);
    assert_eq!(companies[0]["status"], "suspended");
    let trail = of(&["audit"], "restored").to_string();
    assert!(trail.contains("anonymise"), "{trail}");

    // Repaired and run again, there is that one user left to do.
    repair(&dynamodb, company, broken).await;
    let again = run_json(folder, &replay);
    let expected = json!({
        "companies": 1, "notInTable": 1, "usersErased": 1, "usersDeactivated": 0, "permissionsTaken": 0,
        "keysEnded": 0, "companiesSuspended": 0,
    });
    let wrong = conversation::differences(&expected, &again);
    assert_eq!(wrong, [""; 0], "{again}");

    for (mistake, reported) in [
        (vec!["--from", main], "the same table"),
        (
            vec!["--from", "typo", "--table", "restored"],
            "ResourceNotFound",
        ),
        (
            vec![
                "--from",
                main,
                "--since",
                "2999-01-01T00:00:00Z",
                "--table",
                "restored",
            ],
            "future",
        ),
        (
            vec!["--from", main, "--table", "restored", "--company", company],
            "cannot be used",
        ),
    ] {
        let printed = run(
            folder,
            &[&["erase", "--replay"], mistake.as_slice()].concat(),
        );
        let message = printed.unwrap_err();
        assert!(message.contains(reported), "{mistake:?}: {message}");
    }
}

/// Deletes the item of a company, and nothing else of it.
async fn remove_company(dynamodb: &Client, table: &str, company: &str) {
    let delete = dynamodb.delete_item().table_name(table);
    let delete = delete.key("PK", AttributeValue::S(format!("COMPANY#{company}")));
    let delete = delete.key("SK", AttributeValue::S("COMPANY".to_owned()));
    delete.send().await.unwrap();
}

#[tokio::test]
async fn a_company_that_has_left_does_not_come_back_with_a_restored_table() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let main = "paradigm-scim";
    let of = |command: &[&str], table: &str| {
        let place = ["--company", "Leaver", "--table", table];
        run_json(folder, &[command, &place].concat())
    };
    let company = run_json(folder, &["company", "create", "Leaver"]);
    let company = company["id"].as_str().unwrap();
    let admin = of(&["user", "create", "admin@example.com"], main);
    of(&["user", "grant", "admin@example.com"], main);
    let key = ["key", "create", "--owner", "admin@example.com"];
    of(
        &[&key[..], &["--name", "a", "--expires", "never"]].concat(),
        main,
    );
    let dynamodb = restore_a_backup(folder).await;
    of(&["erase", "admin@example.com"], main);
    remove_company(&dynamodb, main, company).await;

    // A table that knows nothing of the company says nothing about it.
    run(folder, &["company", "create", "X", "--table", "other"]).unwrap();
    let wrong = ["erase", "--replay", "--from", "other"];
    let message = run(folder, &[&wrong[..], &["--table", "restored"]].concat()).unwrap_err();
    assert!(message.contains("no company in common"), "{message}");
    let companies = run_json(folder, &["company", "list", "--table", "restored"]);
    assert_eq!(companies[0]["status"], "active");

    let replay = ["erase", "--replay", "--from", main, "--table", "restored"];
    for _ in 0..2 {
        let message = run(folder, &replay).unwrap_err();
        for reported in [company, "(Leaver) has left", "1 companies have left"] {
            assert!(message.contains(reported), "{message}");
        }
        let companies = run_json(folder, &["company", "list", "--table", "restored"]);
        assert_eq!(companies[0]["status"], "suspended");
        assert_eq!(of(&["user", "list"], "restored"), json!([]));
        let keys = of(&["key", "list"], "restored");
        assert_ne!(keys[0]["revoked"], Value::Null);
        let id = admin["id"].as_str().unwrap();
        let trail = of(&["audit", "--user", id], "restored");
        let last = trail.as_array().unwrap().last().unwrap();
        assert_eq!(last["operation"], "anonymise");
    }

    // Its item deleted here too, there is nothing more to do.
    remove_company(&dynamodb, "restored", company).await;
    run(folder, &["company", "create", "Stays"]).unwrap();
    let mut stays = items(&dynamodb, main).await;
    stays.retain(|item| item["SK"].as_s().unwrap() == "COMPANY");
    let put = dynamodb.put_item().table_name("restored");
    put.set_item(stays.pop()).send().await.unwrap();
    let done = run_json(folder, &replay);
    assert_eq!(
        (&done["companies"], &done["companiesLeft"]),
        (&json!(1), &json!([]))
    );
}

async fn deactivate(folder: &Path, company: &str, user_name: &str) {
    let embedded = Embedded::in_file(&folder.join("paradigm-scim.sqlite")).unwrap();
    let world = World::on(Store::new(&embedded.config(), "paradigm-scim"));
    let company = CompanyId::parse(company).unwrap();
    let user = world.store.user_by_user_name(company, user_name).await;
    let user = user.unwrap().unwrap().id;
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    world
        .change(company, user, |user| {
            Next::Update(user.deactivated(now).unwrap())
        })
        .await;
}

const CREATED: &str = "created";

async fn damage(dynamodb: &Client, company: &str, user: &str) {
    set_created(dynamodb, company, user, AttributeValue::Bool(true)).await;
}

async fn repair(dynamodb: &Client, company: &str, user: &str) {
    let time = AttributeValue::S("2026-01-01T00:00:00Z".to_owned());
    set_created(dynamodb, company, user, time).await;
}

async fn set_created(dynamodb: &Client, company: &str, user: &str, value: AttributeValue) {
    let pk = format!("COMPANY#{company}#USER#{user}");
    dynamodb
        .update_item()
        .table_name("restored")
        .key("PK", AttributeValue::S(pk))
        .key("SK", AttributeValue::S("USER".to_owned()))
        .update_expression("SET #created = :created")
        .expression_attribute_names("#created", CREATED)
        .expression_attribute_values(":created", value)
        .send()
        .await
        .unwrap();
}

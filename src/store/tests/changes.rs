//! What changes of users write.

use super::*;
use crate::directory::{ApiKey, KeyId, Permission, Token};
use crate::store::Next;

const ADA: &str =
    r#"{"userName":"Ada@x.org","externalId":"E1","active":true,"emails":[{"value":"ADA@x.org"}]}"#;

/// Makes a change of a stored user, and returns the transaction's id and actions.
async fn changed(
    before: &User,
    operation: Operation,
    decide: impl Fn(&User) -> Next<'static>,
) -> (String, Vec<Action>) {
    let (store, recorder) = Recorder::holding([stored(before)]).store();
    let change = change(operation, NOW);
    let changed = store.change_user(&change, id(), |user| Ok::<_, StoreError>(decide(user)));
    assert!(changed.await.unwrap().is_some());
    recorder.only()
}

/// Returns the user with another document.
fn patched(user: &User, json: &str) -> Next<'static> {
    Next::Update(user.with_document(document(json), at(NOW)).unwrap())
}

/// Returns the item of a user without permissions and keys.
fn user_item(state: &str, json: &str, version: i64, write_id: &str) -> Item {
    item([
        ("PK", text(&of_user())),
        ("SK", text("USER")),
        ("ByCompanyPK", text(&format!("COMPANY#{COMPANY}#USERS"))),
        ("ByCompanySK", text(USER)),
        ("document", text(json)),
        ("state", text(state)),
        ("keys", Value::Map(BTreeMap::new())),
        ("created", text(NOW)),
        ("lastModified", text(NOW)),
        ("version", number(version)),
        ("writeId", text(write_id)),
    ])
}

fn states(before: &str, after: &str) -> [(&'static str, Value); 2] {
    [("before", text(before)), ("after", text(after))]
}

#[tokio::test]
async fn a_new_user_is_written_with_lookups_counter_and_record_if_the_name_is_free() {
    let (store, recorder) = Recorder::default().store();
    let change = change(Operation::Create, NOW);
    store.create_user(&change, &user(ADA)).await.unwrap();
    let (write_id, actions) = recorder.only();
    let attributes = texts(&["active", "emails", "externalId", "userName"]);
    let expected = [
        put(user_item("active", ADA, 1, &write_id), Condition::Absent),
        put_lookup("emails", "ada@x.org"),
        put_lookup("externalId", "E1"),
        put_user_name("ada@x.org"),
        Action::Update(Update {
            key: key(&format!("COMPANY#{COMPANY}#COUNT"), "SHARD#2"),
            add: Some(("users", 1)),
            set: Vec::new(),
            remove: Vec::new(),
            condition: Condition::Always,
        }),
        put_audit(
            &of_user(),
            "create",
            [("attributes", attributes), ("after", text("active"))],
        ),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_change_of_other_attributes_writes_the_user_and_the_record_only() {
    let json = ADA.replace("\"active\"", "\"title\":\"Dr\",\"active\"");
    let (write_id, actions) =
        changed(&user(ADA), Operation::Patch, |user| patched(user, &json)).await;
    let [before, after] = states("active", "active");
    let expected = [
        put(
            user_item("active", &json, 2, &write_id),
            Condition::Version(1),
        ),
        put_audit(
            &of_user(),
            "patch",
            [("attributes", texts(&["title"])), before, after],
        ),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_change_of_names_moves_only_the_lookups_that_differ() {
    let json = r#"{"userName":"eve@x.org","externalId":"E1","active":true,"emails":[{"value":"ada@X.org"},{"value":"eve@x.org"}]}"#;
    let (write_id, actions) =
        changed(&user(ADA), Operation::Replace, |user| patched(user, json)).await;
    let [before, after] = states("active", "active");
    let expected = [
        put(
            user_item("active", json, 2, &write_id),
            Condition::Version(1),
        ),
        delete_user_name("ada@x.org"),
        put_lookup("emails", "eve@x.org"),
        put_user_name("eve@x.org"),
        put_audit(
            &of_user(),
            "replace",
            [
                ("attributes", texts(&["emails", "userName"])),
                before,
                after,
            ],
        ),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_lookup_that_is_cleared_is_deleted() {
    let json = r#"{"userName":"Ada@x.org","active":true}"#;
    let (_, actions) = changed(&user(ADA), Operation::Patch, |user| patched(user, json)).await;
    let expected = [
        delete_lookup("emails", "ada@x.org"),
        delete_lookup("externalId", "E1"),
    ];
    assert_eq!(actions[1..3], expected);
    assert_eq!(actions.len(), 4);
}

#[tokio::test]
async fn a_deactivation_changes_the_state_and_no_lookup() {
    let json = ADA.replace("true", "false");
    let (write_id, actions) =
        changed(&user(ADA), Operation::Patch, |user| patched(user, &json)).await;
    let [before, after] = states("active", "deactivated");
    let expected = [
        put(
            user_item("deactivated", &json, 2, &write_id),
            Condition::Version(1),
        ),
        put_audit(
            &of_user(),
            "patch",
            [("attributes", texts(&["active"])), before, after],
        ),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_soft_delete_remembers_the_names_and_a_restore_brings_them_back() {
    let prefix = "a".repeat(32);
    let deleted = format!(
        r#"{{"userName":"{prefix}Ada@x.org","externalId":"E1","active":false,"emails":[{{"value":"ADA@x.org"}}]}}"#
    );
    let (write_id, actions) =
        changed(&user(ADA), Operation::Patch, |user| patched(user, &deleted)).await;
    let renames = format!(r#"{{"userName":["Ada@x.org","{prefix}Ada@x.org"],"emails":[]}}"#);
    let mut deleted_item = user_item("softDeleted", &deleted, 2, &write_id);
    deleted_item.insert("renames".to_owned(), text(&renames));
    let [before, after] = states("active", "softDeleted");
    let attributes = ("attributes", texts(&["active", "userName"]));
    let expected = [
        put(deleted_item, Condition::Version(1)),
        delete_user_name("ada@x.org"),
        put_user_name(&format!("{prefix}ada@x.org")),
        put_audit(&of_user(), "patch", [attributes.clone(), before, after]),
    ];
    assert_eq!(actions, expected);

    let active = user(ADA);
    let Next::Update(deleted) = patched(&active, &deleted) else {
        panic!("no update");
    };
    let restored = |user: &User| Next::Update(user.restored(at(NOW)).unwrap());
    let (write_id, actions) = changed(&deleted, Operation::Restore, restored).await;
    let [before, after] = states("softDeleted", "active");
    let expected = [
        put(
            user_item("active", ADA, 3, &write_id),
            Condition::Version(2),
        ),
        delete_user_name(&format!("{prefix}ada@x.org")),
        put_user_name("ada@x.org"),
        put_audit(&of_user(), "restore", [attributes, before, after]),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn an_anonymised_user_leaves_no_personal_data_and_no_key() {
    let administrator = user(ADA).granted(Permission::UsersManage);
    let token = Token::new(KeyId::new(7), &[7; 32]);
    let api_key = ApiKey::new(&token, "Entra", company(), id(), None, at(NOW)).unwrap();
    let (owner, _) = administrator.with_key(&api_key, at(NOW)).unwrap();
    let (write_id, actions) = changed(&owner, Operation::Anonymise, |_| Next::Anonymise).await;
    let left = item([
        ("PK", text(&of_user())),
        ("SK", text("USER")),
        ("state", text("anonymised")),
        ("created", text(NOW)),
        ("lastModified", text(NOW)),
        ("version", number(4)),
        ("writeId", text(&write_id)),
    ]);
    let [before, after] = states("active", "anonymised");
    let expected = [
        put(left, Condition::Version(3)),
        delete_lookup("emails", "ada@x.org"),
        delete_lookup("externalId", "E1"),
        delete_user_name("ada@x.org"),
        Action::Update(Update {
            key: key(&format!("COMPANY#{COMPANY}#COUNT"), "SHARD#2"),
            add: Some(("users", -1)),
            set: Vec::new(),
            remove: Vec::new(),
            condition: Condition::Always,
        }),
        Action::Update(Update {
            key: key("KEY#0000000000000007", "KEY"),
            add: None,
            set: vec![("revoked", text(NOW))],
            remove: vec!["name", "secretHash", "publicKey"],
            condition: Condition::Exists,
        }),
        put_audit(
            &of_user(),
            "anonymise",
            [("keys", texts(&["-0000000000000007"])), before, after],
        ),
    ];
    assert_eq!(actions, expected);
}

#[tokio::test]
async fn a_change_that_changes_nothing_writes_nothing() {
    let (store, recorder) = Recorder::holding([stored(&user(ADA))]).store();
    let change = change(Operation::Patch, LATER);
    let same = |user: &User| Ok::<_, StoreError>(patched(user, ADA));
    let found = store.change_user(&change, id(), same).await.unwrap();
    assert_eq!(found, Some(user(ADA)));
    assert!(recorder.ids().is_empty());
}

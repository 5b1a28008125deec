//! What changes of API keys and companies write, and the updates of single items.

use jiff::SignedDuration;
use jiff::civil::Date;

use super::*;
use crate::directory::{ApiKey, Company, CompanyStatus, CursorSecret, KeyId, Permission, Token};
use crate::store::Next;

const JSON: &str = r#"{"userName":"ada","active":true}"#;

fn api_key(id: u64, expires: Option<Timestamp>) -> ApiKey {
    let token = Token::new(KeyId::new(id), &[7; 32]);
    let mut key = ApiKey::new(&token, "Entra", company(), super::id(), expires, at(NOW)).unwrap();
    key.secret_hash = [9; 32];
    key.public_key = Some([8; 32]);
    key
}

/// Returns an administrator of version 2.
fn owner() -> User {
    user(JSON).granted(Permission::UsersManage)
}

/// Writes what became of the owner, and returns the actions.
async fn changed(before: &User, operation: Operation, next: Next<'_>) -> Vec<Action> {
    let (store, recorder) = Recorder::holding([stored(before)]).store();
    let mut next = Some(next);
    let change = change(operation, NOW);
    let changed = store.change_user(&change, id(), |_| Ok::<_, StoreError>(next.take().unwrap()));
    assert!(changed.await.unwrap().is_some());
    recorder.only().1
}

fn key_item(id: &str) -> Item {
    item([
        ("PK", text(&format!("KEY#{id}"))),
        ("SK", text("KEY")),
        ("ByCompanyPK", text(&format!("COMPANY#{COMPANY}#KEYS"))),
        ("ByCompanySK", text(id)),
        ("secretHash", Value::Bytes(vec![9; 32])),
        ("publicKey", Value::Bytes(vec![8; 32])),
        ("name", text("Entra")),
        ("company", text(COMPANY)),
        ("owner", text(USER)),
        ("created", text(NOW)),
    ])
}

fn put_audit_of_keys(operation: &str, keys: &[&str]) -> Action {
    let more = [
        ("keys", texts(keys)),
        ("before", text("active")),
        ("after", text("active")),
    ];
    put_audit(&of_user(), operation, more)
}

#[track_caller]
fn assert_owner(action: &Action, version: u64, keys: &[(&str, Value)]) {
    let Action::Put { item, condition } = action else {
        panic!("{action:?}");
    };
    assert_eq!(condition, &Condition::Version(version - 1));
    let version = i64::try_from(version).unwrap();
    assert_eq!(item["version"], number(version));
    assert_eq!(item["permissions"], texts(&["users:manage"]));
    let named = keys
        .iter()
        .map(|(id, time)| ((*id).to_owned(), time.clone()));
    assert_eq!(item["keys"], Value::Map(named.collect()));
}

#[tokio::test]
async fn a_new_key_is_written_with_its_owner_who_names_it() {
    let key = api_key(1, None);
    let (after, changes) = owner().with_key(&key, at(NOW)).unwrap();
    let next = Next::UpdateWithKeys(after, changes);
    let actions = changed(&owner(), Operation::CreateKey, next).await;
    assert_owner(&actions[0], 3, &[("0000000000000001", Value::Null)]);
    let expected = [
        put(key_item("0000000000000001"), Condition::Absent),
        put_audit_of_keys("createKey", &["+0000000000000001"]),
    ];
    assert_eq!(actions[1..], expected);
}

#[tokio::test]
async fn a_rotation_writes_the_new_key_and_when_the_old_one_expires() {
    let (old, new) = (api_key(1, None), api_key(2, None));
    let (before, _) = owner().with_key(&old, at(NOW)).unwrap();
    let until = at(NOW) + SignedDuration::from_hours(1);
    let rotated = before.with_key_rotated(old.id, until, &new, at(NOW));
    let (after, changes) = rotated.unwrap();
    let next = Next::UpdateWithKeys(after, changes);
    let actions = changed(&before, Operation::RotateKey, next).await;
    let until = "2026-01-02T04:04:05.678Z";
    let named = [
        ("0000000000000001", text(until)),
        ("0000000000000002", Value::Null),
    ];
    assert_owner(&actions[0], 4, &named);
    let expires = Update {
        key: key("KEY#0000000000000001", "KEY"),
        add: None,
        set: vec![("expires", text(until))],
        remove: Vec::new(),
        condition: Condition::Exists,
    };
    let record = format!("~0000000000000001 until {until}");
    let expected = [
        put(key_item("0000000000000002"), Condition::Absent),
        Action::Update(expires),
        put_audit_of_keys("rotateKey", &["+0000000000000002", &record]),
    ];
    assert_eq!(actions[1..], expected);
}

#[tokio::test]
async fn a_revocation_clears_name_hash_and_public_key() {
    let key = api_key(1, None);
    let (before, _) = owner().with_key(&key, at(NOW)).unwrap();
    let (after, changes) = before.without_key(key.id);
    let next = Next::UpdateWithKeys(after, changes);
    let actions = changed(&before, Operation::RevokeKey, next).await;
    assert_owner(&actions[0], 4, &[]);
    let revoked = Update {
        key: super::key("KEY#0000000000000001", "KEY"),
        add: None,
        set: vec![("revoked", text(NOW))],
        remove: vec!["name", "secretHash", "publicKey"],
        condition: Condition::Exists,
    };
    let expected = [
        Action::Update(revoked),
        put_audit_of_keys("revokeKey", &["-0000000000000001"]),
    ];
    assert_eq!(actions[1..], expected);
}

#[tokio::test]
async fn the_use_of_a_key_names_no_other_attribute_and_only_moves_forward() {
    let (store, recorder) = Recorder::default().store();
    let day = Date::constant(2026, 1, 2);
    store.mark_key_used(KeyId::new(1), day).await.unwrap();
    let day = text("2026-01-02");
    let expected = [Update {
        key: key("KEY#0000000000000001", "KEY"),
        add: None,
        set: vec![("lastUsed", day.clone())],
        remove: Vec::new(),
        condition: Condition::All(vec![
            Condition::Exists,
            Condition::AbsentOrLess("lastUsed", day),
        ]),
    }];
    assert_eq!(*recorder.updated.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_scan_takes_its_units_from_the_minute_that_has_them_left() {
    let counter = item([
        ("PK", text(&format!("COMPANY#{COMPANY}#COUNT"))),
        ("SK", text("SHARD#2")),
        ("users", number(100)),
    ]);
    let (store, recorder) = Recorder::holding([counter]).store();
    let scan = store.begin_scan(company(), at(NOW)).await.unwrap();
    store.end_scan(scan, 110).await;
    let drawn = |units, condition| Update {
        key: key(
            &format!("COMPANY#{COMPANY}#SCANS"),
            "MINUTE#2026-01-02T03:04:00Z",
        ),
        add: Some(("units", units)),
        // An hour after the minute began.
        set: vec![("ttl", number(1_767_326_640))],
        remove: Vec::new(),
        condition,
    };
    let expected = [
        drawn(103, Condition::AbsentOrLess("units", number(59_898))),
        drawn(10, Condition::Always),
    ];
    assert_eq!(*recorder.updated.lock().unwrap(), expected);
}

fn acme() -> Company {
    Company::new(company(), "Acme", CursorSecret([5; 32]), at(NOW)).unwrap()
}

fn company_item(status: &str) -> Item {
    item([
        ("PK", text(&format!("COMPANY#{COMPANY}"))),
        ("SK", text("COMPANY")),
        ("ByCompanyPK", text("COMPANIES")),
        ("ByCompanySK", text(COMPANY)),
        ("name", text("Acme")),
        ("status", text(status)),
        ("cursorSecret", Value::Bytes(vec![5; 32])),
        ("created", text(NOW)),
    ])
}

#[tokio::test]
async fn a_new_company_is_written_with_a_record() {
    let (store, recorder) = Recorder::default().store();
    let change = change(Operation::Create, NOW);
    store.create_company(&change, &acme()).await.unwrap();
    let of_company = format!("COMPANY#{COMPANY}");
    let expected = [
        put(company_item("active"), Condition::Absent),
        put_audit(&of_company, "create", [("after", text("active"))]),
    ];
    assert_eq!(recorder.only().1, expected);
}

#[tokio::test]
async fn a_companys_status_changes_from_the_one_that_was_read() {
    let (store, recorder) = Recorder::holding([company_item("active")]).store();
    let change = change(Operation::Suspend, NOW);
    let set = store.set_company_status(&change, CompanyStatus::Suspended);
    assert_eq!(set.await.unwrap().unwrap().status, CompanyStatus::Suspended);
    let of_company = format!("COMPANY#{COMPANY}");
    let status = Update {
        key: key(&of_company, "COMPANY"),
        add: None,
        set: vec![("status", text("suspended"))],
        remove: Vec::new(),
        condition: Condition::Equals("status", text("active")),
    };
    let states = [("before", text("active")), ("after", text("suspended"))];
    let expected = [
        Action::Update(status),
        put_audit(&of_company, "suspend", states),
    ];
    assert_eq!(recorder.only().1, expected);
}

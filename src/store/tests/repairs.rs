//! What `check` writes to put right what it finds.

use super::*;
use crate::directory::{ApiKey, Company, CursorSecret, KeyId, Token};
use crate::store::check::Repaired;

const JSON: &str = r#"{"userName":"ada","externalId":"E1","active":true}"#;

fn counter(users: i64) -> Item {
    item([
        ("PK", text(&format!("COMPANY#{COMPANY}#COUNT"))),
        ("SK", text("SHARD#2")),
        ("users", number(users)),
    ])
}

/// Returns the items that the service writes of a company with one user.
async fn sound() -> Vec<Item> {
    let company = Company::new(company(), "Acme", CursorSecret([5; 32]), at(NOW)).unwrap();
    let (store, recorder) = Recorder::default().store();
    let change = change(Operation::Create, NOW);
    store.create_company(&change, &company).await.unwrap();
    store.create_user(&change, &user(JSON)).await.unwrap();
    let committed = recorder.committed.lock().unwrap().clone();
    let actions = committed.into_iter().flat_map(|it| it.actions);
    let put = actions.filter_map(|action| match action {
        Action::Put { item, .. } => Some(item),
        _ => None,
    });
    put.chain([counter(1)]).collect()
}

/// Removes the item of this partition key, and returns it.
fn take(items: &mut Vec<Item>, pk: &str) -> Item {
    let position = items.iter().position(|item| item["PK"] == text(pk));
    items.remove(position.unwrap())
}

/// Returns the actions of the transactions that put right a table of these items.
async fn repairs(items: Vec<Item>) -> Vec<Vec<Action>> {
    let (store, recorder) = Recorder::holding(items).store();
    let mut survey = store.survey(None, |_| {}).await.unwrap();
    if survey.needs_recount() {
        store.recount(&mut survey, |_| {}).await.unwrap();
    }
    let change = change(Operation::Repair, NOW);
    for suspect in survey.into_suspects() {
        let verdict = store.examine(&suspect).await.unwrap();
        assert!(!verdict.findings.is_empty());
        let repaired = store.repair(&verdict, &change).await;
        assert_eq!(repaired.unwrap(), Repaired::Done);
    }
    let committed = recorder.committed.lock().unwrap().clone();
    committed.into_iter().map(|it| it.actions).collect()
}

/// Returns the record of a repair that leaves the state of the user as it is.
fn put_record(state: &str) -> Action {
    let states = [("before", text(state)), ("after", text(state))];
    put_audit_of("request-0", &of_user(), "repair", states)
}

/// Returns the record of a repair about a user who is not there.
fn put_record_of_company<const N: usize>(more: [(&str, Value); N]) -> Action {
    let pk = format!("COMPANY#{COMPANY}");
    put_audit_of("request-0", &pk, "repair", more)
}

#[tokio::test]
async fn what_the_service_writes_needs_no_repair() {
    assert_eq!(repairs(sound().await).await, Vec::<Vec<Action>>::new());
}

#[tokio::test]
async fn missing_lookups_are_written_with_the_user_who_must_have_them() {
    let mut items = sound().await;
    take(&mut items, &lookup("externalId", "E1"));
    take(&mut items, &lookup("userName", "ada"));
    let repairs = repairs(items).await;
    let [actions] = repairs.as_slice() else {
        panic!("{repairs:#?}");
    };
    let Action::Put { item, condition } = &actions[0] else {
        panic!("{actions:#?}");
    };
    assert_eq!(
        (&item["PK"], &item["document"]),
        (&text(&of_user()), &text(JSON))
    );
    assert_eq!(
        (condition, &item["version"]),
        (&Condition::Version(1), &number(2))
    );
    let expected = [
        put_lookup("externalId", "E1"),
        put_user_name("ada"),
        put_record("active"),
    ];
    assert_eq!(actions[1..], expected);
}

#[tokio::test]
async fn a_lookup_that_leads_to_no_user_is_deleted_while_there_is_none() {
    let mut items = sound().await;
    take(&mut items, &of_user());
    take(&mut items, &of_user());
    take(&mut items, &lookup("userName", "ada"));
    items.pop();
    let delete = Action::Delete {
        key: key(&lookup("externalId", "E1"), &format!("USER#{USER}")),
        condition: Condition::Equals("userId", text(USER)),
    };
    let check = Action::Check {
        key: key(&of_user(), "USER"),
        condition: Condition::Absent,
    };
    let record = put_record_of_company([("after", text("unchanged"))]);
    assert_eq!(repairs(items).await, [vec![delete, check, record]]);
}

#[tokio::test]
async fn a_lookup_that_leads_to_a_user_without_the_value_is_deleted_while_the_user_is_as_seen() {
    let mut items = sound().await;
    let mut orphan = take(&mut items, &lookup("externalId", "E1"));
    orphan.insert("PK".to_owned(), text(&lookup("emails", "eve@x.org")));
    items.extend([
        orphan,
        take(&mut sound().await, &lookup("externalId", "E1")),
    ]);
    let delete = Action::Delete {
        key: key(&lookup("emails", "eve@x.org"), &format!("USER#{USER}")),
        condition: Condition::Equals("userId", text(USER)),
    };
    let check = Action::Check {
        key: key(&of_user(), "USER"),
        condition: Condition::Version(1),
    };
    assert_eq!(
        repairs(items).await,
        [vec![delete, check, put_record("active")]]
    );
}

#[tokio::test]
async fn an_item_is_put_where_it_belongs_in_the_index() {
    let mut items = sound().await;
    let of_company = format!("COMPANY#{COMPANY}");
    let mut company = take(&mut items, &of_company);
    company.remove("ByCompanyPK");
    items.push(company);
    let list = Update {
        key: key(&of_company, "COMPANY"),
        add: None,
        set: vec![
            ("ByCompanyPK", text("COMPANIES")),
            ("ByCompanySK", text(COMPANY)),
        ],
        remove: Vec::new(),
        condition: Condition::Exists,
    };
    assert_eq!(repairs(items).await, [[Action::Update(list)]]);
}

#[tokio::test(start_paused = true)]
async fn a_counter_is_set_while_it_is_what_was_seen() {
    let mut items = sound().await;
    items.pop();
    items.push(counter(5));
    let set = Update {
        key: key(&format!("COMPANY#{COMPANY}#COUNT"), "SHARD#2"),
        add: None,
        set: vec![("users", number(1))],
        remove: Vec::new(),
        condition: Condition::Equals("users", number(5)),
    };
    assert_eq!(repairs(items).await, [[Action::Update(set)]]);
}

#[tokio::test]
async fn what_may_not_be_left_of_an_anonymised_user_is_taken_away() {
    let left = |more: Option<(&str, Value)>| {
        let mut left = item([
            ("PK", text(&of_user())),
            ("SK", text("USER")),
            ("state", text("anonymised")),
            ("created", text(NOW)),
            ("lastModified", text(NOW)),
            ("version", number(4)),
            ("writeId", text("earlier")),
        ]);
        left.extend(more.map(|(name, value)| (name.to_owned(), value)));
        left
    };
    let company = take(&mut sound().await, &format!("COMPANY#{COMPANY}"));
    let repairs = repairs(vec![company, left(Some(("nickname", text("Ada"))))]).await;
    let [actions] = repairs.as_slice() else {
        panic!("{repairs:#?}");
    };
    let Action::Put { item, condition } = &actions[0] else {
        panic!("{actions:#?}");
    };
    let mut expected = left(None);
    expected.insert("version".to_owned(), number(5));
    expected.insert("writeId".to_owned(), item["writeId"].clone());
    assert_eq!((item, condition), (&expected, &Condition::Version(4)));
    assert_eq!(actions[1..], [put_record("anonymised")]);
}

#[tokio::test]
async fn a_key_without_an_owner_is_revoked() {
    let token = Token::new(KeyId::new(7), &[7; 32]);
    let api_key = ApiKey::new(&token, "Entra", company(), id(), None, at(NOW)).unwrap();
    let key_item = crate::store::layout::from_api_key(&api_key);
    let company = take(&mut sound().await, &format!("COMPANY#{COMPANY}"));
    let revoke = Update {
        key: key("KEY#0000000000000007", "KEY"),
        add: None,
        set: vec![("revoked", text(NOW))],
        remove: vec!["name", "secretHash", "publicKey"],
        condition: Condition::Exists,
    };
    let check = Action::Check {
        key: key(&of_user(), "USER"),
        condition: Condition::Absent,
    };
    let keys = ("keys", texts(&["-0000000000000007"]));
    let record = put_record_of_company([keys, ("after", text("unchanged"))]);
    let expected = [vec![Action::Update(revoke), check, record]];
    assert_eq!(repairs(vec![company, key_item]).await, expected);
}

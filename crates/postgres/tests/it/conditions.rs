//! Conditions and updates.

use paradigm_scim::directory::UserId;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{DOCUMENT, INDEX_PK, INDEX_SK, Key, Value};
use paradigm_scim::store::table::{CommitError, Table};
use paradigm_scim::store::transaction::{Action, Condition, Update};

use test_support::postgres::Database;

use crate::actions::{item, key, put, transaction, write};

const USER: &str = "018f2d5c-3b1a-7c4e-9f00-000000000002";

fn number(text: &str) -> Value {
    Value::Number(text.to_owned())
}

/// Returns conditions, and whether each holds of the item below and of an absent one.
fn cases() -> Vec<(Condition, bool, bool)> {
    use Condition::{
        Absent, AbsentOrHeldBy, AbsentOrLess, All, Always, AttributeAbsent, Equals, Exists, Version,
    };
    let user = UserId::parse(USER).unwrap();
    let other = UserId::parse("018f2d5c-3b1a-7c4e-9f00-000000000003").unwrap();
    vec![
        (Always, true, true),
        (Absent, false, true),
        (Exists, true, false),
        (Version(100), true, false),
        (Version(1), false, false),
        (Equals("version", number("1e2")), true, false),
        (Equals("version", number("100.00")), true, false),
        (Equals("version", Value::string("100")), false, false),
        (Equals("text", Value::string("a\0")), true, false),
        (Equals("text", Value::string("a")), false, false),
        (Equals("nothing", Value::Null), true, false),
        (Equals("flag", Value::Bool(true)), true, false),
        (Equals("bytes", Value::Bytes(vec![1, 0])), true, false),
        (Equals("missing", Value::Null), false, false),
        (Equals(DOCUMENT, Value::string("{}")), true, false),
        (Equals(INDEX_SK, Value::string("s")), true, false),
        (Equals("PK", Value::string("p")), true, false),
        (AttributeAbsent("missing"), true, true),
        (AttributeAbsent("nothing"), false, true),
        (AttributeAbsent(DOCUMENT), false, true),
        (AttributeAbsent(INDEX_PK), false, true),
        (AbsentOrLess("missing", number("0")), true, true),
        (AbsentOrLess("version", number("100.1")), true, true),
        (AbsentOrLess("version", number("1e2")), false, true),
        (AbsentOrLess("version", number("9")), false, true),
        (AbsentOrLess("version", Value::string("999")), false, true),
        (AbsentOrLess("text", Value::string("a\u{1}")), true, true),
        (AbsentOrLess("text", Value::string("a\0")), false, true),
        (AbsentOrLess("text", Value::string("B")), false, true),
        (
            AbsentOrLess("bytes", Value::Bytes(vec![1, 0, 0])),
            true,
            true,
        ),
        (AbsentOrLess("bytes", Value::Bytes(vec![1])), false, true),
        (AbsentOrHeldBy(user), true, true),
        (AbsentOrHeldBy(other), false, true),
        (All(Vec::new()), true, true),
        (All(vec![Exists, Version(100)]), true, false),
        (All(vec![Version(100), All(vec![Absent])]), false, false),
    ]
}

async fn holds(table: &dyn Table, action: Action) -> bool {
    match table.commit(&transaction(vec![action])).await {
        Ok(()) => true,
        Err(CommitError::Conditions(failed)) => {
            assert_eq!(failed, [0]);
            false
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Returns each kind of action on a key.
fn actions(key: &Key, condition: &Condition) -> [Action; 4] {
    let (key, condition) = (key.clone(), condition.clone());
    [
        Action::Check {
            key: key.clone(),
            condition: condition.clone(),
        },
        put(item(&key, []), condition.clone()),
        Action::Update(Update {
            key: key.clone(),
            add: None,
            set: Vec::new(),
            remove: Vec::new(),
            condition: condition.clone(),
        }),
        Action::Delete { key, condition },
    ]
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn every_condition_holds_of_what_it_says_for_every_action() {
    let database = Database::new().await;
    let table = database.engine(2);
    let present = key("p", "s");
    let whole = item(
        &present,
        [
            ("version", number("1e2")),
            ("text", Value::string("a\0")),
            ("nothing", Value::Null),
            ("flag", Value::Bool(true)),
            ("bytes", Value::Bytes(vec![1, 0])),
            ("userId", Value::string(USER)),
            (DOCUMENT, Value::string("{}")),
            (INDEX_PK, Value::string("i")),
            (INDEX_SK, Value::string("s")),
        ],
    );
    for (condition, of_present, of_absent) in cases() {
        for action in actions(&present, &condition) {
            write(&table, vec![put(whole.clone(), Condition::Always)]).await;
            assert_eq!(
                holds(&table, action.clone()).await,
                of_present,
                "{action:?}"
            );
            let found = table.get(present.clone()).await.unwrap();
            if !of_present || matches!(action, Action::Check { .. } | Action::Update(_)) {
                assert_eq!(found.as_ref(), Some(&whole), "{action:?}");
            }
        }
        for (position, action) in actions(&key("absent", &format!("{condition:?}")), &condition)
            .into_iter()
            .enumerate()
        {
            let sk = format!("{position}{condition:?}");
            let action = renamed(action, &key("absent", &sk));
            assert_eq!(
                holds(&table, action.clone()).await,
                of_absent,
                "absent: {action:?}"
            );
            let found = table.get(key("absent", &sk)).await.unwrap();
            let is_made = of_absent && matches!(action, Action::Put { .. } | Action::Update(_));
            assert_eq!(found.is_some(), is_made, "{action:?}");
        }
    }
}

fn renamed(action: Action, to: &Key) -> Action {
    match action {
        Action::Put { condition, .. } => put(item(to, []), condition),
        Action::Check { condition, .. } => Action::Check {
            key: to.clone(),
            condition,
        },
        Action::Delete { condition, .. } => Action::Delete {
            key: to.clone(),
            condition,
        },
        Action::Update(update) => Action::Update(Update {
            key: to.clone(),
            ..update
        }),
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn all_failed_actions_are_reported_and_nothing_is_written() {
    let database = Database::new().await;
    let table = database.engine(2);
    let keys: Vec<Key> = ["c", "a", "AUDIT#1", "b"].map(|sk| key("p", sk)).to_vec();
    write(
        &table,
        vec![
            put(item(&keys[0], []), Condition::Absent),
            put(item(&keys[2], []), Condition::Absent),
        ],
    )
    .await;
    let again = transaction(vec![
        put(item(&keys[0], []), Condition::Absent),
        put(item(&keys[1], []), Condition::Absent),
        put(item(&keys[2], []), Condition::Absent),
        Action::Check {
            key: keys[3].clone(),
            condition: Condition::Exists,
        },
    ]);
    let before = database
        .number("SELECT count(*) FROM paradigm_scim.every_item")
        .await;
    match table.commit(&again).await {
        Err(CommitError::Conditions(failed)) => assert_eq!(failed, [0, 2, 3]),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        database
            .number("SELECT count(*) FROM paradigm_scim.every_item")
            .await,
        before
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn an_update_adds_sets_and_removes_also_what_has_a_column() {
    let database = Database::new().await;
    let table = database.engine(2);
    let key = key("p", "s");
    let update = |add, set: Vec<(&'static str, Value)>, remove: Vec<&'static str>| Update {
        key: key.clone(),
        add,
        set,
        remove,
        condition: Condition::Always,
    };
    let steps = [
        (
            update(Some(("n", 2)), vec![("a", Value::string("\0"))], vec![]),
            item(&key, [("n", number("2")), ("a", Value::string("\0"))]),
        ),
        (
            update(Some(("n", -5)), vec![], vec!["a", "missing"]),
            item(&key, [("n", number("-3"))]),
        ),
        (
            update(
                None,
                vec![
                    (DOCUMENT, Value::string("{}")),
                    (INDEX_PK, Value::string("i")),
                    (INDEX_SK, Value::string("s")),
                ],
                vec![],
            ),
            item(
                &key,
                [
                    ("n", number("-3")),
                    (DOCUMENT, Value::string("{}")),
                    (INDEX_PK, Value::string("i")),
                    (INDEX_SK, Value::string("s")),
                ],
            ),
        ),
        (
            update(None, vec![(DOCUMENT, Value::Null)], vec![INDEX_SK]),
            item(
                &key,
                [
                    ("n", number("-3")),
                    (DOCUMENT, Value::Null),
                    (INDEX_PK, Value::string("i")),
                ],
            ),
        ),
        (
            update(None, vec![], vec![DOCUMENT, INDEX_PK, "n"]),
            item(&key, []),
        ),
    ];
    for (update, expected) in steps {
        assert!(table.update(update.clone()).await.unwrap());
        assert_eq!(
            table.get(key.clone()).await.unwrap(),
            Some(expected),
            "{update:?}"
        );
    }
    let set = vec![("a", Value::string("1"))];
    assert!(table.update(update(None, set, vec![])).await.unwrap());
    let impossible = update(Some(("a", 1)), vec![], vec![]);
    let refused = table.update(impossible.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::Refused(_))),
        "{refused:?}"
    );
    // A condition that does not hold matters more.
    let absent = Action::Check {
        key: key.clone(),
        condition: Condition::Absent,
    };
    let other = Update {
        key: crate::actions::key("p", "other"),
        ..impossible
    };
    let both = transaction(vec![absent, Action::Update(other)]);
    let refused = table.commit(&both).await;
    assert!(
        matches!(&refused, Err(CommitError::Conditions(failed)) if *failed == [0]),
        "{refused:?}"
    );
    let refused = Update {
        condition: Condition::Version(1),
        ..update(Some(("n", 1)), vec![], vec![])
    };
    assert!(!table.update(refused).await.unwrap());
}

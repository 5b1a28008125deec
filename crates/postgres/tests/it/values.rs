//! Every value comes back as it was written.

use std::collections::{BTreeMap, BTreeSet};

use paradigm_scim::store::layout::{DOCUMENT, INDEX_PK, INDEX_SK, Item, Value};
use paradigm_scim::store::table::{Attributes, IndexRange, PartitionRange, Table as _};
use paradigm_scim::store::transaction::Condition;

use test_support::postgres::Database;

use crate::actions::{item, key, put, write};

/// Returns a text with a character of every plane of Unicode, and its last two.
fn every_plane() -> String {
    let planes =
        (0..=16_u32).flat_map(|plane| [0x41, 0xfffd, 0xfffe, 0xffff].map(|end| plane << 16 | end));
    planes.filter_map(char::from_u32).collect()
}

fn texts() -> Vec<String> {
    vec![
        String::new(),
        "\0".to_owned(),
        "a\0b\u{1}c\u{2}".to_owned(),
        (0..0x80_u8).map(char::from).collect(),
        every_plane(),
        r#"{"a":1e2,"a":1.0,"b":"\ud800\u0000\x","c":-0}"#.to_owned(),
        r"\u0000 \\u0000 \n".to_owned(),
        "é e\u{301} ﬁ İ".to_owned(),
        "x".repeat(64 * 1024),
        "\0".repeat(1000),
    ]
}

fn values() -> Vec<Value> {
    let mut values: Vec<Value> = texts().into_iter().map(Value::String).collect();
    let number = |text: &str| Value::Number(text.to_owned());
    values.extend(
        [
            "0",
            "-0",
            "1e2",
            "100",
            "1.50",
            "99999999999999999999999999999999999999",
            "1E-130",
        ]
        .map(number),
    );
    let map = BTreeMap::from([
        ("N".to_owned(), number("1")),
        ("\0".to_owned(), Value::Null),
    ]);
    values.extend([
        Value::Bytes((0..=255).collect()),
        Value::Bool(false),
        Value::Null,
        Value::List(vec![
            Value::Null,
            Value::string("\0"),
            Value::List(Vec::new()),
        ]),
        Value::Map(map),
        Value::StringSet(texts().into_iter().collect()),
        Value::NumberSet(BTreeSet::from(["1".to_owned(), "1.0".to_owned()])),
        Value::BytesSet(BTreeSet::from([vec![0], vec![255, 0]])),
    ]);
    values
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn every_value_is_read_as_it_was_written_by_every_read() {
    let database = Database::new().await;
    let table = database.engine(2);
    let key = key("COMPANY#1#USER#2", "APP#x");
    for name in ["value", DOCUMENT, "\0"] {
        for value in values() {
            let written = item(&key, [(name, value)]);
            write(&table, vec![put(written.clone(), Condition::Always)]).await;
            let range = PartitionRange {
                pk: &key.pk,
                between: None,
            };
            let found = [
                table.get(key.clone()).await.unwrap().into_iter().collect(),
                table.get_many(vec![key.clone()]).await.unwrap(),
                table.read_partition(range, None).await.unwrap().items,
                table.scan(Attributes::All, None, 10).await.unwrap().items,
            ];
            for found in found {
                assert_eq!(found, std::slice::from_ref(&written));
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn keys_are_in_the_order_of_their_bytes_whatever_they_hold() {
    let database = Database::new().await;
    let table = database.engine(2);
    let mut sort_keys: Vec<String> = [
        "\0",
        "\u{1}",
        "\u{2}",
        "A",
        "AUDIT#",
        "AUDIT#1",
        "B",
        "a",
        "Z",
        "é",
        "\u{ffff}",
        "\u{10000}",
    ]
    .map(str::to_owned)
    .to_vec();
    let items: Vec<Item> = sort_keys
        .iter()
        .map(|sk| {
            item(
                &key("p", sk),
                [
                    (INDEX_PK, Value::string("i")),
                    (INDEX_SK, Value::string(sk)),
                ],
            )
        })
        .collect();
    write(
        &table,
        items
            .iter()
            .map(|item| put(item.clone(), Condition::Absent))
            .collect(),
    )
    .await;
    sort_keys.sort();

    let range = PartitionRange {
        pk: "p",
        between: None,
    };
    let page = table.read_partition(range, None).await.unwrap();
    let found: Vec<Value> = page
        .items
        .into_iter()
        .map(|item| item["SK"].clone())
        .collect();
    assert_eq!(
        found,
        sort_keys.iter().map(Value::string).collect::<Vec<_>>()
    );

    let range = PartitionRange {
        pk: "p",
        between: Some(("AUDIT#", "B")),
    };
    let page = table.read_partition(range, None).await.unwrap();
    assert_eq!(page.items.len(), 3);

    let mut walked = Vec::new();
    let mut after = None;
    loop {
        let range = IndexRange {
            partition: "i",
            above: Some("\0"),
            limit: Some(2),
        };
        let page = table.read_index(range, after).await.unwrap();
        walked.extend(page.entries.into_iter().map(|entry| entry.sort));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(walked, sort_keys[1..]);

    let mut scanned = Vec::new();
    let mut after = None;
    loop {
        let page = table
            .scan(Attributes::KeysAnd(&[INDEX_SK]), after, 5)
            .await
            .unwrap();
        scanned.extend(page.items.into_iter().map(|item| item[INDEX_SK].clone()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        scanned,
        sort_keys.iter().map(Value::string).collect::<Vec<_>>()
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_row_says_what_its_item_is() {
    let database = Database::new().await;
    let table = database.engine(2);
    let company = "COMPANY#018f2d5c-3b1a-7c4e-9f00-000000000001";
    let user = format!("{company}#USER#u");
    for (pk, sk, kind, entity) in [
        (company, "COMPANY", "company", None),
        (&user, "USER", "user", Some("u")),
        (&user, "APP#x", "foreign", Some("u")),
        (&format!("{company}#COUNT"), "SHARD#1", "counter", None),
        (&format!("{company}#SCANS"), "MINUTE#x", "scanBudget", None),
        (&format!("{company}#userName#x"), "USER", "lookup", None),
        (&format!("{company}#emails#x"), "USER#u", "lookup", None),
        ("KEY#k", "KEY", "apiKey", Some("k")),
        ("x", "y", "unknown", None),
    ] {
        let attributes = [
            ("version", Value::number(7)),
            ("company", Value::string("c")),
        ];
        write(
            &table,
            vec![put(item(&key(pk, sk), attributes), Condition::Absent)],
        )
        .await;
        let row = database
            .admin
            .query_one("SELECT kind, company, entity, version::bigint FROM paradigm_scim.item WHERE pk = $1 AND sk = $2", &[&pk, &sk])
            .await
            .unwrap();
        assert_eq!(row.get::<_, &str>(0), kind, "{pk} {sk}");
        assert_eq!(row.get::<_, Option<&str>>(2), entity, "{pk} {sk}");
        assert_eq!(row.get::<_, i64>(3), 7);
        let of_company = match pk {
            "x" => None,
            "KEY#k" => Some("c"),
            _ => Some(&company[8..]),
        };
        assert_eq!(row.get::<_, Option<&str>>(1), of_company, "{pk} {sk}");
    }
}

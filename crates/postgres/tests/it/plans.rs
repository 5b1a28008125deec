//! Each call is one statement, and none reads a whole table.

use paradigm_scim::store::layout::{INDEX_PK, INDEX_SK, Value};
use paradigm_scim::store::table::{Attributes, IndexRange, PartitionRange, Table as _};
use paradigm_scim::store::transaction::{Action, Condition, Update};

use test_support::postgres::Database;

use crate::actions::{item, key, put, transaction};

/// Rows of each table.
const ROWS: usize = 30_000;

async fn filled() -> Database {
    let database = Database::new().await;
    for (table, sk) in [("item", "'USER'"), ("audit", "'AUDIT#1'")] {
        database
            .execute(&format!(
                "INSERT INTO paradigm_scim.{table} (kind, pk, sk, body, expires, index_pk, index_sk)
                 SELECT 'unknown', 'p' || n, {sk}, jsonb_build_object('text', repeat('x', 500), 'ttl', jsonb_build_object('N', '99999999999')), 99999999999, 'i' || n % 3, 's' || n
                 FROM generate_series(1, {ROWS}) AS n"
            ))
            .await;
    }
    database
        .execute("ANALYZE paradigm_scim.item, paradigm_scim.audit")
        .await;
    database
}

async fn statements(database: &Database) -> i64 {
    database
        .number(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements s
             JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
             WHERE d.datname = current_database() AND r.rolname = 'paradigm_scim_service'",
        )
        .await
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn every_call_is_one_statement_and_none_reads_a_whole_table() {
    let database = filled().await;
    database
        .execute("CREATE EXTENSION pg_stat_statements")
        .await;
    let scans = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE schemaname = 'paradigm_scim' AND relname IN ('item', 'audit')";
    let scans_before = database.number(scans).await;
    let table = database.engine(1);
    table.get(key("p1", "USER")).await.unwrap();
    let mut calls = statements(&database).await;
    // More often than a server plans for the values of each statement.
    for round in 0..12 {
        let at = |number: usize| format!("p{}", round * 1000 + number + 1);
        table.get(key(&at(1), "USER")).await.unwrap().unwrap();
        table.get(key(&at(1), "AUDIT#1")).await.unwrap().unwrap();
        let keys = (0..100).map(|number| {
            key(
                &at(number),
                if number % 2 == 0 { "USER" } else { "AUDIT#1" },
            )
        });
        assert_eq!(table.get_many(keys.collect()).await.unwrap().len(), 100);
        for between in [None, Some(("A", "Z"))] {
            let pk = at(2);
            let range = PartitionRange { pk: &pk, between };
            assert_eq!(
                table.read_partition(range, None).await.unwrap().items.len(),
                2
            );
        }
        let range = IndexRange {
            partition: "i1",
            above: Some("s2"),
            limit: Some(50),
        };
        let page = table.read_index(range, None).await.unwrap();
        assert_eq!(page.entries.len(), 50);
        table.read_index(range, page.next).await.unwrap();
        table
            .scan(Attributes::All, Some(key(&at(3), "")), 20)
            .await
            .unwrap();
        table
            .scan(Attributes::KeysAnd(&["ttl"]), Some(key(&at(3), "")), 20)
            .await
            .unwrap();
        let new = key(&at(4), &format!("new{round}"));
        let indexed = [
            (INDEX_PK, Value::string("i9")),
            (INDEX_SK, Value::string("s")),
        ];
        let always = Condition::Always;
        let actions = vec![
            put(item(&new, indexed), Condition::Absent),
            put(item(&key(&at(5), "USER"), []), Condition::Exists),
            put(
                item(&key(&at(5), &format!("AUDIT#new{round}")), []),
                Condition::Absent,
            ),
            Action::Delete {
                key: key(&at(6), "USER"),
                condition: always.clone(),
            },
            Action::Delete {
                key: key(&at(7), "USER"),
                condition: Condition::Exists,
            },
            Action::Check {
                key: key(&at(8), "USER"),
                condition: Condition::Exists,
            },
            Action::Check {
                key: key(&at(8), "absent"),
                condition: Condition::Absent,
            },
        ];
        table.commit(&transaction(actions)).await.unwrap();
        let update = Update {
            key: new,
            add: Some(("n", 1)),
            set: Vec::new(),
            remove: Vec::new(),
            condition: always,
        };
        assert!(table.update(update).await.unwrap());
        table.confirm().await.unwrap();
        assert_eq!(table.delete_expired().await.unwrap(), 0);
        let now = statements(&database).await;
        assert_eq!(now - calls, 13, "round {round}");
        calls = now;
    }
    drop(table);
    database.until_alone().await;
    assert_eq!(database.number(scans).await, scans_before);
}

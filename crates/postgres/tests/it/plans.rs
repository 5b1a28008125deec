//! Each call is one statement, and none reads a whole table.

use paradigm_scim::store::layout::{INDEX_PK, INDEX_SK, Value};
use paradigm_scim::store::table::{Attributes, IndexEntry, IndexRange, PartitionRange, Table as _};
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

/// Returns how many blocks the role of the service has read so far, from memory or disk.
async fn blocks(database: &Database) -> i64 {
    database
        .number(
            "SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint FROM pg_stat_statements s
             JOIN pg_database d ON d.oid = s.dbid JOIN pg_roles r ON r.oid = s.userid
             WHERE d.datname = current_database() AND r.rolname = 'paradigm_scim_service'",
        )
        .await
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_page_reads_as_few_blocks_at_the_end_as_at_the_beginning() {
    let database = filled().await;
    database
        .execute(&format!(
            "INSERT INTO paradigm_scim.item (kind, pk, sk, body)
             SELECT 'unknown', 'many', 's' || n, '{{}}' FROM generate_series(1, {ROWS}) AS n"
        ))
        .await;
    database
        .execute("VACUUM (ANALYZE) paradigm_scim.item, paradigm_scim.audit")
        .await;
    database
        .execute("CREATE EXTENSION pg_stat_statements")
        .await;
    let table = database.engine(1);
    let mut costs: Vec<Vec<i64>> = Vec::new();
    // The first round prepares the statements and reads the catalogue.
    for place in ["first", "first", "last"] {
        let is_last = place == "last";
        let mut cost = Vec::new();
        let mut before = blocks(&database).await;
        let bound = if is_last { "s9" } else { "s1" };
        let entry = || IndexEntry {
            sort: bound.to_owned(),
            key: key("p1", "USER"),
        };
        for (above, after) in [
            (Some(bound), None),
            (None, Some(entry())),
            (Some("s"), Some(entry())),
        ] {
            let range = IndexRange {
                partition: "i1",
                above,
                limit: Some(10),
            };
            let page = table.read_index(range, after).await.unwrap();
            assert_eq!(page.entries.len(), 10);
            let now = blocks(&database).await;
            cost.push(now - std::mem::replace(&mut before, now));
        }
        for between in [None, Some(("s", "t"))] {
            let range = PartitionRange {
                pk: "many",
                between,
            };
            let after = key("many", if is_last { "s97" } else { "s1" });
            let page = table.read_partition(range, Some(after)).await.unwrap();
            assert_eq!(page.items.len(), 200);
            let now = blocks(&database).await;
            cost.push(now - std::mem::replace(&mut before, now));
        }
        let after = key(if is_last { "p97" } else { "p1" }, "USER");
        let page = table.scan(Attributes::All, Some(after), 10).await.unwrap();
        assert_eq!(page.items.len(), 10);
        cost.push(blocks(&database).await - before);
        costs.push(cost);
    }
    for (first, last) in costs[1].iter().zip(&costs[2]) {
        assert!(*first > 0 && *last <= first + 10, "{costs:?}");
    }
    assert!(costs[2].iter().all(|blocks| *blocks <= 60), "{costs:?}");
}

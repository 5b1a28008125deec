//! The views for programs beside SCIM, read by their role.

use std::sync::Arc;
use std::time::Duration;

use paradigm_scim::store::table::Table as _;
use paradigm_scim::store::transaction::Condition;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

use test_support::postgres::{Database, READER};
use test_support::world::World;

use crate::actions::{item, key, put, transaction};

async fn reader(database: &Database) -> Client {
    let text = database.text(READER);
    let (client, connection) = tokio_postgres::connect(&text, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Returns the rows that SQL yields, as JSON.
async fn rows(client: &Client, sql: &str) -> Vec<Value> {
    let sql = format!("SELECT to_jsonb(found)::text FROM ({sql}) AS found");
    let rows = client.query(&sql, &[]).await.unwrap();
    rows.iter()
        .map(|row| serde_json::from_str(row.get(0)).unwrap())
        .collect()
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_program_beside_scim_reads_companies_users_emails_keys_and_changes() {
    let database = Database::new().await;
    let world = World::on(database.store(4));
    let client = world.client().await;
    let user = json!({
        "userName": "Ada@example.com", "externalId": "e-1", "displayName": "A\u{0}\\u0000\u{1}", "active": true,
        "emails": [
            {"value": "ada@example.com", "type": "work", "primary": true},
            {"value": "ada@home.example"},
        ],
    });
    let ada = client.create(&user).await;
    let gone = client.create(&json!({"userName": "gone"})).await;
    client.delete(&gone).await.assert_status(204);
    let company = client.company.to_string();
    let reader = reader(&database).await;

    let found = rows(&reader, "SELECT * FROM paradigm_scim.companies").await;
    let created = "2026-01-01T00:00:00+00:00";
    assert_eq!(
        found,
        [json!({"id": company, "name": "Company", "status": "active", "created": created})]
    );

    let of_company = format!("FROM paradigm_scim.users WHERE company = '{company}'");
    let found = rows(&reader, &format!("SELECT * {of_company} AND id = '{ada}'")).await;
    let [row] = &found[..] else {
        panic!("{found:?}");
    };
    for (column, expected) in [
        ("state", json!("active")),
        ("user_name", json!("Ada@example.com")),
        ("external_id", json!("e-1")),
        ("display_name", json!("A\u{fffd}\\u0000\u{1}")),
        ("permissions", Value::Null),
        ("created", json!(created)),
        ("last_modified", json!(created)),
        ("version", json!(1)),
    ] {
        assert_eq!(row[column], expected, "{column}");
    }
    assert_eq!(row["attributes"]["emails"], user["emails"]);
    let found = rows(&reader, &format!("SELECT * {of_company} AND id = '{gone}'")).await;
    assert_eq!(found[0]["state"], "anonymised");
    assert_eq!(found[0]["user_name"], Value::Null);
    let managers = format!("SELECT id {of_company} AND 'users:manage' = ANY (permissions)");
    let found = rows(&reader, &managers).await;
    assert_eq!(found, [json!({"id": client.administrator.to_string()})]);

    let emails = format!(
        "SELECT value, type, is_primary FROM paradigm_scim.emails WHERE company = '{company}' AND user_id = '{ada}'"
    );
    assert_eq!(
        rows(&reader, &emails).await,
        [
            json!({"value": "ada@example.com", "type": "work", "is_primary": true}),
            json!({"value": "ada@home.example", "type": null, "is_primary": false}),
        ]
    );

    let keys = rows(&reader, "SELECT * FROM paradigm_scim.api_keys").await;
    assert_eq!(keys[0]["owner"], client.administrator.to_string());
    assert_eq!(keys[0]["name"], "test");
    let mut columns: Vec<&String> = keys[0].as_object().unwrap().keys().collect();
    columns.sort();
    assert_eq!(
        columns,
        [
            "company",
            "created",
            "expires",
            "id",
            "last_used",
            "name",
            "owner",
            "revoked"
        ]
    );

    let changes = format!(
        "SELECT operation, before, after, attributes FROM paradigm_scim.changes WHERE user_id = '{gone}' ORDER BY transaction, sequence"
    );
    let expected = [
        json!({"operation": "create", "before": null, "after": "active", "attributes": ["active", "userName"]}),
        json!({"operation": "anonymise", "before": "active", "after": "anonymised", "attributes": null}),
    ];
    assert_eq!(rows(&reader, &changes).await, expected);
    let changes = format!(
        "SELECT operation, before, after, attributes FROM paradigm_scim.changes_of('{company}', '{gone}')"
    );
    assert_eq!(rows(&reader, &changes).await, expected);
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn the_reader_can_neither_read_what_has_secrets_nor_write() {
    let database = Database::new().await;
    let reader = reader(&database).await;
    for sql in [
        "SELECT * FROM paradigm_scim.item",
        "SELECT * FROM paradigm_scim.audit",
        "SELECT * FROM paradigm_scim.every_item",
        "DELETE FROM paradigm_scim.users",
        "UPDATE paradigm_scim.companies SET status = 'active'",
        "INSERT INTO paradigm_scim.feed VALUES (gen_random_uuid())",
        "SELECT paradigm_scim.begin_feed_v1()",
        "SELECT paradigm_scim.confirm_v1()",
        "CREATE TABLE paradigm_scim.mine (id integer)",
    ] {
        let error = reader.batch_execute(sql).await.unwrap_err();
        let state = error.code().unwrap().code();
        assert!(
            ["0A000", "42501", "55000"].contains(&state),
            "{sql}: {error:?}"
        );
    }
}

/// The position of a change in the feed.
type Position = (String, i64);

/// Reads on from a position, and returns the requests of the changes.
async fn follow(reader: &Client, position: &mut Position) -> Vec<String> {
    let sql = "SELECT transaction::text AS position, sequence, request_id FROM paradigm_scim.changes
               WHERE (transaction, sequence) > ($1::text::xid8, $2) ORDER BY transaction, sequence LIMIT 20";
    let rows = reader
        .query(sql, &[&position.0, &position.1])
        .await
        .unwrap();
    if let Some(last) = rows.last() {
        *position = (last.get(0), last.get(1));
    }
    rows.iter().map(|row| row.get(2)).collect()
}

/// Follows until so many changes are there: transactions of other tests on the server hold them back, too.
async fn follow_until(reader: &Client, position: &mut Position, number: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let following = async {
        while seen.len() < number {
            seen.extend(follow(reader, position).await);
        }
    };
    timeout(Duration::from_secs(60), following).await.unwrap();
    seen
}

fn change(number: usize) -> paradigm_scim::store::transaction::Transaction {
    let sk = format!("AUDIT#2026-01-01T00:00:00.000000000Z#{number}");
    transaction(vec![put(
        item(&key("COMPANY#c#USER#u", &sk), []),
        Condition::Absent,
    )])
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_change_that_ends_late_is_not_missed() {
    let database = Database::new().await;
    let table = database.engine(2);
    let reader = reader(&database).await;
    let mut position = ("0".to_owned(), 0);
    let mut late = database.superuser().await;
    let late = late.transaction().await.unwrap();
    let insert = "INSERT INTO paradigm_scim.audit (kind, pk, sk, body) VALUES ('audit', 'COMPANY#c#USER#u', 'AUDIT#2026-01-01T00:00:00Z#late', '{}')";
    late.execute(insert, &[]).await.unwrap();
    table.commit(&change(1)).await.unwrap();
    assert_eq!(follow(&reader, &mut position).await, Vec::<String>::new());
    late.commit().await.unwrap();
    let seen = follow_until(&reader, &mut position, 2).await;
    assert_eq!(seen, ["late", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_follower_gets_every_change_once_while_many_write() {
    const WRITERS: usize = 8;
    const EACH: usize = 100;
    let database = Database::new().await;
    let table = Arc::new(database.engine(WRITERS));
    let reader = reader(&database).await;
    let follower = tokio::spawn(async move {
        let mut position = ("0".to_owned(), 0);
        let mut seen = Vec::new();
        // Transactions of other tests on the server hold changes back, too.
        while seen.len() < WRITERS * EACH {
            seen.extend(follow(&reader, &mut position).await);
        }
        seen.extend(follow(&reader, &mut position).await);
        seen
    });
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let table = Arc::clone(&table);
            tokio::spawn(async move {
                for number in 0..EACH {
                    table.commit(&change(writer * EACH + number)).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut seen: Vec<usize> = timeout(Duration::from_secs(60), follower)
        .await
        .expect("no change is missed")
        .unwrap()
        .iter()
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!(seen.len(), WRITERS * EACH);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), WRITERS * EACH);
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_new_generation_of_the_feed_has_every_change_again() {
    let database = Database::new().await;
    let table = database.engine(1);
    let reader = reader(&database).await;
    for number in 0..3 {
        table.commit(&change(number)).await.unwrap();
    }
    // As after a restore on another server: its transactions have not come so far yet.
    database
        .execute("UPDATE paradigm_scim.audit SET transaction = '999999999999'")
        .await;
    let generation = "SELECT generation FROM paradigm_scim.feed";
    let before = rows(&reader, generation).await;
    database
        .execute("SELECT paradigm_scim.begin_feed_v1()")
        .await;
    assert_ne!(rows(&reader, generation).await, before);
    table.commit(&change(3)).await.unwrap();
    assert_eq!(
        follow_until(&reader, &mut ("0".to_owned(), 0), 4).await,
        ["0", "1", "2", "3"]
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn no_view_reads_a_whole_table_for_one_company_and_id_or_position() {
    let database = Database::new().await;
    for (table, sk, kind) in [
        ("item", "'USER'", "user"),
        ("audit", "'AUDIT#2026-01-01T00:00:00Z#' || n", "audit"),
    ] {
        let fill = format!(
            "INSERT INTO paradigm_scim.{table} (kind, company, entity, pk, sk, body, document)
             SELECT '{kind}', 'c' || n % 10, 'u' || n, 'COMPANY#c' || n % 10 || '#USER#u' || n, {sk},
                 jsonb_build_object('text', repeat('x', 500)), '{{\"emails\": []}}'
             FROM generate_series(1, 30000) AS n; ANALYZE paradigm_scim.{table}"
        );
        database.execute(&fill).await;
    }
    let reader = reader(&database).await;
    for sql in [
        "SELECT * FROM paradigm_scim.companies WHERE id = 'c1'",
        "SELECT * FROM paradigm_scim.users WHERE company = 'c1' AND id = 'u11'",
        "SELECT id, state FROM paradigm_scim.users WHERE company = 'c1' ORDER BY id LIMIT 10",
        "SELECT * FROM paradigm_scim.emails WHERE company = 'c1' AND user_id = 'u11'",
        "SELECT * FROM paradigm_scim.api_keys WHERE company = 'c1'",
        "SELECT * FROM paradigm_scim.changes WHERE (transaction, sequence) > ('1', 1) ORDER BY transaction, sequence LIMIT 10",
        "SELECT * FROM paradigm_scim.changes_of('c1', 'u11')",
    ] {
        let plan = reader.query(&format!("EXPLAIN {sql}"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(!plan.concat().contains("Seq Scan"), "{sql}: {plan:#?}");
        println!("{sql}\n{}\n", plan.join("\n"));
    }
}

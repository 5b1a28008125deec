//! What goes wrong at the server, and what the caller gets.

use std::future::pending;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::error::DiskError;
use paradigm_scim::store::layout::Key;
use paradigm_scim::store::table::{CommitError, Table};
use paradigm_scim::store::transaction::{Action, Condition, Transaction};
use paradigm_scim::store::usage::measured;
use postgres::{DatabaseUrl, PostgreSql};
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use test_support::postgres::{Database, SERVICE};

use crate::actions::{item, key, put, transaction, write};

/// What a call of the engine may take at most.
const LIMIT: Duration = Duration::from_millis(5500);

fn one(sk: &str) -> Transaction {
    transaction(vec![put(item(&key("p", sk), []), Condition::Always)])
}

#[track_caller]
fn assert_busy<T: std::fmt::Debug>(result: &Result<T, CommitError>) {
    let is_busy = matches!(result, Err(CommitError::Store(StoreError::Busy(_))));
    assert!(is_busy, "{result:?}");
}

/// Makes every write of an item fail in the same way, or warn.
async fn raise(database: &Database, statement: &str) {
    database
        .execute(&format!(
            "CREATE SEQUENCE IF NOT EXISTS public.attempts;
             GRANT ALL ON SEQUENCE public.attempts TO {SERVICE};
             CREATE OR REPLACE FUNCTION public.fault() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN {statement} RETURN NEW; END $$;
             CREATE OR REPLACE TRIGGER fault BEFORE INSERT OR UPDATE ON paradigm_scim.item
                 FOR EACH ROW EXECUTE FUNCTION public.fault();"
        ))
        .await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn each_sql_state_is_what_the_table_says_and_no_text_of_the_server_gets_out() {
    let database = Database::new().await;
    let table = database.engine(1);
    for (state, expected) in [
        ("55P03", "busy"),
        ("57014", "busy"),
        ("53200", "busy"),
        ("53300", "busy"),
        ("25006", "busy"),
        ("57P01", "busy"),
        ("57P03", "busy"),
        ("57P05", "busy"),
        ("08006", "busy"),
        ("0A000", "busy"),
        ("26000", "busy"),
        ("40001", "busy"),
        ("40P01", "busy"),
        ("53100", "full"),
        ("58030", "failed"),
        ("22P02", "refused"),
        ("23505", "refused"),
        ("42501", "refused"),
        ("XX000", "refused"),
        ("XX001", "refused"),
        ("P0001", "refused"),
    ] {
        let fault = format!(
            "RAISE EXCEPTION 'marker' USING ERRCODE = '{state}', DETAIL = 'marker', HINT = 'marker';"
        );
        raise(&database, &fault).await;
        let error = match table.commit(&one("s")).await {
            Err(CommitError::Store(error)) => error,
            other => panic!("{state}: {other:?}"),
        };
        let found = match &error {
            StoreError::Busy(_) => "busy",
            StoreError::Unwritable(DiskError::Full) => "full",
            StoreError::Unwritable(DiskError::Failed) => "failed",
            StoreError::Refused(_) => "refused",
            _ => "another",
        };
        assert_eq!(found, expected, "{state}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains("marker"), "{text}");
        let shows_state = text.contains(state) || expected.starts_with('f');
        assert!(shows_state, "{state}: {text}");
    }
    database
        .execute("DROP TRIGGER fault ON paradigm_scim.item")
        .await;
    table.commit(&one("s")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_serialization_failure_is_repeated() {
    let database = Database::new().await;
    let table = database.engine(1);
    let fault =
        "IF nextval('public.attempts') <= 2 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF;";
    raise(&database, fault).await;
    let (result, usage) = measured(async { table.commit(&one("s")).await }).await;
    result.unwrap();
    assert_eq!(usage.calls, 3);
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_commit_that_warns_is_unknown_and_its_connection_is_not_used_again() {
    let database = Database::new().await;
    let table = database.engine(1);
    raise(&database, "RAISE WARNING 'marker' USING ERRCODE = '01000';").await;
    assert_busy(&table.commit(&one("s")).await);
    // It was written nevertheless.
    assert!(table.get(key("p", "s")).await.unwrap().is_some());
    raise(&database, "RAISE NOTICE 'marker';").await;
    table.commit(&one("s")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_read_only_database_is_busy_until_it_takes_writes_again() {
    let database = Database::new().await;
    let set = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        database.name
    );
    database.execute(&set).await;
    let url: DatabaseUrl = format!("{}&target_session_attrs=any", database.text(SERVICE))
        .parse()
        .unwrap();
    let any = PostgreSql::new(&url, 1.try_into().unwrap()).unwrap();
    let primary = database.engine(1);
    assert_busy(&any.commit(&one("s")).await);
    assert!(any.get(key("p", "s")).await.unwrap().is_none());
    // It does not even sign in: reads go to a server that takes writes.
    assert!(matches!(
        primary.get(key("p", "s")).await,
        Err(StoreError::Busy(_))
    ));
    assert_busy(&primary.commit(&one("s")).await);
    let reset = format!(
        "ALTER DATABASE {} RESET default_transaction_read_only",
        database.name
    );
    database.execute(&reset).await;
    // The connection of the read was in order, and is still one to a read-only database: one more write discards it.
    let _ = any.commit(&one("s")).await;
    any.commit(&one("s")).await.unwrap();
    primary.commit(&one("s")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_server_without_free_connections_or_without_any_is_busy() {
    let database = Database::new().await;
    let table = database.engine(2);
    let limit = |number: i32| format!("ALTER DATABASE {} CONNECTION LIMIT {number}", database.name);
    database.execute(&limit(0)).await;
    assert_busy(&table.commit(&one("s")).await);
    database.execute(&limit(-1)).await;
    table.commit(&one("s")).await.unwrap();

    let nowhere: DatabaseUrl = "postgres://x@127.0.0.1:1/x?sslmode=disable"
        .parse()
        .unwrap();
    let nowhere = PostgreSql::new(&nowhere, 1.try_into().unwrap()).unwrap();
    let started = Instant::now();
    assert_busy(&nowhere.commit(&one("s")).await);
    assert!(started.elapsed() < LIMIT);

    let there = database.text(SERVICE);
    let both = there.replace("@127.0.0.1:", "@127.0.0.1:1,127.0.0.1:");
    let both = PostgreSql::new(&both.parse().unwrap(), 1.try_into().unwrap()).unwrap();
    both.commit(&one("s")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_host_that_accepts_connections_and_never_responds_does_not_hide_the_next_one() {
    let database = Database::new().await;
    // Nothing takes the connections from its queue, as of a server whose processes are stopped.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = format!("@{},127.0.0.1:", hanging.local_addr().unwrap());
    let both = database.text(SERVICE).replace("@127.0.0.1:", &first);
    let both = PostgreSql::new(&both.parse().unwrap(), 1.try_into().unwrap()).unwrap();
    let started = Instant::now();
    both.commit(&one("s")).await.unwrap();
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}

/// Passes connections on to a server. Those that are open when `hang` changes stay open, and nothing passes any more.
async fn proxy(listener: tokio::net::TcpListener, server: String, hang: watch::Receiver<()>) {
    loop {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(&server).await.unwrap();
        let mut hang = hang.clone();
        hang.mark_unchanged();
        tokio::spawn(async move {
            tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => {}
                _ = hang.changed() => pending().await,
            }
        });
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn of_many_connections_that_hang_one_costs_a_call_its_time() {
    let database = Database::new().await;
    let text = database.text(SERVICE);
    let server = text.split(['@', '/']).nth(3).unwrap().to_owned();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = text.replace(&server, &listener.local_addr().unwrap().to_string());
    let (hang, hanging) = watch::channel(());
    tokio::spawn(proxy(listener, server, hanging));
    let table = PostgreSql::new(&through.parse().unwrap(), 4.try_into().unwrap()).unwrap();
    for write in join_all(
        [one("0"), one("1"), one("2"), one("3")]
            .iter()
            .map(|it| table.commit(it)),
    )
    .await
    {
        write.unwrap();
    }
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'paradigm_scim_service'";
    assert_eq!(database.number(backends).await, 4);
    hang.send(()).unwrap();
    let started = Instant::now();
    assert_busy(&table.commit(&one("s")).await);
    for sk in ["0", "1", "2", "3"] {
        assert!(table.get(key("p", sk)).await.unwrap().is_some());
    }
    table.commit(&one("s")).await.unwrap();
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
}

/// Holds the row of an item until the returned connection is closed.
async fn hold(database: &Database, key: &Key) -> tokio_postgres::Client {
    let holder = database.superuser().await;
    holder.batch_execute("BEGIN").await.unwrap();
    holder
        .execute(
            "SELECT FROM paradigm_scim.item WHERE pk = $1 AND sk = $2 FOR UPDATE",
            &[&key.pk, &key.sk],
        )
        .await
        .unwrap();
    holder
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_row_that_another_holds_is_busy_after_the_timeout_of_the_role() {
    let database = Database::new().await;
    let table = database.engine(1);
    write(
        &table,
        vec![put(item(&key("p", "s"), []), Condition::Absent)],
    )
    .await;
    let holder = hold(&database, &key("p", "s")).await;
    let started = Instant::now();
    assert_busy(&table.commit(&one("s")).await);
    let waited = started.elapsed();
    assert!(
        waited > Duration::from_millis(1900) && waited < LIMIT,
        "{waited:?}"
    );
    drop(holder);
    table.commit(&one("s")).await.unwrap();
}

/// Makes the server wait for locks as long as it takes, and not notice that a client is gone.
async fn without_timeouts(database: &Database) {
    for timeout in [
        "statement_timeout",
        "lock_timeout",
        "client_connection_check_interval",
    ] {
        let sql = format!(
            "ALTER ROLE {SERVICE} IN DATABASE {} SET {timeout} = 0",
            database.name
        );
        database.execute(&sql).await;
    }
}

async fn until_written(table: &PostgreSql, sk: &str) {
    for _ in 0..500 {
        let found = table.get(key("p", sk)).await.unwrap().unwrap();
        if found.contains_key("written") {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("never written");
}

fn marking(sk: &str) -> Transaction {
    let written = item(
        &key("p", sk),
        [("written", paradigm_scim::store::layout::Value::Null)],
    );
    transaction(vec![put(written, Condition::Always)])
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_hanging_write_is_busy_in_time_never_cancelled_and_blocks_the_pool_no_longer() {
    let database = Database::new().await;
    without_timeouts(&database).await;
    let table = database.engine(1);
    write(
        &table,
        vec![put(item(&key("p", "s"), []), Condition::Absent)],
    )
    .await;
    let holder = hold(&database, &key("p", "s")).await;
    let started = Instant::now();
    let hanging = marking("s");
    let (write, read) = tokio::join!(table.commit(&hanging), async {
        sleep(Duration::from_millis(200)).await;
        table.get(key("p", "s")).await
    });
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    assert_busy(&write);
    // The only connection was in use.
    assert!(
        matches!(read, Err(StoreError::Busy(_))) || read.is_ok(),
        "{read:?}"
    );
    assert!(table.get(key("p", "s")).await.unwrap().is_some());
    drop(holder);
    until_written(&table, "s").await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn an_exhausted_pool_is_busy_in_time() {
    let database = Database::new().await;
    without_timeouts(&database).await;
    let table = Arc::new(database.engine(2));
    for sk in ["0", "1"] {
        write(
            &*table,
            vec![put(item(&key("p", sk), []), Condition::Absent)],
        )
        .await;
    }
    let holders = [
        hold(&database, &key("p", "0")).await,
        hold(&database, &key("p", "1")).await,
    ];
    let calls = (0..20).map(|number| {
        let table = Arc::clone(&table);
        tokio::spawn(async move {
            let started = Instant::now();
            let result = table.commit(&one(&(number % 2).to_string())).await;
            (result, started.elapsed())
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let (result, took) = call.await.unwrap();
        assert_busy(&result);
        assert!(took < LIMIT, "{took:?}");
    }
    drop(holders);
    table.commit(&one("0")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_write_whose_caller_is_gone_is_carried_out_and_its_connection_used_again() {
    let database = Database::new().await;
    let table = database.engine(1);
    write(
        &table,
        vec![put(item(&key("p", "s"), []), Condition::Absent)],
    )
    .await;
    let holder = hold(&database, &key("p", "s")).await;
    let cut = timeout(Duration::from_millis(200), async {
        table.commit(&marking("s")).await
    });
    assert!(cut.await.is_err());
    drop(holder);
    until_written(&table, "s").await;
    let backends = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'paradigm_scim_service'";
    assert_eq!(database.number(backends).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn ended_backends_are_busy_at_most_and_lose_nothing_acknowledged() {
    let database = Database::new().await;
    let table = Arc::new(database.engine(8));
    let (is_over, acknowledged, busy) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let state = Arc::new((is_over, acknowledged, busy));
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let (table, state) = (Arc::clone(&table), Arc::clone(&state));
            tokio::spawn(async move {
                let mut written = Vec::new();
                for number in 0.. {
                    if state.0.load(Ordering::Relaxed) {
                        break;
                    }
                    let key = key(&format!("p{client}"), &number.to_string());
                    match table
                        .commit(&transaction(vec![put(item(&key, []), Condition::Absent)]))
                        .await
                    {
                        Ok(()) => written.push(key),
                        Err(CommitError::Store(StoreError::Busy(_))) => {
                            state.2.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                state.1.fetch_add(written.len(), Ordering::Relaxed);
                written
            })
        })
        .collect();
    for _ in 0..20 {
        sleep(Duration::from_millis(100)).await;
        database
            .execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'paradigm_scim_service'")
            .await;
    }
    state.0.store(true, Ordering::Relaxed);
    for client in clients {
        for key in client.await.unwrap() {
            assert!(table.get(key).await.unwrap().is_some());
        }
    }
    let (acknowledged, busy) = (
        state.1.load(Ordering::Relaxed),
        state.2.load(Ordering::Relaxed),
    );
    eprintln!("{acknowledged} acknowledged, {busy} busy");
    assert!(acknowledged > 100 && busy > 0);
    table.commit(&one("s")).await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn expired_items_and_records_are_deleted_in_batches() {
    let database = Database::new().await;
    let table = database.engine(1);
    let expiring = |sk: String, ttl: i64| {
        put(
            item(
                &key("p", &sk),
                [("ttl", paradigm_scim::store::layout::Value::number(ttl))],
            ),
            Condition::Absent,
        )
    };
    for batch in 0..12 {
        let actions: Vec<Action> = (0..100)
            .map(|number| expiring(format!("AUDIT#{batch}#{number}"), 1))
            .collect();
        write(&table, actions).await;
    }
    write(
        &table,
        vec![
            expiring("x".to_owned(), 1),
            expiring("y".to_owned(), 99_999_999_999),
            put(item(&key("p", "z"), []), Condition::Absent),
        ],
    )
    .await;
    let (first, second) = tokio::join!(table.delete_expired(), table.delete_expired());
    assert_eq!(first.unwrap() + second.unwrap(), 1201);
    assert_eq!(
        database
            .number("SELECT count(*) FROM paradigm_scim.every_item")
            .await,
        2
    );
}

//! Migrations, roles and status.

use futures_util::future::join_all;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::table::Table as _;
use postgres::{Roles, migrate, status};
use tokio_postgres::NoTls;

use test_support::postgres::{Database, OWNER, READER, SERVICE, roles};

use crate::actions::key;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn of_programs_that_migrate_at_a_time_one_does() {
    let database = Database::empty().await;
    let (url, roles) = (database.url(OWNER), roles());
    let refused = database.engine(1).require_migrations().await.unwrap_err();
    assert!(
        refused.to_string().contains("database migrate"),
        "{refused}"
    );
    assert!(!status(&url).await.unwrap().is_usable());
    let applied = join_all((0..8).map(|_| migrate(&url, &roles))).await;
    let applied: Vec<usize> = applied.into_iter().map(|it| it.unwrap().len()).collect();
    assert_eq!(
        applied.iter().filter(|number| **number > 0).count(),
        1,
        "{applied:?}"
    );
    database.engine(1).require_migrations().await.unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_migration_that_is_another_is_refused_and_a_newer_one_is_not() {
    let database = Database::new().await;
    database
        .execute(
            "INSERT INTO paradigm_scim.migration (number, name, checksum) VALUES (99, 'later', '')",
        )
        .await;
    assert_eq!(migrate(&database.url(OWNER), &roles()).await.unwrap(), []);
    database.engine(1).require_migrations().await.unwrap();
    assert!(status(&database.url(SERVICE)).await.unwrap().is_usable());
    database
        .execute("UPDATE paradigm_scim.migration SET checksum = 'x' WHERE number = 1")
        .await;
    let refused = migrate(&database.url(OWNER), &roles()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused}");
    let status = status(&database.url(SERVICE)).await.unwrap();
    assert!(status.migrations[0].is_different && !status.is_usable());
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_role_that_does_not_exist_is_named() {
    let database = Database::empty().await;
    let roles = Roles {
        service: "nobody\"; --".to_owned(),
        ..roles()
    };
    let refused = migrate(&database.url(OWNER), &roles).await.unwrap_err();
    assert!(refused.to_string().contains("nobody"), "{refused}");
    // Nothing is left of it.
    assert!(
        status(&database.url(OWNER)).await.unwrap().migrations[0]
            .applied
            .is_none()
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn roles_may_do_what_they_need_and_no_more() {
    let database = Database::new().await;
    let refused = [
        "CREATE TABLE paradigm_scim.mine ()",
        "CREATE FUNCTION paradigm_scim.mine() RETURNS void LANGUAGE sql AS ''",
        "ALTER TABLE paradigm_scim.item ADD mine text",
        "TRUNCATE paradigm_scim.item",
        "DROP FUNCTION paradigm_scim.confirm_v1",
        "UPDATE paradigm_scim.migration SET name = 'x'",
    ];
    let reads = [
        "SELECT FROM paradigm_scim.item",
        "SELECT FROM paradigm_scim.audit",
        "SELECT FROM paradigm_scim.every_item",
        "SELECT paradigm_scim.confirm_v1()",
    ];
    let of_service = refused.iter();
    let of_reader = refused.iter().chain(&reads);
    for (role, statements) in [
        (SERVICE, of_service.collect::<Vec<_>>()),
        (READER, of_reader.collect()),
    ] {
        let (client, connection) = tokio_postgres::connect(&database.text(role), NoTls)
            .await
            .unwrap();
        tokio::spawn(connection);
        for sql in statements {
            let error = client.batch_execute(sql).await.expect_err(sql);
            assert_eq!(error.code().unwrap().code(), "42501", "{role}: {sql}");
        }
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn status_warns_of_missing_timeouts() {
    let database = Database::new().await;
    let found = status(&database.url(SERVICE)).await.unwrap();
    assert!(
        found.is_usable() && found.warnings().is_empty(),
        "{found:?}"
    );
    let sql = format!(
        "ALTER ROLE {SERVICE} IN DATABASE {} RESET lock_timeout",
        database.name
    );
    database.execute(&sql).await;
    let found = status(&database.url(SERVICE)).await.unwrap();
    assert_eq!(
        found.warnings(),
        [format!("lock_timeout is not set for the role {SERVICE}")]
    );
    let found = status(&database.url("postgres")).await.unwrap();
    assert!(
        found
            .warnings()
            .iter()
            .any(|warning| warning.contains("superuser"))
    );
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn status_warns_of_settings_that_hide_a_commit_without_its_replica() {
    let database = Database::new().await;
    for (setting, value) in [
        ("client_min_messages", "error"),
        ("synchronous_commit", "off"),
    ] {
        let set = |change: &str| {
            let name = &database.name;
            format!("ALTER ROLE {SERVICE} IN DATABASE {name} {change}")
        };
        database
            .execute(&set(&format!("SET {setting} = {value}")))
            .await;
        let found = status(&database.url(SERVICE)).await.unwrap();
        let warnings = found.warnings();
        assert!(
            matches!(warnings.as_slice(), [warning] if warning.starts_with(setting)),
            "{warnings:?}"
        );
        database.execute(&set(&format!("RESET {setting}"))).await;
    }
}

#[tokio::test]
#[ignore = "needs PostgreSQL; see .ci/run postgres"]
async fn a_role_that_does_not_exist_or_may_not_is_refused() {
    let database = Database::new().await;
    for role in ["nobody", READER] {
        let table = postgres::PostgreSql::new(&database.url(role), 1.try_into().unwrap()).unwrap();
        let error = table.get(key("p", "s")).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{role}: {error}");
    }
}

//! The schema, in numbered steps that only go forwards.

use std::time::Duration;

use paradigm_scim::store::StoreError;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;
use tokio_postgres::Transaction;

use crate::connection::Connector;
use crate::error::Failure;
use crate::url::DatabaseUrl;

/// Oldest version of PostgreSQL, as `server_version_num` has it.
pub(crate) const OLDEST_SERVER: i32 = 150_000;
/// How long `migrate` may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(600);
/// Number of the advisory lock that two programs cannot both hold.
const LOCK: i64 = 0x7363_696d;

/// The number of the last migration that was applied.
pub(crate) const LAST: &str = "SELECT max(number) AS last FROM paradigm_scim.migration";
/// What [`LAST`] and the programs after this one read.
const BOOKS: &str = "
    CREATE SCHEMA IF NOT EXISTS paradigm_scim;
    CREATE TABLE IF NOT EXISTS paradigm_scim.migration (
        number integer PRIMARY KEY,
        name text NOT NULL,
        checksum text NOT NULL,
        applied timestamptz NOT NULL DEFAULT now()
    );";
const GRANTS: &str = include_str!("../grants.sql");

/// One step of the schema.
///
/// A release is deployed after its migrations, while processes of the release before still run. So a migration only adds:
/// tables, columns with defaults, indexes, and functions under new names. It may replace a function by one that does the
/// same. A later release removes what no supported release uses any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number, from 1.
    pub number: i32,
    /// What it does.
    pub name: &'static str,
    sql: &'static str,
}

/// All migrations. One that was released never changes.
pub(crate) const ALL: [Migration; 3] = [
    Migration {
        number: 1,
        name: "items",
        sql: include_str!("../migrations/0001_items.sql"),
    },
    Migration {
        number: 2,
        name: "views",
        sql: include_str!("../migrations/0002_views.sql"),
    },
    Migration {
        number: 3,
        name: "put absent first",
        sql: include_str!("../migrations/0003_put_absent_first.sql"),
    },
];

impl Migration {
    /// Returns the SHA-256 of its text, in hexadecimal.
    pub(crate) fn checksum(&self) -> String {
        let digest = Sha256::digest(self.sql);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Names of the roles that get permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The role of the service and of the commands that manage a directory.
    pub service: String,
    /// The role of programs that read the views.
    pub reader: String,
}

/// Returns an error if the database lacks migrations that this program needs.
pub(crate) fn require(applied: i32) -> Result<(), StoreError> {
    match ALL.iter().find(|migration| migration.number > applied) {
        None => Ok(()),
        Some(missing) => Err(StoreError::Refused(format!(
            "the database lacks migration {}; run 'paradigm-scim database migrate'",
            missing.number
        ))),
    }
}

/// Applies the migrations that the database lacks, grants the roles their permissions, and returns what it applied. All
/// of it is one transaction. Several programs may do it at a time: one waits for the other.
///
/// # Errors
/// [`StoreError::Refused`] if a migration that was applied differs from this program's, the server is too old, its
/// encoding is not UTF-8, a role does not exist, or this role may not make the schema. [`StoreError::Busy`] if the
/// database cannot be reached, or somebody holds a table for too long.
pub async fn migrate(url: &DatabaseUrl, roles: &Roles) -> Result<Vec<Migration>, StoreError> {
    let mut connection = Connector::new(url)?.connect().await?;
    let migrating = async {
        let transaction = connection
            .client
            .transaction()
            .await
            .map_err(Failure::from)?;
        let applied = apply_all(&transaction, roles).await?;
        transaction.commit().await.map_err(Failure::from)?;
        Ok(applied)
    };
    timeout(DEADLINE, migrating)
        .await
        .map_err(|_| StoreError::Busy("the migrations did not end in time".to_owned()))?
}

async fn apply_all(
    transaction: &Transaction<'_>,
    roles: &Roles,
) -> Result<Vec<Migration>, StoreError> {
    require_server(transaction).await?;
    let lock = format!("SELECT pg_advisory_xact_lock({LOCK})");
    // The service goes on meanwhile, so it must not queue behind a migration that itself waits for a table.
    let limits = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '5s'";
    for sql in [&lock, limits, BOOKS] {
        transaction
            .batch_execute(sql)
            .await
            .map_err(Failure::from)?;
    }
    let mut applied = Vec::new();
    for migration in ALL {
        if is_applied(transaction, &migration).await? {
            continue;
        }
        transaction
            .batch_execute(migration.sql)
            .await
            .map_err(Failure::from)?;
        transaction
            .execute(
                "INSERT INTO paradigm_scim.migration (number, name, checksum) VALUES ($1, $2, $3)",
                &[&migration.number, &migration.name, &migration.checksum()],
            )
            .await
            .map_err(Failure::from)?;
        applied.push(migration);
    }
    grant(transaction, roles).await?;
    Ok(applied)
}

async fn require_server(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    let row = transaction
        .query_one(
            "SELECT current_setting('server_version_num')::integer, current_setting('server_encoding')",
            &[],
        )
        .await
        .map_err(Failure::from)?;
    let (version, encoding): (i32, String) = (row.get(0), row.get(1));
    if version < OLDEST_SERVER {
        let reason = "the server is too old: PostgreSQL 15 or later is needed";
        return Err(StoreError::Refused(reason.to_owned()));
    }
    if encoding != "UTF8" {
        let reason = "the encoding of the database must be UTF8";
        return Err(StoreError::Refused(reason.to_owned()));
    }
    Ok(())
}

/// Returns whether the database has a migration.
async fn is_applied(
    transaction: &Transaction<'_>,
    migration: &Migration,
) -> Result<bool, StoreError> {
    let row = transaction
        .query_opt(
            "SELECT checksum FROM paradigm_scim.migration WHERE number = $1",
            &[&migration.number],
        )
        .await
        .map_err(Failure::from)?;
    match row {
        None => Ok(false),
        Some(row) if row.get::<_, String>(0) == migration.checksum() => Ok(true),
        Some(_) => Err(StoreError::Refused(format!(
            "migration {} of the database is another than this program's",
            migration.number
        ))),
    }
}

async fn grant(transaction: &Transaction<'_>, roles: &Roles) -> Result<(), StoreError> {
    for role in [&roles.service, &roles.reader] {
        let exists = transaction
            .query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[role])
            .await
            .map_err(Failure::from)?;
        if exists.is_none() {
            return Err(StoreError::Refused(format!(
                "there is no role '{role}'; make the roles first, see docs/postgres.md"
            )));
        }
    }
    let grants = GRANTS
        .replace("{service}", &quoted(&roles.service))
        .replace("{reader}", &quoted(&roles.reader));
    transaction
        .batch_execute(&grants)
        .await
        .map_err(Failure::from)?;
    Ok(())
}

/// Returns a name as an identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_from_one() {
        for (migration, number) in ALL.iter().zip(1..) {
            assert_eq!(migration.number, number);
        }
    }

    #[test]
    fn a_database_of_a_newer_release_is_good_enough() {
        assert!(require(0).is_err());
        let last = ALL.last().unwrap().number;
        assert!(require(last - 1).is_err());
        assert!(require(last).is_ok());
        assert!(require(99).is_ok());
    }

    #[test]
    fn a_name_of_a_role_is_only_a_name() {
        assert_eq!(quoted(r#"a"; DROP"#), r#""a""; DROP""#);
    }
}

//! What an operator wants to know of the database.

use paradigm_scim::store::StoreError;
use tokio_postgres::{Client, Row};

use crate::connection::Connector;
use crate::encoding::column;
use crate::error::Failure;
use crate::migrations::{ALL, OLDEST_SERVER};
use crate::url::DatabaseUrl;

/// Timeouts that free locks and connections of a process that hangs or cannot be reached. They are set for the role,
/// because a pooler does not keep settings of a session.
pub(crate) const TIMEOUTS: [&str; 4] = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_connection_check_interval",
];

/// The state of the database, as the role of the URL sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Version of the server.
    pub server: String,
    /// Whether the server is new enough.
    pub is_supported: bool,
    /// Encoding of the database.
    pub encoding: String,
    /// Name of the role.
    pub role: String,
    /// Whether the server takes writes.
    pub is_writable: bool,
    /// Whether the role is a superuser, which the service's should not be.
    pub is_superuser: bool,
    /// Whether `client_min_messages` hides warnings, such as that the wait for a replica was cut short.
    pub hides_warnings: bool,
    /// `synchronous_commit`.
    pub synchronous_commit: String,
    /// `synchronous_standby_names`; empty without synchronous replicas.
    pub synchronous_standbys: String,
    /// The timeouts with their values; 0 is none.
    pub timeouts: Vec<(&'static str, String)>,
    /// Migrations of the program, and those that only the database has.
    pub migrations: Vec<MigrationStatus>,
}

/// The state of one migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its number.
    pub number: i32,
    /// Its name.
    pub name: String,
    /// When it was applied, as text; `None` if the database lacks it.
    pub applied: Option<String>,
    /// Whether the database has another migration of that number than the program.
    pub is_different: bool,
}

impl Status {
    /// Returns whether the service can use the database.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        let mut migrations = self.migrations.iter();
        self.is_supported
            && self.is_writable
            && self.encoding == "UTF8"
            && migrations.all(|it| it.applied.is_some() && !it.is_different)
    }

    /// Returns what an operator should change though the service can use the database.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let missing = self.timeouts.iter().filter(|(_, value)| value == "0");
        let mut warnings: Vec<String> = missing
            .map(|(name, _)| format!("{name} is not set for the role {}", self.role))
            .collect();
        if self.is_superuser {
            warnings.push(format!("the role {} is a superuser", self.role));
        }
        if self.synchronous_commit == "off" {
            warnings.push(
                "synchronous_commit is off: a crash of the server loses acknowledged changes"
                    .to_owned(),
            );
        }
        if self.synchronous_commit == "local" && !self.synchronous_standbys.is_empty() {
            warnings.push(
                "synchronous_commit is local: commits do not wait for the replicas".to_owned(),
            );
        }
        if self.hides_warnings {
            let role = &self.role;
            warnings.push(format!(
                "client_min_messages is error for the role {role}: the program does not see when the wait for a replica was cut short, and acknowledged changes may be lost"
            ));
        }
        warnings
    }
}

/// Reads the state of the database.
///
/// # Errors
/// [`StoreError::Busy`] if it cannot be reached, [`StoreError::Refused`] if role or password are wrong or the role may
/// not read the schema.
pub async fn status(url: &DatabaseUrl) -> Result<Status, StoreError> {
    let connection = Connector::new(url)?.connect().await?;
    let client = &connection.client;
    let server = client
        .query_one(
            "SELECT current_setting('server_version') AS server,
                current_setting('server_version_num')::integer AS number,
                current_setting('server_encoding') AS encoding,
                current_user::text AS role,
                current_setting('transaction_read_only') = 'off' AS is_writable,
                (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS is_superuser,
                current_setting('client_min_messages') = 'error' AS hides_warnings,
                current_setting('synchronous_commit') AS synchronous_commit,
                current_setting('synchronous_standby_names') AS synchronous_standbys",
            &[],
        )
        .await
        .map_err(Failure::from)?;
    Ok(Status {
        server: column(&server, "server")?,
        is_supported: column::<i32>(&server, "number")? >= OLDEST_SERVER,
        encoding: column(&server, "encoding")?,
        role: column(&server, "role")?,
        is_writable: column(&server, "is_writable")?,
        is_superuser: column(&server, "is_superuser")?,
        hides_warnings: column(&server, "hides_warnings")?,
        synchronous_commit: column(&server, "synchronous_commit")?,
        synchronous_standbys: column(&server, "synchronous_standbys")?,
        timeouts: timeouts(client).await?,
        migrations: migrations(client).await?,
    })
}

async fn timeouts(client: &Client) -> Result<Vec<(&'static str, String)>, StoreError> {
    let mut timeouts = Vec::new();
    for name in TIMEOUTS {
        let row = client
            .query_one("SELECT current_setting($1) AS value", &[&name])
            .await
            .map_err(Failure::from)?;
        timeouts.push((name, column(&row, "value")?));
    }
    Ok(timeouts)
}

async fn migrations(client: &Client) -> Result<Vec<MigrationStatus>, StoreError> {
    let table = client
        .query_opt(
            "SELECT 1 FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid
             WHERE nspname = 'paradigm_scim' AND relname = 'migration'",
            &[],
        )
        .await
        .map_err(Failure::from)?;
    let rows = match table {
        None => Vec::new(),
        Some(_) => client
            .query(
                "SELECT number, name, checksum, applied::text FROM paradigm_scim.migration ORDER BY number",
                &[],
            )
            .await
            .map_err(Failure::from)?,
    };
    let mut found = rows.iter().map(applied).collect::<Result<Vec<_>, _>>()?;
    for migration in ALL {
        if !found.iter().any(|it| it.number == migration.number) {
            found.push(MigrationStatus {
                number: migration.number,
                name: migration.name.to_owned(),
                applied: None,
                is_different: false,
            });
        }
    }
    found.sort_unstable_by_key(|migration| migration.number);
    Ok(found)
}

fn applied(row: &Row) -> Result<MigrationStatus, StoreError> {
    let number: i32 = column(row, "number")?;
    let checksum: String = column(row, "checksum")?;
    let known = ALL.iter().find(|migration| migration.number == number);
    Ok(MigrationStatus {
        number,
        name: column(row, "name")?,
        applied: Some(column(row, "applied")?),
        is_different: known.is_some_and(|known| known.checksum() != checksum),
    })
}

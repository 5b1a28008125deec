//! Databases on a real PostgreSQL server, one for each test.
//!
//! `SCIM_TEST_POSTGRES` is the URL of a superuser on a server that nothing else uses: `scripts/postgres run COMMAND…`
//! sets it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use paradigm_scim::store::Store;
use postgres::{DatabaseUrl, PostgreSql, Roles, migrate};
use tokio_postgres::{Client, Config, NoTls};

pub const OWNER: &str = "paradigm_scim_owner";
pub const SERVICE: &str = "paradigm_scim_service";
pub const READER: &str = "paradigm_scim_reader";

/// A lock that makes tests create roles and databases one after another.
const LOCK: i64 = 1;

/// A new database with the roles and the schema.
pub struct Database {
    pub name: String,
    /// A connection of the superuser.
    pub admin: Client,
}

fn server() -> Config {
    let url = std::env::var("SCIM_TEST_POSTGRES")
        .expect("SCIM_TEST_POSTGRES is not set; run .ci/run postgres");
    url.parse().unwrap()
}

async fn connect(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

pub fn roles() -> Roles {
    Roles {
        service: SERVICE.to_owned(),
        reader: READER.to_owned(),
    }
}

impl Database {
    /// Makes a database with the schema.
    pub async fn new() -> Self {
        let database = Self::empty().await;
        migrate(&database.url(OWNER), &roles()).await.unwrap();
        database
    }

    /// Makes a database without schema, as `scripts/postgres-roles.sql` does.
    pub async fn empty() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let superuser = connect(&server()).await;
        let sql = format!("SELECT pg_advisory_lock({LOCK})");
        superuser.batch_execute(&sql).await.unwrap();
        for role in [OWNER, SERVICE, READER] {
            let exists = superuser
                .query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role])
                .await
                .unwrap();
            if exists.is_none() {
                let sql = format!("CREATE ROLE {role} LOGIN");
                superuser.batch_execute(&sql).await.unwrap();
            }
        }
        let sql = format!("CREATE DATABASE {name} OWNER {OWNER} TEMPLATE template0");
        superuser.batch_execute(&sql).await.unwrap();
        for (timeout, value) in [
            ("statement_timeout", "4s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "10s"),
            ("client_connection_check_interval", "2s"),
        ] {
            let sql = format!("ALTER ROLE {SERVICE} IN DATABASE {name} SET {timeout} = '{value}'");
            superuser.batch_execute(&sql).await.unwrap();
        }
        let mut config = server();
        config.dbname(&name);
        Self {
            name,
            admin: connect(&config).await,
        }
    }

    /// Opens another connection of the superuser.
    pub async fn superuser(&self) -> Client {
        let mut config = server();
        config.dbname(&self.name);
        connect(&config).await
    }

    /// Returns the URL for a role.
    pub fn url(&self, role: &str) -> DatabaseUrl {
        self.text(role).parse().unwrap()
    }

    /// Returns the same as text. That of the service leads to a pooler, if there is one on `SCIM_TEST_POOLER_PORT`.
    pub fn text(&self, role: &str) -> String {
        let port = match std::env::var("SCIM_TEST_POOLER_PORT") {
            Ok(port) if role == SERVICE => port,
            _ => server().get_ports()[0].to_string(),
        };
        format!(
            "postgres://{role}@127.0.0.1:{port}/{}?sslmode=disable",
            self.name
        )
    }

    /// Returns an engine with the role of the service.
    pub fn engine(&self, connections: usize) -> PostgreSql {
        let connections = NonZeroUsize::new(connections).unwrap();
        PostgreSql::new(&self.url(SERVICE), connections).unwrap()
    }

    pub fn store(&self, connections: usize) -> Store {
        Store::on(Arc::new(self.engine(connections)))
    }

    /// Runs SQL as the superuser.
    pub async fn execute(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap();
    }

    /// Waits until nothing but the superuser is connected: then all statistics are there.
    pub async fn until_alone(&self) {
        // A pooler keeps its connections.
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = '{SERVICE}'"
        );
        self.execute(&end).await;
        for _ in 0..1000 {
            let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            if self.number(others).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("others stay connected to {}", self.name);
    }

    /// Returns a number that SQL yields.
    pub async fn number(&self, sql: &str) -> i64 {
        self.admin.query_one(sql, &[]).await.unwrap().get(0)
    }
}

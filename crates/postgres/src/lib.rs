//! The directory's table on PostgreSQL 15 or later, for installations without AWS.
//!
//! [`PostgreSql`] implements [`Table`](paradigm_scim::store::table::Table). Every call is one statement, and a commit
//! is one call of a function in the database, which locks rows in the order of their keys. No statement needs a state of
//! the session, so a pooler such as pgbouncer may run each of them on another connection.
//!
//! [`DatabaseUrl`] is where the database is, `migrations` makes its schema, and `status` examines it.
//!
//! No error and no line of the log has more of a server's error than its SQLSTATE: messages and details of PostgreSQL
//! carry values.

mod actions;
mod connection;
mod encoding;
mod engine;
mod error;
mod expiry;
mod feed;
mod identity;
mod migrations;
mod read;
mod sql_state;
mod status;
mod text;
mod tls;
mod url;

pub use engine::{Connections, DEFAULT_CONNECTIONS, PostgreSql};
pub use feed::begin_feed;
pub use identity::is_same_database;
pub use migrations::{Migration, Roles, migrate};
pub use sql_state::{Meaning, meaning};
pub use status::{MigrationStatus, Status, status};
pub use url::{DatabaseUrl, InvalidUrl};

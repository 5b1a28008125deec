//! `database`: makes the schema of a PostgreSQL database, and shows its state.

use clap::{Args, Subcommand};
use postgres::{MigrationStatus, Roles, Status};
use serde_json::{Value, json};

use crate::Failure;
use crate::database_arguments::DatabaseArguments;
use crate::output::{Format, line};

#[derive(Subcommand)]
pub(crate) enum Database {
    /// Make the schema, or bring it to this release, and grant the roles their permissions
    Migrate(Migrate),
    /// Begin a new generation of the change feed, after a backup was restored
    Restored(Restored),
    /// Show the server, the role, the migrations and the timeouts, and what is wrong with them
    Status(StatusCommand),
}

#[derive(Args)]
pub(crate) struct Migrate {
    /// Role of the service, which may read and write the directory
    #[arg(long, value_name = "ROLE", default_value = "paradigm_scim_service")]
    service_role: String,
    /// Role of programs that read the views
    #[arg(long, value_name = "ROLE", default_value = "paradigm_scim_reader")]
    reader_role: String,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(crate) struct Restored {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(crate) struct StatusCommand {
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    format: Format,
}

impl Database {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Migrate(migrate) => migrate.run().await,
            Self::Restored(restored) => restored.run().await,
            Self::Status(status) => status.run().await,
        }
    }
}

impl Restored {
    async fn run(&self) -> Result<(), Failure> {
        let generation = postgres::begin_feed(&self.database.required()?).await?;
        if self.format.is_json() {
            return line(&json!({"generation": generation}).to_string());
        }
        line(&format!(
            "The change feed has a new generation, {generation}: programs that follow it begin again."
        ))
    }
}

impl Migrate {
    async fn run(&self) -> Result<(), Failure> {
        let roles = Roles {
            service: self.service_role.clone(),
            reader: self.reader_role.clone(),
        };
        let applied = postgres::migrate(&self.database.required()?, &roles).await?;
        if applied.is_empty() && !self.format.is_json() {
            return line("The schema is that of this release; nothing was applied.");
        }
        let applied: Vec<Value> = applied
            .iter()
            .map(|migration| json!({"applied": migration.number, "name": migration.name}))
            .collect();
        self.format.records(&["applied", "name"], &applied)
    }
}

impl StatusCommand {
    async fn run(&self) -> Result<(), Failure> {
        let status = postgres::status(&self.database.required()?).await?;
        self.format.record(&record(&status))?;
        if status.is_usable() {
            Ok(())
        } else {
            Err("the service cannot use the database".into())
        }
    }
}

fn record(status: &Status) -> Value {
    let mut record = json!({
        "usable": status.is_usable(),
        "server": status.server,
        "encoding": status.encoding,
        "role": status.role,
        "writable": status.is_writable,
        "synchronousCommit": status.synchronous_commit,
        "synchronousStandbys": status.synchronous_standbys,
    });
    if let Some(members) = record.as_object_mut() {
        let timeouts = status.timeouts.iter();
        members.extend(timeouts.map(|(name, value)| ((*name).to_owned(), value.as_str().into())));
        let migrations: Vec<String> = status.migrations.iter().map(migration).collect();
        members.insert("migrations".to_owned(), migrations.into());
        members.insert("warnings".to_owned(), status.warnings().into());
    }
    record
}

fn migration(migration: &MigrationStatus) -> String {
    let state = match (&migration.applied, migration.is_different) {
        (_, true) => "another than this program's".to_owned(),
        (Some(at), false) => format!("applied {at}"),
        (None, false) => "missing".to_owned(),
    };
    format!("{} {}: {state}", migration.number, migration.name)
}

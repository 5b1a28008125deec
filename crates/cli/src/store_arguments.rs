//! The store that the commands work on.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use paradigm_scim::config::{DEFAULT_TABLE, TABLE_VARIABLE};
use paradigm_scim::store::{Store, StoreError};
use postgres::{DEFAULT_CONNECTIONS, PostgreSql};

use crate::Failure;
use crate::database_arguments::DatabaseArguments;
use crate::place::{Place, keeping_audit};

/// Where the embedded store is, unless an option says otherwise.
const DEFAULT_FOLDER: &str = ".scim";

/// Where the store is.
#[derive(Args, Clone)]
pub(crate) struct StoreArguments {
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = ["endpoint_url", "database_url", "database_url_file"],
        help = format!("Folder of the embedded store's file [default: {DEFAULT_FOLDER}]")
    )]
    data_dir: Option<PathBuf>,
    /// Use a DynamoDB endpoint instead of the embedded store; region and credentials are those of
    /// the AWS environment, profile or SSO session
    #[arg(long, value_name = "URL", conflicts_with_all = ["database_url", "database_url_file"])]
    endpoint_url: Option<String>,
    /// Name of the table, in DynamoDB
    #[arg(long, value_name = "NAME", env = TABLE_VARIABLE, default_value = DEFAULT_TABLE)]
    pub(crate) table: String,
    #[command(flatten)]
    database: DatabaseArguments,
    /// Connections to the PostgreSQL database that this process may open
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_CONNECTIONS)]
    database_connections: NonZeroUsize,
}

/// The store of a server.
pub(crate) struct Served {
    pub(crate) store: Store,
    /// The engine, if it has a pool of connections to watch.
    pub(crate) postgresql: Option<PostgreSql>,
}

impl Served {
    pub(crate) fn without_pool(store: Store) -> Self {
        Self {
            store,
            postgresql: None,
        }
    }
}

impl StoreArguments {
    /// Returns where the store is. Options count more than the environment.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        if let Some(url) = &self.endpoint_url {
            return Ok(Place::DynamoDb(url.clone()));
        }
        if let Some(folder) = &self.data_dir {
            return Ok(Place::Embedded(folder.clone()));
        }
        Ok(match self.database.url()? {
            Some(url) => Place::PostgreSql(Box::new(url)),
            None => Place::Embedded(DEFAULT_FOLDER.into()),
        })
    }

    /// Returns the file that has the URL of the PostgreSQL database, if one has it.
    pub(crate) fn database_url_file(&self) -> Option<PathBuf> {
        self.database.file()
    }

    /// Returns the arguments for another table at the same place.
    pub(crate) fn of_table(&self, table: &str) -> Self {
        Self {
            table: table.to_owned(),
            ..self.clone()
        }
    }

    /// Opens the store, which must be there.
    pub(crate) async fn open(&self) -> Result<Store, Failure> {
        let place = self.place()?;
        place.open(&self.table, self.database_connections).await
    }

    /// Opens the store; the embedded one is made if it is not there.
    pub(crate) async fn open_or_make(&self) -> Result<Store, Failure> {
        let place = self.place()?;
        place
            .open_or_make(&self.table, self.database_connections)
            .await
    }

    /// Opens the store for a server, which goes on if a PostgreSQL database cannot be reached for now, and deletes what
    /// has expired in it.
    pub(crate) async fn open_to_serve(&self) -> Result<Served, Failure> {
        let place = self.place()?;
        let Place::PostgreSql(url) = &place else {
            let opening = place.open_or_make(&self.table, self.database_connections);
            return Ok(Served::without_pool(opening.await?));
        };
        let engine = PostgreSql::new(url, self.database_connections)?;
        match engine.require_migrations().await {
            Ok(()) => {}
            Err(error @ StoreError::Busy(_)) => {
                tracing::warn!(%error, "the database cannot be reached; requests are refused until it can be");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::spawn(engine.clone().delete_expired_regularly());
        Ok(Served {
            store: keeping_audit(Store::on(Arc::new(engine.clone())))?,
            postgresql: Some(engine),
        })
    }
}

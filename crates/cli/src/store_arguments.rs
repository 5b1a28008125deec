//! The store that the commands work on.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use clap::Args;
use embedded::Embedded;
use paradigm_scim::aws::sdk_config;
use paradigm_scim::config::{Config, DEFAULT_TABLE, TABLE_VARIABLE};
use paradigm_scim::store::{Store, StoreError};
use postgres::{DEFAULT_CONNECTIONS, DatabaseUrl, PostgreSql};

use crate::Failure;
use crate::database_arguments::DatabaseArguments;

/// Where the embedded store is, unless an option says otherwise.
const DEFAULT_FOLDER: &str = ".scim";
const FILE_NAME: &str = "paradigm-scim.sqlite";
/// Only the owner lists, reads or writes.
const PRIVATE_FOLDER: u32 = 0o700;

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

/// A store's engine, and where it is.
pub(crate) enum Place {
    /// The embedded store in a folder.
    Embedded(PathBuf),
    /// DynamoDB at an endpoint.
    DynamoDb(String),
    /// A PostgreSQL database.
    PostgreSql(Box<DatabaseUrl>),
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

    /// Returns the arguments for another table at the same place.
    pub(crate) fn of_table(&self, table: &str) -> Result<Self, Failure> {
        if let Place::PostgreSql(_) = self.place()? {
            return Err("--from and --table name tables of DynamoDB; a PostgreSQL database has one directory".into());
        }
        Ok(Self {
            table: table.to_owned(),
            ..self.clone()
        })
    }

    /// Opens the store, which must be there.
    pub(crate) async fn open(&self) -> Result<Store, Failure> {
        let place = self.place()?;
        match &place {
            Place::Embedded(folder) if !folder.join(FILE_NAME).exists() => Err(format!(
                "there is no store in {}; 'serve' and 'company create' create one",
                folder.display()
            )
            .into()),
            Place::Embedded(folder) => {
                let config = in_folder(folder)?.config();
                keeping_audit(Store::new(&config, &self.table))
            }
            _ => self.open_at(&place).await,
        }
    }

    /// Opens the store; the embedded one is made if it is not there.
    pub(crate) async fn open_or_make(&self) -> Result<Store, Failure> {
        self.open_at(&self.place()?).await
    }

    async fn open_at(&self, place: &Place) -> Result<Store, Failure> {
        match place {
            Place::DynamoDb(url) => {
                let config = of_operator(url).await;
                keeping_audit(Store::new(&config, &self.table))
            }
            Place::Embedded(folder) => {
                let database = in_folder(folder)?;
                keeping_audit(database.store(&self.table).await?)
            }
            Place::PostgreSql(url) => {
                let engine = self.engine(url)?;
                engine.require_migrations().await?;
                keeping_audit(Store::on(Arc::new(engine)))
            }
        }
    }

    /// Opens the store for a server, which goes on if a PostgreSQL database cannot be reached for now, and deletes what
    /// has expired in it.
    pub(crate) async fn open_to_serve(&self) -> Result<Store, Failure> {
        let place = self.place()?;
        let Place::PostgreSql(url) = &place else {
            return self.open_at(&place).await;
        };
        let engine = self.engine(url)?;
        match engine.require_migrations().await {
            Ok(()) => {}
            Err(error @ StoreError::Busy(_)) => {
                tracing::warn!(%error, "the database cannot be reached; requests are refused until it can be");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::spawn(engine.clone().delete_expired_regularly());
        keeping_audit(Store::on(Arc::new(engine)))
    }

    fn engine(&self, url: &DatabaseUrl) -> Result<PostgreSql, Failure> {
        Ok(PostgreSql::new(url, self.database_connections)?)
    }
}

/// Returns the SDK's configuration for an operator's program, from where the SDK looks: environment, profiles,
/// single sign-on.
async fn of_operator(endpoint_url: &str) -> SdkConfig {
    let https = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    aws_config::defaults(sdk_config::behavior_version())
        .http_client(https)
        .retry_config(sdk_config::retries())
        .timeout_config(sdk_config::timeouts())
        .endpoint_url(endpoint_url)
        .load()
        .await
}

/// Returns the same store, which keeps audit records as long as the environment says.
pub(crate) fn keeping_audit(store: Store) -> Result<Store, Failure> {
    Ok(store.keeping_audit_for(Config::from_env().audit_retention_days?))
}

/// Returns the embedded database in a folder, which is made if it is not there.
pub(crate) fn in_folder(folder: &Path) -> Result<Embedded, Failure> {
    private_folder(folder)
        .map_err(|error| format!("the folder {} cannot be created: {error}", folder.display()))?;
    Ok(Embedded::in_file(&folder.join(FILE_NAME))?)
}

/// Makes a folder, if it is not there, that only its owner may use, with any umask: it holds personal data.
fn private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(folder)?;
    std::fs::set_permissions(folder, Permissions::from_mode(PRIVATE_FOLDER))
}

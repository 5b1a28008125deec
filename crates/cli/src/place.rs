//! A store's engine, and where it is.

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
use embedded::Embedded;
use paradigm_scim::aws::sdk_config;
use paradigm_scim::config::Config;
use paradigm_scim::store::Store;
use postgres::{DatabaseUrl, PostgreSql};

use crate::Failure;
use crate::database_arguments::read_url;

const FILE_NAME: &str = "paradigm-scim.sqlite";
/// Only the owner lists, reads or writes.
const PRIVATE_FOLDER: u32 = 0o700;

/// A store's engine, and where it is.
pub(crate) enum Place {
    /// The embedded store in a folder.
    Embedded(PathBuf),
    /// DynamoDB at an endpoint.
    DynamoDb(String),
    /// A PostgreSQL database.
    PostgreSql(Box<DatabaseUrl>),
}

impl Place {
    /// Reads a folder, a URL, or `@` and a file with the URL of a PostgreSQL database.
    ///
    /// # Errors
    /// Fails if the file cannot be read, or if the URL of a PostgreSQL database is not valid. The text may have a
    /// password, so no error has it.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        if let Some(file) = text.strip_prefix('@') {
            return Ok(Self::PostgreSql(Box::new(read_url(Path::new(file))?)));
        }
        let has_scheme = |schemes: [&str; 2]| schemes.iter().any(|scheme| text.starts_with(scheme));
        Ok(if has_scheme(["postgres://", "postgresql://"]) {
            Self::PostgreSql(Box::new(text.parse()?))
        } else if has_scheme(["http://", "https://"]) {
            Self::DynamoDb(text.to_owned())
        } else {
            Self::Embedded(text.into())
        })
    }

    /// Opens the store, which must be there. A PostgreSQL database gets at most so many connections.
    pub(crate) async fn open(
        &self,
        table: &str,
        connections: NonZeroUsize,
    ) -> Result<Store, Failure> {
        match self {
            Self::Embedded(folder) if !folder.join(FILE_NAME).exists() => Err(format!(
                "there is no store in {}; 'serve' and 'company create' create one",
                folder.display()
            )
            .into()),
            Self::Embedded(folder) => {
                let config = in_folder(folder)?.config();
                keeping_audit(Store::new(&config, table))
            }
            _ => self.open_or_make(table, connections).await,
        }
    }

    /// Opens the store; the embedded one is made if it is not there.
    pub(crate) async fn open_or_make(
        &self,
        table: &str,
        connections: NonZeroUsize,
    ) -> Result<Store, Failure> {
        match self {
            Self::DynamoDb(url) => {
                let config = of_operator(url).await;
                keeping_audit(Store::new(&config, table))
            }
            Self::Embedded(folder) => {
                let database = in_folder(folder)?;
                keeping_audit(database.store(table).await?)
            }
            Self::PostgreSql(url) => {
                let engine = PostgreSql::new(url, connections)?;
                engine.require_migrations().await?;
                keeping_audit(Store::on(Arc::new(engine)))
            }
        }
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

//! The store that the commands work on.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use clap::Args;
use embedded::Embedded;
use paradigm_scim::aws::sdk_config;
use paradigm_scim::config::{Config, DEFAULT_TABLE, TABLE_VARIABLE};
use paradigm_scim::store::Store;

use crate::Failure;

const FILE_NAME: &str = "paradigm-scim.sqlite";
/// Only the owner lists, reads or writes.
const PRIVATE_FOLDER: u32 = 0o700;

/// Where the store is.
#[derive(Args, Clone)]
pub(crate) struct StoreArguments {
    /// Folder of the embedded store's file
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".scim",
        conflicts_with = "endpoint_url"
    )]
    pub(crate) data_dir: PathBuf,
    /// Use a DynamoDB endpoint instead of the embedded store; region and credentials are those of
    /// the AWS environment, profile or SSO session
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Name of the table
    #[arg(long, value_name = "NAME", env = TABLE_VARIABLE, default_value = DEFAULT_TABLE)]
    pub(crate) table: String,
}

impl StoreArguments {
    /// Returns the arguments for another table at the same place.
    pub(crate) fn of_table(&self, table: &str) -> Self {
        Self {
            table: table.to_owned(),
            ..self.clone()
        }
    }

    /// Opens the store, which must be there.
    pub(crate) async fn open(&self) -> Result<Store, Failure> {
        if self.endpoint_url.is_none() && !self.data_dir.join(FILE_NAME).exists() {
            return Err(format!(
                "there is no store in {}; 'serve' and 'company create' create one",
                self.data_dir.display()
            )
            .into());
        }
        match &self.endpoint_url {
            Some(_) => self.open_or_make().await,
            None => {
                let config = in_folder(&self.data_dir)?.config();
                keeping_audit(Store::new(&config, &self.table))
            }
        }
    }

    /// Opens the store; the embedded one is made if it is not there.
    pub(crate) async fn open_or_make(&self) -> Result<Store, Failure> {
        match &self.endpoint_url {
            Some(url) => {
                let config = of_operator(url).await;
                keeping_audit(Store::new(&config, &self.table))
            }
            None => {
                let database = in_folder(&self.data_dir)?;
                keeping_audit(database.store(&self.table).await?)
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

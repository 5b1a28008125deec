//! Which store the commands work on.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use paradigm_scim::aws::sdk_config;
use paradigm_scim::config::{Clock as _, DEFAULT_TABLE, SystemClock, TABLE_VARIABLE};
use paradigm_scim::directory::{Actor, Company, CompanyId, Operation, UserId};
use paradigm_scim::store::embedded::Embedded;
use paradigm_scim::store::{Store, UserChange, configured_audit_retention};
use uuid::Uuid;

use crate::Failure;

const FILE_NAME: &str = "paradigm-scim.sqlite";
/// Nobody but the owner lists, reads or writes.
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
    /// Another table at the same place.
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
                "there is no store in {}; 'serve' and 'company create' make one",
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
                let config = sdk_config::of_operator(url).await;
                keeping_audit(Store::new(&config, &self.table))
            }
            None => {
                let database = in_folder(&self.data_dir)?;
                keeping_audit(database.store(&self.table).await?)
            }
        }
    }
}

/// The same store, keeping audit records as long as the environment says.
fn keeping_audit(store: Store) -> Result<Store, Failure> {
    Ok(store.keeping_audit_for(configured_audit_retention()?))
}

/// The embedded database in a folder, which is made if it is not there.
pub(crate) fn in_folder(folder: &Path) -> Result<Embedded, Failure> {
    private_folder(folder)
        .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display()))?;
    Ok(Embedded::in_file(&folder.join(FILE_NAME))?)
}

/// Makes a folder, if it is not there, that only its owner may use, whatever the umask: it holds personal data.
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

/// Now, as the service tells it.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// An operator's change of a user, for the audit trail.
pub(crate) fn operator_change(company: CompanyId, operation: Operation) -> UserChange {
    UserChange {
        company,
        actor: Actor::Operator,
        operation,
        request_id: Uuid::now_v7().to_string(),
        now: now(),
    }
}

/// Finds a company by id, or by a name that only one bears.
pub(crate) async fn company(store: &Store, id_or_name: &str) -> Result<Company, Failure> {
    if let Some(id) = CompanyId::parse(id_or_name) {
        return store
            .company(id)
            .await?
            .ok_or_else(|| format!("there is no company {id}").into());
    }
    let mut named: Vec<Company> = store
        .companies()
        .await?
        .into_iter()
        .filter(|company| company.name == id_or_name)
        .collect();
    match (named.pop(), named.is_empty()) {
        (Some(company), true) => Ok(company),
        (Some(_), false) => Err("several companies bear this name; use the id".into()),
        (None, _) => Err("there is no company of this id or name; see 'company list'".into()),
    }
}

/// Finds a user of a company by id, or else by `userName`, which may look like an id.
pub(crate) async fn find_user(
    store: &Store,
    company: CompanyId,
    id_or_name: &str,
) -> Result<Option<UserId>, Failure> {
    if let Some(id) = UserId::parse(id_or_name)
        && store.user(company, id).await?.is_some()
    {
        return Ok(Some(id));
    }
    let named = store.user_by_user_name(company, id_or_name).await?;
    Ok(named.map(|user| user.id))
}

/// The same of a user who must be there.
pub(crate) async fn user_id(
    store: &Store,
    company: CompanyId,
    id_or_name: &str,
) -> Result<UserId, Failure> {
    find_user(store, company, id_or_name).await?.ok_or_else(|| {
        "the company has no user of this id or userName; perhaps they are erased".into()
    })
}

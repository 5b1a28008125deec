//! What the commands that manage a directory share: the company they work in, how they find users, and how their
//! changes look in the audit trail.

use clap::Args;
use jiff::Timestamp;
use paradigm_scim::config::{Clock as _, SystemClock};
use paradigm_scim::directory::{Actor, Company, CompanyId, Operation, UserId};
use paradigm_scim::store::{Store, UserChange};
use uuid::Uuid;

use crate::Failure;
use crate::output::Format;
use crate::store_arguments::StoreArguments;

/// The company that a command works in.
#[derive(Args)]
pub(crate) struct InCompany {
    /// The company, by id or name
    #[arg(long, value_name = "COMPANY")]
    pub(crate) company: String,
    #[command(flatten)]
    pub(crate) store: StoreArguments,
    #[command(flatten)]
    pub(crate) format: Format,
}

impl InCompany {
    /// Opens the store and finds the company.
    pub(crate) async fn open(&self) -> Result<(Store, CompanyId), Failure> {
        let store = self.store.open().await?;
        let company = company(&store, &self.company).await?.id;
        Ok((store, company))
    }
}

/// Returns the current time, by the service's clock.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Returns an operator's change of a user, for the audit trail.
pub(crate) fn operator_change(company: CompanyId, operation: Operation) -> UserChange {
    UserChange {
        company,
        actor: Actor::Operator,
        operation,
        request_id: Uuid::now_v7().to_string(),
        now: now(),
    }
}

/// Finds a company by id, or by a name that only one has.
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
        (Some(_), false) => Err("several companies have this name; use the id".into()),
        (None, _) => Err("there is no company with this id or name; see 'company list'".into()),
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

/// Finds the id of a user of a company; fails if there is none.
pub(crate) async fn user_id(
    store: &Store,
    company: CompanyId,
    id_or_name: &str,
) -> Result<UserId, Failure> {
    find_user(store, company, id_or_name).await?.ok_or_else(|| {
        "the company has no user with this id or userName; perhaps the user is erased".into()
    })
}

//! `company create|list|suspend|resume`

use clap::{Args, Subcommand};
use paradigm_scim::directory::{
    Company as DirectoryCompany, CompanyId, CompanyStatus, CursorSecret, Operation,
};
use paradigm_scim::store::Store;
use scim::resource::date_time;
use serde_json::{Value, json};
use uuid::Uuid;

use super::directory::{self, operator_change};
use crate::Failure;
use crate::output::Format;
use crate::store_arguments::StoreArguments;

#[derive(Subcommand)]
pub(crate) enum Company {
    /// Create a company
    Create(Create),
    /// List the companies
    List(List),
    /// Refuse a company's API keys, within a minute
    Suspend(OneCompany),
    /// Accept a suspended company's API keys again
    Resume(OneCompany),
}

#[derive(Args)]
pub(crate) struct OneCompany {
    /// The company, by id or name
    company: String,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    format: Format,
}

impl OneCompany {
    async fn set(&self, operation: Operation, status: CompanyStatus) -> Result<(), Failure> {
        let store = self.store.open().await?;
        let company = directory::company(&store, &self.company).await?.id;
        let change = operator_change(company, operation);
        let changed = store.set_company_status(&change, status).await?;
        let changed = changed.ok_or("the company was deleted meanwhile")?;
        self.format.record(&shown(&changed))
    }
}

#[derive(Args)]
pub(crate) struct Create {
    /// Name of the company
    name: String,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    format: Format,
}

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    format: Format,
}

impl Company {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Create(arguments) => {
                let store = arguments.store.open_or_make().await?;
                let id = CompanyId::new(Uuid::now_v7());
                let company = create(&store, id, &arguments.name).await?;
                arguments.format.record(&shown(&company))
            }
            Self::Suspend(arguments) => {
                arguments
                    .set(Operation::Suspend, CompanyStatus::Suspended)
                    .await
            }
            Self::Resume(arguments) => {
                arguments
                    .set(Operation::Resume, CompanyStatus::Active)
                    .await
            }
            Self::List(arguments) => {
                let store = arguments.store.open().await?;
                let companies: Vec<Value> = store.companies().await?.iter().map(shown).collect();
                arguments
                    .format
                    .records(&["id", "name", "status", "created"], &companies)
            }
        }
    }
}

/// Creates a company.
pub(crate) async fn create(
    store: &Store,
    id: CompanyId,
    name: &str,
) -> Result<DirectoryCompany, Failure> {
    let mut cursor_secret = [0; 32];
    getrandom::fill(&mut cursor_secret)?;
    let change = operator_change(id, Operation::Create);
    let company = DirectoryCompany::new(id, name, CursorSecret(cursor_secret), change.now)?;
    store.create_company(&change, &company).await?;
    Ok(company)
}

fn shown(company: &DirectoryCompany) -> Value {
    json!({
        "id": company.id.to_string(),
        "name": company.name,
        "status": company.status.as_str(),
        "created": date_time(company.created),
    })
}

//! `audit`: shows the changes of a company's users, and of the company itself.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::directory::{CompanyId, UserId};
use paradigm_scim::store::{AuditEntry, Store};
use scim::resource::date_time;
use serde_json::{Value, json};

use super::directory::InCompany;
use super::directory::{self, now};
use crate::Failure;

/// How far back a company's trail is shown by default.
const RECENT: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Args)]
pub(crate) struct Audit {
    /// Show only changes of this user, by id or userName; an anonymised user by id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Show changes from this time on, such as 2026-12-31T00:00:00Z; by default everything for a user, and
    /// the last seven days for a company
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    #[command(flatten)]
    place: InCompany,
}

impl Audit {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let now = now();
        let entries = match &self.user {
            Some(user) => self.of_user(&store, company, user).await?,
            None => {
                let since = self.since.unwrap_or(now.saturating_sub(RECENT)?);
                let created = store.company(company).await?.map(|company| company.created);
                let since = created.map_or(since, |created| since.max(created));
                store.audit_of_company(company, since, now).await?
            }
        };
        let entries: Vec<Value> = entries.iter().map(shown).collect();
        let columns = [
            "at",
            "user",
            "operation",
            "before",
            "after",
            "attributes",
            "keys",
            "actor",
            "requestId",
        ];
        self.place.format.records(&columns, &entries)
    }

    /// Returns the changes of a user. Only the trail knows the id of an anonymised user.
    async fn of_user(
        &self,
        store: &Store,
        company: CompanyId,
        user: &str,
    ) -> Result<Vec<AuditEntry>, Failure> {
        let nobody = "the company has neither a user with this id or userName, nor a record of one";
        let found = directory::find_user(store, company, user).await?;
        let id = found.or(UserId::parse(user)).ok_or(nobody)?;
        let mut entries = store
            .audit_of_user(company, id, Timestamp::UNIX_EPOCH)
            .await?;
        if found.is_none() && entries.is_empty() {
            return Err(nobody.into());
        }
        entries.retain(|entry| self.since.is_none_or(|since| since <= entry.at));
        Ok(entries)
    }
}

fn shown(entry: &AuditEntry) -> Value {
    json!({
        "at": date_time(entry.at),
        "user": entry.user.map(|user| user.to_string()),
        "operation": entry.operation,
        "before": entry.before,
        "after": entry.after,
        "attributes": entry.attributes,
        "keys": entry.keys,
        "actor": entry.actor,
        "requestId": entry.request_id,
    })
}

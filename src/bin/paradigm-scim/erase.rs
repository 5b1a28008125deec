//! `erase`: anonymises a user by hand, or does again in a restored table what was erased and revoked
//! after the time it was restored to.

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use paradigm_scim::directory::{Company, CompanyId, CompanyStatus, KeyId, Operation, UserId};
use paradigm_scim::store::{AuditEntry, Next, Store};
use serde_json::json;

use crate::open::{self, StoreArguments, now, operator_change};
use crate::output::Format;
use crate::{Failure, key};

#[derive(Args)]
pub(crate) struct Erase {
    /// Anonymise this user, by id or userName, for good
    #[arg(required_unless_present = "replay", conflicts_with = "replay")]
    user: Option<String>,
    /// The user's company, by id or name
    #[arg(long, value_name = "COMPANY", requires = "user")]
    company: Option<String>,
    /// Erase again those whom the audit trail of another table says were erased, and revoke the keys and
    /// suspend the companies that are revoked and suspended there
    #[arg(long, requires = "from")]
    replay: bool,
    /// The table whose trail is read: the one that the restored table takes the place of
    #[arg(long, value_name = "NAME", requires = "replay")]
    from: Option<String>,
    /// From this time on, such as the one restored to; everything the trail holds, if left out
    #[arg(long, value_name = "TIME", requires = "replay")]
    since: Option<Timestamp>,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    format: Format,
}

impl Erase {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let store = self.store.open().await?;
        if let Some(from) = &self.from {
            if *from == self.store.table {
                return Err("--from and --table name the same table".into());
            }
            let trail = self.store.of_table(from).open().await?;
            return self.replay(&trail, &store).await;
        }
        let company = self.company.as_deref().ok_or("name the user's --company")?;
        let company = open::company(&store, company).await?.id;
        let user = self.user.as_deref().unwrap_or_default();
        let user = open::user_id(&store, company, user).await?;
        if !erase(&store, company, user).await? {
            return Err("the company has no such user, or they are erased".into());
        }
        self.format
            .record(&json!({"id": user.to_string(), "state": "anonymised"}))
    }

    async fn replay(&self, trail: &Store, store: &Store) -> Result<(), Failure> {
        let mut replay = Replay::default();
        let companies = trail.companies().await?;
        let progress = progress(companies.len());
        for company in companies {
            progress.inc(1);
            let since = self.since.unwrap_or(company.created).max(company.created);
            let entries = trail.audit_of_company(company.id, since, now()).await?;
            replay.company(store, &company, &entries).await?;
        }
        progress.finish_and_clear();
        self.format.record(&json!({
            "companies": replay.companies,
            "notInTable": replay.missing,
            "usersErased": replay.erased,
            "keysRevoked": replay.revoked,
            "companiesSuspended": replay.suspended,
        }))
    }
}

/// What was done again.
#[derive(Default)]
struct Replay {
    companies: usize,
    /// Companies that are younger than the restored table.
    missing: usize,
    erased: usize,
    revoked: usize,
    suspended: usize,
}

impl Replay {
    async fn company(
        &mut self,
        store: &Store,
        company: &Company,
        entries: &[AuditEntry],
    ) -> Result<(), Failure> {
        let Some(restored) = store.company(company.id).await? else {
            self.missing += 1;
            return Ok(());
        };
        self.companies += 1;
        let is_erasure = |entry: &&AuditEntry| entry.operation == Operation::Anonymise.as_str();
        let erased = entries.iter().filter(is_erasure);
        for user in erased.filter_map(|entry| entry.user) {
            self.erased += usize::from(erase(store, company.id, user).await?);
        }
        for key in entries.iter().flat_map(ended_keys) {
            self.revoked += usize::from(revoke(store, company.id, key).await?);
        }
        if (company.status, restored.status) == (CompanyStatus::Suspended, CompanyStatus::Active) {
            let change = operator_change(company.id, Operation::Suspend);
            let status = CompanyStatus::Suspended;
            store.set_company_status(&change, status).await?;
            self.suspended += 1;
        }
        Ok(())
    }
}

/// Anonymises a user; `false` if there is none.
async fn erase(store: &Store, company: CompanyId, user: UserId) -> Result<bool, Failure> {
    let change = operator_change(company, Operation::Anonymise);
    let decide = |_: &_| Ok::<_, Failure>(Next::Anonymise);
    let erased = store.change_user(&change, user, decide).await?;
    Ok(erased.is_some())
}

/// Revokes a key; `false` if there is none, or it is revoked.
async fn revoke(store: &Store, company: CompanyId, id: KeyId) -> Result<bool, Failure> {
    let found = store.find_key(id).await?;
    let is_live =
        |key: &paradigm_scim::directory::ApiKey| key.company == company && key.revoked.is_none();
    let Some(live) = found.filter(is_live) else {
        return Ok(false);
    };
    key::revoke(store, company, live.owner, id).await?;
    Ok(true)
}

/// Keys that a record of the trail says are revoked (`-id`), or honoured until a time that has passed
/// (`~id until time`).
fn ended_keys(entry: &AuditEntry) -> impl Iterator<Item = KeyId> {
    entry.keys.iter().filter_map(|change| {
        if let Some(id) = change.strip_prefix('-') {
            return KeyId::parse(id);
        }
        let (id, until) = change.strip_prefix('~')?.split_once(" until ")?;
        let until: Timestamp = until.parse().ok()?;
        (until <= now()).then(|| KeyId::parse(id))?
    })
}

/// On standard error, and only if that is a terminal.
fn progress(companies: usize) -> ProgressBar {
    let progress = ProgressBar::new(companies.try_into().unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} companies") {
        progress.set_style(style);
    }
    progress
}

//! `erase`: anonymises a user by hand, or takes again from a restored table what was taken since the time it was
//! restored to: it erases or deactivates users, revokes permissions, ends keys and suspends companies.

use std::collections::BTreeSet;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use paradigm_scim::directory::user::User;
use paradigm_scim::directory::{
    Company, CompanyId, CompanyStatus, DirectoryError, KeyChange, Operation, UserId,
};
use paradigm_scim::store::{Next, Store};
use postgres::{DEFAULT_CONNECTIONS, is_same_database};
use serde_json::json;

use super::directory::{self, now, operator_change};
use crate::output::{Format, complain};
use crate::place::Place;
use crate::store_arguments::StoreArguments;
use crate::{Failure, progress};

/// A record of the trail has the time at which its request began. The write may be later, and clocks differ.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

#[derive(Args)]
pub(crate) struct Erase {
    /// Anonymise this user permanently, by id or userName
    #[arg(required_unless_present = "replay", conflicts_with = "replay")]
    user: Option<String>,
    /// The user's company, by id or name
    #[arg(
        long,
        value_name = "COMPANY",
        requires = "user",
        conflicts_with = "replay"
    )]
    company: Option<String>,
    /// Read the audit trail of another table, and repeat here what was taken from users there since:
    /// erase, deactivate, revoke permissions, end keys, suspend companies
    #[arg(long, requires = "from")]
    replay: bool,
    /// The table whose trail is read: the one that the restored table replaces. For PostgreSQL the
    /// database: @FILE for a file with its URL, or the URL without a password
    #[arg(long, value_name = "TABLE", requires = "replay")]
    from: Option<String>,
    /// Read the trail from this time on, such as the restore time less an hour; by default all of it
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
            let trail = self.trail(from).await?;
            return self.replay(&trail, &store).await;
        }
        let company = self.company.as_deref().ok_or("name the user's --company")?;
        let company = directory::company(&store, company).await?.id;
        let user = self.user.as_deref().unwrap_or_default();
        let user = directory::user_id(&store, company, user).await?;
        if !erase(&store, company, user).await? {
            return Err("the company has no such user, or the user is erased already".into());
        }
        self.format
            .record(&json!({"id": user.to_string(), "state": "anonymised"}))
    }

    /// Opens the store whose trail is read, which must be another one.
    async fn trail(&self, from: &str) -> Result<Store, Failure> {
        match (Place::parse(from)?, self.store.place()?) {
            (Place::PostgreSql(old), Place::PostgreSql(restored)) => {
                if is_same_database(&old, &restored).await? {
                    return Err("--from and the store are the same database".into());
                }
                let old = Place::PostgreSql(old);
                old.open(&self.store.table, DEFAULT_CONNECTIONS).await
            }
            (Place::PostgreSql(_), _) => {
                Err("the old store is a PostgreSQL database, and the restored one is not".into())
            }
            (_, Place::PostgreSql(_)) => Err(
                "name the database that the restored one replaces: --from @FILE, with its URL in the file"
                    .into(),
            ),
            _ if *from == self.store.table => {
                Err("--from and --table name the same table".into())
            }
            _ => self.store.of_table(from).open().await,
        }
    }

    async fn replay(&self, trail: &Store, store: &Store) -> Result<(), Failure> {
        if self.since.is_some_and(|since| since > now()) {
            return Err("--since is in the future".into());
        }
        let listed = [trail.companies().await?, store.companies().await?];
        let ids: BTreeSet<CompanyId> = listed.iter().flatten().map(|company| company.id).collect();
        let mut replay = Replay::default();
        let (mut shared, mut left) = (Vec::new(), Vec::new());
        for id in ids {
            match (trail.company(id).await?, store.company(id).await?) {
                (Some(there), Some(restored)) => shared.push((there, restored)),
                (None, Some(restored)) => left.push(restored),
                (Some(_), None) => replay.missing += 1,
                (None, None) => {}
            }
        }
        let is_known = !shared.is_empty() || self.any_changed(trail, &left).await?;
        if !is_known {
            return Err("the two stores have no company in common: is --from right?".into());
        }
        let progress = progress::bar("companies", shared.len() + left.len());
        for (there, restored) in &shared {
            progress.inc(1);
            let since = self.since(restored)?;
            replay.users(trail, store, restored.id, since).await?;
            if there.status == CompanyStatus::Suspended {
                replay.suspend(store, restored).await?;
            }
            replay.companies += 1;
        }
        for restored in &left {
            progress.inc(1);
            // First, so that no request is accepted meanwhile.
            replay.suspend(store, restored).await?;
            let since = self.since(restored)?;
            replay.users(trail, store, restored.id, since).await?;
        }
        progress.finish_and_clear();
        for Company { id, name, .. } in &left {
            complain(
                &format!(
                    "company {id} ({name}) has left, and is suspended here: see that its users are erased, then delete its item"
                )
                .into(),
            );
        }
        let left: Vec<String> = left.iter().map(|company| company.id.to_string()).collect();
        self.format.record(&json!({
            "companies": replay.companies,
            "notInTable": replay.missing,
            "companiesLeft": left,
            "usersCompared": replay.compared,
            "usersErased": replay.erased,
            "usersDeactivated": replay.deactivated,
            "permissionsTaken": replay.taken,
            "keysEnded": replay.ended,
            "companiesSuspended": replay.suspended,
        }))?;
        match (replay.failed, left.len()) {
            (0, 0) => Ok(()),
            (0, left) => Err(format!("{left} companies have left; see above").into()),
            (failed, _) => Err(format!(
                "{failed} users could not be compared; see above, and run it again"
            )
            .into()),
        }
    }

    /// Returns the time from which on a company's trail counts.
    fn since(&self, company: &Company) -> Result<Timestamp, Failure> {
        let since = self.since.unwrap_or(company.created).max(company.created);
        Ok(since.saturating_sub(MARGIN)?)
    }

    /// Returns whether a trail knows of any of the companies.
    async fn any_changed(&self, trail: &Store, companies: &[Company]) -> Result<bool, Failure> {
        for company in companies {
            let since = self.since(company)?;
            if !changed_users(trail, company.id, since).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Returns the users that a trail names from a time on.
async fn changed_users(
    trail: &Store,
    company: CompanyId,
    since: Timestamp,
) -> Result<BTreeSet<UserId>, Failure> {
    let until = now().checked_add(MARGIN)?;
    Ok(trail.changed_users(company, since, until).await?)
}

/// What was taken again.
#[derive(Default)]
struct Replay {
    /// Companies that are in both tables.
    companies: usize,
    /// Companies that are younger than the restored table.
    missing: usize,
    compared: usize,
    erased: usize,
    deactivated: usize,
    taken: usize,
    ended: usize,
    suspended: usize,
    failed: usize,
}

impl Replay {
    async fn users(
        &mut self,
        trail: &Store,
        store: &Store,
        company: CompanyId,
        since: Timestamp,
    ) -> Result<(), Failure> {
        for user in changed_users(trail, company, since).await? {
            self.compared += 1;
            // A user that cannot be read or written must not stop the erasure of others.
            if let Err(failure) = self.user(trail, store, company, user).await {
                self.failed += 1;
                complain(&format!("user {user} of company {company}: {failure}").into());
            }
        }
        Ok(())
    }

    async fn suspend(&mut self, store: &Store, restored: &Company) -> Result<(), Failure> {
        if restored.status == CompanyStatus::Active {
            let change = operator_change(restored.id, Operation::Suspend);
            let status = CompanyStatus::Suspended;
            store.set_company_status(&change, status).await?;
            self.suspended += 1;
        }
        Ok(())
    }

    /// Takes from a user of the restored table what the user no longer has in the other.
    async fn user(
        &mut self,
        trail: &Store,
        store: &Store,
        company: CompanyId,
        id: UserId,
    ) -> Result<(), Failure> {
        let Some(now) = trail.user(company, id).await? else {
            self.erased += usize::from(erase(store, company, id).await?);
            return Ok(());
        };
        let taking = [
            (
                Operation::Deactivate,
                deactivated as Taking,
                &mut self.deactivated,
            ),
            (Operation::Ungrant, without_permissions, &mut self.taken),
            (Operation::RevokeKey, without_keys, &mut self.ended),
        ];
        for (operation, take, count) in taking {
            let mut taken = 0;
            store
                .change_user(&operator_change(company, operation), id, |restored| {
                    let (user, keys, number) = take(restored, &now)?;
                    taken = number;
                    Ok::<_, Failure>(Next::UpdateWithKeys(user, keys))
                })
                .await?;
            *count += taken;
        }
        Ok(())
    }
}

/// Returns the change of a restored user, given the user in the other table, and how much it takes.
type Taking = fn(&User, &User) -> Result<(User, Vec<KeyChange<'static>>, usize), DirectoryError>;

fn deactivated(
    restored: &User,
    other: &User,
) -> Result<(User, Vec<KeyChange<'static>>, usize), DirectoryError> {
    if !restored.is_active() || other.is_active() {
        return Ok((restored.clone(), Vec::new(), 0));
    }
    Ok((restored.deactivated(now())?, Vec::new(), 1))
}

fn without_permissions(
    restored: &User,
    other: &User,
) -> Result<(User, Vec<KeyChange<'static>>, usize), DirectoryError> {
    let taken = restored.permissions.difference(&other.permissions);
    let user = taken.clone().fold(restored.clone(), |user, permission| {
        user.ungranted(*permission)
    });
    Ok((user, Vec::new(), taken.count()))
}

fn without_keys(
    restored: &User,
    other: &User,
) -> Result<(User, Vec<KeyChange<'static>>, usize), DirectoryError> {
    let mut user = restored.clone();
    let mut changes = Vec::new();
    for key in restored.keys.keys() {
        let (next, ended) = match other.keys.get(key) {
            None => user.without_key(*key),
            Some(Some(until)) => user.with_key_until(*key, *until),
            Some(None) => continue,
        };
        user = next;
        changes.extend(ended);
    }
    if !changes.is_empty() {
        // However many keys end, it is one write.
        user.version = restored.version + 1;
    }
    let number = changes.len();
    Ok((user, changes, number))
}

/// Anonymises a user; returns `false` if there is none.
async fn erase(store: &Store, company: CompanyId, user: UserId) -> Result<bool, Failure> {
    let change = operator_change(company, Operation::Anonymise);
    let decide = |_: &_| Ok::<_, Failure>(Next::Anonymise);
    let erased = store.change_user(&change, user, decide).await?;
    Ok(erased.is_some())
}

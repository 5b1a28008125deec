//! Reads suspicious items again, consistently, so that a change which was only half visible is not reported.
//!
//! Whatever leads to a user changes in one transaction with the user. So what was read between two
//! reads of a user that are alike was there at one moment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::count::Count;
use super::finding::{Fault, Remedy};
use super::repair::Repair;
use super::survey::{Suspect, Suspicion, is_complete};
use super::verdict::{LIST, Verdict};
use crate::directory::{CompanyId, KeyId, State, User, UserId};
use crate::store::backoff::while_busy;
use crate::store::layout::keys::{self, COUNTER_SHARDS};
use crate::store::layout::{
    DOCUMENT, Item, Key, Kind, LOOKUP_USER, LookupEntry, Reader, VERSION, has_state_of,
    is_indexed_as, lookups, stripped, to_api_key, to_audit_entry, to_company, to_user,
    user_id_of_lookup,
};
use crate::store::scan::BUSY_TIMEOUT;
use crate::store::table::BATCH_SIZE;
use crate::store::{Store, StoreError};

const RESTORE: Remedy = Remedy::Advice(
    "compare it with a table restored to a point in time, and write what is missing by hand",
);
const WRITE_USER: Remedy = Remedy::Write("write the user again, with the state that follows");
const PUT_LOOKUP: Remedy = Remedy::Write("put the lookup");
const RENAME: Remedy = Remedy::Advice(
    "give one of the two another userName, through the identity provider or by a PATCH of the user's id, \
     then check and repair again: the lookup moves with the name that is given up",
);
const AFTER_OTHER: Remedy =
    Remedy::Advice("repair the user that it leads to first: that user has a finding too");
const DOUBTFUL: Remedy = Remedy::Advice(
    "the user's state is 'anonymised' and attributes are there, but the audit trail has no record of it: \
     find out which is true, then remove the attributes or correct the state",
);

/// The item of a user, as the service understands it.
enum Standing {
    Absent,
    Anonymised,
    /// Anonymised by the state, but the audit trail does not confirm it.
    Doubtful,
    Live(Box<User>),
    Unreadable(&'static str),
}

impl Standing {
    fn live(&self) -> Option<&User> {
        match self {
            Self::Live(user) => Some(user),
            _ => None,
        }
    }
}

fn unreadable(error: StoreError) -> Result<&'static str, StoreError> {
    match error {
        StoreError::Corrupt(attribute) => Ok(attribute),
        error => Err(error),
    }
}

fn changed_meanwhile() -> StoreError {
    StoreError::Busy("others keep changing these items".to_owned())
}

impl Store {
    /// Reads a suspicious item again, consistently. A verdict without findings clears it.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn examine(&self, suspect: &Suspect) -> Result<Verdict, StoreError> {
        while_busy(BUSY_TIMEOUT, async || match &suspect.0 {
            Suspicion::Company { company, items } => self.examine_company(*company, *items).await,
            Suspicion::Item(key) => self.examine_item(key).await,
            Suspicion::Lookup(key) => self.examine_lookup(key).await,
            Suspicion::Key(id) => self.examine_api_key(*id).await,
            Suspicion::User(company, user) => self.examine_user(*company, *user).await,
            Suspicion::Counter(count) => Ok(counter(count)),
        })
        .await
    }

    async fn examine_company(&self, company: CompanyId, items: u64) -> Result<Verdict, StoreError> {
        let key = keys::company(company);
        let mut verdict = Verdict {
            company: Some(company),
            ..Verdict::default()
        };
        if self.table.get(key.clone()).await?.is_none() {
            verdict.find(Fault::CompanyMissing { items }, &key, RESTORE);
        }
        Ok(verdict)
    }

    /// Examines a company, an audit record, or an item of an unknown kind.
    async fn examine_item(&self, key: &Key) -> Result<Verdict, StoreError> {
        let company = key.kind().company();
        let mut verdict = Verdict {
            company,
            ..Verdict::default()
        };
        let Some(item) = self.table.get(key.clone()).await? else {
            return Ok(verdict);
        };
        let read = match key.kind() {
            Kind::Company(id) => to_company(id, &item).map(drop),
            Kind::Audit(_) => to_audit_entry(&item).map(drop),
            _ => {
                let advice = "find out which program wrote it; what one keeps about a user belongs beside the \
                              user, under a sort key that begins with 'APP#'";
                verdict.find(Fault::Unknown, key, Remedy::Advice(advice));
                return Ok(verdict);
            }
        };
        if let Err(error) = read {
            let attribute = unreadable(error)?;
            verdict.find(Fault::Unreadable { attribute }, key, RESTORE);
        }
        if let Some(company) = company {
            verdict.list(key, company, &item);
        }
        Ok(verdict)
    }

    async fn examine_lookup(&self, key: &Key) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict::default();
        let Kind::Lookup { company, user, .. } = key.kind() else {
            return Ok(verdict);
        };
        verdict.company = Some(company);
        let Some(found) = self.table.get(key.clone()).await? else {
            return Ok(verdict);
        };
        let id = user.or(user_id_of_lookup(&found).ok());
        let seen = found.get(LOOKUP_USER).cloned();
        let delete = Remedy::Write("delete the lookup");
        let Some(id) = id else {
            verdict.find(Fault::LookupOrphaned { user: None }, key, delete);
            verdict.repairs.push(Repair::DeleteLookup {
                key: key.clone(),
                seen,
                user: None,
            });
            return Ok(verdict);
        };
        let before = self.table.get(keys::user(company, id)).await?;
        let found = self.table.get(key.clone()).await?;
        let still = found.is_some_and(|found| found.get(LOOKUP_USER) == seen.as_ref());
        if !still || before != self.table.get(keys::user(company, id)).await? {
            return Err(changed_meanwhile());
        }
        let remedy = match self.standing(company, id, before.as_ref()).await? {
            // The user's own item is what is wrong.
            Standing::Unreadable(_) => return Ok(verdict),
            Standing::Live(user) if has_value_of(company, &user, key) => return Ok(verdict),
            Standing::Doubtful => DOUBTFUL,
            Standing::Absent | Standing::Anonymised | Standing::Live(_) => {
                verdict.repairs.push(Repair::DeleteLookup {
                    key: key.clone(),
                    seen,
                    user: Some((id, before)),
                });
                delete
            }
        };
        verdict.find(Fault::LookupOrphaned { user: Some(id) }, key, remedy);
        Ok(verdict)
    }

    async fn examine_api_key(&self, id: KeyId) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict::default();
        let key = keys::api_key(id);
        let Some(found) = self.table.get(key.clone()).await? else {
            return Ok(verdict);
        };
        let api_key = match to_api_key(id, &found) {
            Ok(api_key) => api_key,
            Err(error) => {
                let attribute = unreadable(error)?;
                verdict.find(Fault::Unreadable { attribute }, &key, RESTORE);
                return Ok(verdict);
            }
        };
        let (company, owner) = (api_key.company, api_key.owner);
        verdict.company = Some(company);
        verdict.list(&key, company, &found);
        if api_key.revoked.is_some() {
            return Ok(verdict);
        }
        let before = self.table.get(keys::user(company, owner)).await?;
        let again = self.find_key(id).await?;
        let is_same = again.is_some_and(|again| {
            (again.company, again.owner, again.revoked) == (company, owner, None)
        });
        if !is_same || before != self.table.get(keys::user(company, owner)).await? {
            return Err(changed_meanwhile());
        }
        let standing = self.standing(company, owner, before.as_ref()).await?;
        let remedy = match &standing {
            Standing::Unreadable(_) => return Ok(verdict),
            Standing::Live(user) if user.keys.contains_key(&id) => return Ok(verdict),
            Standing::Live(user) => {
                let mut after = (**user).clone();
                after.keys.insert(id, api_key.expires);
                verdict.rewrite(user, after, BTreeSet::new());
                Remedy::Write("add the key to its owner's item, so that it can be revoked")
            }
            Standing::Doubtful => DOUBTFUL,
            Standing::Absent | Standing::Anonymised => {
                let user = (owner, before);
                verdict.repairs.push(Repair::Revoke { id, user });
                Remedy::Write("revoke it")
            }
        };
        let fault = Fault::KeyNotNamed {
            owner,
            is_owner_there: standing.live().is_some(),
        };
        verdict.find(fault, &key, remedy);
        Ok(verdict)
    }

    async fn examine_user(&self, company: CompanyId, id: UserId) -> Result<Verdict, StoreError> {
        let mut verdict = Verdict {
            company: Some(company),
            ..Verdict::default()
        };
        let key = keys::user(company, id);
        let Some(found) = self.table.get(key.clone()).await? else {
            return Ok(verdict);
        };
        let user = match self.standing(company, id, Some(&found)).await? {
            Standing::Live(user) => user,
            Standing::Unreadable(attribute) => {
                verdict.find(Fault::Unreadable { attribute }, &key, RESTORE);
                return Ok(verdict);
            }
            Standing::Doubtful => {
                verdict.find(Fault::NotAnonymised, &key, DOUBTFUL);
                return Ok(verdict);
            }
            Standing::Anonymised | Standing::Absent => {
                if stripped(&found, "")?.is_some() {
                    let remedy = Remedy::Write("remove what may not be left of an anonymised user");
                    verdict.find(Fault::NotAnonymised, &key, remedy);
                    verdict.repairs.push(Repair::Strip { id, found });
                }
                return Ok(verdict);
            }
        };
        if !is_complete(&user) {
            // A user without a userName is not written again.
            let attribute = DOCUMENT;
            verdict.find(Fault::Unreadable { attribute }, &key, RESTORE);
            return Ok(verdict);
        }
        let lookups = lookups(company, &user);
        let leading = self.leading(&lookups, &user).await?;
        if self.table.get(key.clone()).await?.as_ref() != Some(&found) {
            return Err(changed_meanwhile());
        }
        if !is_indexed_as(&found, key.indexed(company).as_ref()) {
            verdict.find(Fault::NotListed, &key, LIST);
        }
        if !has_state_of(&found, &user) {
            verdict.find(Fault::StateWrong, &key, WRITE_USER);
        }
        let mut missing = BTreeSet::new();
        for entry in lookups {
            let fault = self.lookup_fault(company, &user, &entry, &leading).await?;
            let Some((fault, remedy)) = fault else {
                continue;
            };
            if remedy == PUT_LOOKUP {
                missing.insert(entry.clone());
            }
            verdict.find(fault, &entry.key, remedy);
        }
        let after = with_keys_held(company, &user, &leading, &mut verdict)?;
        if verdict.is_repairable() {
            verdict.rewrite(&user, after, missing);
        }
        Ok(verdict)
    }

    /// Returns what leads to a user, and the keys that the user names.
    async fn leading(
        &self,
        lookups: &BTreeSet<LookupEntry>,
        user: &User,
    ) -> Result<BTreeMap<Key, Item>, StoreError> {
        let wanted = lookups.iter().map(|entry| entry.key.clone());
        let api_keys = user.keys.keys().copied().map(keys::api_key);
        let wanted: Vec<Key> = wanted.chain(api_keys).collect();
        let mut leading = BTreeMap::new();
        for batch in wanted.chunks(BATCH_SIZE) {
            for found in self.table.get_many(batch.to_vec()).await? {
                leading.insert(Reader(&found).key()?, found);
            }
        }
        Ok(leading)
    }

    /// Returns what is wrong with a lookup that a user must have.
    async fn lookup_fault(
        &self,
        company: CompanyId,
        user: &User,
        entry: &LookupEntry,
        leading: &BTreeMap<Key, Item>,
    ) -> Result<Option<(Fault, Remedy)>, StoreError> {
        let user = user.id;
        let Some(leads) = leading.get(&entry.key) else {
            return Ok(Some((Fault::LookupMissing { user }, PUT_LOOKUP)));
        };
        let misdirected = Fault::LookupMisdirected { user };
        let found = match user_id_of_lookup(leads) {
            Ok(found) if found == user => return Ok(None),
            Ok(found) if entry.is_user_name => found,
            _ => return Ok(Some((misdirected, PUT_LOOKUP))),
        };
        // If the first user has changed meanwhile, the repair's condition fails.
        let other = self.table.get(keys::user(company, found)).await?;
        Ok(Some(
            match self.standing(company, found, other.as_ref()).await? {
                Standing::Live(other) if has_value_of(company, &other, &entry.key) => {
                    (Fault::UserNameShared { user, found }, RENAME)
                }
                Standing::Doubtful | Standing::Unreadable(_) => (misdirected, AFTER_OTHER),
                Standing::Live(_) | Standing::Anonymised | Standing::Absent => {
                    (misdirected, PUT_LOOKUP)
                }
            },
        ))
    }

    async fn standing(
        &self,
        company: CompanyId,
        id: UserId,
        found: Option<&Item>,
    ) -> Result<Standing, StoreError> {
        let Some(found) = found else {
            return Ok(Standing::Absent);
        };
        let read = to_user(id, found).and_then(|user| {
            Reader(found).number(VERSION)?;
            Ok(user)
        });
        Ok(match read {
            Ok(Some(user)) => Standing::Live(Box::new(user)),
            Ok(None) if found.contains_key(DOCUMENT) => {
                let trail = self.audit_of_user(company, id, Timestamp::UNIX_EPOCH);
                let is_reported = trail
                    .await?
                    .iter()
                    .any(|entry| entry.after == State::Anonymised.as_str());
                match is_reported {
                    true => Standing::Anonymised,
                    false => Standing::Doubtful,
                }
            }
            Ok(None) => Standing::Anonymised,
            Err(error) => Standing::Unreadable(unreadable(error)?),
        })
    }
}

fn has_value_of(company: CompanyId, user: &User, lookup: &Key) -> bool {
    let lookups = lookups(company, user);
    lookups.iter().any(|entry| entry.key == *lookup)
}

/// Returns the user with only those keys that they hold, and finds the others.
fn with_keys_held(
    company: CompanyId,
    user: &User,
    leading: &BTreeMap<Key, Item>,
    verdict: &mut Verdict,
) -> Result<User, StoreError> {
    let mut after = user.clone();
    for id in user.keys.keys() {
        if !is_held(company, user, *id, leading)? {
            after.keys.remove(id);
            let remedy = Remedy::Write("remove the key from the user's item");
            let fault = Fault::KeyNotHeld {
                user: user.id,
                key: *id,
            };
            verdict.find(fault, &keys::user(company, user.id), remedy);
        }
    }
    Ok(after)
}

/// Returns whether a user holds a key that the user's item names. One that cannot be read is a finding of its own.
fn is_held(
    company: CompanyId,
    user: &User,
    id: KeyId,
    leading: &BTreeMap<Key, Item>,
) -> Result<bool, StoreError> {
    let Some(found) = leading.get(&keys::api_key(id)) else {
        return Ok(false);
    };
    match to_api_key(id, found) {
        Ok(key) => Ok((key.company, key.owner, key.revoked) == (company, user.id, None)),
        Err(error) => unreadable(error).map(|_| true),
    }
}

/// Examines a counter that was counted again.
fn counter(count: &Count) -> Verdict {
    let mut verdict = Verdict {
        company: Some(count.company),
        ..Verdict::default()
    };
    let counter = count.counter();
    let remedy = if counter.is_none() {
        Remedy::Advice("it is no whole number: delete it, and check again")
    } else if count.least != count.most {
        Remedy::Advice(
            "users were created or deleted meanwhile: check again when there is less traffic",
        )
    } else {
        verdict.repairs.push(Repair::SetCounter(count.clone()));
        Remedy::Write("set it to the number of users")
    };
    debug_assert!(count.shard < COUNTER_SHARDS);
    let key = keys::counter(count.company, count.shard);
    let users = count.users();
    verdict.find(Fault::CounterWrong { counter, users }, &key, remedy);
    verdict
}

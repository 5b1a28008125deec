//! What each change of a user writes, as plain data: the user (only if its version has not changed), the difference of
//! the lookup items, the counter, the user's keys and an audit record.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::change::UserChange;
use super::layout::attributes::{EXPIRES, NAME, PUBLIC_KEY, REVOKED, SECRET_HASH, USERS};
use super::layout::keys::{self, COUNTER_SHARDS};
use super::layout::{
    LookupEntry, Value, from_anonymised, from_api_key, from_lookup, from_user, lookups,
};
use super::transaction::{Action, Condition, Update};
use super::write::{Draft, Role, WriteError};
use super::{Store, StoreError};
use crate::directory::{AuditRecord, CompanyId, KeyChange, State, USER, User, UserId};

/// The change of a user.
enum Transition<'u> {
    Create(&'u User),
    Update {
        before: &'u User,
        after: &'u User,
    },
    /// The user is written again, with its missing lookup items.
    Repair {
        before: &'u User,
        after: &'u User,
        lookups: &'u BTreeSet<LookupEntry>,
    },
    /// The user is anonymised.
    Anonymise(&'u User),
}

impl Transition<'_> {
    fn before(&self) -> Option<&User> {
        match self {
            Self::Create(_) => None,
            Self::Update { before, .. } | Self::Repair { before, .. } | Self::Anonymise(before) => {
                Some(before)
            }
        }
    }

    fn after(&self) -> Option<&User> {
        match self {
            Self::Create(after) | Self::Update { after, .. } | Self::Repair { after, .. } => {
                Some(after)
            }
            Self::Anonymise(_) => None,
        }
    }

    fn user_id(&self) -> UserId {
        match self {
            Self::Create(user)
            | Self::Update { after: user, .. }
            | Self::Repair { after: user, .. }
            | Self::Anonymise(user) => user.id,
        }
    }

    /// Returns by how much the number of users changes.
    fn difference(&self) -> i64 {
        match self {
            Self::Create(_) => 1,
            Self::Anonymise(_) => -1,
            Self::Update { .. } | Self::Repair { .. } => 0,
        }
    }
}

/// A change of one user, ready to be written.
pub(super) struct UserWrite<'u> {
    company: CompanyId,
    change: Transition<'u>,
    keys: Vec<KeyChange<'u>>,
    audit: AuditRecord,
}

impl<'u> UserWrite<'u> {
    /// Makes the write of a new user.
    pub(super) fn create(change: &UserChange, user: &'u User) -> Self {
        Self {
            company: change.company,
            audit: AuditRecord {
                attributes: user.document.changed_attributes(&Default::default(), &USER),
                ..change.record(None, user.state().as_str())
            },
            change: Transition::Create(user),
            keys: Vec::new(),
        }
    }

    /// Makes the write of a changed user, and of the keys that change with it.
    pub(super) fn update(
        change: &UserChange,
        before: &'u User,
        after: &'u User,
        keys: Vec<KeyChange<'u>>,
    ) -> Self {
        Self {
            company: change.company,
            audit: AuditRecord {
                attributes: before.document.changed_attributes(&after.document, &USER),
                keys: keys.iter().map(ToString::to_string).collect(),
                ..change.record(Some(before.state().as_str()), after.state().as_str())
            },
            change: Transition::Update { before, after },
            keys,
        }
    }

    /// Makes the write of a user with its missing lookup items.
    pub(super) fn repair(
        change: &UserChange,
        before: &'u User,
        after: &'u User,
        lookups: &'u BTreeSet<LookupEntry>,
    ) -> Self {
        Self {
            company: change.company,
            audit: change.record(Some(before.state().as_str()), after.state().as_str()),
            change: Transition::Repair {
                before,
                after,
                lookups,
            },
            keys: Vec::new(),
        }
    }

    /// Makes the write that anonymises a user and revokes its keys.
    pub(super) fn anonymise(change: &UserChange, user: &'u User) -> Self {
        let keys: Vec<KeyChange<'u>> = user.keys.keys().copied().map(KeyChange::Revoke).collect();
        let (before, after) = (user.state().as_str(), State::Anonymised.as_str());
        Self {
            company: change.company,
            audit: AuditRecord {
                keys: keys.iter().map(ToString::to_string).collect(),
                ..change.record(Some(before), after)
            },
            change: Transition::Anonymise(user),
            keys,
        }
    }

    /// Drafts the transaction; its audit record is kept for so long.
    pub(super) fn draft(&self, audit_retention: SignedDuration) -> Result<Draft, StoreError> {
        let mut draft = Draft::new();
        self.user(&mut draft)?;
        self.lookups(&mut draft);
        self.counter(&mut draft);
        for change in &self.keys {
            draft.push(Role::Other, api_key(change, self.audit.at));
        }
        let user = Some(self.change.user_id());
        draft.audit(self.company, user, &self.audit, audit_retention);
        Ok(draft)
    }

    fn user(&self, draft: &mut Draft) -> Result<(), StoreError> {
        let item = match &self.change {
            Transition::Create(user)
            | Transition::Update { after: user, .. }
            | Transition::Repair { after: user, .. } => from_user(self.company, user, draft.id())?,
            Transition::Anonymise(user) => {
                from_anonymised(self.company, user, self.audit.at, draft.id())
            }
        };
        let condition = match self.change.before() {
            None => Condition::Absent,
            Some(before) => Condition::Version(before.version),
        };
        draft.push(Role::User, Action::Put { item, condition });
        Ok(())
    }

    /// Drafts the difference of the lookup items: a transaction has at most one action on an item.
    fn lookups(&self, draft: &mut Draft) {
        let lookups_of = |user: Option<&User>| {
            user.map_or_else(BTreeSet::new, |user| lookups(self.company, user))
        };
        let before = lookups_of(self.change.before());
        let after = lookups_of(self.change.after());
        let missing = match self.change {
            Transition::Repair { lookups, .. } => lookups.clone(),
            _ => after.difference(&before).cloned().collect(),
        };
        for entry in before.difference(&after) {
            let delete = Action::Delete {
                key: entry.key.clone(),
                condition: Condition::Always,
            };
            draft.push(Role::Other, delete);
        }
        let user = self.change.user_id();
        for LookupEntry { key, is_user_name } in missing {
            let (role, condition) = match is_user_name {
                true => (Role::UserNameGuard, Condition::AbsentOrHeldBy(user)),
                false => (Role::Other, Condition::Always),
            };
            let item = from_lookup(key, user);
            draft.push(role, Action::Put { item, condition });
        }
    }

    fn counter(&self, draft: &mut Draft) {
        let difference = self.change.difference();
        if difference != 0 {
            let shard = self.change.user_id().shard(COUNTER_SHARDS);
            let key = keys::counter(self.company, shard);
            let add = Update::add(key, USERS, difference);
            draft.push(Role::Other, Action::Update(add));
        }
    }
}

impl Store {
    /// Writes a change of a user.
    pub(super) async fn write_user(&self, write: &UserWrite<'_>) -> Result<(), WriteError> {
        self.commit(&write.draft(self.audit_retention)?).await
    }
}

/// Returns the action of a change of an API key.
pub(super) fn api_key(change: &KeyChange<'_>, now: Timestamp) -> Action {
    match change {
        KeyChange::Create(api_key) => Action::Put {
            item: from_api_key(api_key),
            condition: Condition::Absent,
        },
        KeyChange::Expire(id, at) => {
            let set = [(EXPIRES, Value::string(at))];
            Action::Update(Update::set(keys::api_key(*id), set, Condition::Exists))
        }
        KeyChange::Revoke(id) => {
            let set = [(REVOKED, Value::string(now))];
            Action::Update(Update {
                remove: vec![NAME, SECRET_HASH, PUBLIC_KEY],
                ..Update::set(keys::api_key(*id), set, Condition::Exists)
            })
        }
    }
}

//! Repairs of findings, as plain data. Each is written only if the items have not changed since they were read.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::count::Count;
use crate::directory::{AuditRecord, KeyChange, KeyId, State, User, UserId};
use crate::store::layout::attributes::USERS;
use crate::store::layout::{
    INDEX_PK, INDEX_SK, Item, Key, LOOKUP_USER, LookupEntry, Reader, VERSION, Value, keys,
    stripped, to_user,
};
use crate::store::transaction::{Action, Condition, Update};
use crate::store::user_write::{UserWrite, api_key};
use crate::store::write::{Draft, Role};
use crate::store::{StoreError, UserChange};

/// A user's item as it was seen; `None` if it was not there.
type Seen = (UserId, Option<Item>);

/// A repair: one transaction.
pub(super) enum Repair {
    /// Writes the user again, with the missing lookups.
    Rewrite {
        before: Box<User>,
        after: Box<User>,
        lookups: BTreeSet<LookupEntry>,
    },
    DeleteLookup {
        key: Key,
        /// The user that it leads to, as it is stored.
        seen: Option<Value>,
        user: Option<Seen>,
    },
    /// Puts an item into the index.
    List {
        key: Key,
        place: (String, String),
    },
    /// Removes all attributes of the user. Only what shows that there was one may stay.
    Strip {
        id: UserId,
        found: Item,
    },
    SetCounter(Count),
    /// Revokes a key without an owner.
    Revoke {
        id: KeyId,
        user: Seen,
    },
}

impl Repair {
    /// Drafts the transaction; its audit record is kept for so long. `None` if there is nothing to write.
    pub(super) fn draft(
        &self,
        change: &UserChange,
        audit_retention: SignedDuration,
    ) -> Result<Option<Draft>, StoreError> {
        let company = change.company;
        let mut draft = Draft::new();
        match self {
            Self::Rewrite {
                before,
                after,
                lookups,
            } => {
                let write = UserWrite::repair(change, before, after, lookups);
                return write.draft(audit_retention).map(Some);
            }
            Self::DeleteLookup { key, seen, user } => {
                let delete = Action::Delete {
                    key: key.clone(),
                    condition: is_as_seen(LOOKUP_USER, seen.clone()),
                };
                draft.push(Role::Seen, delete);
                if let Some(user) = user {
                    hold_to(&mut draft, change, user, Vec::new(), audit_retention)?;
                }
            }
            Self::List { key, place } => draft.push(Role::Seen, put_into_index(key, place)),
            Self::Strip { id, found } => {
                let Some(item) = stripped(found, draft.id())? else {
                    return Ok(None);
                };
                let condition = Condition::Version(Reader(found).number(VERSION)?);
                draft.push(Role::User, Action::Put { item, condition });
                let anonymised = State::Anonymised.as_str();
                let record = change.record(Some(anonymised), anonymised);
                draft.audit(company, Some(*id), &record, audit_retention);
            }
            Self::SetCounter(count) => draft.push(Role::Seen, set_counter(change, count)),
            Self::Revoke { id, user } => {
                let revocation = KeyChange::Revoke(*id);
                draft.push(Role::Other, api_key(&revocation, change.now));
                let keys = vec![revocation.to_string()];
                hold_to(&mut draft, change, user, keys, audit_retention)?;
            }
        }
        Ok(Some(draft))
    }
}

/// Returns the condition that an attribute has not changed since it was read; it may be absent.
fn is_as_seen(attribute: &'static str, seen: Option<Value>) -> Condition {
    match seen {
        Some(seen) => Condition::Equals(attribute, seen),
        None => Condition::AttributeAbsent(attribute),
    }
}

fn put_into_index(key: &Key, (partition, sort): &(String, String)) -> Action {
    let set = [
        (INDEX_PK, Value::string(partition)),
        (INDEX_SK, Value::string(sort)),
    ];
    Action::Update(Update::set(key.clone(), set, Condition::Exists))
}

fn set_counter(change: &UserChange, count: &Count) -> Action {
    let key = keys::counter(change.company, count.shard);
    let condition = is_as_seen(USERS, count.seen.as_ref().map(Value::number));
    let set = [(USERS, Value::number(count.least))];
    Action::Update(Update::set(key, set, condition))
}

/// Adds the condition that a user has not changed since it was read, and the audit record: about the user, or about
/// the company if there is no such user.
fn hold_to(
    draft: &mut Draft,
    change: &UserChange,
    (id, seen): &Seen,
    keys: Vec<String>,
    audit_retention: SignedDuration,
) -> Result<(), StoreError> {
    let company = change.company;
    let (condition, whose, states) = match seen {
        // The company's status stays what it is.
        None => (Condition::Absent, None, (None, "unchanged")),
        Some(seen) => {
            let version = Reader(seen).number(VERSION)?;
            let state = to_user(*id, seen)?.map_or(State::Anonymised, |user| user.state());
            let states = (Some(state.as_str()), state.as_str());
            (Condition::Version(version), Some(*id), states)
        }
    };
    let key = keys::user(company, *id);
    draft.push(Role::Seen, Action::Check { key, condition });
    let record = AuditRecord {
        keys,
        ..change.record(states.0, states.1)
    };
    draft.audit(company, whose, &record, audit_retention);
    Ok(())
}

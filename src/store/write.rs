//! The one write path: every change of a user is one transaction of the user (conditioned on the
//! version read), the difference of its look-ups, the counter, its keys and an audit record. Repairs of
//! what other programs have damaged are transactions of the same kind.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::{PutBuilder, TransactWriteItemBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::backoff::Backoff;
use super::item::{self, number, string};
use super::keys::{self, COUNTER_SHARDS, Key, LookUp, PK};
use super::{Store, StoreError};
use crate::directory::{AuditRecord, CompanyId, KeyChange, User, UserId};

/// How long a transaction is sent again; with the SDK's own limits, a write ends well inside the
/// 25 s of a request.
const PATIENCE: Duration = Duration::from_secs(8);

/// What becomes of a user.
pub(super) enum Change<'u> {
    Create(&'u User),
    Update {
        before: &'u User,
        after: &'u User,
    },
    /// The same person, written again with look-ups that are missing.
    Repair {
        before: &'u User,
        after: &'u User,
        look_ups: &'u BTreeSet<LookUpEntry>,
    },
    /// Nothing personal stays.
    Anonymise(&'u User),
}

impl Change<'_> {
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
}

/// A change of one user, ready to be written.
pub(super) struct UserWrite<'u> {
    pub(super) company: CompanyId,
    pub(super) change: Change<'u>,
    pub(super) keys: Vec<KeyChange<'u>>,
    pub(super) audit: AuditRecord,
}

/// Why a transaction was not written.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The user, or what a repair was decided on, is no longer what was read.
    VersionChanged,
    /// Anything else.
    Store(StoreError),
}

/// What an action of a transaction is for; tells what its failed condition means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    UserNameGuard,
    /// The record of this very change: if it is there already, so is the change.
    Audit,
    /// What a repair was decided on.
    Seen,
    Other,
}

pub(super) struct Transaction {
    table: String,
    pub(super) write_id: String,
    actions: Vec<(Role, TransactWriteItem)>,
}

impl Transaction {
    pub(super) fn new(store: &Store) -> Self {
        Self {
            table: store.table.clone(),
            write_id: Uuid::now_v7().to_string(),
            actions: Vec::new(),
        }
    }

    /// Holds the transaction to a user of the version that was seen, or to none.
    pub(super) fn expect_user(&mut self, key: Key, seen: Option<u64>) -> Result<(), StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(item::key(key)));
        let check = match seen {
            None => check
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK),
            Some(version) => check
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", item::VERSION)
                .expression_attribute_values(":version", number(version)),
        };
        let check = check.build().map_err(StoreError::incomplete)?;
        let action = TransactWriteItem::builder().condition_check(check);
        self.push(Role::Seen, action);
        Ok(())
    }

    /// Deletes a look-up that leads to whom it was seen to.
    pub(super) fn delete_look_up(
        &mut self,
        key: Key,
        seen: Option<AttributeValue>,
    ) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(item::key(key)))
            .condition_expression(condition(seen.is_some()))
            .expression_attribute_names("#seen", item::LOOK_UP_USER)
            .set_expression_attribute_values(seen.map(seen_value))
            .build()
            .map_err(StoreError::incomplete)?;
        self.push(Role::Seen, TransactWriteItem::builder().delete(delete));
        Ok(())
    }

    /// Sets a counter that is what it was seen to be.
    pub(super) fn set_counter(
        &mut self,
        key: Key,
        seen: Option<AttributeValue>,
        users: u64,
    ) -> Result<(), StoreError> {
        let update = Update::builder()
            .set_key(Some(item::key(key)))
            .update_expression("SET #seen = :users")
            .condition_expression(condition(seen.is_some()))
            .expression_attribute_names("#seen", item::USERS)
            .set_expression_attribute_values(seen.map(seen_value))
            .expression_attribute_values(":users", number(users));
        self.update_seen(update)
    }

    /// Puts an item where it belongs in the index.
    pub(super) fn set_index(
        &mut self,
        key: Key,
        (partition, sort): &(String, String),
    ) -> Result<(), StoreError> {
        let update = Update::builder()
            .set_key(Some(item::key(key)))
            .update_expression("SET #partition = :partition, #sort = :sort")
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#partition", keys::INDEX_PK)
            .expression_attribute_names("#sort", keys::INDEX_SK)
            .expression_attribute_values(":partition", string(partition))
            .expression_attribute_values(":sort", string(sort));
        self.update_seen(update)
    }

    /// Puts what may be left of an anonymised user, who is of the version that was seen.
    pub(super) fn strip(&mut self, stripped: item::Item, seen: u64) -> Result<(), StoreError> {
        let put = Put::builder()
            .set_item(Some(stripped))
            .condition_expression("#version = :version")
            .expression_attribute_names("#version", item::VERSION)
            .expression_attribute_values(":version", number(seen));
        self.put(Role::User, put)
    }

    /// Adds a record to the audit trail of a user, or of the company itself. Time and request in its key
    /// are those of one change, so it can be written once only.
    pub(super) fn audit(
        &mut self,
        store: &Store,
        company: CompanyId,
        user: Option<UserId>,
        record: &AuditRecord,
    ) -> Result<(), StoreError> {
        let audit = item::from_audit(company, user, record, store.audit_retention);
        let put = Put::builder()
            .set_item(Some(audit))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK);
        self.put(Role::Audit, put)
    }

    fn update_seen(&mut self, update: UpdateBuilder) -> Result<(), StoreError> {
        let update = update
            .table_name(&self.table)
            .build()
            .map_err(StoreError::incomplete)?;
        self.push(Role::Seen, TransactWriteItem::builder().update(update));
        Ok(())
    }

    fn put(&mut self, role: Role, put: PutBuilder) -> Result<(), StoreError> {
        let put = put
            .table_name(&self.table)
            .build()
            .map_err(StoreError::incomplete)?;
        self.push(role, TransactWriteItem::builder().put(put));
        Ok(())
    }

    fn update(&mut self, update: UpdateBuilder) -> Result<(), StoreError> {
        let update = update
            .table_name(&self.table)
            .build()
            .map_err(StoreError::incomplete)?;
        self.push(Role::Other, TransactWriteItem::builder().update(update));
        Ok(())
    }

    fn delete(&mut self, key: Key) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(item::key(key)))
            .build()
            .map_err(StoreError::incomplete)?;
        self.push(Role::Other, TransactWriteItem::builder().delete(delete));
        Ok(())
    }

    fn push(&mut self, role: Role, action: TransactWriteItemBuilder) {
        self.actions.push((role, action.build()));
    }

    fn user(&mut self, write: &UserWrite<'_>) -> Result<(), StoreError> {
        let item = match &write.change {
            Change::Create(user)
            | Change::Update { after: user, .. }
            | Change::Repair { after: user, .. } => {
                item::from_user(write.company, user, &self.write_id)?
            }
            Change::Anonymise(user) => {
                item::from_anonymised(write.company, user, write.audit.at, &self.write_id)
            }
        };
        let put = Put::builder().set_item(Some(item));
        let put = match write.change.before() {
            None => put
                .condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK),
            Some(before) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", item::VERSION)
                .expression_attribute_values(":version", number(before.version)),
        };
        self.put(Role::User, put)
    }

    /// Only the difference is written: two actions on one item would cancel the transaction.
    fn look_ups(&mut self, write: &UserWrite<'_>) -> Result<(), StoreError> {
        let look_ups_of = |user: Option<&User>| {
            user.map_or_else(BTreeSet::new, |user| look_ups(write.company, user))
        };
        let before = look_ups_of(write.change.before());
        let after = look_ups_of(write.change.after());
        let missing = match write.change {
            Change::Repair { look_ups, .. } => look_ups.clone(),
            _ => after.difference(&before).cloned().collect(),
        };
        let user = write.change.user_id();
        for entry in before.difference(&after) {
            self.delete(entry.key())?;
        }
        for entry in &missing {
            let put = Put::builder().set_item(Some(item::from_look_up(entry.key(), user)));
            if entry.is_user_name {
                let put = put
                    .condition_expression("attribute_not_exists(#pk) OR #user = :user")
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_names("#user", item::LOOK_UP_USER)
                    .expression_attribute_values(":user", string(user));
                self.put(Role::UserNameGuard, put)?;
            } else {
                self.put(Role::Other, put)?;
            }
        }
        Ok(())
    }

    fn counter(&mut self, write: &UserWrite<'_>) -> Result<(), StoreError> {
        let difference = match write.change {
            Change::Create(_) => 1,
            Change::Anonymise(_) => -1,
            Change::Update { .. } | Change::Repair { .. } => return Ok(()),
        };
        let key = keys::counter(write.company, write.change.user_id().shard(COUNTER_SHARDS));
        self.update(
            Update::builder()
                .set_key(Some(item::key(key)))
                .update_expression("ADD #users :difference")
                .expression_attribute_names("#users", item::USERS)
                .expression_attribute_values(":difference", number(difference)),
        )
    }

    pub(super) fn api_key(
        &mut self,
        change: &KeyChange<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match change {
            KeyChange::Create(api_key) => self.put(
                Role::Other,
                Put::builder()
                    .set_item(Some(item::from_api_key(api_key)))
                    .condition_expression("attribute_not_exists(#pk)")
                    .expression_attribute_names("#pk", PK),
            ),
            KeyChange::Expire(id, at) => self.update(
                Update::builder()
                    .set_key(Some(item::key(keys::api_key(*id))))
                    .update_expression("SET #expires = :at")
                    .condition_expression("attribute_exists(#pk)")
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_names("#expires", item::EXPIRES)
                    .expression_attribute_values(":at", string(at)),
            ),
            KeyChange::Revoke(id) => self.update(
                Update::builder()
                    .set_key(Some(item::key(keys::api_key(*id))))
                    .update_expression("SET #revoked = :now REMOVE #name, #hash")
                    .condition_expression("attribute_exists(#pk)")
                    .expression_attribute_names("#pk", PK)
                    .expression_attribute_names("#revoked", item::REVOKED)
                    .expression_attribute_names("#name", item::NAME)
                    .expression_attribute_names("#hash", item::SECRET_HASH)
                    .expression_attribute_values(":now", string(now)),
            ),
        }
    }
}

/// The condition that an attribute is what was seen, which may be nothing.
fn condition(is_there: bool) -> &'static str {
    match is_there {
        true => "#seen = :seen",
        false => "attribute_not_exists(#seen)",
    }
}

fn seen_value(seen: AttributeValue) -> HashMap<String, AttributeValue> {
    HashMap::from([(":seen".to_owned(), seen)])
}

/// A look-up item by its key; ordered, so that differences are too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LookUpEntry {
    pk: String,
    sk: String,
    pub(super) is_user_name: bool,
}

impl LookUpEntry {
    pub(super) fn key(&self) -> Key {
        Key {
            pk: self.pk.clone(),
            sk: self.sk.clone(),
        }
    }
}

/// The look-ups that a user must have; no others may lead to them.
pub(super) fn look_ups(company: CompanyId, user: &User) -> BTreeSet<LookUpEntry> {
    let emails = user
        .document
        .elements("emails")
        .iter()
        .filter_map(|element| element.get("value").and_then(Value::as_str))
        .map(|value| (LookUp::Email, value));
    let user_name = user.document.string("userName");
    let external_id = user.document.string("externalId");
    user_name
        .map(|value| (LookUp::UserName, value))
        .into_iter()
        .chain(external_id.map(|value| (LookUp::ExternalId, value)))
        .chain(emails)
        .filter(|(_, value)| !value.is_empty())
        .map(|(look_up, value)| {
            let Key { pk, sk } = look_up.key(company, value, user.id);
            LookUpEntry {
                pk,
                sk,
                is_user_name: look_up == LookUp::UserName,
            }
        })
        .collect()
}

impl Store {
    /// Writes a change of a user.
    pub(super) async fn write_user(&self, write: UserWrite<'_>) -> Result<(), WriteError> {
        let transaction = self.prepare(&write).map_err(WriteError::Store)?;
        self.commit(&transaction).await
    }

    fn prepare(&self, write: &UserWrite<'_>) -> Result<Transaction, StoreError> {
        let mut transaction = Transaction::new(self);
        transaction.user(write)?;
        transaction.look_ups(write)?;
        transaction.counter(write)?;
        for change in &write.keys {
            transaction.api_key(change, write.audit.at)?;
        }
        let user = write.change.user_id();
        transaction.audit(self, write.company, Some(user), &write.audit)?;
        Ok(transaction)
    }

    /// Sends a transaction until it is written, refused, or [`PATIENCE`] ends. An answer may be lost
    /// after the write took effect: DynamoDB then knows the token again, and whoever does not, or
    /// no more, finds the change's audit record, whatever others have done to the user since.
    pub(super) async fn commit(&self, transaction: &Transaction) -> Result<(), WriteError> {
        let mut backoff = Backoff::new(PATIENCE);
        loop {
            let actions = transaction.actions.iter().map(|(_, action)| action.clone());
            let result = self
                .client
                .transact_write_items()
                .set_transact_items(Some(actions.collect()))
                .client_request_token(&transaction.write_id)
                .send()
                .await;
            let Err(error) = result else {
                return Ok(());
            };
            let busy = match outcome(error, transaction) {
                Outcome::Written => return Ok(()),
                Outcome::Failed(error) => return Err(error),
                Outcome::TryAgain(busy) => busy,
            };
            if !backoff.pause().await {
                return Err(WriteError::Store(busy));
            }
        }
    }
}

enum Outcome {
    Written,
    TryAgain(StoreError),
    Failed(WriteError),
}

fn outcome(error: SdkError<TransactWriteItemsError>, transaction: &Transaction) -> Outcome {
    let reasons: &[CancellationReason] = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        _ => {
            return match StoreError::from_sdk(error) {
                busy @ StoreError::Busy(_) => Outcome::TryAgain(busy),
                refused => Outcome::Failed(WriteError::Store(refused)),
            };
        }
    };
    let is_failed = |role: Role| {
        transaction
            .actions
            .iter()
            .zip(reasons)
            .any(|((actual, _), reason)| {
                *actual == role && reason.code() == Some("ConditionalCheckFailed")
            })
    };
    if is_failed(Role::Audit) {
        return Outcome::Written;
    }
    if is_failed(Role::User) || is_failed(Role::Seen) {
        return Outcome::Failed(WriteError::VersionChanged);
    }
    if is_failed(Role::UserNameGuard) {
        return Outcome::Failed(WriteError::Store(StoreError::UserNameTaken));
    }
    let is_passing = reasons.iter().all(|reason| {
        matches!(
            reason.code(),
            None | Some(
                "None"
                    | "TransactionConflict"
                    | "ThrottlingError"
                    | "ProvisionedThroughputExceeded"
            )
        )
    });
    if is_passing {
        Outcome::TryAgain(StoreError::Busy("transaction in conflict".to_owned()))
    } else {
        let codes: Vec<&str> = reasons
            .iter()
            .filter_map(CancellationReason::code)
            .collect();
        Outcome::Failed(WriteError::Store(StoreError::Refused(format!(
            "transaction cancelled: {}",
            codes.join(", ")
        ))))
    }
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

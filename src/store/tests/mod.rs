//! What each change writes, as plain data, and what a refused transaction means. No database takes part.

mod changes;
mod keys_and_companies;
mod outcomes;
mod repairs;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::layout::{Item, Key, Reader, Value, from_user};
use super::table::{
    Attributes, CommitError, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
    ReadinessCheck, Table,
};
use super::transaction::{Action, Condition, Transaction, Update};
use super::{Store, StoreError, UserChange};
use crate::directory::{Actor, CompanyId, Operation, User, UserId};
use scim::resource::Document;

const COMPANY: &str = "018f2d5c-3b1a-7c4e-9f00-000000000001";
/// Its users are counted by the counter 2.
const USER: &str = "018f2d5c-3b1a-7c4e-9f00-000000000002";
const NOW: &str = "2026-01-02T03:04:05.678Z";
const LATER: &str = "2026-01-02T03:05:00Z";

/// A table that holds the items it is given, and records what is written.
#[derive(Debug, Default)]
struct Recorder {
    items: BTreeMap<Key, Item>,
    /// How commits end, in order; those after the last succeed.
    results: Mutex<VecDeque<CommitError>>,
    committed: Mutex<Vec<Transaction>>,
    /// How confirmations end, in order; those after the last succeed.
    unconfirmed: Mutex<VecDeque<StoreError>>,
    confirmed: Mutex<usize>,
    updated: Mutex<Vec<Update>>,
}

impl Recorder {
    fn holding(items: impl IntoIterator<Item = Item>) -> Self {
        let keyed = |item: Item| (Reader(&item).key().unwrap(), item);
        Self {
            items: items.into_iter().map(keyed).collect(),
            ..Self::default()
        }
    }

    fn refusing(self, results: impl IntoIterator<Item = CommitError>) -> Self {
        let results = Mutex::new(results.into_iter().collect());
        Self { results, ..self }
    }

    fn store(self) -> (Store, Arc<Self>) {
        let recorder = Arc::new(self);
        (Store::on(Arc::clone(&recorder) as Arc<dyn Table>), recorder)
    }

    /// Returns the actions of the only transaction, and its id.
    fn only(&self) -> (String, Vec<Action>) {
        let mut committed = self.committed.lock().unwrap().clone();
        assert_eq!(committed.len(), 1, "{committed:#?}");
        let Transaction { id, actions } = committed.remove(0);
        (id, actions)
    }

    fn ids(&self) -> Vec<String> {
        let committed = self.committed.lock().unwrap();
        committed.iter().map(|it| it.id.clone()).collect()
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Table for Recorder {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        ready(Ok(self.items.get(&key).cloned()))
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        let found = keys.iter().filter_map(|key| self.items.get(key));
        ready(Ok(found.cloned().collect()))
    }

    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        _: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        let found = self.items.iter().filter(|(key, _)| key.pk == range.pk);
        let items = found.map(|(_, item)| item.clone()).collect();
        ready(Ok(Page { items, next: None }))
    }

    fn read_index<'a>(
        &'a self,
        _: IndexRange<'a>,
        _: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>> {
        ready(Ok(IndexPage::default()))
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        self.committed.lock().unwrap().push(transaction.clone());
        let refusal = self.results.lock().unwrap().pop_front();
        ready(refusal.map_or(Ok(()), Err))
    }

    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.updated.lock().unwrap().push(update);
        ready(Ok(true))
    }

    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        *self.confirmed.lock().unwrap() += 1;
        let refusal = self.unconfirmed.lock().unwrap().pop_front();
        ready(refusal.map_or(Ok(()), Err))
    }

    fn scan(
        &self,
        _: Attributes,
        _: Option<Key>,
        _: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        let items = self.items.values().cloned().collect();
        ready(Ok(Page { items, next: None }))
    }

    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>> {
        ready(None)
    }

    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>> {
        ready(Vec::new())
    }
}

fn company() -> CompanyId {
    CompanyId::parse(COMPANY).unwrap()
}

fn id() -> UserId {
    UserId::parse(USER).unwrap()
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

/// Returns a change by an operator in the request `request`.
fn change(operation: Operation, time: &str) -> UserChange {
    UserChange {
        company: company(),
        actor: Actor::Operator,
        operation,
        request_id: "request".to_owned(),
        now: at(time),
    }
}

fn document(json: &str) -> Document {
    let Json::Object(members) = serde_json::from_str(json).unwrap() else {
        panic!("{json} is no object");
    };
    Document::from_validated(members)
}

/// Returns a user of version 1.
fn user(json: &str) -> User {
    User::new(id(), document(json), at(NOW)).unwrap()
}

/// Returns the item of a user, as an earlier write left it.
fn stored(user: &User) -> Item {
    from_user(company(), user, "earlier").unwrap()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn number(number: i64) -> Value {
    Value::Number(number.to_string())
}

fn texts(all: &[&str]) -> Value {
    Value::StringSet(all.iter().map(|text| (*text).to_owned()).collect())
}

fn item<const N: usize>(attributes: [(&str, Value); N]) -> Item {
    let named = |(name, value): (&str, Value)| (name.to_owned(), value);
    attributes.into_iter().map(named).collect()
}

fn key(pk: &str, sk: &str) -> Key {
    let (pk, sk) = (pk.to_owned(), sk.to_owned());
    Key { pk, sk }
}

fn put(item: Item, condition: Condition) -> Action {
    Action::Put { item, condition }
}

fn of_user() -> String {
    format!("COMPANY#{COMPANY}#USER#{USER}")
}

/// Returns the partition key of the lookup items for a value, which is folded.
fn lookup(attribute: &str, folded: &str) -> String {
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(folded));
    format!("COMPANY#{COMPANY}#{attribute}#{digest}")
}

/// Returns the action that writes a lookup item that is not unique.
fn put_lookup(attribute: &str, folded: &str) -> Action {
    let found = item([
        ("PK", text(&lookup(attribute, folded))),
        ("SK", text(&format!("USER#{USER}"))),
        ("userId", text(USER)),
    ]);
    put(found, Condition::Always)
}

fn delete_lookup(attribute: &str, folded: &str) -> Action {
    Action::Delete {
        key: key(&lookup(attribute, folded), &format!("USER#{USER}")),
        condition: Condition::Always,
    }
}

/// Returns the action that reserves a `userName`.
fn put_user_name(folded: &str) -> Action {
    let found = item([
        ("PK", text(&lookup("userName", folded))),
        ("SK", text("USER")),
        ("userId", text(USER)),
    ]);
    put(found, Condition::AbsentOrHeldBy(id()))
}

fn delete_user_name(folded: &str) -> Action {
    Action::Delete {
        key: key(&lookup("userName", folded), "USER"),
        condition: Condition::Always,
    }
}

/// Returns the action that writes an audit record of an operator's change at [`NOW`], about the user or the company
/// itself, with these attributes more.
fn put_audit<const N: usize>(pk: &str, operation: &str, more: [(&str, Value); N]) -> Action {
    put_audit_of("request", pk, operation, more)
}

/// The same, in another request.
fn put_audit_of<const N: usize>(
    request: &str,
    pk: &str,
    operation: &str,
    more: [(&str, Value); N],
) -> Action {
    let time = "2026-01-02T03:04:05.678000000Z";
    let mut record = item([
        ("PK", text(pk)),
        ("SK", text(&format!("AUDIT#{time}#{request}"))),
        (
            "ByCompanyPK",
            text(&format!("COMPANY#{COMPANY}#AUDIT#2026-01-02")),
        ),
        ("ByCompanySK", text(time)),
        ("actor", text("operator")),
        ("operation", text(operation)),
        // 365 days later.
        ("ttl", number(1_798_859_045)),
    ]);
    record.extend(item(more));
    put(record, Condition::Absent)
}

//! Carries out an operation on an engine, and returns what came of it in a form that can be compared.
//!
//! What one engine may do and another may not is made equal here, and nothing else: see the trait
//! [`Table`]. These are the sizes of pages, the order of the items of one `get_many` or scan, the order of index entries
//! with the same sort key, the notation of numbers, and whether a repeated transaction is recognised by its id.

use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{Item, Key};
use paradigm_scim::store::table::{
    CommitError, IndexEntry, IndexRange, Page, PartitionRange, Table,
};
use paradigm_scim::store::transaction::{Action, Condition, Transaction};
use uuid::Uuid;

use super::generate::Operation;
use super::pool::Pool;
use super::values::normal;
use crate::raw::key_of;

/// Most pages of one read: an engine that returns more than that does not come to an end.
const MAX_PAGES: usize = 10_000;

/// What an operation returned.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Items(Vec<Item>),
    Entries(Vec<IndexEntry>),
    /// The transaction or update was written.
    Written,
    /// These conditions of a transaction, or the condition of an update, did not hold.
    Conditions(Vec<usize>),
    /// The operation cannot succeed.
    Refused(Reason),
    /// The engine broke a rule of the trait, or failed.
    Broken(String),
}

/// What an engine says about a refusal: each has its own words, so all are equal.
#[derive(Debug, Clone)]
pub(super) struct Reason(#[expect(dead_code, reason = "shown when a comparison fails")] String);

impl PartialEq for Reason {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl From<StoreError> for Outcome {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(reason) => Self::Refused(Reason(reason)),
            other => Self::Broken(other.to_string()),
        }
    }
}

impl From<Result<(), CommitError>> for Outcome {
    fn from(result: Result<(), CommitError>) -> Self {
        match result {
            Ok(()) => Self::Written,
            Err(CommitError::Conditions(failed)) => Self::Conditions(failed),
            Err(CommitError::Store(error)) => error.into(),
        }
    }
}

/// Carries out an operation.
pub(super) async fn carry_out(table: &dyn Table, operation: &Operation, pool: &Pool) -> Outcome {
    let outcome = match operation {
        Operation::Get(key) => {
            let found = table.get(key.clone()).await;
            found.map(|item| Outcome::Items(item.into_iter().collect()))
        }
        Operation::GetMany(keys) => {
            let found = table.get_many(keys.clone()).await;
            found.map(|items| Outcome::Items(by_key(items)))
        }
        Operation::ReadPartition { pk, between, after } => {
            let between = between.as_ref();
            let between = between.map(|(first, last)| (first.as_str(), last.as_str()));
            let range = PartitionRange { pk, between };
            read_partition(table, range, after.clone()).await
        }
        Operation::ReadIndex {
            partition,
            above,
            limit,
            after,
        } => {
            let range = IndexRange {
                partition,
                above: above.as_deref(),
                limit: *limit,
            };
            read_index(table, range, after.clone()).await
        }
        Operation::DeleteAlongIndex { partition, limit } => {
            return delete_along_index(table, partition, *limit).await;
        }
        Operation::Commit(transaction) => return table.commit(transaction).await.into(),
        Operation::CommitTwice(transaction) => return commit_twice(table, transaction).await,
        Operation::Update(update) => table.update(update.clone()).await.map(|held| match held {
            true => Outcome::Written,
            false => Outcome::Conditions(vec![0]),
        }),
        Operation::Scan { .. } => scan(table, operation, pool).await,
    };
    match outcome {
        Ok(Outcome::Items(items)) => Outcome::Items(items.into_iter().map(normal).collect()),
        Ok(outcome) => outcome,
        Err(error) => error.into(),
    }
}

async fn read_partition(
    table: &dyn Table,
    range: PartitionRange<'_>,
    mut after: Option<Key>,
) -> Result<Outcome, StoreError> {
    let mut items = Vec::new();
    for _ in 0..MAX_PAGES {
        let page = table.read_partition(range, after).await?;
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(Outcome::Items(items));
        }
    }
    Ok(endless())
}

async fn read_index(
    table: &dyn Table,
    range: IndexRange<'_>,
    mut after: Option<IndexEntry>,
) -> Result<Outcome, StoreError> {
    let mut entries = Vec::new();
    for _ in 0..MAX_PAGES {
        let page = table.read_index(range, after).await?;
        if range.limit.is_some_and(|limit| page.entries.len() > limit) {
            return Ok(Outcome::Broken(
                "a page is longer than its limit".to_owned(),
            ));
        }
        entries.extend(page.entries);
        after = page.next;
        if after.is_none() {
            return Ok(in_order(entries));
        }
    }
    Ok(endless())
}

/// Checks the order of index entries, and sorts those that have the same sort key.
fn in_order(mut entries: Vec<IndexEntry>) -> Outcome {
    if !entries.is_sorted_by(|a, b| a.sort <= b.sort) {
        return Outcome::Broken(format!("index entries are not in order: {entries:?}"));
    }
    entries.sort();
    Outcome::Entries(entries)
}

async fn delete_along_index(table: &dyn Table, partition: &str, limit: usize) -> Outcome {
    let range = IndexRange {
        partition,
        above: None,
        limit: Some(limit),
    };
    let mut entries: Vec<IndexEntry> = Vec::new();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = match table.read_index(range, after).await {
            Ok(page) => page,
            Err(error) => return error.into(),
        };
        // An engine may end a page early, so what is deleted goes by the number of entries.
        for entry in page.entries {
            entries.push(entry);
            let last = entries
                .last()
                .filter(|_| entries.len().is_multiple_of(limit));
            if let Some(IndexEntry { key, .. }) = last
                && let Err(error) = table.commit(&deletion(vec![key.clone()])).await
            {
                return Err(error).into();
            }
        }
        after = page.next;
        if after.is_none() {
            return in_order(entries);
        }
    }
    endless()
}

/// Returns a transaction that deletes items.
pub(super) fn deletion(keys: Vec<Key>) -> Transaction {
    let condition = Condition::Always;
    let actions = keys.into_iter().map(|key| Action::Delete {
        key,
        condition: condition.clone(),
    });
    Transaction {
        id: Uuid::now_v7().to_string(),
        actions: actions.collect(),
    }
}

/// Commits a transaction twice. Once it is written, the second commit may succeed without writing again, or fail at
/// least at the audit record.
async fn commit_twice(table: &dyn Table, transaction: &Transaction) -> Outcome {
    let first = Outcome::from(table.commit(transaction).await);
    let second = Outcome::from(table.commit(transaction).await);
    match (&first, &second) {
        (Outcome::Written, Outcome::Written) => first,
        (Outcome::Written, Outcome::Conditions(failed)) if failed.first() == Some(&0) => first,
        _ if first == second => first,
        _ => Outcome::Broken(format!("committed twice: {first:?}, then {second:?}")),
    }
}

async fn scan(
    table: &dyn Table,
    operation: &Operation,
    pool: &Pool,
) -> Result<Outcome, StoreError> {
    let Operation::Scan { attributes, limit } = operation else {
        return Ok(Outcome::Broken("not a scan".to_owned()));
    };
    let mut items = Vec::new();
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let Page { items: found, next } = table.scan(*attributes, after, *limit).await?;
        if found.len() > *limit {
            return Ok(Outcome::Broken(
                "a page is longer than its limit".to_owned(),
            ));
        }
        // Others may use the table too.
        let keys = pool.all();
        items.extend(
            found
                .into_iter()
                .filter(|item| keys.contains(&key_of(item))),
        );
        after = next;
        if after.is_none() {
            return Ok(Outcome::Items(by_key(items)));
        }
    }
    Ok(endless())
}

fn endless() -> Outcome {
    Outcome::Broken("the pages do not come to an end".to_owned())
}

fn by_key(mut items: Vec<Item>) -> Vec<Item> {
    items.sort_by_cached_key(key_of);
    items
}

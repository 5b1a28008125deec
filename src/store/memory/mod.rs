//! The engine in this process's memory, for trials and tests. Nothing of it outlives the process.
//!
//! It is also the reference: `semantics` says what conditions and updates mean, and the tests compare every other
//! engine with it.

mod items;
pub mod number;
pub(super) mod semantics;
#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use futures_util::future::BoxFuture;

use super::StoreError;
use super::layout::{Item, Key, PK, SK};
use super::table::{
    Attributes, BATCH_SIZE, CommitError, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
    ReadinessCheck, Table, read_and_write,
};
use super::transaction::{Action, MAX_ACTIONS, Transaction, Update};
use super::usage;
use items::Items;
use semantics::{condition_of, holds, key_of, updated};

/// Most items of one page, so that the lock is free again soon.
const PAGE_SIZE: usize = 1_000;

/// A table in memory.
///
/// It recognises no transaction that is committed again, and drops no item after its
/// [`TTL`](super::layout::TTL). Its index never lags behind. No call fails with [`StoreError::Busy`].
#[derive(Debug, Default)]
pub struct Memory {
    items: RwLock<Items>,
}

/// What an action writes: the item to be there afterwards, or none.
type Written = Option<Arc<Item>>;

impl Memory {
    /// Makes an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Locks the items for reading. A panic under the lock cannot have left half of a write: see [`Memory::carry_out`].
    fn read(&self) -> RwLockReadGuard<'_, Items> {
        self.items.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Items> {
        self.items.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out all actions or none. Everything that can fail comes before the first change.
    fn carry_out(&self, transaction: &Transaction) -> Result<(), CommitError> {
        let keys = distinct_keys(transaction)?;
        // Copied before the lock is taken.
        let puts: Vec<Written> = transaction.actions.iter().map(put).collect();
        let mut items = self.write();
        let failed: Vec<usize> = (transaction.actions.iter().zip(&keys))
            .enumerate()
            .filter(|(_, (action, key))| !holds(condition_of(action), items.get(key)))
            .map(|(position, _)| position)
            .collect();
        if !failed.is_empty() {
            return Err(CommitError::Conditions(failed));
        }
        let mut changes = Vec::with_capacity(keys.len());
        for ((action, key), put) in transaction.actions.iter().zip(keys).zip(puts) {
            match action {
                Action::Put { .. } => changes.push((key, put)),
                Action::Delete { .. } => changes.push((key, None)),
                Action::Update(update) => {
                    let item = updated(update, items.get(&key))?;
                    changes.push((key, Some(Arc::new(item))));
                }
                Action::Check { .. } => {}
            }
        }
        let replaced: Vec<Written> = changes
            .into_iter()
            .map(|(key, item)| items.replace(key, item))
            .collect();
        // Freed after the lock.
        drop(items);
        drop(replaced);
        Ok(())
    }

    fn carry_out_one(&self, update: Update) -> Result<bool, StoreError> {
        let mut items = self.write();
        let found = items.get(&update.key);
        if !holds(&update.condition, found) {
            return Ok(false);
        }
        let item = updated(&update, found)?;
        items.replace(update.key, Some(Arc::new(item)));
        Ok(true)
    }
}

/// Returns what a put writes; `None` for other actions.
fn put(action: &Action) -> Written {
    match action {
        Action::Put { item, .. } => Some(Arc::new(item.clone())),
        _ => None,
    }
}

/// Returns the key of each action's item.
fn distinct_keys(transaction: &Transaction) -> Result<Vec<Key>, StoreError> {
    let refused = |reason: &str| Err(StoreError::Refused(reason.to_owned()));
    let actions = &transaction.actions;
    if actions.is_empty() || actions.len() > MAX_ACTIONS {
        return refused("a transaction of no actions, or of too many");
    }
    let keys = actions
        .iter()
        .map(key_of)
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut sorted: Vec<&Key> = keys.iter().collect();
    sorted.sort_unstable();
    if sorted
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a == b))
    {
        return refused("a transaction with two actions on one item");
    }
    Ok(keys)
}

/// Counts a call. A task that reads on and on gives way to others at times, as it would if it waited for an engine.
async fn call() {
    usage::record(|usage| usage.calls += 1);
    tokio::task::coop::consume_budget().await;
}

/// Returns copies of items, which are made without the lock.
fn copies(items: Vec<Arc<Item>>) -> Vec<Item> {
    items.into_iter().map(Arc::unwrap_or_clone).collect()
}

impl Table for Memory {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(async move {
            call().await;
            let found = self.read().get(&key).cloned();
            Ok(found.map(Arc::unwrap_or_clone))
        })
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(async move {
            call().await;
            if keys.len() > BATCH_SIZE {
                return Err(StoreError::Refused("too many keys".to_owned()));
            }
            let items = self.read();
            let found = keys.iter().filter_map(|key| items.get(key).cloned());
            let found: Vec<Arc<Item>> = found.collect();
            drop(items);
            Ok(copies(found))
        })
    }

    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        after: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            call().await;
            let (found, next) = self.read().partition(range, after, PAGE_SIZE);
            let items = copies(found);
            Ok(Page { items, next })
        })
    }

    fn read_index<'a>(
        &'a self,
        range: IndexRange<'a>,
        after: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>> {
        Box::pin(async move {
            call().await;
            let size = range.limit.unwrap_or(PAGE_SIZE).min(PAGE_SIZE);
            let (entries, next) = self.read().index(range, after, size);
            Ok(IndexPage { entries, next })
        })
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        Box::pin(async move {
            call().await;
            self.carry_out(transaction)
        })
    }

    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            call().await;
            self.carry_out_one(update)
        })
    }

    /// Everything that can be read is safe.
    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn scan(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(async move {
            call().await;
            let (found, next) = self.read().all(after, limit.min(PAGE_SIZE));
            let items = match attributes {
                Attributes::All => copies(found),
                Attributes::KeysAnd(names) => {
                    let wanted = |name: &str| [PK, SK].contains(&name) || names.contains(&name);
                    let reduced = |item: Arc<Item>| {
                        let kept = item.iter().filter(|(name, _)| wanted(name));
                        kept.map(|(name, value)| (name.clone(), value.clone()))
                            .collect()
                    };
                    found.into_iter().map(reduced).collect()
                }
            };
            Ok(Page { items, next })
        })
    }

    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(async move {
            call().await;
            u64::try_from(self.read().len()).ok()
        })
    }

    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>> {
        Box::pin(read_and_write(self))
    }
}

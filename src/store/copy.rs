//! Copies the items of one table to another, also of another engine, and compares the two item by item.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use uuid::Uuid;

use super::backoff::while_busy;
use super::layout::{Item, Key, Kind, Reader, TTL, Value};
use super::memory::semantics::is_equal;
use super::scan::BUSY_TIMEOUT;
use super::table::{Attributes, BATCH_SIZE, CommitError};
use super::transaction::{Action, Condition, Transaction};
use super::{Store, StoreError};

/// Most bytes of the items of one transaction, by [`size`]. DynamoDB takes 4 MB.
const MAX_BATCH_BYTES: usize = 2 * 1024 * 1024;
/// Transactions, or reads of the other table, at the same time.
const AT_ONCE: usize = 4;
/// Most differences that are named.
const MAX_NAMED: usize = 10;

/// What a copy has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Items of the source, except passing ones.
    pub items: u64,
    /// Items that were written. The others were there already.
    pub written: u64,
}

/// How an item of one table differs from the other table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// The target does not have it.
    Missing,
    /// The target has another item under its key.
    Changed,
    /// Only the target has it.
    Additional,
}

/// The result of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Items of the source that were compared.
    pub items: u64,
    /// Number of differences of each kind.
    pub counts: BTreeMap<Difference, u64>,
    /// The first differences, up to ten.
    pub named: Vec<(Difference, Key)>,
}

impl Comparison {
    /// Returns whether both tables have the same items.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.counts.is_empty()
    }

    fn note(&mut self, difference: Difference, key: Key) {
        *self.counts.entry(difference).or_default() += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push((difference, key));
        }
    }
}

impl Store {
    /// Copies every item to another table, and returns what was done. Nobody may write to either table meanwhile;
    /// [`Store::compare`] shows afterwards whether somebody did.
    ///
    /// Items that are there already are read, not written. So a copy that was interrupted goes on when it is repeated.
    /// Items whose time is over at `now`, and scan budgets, stay behind. `seen` gets the number of items of each page.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn copy_to(
        &self,
        target: &Self,
        now: Timestamp,
        seen: impl FnMut(u64),
    ) -> Result<Copied, StoreError> {
        let mut copied = Copied::default();
        self.each_page(Attributes::All, now, seen, async |items| {
            copied.items += items.len() as u64;
            let pairs = target.beside(items).await?.into_iter();
            let new = pairs.filter(|(item, there)| !is_there(item, there.as_ref()));
            copied.written += target.put_all(new.map(|(item, _)| item)).await?;
            Ok(())
        })
        .await?;
        Ok(copied)
    }

    /// Compares every item with another table's, and the other way round. `seen` gets the number of items of each page,
    /// of both tables.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn compare(
        &self,
        target: &Self,
        now: Timestamp,
        mut seen: impl FnMut(u64),
    ) -> Result<Comparison, StoreError> {
        let mut comparison = Comparison::default();
        self.each_page(Attributes::All, now, &mut seen, async |items| {
            comparison.items += items.len() as u64;
            for (item, there) in target.beside(items).await? {
                if !is_there(&item, there.as_ref()) {
                    let difference = there.map_or(Difference::Missing, |_| Difference::Changed);
                    comparison.note(difference, Reader(&item).key()?);
                }
            }
            Ok(())
        })
        .await?;
        for key in self.additional(target, now, seen).await? {
            comparison.note(Difference::Additional, key);
        }
        Ok(comparison)
    }

    /// Returns the keys of the items that another table has and this one does not. `seen` gets the number of items of
    /// each page.
    ///
    /// # Errors
    /// Fails as every call does: see [`StoreError`].
    pub async fn additional(
        &self,
        other: &Self,
        now: Timestamp,
        seen: impl FnMut(u64),
    ) -> Result<Vec<Key>, StoreError> {
        let mut additional = Vec::new();
        let keys = Attributes::KeysAnd(&[TTL]);
        other
            .each_page(keys, now, seen, async |items| {
                for (item, here) in self.beside(items).await? {
                    if here.is_none() {
                        additional.push(Reader(&item).key()?);
                    }
                }
                Ok(())
            })
            .await?;
        Ok(additional)
    }

    /// Visits the items that are not passing, page by page.
    async fn each_page(
        &self,
        attributes: Attributes,
        now: Timestamp,
        mut seen: impl FnMut(u64),
        mut visit: impl AsyncFnMut(Vec<Item>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let mut page = self.scan_page(attributes, after).await?;
            let read = page.items.len() as u64;
            page.items.retain(|item| !is_passing(item, now));
            visit(page.items).await?;
            seen(read);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Returns each item with the one that is here under its key.
    async fn beside(&self, items: Vec<Item>) -> Result<Vec<(Item, Option<Item>)>, StoreError> {
        let pairs = stream::iter(batches(items))
            .map(async |batch| {
                let mut found = self.found(&batch).await?;
                batch
                    .into_iter()
                    .map(|item| {
                        let there = found.remove(&Reader(&item).key()?);
                        Ok::<_, StoreError>((item, there))
                    })
                    .collect::<Result<Vec<_>, _>>()
            })
            .buffer_unordered(AT_ONCE);
        pairs.try_concat().await
    }

    /// Returns the items that are here under the keys of these.
    async fn found(&self, items: &[Item]) -> Result<BTreeMap<Key, Item>, StoreError> {
        let keys = items.iter().map(|item| Reader(item).key());
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let read = async || self.table.get_many(keys.clone()).await;
        let found = while_busy(BUSY_TIMEOUT, read).await?.into_iter();
        found.map(|item| Ok((Reader(&item).key()?, item))).collect()
    }

    /// Writes items in the place of those that are there; returns how many.
    async fn put_all(&self, items: impl Iterator<Item = Item>) -> Result<u64, StoreError> {
        let written = stream::iter(batches(items))
            .map(|batch| self.put(batch))
            .buffer_unordered(AT_ONCE);
        let sum = async |sum, written| Ok(sum + written);
        written.try_fold(0, sum).await
    }

    async fn put(&self, items: Vec<Item>) -> Result<u64, StoreError> {
        let number = items.len() as u64;
        let put = |item| Action::Put {
            item,
            condition: Condition::Always,
        };
        let transaction = Transaction {
            id: Uuid::now_v7().to_string(),
            actions: items.into_iter().map(put).collect(),
        };
        let commit = async || match self.table.commit(&transaction).await {
            Ok(()) => Ok(number),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Conditions(_)) => {
                let reason = "a condition did not hold, although there was none".to_owned();
                Err(StoreError::Refused(reason))
            }
        };
        while_busy(BUSY_TIMEOUT, commit).await
    }
}

/// Returns whether an item stays behind: its time is over, or it is a scan budget.
fn is_passing(item: &Item, now: Timestamp) -> bool {
    let reader = Reader(item);
    let is_budget = |key: Key| matches!(key.kind(), Kind::ScanBudget(_));
    let is_over = |end: u64| i64::try_from(end).is_ok_and(|end| end <= now.as_second());
    reader.key().is_ok_and(is_budget) || reader.number(TTL).is_ok_and(is_over)
}

/// Returns whether an item is the same as the one that is there.
fn is_there(item: &Item, there: Option<&Item>) -> bool {
    there.is_some_and(|there| is_same(item, there))
}

/// Divides items into batches that one transaction takes.
fn batches(items: impl IntoIterator<Item = Item>) -> Vec<Vec<Item>> {
    let mut batches: Vec<Vec<Item>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = item
            .iter()
            .map(|(name, value)| name.len() + size(value))
            .sum::<usize>();
        match batches.last_mut() {
            Some(batch) if batch.len() < BATCH_SIZE && bytes + size <= MAX_BATCH_BYTES => {
                bytes += size;
                batch.push(item);
            }
            _ => {
                bytes = size;
                batches.push(vec![item]);
            }
        }
    }
    batches
}

/// Returns about how many bytes a value takes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) | Value::Number(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::Bool(_) | Value::Null => 1,
        Value::List(values) => values.iter().map(|value| 1 + size(value)).sum(),
        Value::Map(values) => {
            let sizes = values
                .iter()
                .map(|(name, value)| 1 + name.len() + size(value));
            sizes.sum()
        }
        Value::StringSet(texts) | Value::NumberSet(texts) => texts.iter().map(String::len).sum(),
        Value::BytesSet(all) => all.iter().map(Vec::len).sum(),
    }
}

/// Returns whether two items are equal. An engine may read a number in another notation than it was written in.
fn is_same(a: &Item, b: &Item) -> bool {
    let mut pairs = a.iter().zip(b);
    a.len() == b.len() && pairs.all(|((a, x), (b, y))| a == b && is_equal(x, y))
}

//! A table whose calls are counted, on any engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{Item, Key};
use paradigm_scim::store::table::{
    Attributes, CommitError, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
    ReadinessCheck, Table,
};
use paradigm_scim::store::transaction::{Transaction, Update};

/// Names of the trait's functions, with the number of their calls.
pub type Calls = BTreeMap<&'static str, usize>;

/// Passes all calls on to another table, and counts them.
#[derive(Debug)]
pub struct Counted {
    inner: Arc<dyn Table>,
    calls: Mutex<Calls>,
}

impl Counted {
    pub fn new(inner: Arc<dyn Table>) -> Self {
        let calls = Mutex::default();
        Self { inner, calls }
    }

    /// Returns the calls since this was called before.
    pub fn take(&self) -> Calls {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn count(&self, name: &'static str) {
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
    }
}

impl Table for Counted {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        self.count("get");
        self.inner.get(key)
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        self.count("get_many");
        self.inner.get_many(keys)
    }

    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        after: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.count("read_partition");
        self.inner.read_partition(range, after)
    }

    fn read_index<'a>(
        &'a self,
        range: IndexRange<'a>,
        after: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>> {
        self.count("read_index");
        self.inner.read_index(range, after)
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        self.count("commit");
        self.inner.commit(transaction)
    }

    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.count("update");
        self.inner.update(update)
    }

    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.count("confirm");
        self.inner.confirm()
    }

    fn scan(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.count("scan");
        self.inner.scan(attributes, after, limit)
    }

    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>> {
        self.count("approximate_items");
        self.inner.approximate_items()
    }

    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>> {
        self.count("readiness");
        self.inner.readiness()
    }
}

//! A table that counts its calls.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{Item, Key};
use paradigm_scim::store::table::{
    Attributes, CommitError, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
    ReadinessCheck, Table,
};
use paradigm_scim::store::transaction::{Transaction, Update};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::{Histograms, histograms};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    /// The method of [`Table`].
    operation: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    operation: &'static str,
    outcome: &'static str,
}

/// The calls of a table.
#[derive(Debug)]
pub(super) struct TableMetrics {
    calls: Family<Ended, Counter>,
    durations: Histograms<Called>,
}

impl Default for TableMetrics {
    fn default() -> Self {
        Self {
            calls: Family::default(),
            durations: histograms(),
        }
    }
}

impl TableMetrics {
    pub(super) fn register_in(&self, scim: &mut Registry) {
        scim.register(
            "table_calls",
            "Calls of the database, with their repetitions as one",
            self.calls.clone(),
        );
        scim.register(
            "table_call_duration_seconds",
            "Time that a call of the database took, with its repetitions",
            self.durations.clone(),
        );
    }
}

/// A table whose calls are counted.
#[derive(Debug)]
pub(super) struct MeteredTable {
    table: Arc<dyn Table>,
    metrics: Arc<TableMetrics>,
}

/// A call that is counted when it ends, also if nobody waits for it any more.
struct Call<'m> {
    metrics: &'m TableMetrics,
    operation: &'static str,
    outcome: &'static str,
    started: Instant,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let (operation, outcome) = (self.operation, self.outcome);
        let ended = Ended { operation, outcome };
        self.metrics.calls.get_or_create(&ended).inc();
        let seconds = self.started.elapsed().as_secs_f64();
        let called = Called { operation };
        self.metrics
            .durations
            .get_or_create(&called)
            .observe(seconds);
    }
}

fn failure(error: &StoreError) -> &'static str {
    match error {
        StoreError::Busy(_) => "busy",
        StoreError::Unwritable(_) => "unwritable",
        StoreError::Corrupt(_) => "corrupt",
        // The others are no engine's.
        _ => "refused",
    }
}

fn read<T>(result: &Result<T, StoreError>) -> &'static str {
    result.as_ref().map_or_else(failure, |_| "ok")
}

impl MeteredTable {
    pub(super) fn new(table: Arc<dyn Table>, metrics: Arc<TableMetrics>) -> Self {
        Self { table, metrics }
    }

    fn counted<'a, T: 'a>(
        &'a self,
        operation: &'static str,
        call: BoxFuture<'a, T>,
        outcome: fn(&T) -> &'static str,
    ) -> BoxFuture<'a, T> {
        Box::pin(async move {
            let mut counted = Call {
                metrics: &self.metrics,
                operation,
                outcome: "abandoned",
                started: Instant::now(),
            };
            let result = call.await;
            counted.outcome = outcome(&result);
            result
        })
    }
}

impl Table for MeteredTable {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        self.counted("get", self.table.get(key), read)
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        self.counted("get_many", self.table.get_many(keys), read)
    }

    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        after: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        let call = self.table.read_partition(range, after);
        self.counted("read_partition", call, read)
    }

    fn read_index<'a>(
        &'a self,
        range: IndexRange<'a>,
        after: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>> {
        self.counted("read_index", self.table.read_index(range, after), read)
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        self.counted(
            "commit",
            self.table.commit(transaction),
            |result| match result {
                Ok(()) => "ok",
                Err(CommitError::Conditions(_)) => "condition",
                Err(CommitError::Store(error)) => failure(error),
            },
        )
    }

    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>> {
        self.counted("update", self.table.update(update), |result| match result {
            Ok(true) => "ok",
            Ok(false) => "condition",
            Err(error) => failure(error),
        })
    }

    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.counted("confirm", self.table.confirm(), read)
    }

    fn scan(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        self.counted("scan", self.table.scan(attributes, after, limit), read)
    }

    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>> {
        self.table.approximate_items()
    }

    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>> {
        self.counted("readiness", self.table.readiness(), |checks| {
            let failed = checks.iter().find_map(|check| check.outcome.as_ref().err());
            failed.map_or("ok", failure)
        })
    }
}

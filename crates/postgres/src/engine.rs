//! The engine: runs each statement on a task of its own, with a deadline.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use paradigm_scim::store::StoreError;
use paradigm_scim::store::backoff::Backoff;
use paradigm_scim::store::layout::{Item, Key};
use paradigm_scim::store::table::{
    Attributes, CommitError, IndexEntry, IndexPage, IndexRange, Page, PartitionRange,
    ReadinessCheck, Table, writable,
};
use paradigm_scim::store::transaction::{Transaction, Update};
use paradigm_scim::store::usage;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::Row;

use crate::actions::Actions;
use crate::connection::{Connector, Lease, Parameters, Pool};
use crate::encoding::column;
use crate::error::Failure;
use crate::migrations;
use crate::sql_state::Meaning;
use crate::url::DatabaseUrl;

/// Connections of a process, unless its operator says otherwise.
pub const DEFAULT_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// How long a statement may take, with the time that it waits for a connection. The role's `statement_timeout` is
/// shorter, so that the server usually ends first and it is known that nothing was written. Callers repeat a write for
/// up to 8 s, so that all of it ends within 13 s.
const DEADLINE: Duration = Duration::from_secs(5);
/// Retry budget of one call. No attempt begins later.
const RETRY_BUDGET: Duration = Duration::from_secs(2);

const COMMIT: &str = "SELECT paradigm_scim.commit_v1($1, $2, $3, $4, $5, $6, $7, $8) AS failed";
const CONFIRM: &str = "SELECT paradigm_scim.confirm_v1()::text";

/// Whether a statement may be sent again after its connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It reads, so it may.
    None,
    /// It writes, so the caller has to find out first whether it was carried out.
    Writes,
}

/// The table on a PostgreSQL database.
#[derive(Clone)]
pub struct PostgreSql {
    pool: Pool,
}

/// How many connections an engine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Most connections that it opens.
    pub most: usize,
    /// Connections with a statement, and those that are being opened.
    pub in_use: usize,
    /// Connections that are free.
    pub idle: usize,
    /// Calls that wait for a connection.
    pub waiting: usize,
}

impl fmt::Debug for PostgreSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PostgreSQL")
    }
}

impl PostgreSql {
    /// Makes an engine with at most so many connections. It opens none: the first statement does.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if there are no trusted authorities to verify certificates with.
    pub fn new(url: &DatabaseUrl, connections: NonZeroUsize) -> Result<Self, StoreError> {
        let pool = Pool::builder(Connector::new(url)?).max_size(connections.get());
        let pool = pool
            .build()
            .map_err(|_| StoreError::Refused("the pool cannot be made".to_owned()))?;
        Ok(Self { pool })
    }

    /// Returns how many connections the engine has.
    #[must_use]
    pub fn connections(&self) -> Connections {
        let status = self.pool.status();
        Connections {
            most: status.max_size,
            in_use: status.size.saturating_sub(status.available),
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Verifies that the database has the migrations that this program needs. It may have newer ones.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if one is missing, or the database cannot be used. [`StoreError::Busy`] if it cannot be
    /// reached.
    pub async fn require_migrations(&self) -> Result<(), StoreError> {
        let rows = self.run(migrations::LAST, Vec::new(), Effect::None).await?;
        let applied: Option<i32> = match rows.first() {
            Some(row) => column(row, "last")?,
            None => None,
        };
        migrations::require(applied.unwrap_or(0))
    }

    /// Runs one statement. Repeats it if the server says that it was not carried out, and a read also after a lost
    /// connection.
    pub(crate) async fn run(
        &self,
        sql: &'static str,
        parameters: Parameters,
        effect: Effect,
    ) -> Result<Vec<Row>, StoreError> {
        let parameters = Arc::new(parameters);
        let end = Instant::now() + DEADLINE;
        let mut backoff = Backoff::new(RETRY_BUDGET);
        loop {
            usage::record(|usage| usage.calls += 1);
            let failure = match self.attempt(sql, Arc::clone(&parameters), end).await {
                Ok(rows) => return Ok(rows),
                Err(failure) => failure,
            };
            let may_repeat = failure.meaning == Meaning::Retry
                || (effect == Effect::None && failure.is_connection_lost);
            if !may_repeat || !backoff.pause().await {
                return Err(failure.into());
            }
        }
    }

    /// Sends a statement once, on a task of its own: a caller that is dropped does not cut it off. After the deadline
    /// the connection is closed without cancelling the statement, so a write may still be carried out.
    async fn attempt(
        &self,
        sql: &'static str,
        parameters: Arc<Parameters>,
        end: Instant,
    ) -> Result<Vec<Row>, Failure> {
        let pool = self.pool.clone();
        let statement = tokio::spawn(async move {
            let late = |_| Failure::late();
            let mut lease = timeout_at(end, Lease::of(&pool)).await.map_err(late)??;
            let response = timeout_at(end, lease.query(sql, &parameters)).await;
            if response.is_err() {
                // The server may hang, or be out of reach. Without this, each idle connection would cost a call its time.
                pool.retain(|_, _| false);
            }
            response.map_err(late)?
        });
        let ended = |_| Failure::new(Meaning::Busy, "the task of the statement ended");
        statement.await.map_err(ended)?
    }

    /// Carries out actions, and returns the positions of those whose conditions do not hold.
    async fn act(&self, actions: Actions) -> Result<Vec<usize>, StoreError> {
        let parameters: Parameters = vec![
            Box::new(actions.names),
            Box::new(actions.pks),
            Box::new(actions.sks),
            Box::new(actions.conditions),
            Box::new(actions.bodies),
            Box::new(actions.documents),
            Box::new(actions.index_pks),
            Box::new(actions.index_sks),
        ];
        let rows = self.run(COMMIT, parameters, Effect::Writes).await?;
        let failed: Vec<i32> = match rows.first() {
            Some(row) => column(row, "failed")?,
            None => return Err(StoreError::Corrupt("failed")),
        };
        let positions = failed.into_iter().map(usize::try_from);
        let mut positions: Vec<usize> = positions
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Corrupt("failed"))?;
        positions.sort_unstable();
        Ok(positions)
    }

    async fn commit_actions(&self, transaction: &Transaction) -> Result<(), CommitError> {
        let failed = self.act(Actions::of(&transaction.actions)?).await?;
        if failed.is_empty() {
            Ok(())
        } else {
            Err(CommitError::Conditions(failed))
        }
    }
}

impl Table for PostgreSql {
    fn get(&self, key: Key) -> BoxFuture<'_, Result<Option<Item>, StoreError>> {
        Box::pin(self.select(key))
    }

    fn get_many(&self, keys: Vec<Key>) -> BoxFuture<'_, Result<Vec<Item>, StoreError>> {
        Box::pin(self.select_many(keys))
    }

    fn read_partition<'a>(
        &'a self,
        range: PartitionRange<'a>,
        after: Option<Key>,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        Box::pin(self.select_partition(range, after))
    }

    fn read_index<'a>(
        &'a self,
        range: IndexRange<'a>,
        after: Option<IndexEntry>,
    ) -> BoxFuture<'a, Result<IndexPage, StoreError>> {
        Box::pin(self.select_index(range, after))
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
    ) -> BoxFuture<'a, Result<(), CommitError>> {
        Box::pin(self.commit_actions(transaction))
    }

    fn update(&self, update: Update) -> BoxFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            let failed = self.act(Actions::of_update(&update)?).await?;
            Ok(failed.is_empty())
        })
    }

    fn confirm(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.run(CONFIRM, Vec::new(), Effect::Writes).await?;
            Ok(())
        })
    }

    fn scan(
        &self,
        attributes: Attributes,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page, StoreError>> {
        Box::pin(self.select_all(attributes, after, limit))
    }

    fn approximate_items(&self) -> BoxFuture<'_, Option<u64>> {
        Box::pin(self.estimate_rows())
    }

    fn readiness(&self) -> BoxFuture<'_, Vec<ReadinessCheck>> {
        Box::pin(async move {
            let check = |name, outcome| ReadinessCheck { name, outcome };
            let migrated = match self.require_migrations().await {
                Err(error @ StoreError::Busy(_)) => return vec![check("reachable", Err(error))],
                migrated => migrated,
            };
            let is_migrated = migrated.is_ok();
            let mut checks = vec![check("reachable", Ok(())), check("migrated", migrated)];
            if is_migrated {
                checks.push(writable(self).await);
            }
            checks
        })
    }
}

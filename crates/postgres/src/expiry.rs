//! Deletes expired audit records and scan budgets.

use std::time::Duration;

use paradigm_scim::store::StoreError;
use tokio::time::sleep;
use uuid::Uuid;

use crate::connection::Parameters;
use crate::encoding::column;
use crate::engine::{Effect, PostgreSql};

/// Most items, and most records, of one statement.
const BATCH: i32 = 500;
/// How often a process looks for expired ones, on average.
const INTERVAL: Duration = Duration::from_secs(300);

const DELETE_EXPIRED: &str = "SELECT paradigm_scim.delete_expired_v1($1) AS deleted";

impl PostgreSql {
    /// Deletes all items and audit records whose time has come, in small batches, and returns their number. Several
    /// processes may do it at a time.
    ///
    /// # Errors
    /// [`StoreError::Busy`] if the database is busy or cannot be reached, [`StoreError::Refused`] if the role may not
    /// delete.
    pub async fn delete_expired(&self) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let parameters: Parameters = vec![Box::new(BATCH)];
            let rows = self.run(DELETE_EXPIRED, parameters, Effect::Writes).await?;
            let deleted: i64 = match rows.first() {
                Some(row) => column(row, "deleted")?,
                None => 0,
            };
            total += u64::try_from(deleted).unwrap_or(0);
            if deleted < i64::from(BATCH) {
                return Ok(total);
            }
        }
    }

    /// Deletes expired items and records every few minutes, until the process ends.
    pub async fn delete_expired_regularly(self) {
        loop {
            sleep(interval()).await;
            match self.delete_expired().await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(deleted, "expired items and audit records deleted"),
                Err(error) => tracing::warn!(%error, "expired items could not be deleted"),
            }
        }
    }
}

/// Returns a random duration of half to one and a half of [`INTERVAL`], so that processes that start together do not
/// delete together.
fn interval() -> Duration {
    let [.., random] = *Uuid::now_v7().as_bytes();
    INTERVAL / 2 + INTERVAL * u32::from(random) / 255
}

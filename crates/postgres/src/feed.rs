//! The change feed of programs beside SCIM, which docs/views.md describes.

use paradigm_scim::store::StoreError;
use tokio::time::timeout;

use crate::connection::Connector;
use crate::error::Failure;
use crate::migrations::DEADLINE;
use crate::url::DatabaseUrl;

/// Begins a new generation of the change feed, and returns its id. An owner does it after a backup was restored: positions
/// from before mean nothing then.
///
/// # Errors
/// [`StoreError::Refused`] if this role may not, or the schema is not there. [`StoreError::Busy`] if the database cannot be
/// reached.
pub async fn begin_feed(url: &DatabaseUrl) -> Result<String, StoreError> {
    let mut connection = Connector::new(url)?.connect().await?;
    let begin = async {
        let transaction = connection
            .client
            .transaction()
            .await
            .map_err(Failure::from)?;
        transaction
            .batch_execute("SET LOCAL statement_timeout = 0")
            .await
            .map_err(Failure::from)?;
        let row = transaction
            .query_one("SELECT paradigm_scim.begin_feed_v1()::text", &[])
            .await
            .map_err(Failure::from)?;
        transaction.commit().await.map_err(Failure::from)?;
        Ok(row.get(0))
    };
    timeout(DEADLINE, begin)
        .await
        .map_err(|_| StoreError::Busy("the records were not changed in time".to_owned()))?
}

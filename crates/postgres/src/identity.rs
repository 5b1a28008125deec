//! Which database a URL leads to.

use paradigm_scim::store::StoreError;

use crate::connection::Connector;
use crate::encoding::column;
use crate::error::Failure;
use crate::url::DatabaseUrl;

/// Returns whether two URLs lead to the same database, whatever roles, host names and poolers they name.
///
/// # Errors
/// [`StoreError::Busy`] if one cannot be reached, [`StoreError::Refused`] if a role or password is wrong.
pub async fn is_same_database(one: &DatabaseUrl, other: &DatabaseUrl) -> Result<bool, StoreError> {
    Ok(identity(one).await? == identity(other).await?)
}

/// Returns the name of a database, and when its server was started. A base backup and its origin have the system's
/// identifier in common, but not this time.
async fn identity(url: &DatabaseUrl) -> Result<(String, String), StoreError> {
    let connection = Connector::new(url)?.connect().await?;
    let row = connection
        .client
        .query_one(
            "SELECT current_database()::text AS name, pg_postmaster_start_time()::text AS started",
            &[],
        )
        .await
        .map_err(Failure::from)?;
    Ok((column(&row, "name")?, column(&row, "started")?))
}

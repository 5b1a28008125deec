//! What can go wrong in the store.

use thiserror::Error;

/// Most users that may bear one `externalId` or email before looking them up is refused.
pub const MAX_LOOK_UP_MATCHES: usize = 1000;

/// Why the file of the embedded store cannot be written.
pub const DISK_FULL: &str = "the disk is full";
/// The same, if SQLite does not know more.
pub const DISK_FAILED: &str = "the disk failed, or a quota or size limit is reached";

/// Why the store did not do what it was asked to.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another user of the company bears the `userName`.
    #[error("the userName is taken")]
    UserNameTaken,
    /// More users bear one look-up value than [`MAX_LOOK_UP_MATCHES`].
    #[error("too many users bear the value")]
    TooManyMatches,
    /// The company has more users than one request may look at.
    #[error("the company has too many users to look at each")]
    TooManyUsers,
    /// The company's scans have used up their budget of this minute.
    #[error("the company's scan budget is used up for {retry_after} s")]
    ScanBudgetSpent {
        /// Seconds until the minute ends.
        retry_after: u32,
    },
    /// The engine is throttling, in conflict, or does not answer, and trying again did not help.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The embedded store's file cannot be written. Nothing of the request is.
    #[error("the store's file cannot be written: {0}")]
    Unwritable(&'static str),
    /// An item is not as this program writes it.
    #[error("an item lacks a valid '{0}'")]
    Corrupt(&'static str),
    /// The request cannot succeed: missing table, permission, credentials or region, a defect.
    #[error("the store refused a request: {0}")]
    Refused(String),
}

impl StoreError {
    /// Code of the embedded store's responses when its file cannot be written.
    pub const UNWRITABLE_CODE: &str = "UnwritableException";
}

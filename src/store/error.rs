//! What can go wrong in the store.

use thiserror::Error;

/// Most users that may bear one `externalId` or email before looking them up is refused.
pub const MAX_LOOK_UP_MATCHES: usize = 1000;

/// Why the file of the embedded store cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DiskError {
    /// There is no space left.
    #[error("the disk is full")]
    Full,
    /// SQLite says no more.
    #[error("the disk failed, or a quota or size limit is reached")]
    Failed,
}

impl DiskError {
    /// The code of the embedded store's response.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Full => "DiskFullException",
            Self::Failed => "DiskFailedException",
        }
    }

    /// The error with that code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::Full, Self::Failed]
            .into_iter()
            .find(|error| error.code() == code)
    }
}

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
    Unwritable(DiskError),
    /// An item is not as this program writes it.
    #[error("an item lacks a valid '{0}'")]
    Corrupt(&'static str),
    /// The request cannot succeed: missing table, permission, credentials or region, a defect.
    #[error("the store refused a request: {0}")]
    Refused(String),
}

//! The errors of the store.

use thiserror::Error;

/// Most users that may have one `externalId` or email. If more have it, a search for it is refused.
pub const MAX_LOOKUP_MATCHES: usize = 1000;

/// The reason why the disk of a store cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DiskError {
    /// There is no space left.
    #[error("the disk is full")]
    Full,
    /// Any other failure to write: neither SQLite nor PostgreSQL says which.
    #[error("the disk failed, or a quota or size limit is reached")]
    Failed,
}

impl DiskError {
    /// Returns the code of the embedded store's response.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Full => "DiskFullException",
            Self::Failed => "DiskFailedException",
        }
    }

    /// Returns the error with that code.
    #[must_use]
    pub fn of_code(code: &str) -> Option<Self> {
        [Self::Full, Self::Failed]
            .into_iter()
            .find(|error| error.code() == code)
    }
}

/// The reason why a call of the store failed.
///
/// Every call fails with [`StoreError::Busy`] if the table throttles or does not respond in time, and with
/// [`StoreError::Refused`] if it cannot succeed. A read fails with [`StoreError::Corrupt`] if an item cannot be read,
/// and a write to the embedded store or PostgreSQL with [`StoreError::Unwritable`]. The documentation of a method names only the
/// others.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another user of the company has the `userName`.
    #[error("the userName is taken")]
    UserNameTaken,
    /// More users have one lookup value than [`MAX_LOOKUP_MATCHES`].
    #[error("too many users have the value")]
    TooManyMatches,
    /// The company has more users than one request may read.
    #[error("the company has too many users to read them all")]
    TooManyUsers,
    /// The company's scans have used up their budget of this minute.
    #[error("the company's scan budget is used up for {retry_after} s")]
    ScanBudgetSpent {
        /// Seconds until the minute ends.
        retry_after: u32,
    },
    /// The engine is throttling, in conflict, or does not respond in time, and trying again did not help.
    #[error("the store is busy: {0}")]
    Busy(String),
    /// The disk of the embedded store or of PostgreSQL cannot be written. Nothing of the request is.
    #[error("the store's file cannot be written: {0}")]
    Unwritable(DiskError),
    /// An item is not as this program writes it.
    #[error("an item lacks a valid '{0}'")]
    Corrupt(&'static str),
    /// The request cannot succeed: missing table, permission, credentials or region, a defect.
    #[error("the store refused a request: {0}")]
    Refused(String),
}

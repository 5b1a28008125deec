//! Audit records: who changed which user or company, how and when; never values.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

use super::{KeyId, UserId};

/// How many days records are kept if nothing else is configured.
pub const DEFAULT_RETENTION_DAYS: u32 = 365;
/// How many days may be configured.
pub const RETENTION_DAYS: RangeInclusive<u32> = 1..=3650;

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A SCIM client, by its key and the key's owner.
    Key {
        /// The key.
        id: KeyId,
        /// Its owner.
        owner: UserId,
    },
    /// An operator at the command line.
    Operator,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key { id, owner } => write!(f, "key:{id} owner:{owner}"),
            Self::Operator => f.write_str("operator"),
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// POST; a new company.
    Create,
    /// PUT
    Replace,
    /// PATCH
    Patch,
    /// DELETE
    Anonymise,
    /// Active again by an operator.
    Restore,
    /// Deactivated by an operator.
    Deactivate,
    /// A permission was given.
    Grant,
    /// A permission was taken.
    Ungrant,
    /// An API key was linked to the user.
    CreateKey,
    /// One of the user's API keys was revoked.
    RevokeKey,
    /// One of the user's API keys was replaced by another.
    RotateKey,
    /// The company's keys are refused.
    Suspend,
    /// The company's keys are honoured again.
    Resume,
    /// Items that contradicted each other were repaired.
    Repair,
}

impl Operation {
    /// Returns the operation as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Patch => "patch",
            Self::Anonymise => "anonymise",
            Self::Restore => "restore",
            Self::Deactivate => "deactivate",
            Self::Grant => "grant",
            Self::Ungrant => "ungrant",
            Self::CreateKey => "createKey",
            Self::RevokeKey => "revokeKey",
            Self::RotateKey => "rotateKey",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Repair => "repair",
        }
    }
}

/// One line of the audit trail, written in the same transaction as the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// The time.
    pub at: Timestamp,
    /// The request that did it.
    pub request_id: String,
    /// The actor.
    pub actor: Actor,
    /// The kind of change.
    pub operation: Operation,
    /// Names of the attributes that changed.
    pub attributes: Vec<String>,
    /// API keys that changed with it; see [`KeyChange`](super::KeyChange).
    pub keys: Vec<String>,
    /// The state of the user, or the status of the company, before; `None` for a new one.
    pub before: Option<&'static str>,
    /// The same after.
    pub after: &'static str,
}

impl AuditRecord {
    /// Returns when the record may be dropped.
    #[must_use]
    pub fn expires(&self, retention: SignedDuration) -> Timestamp {
        self.at.saturating_add(retention).unwrap_or(self.at)
    }
}

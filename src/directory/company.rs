//! Companies: everything belongs to exactly one.

use std::fmt;

use jiff::Timestamp;

use super::{CompanyId, DirectoryError};

/// Longest name of a company, in characters.
pub const MAX_COMPANY_NAME_CHARS: usize = 100;

/// Whether a company's keys are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompanyStatus {
    /// They are.
    Active,
    /// Every request is refused with 403.
    Suspended,
}

impl CompanyStatus {
    /// Returns the status as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// Reads a stored status.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended]
            .into_iter()
            .find(|status| status.as_str() == text)
    }
}

/// What a company's pagination cursors are sealed with; the same on every instance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CursorSecret(pub [u8; 32]);

impl fmt::Debug for CursorSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorSecret(…)")
    }
}

/// A customer of Paradigm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Company {
    /// Its identifier.
    pub id: CompanyId,
    /// Its name, for operators; not unique.
    pub name: String,
    /// Whether its keys are accepted.
    pub status: CompanyStatus,
    /// Seals pagination cursors.
    pub cursor_secret: CursorSecret,
    /// When it was created.
    pub created: Timestamp,
}

impl Company {
    /// Returns a new, active company.
    ///
    /// # Errors
    /// [`DirectoryError::NameLength`] if the name is empty or too long.
    pub fn new(
        id: CompanyId,
        name: &str,
        cursor_secret: CursorSecret,
        now: Timestamp,
    ) -> Result<Self, DirectoryError> {
        Ok(Self {
            id,
            name: checked_name(name, MAX_COMPANY_NAME_CHARS)?,
            status: CompanyStatus::Active,
            cursor_secret,
            created: now,
        })
    }
}

pub(super) fn checked_name(name: &str, max_chars: usize) -> Result<String, DirectoryError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > max_chars {
        return Err(DirectoryError::NameLength(max_chars));
    }
    Ok(name.to_owned())
}

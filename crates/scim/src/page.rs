//! Pages of a list: by index (RFC 7644 §3.4.2.4) and by cursor (RFC 9865).

use std::num::{IntErrorKind, ParseIntError};

use crate::{ScimError, rule};

/// Resources in a page if the client does not say.
pub const DEFAULT_COUNT: usize = 50;

/// Most resources in a page; a larger `count` means this many.
pub const MAX_COUNT: usize = 200;

/// The slice of a list that a client requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it begins.
    pub start: Start,
    /// Most resources to return, 0..=[`MAX_COUNT`].
    pub count: usize,
}

/// Where a page begins, and with that the method of pagination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// At this index, counted from 1 (RFC 7644 §3.4.2.4).
    Index(usize),
    /// At a cursor; empty for the first page (RFC 9865 §2).
    Cursor(String),
}

impl Page {
    /// Reads `startIndex`, `count` and `cursor`: a `startIndex` less than 1 is 1, a `count` less
    /// than 0 is 0. The default method is by index.
    ///
    /// ```
    /// use scim::page::{MAX_COUNT, Page, Start};
    ///
    /// let page = Page::parse(Some("-5"), Some("100000"), None)?;
    /// assert_eq!(page, Page { start: Start::Index(1), count: MAX_COUNT });
    /// # Ok::<(), scim::ScimError>(())
    /// ```
    ///
    /// # Errors
    /// `invalidValue` if `startIndex`, or `count` without `cursor`, is not an integer, or `startIndex` and `cursor` are
    /// given together. `invalidCount` if `count` with `cursor` is not an integer.
    pub fn parse(
        start_index: Option<&str>,
        count: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<Self, ScimError> {
        let wanted = integer(count);
        let start = match (start_index.filter(|index| !index.is_empty()), cursor) {
            (None, Some(cursor)) => Start::Cursor(cursor.to_owned()),
            (Some(_), Some(_)) => {
                return Err(ScimError::invalid_value(
                    "Use either 'startIndex' or 'cursor', not both.",
                )
                .rule(rule::PAGE_METHOD));
            }
            (start_index, None) => {
                let index = integer(start_index).map_err(|_| not_an_integer("startIndex"))?;
                Start::Index(usize::try_from(index.unwrap_or(1).max(1)).unwrap_or(usize::MAX))
            }
        };
        let count = match (wanted, &start) {
            (Ok(None), _) => DEFAULT_COUNT,
            (Ok(Some(count)), _) => usize::try_from(count).unwrap_or(0).min(MAX_COUNT),
            (Err(_), Start::Index(_)) => return Err(not_an_integer("count")),
            (Err(_), Start::Cursor(_)) => {
                return Err(ScimError::invalid_count(format!(
                    "'count' must be an integer, at most {MAX_COUNT}."
                ))
                .rule(rule::PAGE_NUMBER));
            }
        };
        Ok(Self { start, count })
    }
}

fn not_an_integer(name: &str) -> ScimError {
    ScimError::invalid_value(format!("'{name}' must be an integer.")).rule(rule::PAGE_NUMBER)
}

/// Reads an integer, if there is a value. One that is too large for the type is as large as it can be.
fn integer(value: Option<&str>) -> Result<Option<i64>, ParseIntError> {
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    match value.parse::<i64>() {
        Ok(integer) => Ok(Some(integer)),
        Err(error) => match error.kind() {
            IntErrorKind::PosOverflow => Ok(Some(i64::MAX)),
            IntErrorKind::NegOverflow => Ok(Some(i64::MIN)),
            _ => Err(error),
        },
    }
}

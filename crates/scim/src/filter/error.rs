//! Errors of filters.

use thiserror::Error;

use crate::schema::Attribute;
use crate::{ScimError, rule};

/// Longest filter, in bytes.
pub const MAX_FILTER_LENGTH: usize = 4096;

/// Deepest nesting of parentheses, `not` and brackets.
pub const MAX_FILTER_DEPTH: usize = 16;

/// Most comparisons in a filter, `pr` included.
pub const MAX_FILTER_COMPARISONS: usize = 100;

/// The reason why a filter is refused.
#[derive(Debug, Error)]
pub enum FilterError {
    /// It does not follow the grammar.
    #[error("{message} at character {position}")]
    Syntax {
        /// What was expected.
        message: &'static str,
        /// Where, counted from 1.
        position: usize,
    },
    /// It names an attribute no schema declares.
    #[error("no schema declares the attribute named at character {position}")]
    UnknownAttribute {
        /// Where, counted from 1.
        position: usize,
        /// The complex attribute that has no such sub-attribute, if it is one that is unknown.
        parent: Option<&'static Attribute>,
    },
    /// The operator or value does not fit the attribute.
    #[error("'{attribute}' {message}")]
    Incomparable {
        /// The attribute.
        attribute: &'static str,
        /// What it takes.
        message: &'static str,
    },
    /// It is longer than [`MAX_FILTER_LENGTH`].
    #[error("a filter may have at most {MAX_FILTER_LENGTH} bytes")]
    TooLong,
    /// It has more comparisons than [`MAX_FILTER_COMPARISONS`].
    #[error("a filter may have at most {MAX_FILTER_COMPARISONS} comparisons")]
    TooManyComparisons,
    /// It is nested deeper than [`MAX_FILTER_DEPTH`].
    #[error("a filter may be nested at most {MAX_FILTER_DEPTH} deep")]
    TooDeep,
}

impl FilterError {
    /// Returns whether the grammar holds and only an attribute is unknown.
    #[must_use]
    pub fn is_unknown_attribute(&self) -> bool {
        matches!(self, Self::UnknownAttribute { .. })
    }
}

impl From<FilterError> for ScimError {
    fn from(error: FilterError) -> Self {
        let refused = Self::invalid_filter(format!("The filter cannot be used: {error}."));
        match error {
            FilterError::Syntax { .. } => refused.rule(rule::FILTER_SYNTAX),
            FilterError::UnknownAttribute { .. } => refused.rule(rule::FILTER_UNKNOWN_ATTRIBUTE),
            FilterError::Incomparable { attribute, .. } => {
                refused.rule(rule::FILTER_COMPARISON).about(attribute)
            }
            FilterError::TooLong => refused.rule(rule::FILTER_LENGTH),
            FilterError::TooManyComparisons => refused.rule(rule::FILTER_COMPARISONS),
            FilterError::TooDeep => refused.rule(rule::FILTER_NESTING),
        }
    }
}

/// Returns the position of a byte offset in characters, counted from 1.
pub(super) fn position(text: &str, offset: usize) -> usize {
    text.get(..offset)
        .map_or(0, |before| before.chars().count())
        + 1
}

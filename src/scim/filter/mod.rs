//! Filters (RFC 7644 §3.4.2.2): grammar in, a resolved and type-checked tree out.

mod evaluator;
mod lexer;
mod parser;

use thiserror::Error;

use super::compare::Constant;
use super::path::AttributePath;
use super::schema::{Attribute, ResourceType};
use super::{ScimError, rule};

pub use evaluator::elements_at;
pub use parser::parse;

/// Longest filter, in bytes.
pub const MAX_FILTER_LENGTH: usize = 4096;
/// Deepest nesting of parentheses, `not` and brackets.
pub const MAX_FILTER_DEPTH: usize = 16;
/// Most comparisons in a filter, `pr` included.
pub const MAX_FILTER_COMPARISONS: usize = 100;

/// A filter whose names are resolved and whose values fit their attributes.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// Every part holds.
    And(Vec<Filter>),
    /// Some part holds.
    Or(Vec<Filter>),
    /// The part does not hold.
    Not(Box<Filter>),
    /// `attribute operator value`
    Compare {
        /// What is compared.
        path: AttributePath,
        /// How.
        operator: Operator,
        /// With what; never an array or object.
        value: Constant,
    },
    /// `attribute pr`
    Present(AttributePath),
    /// `attribute[filter]`: some value of a complex attribute matches as a whole.
    Values {
        /// The complex attribute.
        path: AttributePath,
        /// The filter on its sub-attributes.
        filter: Box<Filter>,
    },
}

/// Comparison operators of RFC 7644 table 3 (`pr` is [`Filter::Present`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// equal
    Eq,
    /// not equal
    Ne,
    /// contains
    Co,
    /// starts with
    Sw,
    /// ends with
    Ew,
    /// greater than
    Gt,
    /// greater than or equal to
    Ge,
    /// less than
    Lt,
    /// less than or equal to
    Le,
}

impl Operator {
    /// Reads an operator, in any case.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        const OPERATORS: [(&str, Operator); 9] = [
            ("eq", Operator::Eq),
            ("ne", Operator::Ne),
            ("co", Operator::Co),
            ("sw", Operator::Sw),
            ("ew", Operator::Ew),
            ("gt", Operator::Gt),
            ("ge", Operator::Ge),
            ("lt", Operator::Lt),
            ("le", Operator::Le),
        ];
        OPERATORS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|&(_, operator)| operator)
    }
}

/// What the names in a filter refer to.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    /// The attributes of a resource.
    Resource(&'static ResourceType),
    /// The attributes of resources of any type: one that this type does not declare has no value
    /// (RFC 7644 §3.4.2.1).
    AnyResource(&'static ResourceType),
    /// The sub-attributes of one value of a complex attribute, inside brackets.
    Element(&'static Attribute),
    /// Nothing is known; only the grammar is checked.
    Unknown,
}

/// Why a filter is refused.
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

impl Filter {
    /// The number of comparisons, `pr` included.
    #[must_use]
    pub fn comparisons(&self) -> usize {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().map(Self::comparisons).sum(),
            Self::Not(part) => part.comparisons(),
            Self::Compare { .. } | Self::Present(_) => 1,
            Self::Values { filter, .. } => filter.comparisons(),
        }
    }
}

impl FilterError {
    /// Whether the grammar holds and only an attribute is unknown.
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

/// Position of a byte offset in characters, counted from 1.
fn position(text: &str, offset: usize) -> usize {
    text.get(..offset)
        .map_or(0, |before| before.chars().count())
        + 1
}

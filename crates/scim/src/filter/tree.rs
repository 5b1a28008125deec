//! A parsed filter: its names are resolved, and its values fit their attributes.

use crate::compare::Constant;
use crate::schema::{Attribute, AttributePath};

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

impl Filter {
    /// Returns the number of comparisons, `pr` included.
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

/// `attribute[filter]` or `attribute[filter].sub-attribute`.
#[derive(Debug, Clone)]
pub struct ValuePath {
    /// The complex attribute; without sub-attribute.
    pub path: AttributePath,
    /// Which of its values.
    pub filter: Filter,
    /// The sub-attribute behind the brackets.
    pub sub_attribute: Option<&'static Attribute>,
}

impl ValuePath {
    /// Returns the path without its filter.
    #[must_use]
    pub fn target(&self) -> AttributePath {
        AttributePath {
            sub_attribute: self.sub_attribute,
            ..self.path
        }
    }
}

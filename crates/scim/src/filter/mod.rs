//! Filters (RFC 7644 §3.4.2.2): [`parse`] reads the grammar, resolves names and checks types;
//! [`Filter::matches`] says whether a resource matches.

mod error;
mod evaluator;
mod lexer;
mod parser;
mod tree;
mod typing;

pub use error::{FilterError, MAX_FILTER_COMPARISONS, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH};
pub use evaluator::elements_at;
pub(crate) use parser::parse_value_path;
pub use parser::{Scope, parse};
pub use tree::{Filter, Operator, ValuePath};

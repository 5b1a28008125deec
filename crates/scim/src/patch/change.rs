//! One change of one attribute, as an operation requests it.

use serde_json::Value;

use crate::ScimError;
use crate::filter::ValuePath;
use crate::schema::{Attribute, AttributePath, Schema};

/// Largest value that one operation gives an attribute, in bytes of JSON; where it is written into
/// several elements, all copies together.
pub const MAX_VALUE_BYTES: usize = 64 * 1024;

/// One change of one attribute, and on what condition it is made.
#[derive(Debug)]
pub(crate) struct Edit {
    /// The singular attribute must match this filter.
    pub(crate) condition: Option<ValuePath>,
    pub(crate) change: Effect,
}

impl From<Effect> for Edit {
    fn from(change: Effect) -> Self {
        Self {
            condition: None,
            change,
        }
    }
}

impl Edit {
    pub(crate) fn only_if(self, condition: &ValuePath) -> Self {
        Self {
            condition: Some(condition.clone()),
            ..self
        }
    }
}

#[derive(Debug)]
pub(crate) enum Effect {
    Add(Target, Value),
    Replace(Target, Value),
    Remove(Target),
    RemoveExtension(&'static Schema),
    /// `remove` of certain values, listed in `value` instead of a filter.
    RemoveListed(AttributePath, Vec<Value>),
    /// An `id` in an operation without a path; it must be the user's own.
    AssertId(Value),
}

#[derive(Debug)]
pub(crate) enum Target {
    Attribute(AttributePath),
    Values(ValuePath),
}

impl Effect {
    /// Returns an error about the attribute that is changed, with the whole path for the log.
    pub(crate) fn named_in(&self, error: ScimError) -> ScimError {
        match self {
            Self::Add(target, _) | Self::Replace(target, _) | Self::Remove(target) => {
                match target {
                    Target::Attribute(path) => path.named_in(error),
                    Target::Values(values) => AttributePath {
                        sub_attribute: values.sub_attribute,
                        ..values.path
                    }
                    .named_in(error),
                }
            }
            Self::RemoveListed(path, _) => path.named_in(error),
            Self::RemoveExtension(_) | Self::AssertId(_) => error,
        }
    }
}

impl Target {
    /// Returns the attribute that it leads to.
    pub(crate) fn attribute(&self) -> &'static Attribute {
        match self {
            Self::Attribute(path) => path.leaf(),
            Self::Values(values) => values.sub_attribute.unwrap_or(values.path.attribute),
        }
    }
}

//! The place of an attribute in a resource.

use super::attribute::{Attribute, Schema};
use crate::ScimError;

/// A known attribute, and its place in a resource.
#[derive(Debug, Clone, Copy)]
pub struct AttributePath {
    /// The extension whose object holds it; `None` for common and core attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The sub-attribute, if the path goes down to one.
    pub sub_attribute: Option<&'static Attribute>,
}

impl AttributePath {
    /// Returns the attribute the path ends at.
    #[must_use]
    pub fn leaf(&self) -> &'static Attribute {
        self.sub_attribute.unwrap_or(self.attribute)
    }

    /// Returns the attribute on the path that clients may not write, if there is one.
    #[must_use]
    pub fn read_only(&self) -> Option<&'static Attribute> {
        [self.attribute, self.leaf()]
            .into_iter()
            .find(|attribute| attribute.is_read_only())
    }

    /// Returns whether it leads to a sub-attribute of every value of a multi-valued attribute.
    #[must_use]
    pub fn is_in_every_value(&self) -> bool {
        self.attribute.multi_valued && self.sub_attribute.is_some()
    }

    /// Returns an error about the attribute that the path ends at, with the whole path for the log.
    #[must_use]
    pub fn named_in(&self, error: ScimError) -> ScimError {
        match self.sub_attribute {
            Some(leaf) if error.attribute.as_deref() == Some(leaf.name) => {
                error.about(self.attribute.name)
            }
            _ => error,
        }
    }

    /// Returns the same path without its sub-attribute.
    #[must_use]
    pub fn whole(&self) -> Self {
        Self {
            sub_attribute: None,
            ..*self
        }
    }
}

impl PartialEq for AttributePath {
    fn eq(&self, other: &Self) -> bool {
        self.extension.map(|schema| schema.id) == other.extension.map(|schema| schema.id)
            && self.attribute.is(other.attribute)
            && self.leaf().is(other.leaf())
    }
}

/// An attribute together with the extension that declares it, if one does.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// `None` for common and core attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
}

impl Declared {
    /// Returns the path to the attribute as a whole.
    #[must_use]
    pub fn path(self) -> AttributePath {
        AttributePath {
            extension: self.extension,
            attribute: self.attribute,
            sub_attribute: None,
        }
    }
}

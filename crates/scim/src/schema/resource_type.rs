//! Kinds of resources (RFC 7643 §6).

use super::attribute::{Schema, find};
use super::attribute_path::Declared;
use super::common::COMMON_ATTRIBUTES;

/// A kind of resource: its endpoint, core schema and extensions (RFC 7643 §6).
#[derive(Debug)]
pub struct ResourceType {
    /// `id` and `name`.
    pub name: &'static str,
    /// The endpoint below the base URL, with its leading slash.
    pub endpoint: &'static str,
    /// For people.
    pub description: &'static str,
    /// The core schema.
    pub schema: &'static Schema,
    /// Schema extensions; none is required.
    pub extensions: &'static [&'static Schema],
}

impl ResourceType {
    /// Returns the core schema and the extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &'static Schema> + use<> {
        std::iter::once(self.schema).chain(self.extensions.iter().copied())
    }

    /// Returns every attribute of the schemas, and the common ones.
    pub fn declared(&self) -> impl Iterator<Item = Declared> + use<> {
        let core = COMMON_ATTRIBUTES.iter().chain(self.schema.attributes);
        let extended = self.extensions.iter().copied().flat_map(|extension| {
            extension.attributes.iter().map(move |attribute| Declared {
                extension: Some(extension),
                attribute,
            })
        });
        core.map(|attribute| Declared {
            extension: None,
            attribute,
        })
        .chain(extended)
    }

    /// Finds a common or core attribute by its name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Declared> {
        let attribute = find(COMMON_ATTRIBUTES, name).or_else(|| self.schema.attribute(name))?;
        Some(Declared {
            extension: None,
            attribute,
        })
    }

    /// Finds an attribute of one schema by its name. The core schema has the common ones too.
    #[must_use]
    pub fn attribute_of(&self, schema: &'static Schema, name: &str) -> Option<Declared> {
        let is_core = schema.id == self.schema.id;
        let common = if is_core { COMMON_ATTRIBUTES } else { &[] };
        let attribute = find(common, name).or_else(|| schema.attribute(name))?;
        Some(Declared {
            extension: (!is_core).then_some(schema),
            attribute,
        })
    }
}

//! Attribute characteristics as data (RFC 7643 §2, §7).
//!
//! The tables here are what `/Schemas` serves *and* what validates, filters, patches and projects:
//! there is no second description of an attribute anywhere.

mod common;
mod discovery;
mod enterprise;
mod user;

use serde::Serialize;

use super::path::AttributePath;

pub use common::COMMON_ATTRIBUTES;
pub use discovery::{RESOURCE_TYPE_SCHEMA, SCHEMA_SCHEMA, SERVICE_PROVIDER_CONFIG_SCHEMA};
pub use enterprise::ENTERPRISE_USER;
pub use user::USER_SCHEMA;

/// Data types of RFC 7643 §2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Type {
    /// §2.3.1
    String,
    /// §2.3.2
    Boolean,
    /// §2.3.4
    Integer,
    /// §2.3.5
    DateTime,
    /// §2.3.6, base64 in JSON
    Binary,
    /// §2.3.7
    Reference,
    /// §2.3.8
    Complex,
}

/// Who may write an attribute (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    /// Set by the server; ignored in POST and PUT, refused in PATCH.
    ReadOnly,
    /// Set by client and server.
    ReadWrite,
}

/// When an attribute is part of an answer (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// Whatever `attributes` and `excludedAttributes` say.
    Always,
    /// Unless excluded, or not among the requested ones.
    Default,
}

/// Where a value may occur only once (RFC 7643 §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    /// Anywhere, any number of times.
    None,
    /// Once per company.
    Server,
}

/// One attribute with its characteristics (RFC 7643 §7).
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attribute {
    /// The canonical spelling; names are compared without regard to case (§2.1).
    pub name: &'static str,
    /// The data type.
    #[serde(rename = "type")]
    pub kind: Type,
    /// Attributes of a complex attribute.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub sub_attributes: &'static [Attribute],
    /// Whether the value is an array.
    pub multi_valued: bool,
    /// For people.
    pub description: &'static str,
    /// Whether a client must give it a value.
    pub required: bool,
    /// Suggested values; others are accepted.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub canonical_values: &'static [&'static str],
    /// Whether upper and lower case differ in comparisons.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is returned.
    pub returned: Returned,
    /// Where it must be unique.
    pub uniqueness: Uniqueness,
    /// What a reference may point to.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub reference_types: &'static [&'static str],
    /// Whether every resource has it although it is not required, because the server gives it a
    /// value where a client gives none. RFC 7643 has no such characteristic.
    #[serde(skip)]
    pub has_default: bool,
}

impl Attribute {
    const fn new(name: &'static str, kind: Type, description: &'static str) -> Self {
        Self {
            name,
            kind,
            sub_attributes: &[],
            multi_valued: false,
            description,
            required: false,
            canonical_values: &[],
            case_exact: false,
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            reference_types: &[],
            has_default: false,
        }
    }

    /// An attribute that no schema declares.
    pub(super) const fn unknown() -> Self {
        Self::new("", Type::String, "")
    }

    const fn string(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::String, description)
    }

    const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::Boolean, description)
    }

    const fn integer(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::Integer, description)
    }

    const fn reference(
        name: &'static str,
        reference_types: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        let mut attribute = Self::new(name, Type::Reference, description);
        attribute.reference_types = reference_types;
        attribute.case_exact = true;
        attribute
    }

    const fn complex(
        name: &'static str,
        sub_attributes: &'static [Attribute],
        description: &'static str,
    ) -> Self {
        let mut attribute = Self::new(name, Type::Complex, description);
        attribute.sub_attributes = sub_attributes;
        attribute
    }

    const fn multi_valued(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn case_exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    /// Read-only, and in every resource.
    const fn always_there(self) -> Self {
        self.required().read_only()
    }

    const fn always_returned(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    const fn unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    const fn with_default(mut self) -> Self {
        self.has_default = true;
        self
    }

    const fn canonical(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }

    /// The sub-attribute of that name, in any case.
    #[must_use]
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub_attributes, name)
    }

    /// Whether this is the very same table entry.
    #[must_use]
    pub fn is(&self, other: &Attribute) -> bool {
        std::ptr::eq(self, other)
    }

    /// Whether a PATCH may take its value away.
    #[must_use]
    pub fn is_clearable(&self) -> bool {
        !self.required && !self.has_default
    }

    /// Whether clients may not write it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

/// A schema: a URN and its attributes (RFC 7643 §7).
#[derive(Debug)]
pub struct Schema {
    /// The URN.
    pub id: &'static str,
    /// The name for people.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// The attributes.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// The attribute of that name, in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }
}

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

/// Users: the only resource type of this server.
pub static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account of a company in Paradigm",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER],
};

/// An attribute together with the extension that declares it, if one does.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// `None` for common and core attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
}

impl Declared {
    /// The path to the attribute as a whole.
    #[must_use]
    pub fn path(self) -> AttributePath {
        AttributePath {
            extension: self.extension,
            attribute: self.attribute,
            sub_attribute: None,
        }
    }
}

impl ResourceType {
    /// Core schema and extensions.
    pub fn schemas(&self) -> impl Iterator<Item = &'static Schema> + use<> {
        std::iter::once(self.schema).chain(self.extensions.iter().copied())
    }

    /// Every attribute of the schemas, and the common ones.
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

fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

//! Attributes and schemas, with their characteristics (RFC 7643 §2, §7).

use serde::Serialize;

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

/// When an attribute is part of a response (RFC 7643 §7).
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
    /// Declares a singular, optional, read-write attribute that is compared without regard to case.
    #[must_use]
    pub const fn new(name: &'static str, kind: Type, description: &'static str) -> Self {
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

    /// Returns an attribute that no schema declares.
    pub(crate) const fn unknown() -> Self {
        Self::new("", Type::String, "")
    }

    /// Declares a string.
    #[must_use]
    pub const fn string(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::String, description)
    }

    /// Declares a boolean.
    #[must_use]
    pub const fn boolean(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::Boolean, description)
    }

    /// Declares an integer.
    #[must_use]
    pub const fn integer(name: &'static str, description: &'static str) -> Self {
        Self::new(name, Type::Integer, description)
    }

    /// Declares a reference, which is compared with regard to case (RFC 7643 §2.3.7).
    #[must_use]
    pub const fn reference(
        name: &'static str,
        reference_types: &'static [&'static str],
        description: &'static str,
    ) -> Self {
        let mut attribute = Self::new(name, Type::Reference, description);
        attribute.reference_types = reference_types;
        attribute.case_exact = true;
        attribute
    }

    /// Declares a complex attribute.
    #[must_use]
    pub const fn complex(
        name: &'static str,
        sub_attributes: &'static [Attribute],
        description: &'static str,
    ) -> Self {
        let mut attribute = Self::new(name, Type::Complex, description);
        attribute.sub_attributes = sub_attributes;
        attribute
    }

    /// Returns the same attribute with an array of values.
    #[must_use]
    pub const fn multi_valued(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    /// Returns the same attribute, which a client must give a value.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Returns the same attribute, compared with regard to case.
    #[must_use]
    pub const fn case_exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    /// Returns the same attribute, which clients may not write.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    /// Returns the same attribute, read-only and in every resource.
    pub(super) const fn always_there(self) -> Self {
        self.required().read_only()
    }

    /// Returns the same attribute as one that is always returned, also if `excludedAttributes` names it.
    #[must_use]
    pub const fn always_returned(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    /// Returns the same attribute, whose values must differ.
    #[must_use]
    pub const fn unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    /// Returns the same attribute, which the server gives a value where a client gives none.
    #[must_use]
    pub const fn with_default(mut self) -> Self {
        self.has_default = true;
        self
    }

    /// Returns the same attribute with suggested values.
    #[must_use]
    pub const fn canonical(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }

    /// Returns the sub-attribute of that name, in any case.
    #[must_use]
    pub fn sub_attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.sub_attributes, name)
    }

    /// Returns whether this is the very same table entry.
    #[must_use]
    pub fn is(&self, other: &Attribute) -> bool {
        std::ptr::eq(self, other)
    }

    /// Returns whether a PATCH may take its value away.
    #[must_use]
    pub fn is_clearable(&self) -> bool {
        !self.required && !self.has_default
    }

    /// Returns whether clients may not write it.
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
    /// URNs that the schema had in SCIM 1.x and in drafts of SCIM 2.0. They are accepted wherever a URN is. One that
    /// others begin with comes after them.
    pub older_urns: &'static [&'static str],
}

impl Schema {
    /// Declares a schema without older URNs.
    #[must_use]
    pub const fn new(
        id: &'static str,
        name: &'static str,
        description: &'static str,
        attributes: &'static [Attribute],
    ) -> Self {
        Self {
            id,
            name,
            description,
            attributes,
            older_urns: &[],
        }
    }

    /// Returns the same schema with the URNs that it had before.
    #[must_use]
    pub const fn older_urns(mut self, urns: &'static [&'static str]) -> Self {
        self.older_urns = urns;
        self
    }

    /// Returns the attribute of that name, in any case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        find(self.attributes, name)
    }
}

pub(super) fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

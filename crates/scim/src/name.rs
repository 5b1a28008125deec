//! Attribute notation: how a text names an attribute (RFC 7644 §3.10).

use thiserror::Error;

use crate::schema::{Attribute, AttributePath, Declared, ResourceType, Schema};

/// Longest PATCH path, in bytes.
pub const MAX_PATH_LENGTH: usize = 1024;

/// Why a text names no attribute.
#[derive(Debug, Error)]
pub enum NameError {
    /// It does not follow the grammar.
    #[error("the path is malformed: {0}")]
    Malformed(&'static str),
    /// It follows the grammar, but names an attribute that no schema declares.
    #[error("no schema declares the attribute")]
    UnknownAttribute,
    /// It follows the grammar, but names a sub-attribute that this attribute does not have.
    #[error("'{}' has no such sub-attribute", .0.name)]
    UnknownSubAttribute(&'static Attribute),
}

/// What an attribute name denotes.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    /// An attribute or sub-attribute.
    Attribute(AttributePath),
    /// The URN of a schema: all its attributes together.
    Schema(&'static Schema),
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Attribute(path), Self::Attribute(other)) => path == other,
            (Self::Schema(schema), Self::Schema(other)) => schema.id == other.id,
            _ => false,
        }
    }
}

/// Resolves attribute notation: `[URN ":"] attribute ["." sub-attribute]`, or a bare URN, names in
/// any case (RFC 7643 §2.1).
///
/// ```
/// # use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
/// # static USER: ResourceType = ResourceType {
/// #     name: "User", endpoint: "/Users", description: "User account",
/// #     schema: &USER_SCHEMA, extensions: &[&ENTERPRISE_USER],
/// # };
/// use scim::name::{Name, NameError, resolve};
///
/// for text in ["emails.value", "EMAILS.VALUE", "urn:ietf:params:scim:schemas:core:2.0:User:emails.value"] {
///     let Name::Attribute(path) = resolve(text, &USER)? else { panic!("a schema") };
///     assert_eq!((path.attribute.name, path.leaf().name), ("emails", "value"));
/// }
/// assert!(matches!(resolve("shoeSize", &USER), Err(NameError::UnknownAttribute)));
/// # Ok::<(), NameError>(())
/// ```
///
/// # Errors
/// [`NameError::Malformed`] if the text does not follow the grammar or is too long, the others if it does and no schema
/// declares what it names.
pub fn resolve(text: &str, resource_type: &ResourceType) -> Result<Name, NameError> {
    if text.len() > MAX_PATH_LENGTH {
        return Err(NameError::Malformed("it is too long"));
    }
    match split_urn(text, resource_type) {
        Urn::Alone(schema) => Ok(Name::Schema(schema)),
        Urn::Unknown => Err(NameError::UnknownAttribute),
        Urn::Of(schema, rest) => resolve_in(schema, rest, resource_type).map(Name::Attribute),
        Urn::None => {
            let find = |name: &str| {
                let found = resource_type.attribute(name);
                found.or_else(|| extension_attribute_without_urn(resource_type, name))
            };
            attribute_path(text, find).map(Name::Attribute)
        }
    }
}

/// Resolves `attribute ["." sub-attribute]` within one schema.
///
/// # Errors
/// [`NameError::Malformed`] if the text does not follow the grammar, the others if it does and the schema does not
/// declare what it names.
pub fn resolve_in(
    schema: &'static Schema,
    text: &str,
    resource_type: &ResourceType,
) -> Result<AttributePath, NameError> {
    attribute_path(text, |name| resource_type.attribute_of(schema, name))
}

fn attribute_path(
    text: &str,
    find: impl Fn(&str) -> Option<Declared>,
) -> Result<AttributePath, NameError> {
    let (name, sub_name) = match text.split_once('.') {
        Some((name, sub_name)) => (name, Some(sub_name)),
        None => (text, None),
    };
    if !is_attribute_name(name) || !sub_name.is_none_or(is_attribute_name) {
        return Err(NameError::Malformed(
            "an attribute name is letters, digits, '-' and '_', at most one '.' between attribute and sub-attribute",
        ));
    }
    let Declared {
        extension,
        attribute,
    } = find(name).ok_or(NameError::UnknownAttribute)?;
    let sub_attribute = match sub_name {
        Some(sub_name) => Some(
            attribute
                .sub_attribute(sub_name)
                .ok_or(NameError::UnknownSubAttribute(attribute))?,
        ),
        None => None,
    };
    Ok(AttributePath {
        extension,
        attribute,
        sub_attribute,
    })
}

/// `manager`, `department` and the others of the enterprise extension without their URN.
///
/// Sent by: Entra without its flag, `{"op": "Add", "path": "manager", …}` (Entra, tutorial).
fn extension_attribute_without_urn(resource_type: &ResourceType, name: &str) -> Option<Declared> {
    resource_type.extensions.iter().find_map(|extension| {
        extension.attribute(name).map(|attribute| Declared {
            extension: Some(extension),
            attribute,
        })
    })
}

/// How a text begins.
enum Urn<'t> {
    /// Without a URN.
    None,
    /// It is the URN of a schema.
    Alone(&'static Schema),
    /// With the URN of a schema, and more behind it.
    Of(&'static Schema, &'t str),
    /// With an unknown URN; where it ends cannot be seen.
    Unknown,
}

/// Splits a leading schema URN off. URNs hold dots and colons themselves.
fn split_urn<'t>(text: &'t str, resource_type: &ResourceType) -> Urn<'t> {
    let starts_as_urn = text
        .get(..4)
        .is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    if !starts_as_urn {
        return Urn::None;
    }
    for schema in resource_type.schemas() {
        let Some((urn, rest)) = text.split_at_checked(schema.id.len()) else {
            continue;
        };
        if !urn.eq_ignore_ascii_case(schema.id) {
            continue;
        }
        if rest.is_empty() {
            return Urn::Alone(schema);
        }
        if let Some(name) = name_behind_urn(rest) {
            return Urn::Of(schema, name);
        }
    }
    match older_urn(text, resource_type) {
        Some((schema, "")) => Urn::Alone(schema),
        Some((schema, rest)) => {
            name_behind_urn(rest).map_or(Urn::Unknown, |name| Urn::Of(schema, name))
        }
        None => Urn::Unknown,
    }
}

fn name_behind_urn(rest: &str) -> Option<&str> {
    rest.strip_prefix(':').or(dot_after_urn(rest))
}

/// `urn:scim:schemas:core:1.0`, `urn:scim:schemas:extension:enterprise:1.0` and the like: what the
/// URN of a schema was in SCIM 1.x or a draft of SCIM 2.0, in `schemas`, as a key and in paths.
/// Returns the schema and what follows its URN.
///
/// Sent by: OneLogin's template for SCIM 2, `urn:scim:schemas:core:1.0` alone (scim.dev's guide to
/// OneLogin); clients written from drafts, `urn:scim:schemas:core:2.0:User` (osiam/osiam#87);
/// Microsoft's own library knows `urn:scim:schemas:extension:enterprise:1.0` and `…:2.0`
/// (AzureAD/SCIMReferenceCode); Entra, `…enterprise:2.0User` without colon (Entra, tutorial).
pub(crate) fn older_urn<'t>(
    text: &'t str,
    resource_type: &ResourceType,
) -> Option<(&'static Schema, &'t str)> {
    resource_type.schemas().find_map(|schema| {
        schema.older_urns.iter().find_map(|urn| {
            let (start, rest) = text.split_at_checked(urn.len())?;
            let ends_here = rest.is_empty() || rest.starts_with([':', '.']);
            (start.eq_ignore_ascii_case(urn) && ends_here).then_some((schema, rest))
        })
    })
}

/// `urn:…:enterprise:2.0:User.department`: URN and attribute joined by a dot. Returns the name.
///
/// Sent by: Entra without its flag until 2018, and applications that still run in that mode
/// (Entra, known issues).
fn dot_after_urn(behind_urn: &str) -> Option<&str> {
    behind_urn.strip_prefix('.')
}

/// Returns whether a text is an `ATTRNAME` of RFC 7643 §2.1; `$ref` is the one name with a `$`.
pub(crate) fn is_attribute_name(name: &str) -> bool {
    let name = name.strip_prefix('$').unwrap_or(name);
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

//! PATCH paths (RFC 7644 §3.5.2).

use thiserror::Error;

use crate::filter::{FilterError, ValuePath, parse_value_path};
use crate::name::{MAX_PATH_LENGTH, Name, NameError, resolve};
use crate::schema::{Attribute, AttributePath, ResourceType, Schema, Type};

/// Where a PATCH operation applies.
#[derive(Debug)]
pub enum PatchPath {
    /// An attribute or sub-attribute as a whole.
    Attribute(AttributePath),
    /// Some values of a multi-valued attribute, or one sub-attribute of them.
    Values(ValuePath),
    /// A singular complex attribute, or one sub-attribute of it, if it matches a filter.
    Singular(ValuePath),
    /// All attributes of a schema.
    Schema(&'static Schema),
}

/// Why a path cannot be used.
#[derive(Debug, Error)]
pub enum PathError {
    /// It names no attribute.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It has brackets, and they or the filter in them are wrong.
    #[error("{0}")]
    Filter(FilterError),
}

impl PatchPath {
    /// Returns the attribute on the path that clients may not write, if there is one.
    #[must_use]
    pub fn read_only(&self) -> Option<&'static Attribute> {
        match self {
            Self::Schema(_) => None,
            Self::Attribute(path) => path.read_only(),
            Self::Values(values) | Self::Singular(values) => values.target().read_only(),
        }
    }

    /// Parses `PATH = attrPath / valuePath [subAttr]` (RFC 7644 §3.5.2).
    ///
    /// # Errors
    /// [`PathError::Name`] for a path without brackets that names no attribute, and for a well-formed path with
    /// brackets that names an unknown one. [`PathError::Filter`] for any other fault of a path with brackets.
    pub fn parse(text: &str, resource_type: &'static ResourceType) -> Result<Self, PathError> {
        if text.len() > MAX_PATH_LENGTH {
            return Err(NameError::Malformed("it is too long").into());
        }
        if !text.contains('[') {
            return Ok(match resolve(text, resource_type)? {
                Name::Attribute(path) => Self::Attribute(path),
                Name::Schema(schema) => Self::Schema(schema),
            });
        }
        let values = parse_value_path(text, resource_type).map_err(|error| match error {
            FilterError::UnknownAttribute {
                parent: Some(attribute),
                ..
            } => NameError::UnknownSubAttribute(attribute).into(),
            FilterError::UnknownAttribute { parent: None, .. } => {
                NameError::UnknownAttribute.into()
            }
            error => PathError::Filter(error),
        })?;
        Ok(match brackets_on_singular(values.path.attribute) {
            true => Self::Singular(values),
            false => Self::Values(values),
        })
    }
}

/// `manager[value eq "m-1"]`: brackets on a singular complex attribute, which select it if it
/// matches. The grammar of RFC 7644 §3.5.2 has them, its text speaks of multi-valued attributes
/// only. An operation on one that does not match is skipped: refusing it would lose the
/// deactivation that may be sent with it, and applying it would change another manager.
///
/// Sent by: Entra, `{"op": "remove", "path": "manager[value eq \"…\"]"}`
/// (thomaspoignant/scim-patch#453).
fn brackets_on_singular(attribute: &Attribute) -> bool {
    !attribute.multi_valued && attribute.kind == Type::Complex
}

/// `{"name.givenName": …, "URN:department": …, "emails[type eq \"work\"].value": …}`: the keys of
/// an operation without path are paths themselves. `None` for what no schema declares.
///
/// Sent by: Entra with its flag (Entra, known issues; Captain-P-Goldfish/scim-for-keycloak#26).
///
/// # Errors
/// [`PathError`] for a malformed key with brackets, or one that begins with an attribute we know;
/// any other is unknown (`@odata.type`).
pub(super) fn keys_as_paths(
    key: &str,
    resource_type: &'static ResourceType,
) -> Result<Option<PatchPath>, PathError> {
    let key = key.trim();
    match PatchPath::parse(key, resource_type) {
        Ok(path) => Ok(Some(path)),
        Err(PathError::Name(NameError::UnknownAttribute | NameError::UnknownSubAttribute(_))) => {
            Ok(None)
        }
        Err(error) if key.contains('[') || begins_as_known(key, resource_type) => Err(error),
        Err(_) => Ok(None),
    }
}

/// Returns whether the part of a key before its first dot is an attribute we know. URNs have dots too.
fn begins_as_known(key: &str, resource_type: &ResourceType) -> bool {
    let behind_urn = key.rfind(':').map_or(0, |colon| colon + 1);
    let (urn, name) = key.split_at(behind_urn);
    let first = name.split('.').next().unwrap_or_default();
    resolve(&format!("{urn}{first}"), resource_type).is_ok()
}

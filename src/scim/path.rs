//! Attribute notation (RFC 7644 §3.10) and PATCH paths (§3.5.2).

use thiserror::Error;

use super::ScimError;
use super::dialect;
use super::filter::{self, Filter, FilterError, Scope};
use super::schema::{Attribute, Declared, ResourceType, Schema};

/// Longest PATCH path, in bytes.
pub const MAX_PATH_LENGTH: usize = 1024;

/// A known attribute, and where it stands in a resource.
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
    /// The attribute the path ends at.
    #[must_use]
    pub fn leaf(&self) -> &'static Attribute {
        self.sub_attribute.unwrap_or(self.attribute)
    }

    /// The attribute on the path that clients may not write, if there is one.
    #[must_use]
    pub fn read_only(&self) -> Option<&'static Attribute> {
        [self.attribute, self.leaf()]
            .into_iter()
            .find(|attribute| attribute.is_read_only())
    }

    /// Whether it leads to a sub-attribute of every value of a multi-valued attribute.
    #[must_use]
    pub fn is_in_every_value(&self) -> bool {
        self.attribute.multi_valued && self.sub_attribute.is_some()
    }

    /// An error about the attribute that the path ends at, with the whole path for the log.
    #[must_use]
    pub fn named_in(&self, error: ScimError) -> ScimError {
        match self.sub_attribute {
            Some(leaf) if error.attribute.as_deref() == Some(leaf.name) => {
                error.about(self.attribute.name)
            }
            _ => error,
        }
    }

    /// The same path without its sub-attribute.
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

/// Why a path cannot be used.
#[derive(Debug, Error)]
pub enum PathError {
    /// It does not follow the grammar.
    #[error("the path is malformed: {0}")]
    Malformed(&'static str),
    /// It follows the grammar, but names an attribute that no schema declares.
    #[error("no schema declares the attribute")]
    UnknownAttribute,
    /// It follows the grammar, but names a sub-attribute that this attribute does not have.
    #[error("'{}' has no such sub-attribute", .0.name)]
    UnknownSubAttribute(&'static Attribute),
    /// The filter between its brackets is wrong.
    #[error("the filter in the path is wrong: {0}")]
    Filter(FilterError),
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
/// # Errors
/// [`PathError`], except one about a filter.
pub fn resolve(text: &str, resource_type: &ResourceType) -> Result<Name, PathError> {
    if text.len() > MAX_PATH_LENGTH {
        return Err(PathError::Malformed("it is too long"));
    }
    match split_urn(text, resource_type) {
        Urn::Alone(schema) => Ok(Name::Schema(schema)),
        Urn::Unknown => Err(PathError::UnknownAttribute),
        Urn::Of(schema, rest) => resolve_in(schema, rest, resource_type).map(Name::Attribute),
        Urn::None => {
            let find = |name: &str| {
                let found = resource_type.attribute(name);
                found.or_else(|| dialect::extension_attribute_without_urn(resource_type, name))
            };
            attribute_path(text, find).map(Name::Attribute)
        }
    }
}

/// Resolves `attribute ["." sub-attribute]` within one schema.
///
/// # Errors
/// [`PathError`], except one about a filter.
pub fn resolve_in(
    schema: &'static Schema,
    text: &str,
    resource_type: &ResourceType,
) -> Result<AttributePath, PathError> {
    attribute_path(text, |name| resource_type.attribute_of(schema, name))
}

fn attribute_path(
    text: &str,
    find: impl Fn(&str) -> Option<Declared>,
) -> Result<AttributePath, PathError> {
    let (name, sub_name) = match text.split_once('.') {
        Some((name, sub_name)) => (name, Some(sub_name)),
        None => (text, None),
    };
    if !is_attribute_name(name) || !sub_name.is_none_or(is_attribute_name) {
        return Err(PathError::Malformed(
            "an attribute name is letters, digits, '-' and '_', at most one '.' between attribute and sub-attribute",
        ));
    }
    let Declared {
        extension,
        attribute,
    } = find(name).ok_or(PathError::UnknownAttribute)?;
    let sub_attribute = match sub_name {
        Some(sub_name) => Some(
            attribute
                .sub_attribute(sub_name)
                .ok_or(PathError::UnknownSubAttribute(attribute))?,
        ),
        None => None,
    };
    Ok(AttributePath {
        extension,
        attribute,
        sub_attribute,
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
    match dialect::older_urn(text, resource_type) {
        Some((schema, "")) => Urn::Alone(schema),
        Some((schema, rest)) => {
            name_behind_urn(rest).map_or(Urn::Unknown, |name| Urn::Of(schema, name))
        }
        None => Urn::Unknown,
    }
}

fn name_behind_urn(rest: &str) -> Option<&str> {
    rest.strip_prefix(':').or(dialect::dot_after_urn(rest))
}

/// `ATTRNAME` of RFC 7643 §2.1; `$ref` is the one name with a `$`.
pub(super) fn is_attribute_name(name: &str) -> bool {
    let name = name.strip_prefix('$').unwrap_or(name);
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

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
    /// The path without its filter.
    #[must_use]
    pub fn target(&self) -> AttributePath {
        AttributePath {
            sub_attribute: self.sub_attribute,
            ..self.path
        }
    }
}

impl PatchPath {
    /// The attribute on the path that clients may not write, if there is one.
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
    /// [`PathError`]; a well-formed path to an attribute we do not know is told apart.
    pub fn parse(text: &str, resource_type: &'static ResourceType) -> Result<Self, PathError> {
        let Some((name, rest)) = text.split_once('[') else {
            return Ok(match resolve(text, resource_type)? {
                Name::Attribute(path) => Self::Attribute(path),
                Name::Schema(schema) => Self::Schema(schema),
            });
        };
        if text.len() > MAX_PATH_LENGTH {
            return Err(PathError::Malformed("it is too long"));
        }
        let end = closing_bracket(rest).ok_or(PathError::Malformed("a ']' is missing"))?;
        let (filter, behind) = rest.split_at(end);
        // Blanks around brackets are as harmless as in a filter.
        let sub_name = sub_attribute_name(behind.get(1..).unwrap_or_default().trim())?;
        let path = match resolve(name.trim_end(), resource_type) {
            Ok(Name::Attribute(path)) => path,
            Ok(Name::Schema(_)) => {
                return Err(PathError::Malformed("a filter needs an attribute"));
            }
            Err(PathError::UnknownAttribute) => {
                // Only a path whose grammar holds may be called unknown.
                parse_filter(filter, Scope::Unknown)?;
                return Err(PathError::UnknownAttribute);
            }
            Err(error) => return Err(error),
        };
        let attribute = path.leaf();
        if path.sub_attribute.is_some() || attribute.sub_attributes.is_empty() {
            return Err(PathError::Malformed(
                "only a complex attribute takes a filter in brackets",
            ));
        }
        let filter = parse_filter(filter, Scope::Element(attribute))?;
        let sub_attribute = match sub_name {
            Some(name) => Some(
                attribute
                    .sub_attribute(name)
                    .ok_or(PathError::UnknownSubAttribute(attribute))?,
            ),
            None => None,
        };
        let values = ValuePath {
            path,
            filter,
            sub_attribute,
        };
        Ok(match dialect::brackets_on_singular(attribute) {
            true => Self::Singular(values),
            false => Self::Values(values),
        })
    }
}

fn sub_attribute_name(behind_bracket: &str) -> Result<Option<&str>, PathError> {
    if behind_bracket.is_empty() {
        return Ok(None);
    }
    behind_bracket
        .strip_prefix('.')
        .filter(|name| is_attribute_name(name))
        .map(Some)
        .ok_or(PathError::Malformed(
            "only '.' and a sub-attribute may follow ']'",
        ))
}

fn parse_filter(text: &str, scope: Scope) -> Result<Filter, PathError> {
    filter::parse(text, scope).map_err(|error| match scope {
        _ if !error.is_unknown_attribute() => PathError::Filter(error),
        Scope::Element(attribute) => PathError::UnknownSubAttribute(attribute),
        _ => PathError::UnknownAttribute,
    })
}

/// Byte offset of the first `]` outside a quoted string.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut in_string = false;
    let mut escaped = false;
    for (offset, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            ']' if !in_string => return Some(offset),
            _ => {}
        }
    }
    None
}

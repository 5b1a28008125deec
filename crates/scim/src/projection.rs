//! `attributes` and `excludedAttributes` (RFC 7644 §3.4.2.5, §3.9).

use serde_json::{Map, Value};

use crate::name::{Name, resolve};
use crate::schema::{AttributePath, COMMON_ATTRIBUTES, ResourceType, Returned, Schema};
use crate::{ScimError, rule};

/// Most names in `attributes` or `excludedAttributes`: more than all schemas declare.
pub const MAX_NAMES: usize = 200;

/// The attributes that a response holds.
#[derive(Debug, Default)]
pub enum Projection {
    /// All that are returned by default.
    #[default]
    Default,
    /// Only these, and those always returned.
    Only(Vec<Name>),
    /// All but these; those always returned stay.
    Except(Vec<Name>),
}

impl Projection {
    /// Reads the two lists of attribute names. Names that no schema declares are ignored, and so are repeated
    /// ones.
    ///
    /// ```
    /// # use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
    /// # static USER: ResourceType = ResourceType {
    /// #     name: "User", endpoint: "/Users", description: "User account",
    /// #     schema: &USER_SCHEMA, extensions: &[&ENTERPRISE_USER],
    /// # };
    /// use scim::projection::Projection;
    /// use serde_json::json;
    ///
    /// let only = Projection::parse(&["emails.value".to_owned()], &[], &USER)?;
    /// let user = json!({"id": "1", "title": "Countess", "emails": [{"value": "ada@example.com", "type": "work"}]});
    /// let user = only.apply(user.as_object().cloned().unwrap_or_default(), &USER);
    /// assert_eq!(json!(user), json!({"id": "1", "emails": [{"value": "ada@example.com"}]}));
    /// # Ok::<(), scim::ScimError>(())
    /// ```
    ///
    /// # Errors
    /// `invalidValue` if both are given, or one has more than [`MAX_NAMES`] names.
    pub fn parse(
        attributes: &[String],
        excluded_attributes: &[String],
        resource_type: &ResourceType,
    ) -> Result<Self, ScimError> {
        if attributes.len().max(excluded_attributes.len()) > MAX_NAMES {
            return Err(ScimError::invalid_value(format!(
                "'attributes' and 'excludedAttributes' may name at most {MAX_NAMES} attributes; name fewer."
            ))
            .rule(rule::PROJECTION_NAMES));
        }
        match (attributes.is_empty(), excluded_attributes.is_empty()) {
            (true, true) => Ok(Self::Default),
            (false, true) => Ok(Self::Only(names(attributes, resource_type))),
            (true, false) => Ok(Self::Except(names(excluded_attributes, resource_type))),
            (false, false) => Err(ScimError::invalid_value(
                "Use either 'attributes' or 'excludedAttributes', not both.",
            )
            .rule(rule::PROJECTION_BOTH)),
        }
    }

    /// Returns the requested part of a complete resource of this type.
    #[must_use]
    pub fn apply(
        &self,
        mut resource: Map<String, Value>,
        resource_type: &ResourceType,
    ) -> Map<String, Value> {
        let core = resource_type.schema;
        match self {
            Self::Default => resource,
            Self::Only(names) => {
                let mut projected = Map::new();
                for name in always_returned() {
                    if let Some(value) = resource.get(name) {
                        projected.insert(name.to_owned(), value.clone());
                    }
                }
                for name in names {
                    include(name, &resource, &mut projected, core);
                }
                naming_what_is_left(without_empty(projected), core)
            }
            Self::Except(names) => {
                for name in names {
                    exclude(name, &mut resource, core);
                }
                naming_what_is_left(without_empty(resource), core)
            }
        }
    }
}

fn names(list: &[String], resource_type: &ResourceType) -> Vec<Name> {
    let mut names: Vec<Name> = Vec::with_capacity(list.len());
    for name in list {
        if let Ok(name) = resolve(name.trim(), resource_type)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// Removes from `schemas` the extensions of which nothing is left (RFC 7643 §3).
fn naming_what_is_left(mut resource: Map<String, Value>, core: &Schema) -> Map<String, Value> {
    if let Some(Value::Array(mut schemas)) = resource.get_mut("schemas").map(Value::take) {
        let is_left = |urn: &str| urn == core.id || resource.contains_key(urn);
        schemas.retain(|urn| urn.as_str().is_some_and(is_left));
        resource.insert("schemas".to_owned(), Value::Array(schemas));
    }
    resource
}

fn always_returned() -> impl Iterator<Item = &'static str> {
    COMMON_ATTRIBUTES
        .iter()
        .filter(|attribute| attribute.returned == Returned::Always)
        .map(|attribute| attribute.name)
}

fn include(
    name: &Name,
    resource: &Map<String, Value>,
    projected: &mut Map<String, Value>,
    core: &Schema,
) {
    let path = match name {
        Name::Schema(schema) => {
            for (name, value) in resource {
                if is_of(schema, name, core) {
                    projected.insert(name.clone(), value.clone());
                }
            }
            return;
        }
        Name::Attribute(path) => path,
    };
    let Some(extension) = path.extension else {
        include_attribute(path, resource, projected);
        return;
    };
    if let Some(source) = resource.get(extension.id).and_then(Value::as_object) {
        let target = projected
            .entry(extension.id)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(target) = target.as_object_mut() {
            include_attribute(path, source, target);
        }
    }
}

fn include_attribute(
    path: &AttributePath,
    source: &Map<String, Value>,
    target: &mut Map<String, Value>,
) {
    let name = path.attribute.name;
    let Some(value) = source.get(name) else {
        return;
    };
    let Some(sub_attribute) = path.sub_attribute else {
        target.insert(name.to_owned(), value.clone());
        return;
    };
    match value {
        Value::Array(elements) => {
            let empty = || Value::Array(vec![Value::Object(Map::new()); elements.len()]);
            let kept = target.entry(name).or_insert_with(empty);
            for (kept, element) in kept.as_array_mut().into_iter().flatten().zip(elements) {
                copy_member(element, sub_attribute.name, kept);
            }
        }
        value => {
            let kept = target
                .entry(name)
                .or_insert_with(|| Value::Object(Map::new()));
            copy_member(value, sub_attribute.name, kept);
        }
    }
}

/// Returns whether a member of a resource holds attributes of the schema: an extension's object, or an
/// attribute of the core schema by its name.
fn is_of(schema: &Schema, name: &str, core: &Schema) -> bool {
    name == schema.id || schema.attribute(name).is_some_and(|_| schema.id == core.id)
}

/// Removes complex values of which no sub-attribute is left: they are unassigned (RFC 7643 §2.5).
fn without_empty(resource: Map<String, Value>) -> Map<String, Value> {
    resource
        .into_iter()
        .filter_map(|(name, value)| {
            let value = match value {
                Value::Array(mut elements) => {
                    elements.retain(|element| !is_empty_object(element));
                    if elements.is_empty() {
                        return None;
                    }
                    Value::Array(elements)
                }
                Value::Object(members) => Value::Object(without_empty(members)),
                value => value,
            };
            (!is_empty_object(&value)).then_some((name, value))
        })
        .collect()
}

fn is_empty_object(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

fn copy_member(source: &Value, name: &str, target: &mut Value) {
    if let (Some(value), Some(target)) = (source.get(name), target.as_object_mut()) {
        target.insert(name.to_owned(), value.clone());
    }
}

fn exclude(name: &Name, resource: &mut Map<String, Value>, core: &Schema) {
    let path = match name {
        Name::Schema(schema) => {
            resource.retain(|name, _| !is_of(schema, name, core));
            return;
        }
        Name::Attribute(path) => path,
    };
    if path.leaf().returned == Returned::Always {
        return;
    }
    let container = match path.extension {
        None => Some(resource),
        Some(extension) => resource
            .get_mut(extension.id)
            .and_then(Value::as_object_mut),
    };
    let Some(container) = container else {
        return;
    };
    match (path.sub_attribute, container.get_mut(path.attribute.name)) {
        (None, _) => {
            container.shift_remove(path.attribute.name);
        }
        (Some(sub_attribute), Some(Value::Array(elements))) => {
            for element in elements.iter_mut().filter_map(Value::as_object_mut) {
                element.shift_remove(sub_attribute.name);
            }
        }
        (Some(sub_attribute), Some(Value::Object(members))) => {
            members.shift_remove(sub_attribute.name);
        }
        (Some(_), _) => {}
    }
}

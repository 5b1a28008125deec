//! The attributes of a resource that clients may write.

use serde_json::{Map, Value};

use super::validation::{given_twice, validate};
use crate::compare::is_present;
use crate::name::{Name, resolve, resolve_in};
use crate::schema::{Attribute, AttributePath, ResourceType, Schema};
use crate::{ScimError, rule};

/// What clients may write of a resource, under canonical names, without unassigned attributes:
/// null, an empty array and absence are the same (RFC 7643 §2.5), and only absence is kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Document(Map<String, Value>);

impl Document {
    /// Validates the body of a POST or PUT. Attributes that no schema declares are dropped, and so are
    /// read-only ones (RFC 7644 §3.3, §3.5.1).
    ///
    /// ```
    /// # use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
    /// # static USER: ResourceType = ResourceType {
    /// #     name: "User", endpoint: "/Users", description: "User account",
    /// #     schema: &USER_SCHEMA, extensions: &[&ENTERPRISE_USER],
    /// # };
    /// use scim::resource::Document;
    /// use serde_json::json;
    ///
    /// let body = json!({"USERNAME": "ada@example.com", "id": "7", "shoeSize": 39, "title": null});
    /// let user = Document::from_input(body.as_object().cloned().unwrap_or_default(), &USER)?;
    /// assert_eq!(json!(user.members()), json!({"userName": "ada@example.com"}));
    /// # Ok::<(), scim::ScimError>(())
    /// ```
    ///
    /// # Errors
    /// `invalidValue` for a wrong type or a missing required attribute, `invalidSyntax` for an
    /// attribute named twice or a body that declares another kind of resource.
    pub fn from_input(
        input: Map<String, Value>,
        resource_type: &'static ResourceType,
    ) -> Result<Self, ScimError> {
        let mut document = Self::default();
        for (key, value) in input {
            match resolve(&key, resource_type) {
                Ok(Name::Attribute(path)) if path.attribute.name == "schemas" => {
                    check_schemas(&value, resource_type)?;
                }
                Ok(Name::Attribute(path)) => document.assign(path, value)?,
                Ok(Name::Schema(schema)) => {
                    document.assign_schema(schema, value, resource_type)?;
                }
                Err(_) => {}
            }
        }
        document.check_required(resource_type)?;
        Ok(document)
    }

    /// Takes a document that was validated before, such as one read from the store.
    #[must_use]
    pub fn from_validated(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// Returns the members, to keep them without the document.
    #[must_use]
    pub fn into_members(self) -> Map<String, Value> {
        self.0
    }

    /// Returns the members: core attributes and `externalId` by name, extensions by URN.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    fn assign(&mut self, path: AttributePath, value: Value) -> Result<(), ScimError> {
        if path.read_only().is_some() {
            return Ok(());
        }
        if path.is_in_every_value() {
            return Err(ScimError::invalid_syntax(format!(
                "Send '{}' as an array of objects, not by sub-attribute.",
                path.attribute.name
            ))
            .rule(rule::ATTRIBUTE_SPLIT)
            .about(path.attribute.name));
        }
        let validated = validate(path.leaf(), value).map_err(|error| path.named_in(error))?;
        let Some(value) = validated else {
            return Ok(());
        };
        // `name` and `name.givenName` may come in any order, as long as they do not overlap.
        let value = match (self.get(&path), value) {
            (None, value) => value,
            (Some(Value::Object(present)), Value::Object(added)) => {
                let overlaps = |name: &&Attribute| {
                    present.contains_key(name.name) && added.contains_key(name.name)
                };
                if let Some(twice) = path.attribute.sub_attributes.iter().find(overlaps) {
                    return Err(given_twice(path.attribute, twice));
                }
                let mut merged = present.clone();
                merged.extend(added);
                Value::Object(merged)
            }
            _ => return Err(given_twice(path.attribute, path.leaf())),
        };
        self.set(&path, Some(value));
        Ok(())
    }

    fn assign_schema(
        &mut self,
        schema: &'static Schema,
        value: Value,
        resource_type: &ResourceType,
    ) -> Result<(), ScimError> {
        let members = match value {
            Value::Object(members) => members,
            Value::Null => return Ok(()),
            _ => {
                return Err(ScimError::invalid_value(format!(
                    "'{}' must be an object.",
                    schema.id
                ))
                .rule(rule::ATTRIBUTE_TYPE)
                .about(schema.id));
            }
        };
        for (key, value) in members {
            if let Ok(path) = resolve_in(schema, &key, resource_type) {
                self.assign(path, value)?;
            }
        }
        Ok(())
    }

    /// Returns the value that a path leads to. A sub-attribute is read in a singular attribute only.
    #[must_use]
    pub fn get(&self, path: &AttributePath) -> Option<&Value> {
        let container = match path.extension {
            None => &self.0,
            Some(extension) => self.0.get(extension.id)?.as_object()?,
        };
        let value = container.get(path.attribute.name)?;
        match path.sub_attribute {
            None => Some(value),
            Some(sub_attribute) => value.get(sub_attribute.name),
        }
    }

    /// Takes the elements of a multi-valued attribute out, to change them and set them again, in the same
    /// place. Until then the attribute is null.
    pub fn take_elements(&mut self, path: &AttributePath) -> Vec<Value> {
        let container = match path.extension {
            None => Some(&mut self.0),
            Some(extension) => self.0.get_mut(extension.id).and_then(Value::as_object_mut),
        };
        let value = container.and_then(|container| container.get_mut(path.attribute.name));
        match value.map(Value::take) {
            Some(Value::Array(elements)) => elements,
            _ => Vec::new(),
        }
    }

    /// Sets a value, or takes it away. No empty object stays behind.
    pub fn set(&mut self, path: &AttributePath, value: Option<Value>) {
        match path.extension {
            None => set_in(&mut self.0, path, value),
            Some(extension) => {
                let mut members = match self.0.get_mut(extension.id) {
                    Some(Value::Object(members)) => std::mem::take(members),
                    _ => Map::new(),
                };
                set_in(&mut members, path, value);
                self.set_extension(extension, members);
            }
        }
    }

    fn set_extension(&mut self, extension: &Schema, members: Map<String, Value>) {
        if members.is_empty() {
            self.0.shift_remove(extension.id);
        } else {
            self.0
                .insert(extension.id.to_owned(), Value::Object(members));
        }
    }

    /// Takes all attributes of an extension away.
    pub fn remove_extension(&mut self, extension: &Schema) {
        self.0.shift_remove(extension.id);
    }

    /// Returns a singular string attribute of the core schema, or `externalId`.
    #[must_use]
    pub fn string(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Returns whether the user that this document describes may sign in: `active` is true.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.0.get("active") == Some(&Value::Bool(true))
    }

    /// Sets a singular attribute of the core schema.
    pub fn set_core(&mut self, name: &'static str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Returns the elements of a multi-valued attribute of the core schema.
    #[must_use]
    pub fn elements(&self, name: &str) -> &[Value] {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// Returns the elements of a multi-valued attribute of the core schema, to change.
    pub fn elements_mut(&mut self, name: &str) -> impl Iterator<Item = &mut Value> {
        self.0
            .get_mut(name)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
    }

    /// Checks that every required attribute has a value.
    ///
    /// # Errors
    /// `invalidValue`, which names a required attribute without a value.
    pub fn check_required(&self, resource_type: &ResourceType) -> Result<(), ScimError> {
        let missing = resource_type
            .schema
            .attributes
            .iter()
            .filter(|attribute| attribute.required)
            .find(|attribute| !self.0.get(attribute.name).is_some_and(is_present));
        match missing {
            Some(attribute) => Err(ScimError::invalid_value(format!(
                "'{}' is required and may not be empty.",
                attribute.name
            ))
            .rule(rule::ATTRIBUTE_REQUIRED)
            .about(attribute.name)),
            None => Ok(()),
        }
    }

    /// Returns the names of the attributes in which two documents differ; an extension's with its URN.
    #[must_use]
    pub fn changed_attributes(&self, other: &Self, resource_type: &ResourceType) -> Vec<String> {
        resource_type
            .declared()
            .filter(|declared| {
                let path = declared.path();
                self.get(&path) != other.get(&path)
            })
            .map(|declared| match declared.extension {
                Some(extension) => format!("{}:{}", extension.id, declared.attribute.name),
                None => declared.attribute.name.to_owned(),
            })
            .collect()
    }
}

fn set_in(members: &mut Map<String, Value>, path: &AttributePath, value: Option<Value>) {
    let name = path.attribute.name;
    let value = match path.sub_attribute {
        None => value,
        Some(sub_attribute) => {
            let mut object = match members.get_mut(name) {
                Some(Value::Object(object)) => std::mem::take(object),
                _ => Map::new(),
            };
            match value {
                Some(value) => object.insert(sub_attribute.name.to_owned(), value),
                None => object.shift_remove(sub_attribute.name),
            };
            (!object.is_empty()).then_some(Value::Object(object))
        }
    };
    match value {
        Some(value) => members.insert(name.to_owned(), value),
        None => members.shift_remove(name),
    };
}

/// Checks that `schemas` names the core schema (RFC 7643 §3). If it does not, the body is of another kind.
fn check_schemas(schemas: &Value, resource_type: &ResourceType) -> Result<(), ScimError> {
    let is_core = |urn: &Value| {
        let urn = urn.as_str();
        urn.is_some_and(|urn| urn.eq_ignore_ascii_case(resource_type.schema.id))
    };
    match schemas {
        Value::Null => Ok(()),
        Value::Array(listed) if listed.iter().any(is_core) => Ok(()),
        _ => Err(ScimError::invalid_syntax(format!(
            "'schemas' must contain '{}'.",
            resource_type.schema.id
        ))
        .rule(rule::SCHEMAS)
        .about("schemas")),
    }
}

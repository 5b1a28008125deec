//! Bulk requests (RFC 7644 §3.7): operations, and the `bulkId`s by which they refer to resources
//! that other operations of the request create.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ScimError;

/// Most operations in one request.
pub const MAX_OPERATIONS: usize = 100;
/// Largest request body, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;
/// Longest `bulkId`, in bytes.
const MAX_BULK_ID_BYTES: usize = 256;
/// URN of the BulkResponse message (RFC 7644 §3.7).
const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
/// How a `bulkId` is referred to in data and paths.
const REFERENCE: &str = "bulkId:";

/// A parsed BulkRequest message.
#[derive(Debug)]
pub struct BulkRequest {
    /// After how many errors the rest is not processed.
    pub fail_on_errors: Option<u64>,
    /// The operations, in the order of the request.
    pub operations: Vec<Operation>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `POST`, `PUT`, `PATCH` or `DELETE`, if the client keeps to them.
    pub method: String,
    /// Path below the base URL.
    pub path: String,
    /// The client's name for the resource that a `POST` creates.
    pub bulk_id: Option<String>,
    /// Like `If-Match`.
    pub version: Option<String>,
    /// The body.
    pub data: Value,
}

impl BulkRequest {
    /// Parses a message.
    ///
    /// # Errors
    /// `invalidSyntax`, or 413 for too many operations.
    pub fn parse(mut message: Map<String, Value>) -> Result<Self, ScimError> {
        let Some(Value::Array(operations)) = message.shift_remove("Operations") else {
            return Err(ScimError::invalid_syntax(
                "A bulk request needs an 'Operations' array (RFC 7644 section 3.7).",
            ));
        };
        if operations.is_empty() {
            return Err(ScimError::invalid_syntax(
                "'Operations' must contain at least one operation.",
            ));
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(ScimError::too_many_operations(MAX_OPERATIONS));
        }
        let fail_on_errors = match message.shift_remove("failOnErrors") {
            None | Some(Value::Null) => None,
            Some(count) => Some(count.as_u64().ok_or_else(|| {
                ScimError::invalid_syntax("'failOnErrors' must be a positive integer.")
            })?),
        };
        let operations = operations
            .into_iter()
            .enumerate()
            .map(|(index, operation)| {
                Operation::parse(operation)
                    .map_err(|error| error.within(&format!("Operations[{index}]")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut bulk_ids = BTreeSet::new();
        let mut declared = operations.iter().filter_map(Operation::declared);
        if let Some(twice) = declared.find(|bulk_id| !bulk_ids.insert(*bulk_id)) {
            return Err(ScimError::invalid_syntax(format!(
                "The bulkId '{twice}' is given twice; each must be unique in the request."
            )));
        }
        Ok(Self {
            fail_on_errors,
            operations,
        })
    }
}

impl Operation {
    fn parse(operation: Value) -> Result<Self, ScimError> {
        let Value::Object(mut members) = operation else {
            return Err(ScimError::invalid_syntax("An operation must be an object."));
        };
        let mut text = |name: &str| match members.shift_remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ScimError::invalid_syntax(format!(
                "'{name}' must be a string."
            ))),
        };
        let method = text("method")?;
        let path = text("path")?;
        let bulk_id = text("bulkId")?;
        let version = text("version")?;
        let (Some(method), Some(path)) = (method, path) else {
            return Err(ScimError::invalid_syntax(
                "An operation needs 'method' and 'path'.",
            ));
        };
        if bulk_id
            .as_ref()
            .is_some_and(|id| id.len() > MAX_BULK_ID_BYTES)
        {
            return Err(ScimError::invalid_syntax(format!(
                "A 'bulkId' may have at most {MAX_BULK_ID_BYTES} bytes."
            )));
        }
        Ok(Self {
            method: method.to_ascii_uppercase(),
            path,
            bulk_id,
            version,
            data: members.shift_remove("data").unwrap_or_default(),
        })
    }

    /// The `bulkId` that others may refer to: that of a resource it creates.
    #[must_use]
    pub fn declared(&self) -> Option<&str> {
        self.bulk_id.as_deref().filter(|_| self.method == "POST")
    }
}

/// Whether an operation can be processed yet.
#[derive(Debug)]
pub enum Readiness {
    /// It can; its references are ids now.
    Ready(Operation),
    /// It refers to a resource that another operation has still to create.
    Waiting,
    /// It never can.
    Never(ScimError),
}

/// What is known of the resource a `bulkId` stands for.
#[derive(Debug, Clone)]
enum Created {
    NotYet,
    As(String),
    Failed,
}

/// The `bulkId`s of a request.
#[derive(Debug)]
pub struct BulkIds(BTreeMap<String, Created>);

impl BulkIds {
    /// Those that the operations declare.
    #[must_use]
    pub fn of(request: &BulkRequest) -> Self {
        let declared = request.operations.iter().filter_map(Operation::declared);
        Self(
            declared
                .map(|id| (id.to_owned(), Created::NotYet))
                .collect(),
        )
    }

    /// Notes what an operation has created; `None` if it failed.
    pub fn settle(&mut self, operation: &Operation, id: Option<String>) {
        if let Some(bulk_id) = operation.declared() {
            let created = id.map_or(Created::Failed, Created::As);
            self.0.insert(bulk_id.to_owned(), created);
        }
    }

    /// Replaces the references in an operation by ids.
    #[must_use]
    pub fn resolve(&self, operation: &Operation) -> Readiness {
        let mut resolved = operation.clone();
        let mut missing = None;
        let mut replace = |text: &mut String| {
            let Some(bulk_id) = text.strip_prefix(REFERENCE) else {
                return;
            };
            match self.0.get(bulk_id) {
                Some(Created::As(id)) => *text = id.clone(),
                // One that never comes decides, whatever else is waited for.
                Some(Created::NotYet) if missing.is_none() => missing = Some(Readiness::Waiting),
                Some(Created::NotYet) => {}
                Some(Created::Failed) | None => {
                    missing = Some(Readiness::Never(ScimError::invalid_value(format!(
                        "'{text}' refers to no resource that this request has created."
                    ))));
                }
            }
        };
        let mut segments: Vec<String> = resolved.path.split('/').map(str::to_owned).collect();
        segments.iter_mut().for_each(&mut replace);
        each_string(&mut resolved.data, &mut replace);
        resolved.path = segments.join("/");
        missing.unwrap_or(Readiness::Ready(resolved))
    }
}

fn each_string(value: &mut Value, change: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| each_string(value, change)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|value| each_string(value, change)),
        _ => {}
    }
}

/// The refusal of operations that wait for each other.
#[must_use]
pub fn circular() -> ScimError {
    ScimError::conflict(
        "The operation refers to one that refers back to it; create the resources first, and their references in a second request.",
    )
}

/// The BulkResponse message.
#[must_use]
pub fn bulk_response(operations: Vec<Value>) -> Value {
    json!({"schemas": [BULK_RESPONSE_URN], "Operations": operations})
}

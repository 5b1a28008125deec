//! BulkRequest and BulkResponse (RFC 7644 §3.7).

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::bulk_references::references;
use crate::dialect;
use crate::error::shortened;
use crate::raw::{RawMembers, read};
use crate::{ScimError, rule};

/// Most operations in one request.
pub const MAX_BULK_OPERATIONS: usize = 100;

/// Largest request body, in bytes.
pub const MAX_BULK_PAYLOAD_BYTES: usize = 1024 * 1024;

/// Longest `path` of an operation, in bytes.
pub const MAX_BULK_PATH_BYTES: usize = 1024;

/// Longest `bulkId`, in bytes.
pub const MAX_BULK_ID_BYTES: usize = 256;

/// URN of the BulkRequest message (RFC 7644 §3.7).
pub const BULK_REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
/// URN of the BulkResponse message (RFC 7644 §3.7).
pub const BULK_RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// A parsed BulkRequest message.
#[derive(Debug)]
pub struct BulkRequest {
    /// After how many errors the rest is not processed.
    pub fail_on_errors: Option<u64>,
    /// The operations, in the order of the request.
    pub operations: Vec<BulkOperation>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct BulkOperation {
    /// What to do.
    pub method: Method,
    /// Path below the base URL.
    pub path: String,
    /// The client's name for the resource that a `POST` creates.
    pub bulk_id: Option<String>,
    /// Like `If-Match`.
    pub version: Option<String>,
    /// The body, not read yet.
    pub data: Option<Box<RawValue>>,
    /// The `bulkId`s it refers to, in its path and its data.
    pub(super) references: BTreeSet<String>,
}

/// What an operation does; another method is kept to be named in its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Create.
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Remove.
    Delete,
    /// Nothing that a bulk request can do.
    Other(String),
}

impl Method {
    fn parse(text: String) -> Self {
        match text.to_ascii_uppercase().as_str() {
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "PATCH" => Self::Patch,
            "DELETE" => Self::Delete,
            _ => Self::Other(shortened(&text)),
        }
    }

    /// Returns the method as HTTP spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Other(text) => text,
        }
    }
}

impl BulkRequest {
    /// Parses a message. The data of its operations is not read yet.
    ///
    /// ```
    /// use scim::messages::BulkRequest;
    ///
    /// let text = r#"{"Operations": [
    ///     {"method": "PATCH", "path": "/Users/bulkId:ada", "data": {}},
    ///     {"method": "POST", "path": "/Users", "bulkId": "ada", "data": {}}
    /// ]}"#;
    /// let request = BulkRequest::parse(serde_json::from_str(text)?)?;
    /// let order: Vec<usize> = request.in_order().iter().map(|(index, _)| *index).collect();
    /// assert_eq!(order, [1, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalidSyntax` if a member is missing or has the wrong type, 413 for too many operations.
    pub fn parse(mut message: RawMembers) -> Result<Self, ScimError> {
        dialect::bulk_message(&mut message);
        let operations = message.remove("Operations");
        let operations: Option<Operations> = operations.and_then(|text| read(&text));
        let Some(Operations(operations)) = operations else {
            return Err(ScimError::invalid_syntax(
                "A bulk request needs an 'Operations' array (RFC 7644 section 3.7).",
            )
            .rule(rule::BULK_OPERATIONS));
        };
        if operations.is_empty() {
            return Err(ScimError::invalid_syntax(
                "'Operations' is empty; send at least one operation.",
            )
            .rule(rule::BULK_OPERATIONS));
        }
        if operations.len() > MAX_BULK_OPERATIONS {
            return Err(ScimError::too_many_operations(MAX_BULK_OPERATIONS)
                .rule(rule::BULK_OPERATIONS_NUMBER));
        }
        let fail_on_errors = match message.remove("failOnErrors").map(|text| read(&text)) {
            None | Some(Some(Value::Null)) => None,
            Some(count) => Some(
                count
                    .and_then(|count| count.as_u64())
                    .filter(|count| *count > 0)
                    .ok_or_else(|| {
                        ScimError::invalid_syntax("'failOnErrors' must be a positive integer.")
                            .rule(rule::BULK_FAIL_ON_ERRORS)
                    })?,
            ),
        };
        let operations = operations
            .iter()
            .enumerate()
            .map(|(index, operation)| {
                BulkOperation::parse(operation).map_err(|error| error.in_operation(index))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut bulk_ids = BTreeSet::new();
        let mut declared = operations.iter().filter_map(BulkOperation::declared);
        if let Some(twice) = declared.find(|bulk_id| !bulk_ids.insert(*bulk_id)) {
            return Err(ScimError::invalid_syntax(format!(
                "The 'bulkId' '{twice}' is given twice; send a different one for each operation."
            ))
            .rule(rule::BULK_ID));
        }
        Ok(Self {
            fail_on_errors,
            operations,
        })
    }

    /// Returns the operations with their indexes, in the order they are processed in: that of the request,
    /// but that one which creates a resource comes before the first that refers to it.
    #[must_use]
    pub fn in_order(&self) -> Vec<(usize, &BulkOperation)> {
        let mut ordering = Ordering {
            operations: &self.operations,
            begun: BTreeSet::new(),
            ordered: Vec::with_capacity(self.operations.len()),
        };
        for (index, operation) in self.operations.iter().enumerate() {
            ordering.put(index, operation);
        }
        ordering.ordered
    }
}

/// The operations of a message, no more than one beyond the limit.
struct Operations(Vec<Box<RawValue>>);

impl<'de> Deserialize<'de> for Operations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Listed;

        impl<'de> Visitor<'de> for Listed {
            type Value = Operations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of operations")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut listed: A) -> Result<Operations, A::Error> {
                let mut operations = Vec::new();
                while operations.len() <= MAX_BULK_OPERATIONS
                    && let Some(operation) = listed.next_element()?
                {
                    operations.push(operation);
                }
                while listed.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Operations(operations))
            }
        }

        deserializer.deserialize_seq(Listed)
    }
}

/// Operations that are being put in order, depth first.
struct Ordering<'r> {
    operations: &'r [BulkOperation],
    begun: BTreeSet<usize>,
    ordered: Vec<(usize, &'r BulkOperation)>,
}

impl<'r> Ordering<'r> {
    fn put(&mut self, index: usize, operation: &'r BulkOperation) {
        if !self.begun.insert(index) {
            return;
        }
        for reference in &operation.references {
            let mut operations = self.operations.iter().enumerate();
            let creates = |other: &BulkOperation| other.declared() == Some(reference.as_str());
            if let Some((index, operation)) = operations.find(|(_, other)| creates(other)) {
                self.put(index, operation);
            }
        }
        self.ordered.push((index, operation));
    }
}

impl BulkOperation {
    fn parse(operation: &RawValue) -> Result<Self, ScimError> {
        let Some(mut members) = read::<RawMembers>(operation) else {
            return Err(
                ScimError::invalid_syntax("An element of 'Operations' must be an object.")
                    .rule(rule::BULK_OPERATION),
            );
        };
        dialect::bulk_operation(&mut members);
        let mut text = |name: &str| {
            let text = members.remove(name);
            text.map_or(Some(None), |text| read::<Option<String>>(&text))
                .ok_or_else(|| {
                    ScimError::invalid_syntax(format!("'{name}' must be a string."))
                        .rule(rule::BULK_OPERATION)
                })
        };
        let method = text("method")?;
        let path = text("path")?;
        let bulk_id = text("bulkId")?;
        let version = text("version")?;
        let (Some(method), Some(path)) = (method, path) else {
            return Err(
                ScimError::invalid_syntax("A bulk operation needs 'method' and 'path'.")
                    .rule(rule::BULK_OPERATION),
            );
        };
        if path.len() > MAX_BULK_PATH_BYTES {
            return Err(ScimError::invalid_syntax(format!(
                "The 'path' of an operation may have at most {MAX_BULK_PATH_BYTES} bytes."
            ))
            .rule(rule::BULK_OPERATION));
        }
        if path.contains('?') {
            return Err(ScimError::invalid_syntax(
                "The 'path' of an operation takes no query; send it without '?'.",
            )
            .rule(rule::BULK_OPERATION));
        }
        if bulk_id
            .as_ref()
            .is_some_and(|id| id.len() > MAX_BULK_ID_BYTES || id.contains('/'))
        {
            return Err(ScimError::invalid_syntax(format!(
                "A 'bulkId' may have at most {MAX_BULK_ID_BYTES} bytes and no '/'."
            ))
            .rule(rule::BULK_ID));
        }
        let data = members.remove("data");
        Ok(Self {
            method: Method::parse(method),
            references: references(&path, data.as_deref()),
            path,
            bulk_id,
            version,
            data,
        })
    }

    /// Returns the `bulkId` that others may refer to: that of a resource it creates.
    #[must_use]
    pub fn declared(&self) -> Option<&str> {
        self.bulk_id
            .as_deref()
            .filter(|_| self.method == Method::Post)
    }
}

/// Returns the BulkResponse message.
#[must_use]
pub fn bulk_response(operations: Vec<Value>) -> Value {
    json!({"schemas": [BULK_RESPONSE_URN], "Operations": operations})
}

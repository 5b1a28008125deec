//! The `bulkId`s by which operations of a bulk request refer to resources that others create (RFC 7644 §3.7.2).

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::to_raw_value;

use super::bulk::{BulkOperation, BulkRequest};
use super::bulk_references::{REFERENCE, is_for_references, last_segment, referred};
use crate::error::shortened;
use crate::raw::read;
use crate::{ScimError, rule};

/// The state of the resource that a `bulkId` stands for.
#[derive(Debug, Clone)]
enum Created {
    NotYet,
    As(String),
    Failed,
    /// Its operation refers to itself by way of others, or to one that does.
    Never,
}

/// The `bulkId`s of a request.
#[derive(Debug)]
pub struct BulkIds(BTreeMap<String, Created>);

impl BulkIds {
    /// Returns the `bulkId`s that the operations declare.
    #[must_use]
    pub fn of(request: &BulkRequest) -> Self {
        let declared = request
            .operations
            .iter()
            .filter_map(BulkOperation::declared);
        Self(
            declared
                .map(|id| (id.to_owned(), Created::NotYet))
                .collect(),
        )
    }

    /// Notes what an operation has created; `None` if it failed.
    pub fn settle(&mut self, operation: &BulkOperation, id: Option<String>) {
        self.note(operation, id.map_or(Created::Failed, Created::As));
    }

    fn note(&mut self, operation: &BulkOperation, created: Created) {
        if let Some(bulk_id) = operation.declared() {
            self.0.insert(bulk_id.to_owned(), created);
        }
    }

    /// Replaces the references in an operation by ids. One that cannot be resolved has failed.
    ///
    /// # Errors
    /// 409 for operations that refer to each other, `invalidValue` for a reference to what has not
    /// been created.
    pub fn resolve(&mut self, operation: &BulkOperation) -> Result<BulkOperation, ScimError> {
        for reference in &operation.references {
            let (created, error) = match self.0.get(reference) {
                Some(Created::As(_)) => continue,
                // What is referred to comes first, unless that itself waits for this one.
                Some(Created::NotYet | Created::Never) => (Created::Never, circular()),
                Some(Created::Failed) | None => (
                    Created::Failed,
                    ScimError::invalid_value(format!(
                        "'{REFERENCE}{}' refers to no resource that this request has created; give the POST that creates it this 'bulkId'.",
                        shortened(reference)
                    ))
                    .rule(rule::BULK_REFERENCE),
                ),
            };
            self.note(operation, created);
            return Err(error);
        }
        let mut resolved = operation.clone();
        if operation.references.is_empty() {
            return Ok(resolved);
        }
        let segments = resolved.path.split('/').map(|segment| {
            let id = referred(segment).and_then(|bulk_id| self.id(bulk_id));
            id.unwrap_or(segment)
        });
        resolved.path = segments.collect::<Vec<_>>().join("/");
        if let Some(mut data) = resolved.data.as_deref().and_then(read::<Value>) {
            self.replace_in(&mut data, "");
            resolved.data = Some(to_raw_value(&data).map_err(ScimError::internal)?);
        }
        Ok(resolved)
    }

    /// Returns the id of the resource created under a `bulkId`.
    fn id(&self, bulk_id: &str) -> Option<&str> {
        match self.0.get(bulk_id)? {
            Created::As(id) => Some(id),
            _ => None,
        }
    }

    /// Replaces references in a value that stands under this name.
    fn replace_in(&self, value: &mut Value, name: &str) {
        match value {
            Value::String(text) if is_for_references(name) => {
                let (url, last) = last_segment(text);
                if let Some(id) = referred(last).and_then(|bulk_id| self.id(bulk_id)) {
                    *text = format!("{url}{id}");
                }
            }
            Value::Array(values) => values
                .iter_mut()
                .for_each(|value| self.replace_in(value, name)),
            Value::Object(members) => members
                .iter_mut()
                .for_each(|(name, value)| self.replace_in(value, name)),
            _ => {}
        }
    }
}

/// Returns the refusal of operations that refer to each other in a circle.
fn circular() -> ScimError {
    ScimError::conflict(
        "Circular reference between bulkIds; create the resources first, and add their references in a second request.",
    )
    .rule(rule::BULK_CIRCLE)
}

//! How operations of a bulk request refer to resources that others create (RFC 7644 §3.7.2).

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::raw::read;

/// Largest `data` of an operation, in bytes: that of a request of its own.
pub const MAX_BULK_DATA_BYTES: usize = 256 * 1024;

/// How a `bulkId` is referred to in data and paths.
pub(super) const REFERENCE: &str = "bulkId:";

/// Returns the `bulkId`s that an operation refers to. Data that is too large is refused when its turn comes.
pub(super) fn references(path: &str, data: Option<&RawValue>) -> BTreeSet<String> {
    let mut references: BTreeSet<String> = path
        .split('/')
        .filter_map(referred)
        .map(str::to_owned)
        .collect();
    let data = data.filter(|data| data.get().len() <= MAX_BULK_DATA_BYTES);
    if let Some(data) = data.and_then(read::<Value>) {
        collect_references(&data, "", &mut references);
    }
    references
}

/// Returns the `bulkId` that a text refers to.
pub(super) fn referred(text: &str) -> Option<&str> {
    text.strip_prefix(REFERENCE)
}

/// Splits a text before its last segment: a reference may be the whole text, or the end of a URL (`$ref`).
pub(super) fn last_segment(text: &str) -> (&str, &str) {
    text.split_at(text.rfind('/').map_or(0, |slash| slash + 1))
}

/// Collects the `bulkId`s that the value of a member with this name refers to.
pub(super) fn collect_references(value: &Value, name: &str, references: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if is_for_references(name) => {
            references.extend(referred(last_segment(text).1).map(str::to_owned));
        }
        Value::Array(values) => {
            for value in values {
                collect_references(value, name, references);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                collect_references(value, name, references);
            }
        }
        _ => {}
    }
}

/// Returns whether a reference may stand under a name: as a `value`, its `$ref` or a manager. Elsewhere,
/// such as in a title, a text just looks like one.
pub(super) fn is_for_references(name: &str) -> bool {
    let last = name.rsplit([':', '.']).next().unwrap_or(name);
    ["value", "$ref", "manager"]
        .iter()
        .any(|place| place.eq_ignore_ascii_case(last))
}

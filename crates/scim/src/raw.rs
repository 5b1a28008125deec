//! JSON that is not read yet.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// Members of an object whose values are not read yet, so that a large message stays compact.
pub type RawMembers = BTreeMap<String, Box<RawValue>>;

/// Reads a value; `None` if it is not of that type.
pub(crate) fn read<'t, T: Deserialize<'t>>(text: &'t RawValue) -> Option<T> {
    serde_json::from_str(text.get()).ok()
}

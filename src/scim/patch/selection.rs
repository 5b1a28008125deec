//! Brackets on a singular complex attribute: whether they select it.

use super::Edit;
use crate::scim::resource::Document;
use crate::scim::schema::Attribute;

/// The attribute that does not match the filter which an edit has for it; one that has no value
/// matches no filter.
pub(super) fn unmatched(edit: &Edit, document: &Document) -> Option<&'static Attribute> {
    let condition = edit.condition.as_ref()?;
    let is_selected = document
        .get(&condition.path)
        .is_some_and(|value| condition.filter.matches_element(value));
    (!is_selected).then_some(condition.path.attribute)
}

//! Brackets on a singular complex attribute: whether they select it.

use super::change::Edit;
use crate::resource::Document;
use crate::schema::Attribute;
use crate::work::{Exhausted, Work};

/// Returns the attribute that does not match the filter which an edit has for it; one that has no value
/// matches no filter.
pub(crate) fn unmatched(
    edit: &Edit,
    document: &Document,
    work: &mut Work,
) -> Result<Option<&'static Attribute>, Exhausted> {
    let Some(condition) = &edit.condition else {
        return Ok(None);
    };
    let is_selected = match document.get(&condition.path) {
        Some(value) => condition.filter.matches_element(value, work)?,
        None => false,
    };
    Ok((!is_selected).then_some(condition.path.attribute))
}

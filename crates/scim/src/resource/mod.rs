//! A resource's attributes, validated against their schema, and the resource as clients see it.

mod document;
mod representation;
mod validation;

pub use document::Document;
pub use representation::{Meta, date_time, location, render};
pub use validation::{MAX_VALUES, is_primary, validate};
pub(crate) use validation::{
    cannot_be_cleared, check_elements, check_number, drop_repeated, given_twice, validate_element,
};

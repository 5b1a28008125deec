//! Commands that use a SCIM endpoint from outside.

pub(crate) mod doctor;
mod endpoint;
mod outcome;
pub(crate) mod simulate;
mod token;

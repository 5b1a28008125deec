//! Commands that use a SCIM endpoint from outside.

mod credentials;
pub(crate) mod doctor;
mod endpoint;
mod oauth_client;
mod outcome;
pub(crate) mod simulate;

//! Rewrites what identity providers send to RFC form.
//!
//! Every rule looks at what a request *is*, never at who sends it: one Entra tenant sends RFC and
//! legacy shapes side by side, because its `aadOptscim062020` flag does not reach on-demand
//! provisioning. Each rule is a function that says who sends what it rewrites, and has cases of
//! its name in `tests/data/dialects`. "Entra, known issues" is Microsoft's page "Known issues and
//! resolutions with SCIM 2.0 protocol compliance", "Entra, tutorial" its "Develop and plan
//! provisioning for a SCIM endpoint"; `owner/name#1` are issues on GitHub.

mod messages;
mod resource;
mod values;

pub use messages::{bulk_message, bulk_operation, patch_message};
pub use resource::resource;
pub use values::{boolean_as_string, patch_element, patch_value, to_schema, wrapped_extension};

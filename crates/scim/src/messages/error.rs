//! Error (RFC 7644 §3.12).

use serde_json::{Value, json};

use crate::ScimError;

/// URN of the Error message.
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Returns the message that says why a request was refused. `status` is a string there.
#[must_use]
pub fn error_message(error: &ScimError) -> Value {
    let mut message = json!({
        "schemas": [ERROR_URN],
        "status": error.status.to_string(),
    });
    if let Some(members) = message.as_object_mut() {
        if let Some(scim_type) = error.scim_type {
            members.insert("scimType".into(), scim_type.as_str().into());
        }
        members.insert("detail".into(), error.detail.clone().into());
    }
    message
}

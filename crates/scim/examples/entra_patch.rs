//! Applies a PATCH as Microsoft Entra ID sends it without its flag `aadOptscim062020`:
//! `cargo run -p scim --example entra_patch`
#![allow(clippy::print_stdout)]

use std::error::Error;

use scim::ScimError;
use scim::messages::{PatchOp, error_message};
use scim::resource::Document;
use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
use scim::work::Work;
use serde_json::{Map, Value, json};

static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER],
};

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

fn patched(user: &Document, message: &Value) -> Result<Document, ScimError> {
    let patch = PatchOp::parse(object(message), &USER)?;
    let patched = patch.apply("2819c223", user, &USER, &mut Work::of_patch())?;
    Ok(patched.document)
}

fn main() -> Result<(), Box<dyn Error>> {
    let user = object(&json!({"userName": "ada@example.com", "active": true}));
    let user = Document::from_input(user, &USER)?;
    let message = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [
            {"op": "Replace", "path": "active", "value": "False"},
            {"op": "Add", "path": "emails[type eq \"work\"].value", "value": "ada@example.com"},
            {"op": "Add", "path": "manager", "value": [{"$ref": null, "value": "26118915"}]},
        ],
    });
    let user = patched(&user, &message)?;
    println!("{}", serde_json::to_string_pretty(user.members())?);

    let message = json!({"Operations": [{"op": "Replace", "path": "active", "value": "perhaps"}]});
    if let Err(error) = patched(&user, &message) {
        println!("{}", serde_json::to_string_pretty(&error_message(&error))?);
    }
    Ok(())
}

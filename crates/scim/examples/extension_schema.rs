//! Declares an extension schema and a resource type that has it: `cargo run -p scim --example extension_schema`
#![allow(clippy::print_stdout)]

use std::error::Error;

use scim::discovery::ServiceProvider;
use scim::resource::Document;
use scim::schema::{Attribute, ResourceType, Schema, USER_SCHEMA};
use serde_json::json;

static BADGE: Schema = Schema::new(
    "urn:example:params:scim:schemas:extension:badge:1.0:User",
    "Badge",
    "The badge that opens doors",
    &[
        Attribute::string("number", "The number on the badge.").unique(),
        Attribute::boolean("revoked", "Whether it opens doors no more."),
        Attribute::complex("doors", DOORS, "The doors that it opens.").multi_valued(),
    ],
);

static DOORS: &[Attribute] = &[
    Attribute::string("value", "The name of the door."),
    Attribute::string("type", "What kind of door it is.").canonical(&["inner", "outer"]),
];

static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account with a badge",
    schema: &USER_SCHEMA,
    extensions: &[&BADGE],
};

static PROVIDER: ServiceProvider = ServiceProvider {
    resource_types: &[&USER],
    authentication_schemes: &[],
};

fn main() -> Result<(), Box<dyn Error>> {
    let body = json!({
        "userName": "ada@example.com",
        BADGE.id: {"number": "0451", "doors": [{"value": "Laboratory", "type": "inner"}]},
    });
    let body = body.as_object().cloned().unwrap_or_default();
    let user = Document::from_input(body, &USER)?;
    println!("{}", serde_json::to_string_pretty(user.members())?);

    let schema = PROVIDER.schema(BADGE.id, "https://scim.example.com/scim/v2");
    println!("{}", serde_json::to_string_pretty(&schema)?);
    Ok(())
}

//! Parses a filter, and says which users match: `cargo run -p scim --example parse_filter -- 'userName sw "a"'`
#![allow(clippy::print_stdout)]

use std::error::Error;

use scim::filter::{Scope, parse};
use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};
use scim::work::Work;
use serde_json::json;

static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER],
};

fn main() -> Result<(), Box<dyn Error>> {
    let default =
        "emails[type eq \"work\" and value ew \"@example.com\"] and department eq \"Research\"";
    let text = std::env::args()
        .nth(1)
        .unwrap_or_else(|| default.to_owned());
    let filter = match parse(&text, Scope::Resource(&USER)) {
        Ok(filter) => filter,
        Err(error) => return Err(format!("{text}: {error}").into()),
    };
    let users = json!([
        {
            "userName": "ada@example.com",
            "emails": [{"type": "work", "value": "Ada@Example.com"}],
            ENTERPRISE_USER.id: {"department": "research"},
        },
        {
            "userName": "grace@example.com",
            "emails": [{"type": "home", "value": "grace@example.com"}],
        },
    ]);
    println!("{text}");
    for user in users
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|user| user.as_object())
    {
        let verdict = match filter.matches(user, &mut Work::of_query())? {
            true => "matches",
            false => "does not match",
        };
        println!("{} {verdict}", user["userName"]);
    }
    Ok(())
}

//! Every limit, below it, at it and above it.

mod keys;
mod pages;
mod requests;
mod scans;
mod users;

use serde_json::{Value, json};

use test_support::world::{Call, encode};

fn search(query: &[(&str, &str)]) -> Call {
    Call::new("GET", "/Users").query(&encode(query))
}

/// Documents of exactly so many bytes.
fn document_of(bytes: usize) -> impl Fn(usize) -> Value {
    move |number| {
        let user = |title: usize| json!({"userName": format!("u{number:05}"), "active": true, "title": "t".repeat(title)});
        user(bytes - user(0).to_string().len())
    }
}

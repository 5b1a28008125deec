//! A resource that was stored comes back as it was sent.

use proptest::prelude::*;
use scim::dialect;
use scim::resource::{Document, Meta, render};
use serde_json::{Map, Value};

use crate::generate::{config, user};
use crate::{CASES, USER};

fn stored(mut input: Map<String, Value>) -> Document {
    dialect::resource(&mut input, &USER);
    Document::from_input(input, &USER).expect("a valid user")
}

fn returned(document: &Document) -> Map<String, Value> {
    let meta = Meta {
        created: "2026-01-01T00:00:00Z".parse().unwrap(),
        last_modified: "2026-01-01T00:00:00Z".parse().unwrap(),
        version: 1,
    };
    let rendered = render(
        &USER,
        "id",
        document.clone(),
        &meta,
        "https://scim.example.com",
    );
    let text = serde_json::to_string(&rendered).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The same members under names of another case.
fn in_capitals(members: &Map<String, Value>) -> Map<String, Value> {
    let shout = |(name, value): (&String, &Value)| (name.to_ascii_uppercase(), value.clone());
    members.iter().map(shout).collect()
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn a_resource_survives_round_trips(user in user(&USER)) {
        let document = stored(user.clone());
        let read = returned(&document);
        for (name, value) in &user {
            prop_assert_eq!(read.get(name), Some(value), "{}", name);
        }
        // Read and written back, as Okta does, it is the same resource, whatever case names have.
        prop_assert_eq!(&stored(read.clone()), &document);
        prop_assert_eq!(&stored(in_capitals(&read)), &document);
    }
}

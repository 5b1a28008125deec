//! A resource that was stored comes back as it was sent.

use paradigm_scim::conversation::differences;
use paradigm_scim::scim::dialect;
use paradigm_scim::scim::resource::{Document, Meta, is_primary, render};
use paradigm_scim::scim::schema::{Attribute, Type, USER};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{CASES, STORED_CASES, config, over_the_store, text};

/// A value of an attribute, in canonical form: nothing null, nothing empty.
fn value_of(attribute: &'static Attribute) -> BoxedStrategy<Value> {
    let one = match attribute.kind {
        Type::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Type::Binary => prop_oneof![Just(json!("AQID")), Just(json!("/w=="))].boxed(),
        Type::Integer => any::<i64>().prop_map(Value::from).boxed(),
        Type::DateTime => Just(json!("2026-01-01T00:00:00Z")).boxed(),
        Type::String | Type::Reference => text().prop_map(Value::from).boxed(),
        Type::Complex => members_of(attribute.sub_attributes)
            .prop_filter("empty", |members| !members.is_empty())
            .prop_map(Value::Object)
            .boxed(),
    };
    if !attribute.multi_valued {
        return one;
    }
    proptest::collection::vec(one, 1..4)
        .prop_map(distinct)
        .boxed()
}

/// Without repeated values, and with one primary value at most.
fn distinct(values: Vec<Value>) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for mut value in values {
        if kept.iter().any(is_primary)
            && let Some(members) = value.as_object_mut()
            && members.contains_key("primary")
        {
            members.insert("primary".to_owned(), false.into());
        }
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    Value::Array(kept)
}

fn members_of(attributes: &'static [Attribute]) -> BoxedStrategy<Map<String, Value>> {
    let mut all = Just(Map::new()).boxed();
    for attribute in attributes
        .iter()
        .filter(|attribute| !attribute.is_read_only())
    {
        let member = proptest::option::weighted(0.3, value_of(attribute));
        all = (all, member)
            .prop_map(|(mut members, value)| {
                if let Some(value) = value {
                    members.insert(attribute.name.to_owned(), value);
                }
                members
            })
            .boxed();
    }
    all
}

/// A user as a client sends it.
pub(super) fn user() -> impl Strategy<Value = Map<String, Value>> {
    let extension = USER.extensions[0];
    (
        members_of(USER.schema.attributes),
        members_of(extension.attributes),
        text(),
        proptest::option::of(text()),
    )
        .prop_map(move |(mut user, extended, user_name, external_id)| {
            user.insert("userName".to_owned(), format!("u{user_name}").into());
            if let Some(external_id) = external_id {
                user.insert("externalId".to_owned(), external_id.into());
            }
            if !extended.is_empty() {
                user.insert(extension.id.to_owned(), Value::Object(extended));
            }
            user
        })
}

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

#[test]
fn a_user_survives_round_trips_over_the_store() {
    over_the_store(config(STORED_CASES), &user(), async |client, user| {
        let sent = Value::Object(user);
        let created = client.post(&sent).await;
        prop_assert_eq!(created.status, 201, "{}: {:?}", sent, created.body);
        prop_assert_eq!(differences(&sent, created.json()), [""; 0]);
        let id = created.id();
        let read = client.get(&format!("/Users/{id}")).await;
        prop_assert_eq!(&read.body, &created.body);
        // Nothing has changed, so nothing is written, and the version is the same.
        let replaced = client.put(&id, read.json()).await;
        prop_assert_eq!(&replaced.body, &created.body);
        prop_assert_eq!(client.delete(&id).await.status, 204);
        Ok(())
    });
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn a_resource_survives_round_trips(user in user()) {
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

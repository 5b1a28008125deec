//! Bodies of POST and PUT: what holds for every attribute. `tests/cases/documents.rs` has the single cases.

use jiff::SignedDuration;
use paradigm_scim::directory::USER;
use scim::schema::Attribute;
use serde_json::{Value, json};

use test_support::data::assert_none;
use test_support::world::{Client, World};

/// RFC 7643 §2.5: null, an empty array and absence are the same, for every attribute and
/// sub-attribute that the schemas declare, whatever name it is sent under.
#[tokio::test]
async fn null_and_an_empty_array_are_as_if_left_out_for_every_attribute() {
    let world = World::new().await;
    let client = world.client().await;
    let without = json!({"userName": "absent@example.com", "active": false, "title": "T"});
    let id = client.create(&without).await;
    let mut failures = Vec::new();
    for (name, key, attribute) in names() {
        // What a PUT leaves out is cleared, except the state, which stays as it is.
        let mut without = json!({"userName": "absent@example.com"});
        let members = without.as_object_mut().unwrap();
        if attribute.required {
            members.clear();
        }
        let absent = by_put_and_post(&client, &id, &without).await;
        for nothing in [Value::Null, json!([])] {
            let mut with = without.clone();
            with[&key] = nested(&name, &nothing);
            let sent = by_put_and_post(&client, &id, &with).await;
            if sent != absent {
                failures.push(format!("{with}: {sent:?}, not {absent:?}"));
            }
        }
    }
    assert_none(&failures);
}

/// For every attribute: the names below its key, the key itself in each of its
/// forms, and the attribute.
fn names() -> Vec<(Vec<&'static str>, String, &'static Attribute)> {
    let mut names = Vec::new();
    for declared in USER.declared() {
        let attribute = declared.attribute;
        let schema = declared.extension.unwrap_or(USER.schema);
        names.push((vec![], attribute.name.to_owned(), attribute));
        names.push((
            vec![],
            format!("{}:{}", schema.id, attribute.name),
            attribute,
        ));
        names.push((vec![attribute.name], schema.id.to_owned(), attribute));
        for part in attribute.sub_attributes {
            names.push((vec![part.name], attribute.name.to_owned(), part));
        }
    }
    assert!(names.len() > 100, "{}", names.len());
    names
}

fn nested(names: &[&str], value: &Value) -> Value {
    names
        .iter()
        .rev()
        .fold(value.clone(), |inner, name| json!({ *name: inner }))
}

/// Status and attributes of what a PUT and a POST make of a body.
async fn by_put_and_post(client: &Client<'_>, id: &str, body: &Value) -> [(u16, Value); 2] {
    let replaced = client.put(id, body).await;
    let mut new = body.clone();
    if new["userName"].is_string() {
        new["userName"] = "new@example.com".into();
    }
    let created = client.post(&new).await;
    if created.status == 201 {
        client.delete(&created.id()).await;
    }
    [replaced, created].map(|response| {
        let mut body = response.body.unwrap_or_default();
        for own in ["id", "meta", "detail"] {
            body.as_object_mut().unwrap().shift_remove(own);
        }
        (response.status, body)
    })
}

/// Some clients parse a fixed number of digits, and texts of equal length sort as times do.
#[tokio::test]
async fn timestamps_have_three_fraction_digits() {
    let world = World::new().await;
    let client = world.client().await;
    let mut expected = "2026-01-01T00:00:00.000Z";
    for (by, created) in [
        (0, "2026-01-01T00:00:00.000Z"),
        (5, "2026-01-01T00:00:00.005Z"),
        (45, "2026-01-01T00:00:00.050Z"),
        (450, "2026-01-01T00:00:00.500Z"),
        (500, "2026-01-01T00:00:01.000Z"),
    ] {
        world.clock.advance(SignedDuration::from_millis(by));
        let user = json!({"userName": format!("at{by}@example.com")});
        let response = client.post(&user).await;
        let meta = &response.json()["meta"];
        assert_eq!(meta["created"], created);
        assert_eq!(meta["lastModified"], created);
        assert!(expected <= created, "in the order of time");
        expected = created;
        // The instant counts in a filter, not its text.
        let shorter = created.trim_end_matches(['Z', '0']).trim_end_matches('.');
        for text in [created.to_owned(), format!("{shorter}Z")] {
            let filter = format!("meta.created eq \"{text}\" and userName sw \"at{by}@\"");
            let found = client.filter(&filter).await;
            assert_eq!(found.json()["totalResults"], 1, "{filter}");
        }
    }
}

//! What requests compute, in the units of the work budget: exactly the same at each run.

use paradigm_scim::directory::USER;
use scim::filter::{Filter, MAX_FILTER_COMPARISONS, Scope, parse};
use scim::messages::{MAX_PATCH_OPERATIONS, PatchOp};
use scim::resource::{Document, MAX_VALUES};
use scim::work::{MAX_PATCH_WORK, MAX_QUERY_WORK, Work};
use serde_json::{Map, Value, json};

use test_support::world::{Call, World, encode, fill_with};

/// A letter of two bytes that folding takes apart and puts together again.
const LONG: &str = "\u{390}";

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn filter(text: &str) -> Filter {
    parse(text, Scope::Resource(&USER)).unwrap()
}

#[test]
fn a_filter_counts_each_value_and_its_bytes_and_folds_a_text_once() {
    let user = object(json!({
        "userName": "ada@example.com",
        "title": LONG.repeat(10),
        "roles": [{"value": "one"}, {"value": "two"}, {"value": "three"}],
    }));
    for (text, expected) in [
        // A value found, and its 15 bytes compared.
        ("userName eq \"ADA@example.com\"", 64 + 64 + 15),
        ("userName pr", 64),
        ("nickName eq \"x\"", 0),
        // The third of three values is never compared.
        ("roles.value eq \"two\"", 3 * 64 + 2 * (64 + 3)),
        ("roles.value eq \"four\"", 3 * 64 + 2 * (64 + 3) + 64 + 5),
        // The value is found, searched among the folded ones, and folded.
        ("title eq \"x\"", 64 + 64 + 20 + 20 * 32),
        // The second time it is not folded again.
        (
            "title eq \"x\" or title eq \"y\"",
            2 * (64 + 64 + 20) + 20 * 32,
        ),
        // Folded text is searched once more.
        ("title co \"x\"", 64 + 64 + 20 + 20 * 32 + 20),
    ] {
        let mut work = Work::of_query();
        filter(text).matches(&user, &mut work).unwrap();
        assert_eq!(work.spent(), expected, "{text}");
    }
}

/// 200 paths of 1 kB over 90 long values, each of which is expensive to fold.
#[test]
fn a_patch_folds_each_value_once_and_ends_within_its_budget() {
    let roles: Vec<Value> = (0..90)
        .map(|number| json!({"value": format!("{}{number:02}", LONG.repeat(300)), "type": "t"}))
        .collect();
    let user = json!({"userName": "ada@example.com", "active": true, "roles": roles});
    let document = Document::from_validated(object(user));
    let path = format!(
        "roles[value ew \"{}\" or type pr].display",
        LONG.repeat(480)
    );
    let operation = json!({"op": "replace", "path": path, "value": "x"});
    let apply = |operations: usize| {
        let operations = vec![operation.clone(); operations];
        let message = object(json!({"Operations": operations}));
        let patch = PatchOp::parse(message, &USER).unwrap();
        let mut work = Work::of_patch();
        let result = patch.apply("id", &document, &USER, &mut work);
        (result.map(drop), work.spent())
    };
    let (first, second) = (apply(1).1, apply(2).1 - apply(1).1);
    assert_eq!((first, second), (1_936_865, 203_105));
    assert_eq!(apply(10).1, first + 9 * second);
    let refused = apply(MAX_PATCH_OPERATIONS).0.unwrap_err();
    let affordable = 1 + (MAX_PATCH_WORK - first) / second;
    let operation = format!("Operations[{affordable}]: ");
    assert!(refused.detail.starts_with(&operation), "{}", refused.detail);
}

#[tokio::test]
async fn a_patch_that_computes_too_much_is_refused_by_the_operation_and_writes_nothing() {
    let world = World::new().await;
    let client = world.client().await;
    let roles: Vec<Value> = (0..MAX_VALUES)
        .map(|number| json!({"value": format!("{number:03}"), "display": "d".repeat(500)}))
        .collect();
    let id = client
        .create(&json!({"userName": "ada@example.com", "roles": roles}))
        .await;
    let before = client.get(&format!("/Users/{id}")).await;
    // The same attribute in some thousand spellings, each a change of all values.
    let spelled = |number: u32| -> String {
        let letters = "roles.display".chars().enumerate();
        letters
            .map(|(index, letter)| match number >> index & 1 {
                1 => letter.to_ascii_uppercase(),
                _ => letter,
            })
            .collect()
    };
    let value: Map<String, Value> = (0..5_000).map(|n| (spelled(n), "x".into())).collect();
    let message = json!({"Operations": [
        {"op": "replace", "path": "title", "value": "t"},
        {"op": "add", "value": value},
    ]});
    let call = Call::new("PATCH", &format!("/Users/{id}")).json(&message);
    let refused = client.send(call.heavy()).await;
    refused.assert_error(400, Some("invalidValue"));
    let detail = refused.json()["detail"].as_str().unwrap();
    assert!(detail.starts_with("Operations[1]: "), "{detail}");
    assert!(
        detail.contains("send fewer or shorter operations"),
        "{detail}"
    );
    let after = client.get(&format!("/Users/{id}")).await;
    assert_eq!(before.body, after.body);
}

#[tokio::test]
async fn a_query_that_computes_too_much_is_refused() {
    let (world, table) = World::with_table();
    let client = world.client().await;
    let roles: Vec<Value> = (0..MAX_VALUES)
        .map(|number| json!({"value": format!("{number:03}")}))
        .collect();
    let comparisons: Vec<String> = (0..MAX_FILTER_COMPARISONS)
        .map(|number| format!("roles.value co \"x{number}\""))
        .collect();
    let filter = comparisons.join(" or ");
    // Each value is found, compared and searched, with three bytes.
    let per_user = (MAX_FILTER_COMPARISONS * MAX_VALUES * (64 + 64 + 3 + 3)) as u64;
    let affordable = usize::try_from(MAX_QUERY_WORK / per_user).unwrap();
    let document =
        |number: usize| json!({"userName": number.to_string(), "active": true, "roles": roles});
    let search = async || {
        let query = encode(&[("filter", filter.as_str())]);
        let call = Call::new("GET", "/Users").query(&query);
        client.send(call.heavy()).await
    };
    fill_with(&table, client.company, affordable, document).await;
    assert_eq!(search().await.total(), 0);
    fill_with(&table, client.company, 1, document).await;
    let refused = search().await;
    refused.assert_error(400, Some("tooMany"));
    let detail = refused.json()["detail"].as_str().unwrap();
    assert!(detail.contains("use fewer comparisons"), "{detail}");
}

#[tokio::test]
async fn repeated_values_are_counted_before_they_are_compared() {
    let world = World::new().await;
    let client = world.client().await;
    let emails = vec![json!({"value": "ada@example.com"}); MAX_VALUES + 1];
    let user = json!({"userName": "ada@example.com", "emails": emails});
    client
        .post(&user)
        .await
        .assert_error(400, Some("invalidValue"));
    let emails = vec![json!({"value": "ada@example.com"}); MAX_VALUES];
    let user = json!({"userName": "ada@example.com", "emails": emails});
    let created = client.post(&user).await;
    created.assert_status(201);
    assert_eq!(
        created.json()["emails"],
        json!([{"value": "ada@example.com"}])
    );
}

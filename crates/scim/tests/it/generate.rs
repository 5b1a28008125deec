//! Generated input, the same in every run, and how often a property is tried with it. Variables ask for more cases, or
//! for others:
//!
//! - `PROPTEST_CASES` is the number of cases that each property gets, whatever it gets by default;
//! - `PROPTEST_RNG_SEED` is another seed than [`SEED`]. The seed is printed, so a failure can be repeated.
//!
//! A case that failed is shrunk, kept in `tests/data/properties.txt` and tried first.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{FileFailurePersistence, RngSeed};
use scim::resource::is_primary;
use scim::schema::{Attribute, ResourceType, Type};
use serde_json::{Map, Value, json};

const SEED: u64 = 20_261_123;

/// Returns how a property is tried that has so many cases by default.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let seed = match std::env::var("PROPTEST_RNG_SEED") {
        Ok(seed) => seed.parse().expect("PROPTEST_RNG_SEED is a number"),
        Err(_) => SEED,
    };
    println!("PROPTEST_RNG_SEED={seed}");
    let more = std::env::var_os("PROPTEST_CASES").is_some();
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: if more { default.cases } else { cases },
        rng_seed: RngSeed::Fixed(seed),
        // Objects without members are thrown away while they are generated.
        max_local_rejects: u32::MAX,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/data/properties.txt",
        ))),
        ..default
    }
}

/// Returns the text that is compared often enough to be equal at times: several cases, and beyond ASCII.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(vec!["a", "A", "b", "ab", "AB", "ba", "work", "Home", "a b", "x.org", "0"])
            .prop_map(str::to_owned),
        1 => "[a-zA-Z0-9 \"\\\\'%é中\u{7f}\n-]{1,8}",
    ]
}

/// Pieces of filters and paths in any order, and anything else.
pub(crate) fn nearly() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "userName",
        "emails",
        "emails.value",
        "name.",
        "urn:ietf:params:scim:schemas:core:2.0:User",
        ":",
        ".",
        "[",
        "]",
        "(",
        ")",
        " ",
        " eq ",
        " pr",
        " and ",
        " or ",
        "not ",
        "not (",
        "\"a\"",
        "\"",
        "\\",
        "true",
        "null",
        "1",
        "'",
        "%",
        "é",
        "\u{0}",
        "active",
        "meta.created",
        "$ref",
        "\"2026-01-01T00:00:00Z\"",
        "value",
        "type eq \"work\"",
        "W/\"1\"",
        "*",
        ",",
    ];
    let pieces =
        proptest::collection::vec(select(PIECES), 0..24).prop_map(|pieces| pieces.concat());
    prop_oneof![8 => pieces, 1 => "\\PC{0,40}", 1 => long()]
}

/// Beyond the limits of length and depth.
fn long() -> impl Strategy<Value = String> {
    let piece = select(vec!["(", "not (", "a.", "userName pr and ", "emails[", "x"]);
    (piece, 0..5_000_usize).prop_map(|(piece, times)| piece.repeat(times))
}

pub(crate) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        nearly().prop_map(Value::from),
        select(vec![
            "add", "Replace", "remove", "bulkId:a", "POST", "/Users"
        ])
        .prop_map(Value::from),
    ];
    let name = prop_oneof![
        4 => select(vec![
            "Operations", "op", "path", "value", "schemas", "id", "meta", "userName", "active", "emails", "name",
            "manager", "name.givenName", "method", "bulkId", "data", "failOnErrors", "primary", "type",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "emails[type eq \"work\"].value",
        ]).prop_map(str::to_owned),
        1 => nearly(),
    ];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            proptest::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Returns a value of an attribute, in canonical form: nothing null, nothing empty.
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

/// Returns a user as a client sends it.
pub(crate) fn user(
    resource_type: &'static ResourceType,
) -> impl Strategy<Value = Map<String, Value>> {
    let extension = resource_type.extensions[0];
    (
        members_of(resource_type.schema.attributes),
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

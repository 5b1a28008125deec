//! No text makes a parser panic, or get past its limits.

use paradigm_scim::scim::bulk::BulkRequest;
use paradigm_scim::scim::filter::{Filter, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH, Scope, parse};
use paradigm_scim::scim::list::Page;
use paradigm_scim::scim::patch::PatchOp;
use paradigm_scim::scim::path::{MAX_PATH_LENGTH, PatchPath, resolve};
use paradigm_scim::scim::resource::Document;
use paradigm_scim::scim::schema::USER;
use paradigm_scim::scim::work::Work;
use paradigm_scim::scim::{compare, cursor, dialect, etag};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value};

use super::{CASES, config};

/// Pieces of filters and paths in any order, and anything else.
pub(super) fn nearly() -> impl Strategy<Value = String> {
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

pub(super) fn json_value() -> impl Strategy<Value = Value> {
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

fn depth(filter: &Filter) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(depth).max().unwrap_or(0),
        Filter::Not(part) => 1 + depth(part),
        Filter::Values { filter, .. } => 1 + depth(filter),
        Filter::Compare { .. } | Filter::Present(_) => 0,
    }
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn no_input_is_too_much(text in nearly(), json in json_value()) {
        for scope in [Scope::Resource(&USER), Scope::AnyResource(&USER), Scope::Unknown] {
            if let Ok(filter) = parse(&text, scope) {
                prop_assert!(text.len() <= MAX_FILTER_LENGTH && depth(&filter) <= MAX_FILTER_DEPTH);
            }
        }
        if PatchPath::parse(&text, &USER).is_ok() || resolve(&text, &USER).is_ok() {
            prop_assert!(text.len() <= MAX_PATH_LENGTH);
        }
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        prop_assert!(cursor::open(&text, "", &[0; 32], now).is_err());
        let _ = (etag::names_version(&text, 1), compare::instant(&text));
        if let Ok(page) = Page::parse(Some(&text), Some(&text), None) {
            prop_assert!(page.count <= 200);
        }
        let folded = compare::fold(&text);
        prop_assert_eq!(compare::fold(&folded), folded);

        let mut body: Map<String, Value> = json.as_object().cloned().unwrap_or_default();
        let text = Value::Object(body.clone()).to_string();
        let _ = BulkRequest::parse(serde_json::from_str(&text).unwrap());
        let _ = PatchOp::parse(body.clone(), &USER);
        let document = Document::from_validated(Map::new());
        let operation = Value::Object(body.clone());
        let message = Map::from_iter([("Operations".to_owned(), Value::Array(vec![operation]))]);
        if let Ok(patch) = PatchOp::parse(message, &USER) {
            let _ = patch.apply("id", &document, &USER, &mut Work::of_patch());
        }
        dialect::resource(&mut body, &USER);
        let _ = Document::from_input(body, &USER);
    }
}

//! No text makes a parser panic, or get past its limits.

use proptest::prelude::*;
use scim::filter::{Filter, MAX_FILTER_DEPTH, MAX_FILTER_LENGTH, Scope, parse};
use scim::messages::BulkRequest;
use scim::messages::PatchOp;
use scim::name::{MAX_PATH_LENGTH, resolve};
use scim::page::Page;
use scim::patch::PatchPath;
use scim::resource::Document;
use scim::work::Work;
use scim::{compare, cursor, dialect, etag};
use serde_json::{Map, Value};

use crate::generate::{config, json_value, nearly};
use crate::{CASES, USER};

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

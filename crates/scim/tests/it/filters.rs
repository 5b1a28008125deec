//! A filter printed and parsed is the same filter, and finds what a naive reading of RFC 7644
//! §3.4.2.2 finds.

use proptest::prelude::*;
use proptest::sample::select;
use scim::compare::Constant;
use scim::filter::{Filter, Operator, Scope, parse};
use scim::resource::Document;
use scim::schema::AttributePath;
use scim::schema::{Attribute, Type};
use scim::work::Work;
use serde_json::{Map, Value, json};

use crate::generate::{config, text, user};
use crate::{CASES, CHEAP_CASES, USER};

/// Returns every path to something that can be compared, with its text.
fn paths() -> Vec<AttributePath> {
    let mut paths = Vec::new();
    for declared in USER.declared() {
        let whole = declared.path();
        if whole.attribute.sub_attributes.is_empty() {
            paths.push(whole);
        }
        paths.extend(sub_paths(&whole));
    }
    paths
}

fn sub_paths(whole: &AttributePath) -> Vec<AttributePath> {
    let below = |sub_attribute| AttributePath {
        sub_attribute: Some(sub_attribute),
        ..*whole
    };
    whole.attribute.sub_attributes.iter().map(below).collect()
}

fn operators(attribute: &Attribute) -> Vec<Operator> {
    use Operator::{Co, Eq, Ew, Ge, Gt, Le, Lt, Ne, Sw};
    match attribute.kind {
        Type::Boolean | Type::Binary => vec![Eq, Ne],
        Type::DateTime => vec![Eq, Ne, Gt, Ge, Lt, Le],
        _ => vec![Eq, Ne, Co, Sw, Ew, Gt, Ge, Lt, Le],
    }
}

fn condition(paths: Vec<AttributePath>) -> BoxedStrategy<Filter> {
    let compare = select(paths.clone()).prop_flat_map(|path| {
        let value = match path.leaf().kind {
            Type::Boolean => any::<bool>().prop_map(Value::from).boxed(),
            Type::DateTime => select(vec![
                json!("2026-01-01T00:00:00Z"),
                json!("2026-01-01T02:00:00.5+02:00"),
            ])
            .boxed(),
            _ => text().prop_map(Value::from).boxed(),
        };
        (select(operators(path.leaf())), value).prop_map(move |(operator, value)| Filter::Compare {
            path,
            operator,
            value: Constant::new(path.leaf(), value),
        })
    });
    let with_null = (
        select(paths.clone()),
        select(vec![Operator::Eq, Operator::Ne]),
    )
        .prop_map(|(path, operator)| Filter::Compare {
            path,
            operator,
            value: Constant::new(path.leaf(), Value::Null),
        });
    prop_oneof![6 => compare, 1 => with_null, 2 => select(paths).prop_map(Filter::Present)].boxed()
}

fn combined(leaf: BoxedStrategy<Filter>, depth: u32) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(depth, 12, 3, |inner| {
        let several = proptest::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several.clone().prop_map(Filter::And),
            several.prop_map(Filter::Or),
            inner.prop_map(|part| Filter::Not(Box::new(part))),
        ]
    })
    .boxed()
}

fn filter() -> BoxedStrategy<Filter> {
    let complex = USER.declared().map(|declared| declared.path());
    let complex = complex.filter(|path| !path.attribute.sub_attributes.is_empty());
    let values = select(complex.collect::<Vec<_>>()).prop_flat_map(|path| {
        let of_element = AttributePath {
            extension: None,
            ..path
        };
        combined(condition(sub_paths(&of_element)), 2).prop_map(move |filter| Filter::Values {
            path,
            filter: Box::new(filter),
        })
    });
    let leaf = prop_oneof![3 => condition(paths()), 1 => values];
    combined(leaf.boxed(), 3)
}

fn name(path: &AttributePath, in_brackets: bool) -> String {
    let sub_name = path.sub_attribute.map(|sub_attribute| sub_attribute.name);
    match (path.extension, sub_name) {
        (_, Some(sub_name)) if in_brackets => sub_name.to_owned(),
        (None, None) => path.attribute.name.to_owned(),
        (None, Some(sub_name)) => format!("{}.{sub_name}", path.attribute.name),
        (Some(schema), None) => format!("{}:{}", schema.id, path.attribute.name),
        (Some(schema), Some(sub_name)) => {
            format!("{}:{}.{sub_name}", schema.id, path.attribute.name)
        }
    }
}

fn printed(filter: &Filter, in_brackets: bool) -> String {
    let group = |part: &Filter| match part {
        Filter::And(_) | Filter::Or(_) => format!("({})", printed(part, in_brackets)),
        part => printed(part, in_brackets),
    };
    let joined =
        |parts: &[Filter], word: &str| parts.iter().map(group).collect::<Vec<_>>().join(word);
    match filter {
        Filter::And(parts) => joined(parts, " and "),
        Filter::Or(parts) => joined(parts, " or "),
        Filter::Not(part) => format!("not ({})", printed(part, in_brackets)),
        Filter::Present(path) => format!("{} pr", name(path, in_brackets)),
        Filter::Compare {
            path,
            operator,
            value,
        } => {
            let operator = format!("{operator:?}").to_lowercase();
            format!("{} {operator} {}", name(path, in_brackets), value.value())
        }
        Filter::Values { path, filter } => {
            format!("{}[{}]", name(path, false), printed(filter, true))
        }
    }
}

/// Returns what a filter finds, with nothing but the RFC's sentences in mind.
fn holds(filter: &Filter, root: &Value) -> bool {
    match filter {
        Filter::And(parts) => !parts.iter().any(|part| !holds(part, root)),
        Filter::Or(parts) => parts.iter().any(|part| holds(part, root)),
        Filter::Not(part) => !holds(part, root),
        Filter::Present(path) => values(path, root).iter().any(|value| *value != json!("")),
        Filter::Compare {
            path,
            operator,
            value,
        } => {
            let value = value.value();
            let mut values = values(path, root);
            let is_assigned = values.iter().any(|value| *value != json!(""));
            if path.leaf().name == "primary" {
                let unsaid = elements(path, root).len() - values.len();
                values.extend(vec![json!(false); unsaid]);
            }
            match (operator, value) {
                (Operator::Eq, Value::Null) => !is_assigned,
                (Operator::Ne, Value::Null) => is_assigned,
                (Operator::Ne, _) if values.is_empty() => true,
                _ => values
                    .iter()
                    .any(|found| compares(path.leaf(), found, *operator, value)),
            }
        }
        Filter::Values { path, filter } => values(path, root).iter().any(|element| {
            // Inside the brackets the element is all there is.
            let mut alone = Map::new();
            alone.insert(path.attribute.name.to_owned(), element.clone());
            holds(filter, &Value::Object(alone))
        }),
    }
}

fn elements(path: &AttributePath, root: &Value) -> Vec<Value> {
    let container = path
        .extension
        .map_or(Some(root), |schema| root.get(schema.id));
    match container.and_then(|container| container.get(path.attribute.name)) {
        None => Vec::new(),
        Some(Value::Array(elements)) => elements.clone(),
        Some(value) => vec![value.clone()],
    }
}

fn values(path: &AttributePath, root: &Value) -> Vec<Value> {
    let mut found = elements(path, root);
    if let Some(sub_attribute) = path.sub_attribute {
        found = found
            .iter()
            .filter_map(|value| value.get(sub_attribute.name).cloned())
            .collect();
    }
    found
}

fn compares(attribute: &Attribute, found: &Value, operator: Operator, wanted: &Value) -> bool {
    let (Value::String(found), Value::String(wanted)) = (found, wanted) else {
        return match operator {
            Operator::Eq => found == wanted,
            _ => found != wanted,
        };
    };
    let instant = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_nanosecond();
    // Of the texts generated only these letters have two cases.
    let folded = |text: &str| match attribute.case_exact {
        true => text.to_owned(),
        false => text.to_ascii_lowercase().replace('É', "é"),
    };
    let (left, right) = (folded(found), folded(wanted));
    let order = match attribute.kind {
        Type::DateTime => instant(found).cmp(&instant(wanted)),
        _ => left.cmp(&right),
    };
    match operator {
        Operator::Eq => order.is_eq(),
        Operator::Ne => order.is_ne(),
        Operator::Gt => order.is_gt(),
        Operator::Ge => order.is_ge(),
        Operator::Lt => order.is_lt(),
        Operator::Le => order.is_le(),
        Operator::Co => left.contains(&right),
        Operator::Sw => left.starts_with(&right),
        Operator::Ew => left.ends_with(&right),
    }
}

proptest! {
    #![proptest_config(config(CHEAP_CASES))]

    #[test]
    fn a_printed_filter_parses_to_itself(filter in filter()) {
        let text = printed(&filter, false);
        prop_assert_eq!(parse(&text, Scope::Resource(&USER)).expect(&text), filter, "{}", text);
    }
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn a_filter_finds_what_it_says(filter in filter(), user in user(&USER)) {
        let document = Document::from_input(user, &USER).unwrap();
        let mut resource = document.members().clone();
        resource.insert("id".to_owned(), json!("a"));
        resource.insert("meta".to_owned(), json!({"created": "2026-01-01T00:00:00Z", "resourceType": "User"}));
        let expected = holds(&filter, &Value::Object(resource.clone()));
        prop_assert_eq!(filter.matches(&resource, &mut Work::of_query()), Ok(expected), "{}", printed(&filter, false));
    }
}

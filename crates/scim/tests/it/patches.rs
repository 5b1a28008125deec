//! Sequences of PATCH operations do what a naive reading of RFC 7644 §3.5.2 does, over a few
//! attributes of each kind.

use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use scim::messages::PatchOp;
use scim::resource::Document;
use scim::work::Work;
use serde_json::{Map, Value, json};

use crate::generate::config;
use crate::{CASES, USER};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

type Members = Map<String, Value>;

fn word() -> impl Strategy<Value = &'static str> {
    select(vec!["a", "A", "b", "c"])
}

fn kind() -> impl Strategy<Value = &'static str> {
    select(vec!["work", "home", "WORK"])
}

fn email() -> impl Strategy<Value = Value> {
    (
        weighted(0.9, word()),
        weighted(0.7, kind()),
        weighted(0.4, any::<bool>()),
        weighted(0.2, word()),
    )
        .prop_map(|(value, kind, primary, display)| {
            let members = [
                ("value", value.map(Value::from)),
                ("type", kind.map(Value::from)),
                ("primary", primary.map(Value::from)),
                ("display", display.map(Value::from)),
            ];
            let given = members
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)));
            Value::Object(given.collect())
        })
        .prop_filter("empty", |email| {
            email.as_object().is_some_and(|members| !members.is_empty())
        })
}

fn name() -> impl Strategy<Value = Value> {
    (proptest::option::of(word()), proptest::option::of(word())).prop_map(|(given, family)| {
        let mut name = Members::new();
        name.extend(given.map(|given| ("givenName".to_owned(), given.into())));
        name.extend(family.map(|family| ("familyName".to_owned(), family.into())));
        Value::Object(name)
    })
}

/// Returns what selects emails: one condition, or several.
fn filter() -> BoxedStrategy<String> {
    let kind = || kind().prop_map(|kind| format!("type eq \"{kind}\""));
    let value = || word().prop_map(|value| format!("value eq \"{value}\""));
    let display = || word().prop_map(|display| format!("display eq \"{display}\""));
    prop_oneof![
        6 => kind(),
        2 => (kind(), value()).prop_map(|(kind, value)| format!("{kind} and {value}")),
        1 => (kind(), kind()).prop_map(|(kind, other)| format!("{kind} and {other}")),
        1 => (kind(), value()).prop_map(|(kind, value)| format!("{kind} or {value}")),
        1 => kind().prop_map(|kind| format!("not ({kind})")),
        1 => (kind(), value()).prop_map(|(kind, value)| format!("{value} and not ({kind})")),
        1 => (kind(), value(), display())
            .prop_map(|(kind, value, display)| format!("{value} or {kind} and {display}")),
    ]
    .boxed()
}

/// Attributes of the extension together.
fn extension() -> impl Strategy<Value = Value> {
    (proptest::option::of(word()), proptest::option::of(word())).prop_map(
        |(department, division)| {
            let mut members = Members::new();
            members.extend(department.map(|name| ("department".to_owned(), name.into())));
            members.extend(division.map(|name| ("division".to_owned(), name.into())));
            Value::Object(members)
        },
    )
}

/// Returns the path to an attribute of the extension, with its URN or, as Entra sends it, without.
fn extension_path() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("{ENTERPRISE}:department")),
        Just(format!("{ENTERPRISE}:division")),
        Just("department".to_owned()),
    ]
}

/// Returns the keys that are paths themselves, in an operation without one.
fn keys() -> impl Strategy<Value = Value> {
    let words = || word().prop_map(Value::from).boxed();
    let key = prop_oneof![
        (Just("name.givenName".to_owned()), words()),
        (Just("title".to_owned()), words()),
        (Just(ENTERPRISE.to_owned()), extension().boxed()),
        (extension_path(), words()),
        (
            filter().prop_map(|filter| format!("emails[{filter}].value")),
            words()
        ),
        (
            filter().prop_map(|filter| format!("emails[{filter}]")),
            email().boxed()
        ),
    ];
    proptest::collection::vec(key, 1..4).prop_map(|keys| Value::Object(keys.into_iter().collect()))
}

fn operation() -> impl Strategy<Value = Value> {
    let write = select(vec!["add", "replace"]);
    let set = move |path: BoxedStrategy<String>, value: BoxedStrategy<Value>| {
        (write.clone(), path, value)
            .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
            .boxed()
    };
    let at = |path: &str| Just(path.to_owned()).boxed();
    let selected = |rest: &'static str| {
        filter()
            .prop_map(move |filter| format!("emails[{filter}]{rest}"))
            .boxed()
    };
    let primary = || any::<bool>().prop_map(|is| format!("emails[primary eq {is}]"));
    let words = || word().prop_map(Value::from).boxed();
    let remove = prop_oneof![
        select(vec![
            "title",
            "name",
            "name.givenName",
            "emails",
            "emails.display"
        ])
        .prop_map(str::to_owned),
        extension_path(),
        Just(ENTERPRISE.to_owned()),
        selected(""),
        selected(".value"),
        word().prop_map(|value| format!("emails[value eq \"{value}\"]")),
        primary(),
    ];
    prop_oneof![
        set(at("title"), words()),
        set(at("name.givenName"), words()),
        set(at("name"), name().boxed()),
        set(
            at("emails"),
            proptest::collection::vec(email(), 0..3)
                .prop_map(Value::Array)
                .boxed()
        ),
        set(selected(".value"), words()),
        set(
            primary().prop_map(|path| format!("{path}.value")).boxed(),
            words()
        ),
        set(
            selected(".primary"),
            any::<bool>().prop_map(Value::from).boxed()
        ),
        set(selected(""), email().boxed()),
        remove.prop_map(|path| json!({"op": "remove", "path": path})),
        proptest::collection::vec(word(), 1..3).prop_map(|values| {
            let listed: Vec<Value> = values
                .into_iter()
                .map(|value| json!({"value": value}))
                .collect();
            json!({"op": "remove", "path": "emails", "value": listed})
        }),
        (name(), words()).prop_map(
            |(name, title)| json!({"op": "replace", "value": {"name": name, "title": title}})
        ),
        (select(vec!["add", "replace"]), keys())
            .prop_map(|(op, keys)| json!({"op": op, "value": keys})),
        set(extension_path().boxed(), words()),
        set(at(ENTERPRISE), extension().boxed()),
    ]
}

/// Why the model refuses.
#[derive(Debug)]
struct Refused;

fn same(left: Option<&Value>, right: Option<&Value>) -> bool {
    let folded = |value: &Value| {
        value
            .as_str()
            .map_or(value.clone(), |text| text.to_lowercase().into())
    };
    left.map(folded) == right.map(folded)
}

fn emails(user: &Members) -> Vec<Members> {
    let listed = user
        .get("emails")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    listed
        .into_iter()
        .map(|email| email.as_object().unwrap().clone())
        .collect()
}

fn is_primary(email: &Members) -> bool {
    email.get("primary") == Some(&json!(true))
}

/// Puts emails back: values once, one primary at most, nothing empty.
fn put(user: &mut Members, emails: Vec<Members>) -> Result<(), Refused> {
    let mut kept: Vec<Members> = Vec::new();
    for email in emails {
        if !email.is_empty() && !kept.contains(&email) {
            kept.push(email);
        }
    }
    if kept.iter().filter(|email| is_primary(email)).count() > 1 {
        return Err(Refused);
    }
    match kept.is_empty() {
        true => user.shift_remove("emails"),
        false => user.insert(
            "emails".to_owned(),
            kept.into_iter().map(Value::Object).collect(),
        ),
    };
    Ok(())
}

/// When written elements are primary, the others no longer are.
fn yield_primary(emails: &mut [Members], written: &[usize]) {
    if written.iter().any(|index| is_primary(&emails[*index])) {
        for (index, email) in emails.iter_mut().enumerate() {
            if !written.contains(&index) && is_primary(email) {
                email.insert("primary".to_owned(), false.into());
            }
        }
    }
}

fn apply(user: &mut Members, operation: &Value) -> Result<(), Refused> {
    let op = operation["op"].as_str().unwrap();
    let value = operation.get("value").cloned().unwrap_or_default();
    let Some(path) = operation["path"].as_str() else {
        for (path, value) in value.as_object().unwrap() {
            apply(user, &json!({"op": op, "path": path, "value": value}))?;
        }
        return Ok(());
    };
    if let Some((filter, rest)) = path
        .strip_prefix("emails[")
        .and_then(|rest| rest.split_once(']'))
    {
        return apply_selected(user, op, filter, rest.strip_prefix('.'), value);
    }
    if let Some(name) = path.strip_prefix(ENTERPRISE) {
        return apply_extended(user, op, name.strip_prefix(':'), value);
    }
    if path == "department" {
        return apply_extended(user, op, Some(path), value);
    }
    match (op, path) {
        ("remove", "emails") if !value.is_null() => {
            let mut left = emails(user);
            let listed = value.as_array().unwrap();
            left.retain(|email| {
                !listed
                    .iter()
                    .any(|wanted| same(email.get("value"), wanted.get("value")))
            });
            put(user, left)
        }
        ("remove", "emails.display") => {
            let mut left = emails(user);
            for email in &mut left {
                email.shift_remove("display");
            }
            left.retain(|email| !email.is_empty());
            // Taking a part away cannot break anything; equal values may be left.
            match left.is_empty() {
                true => user.shift_remove("emails"),
                false => user.insert(
                    "emails".to_owned(),
                    left.into_iter().map(Value::Object).collect(),
                ),
            };
            Ok(())
        }
        ("remove", "name.givenName") => {
            let mut name = user
                .get("name")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            name.shift_remove("givenName");
            user.shift_remove("name");
            if !name.is_empty() {
                user.insert("name".to_owned(), name.into());
            }
            Ok(())
        }
        ("remove", path) => {
            user.shift_remove(path);
            Ok(())
        }
        (_, "title") => {
            user.insert("title".to_owned(), value);
            Ok(())
        }
        (_, "name.givenName") => apply(
            user,
            &json!({"op": "add", "path": "name", "value": {"givenName": value}}),
        ),
        (_, "name") => {
            let mut name = user
                .get("name")
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default();
            name.extend(value.as_object().unwrap().clone());
            if !name.is_empty() {
                user.insert("name".to_owned(), name.into());
            }
            Ok(())
        }
        ("add", _) => {
            let mut all = emails(user);
            // What is sent must be right by itself.
            put(
                &mut Members::new(),
                emails(&Members::from_iter([("emails".to_owned(), value.clone())])),
            )?;
            let mut sent: Vec<Value> = Vec::new();
            for email in value.as_array().unwrap() {
                if !sent.contains(email) {
                    sent.push(email.clone());
                }
            }
            let mut written = Vec::new();
            for email in sent {
                let email = email.as_object().unwrap().clone();
                let is_there = |present: &Members| {
                    *present == email
                        || present.contains_key("value")
                            && same(present.get("value"), email.get("value"))
                            && same(present.get("type"), email.get("type"))
                };
                match all.iter().position(is_there) {
                    Some(index) => {
                        all[index].extend(email);
                        written.push(index);
                    }
                    None => {
                        all.push(email);
                        written.push(all.len() - 1);
                    }
                }
            }
            yield_primary(&mut all, &written);
            put(user, all)
        }
        _ => {
            let sent = Members::from_iter([("emails".to_owned(), value)]);
            put(user, emails(&sent))
        }
    }
}

/// An operation on an attribute of the extension, or on the extension.
fn apply_extended(
    user: &mut Members,
    op: &str,
    name: Option<&str>,
    value: Value,
) -> Result<(), Refused> {
    let extension = user.shift_remove(ENTERPRISE).unwrap_or_else(|| json!({}));
    let mut members = extension.as_object().unwrap().clone();
    match (op, name, value) {
        ("remove", None, _) => members.clear(),
        ("remove", Some(name), _) => {
            members.shift_remove(name);
        }
        (_, None, value) => members.extend(value.as_object().unwrap().clone()),
        (_, Some(name), value) => {
            members.insert(name.to_owned(), value);
        }
    }
    if !members.is_empty() {
        user.insert(ENTERPRISE.to_owned(), members.into());
    }
    Ok(())
}

/// Returns the name and value of `name eq "value"`.
fn comparison(condition: &str) -> (&str, Value) {
    let (name, wanted) = condition.split_once(" eq ").unwrap();
    (name, serde_json::from_str(wanted).unwrap())
}

fn selects(filter: &str, email: &Members) -> bool {
    let holds = |condition: &str| {
        let negated = condition
            .strip_prefix("not (")
            .and_then(|rest| rest.strip_suffix(')'));
        let (name, wanted) = comparison(negated.unwrap_or(condition));
        let is_equal = match name {
            "primary" => json!(is_primary(email)) == wanted,
            _ => email.contains_key(name) && same(email.get(name), Some(&wanted)),
        };
        is_equal != negated.is_some()
    };
    filter
        .split(" or ")
        .any(|part| part.split(" and ").all(holds))
}

/// Returns what a filter says by `eq` that the email is.
fn from_filter(filter: &str) -> Option<Members> {
    if filter.contains(" or ") || filter.contains("not (") {
        return None;
    }
    let mut email = Members::new();
    for (name, value) in filter.split(" and ").map(comparison) {
        if email.get(name).is_some_and(|other| *other != value) {
            return None;
        }
        email.insert(name.to_owned(), value);
    }
    Some(email)
}

/// An operation on `emails[filter]`, or on a sub-attribute of them.
fn apply_selected(
    user: &mut Members,
    op: &str,
    filter: &str,
    sub_attribute: Option<&str>,
    value: Value,
) -> Result<(), Refused> {
    let mut all = emails(user);
    let mut selected: Vec<usize> = (0..all.len())
        .filter(|index| selects(filter, &all[*index]))
        .collect();
    if op == "remove" {
        if selected.is_empty() {
            return Err(Refused);
        }
        for index in selected {
            match sub_attribute {
                None => all[index].clear(),
                Some(name) => {
                    all[index].shift_remove(name);
                    if name == "value" {
                        // A kind and a mark of nothing.
                        all[index].clear();
                    }
                }
            }
        }
        return put(user, all);
    }
    let from_filter = from_filter(filter);
    let is_new = selected.is_empty();
    if is_new {
        all.push(from_filter.clone().ok_or(Refused)?);
        selected.push(all.len() - 1);
    }
    let from_filter = from_filter.unwrap_or_default();
    for index in &selected {
        match (sub_attribute, &value) {
            (Some(name), value) => {
                all[*index].insert(name.to_owned(), value.clone());
            }
            (None, Value::Object(content)) => {
                if op == "replace" {
                    all[*index].retain(|name, _| from_filter.contains_key(name));
                }
                all[*index].extend(content.clone());
            }
            (None, other) => panic!("{other}"),
        }
    }
    if is_new && !all.last().is_some_and(|email| selects(filter, email)) {
        return Err(Refused);
    }
    yield_primary(&mut all, &selected);
    put(user, all)
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn patches_do_what_they_say(operations in proptest::collection::vec(operation(), 1..6)) {
        let mut document = Document::from_validated(Members::from_iter([("userName".to_owned(), "u".into())]));
        let mut expected = document.members().clone();
        // One after another, so that a refusal does not end the case; then all in one message.
        for operation in &operations {
            let mut after = expected.clone();
            let message = json!({"Operations": [operation]}).as_object().unwrap().clone();
            let patched = PatchOp::parse(message, &USER).and_then(|patch| patch.apply("id", &document, &USER, &mut Work::of_patch())).map(|patched| patched.document);
            match (apply(&mut after, operation), patched) {
                (Ok(()), Ok(patched)) => {
                    prop_assert_eq!(patched.members(), &after, "{}", operation);
                    (document, expected) = (patched, after);
                }
                (Err(Refused), Err(_)) => {}
                (modelled, patched) => {
                    let found = patched.map(|patched| Value::Object(patched.members().clone()));
                    prop_assert!(false, "{} on {}: {:?}, not {:?} {:?}", operation, Value::Object(expected), found, modelled, after);
                }
            }
        }
        let start = Document::from_validated(Members::from_iter([("userName".to_owned(), "u".into())]));
        let mut after = start.members().clone();
        let modelled = operations.iter().try_for_each(|operation| apply(&mut after, operation));
        let message = json!({"Operations": operations}).as_object().unwrap().clone();
        let patched = PatchOp::parse(message, &USER).and_then(|patch| patch.apply("id", &start, &USER, &mut Work::of_patch())).map(|patched| patched.document);
        prop_assert_eq!(modelled.is_ok(), patched.is_ok());
        if let Ok(patched) = patched {
            prop_assert_eq!(patched.members(), &after);
        }
    }
}

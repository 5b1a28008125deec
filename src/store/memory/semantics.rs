//! What conditions and updates mean. All other engines are compared with this.

use std::sync::Arc;

use super::number::Number;
use crate::store::StoreError;
use crate::store::layout::{Item, Key, LOOKUP_USER, PK, Reader, SK, VERSION, Value};
use crate::store::transaction::{Action, Condition, Update};

/// Returns the key of an action's item.
pub(super) fn key_of(action: &Action) -> Result<Key, StoreError> {
    match action {
        Action::Put { item, .. } => Reader(item).key(),
        Action::Delete { key, .. } | Action::Check { key, .. } => Ok(key.clone()),
        Action::Update(update) => Ok(update.key.clone()),
    }
}

/// Returns what must hold of an action's item.
pub(super) fn condition_of(action: &Action) -> &Condition {
    match action {
        Action::Put { condition, .. }
        | Action::Delete { condition, .. }
        | Action::Check { condition, .. } => condition,
        Action::Update(update) => &update.condition,
    }
}

/// Returns whether a condition holds of an item, or of an absent one.
pub(super) fn holds(condition: &Condition, item: Option<&Arc<Item>>) -> bool {
    let attribute = |name: &str| item.and_then(|item| item.get(name));
    match condition {
        Condition::Always => true,
        Condition::Absent => item.is_none(),
        Condition::Exists => item.is_some(),
        Condition::Version(version) => {
            attribute(VERSION).is_some_and(|found| is_equal(found, &Value::number(version)))
        }
        Condition::Equals(name, value) => {
            attribute(name).is_some_and(|found| is_equal(found, value))
        }
        Condition::AttributeAbsent(name) => attribute(name).is_none(),
        Condition::AbsentOrLess(name, value) => {
            attribute(name).is_none_or(|found| is_less(found, value))
        }
        Condition::AbsentOrHeldBy(user) => {
            let is_theirs = |item: &Arc<Item>| {
                let holder = item.get(LOOKUP_USER).and_then(Value::as_string);
                holder.is_some_and(|holder| holder == user.to_string())
            };
            item.is_none_or(is_theirs)
        }
        Condition::All(conditions) => conditions.iter().all(|condition| holds(condition, item)),
    }
}

/// Returns whether two values are of one type and equal. Numbers are compared as numbers, at any depth.
fn is_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => is_same_number(a, b),
        (Value::NumberSet(a), Value::NumberSet(b)) => {
            a.len() == b.len() && a.iter().all(|a| b.iter().any(|b| is_same_number(a, b)))
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let equal =
                |((a, x), (b, y)): ((&String, &Value), (&String, &Value))| a == b && is_equal(x, y);
            a.len() == b.len() && a.iter().zip(b).all(equal)
        }
        _ => a == b,
    }
}

fn is_same_number(a: &str, b: &str) -> bool {
    a == b || Number::parse(a).is_some_and(|a| Some(a) == Number::parse(b))
}

/// Returns whether two values are of one type that has an order, and the first is less.
fn is_less(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a < b,
        (Value::Bytes(a), Value::Bytes(b)) => a < b,
        (Value::Number(a), Value::Number(b)) => match (Number::parse(a), Number::parse(b)) {
            (Some(a), Some(b)) => a < b,
            _ => false,
        },
        _ => false,
    }
}

/// Returns the item as an update makes it of the one that is there, or of none.
///
/// # Errors
/// [`StoreError::Refused`] if it adds to something else than a number, or if the sum has too many digits.
pub(super) fn updated(update: &Update, item: Option<&Arc<Item>>) -> Result<Item, StoreError> {
    let Key { pk, sk } = &update.key;
    let mut item = match item {
        Some(item) => Item::clone(item),
        None => Item::from([
            (PK.to_owned(), Value::string(pk)),
            (SK.to_owned(), Value::string(sk)),
        ]),
    };
    if let Some((name, number)) = update.add {
        let sum = sum(item.get(name), number)
            .ok_or_else(|| StoreError::Refused("an update adds to no number".to_owned()))?;
        item.insert(name.to_owned(), sum);
    }
    for (name, value) in &update.set {
        item.insert((*name).to_owned(), value.clone());
    }
    for name in &update.remove {
        item.remove(*name);
    }
    Ok(item)
}

/// Returns the sum of a value and a number; `None` if the value is not a number, or the sum is none that can be stored.
fn sum(value: Option<&Value>, number: i64) -> Option<Value> {
    let before = match value {
        None => Number::from(0),
        Some(Value::Number(text)) => Number::parse(text)?,
        Some(_) => return None,
    };
    before.plus(Number::from(number)).map(Value::number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::UserId;

    const USER: &str = "018f2d5c-3b1a-7c4e-9f00-000000000002";

    fn item(attributes: &[(&str, Value)]) -> Arc<Item> {
        let attributes = attributes.iter().cloned();
        Arc::new(
            attributes
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    #[test]
    fn a_condition_holds_of_the_item_or_of_its_absence() {
        let found = item(&[
            (VERSION, Value::number(2)),
            (LOOKUP_USER, Value::string(USER)),
            ("day", Value::string("b")),
            ("null", Value::Null),
        ]);
        let user = |id: &str| Condition::AbsentOrHeldBy(UserId::parse(id).unwrap());
        let other = USER.replace("02", "03");
        let less = |value: &str| Condition::AbsentOrLess("day", Value::string(value));
        for (condition, of_item, of_absent) in [
            (Condition::Always, true, true),
            (Condition::Absent, false, true),
            (Condition::Exists, true, false),
            (Condition::Version(2), true, false),
            (Condition::Version(1), false, false),
            (Condition::Equals("null", Value::Null), true, false),
            (Condition::Equals("none", Value::Null), false, false),
            (Condition::AttributeAbsent("none"), true, true),
            (Condition::AttributeAbsent("null"), false, true),
            (less("c"), true, true),
            (less("b"), false, true),
            (Condition::AbsentOrLess("none", Value::Null), true, true),
            // Of another type, a value is not less.
            (
                Condition::AbsentOrLess("day", Value::number(9)),
                false,
                true,
            ),
            (user(USER), true, true),
            (user(&other), false, true),
            (Condition::All(Vec::new()), true, true),
            (
                Condition::All(vec![Condition::Exists, less("c")]),
                true,
                false,
            ),
        ] {
            assert_eq!(holds(&condition, Some(&found)), of_item, "{condition:?}");
            assert_eq!(holds(&condition, None), of_absent, "{condition:?}, absent");
        }
    }

    #[test]
    fn numbers_are_compared_as_numbers_at_any_depth() {
        let of = |number: &str| {
            let set = Value::NumberSet([number.to_owned(), "7".to_owned()].into());
            let list = Value::List(vec![Value::number(number), set]);
            Value::Map([("a".to_owned(), list)].into())
        };
        assert!(is_equal(&of("100"), &of("1e2")));
        assert!(!is_equal(&of("100"), &of("10")));
        assert!(!is_equal(&Value::number(1), &Value::string(1)));
        assert!(is_less(&Value::number("9"), &Value::number("1e1")));
        assert!(!is_less(&Value::string("9"), &Value::string("1e1")));
    }

    #[test]
    fn an_update_adds_sets_and_removes() {
        let update = Update {
            key: Key {
                pk: "p".to_owned(),
                sk: "s".to_owned(),
            },
            add: Some(("n", -1)),
            set: vec![("a", Value::Null)],
            remove: vec!["b"],
            condition: Condition::Always,
        };
        let before = item(&[("n", Value::number("1.5")), ("b", Value::Null)]);
        let after = updated(&update, Some(&before)).unwrap();
        let expected = item(&[("n", Value::number("0.5")), ("a", Value::Null)]);
        assert_eq!(after, *expected);
        // An absent item is made, with its key.
        let after = updated(&update, None).unwrap();
        let expected = item(&[
            (PK, Value::string("p")),
            (SK, Value::string("s")),
            ("n", Value::number(-1)),
            ("a", Value::Null),
        ]);
        assert_eq!(after, *expected);
        let text = item(&[("n", Value::string("1"))]);
        let error = updated(&update, Some(&text)).unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    }
}

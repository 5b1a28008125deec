//! Conditions and updates as DynamoDB's expressions. Names and values are always placeholders.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::encoding::encode_value;
use crate::store::layout::{LOOKUP_USER, PK, VERSION};
use crate::store::transaction::{Condition, Update};

/// The placeholders of one request or action.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Placeholders {
    /// Returns the placeholder of an attribute's name, always the same one.
    pub(super) fn name(&mut self, attribute: &str) -> String {
        let placeholder = format!("#{attribute}");
        self.names.insert(placeholder.clone(), attribute.to_owned());
        placeholder
    }

    /// Returns a new placeholder of a value.
    pub(super) fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// Returns the condition as an expression; `None` if it always holds.
    pub(super) fn condition(&mut self, condition: &Condition) -> Option<String> {
        Some(match condition {
            Condition::Always => return None,
            Condition::Absent => format!("attribute_not_exists({})", self.name(PK)),
            Condition::Exists => format!("attribute_exists({})", self.name(PK)),
            Condition::Version(version) => {
                let version = AttributeValue::N(version.to_string());
                self.equals(VERSION, version)
            }
            Condition::Equals(attribute, value) => self.equals(attribute, encode_value(value)),
            Condition::AttributeAbsent(attribute) => {
                format!("attribute_not_exists({})", self.name(attribute))
            }
            Condition::AbsentOrLess(attribute, value) => {
                let (name, value) = (self.name(attribute), self.value(encode_value(value)));
                format!("(attribute_not_exists({name}) OR {name} < {value})")
            }
            Condition::AbsentOrHeldBy(user) => {
                let is_theirs = self.equals(LOOKUP_USER, AttributeValue::S(user.to_string()));
                format!("(attribute_not_exists({}) OR {is_theirs})", self.name(PK))
            }
            Condition::All(conditions) => {
                let conditions: Vec<String> = conditions
                    .iter()
                    .filter_map(|condition| self.condition(condition))
                    .collect();
                return (!conditions.is_empty()).then(|| conditions.join(" AND "));
            }
        })
    }

    fn equals(&mut self, attribute: &str, value: AttributeValue) -> String {
        format!("{} = {}", self.name(attribute), self.value(value))
    }

    /// Returns what an update does as an expression.
    pub(super) fn update(&mut self, update: &Update) -> String {
        let mut clauses = Vec::new();
        if let Some((attribute, number)) = update.add {
            let number = self.value(AttributeValue::N(number.to_string()));
            let name = self.name(attribute);
            clauses.push(format!("ADD {name} {number}"));
        }
        if !update.set.is_empty() {
            let set = update.set.iter();
            let set: Vec<String> = set
                .map(|(attribute, value)| self.equals(attribute, encode_value(value)))
                .collect();
            clauses.push(format!("SET {}", set.join(", ")));
        }
        if !update.remove.is_empty() {
            let removed = update.remove.iter();
            let removed: Vec<String> = removed.map(|attribute| self.name(attribute)).collect();
            clauses.push(format!("REMOVE {}", removed.join(", ")));
        }
        clauses.join(" ")
    }

    /// Returns the names, if there are any: DynamoDB refuses an empty map.
    pub(super) fn take_names(&mut self) -> Option<HashMap<String, String>> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    /// Returns the values, if there are any: DynamoDB refuses an empty map.
    pub(super) fn take_values(&mut self) -> Option<HashMap<String, AttributeValue>> {
        Some(std::mem::take(&mut self.values)).filter(|values| !values.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::UserId;
    use crate::store::layout::{Key, Value};

    fn expression(condition: &Condition) -> Option<String> {
        Placeholders::default().condition(condition)
    }

    #[test]
    fn a_condition_is_an_expression() {
        let user = UserId::parse("018f2d5c-3b1a-7c4e-9f00-000000000002").unwrap();
        let less = Condition::AbsentOrLess("day", Value::string("2026-01-02"));
        for (condition, expected) in [
            (Condition::Always, None),
            (Condition::All(vec![Condition::Always]), None),
            (Condition::Absent, Some("attribute_not_exists(#PK)")),
            (Condition::Exists, Some("attribute_exists(#PK)")),
            (Condition::Version(7), Some("#version = :0")),
            (Condition::Equals("a", Value::Null), Some("#a = :0")),
            (
                Condition::AttributeAbsent("a"),
                Some("attribute_not_exists(#a)"),
            ),
            (
                Condition::AbsentOrHeldBy(user),
                Some("(attribute_not_exists(#PK) OR #userId = :0)"),
            ),
            (
                Condition::All(vec![Condition::Exists, less]),
                Some("attribute_exists(#PK) AND (attribute_not_exists(#day) OR #day < :0)"),
            ),
        ] {
            assert_eq!(expression(&condition).as_deref(), expected, "{condition:?}");
        }
    }

    #[test]
    fn an_update_is_an_expression_with_the_placeholders_of_its_condition() {
        let update = Update {
            key: Key {
                pk: "p".to_owned(),
                sk: "s".to_owned(),
            },
            add: Some(("n", -1)),
            set: vec![("a", Value::Null), ("b", Value::string("x"))],
            remove: vec!["c", "d"],
            condition: Condition::Equals("a", Value::Bool(true)),
        };
        let mut placeholders = Placeholders::default();
        assert_eq!(
            placeholders.update(&update),
            "ADD #n :0 SET #a = :1, #b = :2 REMOVE #c, #d"
        );
        let condition = placeholders.condition(&update.condition);
        assert_eq!(condition.as_deref(), Some("#a = :3"));
        assert_eq!(placeholders.take_names().unwrap().len(), 5);
        assert_eq!(placeholders.take_values().unwrap().len(), 4);
    }
}

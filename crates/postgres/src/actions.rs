//! Actions of a transaction as the arguments of `commit_v1`, one array for each column.

use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{Item, Key, LOOKUP_USER, PK, SK, VERSION, Value};
use paradigm_scim::store::transaction::{Action, Condition, Update};
use serde_json::{Map, Value as Json, json};

use crate::encoding::{Columns, corrupt, encode, encode_value};
use crate::text::escape;

/// The arguments of `commit_v1`.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) names: Vec<&'static str>,
    pub(crate) pks: Vec<String>,
    pub(crate) sks: Vec<String>,
    /// A JSON array of conditions; `None` if there are none.
    pub(crate) conditions: Vec<Option<String>>,
    /// The body of an item, or what an update changes.
    pub(crate) bodies: Vec<Option<String>>,
    pub(crate) documents: Vec<Option<String>>,
    pub(crate) index_pks: Vec<Option<String>>,
    pub(crate) index_sks: Vec<Option<String>>,
}

impl Actions {
    /// Encodes the actions of a transaction.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a value that is not a number, [`StoreError::Corrupt`] for an item without key.
    pub(crate) fn of(actions: &[Action]) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for action in actions {
            match action {
                Action::Put { item, condition } => {
                    all.push("put", &key(item)?, condition, Some(encode(item)?))?;
                }
                Action::Delete { key, condition } => all.push("delete", key, condition, None)?,
                Action::Check { key, condition } => all.push("check", key, condition, None)?,
                Action::Update(update) => all.push_update(update)?,
            }
        }
        Ok(all)
    }

    /// Encodes one update.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a value that is not a number.
    pub(crate) fn of_update(update: &Update) -> Result<Self, StoreError> {
        let mut all = Self::default();
        all.push_update(update)?;
        Ok(all)
    }

    fn push_update(&mut self, update: &Update) -> Result<(), StoreError> {
        let mut set = Map::new();
        for (name, value) in &update.set {
            set.insert((*name).to_owned(), encode_value(value)?);
        }
        let add: Map<String, Json> = update
            .add
            .iter()
            .map(|(name, number)| ((*name).to_owned(), number.to_string().into()))
            .collect();
        let change = json!({"add": add, "set": set, "remove": update.remove});
        let columns = Columns {
            body: change.to_string(),
            ..Columns::default()
        };
        self.push("update", &update.key, &update.condition, Some(columns))
    }

    fn push(
        &mut self,
        name: &'static str,
        key: &Key,
        condition: &Condition,
        columns: Option<Columns>,
    ) -> Result<(), StoreError> {
        let mut conditions = Vec::new();
        encode_condition(condition, &mut conditions)?;
        let columns = columns.map(|columns| (columns.body, columns.document, columns.index));
        let (body, document, index) = match columns {
            Some((body, document, index)) => (Some(body), document, index),
            None => (None, None, None),
        };
        let (index_pk, index_sk) = index.unzip();
        self.names.push(name);
        self.pks.push(escape(&key.pk).into_owned());
        self.sks.push(escape(&key.sk).into_owned());
        self.conditions
            .push((!conditions.is_empty()).then(|| Json::Array(conditions).to_string()));
        self.bodies.push(body);
        self.documents.push(document);
        self.index_pks.push(index_pk);
        self.index_sks.push(index_sk);
        Ok(())
    }
}

fn key(item: &Item) -> Result<Key, StoreError> {
    match (item.get(PK), item.get(SK)) {
        (Some(Value::String(pk)), Some(Value::String(sk))) => Ok(Key {
            pk: pk.clone(),
            sk: sk.clone(),
        }),
        _ => Err(corrupt()),
    }
}

/// Adds the parts of a condition to those that must all hold.
fn encode_condition(condition: &Condition, all: &mut Vec<Json>) -> Result<(), StoreError> {
    all.push(match condition {
        Condition::Always => return Ok(()),
        Condition::All(conditions) => {
            return conditions
                .iter()
                .try_for_each(|condition| encode_condition(condition, all));
        }
        Condition::Absent => json!({"is": "absent"}),
        Condition::Exists => json!({"is": "exists"}),
        Condition::Version(version) => {
            json!({"is": "equal", "attribute": VERSION, "value": encode_value(&Value::number(version))?})
        }
        Condition::Equals(attribute, value) => {
            json!({"is": "equal", "attribute": attribute, "value": encode_value(value)?})
        }
        Condition::AttributeAbsent(attribute) => {
            json!({"is": "attributeAbsent", "attribute": attribute})
        }
        Condition::AbsentOrLess(attribute, value) => {
            json!({"is": "absentOrLess", "attribute": attribute, "value": encode_value(value)?})
        }
        Condition::AbsentOrHeldBy(user) => {
            json!({"is": "absentOrEqual", "attribute": LOOKUP_USER, "value": user.to_string()})
        }
    });
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use paradigm_scim::store::layout::{INDEX_PK, INDEX_SK};

    use super::*;

    #[test]
    fn an_item_that_is_in_the_index_only_by_half_keeps_that_in_its_body() {
        let item = Item::from([
            (PK.to_owned(), Value::string("p")),
            (SK.to_owned(), Value::string("s")),
            (INDEX_PK.to_owned(), Value::string("i")),
            (INDEX_SK.to_owned(), Value::number(1)),
        ]);
        let actions = Actions::of(&[Action::Put {
            item,
            condition: Condition::All(vec![Condition::Always, Condition::Exists]),
        }])
        .unwrap();
        assert_eq!(actions.index_pks, [None]);
        assert_eq!(
            actions.bodies,
            [Some(
                r#"{"ByCompanyPK":"i","ByCompanySK":{"N":"1"}}"#.to_owned()
            )]
        );
        assert_eq!(
            actions.conditions,
            [Some(r#"[{"is":"exists"}]"#.to_owned())]
        );
    }
}

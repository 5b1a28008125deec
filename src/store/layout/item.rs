//! Items: typed values by name.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::attributes::{INDEX_PK, INDEX_SK, PK, SK};
use super::keys::Key;
use crate::store::StoreError;

/// An item of the table: its attributes by name, key and place in the index included.
pub type Item = BTreeMap<String, Value>;

/// The value of an attribute. An engine returns each value as it was written.
///
/// The service writes strings, numbers, bytes, maps, nulls and string sets. Items of other programs (`APP#`) may
/// hold the other types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    String(String),
    /// A decimal number as text, with up to 38 digits.
    Number(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A boolean.
    Bool(bool),
    /// Nothing, which is not the same as an absent attribute.
    Null,
    /// A list of values of any types.
    List(Vec<Value>),
    /// Values of any types by name.
    Map(BTreeMap<String, Value>),
    /// A set of texts, never empty.
    StringSet(BTreeSet<String>),
    /// A set of numbers as text, never empty.
    NumberSet(BTreeSet<String>),
    /// A set of bytes, never empty.
    BytesSet(BTreeSet<Vec<u8>>),
}

impl Value {
    /// Makes a string.
    #[must_use]
    pub fn string(value: impl ToString) -> Self {
        Self::String(value.to_string())
    }

    /// Makes a number.
    #[must_use]
    pub fn number(value: impl ToString) -> Self {
        Self::Number(value.to_string())
    }

    /// Makes a set, or nothing: there are no empty sets.
    pub(super) fn string_set(values: impl Iterator<Item = String>) -> Option<Self> {
        let values: BTreeSet<String> = values.collect();
        (!values.is_empty()).then_some(Self::StringSet(values))
    }

    /// Returns the text of a string; `None` of another type.
    #[must_use]
    pub fn as_string(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }
}

/// Builds an item.
pub(super) struct ItemBuilder(Item);

impl ItemBuilder {
    pub(super) fn new(Key { pk, sk }: Key) -> Self {
        Self(Item::new())
            .with(PK, Value::String(pk))
            .with(SK, Value::String(sk))
    }

    pub(super) fn indexed(self, partition: String, sort: impl ToString) -> Self {
        self.with(INDEX_PK, Value::String(partition))
            .with(INDEX_SK, Value::string(sort))
    }

    pub(super) fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<Value>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn build(self) -> Item {
        self.0
    }
}

/// Reads attributes of an item.
pub(crate) struct Reader<'i>(pub(crate) &'i Item);

impl<'i> Reader<'i> {
    pub(crate) fn optional(&self, name: &'static str) -> Option<&'i str> {
        self.0.get(name)?.as_string()
    }

    pub(crate) fn string(&self, name: &'static str) -> Result<&'i str, StoreError> {
        self.optional(name).ok_or(StoreError::Corrupt(name))
    }

    /// Returns the primary key.
    pub(crate) fn key(&self) -> Result<Key, StoreError> {
        Ok(Key {
            pk: self.string(PK)?.to_owned(),
            sk: self.string(SK)?.to_owned(),
        })
    }

    pub(super) fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        parse(self.string(name)?).ok_or(StoreError::Corrupt(name))
    }

    pub(super) fn timestamp(&self, name: &'static str) -> Result<Timestamp, StoreError> {
        self.parsed(name, |text| text.parse().ok())
    }

    pub(super) fn optional_timestamp(
        &self,
        name: &'static str,
    ) -> Result<Option<Timestamp>, StoreError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(_) => self.timestamp(name).map(Some),
        }
    }

    pub(crate) fn number(&self, name: &'static str) -> Result<u64, StoreError> {
        match self.0.get(name) {
            Some(Value::Number(number)) => number.parse().ok(),
            _ => None,
        }
        .ok_or(StoreError::Corrupt(name))
    }

    pub(super) fn bytes32(&self, name: &'static str) -> Result<[u8; 32], StoreError> {
        match self.0.get(name) {
            Some(Value::Bytes(bytes)) => bytes.as_slice().try_into().ok(),
            _ => None,
        }
        .ok_or(StoreError::Corrupt(name))
    }

    pub(super) fn optional_bytes32(
        &self,
        name: &'static str,
    ) -> Result<Option<[u8; 32]>, StoreError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(_) => self.bytes32(name).map(Some),
        }
    }

    /// Returns what is understood of a set of strings; other programs may write there too, and newer
    /// versions of this one.
    pub(super) fn known<T: Ord>(
        &self,
        name: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> BTreeSet<T> {
        match self.0.get(name) {
            Some(Value::StringSet(texts)) => texts.iter().filter_map(|text| parse(text)).collect(),
            _ => BTreeSet::new(),
        }
    }
}

/// Returns whether an item is where it belongs in the index, and nowhere else.
pub(crate) fn is_indexed_as(item: &Item, wanted: Option<&(String, String)>) -> bool {
    let is = |name: &str, wanted: Option<&String>| match (item.get(name), wanted) {
        (None, None) => true,
        (Some(Value::String(found)), Some(wanted)) => found == wanted,
        _ => false,
    };
    is(INDEX_PK, wanted.map(|(partition, _)| partition))
        && is(INDEX_SK, wanted.map(|(_, sort)| sort))
}

//! Items and keys as the SDK has them, and back.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;

use crate::store::StoreError;
use crate::store::layout::{INDEX_PK, INDEX_SK, Item, Key, PK, Reader, SK, Value};
use crate::store::table::IndexEntry;

/// An item as the SDK has it.
pub(super) type SdkItem = HashMap<String, AttributeValue>;

pub(super) fn encode(item: &Item) -> SdkItem {
    item.iter()
        .map(|(name, value)| (name.clone(), encode_value(value)))
        .collect()
}

pub(super) fn encode_value(value: &Value) -> AttributeValue {
    match value {
        Value::String(text) => AttributeValue::S(text.clone()),
        Value::Number(number) => AttributeValue::N(number.clone()),
        Value::Bytes(bytes) => AttributeValue::B(Blob::new(bytes.clone())),
        Value::Bool(value) => AttributeValue::Bool(*value),
        Value::Null => AttributeValue::Null(true),
        Value::List(values) => AttributeValue::L(values.iter().map(encode_value).collect()),
        Value::Map(values) => AttributeValue::M(encode(values)),
        Value::StringSet(texts) => AttributeValue::Ss(texts.iter().cloned().collect()),
        Value::NumberSet(numbers) => AttributeValue::Ns(numbers.iter().cloned().collect()),
        Value::BytesSet(all) => AttributeValue::Bs(all.iter().cloned().map(Blob::new).collect()),
    }
}

pub(super) fn decode(item: SdkItem) -> Result<Item, StoreError> {
    item.into_iter()
        .map(|(name, value)| Ok((name, decode_value(value)?)))
        .collect()
}

fn decode_value(value: AttributeValue) -> Result<Value, StoreError> {
    Ok(match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(number) => Value::Number(number),
        AttributeValue::B(bytes) => Value::Bytes(bytes.into_inner()),
        AttributeValue::Bool(value) => Value::Bool(value),
        AttributeValue::Null(_) => Value::Null,
        AttributeValue::L(values) => Value::List(
            values
                .into_iter()
                .map(decode_value)
                .collect::<Result<_, _>>()?,
        ),
        AttributeValue::M(values) => Value::Map(decode(values)?),
        AttributeValue::Ss(texts) => Value::StringSet(texts.into_iter().collect()),
        AttributeValue::Ns(numbers) => Value::NumberSet(numbers.into_iter().collect()),
        AttributeValue::Bs(all) => Value::BytesSet(all.into_iter().map(Blob::into_inner).collect()),
        // A type that DynamoDB has not had so far.
        _ => return Err(StoreError::Corrupt("type of an attribute")),
    })
}

pub(super) fn decode_all(items: Option<Vec<SdkItem>>) -> Result<Vec<Item>, StoreError> {
    items.unwrap_or_default().into_iter().map(decode).collect()
}

pub(super) fn encode_key(key: Key) -> SdkItem {
    HashMap::from([
        (PK.to_owned(), AttributeValue::S(key.pk)),
        (SK.to_owned(), AttributeValue::S(key.sk)),
    ])
}

/// Reads the key from an item or a part of one.
pub(super) fn decode_key(item: SdkItem) -> Result<Key, StoreError> {
    Reader(&decode(item)?).key()
}

/// Returns where to read on in a partition of the index.
pub(super) fn encode_entry(partition: &str, entry: IndexEntry) -> SdkItem {
    let mut start = encode_key(entry.key);
    let partition = AttributeValue::S(partition.to_owned());
    start.insert(INDEX_PK.to_owned(), partition);
    start.insert(INDEX_SK.to_owned(), AttributeValue::S(entry.sort));
    start
}

pub(super) fn decode_entry(item: SdkItem) -> Result<IndexEntry, StoreError> {
    let item = decode(item)?;
    let reader = Reader(&item);
    Ok(IndexEntry {
        sort: reader.string(INDEX_SK)?.to_owned(),
        key: reader.key()?,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_value_is_read_as_it_was_written() {
        let text = |text: &str| text.to_owned();
        let values = [
            Value::String(text("{\"a\":1e2,\"b\":\"\\u0000\"}")),
            Value::String(String::new()),
            Value::Number(text("-0.10")),
            Value::Bytes(vec![0, 255]),
            Value::Bool(true),
            Value::Bool(false),
            Value::Null,
            Value::List(vec![Value::Null, Value::List(Vec::new())]),
            Value::Map(BTreeMap::from([(text("a"), Value::Map(BTreeMap::new()))])),
            Value::StringSet(BTreeSet::from([text("b"), text("a")])),
            Value::NumberSet(BTreeSet::from([text("10"), text("9")])),
            Value::BytesSet(BTreeSet::from([vec![1], vec![0, 1]])),
        ];
        for value in values {
            let item = Item::from([(text("name"), value)]);
            assert_eq!(decode(encode(&item)).unwrap(), item);
        }
    }
}

//! Items as columns. `migrations/0001_items.sql` describes the form of a body.

use std::collections::BTreeSet;

use paradigm_scim::store::StoreError;
use paradigm_scim::store::layout::{DOCUMENT, INDEX_PK, INDEX_SK, Item, Key, PK, SK, Value};
use paradigm_scim::store::memory::number::Number;
use serde_json::{Map, Value as Json, json};
use tokio_postgres::Row;

use crate::text::{escape, unescape};

const NUMBER: &str = "N";
const BYTES: &str = "B";
const MAP: &str = "M";
const STRING_SET: &str = "SS";
const NUMBER_SET: &str = "NS";
const BYTES_SET: &str = "BS";

/// The columns of an item beside its key.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    pub(crate) body: String,
    pub(crate) document: Option<String>,
    pub(crate) index: Option<(String, String)>,
}

/// Returns the columns of an item. The place in the index and the document are in the body if they are not strings.
pub(crate) fn encode(item: &Item) -> Result<Columns, StoreError> {
    let text = |name: &str| match item.get(name) {
        Some(Value::String(text)) => Some(escape(text).into_owned()),
        _ => None,
    };
    let document = text(DOCUMENT);
    let index = text(INDEX_PK).zip(text(INDEX_SK));
    let has_column = |name: &str| match name {
        PK | SK => true,
        DOCUMENT => document.is_some(),
        INDEX_PK | INDEX_SK => index.is_some(),
        _ => false,
    };
    let attributes = item.iter().filter(|(name, _)| !has_column(name));
    Ok(Columns {
        body: encode_map(attributes)?.to_string(),
        document,
        index,
    })
}

fn encode_map<'v>(
    attributes: impl Iterator<Item = (&'v String, &'v Value)>,
) -> Result<Json, StoreError> {
    let encoded =
        attributes.map(|(name, value)| Ok((escape(name).into_owned(), encode_value(value)?)));
    Ok(Json::Object(encoded.collect::<Result<_, StoreError>>()?))
}

pub(crate) fn encode_value(value: &Value) -> Result<Json, StoreError> {
    Ok(match value {
        Value::String(text) => escape(text).into(),
        Value::Number(number) => json!({NUMBER: checked(number)?}),
        Value::Bytes(bytes) => json!({BYTES: hexadecimal(bytes)}),
        Value::Bool(value) => (*value).into(),
        Value::Null => Json::Null,
        Value::List(values) => values.iter().map(encode_value).collect::<Result<_, _>>()?,
        Value::Map(values) => json!({MAP: encode_map(values.iter())?}),
        Value::StringSet(texts) => {
            let texts: Vec<_> = texts.iter().map(|text| escape(text)).collect();
            json!({STRING_SET: texts})
        }
        Value::NumberSet(numbers) => {
            let numbers = numbers.iter().map(|number| checked(number));
            json!({NUMBER_SET: numbers.collect::<Result<Vec<_>, _>>()?})
        }
        Value::BytesSet(all) => {
            json!({BYTES_SET: all.iter().map(|bytes| hexadecimal(bytes)).collect::<Vec<_>>()})
        }
    })
}

/// Returns the text of a number if it is one. The server would write another into its log.
fn checked(number: &str) -> Result<&str, StoreError> {
    match Number::parse(number) {
        Some(_) => Ok(number),
        None => Err(StoreError::Refused("a value is not a number".to_owned())),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    nibbles
        .filter_map(|nibble| DIGITS.get(usize::from(nibble)))
        .collect()
}

/// Reads the item of a row of the view `every_item`.
pub(crate) fn decode_row(row: &Row) -> Result<Item, StoreError> {
    let body: String = column(row, "body")?;
    let Ok(Json::Object(body)) = serde_json::from_str(&body) else {
        return Err(corrupt());
    };
    let mut item: Item = decode_map(body)?;
    for (name, column_name) in [
        (PK, "pk"),
        (SK, "sk"),
        (DOCUMENT, "document"),
        (INDEX_PK, "index_pk"),
        (INDEX_SK, "index_sk"),
    ] {
        if let Some(text) = column::<Option<String>>(row, column_name)? {
            item.insert(name.to_owned(), Value::String(unescape(text)?));
        }
    }
    Ok(item)
}

/// Reads the key of a row.
pub(crate) fn decode_key(row: &Row) -> Result<Key, StoreError> {
    Ok(Key {
        pk: unescape(column(row, "pk")?)?,
        sk: unescape(column(row, "sk")?)?,
    })
}

pub(crate) fn column<'r, T: tokio_postgres::types::FromSql<'r>>(
    row: &'r Row,
    name: &str,
) -> Result<T, StoreError> {
    row.try_get(name).map_err(|_| corrupt())
}

fn decode_map<M: FromIterator<(String, Value)>>(
    values: Map<String, Json>,
) -> Result<M, StoreError> {
    let decoded = values
        .into_iter()
        .map(|(name, value)| Ok((unescape(name)?, decode_value(value)?)));
    decoded.collect()
}

fn decode_value(value: Json) -> Result<Value, StoreError> {
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::String(text) => Value::String(unescape(text)?),
        Json::Array(values) => Value::List(
            values
                .into_iter()
                .map(decode_value)
                .collect::<Result<_, _>>()?,
        ),
        Json::Object(tagged) => {
            let mut tagged = tagged.into_iter();
            match (tagged.next(), tagged.next()) {
                (Some((tag, value)), None) => decode_tagged(&tag, value)?,
                _ => return Err(corrupt()),
            }
        }
        Json::Number(_) => return Err(corrupt()),
    })
}

fn decode_tagged(tag: &str, value: Json) -> Result<Value, StoreError> {
    Ok(match (tag, value) {
        (NUMBER, Json::String(number)) => Value::Number(number),
        (BYTES, Json::String(text)) => Value::Bytes(bytes(&text)?),
        (MAP, Json::Object(values)) => Value::Map(decode_map(values)?),
        (STRING_SET, Json::Array(texts)) => Value::StringSet(set(texts, unescape)?),
        (NUMBER_SET, Json::Array(numbers)) => Value::NumberSet(set(numbers, Ok)?),
        (BYTES_SET, Json::Array(all)) => Value::BytesSet(set(all, |text| bytes(&text))?),
        _ => return Err(corrupt()),
    })
}

fn set<T: Ord>(
    members: Vec<Json>,
    decode: impl Fn(String) -> Result<T, StoreError>,
) -> Result<BTreeSet<T>, StoreError> {
    let decoded = members.into_iter().map(|member| match member {
        Json::String(text) => decode(text),
        _ => Err(corrupt()),
    });
    decoded.collect()
}

fn bytes(text: &str) -> Result<Vec<u8>, StoreError> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let decoded = pairs.iter().map(|[high, low]| {
        let byte = digit(*high)? << 4 | digit(*low)?;
        u8::try_from(byte).ok()
    });
    decoded
        .collect::<Option<_>>()
        .filter(|_| rest.is_empty())
        .ok_or_else(corrupt)
}

/// Returns the error of an item that this program has not written.
pub(crate) fn corrupt() -> StoreError {
    StoreError::Corrupt("body")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_value_is_read_as_it_was_written() {
        let text = |text: &str| text.to_owned();
        for value in [
            Value::String(text("{\"a\":1e2,\"b\":\"\\u0000\"}")),
            Value::String(text("\0\u{1}\u{2}\u{10ffff}\"\\")),
            Value::String(String::new()),
            Value::Number(text("-0.10")),
            Value::Number(text("1e2")),
            Value::Bytes(vec![0, 255]),
            Value::Bytes(Vec::new()),
            Value::Bool(true),
            Value::Null,
            Value::List(vec![Value::Null, Value::List(Vec::new())]),
            Value::Map(BTreeMap::from([(text("N"), Value::Map(BTreeMap::new()))])),
            Value::Map(BTreeMap::from([(text("\0"), Value::string("\0"))])),
            Value::StringSet(BTreeSet::from([text("b"), text("\0")])),
            Value::NumberSet(BTreeSet::from([text("10"), text("9.0")])),
            Value::BytesSet(BTreeSet::from([vec![1], vec![0, 1]])),
        ] {
            let encoded = encode_value(&value).unwrap();
            assert_eq!(decode_value(encoded).unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_number_never_reaches_the_server() {
        for number in ["0", "-1.50", "1e2", "+1E-130", ".5", "5."] {
            assert!(checked(number).is_ok(), "{number}");
        }
        for number in [
            "", "-", "a", "NaN", "Infinity", "1.2.3", "1e", "1e131", "0x1", " 1",
        ] {
            assert!(checked(number).is_err(), "{number}");
        }
    }

    #[test]
    fn what_this_program_never_writes_is_corrupt() {
        for body in [
            r#"1"#,
            r#"{"X":1}"#,
            r#"{"N":1}"#,
            r#"{}"#,
            r#"{"B":"0"}"#,
            r#"{"B":"0g"}"#,
        ] {
            let value: Json = serde_json::from_str(body).unwrap();
            assert!(decode_value(value).is_err(), "{body}");
        }
    }
}

//! Values that an engine could damage.

use std::collections::{BTreeMap, BTreeSet};

use paradigm_scim::store::layout::{Item, Value};
use paradigm_scim::store::memory::number::Number;

use super::random::Random;

/// Texts that look like JSON and must not be read as such: numbers and members that a parser would rewrite, escapes
/// that it would refuse, and others.
const TEXTS: [&str; 14] = [
    "",
    "a",
    "A",
    "null",
    "{\"a\":1e2,\"a\":1.0,\"b\":-0}",
    "{\"b\":1,\"a\":2,\"userName\":\"x\"}",
    "{ \"a\" : [ ] }\n",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud800\",\"b\":\"\\uZZZZ\"}",
    "\\",
    "\\x00\\000",
    "\u{0}",
    "a\u{0}b",
    "'; -- $1 %s \"",
];

/// Numbers that are equal in pairs, and numbers with as many digits as there may be.
const NUMBERS: [&str; 18] = [
    "0",
    "-0",
    "1",
    "1.0",
    "2",
    "0002",
    "-1",
    "0.1",
    ".10",
    "-0.10",
    "100",
    "1e2",
    "9007199254740993",
    "99999999999999999999999999999999999999",
    "-99999999999999999999999999999999999999",
    "0.12345678901234567890123456789012345678",
    "1e125",
    "1e-120",
];

/// Names of members of maps.
const NAMES: [&str; 9] = [
    "a",
    "A",
    "b",
    "a.b",
    "$",
    "a\u{0}",
    "\\u0000",
    "é",
    "\u{1f600}",
];

pub(super) fn number(random: &mut Random) -> Value {
    Value::number(random.pick(&NUMBERS))
}

/// Returns a text: one of few, or one of characters of every plane.
pub(super) fn text(random: &mut Random) -> String {
    if !random.one_in(3) {
        return (*random.pick(&TEXTS)).to_owned();
    }
    let length = random.below(12);
    (0..length).map(|_| character(random)).collect()
}

fn character(random: &mut Random) -> char {
    let plane = random.below(17) * 0x1_0000;
    let code = u32::try_from(plane + random.below(0x1_0000)).unwrap();
    // Surrogates are no characters.
    char::from_u32(code).unwrap_or('\u{fffd}')
}

/// Returns what stands in for the document of a user. One in 200 has 64 KiB.
pub(super) fn document(random: &mut Random) -> Value {
    let text = text(random);
    if !random.one_in(200) {
        return Value::String(text);
    }
    let filling = format!("{text}\\u0000\u{10ffff}1e2,");
    let mut long = filling.repeat(64 * 1024 / filling.len() + 1);
    while long.len() > 64 * 1024 {
        long.pop();
    }
    Value::String(long)
}

/// Returns a value of any type; lists and maps are nested up to three times.
pub(super) fn value(random: &mut Random) -> Value {
    nested(random, 3)
}

fn nested(random: &mut Random, depth: usize) -> Value {
    let kinds = if depth == 0 { 8 } else { 10 };
    let size = random.below(4);
    match random.below(kinds) {
        0 => Value::String(text(random)),
        1 => number(random),
        2 => Value::Bytes(bytes(random)),
        3 => Value::Bool(random.one_in(2)),
        4 => Value::Null,
        5 => Value::StringSet((0..=size).map(|_| text(random)).collect()),
        6 => Value::NumberSet(distinct_numbers(random)),
        7 => Value::BytesSet((0..=size).map(|_| bytes(random)).collect()),
        8 => Value::List((0..size).map(|_| nested(random, depth - 1)).collect()),
        _ => {
            let name = |random: &mut Random| (*random.pick(&NAMES)).to_owned();
            let member = |_| (name(random), nested(random, depth - 1));
            Value::Map((0..size).map(member).collect())
        }
    }
}

fn bytes(random: &mut Random) -> Vec<u8> {
    let length = random.below(4);
    (0..length)
        .map(|_| *random.pick(&[0, 1, b'a', b'\\', 0x7f, 0x80, 0xff]))
        .collect()
}

/// Returns a set of numbers, of which no two are the same one.
fn distinct_numbers(random: &mut Random) -> BTreeSet<String> {
    let texts = random.some(&NUMBERS, 3);
    let distinct: BTreeMap<Number, &str> = texts
        .into_iter()
        .map(|text| (Number::parse(text).unwrap(), text))
        .collect();
    distinct.into_values().map(str::to_owned).collect()
}

/// Returns another text of the same number, or the same text.
pub(super) fn other_notation(random: &mut Random, number: &str) -> String {
    let same = |text: &&&str| Number::parse(text) == Number::parse(number);
    let others: Vec<&&str> = NUMBERS.iter().filter(same).collect();
    match others.as_slice() {
        [] => number.to_owned(),
        others => (**random.pick(others)).to_owned(),
    }
}

/// Returns an item whose numbers all have one notation: engines may differ in this.
pub(super) fn normal(item: Item) -> Item {
    let normal = item
        .into_iter()
        .map(|(name, value)| (name, normal_value(value)));
    normal.collect()
}

fn normal_value(value: Value) -> Value {
    let number = |text: String| Number::parse(&text).map_or(text, |number| number.to_string());
    match value {
        Value::Number(text) => Value::Number(number(text)),
        Value::NumberSet(texts) => Value::NumberSet(texts.into_iter().map(number).collect()),
        Value::List(values) => Value::List(values.into_iter().map(normal_value).collect()),
        Value::Map(values) => Value::Map(normal(values)),
        other => other,
    }
}

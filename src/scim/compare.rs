//! Equality and order of attribute values (RFC 7643 §2.3, RFC 7644 §3.4.2.2), and the folding
//! that the store's keys use too, so that a look-up and a filter never disagree.

use std::borrow::Cow;
use std::cmp::Ordering;

use icu_casemap::CaseMapper;
use icu_collator::CollatorBorrowed;
use icu_collator::options::{CollatorOptions, Strength};
use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::Timestamp;
use serde_json::Value;

use super::schema::{Attribute, Type};

/// Text as it is compared where case does not matter: Unicode NFKC and full case folding.
///
/// Folding can undo normalization, so the result is normalized again; folding twice changes nothing.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let folded = CaseMapper::new()
        .fold_string(&nfkc.normalize(text))
        .into_owned();
    nfkc.normalize(&folded).into_owned()
}

/// A string as comparisons on this attribute see it.
#[must_use]
pub fn comparable<'t>(attribute: &Attribute, text: &'t str) -> Cow<'t, str> {
    if attribute.case_exact {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(fold(text))
    }
}

/// The order of two values of one attribute, or `None` if they cannot be compared.
#[must_use]
pub fn order(attribute: &Attribute, left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            if attribute.kind == Type::DateTime {
                return Some(instant(left)?.cmp(&instant(right)?));
            }
            Some(comparable(attribute, left).cmp(&comparable(attribute, right)))
        }
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// The order of two values of one attribute in a sorted list: for text whose case does not matter
/// "case-insensitive Unicode alphabetic sort order with no specific locale implied" (§3.4.2.3).
#[must_use]
pub fn sort_order(attribute: &Attribute, left: &Value, right: &Value) -> Option<Ordering> {
    const ALPHABETIC: CollatorBorrowed<'static> = {
        let mut options = CollatorOptions::default();
        // Letters and their accents count, case does not.
        options.strength = Some(Strength::Secondary);
        CollatorBorrowed::new_root(options)
    };
    match (left, right) {
        (Value::String(left), Value::String(right))
            if attribute.kind == Type::String && !attribute.case_exact =>
        {
            Some(ALPHABETIC.compare(left, right))
        }
        _ => order(attribute, left, right),
    }
}

/// The instant an `xsd:dateTime` with a zone names (RFC 7643 §2.3.5).
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let is_at = |index, byte| text.as_bytes().get(index) == Some(&byte);
    let has_seconds = is_at(10, b'T') && is_at(13, b':') && is_at(16, b':');
    let zone_hours = text
        .rsplit_once(['+', '-'])
        .filter(|_| !text.ends_with('Z'))
        .map(|(_, zone)| zone.get(..2).and_then(|hours| hours.parse::<u8>().ok()));
    let has_zone = zone_hours.is_none_or(|hours| hours.is_some_and(|hours| hours <= 14));
    (has_seconds && has_zone).then(|| text.parse().ok())?
}

/// Whether a value counts as present: not null, not an empty string, array or object.
#[must_use]
pub fn is_present(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(is_present),
        Value::Object(members) => members.values().any(is_present),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_joins_case_width_and_composition_and_is_stable() {
        for (left, right) in [
            ("Alice@Example.COM", "alice@example.com"),
            ("ＡＬＩＣＥ", "alice"),
            ("Straße", "STRASSE"),
            ("e\u{301}", "É"),
            ("ﬁ", "FI"),
        ] {
            assert_eq!(fold(left), fold(right), "{left} and {right}");
            assert_eq!(fold(&fold(left)), fold(left));
        }
        assert_ne!(fold("alice"), fold("alıce"));
    }
}

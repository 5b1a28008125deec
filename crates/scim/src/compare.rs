//! Equality and order of attribute values (RFC 7643 §2.3, RFC 7644 §3.4.2.2), and the folding
//! that the store's keys use too, so that a lookup item and a filter always agree.

use std::borrow::Cow;
use std::cmp::Ordering;

use icu_casemap::CaseMapper;
use icu_collator::CollatorBorrowed;
use icu_collator::options::{CollatorOptions, Strength};
use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::Timestamp;
use serde_json::Value;

use crate::schema::{Attribute, Type};
use crate::work::{Exhausted, Work};

/// Returns the text as it is compared where case does not matter: Unicode NFKC and full case folding.
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

/// Returns a string as comparisons on this attribute see it.
#[must_use]
pub fn comparable<'t>(attribute: &Attribute, text: &'t str) -> Cow<'t, str> {
    if attribute.case_exact {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(fold(text))
    }
}

/// Returns a string as comparisons on this attribute see it, and counts the work.
///
/// # Errors
/// [`Exhausted`] if the work budget is used up.
pub fn comparable_within<'t>(
    work: &mut Work,
    attribute: &Attribute,
    text: &'t str,
) -> Result<Cow<'t, str>, Exhausted> {
    if attribute.case_exact {
        work.spend_text(text)?;
        return Ok(Cow::Borrowed(text));
    }
    work.fold_once(text, |text| Cow::Owned(fold(text)))
}

/// Returns whether two values of one attribute are equal as comparisons see them.
///
/// # Errors
/// [`Exhausted`] if the work budget is used up.
pub fn is_equal(
    work: &mut Work,
    attribute: &Attribute,
    left: &Value,
    right: &Value,
) -> Result<bool, Exhausted> {
    match (left, right) {
        (Value::String(left), Value::String(right)) if attribute.kind == Type::DateTime => {
            work.spend_instant(left)?;
            work.spend_instant(right)?;
            Ok(instant(left).is_some_and(|left| instant(right) == Some(left)))
        }
        (Value::String(left), Value::String(right)) => {
            Ok(comparable_within(work, attribute, left)?
                == comparable_within(work, attribute, right)?)
        }
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        _ => Ok(false),
    }
}

/// The constant of a comparison in a filter: as it was written, and in the form that values are
/// compared with, which is made once.
#[derive(Debug, Clone)]
pub struct Constant {
    value: Value,
    compared: Compared,
}

/// The form of a constant that values are compared with.
#[derive(Debug, Clone)]
enum Compared {
    Text(String),
    Instant(Timestamp),
    Boolean(bool),
    /// Null, or a value that compares with nothing.
    Nothing,
}

impl Constant {
    /// Returns a constant that is compared with values of this attribute.
    #[must_use]
    pub fn new(attribute: &Attribute, value: Value) -> Self {
        let compared = match &value {
            Value::String(text) if attribute.kind == Type::DateTime => {
                instant(text).map_or(Compared::Nothing, Compared::Instant)
            }
            Value::String(text) => Compared::Text(comparable(attribute, text).into_owned()),
            Value::Bool(boolean) => Compared::Boolean(*boolean),
            _ => Compared::Nothing,
        };
        Self { value, compared }
    }

    /// Returns the constant as it was written.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the text that values are searched for, if the constant is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.compared {
            Compared::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns how a value of the attribute compares with the constant; `None` if it does not.
    ///
    /// # Errors
    /// [`Exhausted`] if the work budget is used up.
    pub fn order(
        &self,
        work: &mut Work,
        attribute: &Attribute,
        value: &Value,
    ) -> Result<Option<Ordering>, Exhausted> {
        match (value, &self.compared) {
            (Value::String(text), Compared::Text(wanted)) => {
                let text = comparable_within(work, attribute, text)?;
                Ok(Some(text.as_ref().cmp(wanted)))
            }
            (Value::String(text), Compared::Instant(wanted)) => {
                work.spend_instant(text)?;
                Ok(instant(text).map(|instant| instant.cmp(wanted)))
            }
            (Value::Bool(boolean), Compared::Boolean(wanted)) => Ok(Some(boolean.cmp(wanted))),
            _ => Ok(None),
        }
    }
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// How much of a text decides its place in a sorted list, in characters.
pub const MAX_SORTED_CHARS: usize = 256;

/// The key of a value in a sorted list. Keys of one attribute compare with each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// `false` comes before `true`.
    Boolean(bool),
    /// An instant.
    Instant(Timestamp),
    /// Text, as bytes that are in its order.
    Text(Box<[u8]>),
}

impl SortKey {
    /// Returns the key of a value, of text by its first [`MAX_SORTED_CHARS`]; `None` for a value that has no
    /// order. Text in which case does not matter is in "case-insensitive Unicode alphabetic sort order
    /// with no specific locale implied" (RFC 7644 §3.4.2.3).
    #[must_use]
    pub fn new(attribute: &Attribute, value: &Value) -> Option<Self> {
        match value {
            Value::Bool(boolean) => Some(Self::Boolean(*boolean)),
            Value::String(text) if attribute.kind == Type::DateTime => {
                instant(text).map(Self::Instant)
            }
            Value::String(text) => {
                let end = text.char_indices().nth(MAX_SORTED_CHARS);
                let sorted = end.and_then(|(end, _)| text.get(..end)).unwrap_or(text);
                Some(Self::Text(sort_bytes(attribute, sorted).into()))
            }
            _ => None,
        }
    }
}

fn sort_bytes(attribute: &Attribute, text: &str) -> Vec<u8> {
    const ALPHABETIC: CollatorBorrowed<'static> = {
        let mut options = CollatorOptions::default();
        // Letters and their accents count, case does not.
        options.strength = Some(Strength::Secondary);
        CollatorBorrowed::new_root(options)
    };
    if attribute.kind != Type::String || attribute.case_exact {
        return comparable(attribute, text).into_owned().into_bytes();
    }
    let mut bytes = Vec::with_capacity(2 * text.len());
    let Ok(()) = ALPHABETIC.write_sort_key_to(text, &mut bytes);
    bytes
}

/// Returns the instant an `xsd:dateTime` with a zone names (RFC 7643 §2.3.5).
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

/// Returns whether a value counts as present: not null, not an empty string, array or object.
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

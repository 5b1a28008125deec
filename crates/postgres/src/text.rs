//! Text without U+0000, which PostgreSQL's types cannot hold.

use std::borrow::Cow;

use paradigm_scim::store::StoreError;

/// Begins the two characters that are written for one.
const ESCAPE: char = '\u{1}';
/// Follows [`ESCAPE`] for U+0000.
const NUL: char = '\u{1}';
/// Follows [`ESCAPE`] for U+0001.
const ONE: char = '\u{2}';

/// Replaces U+0000 and U+0001. Two texts are in the same order before and after it, by their UTF-8 bytes.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => escaped.extend([ESCAPE, NUL]),
            ESCAPE => escaped.extend([ESCAPE, ONE]),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

/// Returns the text that was escaped.
///
/// # Errors
/// [`StoreError::Corrupt`] if no text is escaped so.
pub(crate) fn unescape(text: String) -> Result<String, StoreError> {
    if !text.contains(ESCAPE) {
        return Ok(text);
    }
    let mut unescaped = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        unescaped.push(match character {
            ESCAPE => match characters.next() {
                Some(NUL) => '\0',
                Some(ONE) => ESCAPE,
                _ => return Err(StoreError::Corrupt("escaped text")),
            },
            other => other,
        });
    }
    Ok(unescaped)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_keeps_its_place_in_the_order() {
        let parts = ["", "\0", "\u{1}", "\u{2}", "a", "\u{7f}", "é", "\u{10ffff}"];
        let texts: Vec<String> = parts
            .iter()
            .flat_map(|one| parts.iter().map(move |two| format!("{one}{two}")))
            .collect();
        for left in &texts {
            let escaped = escape(left);
            assert!(!escaped.contains('\0'), "{left:?}");
            assert_eq!(&unescape(escaped.to_string()).unwrap(), left);
            for right in &texts {
                assert_eq!(
                    escape(left).as_bytes().cmp(escape(right).as_bytes()),
                    left.as_bytes().cmp(right.as_bytes()),
                    "{left:?} {right:?}"
                );
            }
        }
    }

    #[test]
    fn what_was_never_escaped_is_corrupt() {
        for text in ["\u{1}", "a\u{1}a", "\u{1}\u{3}"] {
            assert!(unescape(text.to_owned()).is_err(), "{text:?}");
        }
    }
}

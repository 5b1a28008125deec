//! The work budget: how much one request may compute.
//!
//! Static limits bound what a request sends. Their product may still be more than one request should
//! cost, so evaluating filters and applying PATCHes also counts what it compares, folds and copies.
//! The count depends on the request and the users it concerns only, never on time.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;
use thiserror::Error;

use crate::{ScimError, rule};

/// Most work of a query, in bytes that are compared, folded or copied.
pub const MAX_QUERY_WORK: u64 = 96 * 1024 * 1024;
/// Most work of a PATCH, in the same unit. It starts again when a conflict makes the change run again.
pub const MAX_PATCH_WORK: u64 = 32 * 1024 * 1024;
/// What each value counts beside its bytes: finding it costs as much as comparing so many.
pub(super) const BYTES_PER_VALUE: usize = 64;
/// What reading an instant counts beside its text.
const BYTES_PER_INSTANT: usize = 200;
/// What folding a byte of text that is not ASCII counts: it costs about as much as comparing so many.
const BYTES_PER_FOLDED_BYTE: usize = 32;

/// The work budget of a request is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the work budget of the request is used up")]
pub struct Exhausted;

/// For a write: nothing has been written.
impl From<Exhausted> for ScimError {
    fn from(_: Exhausted) -> Self {
        Self::invalid_value(
            "The request needs more computing than one request may take; send fewer or shorter operations, filters and values.",
        )
        .rule(rule::PATCH_WORK)
    }
}

/// The work of one request: what it may still do, and the text it has folded.
#[derive(Debug)]
pub struct Work {
    limit: u64,
    spent: u64,
    /// Text that is not ASCII, and the same folded.
    folded: HashMap<Box<str>, Box<str>>,
}

impl Work {
    /// Returns a budget of so many bytes.
    #[must_use]
    pub fn up_to(limit: u64) -> Self {
        Self {
            limit,
            spent: 0,
            folded: HashMap::new(),
        }
    }

    /// Returns the budget of a query.
    #[must_use]
    pub fn of_query() -> Self {
        Self::up_to(MAX_QUERY_WORK)
    }

    /// Returns the budget of a PATCH.
    #[must_use]
    pub fn of_patch() -> Self {
        Self::up_to(MAX_PATCH_WORK)
    }

    /// Returns the bytes counted so far.
    #[must_use]
    pub fn spent(&self) -> u64 {
        self.spent
    }

    /// Counts bytes before they are compared or copied.
    ///
    /// # Errors
    /// [`Exhausted`] if they are more than what is left.
    pub fn spend(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.spent = self.spent.saturating_add(bytes as u64);
        if self.spent > self.limit {
            return Err(Exhausted);
        }
        Ok(())
    }

    /// Counts a value before it is compared or copied as a whole.
    ///
    /// # Errors
    /// [`Exhausted`] if it costs more than what is left.
    pub fn spend_value(&mut self, value: &Value) -> Result<(), Exhausted> {
        self.spend(BYTES_PER_VALUE)?;
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
            Value::String(text) => self.spend(text.len()),
            Value::Array(elements) => self.spend_values(elements),
            Value::Object(members) => members
                .values()
                .try_for_each(|member| self.spend_value(member)),
        }
    }

    /// Counts several values before they are compared or copied.
    ///
    /// # Errors
    /// [`Exhausted`] if it costs more than what is left.
    pub fn spend_values(&mut self, values: &[Value]) -> Result<(), Exhausted> {
        values.iter().try_for_each(|value| self.spend_value(value))
    }

    /// Counts the comparison of a text.
    ///
    /// # Errors
    /// [`Exhausted`] if it costs more than what is left.
    pub fn spend_text(&mut self, text: &str) -> Result<(), Exhausted> {
        self.spend(BYTES_PER_VALUE + text.len())
    }

    /// Counts the comparison of a text that is read as an instant.
    ///
    /// # Errors
    /// [`Exhausted`] if it costs more than what is left.
    pub fn spend_instant(&mut self, text: &str) -> Result<(), Exhausted> {
        self.spend(BYTES_PER_INSTANT)?;
        self.spend_text(text)
    }

    /// Folds a text, each only once.
    ///
    /// # Errors
    /// [`Exhausted`] if it costs more than what is left.
    pub(super) fn fold_once<'t>(
        &mut self,
        text: &'t str,
        fold: impl FnOnce(&'t str) -> Cow<'t, str>,
    ) -> Result<Cow<'t, str>, Exhausted> {
        self.spend_text(text)?;
        if text.is_ascii() {
            return Ok(fold(text));
        }
        if let Some(folded) = self.folded.get(text) {
            return Ok(Cow::Owned(folded.to_string()));
        }
        self.spend(text.len() * BYTES_PER_FOLDED_BYTE)?;
        let folded = fold(text);
        self.folded.insert(text.into(), folded.as_ref().into());
        Ok(folded)
    }

    /// Forgets the folded text of one user before the next one is evaluated.
    pub fn forget_text(&mut self) {
        self.folded.clear();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_budget_ends_exactly_at_its_limit() {
        let mut work = Work::up_to(10);
        assert_eq!(work.spend(10), Ok(()));
        assert_eq!(work.spend(1), Err(Exhausted));
    }

    #[test]
    fn a_value_counts_its_text_and_each_of_its_parts() {
        let mut work = Work::of_query();
        work.spend_value(&json!([{"value": "abc", "primary": true}]))
            .unwrap();
        assert_eq!(work.spent(), 4 * BYTES_PER_VALUE as u64 + 3);
    }

    #[test]
    fn a_text_is_folded_once() {
        let mut work = Work::of_query();
        let mut calls = 0;
        for _ in 0..3 {
            let folded = work.fold_once("É", |text| {
                calls += 1;
                text.to_lowercase().into()
            });
            assert_eq!(folded.unwrap(), "é");
        }
        assert_eq!(calls, 1);
    }
}

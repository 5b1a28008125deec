//! Deactivated, soft-deleted, restored: the states of a user, and the names a soft delete replaces.
//!
//! When a user goes to Entra's recycle bin, Entra renames them to `<32 hexadecimal digits><old
//! name>` and sends that together with, before or after `active: false`. The old names are
//! remembered, so that activation alone brings them back.

use scim::compare::fold;
use scim::resource::Document;
use serde_json::Value;

const OBJECT_ID_DIGITS: usize = 32;

/// The state of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// May sign in.
    Active,
    /// May not; still returned, with `active: false`.
    Deactivated,
    /// Deactivated and renamed by a soft delete; the old names are remembered.
    SoftDeleted,
    /// Deleted for SCIM; nothing personal is left.
    Anonymised,
}

impl State {
    /// Returns the state as stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deactivated => "deactivated",
            Self::SoftDeleted => "softDeleted",
            Self::Anonymised => "anonymised",
        }
    }
}

/// A name that a soft delete replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    /// The name before.
    pub original: String,
    /// 32 hexadecimal digits and the name before.
    pub renamed: String,
}

/// The names of one user that a soft delete replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renames {
    /// The `userName`.
    pub user_name: Option<Rename>,
    /// Values of `emails`.
    pub emails: Vec<Rename>,
}

impl Renames {
    /// Returns what is to be remembered after a change from one document to the next.
    #[must_use]
    pub fn after(&self, before: &Document, after: &Document) -> Self {
        let user_names = |document: &Document| -> Vec<String> {
            document
                .string("userName")
                .map(str::to_owned)
                .into_iter()
                .collect()
        };
        Self {
            user_name: track(
                self.user_name.as_slice(),
                &user_names(before),
                &user_names(after),
            )
            .pop(),
            emails: track(&self.emails, &emails(before), &emails(after)),
        }
    }

    /// Puts the remembered names back where the renamed ones still stand.
    pub fn restore(&self, document: &mut Document) {
        if let Some(rename) = &self.user_name
            && document.string("userName") == Some(&rename.renamed)
        {
            document.set_core("userName", rename.original.clone().into());
        }
        for element in document.elements_mut("emails") {
            let value = element.get("value").and_then(Value::as_str);
            let rename = self
                .emails
                .iter()
                .find(|rename| value == Some(&rename.renamed));
            if let (Some(rename), Some(members)) = (rename, element.as_object_mut()) {
                members.insert("value".to_owned(), rename.original.clone().into());
            }
        }
    }
}

fn emails(document: &Document) -> Vec<String> {
    document
        .elements("emails")
        .iter()
        .filter_map(|element| element.get("value")?.as_str())
        .map(str::to_owned)
        .collect()
}

/// Returns the original of every value that is a soft delete's name of an earlier value. Each
/// original is used once, so that what is remembered is never more than there was.
fn track(known: &[Rename], before: &[String], now: &[String]) -> Vec<Rename> {
    let mut renames: Vec<Rename> = Vec::new();
    for value in now {
        let Some(original) = original_of(value, known, before) else {
            continue;
        };
        if renames.iter().all(|rename| rename.original != original) {
            renames.push(Rename {
                original,
                renamed: value.clone(),
            });
        }
    }
    renames
}

fn original_of(value: &str, known: &[Rename], before: &[String]) -> Option<String> {
    if let Some(rename) = known.iter().find(|rename| rename.renamed == value) {
        return Some(rename.original.clone());
    }
    let old_name = fold(deleted_name(value)?);
    // Deleted again under another object id: the first original counts, not the renamed one.
    let known_original = known
        .iter()
        .find(|rename| fold(&rename.original) == old_name || fold(&rename.renamed) == old_name)
        .map(|rename| rename.original.clone());
    known_original.or_else(|| before.iter().find(|name| fold(name) == old_name).cloned())
}

/// Returns the old name in `<32 hexadecimal digits><old name>`.
#[must_use]
pub fn deleted_name(name: &str) -> Option<&str> {
    let (digits, old_name) = name.split_at_checked(OBJECT_ID_DIGITS)?;
    let is_object_id = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_object_id && !old_name.is_empty()).then_some(old_name)
}

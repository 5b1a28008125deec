//! Records of the audit trail, in words.

use std::collections::BTreeMap;

use maud::{Markup, html};
use paradigm_scim::directory::{ApiKey, CompanyId, KeyId, UserId};
use paradigm_scim::store::AuditEntry;

use super::text::foreign;

/// The names of a company's keys, as far as they were read.
pub(super) struct KeyNames(BTreeMap<KeyId, String>);

impl KeyNames {
    pub(super) fn of(keys: &[ApiKey]) -> Self {
        let named = keys.iter().filter(|key| !key.name.is_empty());
        Self(named.map(|key| (key.id, key.name.clone())).collect())
    }
}

/// Returns what happened, in a few words.
pub(super) fn what(entry: &AuditEntry) -> &str {
    let before = entry.before.as_deref();
    match (entry.operation.as_str(), before, entry.after.as_str()) {
        ("create", ..) => "created",
        ("anonymise", ..) => "anonymised",
        ("restore", ..) => "restored",
        ("deactivate", ..) => "deactivated",
        ("replace" | "patch", Some("active"), "softDeleted") => "soft-deleted",
        ("replace" | "patch", Some("deactivated"), "softDeleted") => "renamed by a soft delete",
        ("replace" | "patch", Some("active"), "deactivated") => "deactivated",
        ("replace" | "patch", Some("softDeleted"), "deactivated") => "changed",
        ("replace" | "patch", Some("softDeleted" | "deactivated"), "active") => "restored",
        ("replace" | "patch", ..) => "changed",
        ("grant", ..) => "may manage users",
        ("ungrant", ..) => "may no longer manage users",
        ("createKey", ..) => "API key created",
        ("revokeKey", ..) => "API key revoked",
        ("rotateKey", ..) => "API key rotated",
        ("repair", ..) => "repaired",
        (other, ..) => other,
    }
}

/// Shows who did it: a key with its owner, or an operator.
pub(super) fn actor(actor: &str, company: CompanyId, names: &KeyNames) -> Markup {
    let parts = actor
        .strip_prefix("key:")
        .and_then(|rest| rest.split_once(" owner:"));
    let ids = parts.and_then(|(key, owner)| Some((KeyId::parse(key)?, UserId::parse(owner)?)));
    match ids {
        Some((key, owner)) => html! {
            "key "
            @if let Some(name) = names.0.get(&key) { (foreign(name)) " " }
            a.id href={ "/companies/" (company) "/users/" (owner) } title="Its owner" { (key) }
        },
        None => foreign(actor),
    }
}

/// Shows what changed with it: attributes by name, and keys.
pub(super) fn details(entry: &AuditEntry) -> Markup {
    html! {
        @if !entry.attributes.is_empty() {
            @for (index, name) in entry.attributes.iter().enumerate() {
                @if index > 0 { ", " }
                (foreign(name))
            }
        }
        @for key in &entry.keys { " " span.id { (foreign(key)) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &str, before: Option<&str>, after: &str) -> AuditEntry {
        AuditEntry {
            at: jiff::Timestamp::UNIX_EPOCH,
            request_id: "r".to_owned(),
            user: None,
            actor: "operator".to_owned(),
            operation: operation.to_owned(),
            attributes: vec!["displayName".to_owned(), "<b>".to_owned()],
            keys: vec!["+0000000000000001".to_owned()],
            before: before.map(str::to_owned),
            after: after.to_owned(),
        }
    }

    #[test]
    fn a_users_life_is_told_by_the_states_around_a_change() {
        for (operation, before, after, words) in [
            ("create", None, "active", "created"),
            ("patch", Some("active"), "active", "changed"),
            ("patch", Some("active"), "deactivated", "deactivated"),
            ("replace", Some("active"), "softDeleted", "soft-deleted"),
            ("patch", Some("softDeleted"), "active", "restored"),
            ("patch", Some("deactivated"), "active", "restored"),
            ("anonymise", Some("active"), "anonymised", "anonymised"),
            ("rotateKey", Some("active"), "active", "API key rotated"),
            ("fromTheFuture", None, "active", "fromTheFuture"),
        ] {
            assert_eq!(what(&entry(operation, before, after)), words);
        }
    }

    #[test]
    fn an_actor_is_a_key_by_name_or_an_operator_and_never_markup() {
        let company = CompanyId::new(uuid::Uuid::nil());
        let names = KeyNames([(KeyId::new(1), "<i>".to_owned())].into());
        let owner = "01890000-0000-7000-8000-000000000001";
        let shown = actor(
            &format!("key:0000000000000001 owner:{owner}"),
            company,
            &names,
        )
        .0;
        assert!(shown.contains("&lt;i&gt;"), "{shown}");
        assert!(shown.contains(&format!("/users/{owner}")), "{shown}");
        assert_eq!(actor("operator", company, &names).0, "<bdi>operator</bdi>");
        assert_eq!(actor("<b>", company, &names).0, "<bdi>&lt;b&gt;</bdi>");
        let shown = details(&entry("patch", None, "active")).0;
        assert!(
            shown.contains("&lt;b&gt;") && !shown.contains("<b>"),
            "{shown}"
        );
    }
}

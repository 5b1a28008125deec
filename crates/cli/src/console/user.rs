//! A user's life: the timeline of the audit trail, the resource as the API returns it, and the commands to restore or
//! erase.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use paradigm_scim::directory::{CompanyId, USER, User, UserId};
use paradigm_scim::store::{AuditEntry, StoreError};
use scim::resource::render;

use super::commands::shown;
use super::page::{Page, PageError, Section, badge, state};
use super::text::{foreign, time, visible};
use super::trail::{KeyNames, actor, details, what};
use super::{Console, companies, overview};

/// Most changes of a timeline.
pub(super) const CHANGES: usize = 100;
/// How far back the changes of an anonymised user are read again, if one read does not give all of them.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// Most of a resource that is shown, in characters as they are escaped.
pub(super) const MAX_RESOURCE: usize = 40_000;

/// The changes of a user, newest first.
struct Life {
    changes: Vec<AuditEntry>,
    /// Whether there are changes that are not among them.
    is_cut: bool,
}

/// Returns the page of a user, who may be anonymised.
pub(super) async fn page(
    console: &Console,
    company: CompanyId,
    id: UserId,
) -> Result<Page, PageError> {
    let found = companies::required(console, company).await?;
    let user = console.store.user(company, id).await?;
    let keys = console
        .store
        .api_keys_after(company, None, overview::KEYS)
        .await?;
    // The last change of an attribute, which has this time, and what follows; or the last day of an anonymised user.
    let recent = match &user {
        Some(user) => user.last_modified,
        None => console.now().saturating_sub(RECENT).unwrap_or_default(),
    };
    let life = read(console, company, id, recent).await?;
    if user.is_none() && life.changes.is_empty() {
        return Err(PageError::NotFound);
    }
    let names = KeyNames::of(&keys.entries);
    let content = html! {
        p { "A user of " (companies::linked(&found)) ". " a href={ "/companies/" (company) "/users" } { "All users" } }
        section {
            h2 { "Now" }
            (now(user.as_ref(), id))
        }
        section {
            h2 { "What happened" }
            (timeline(&life, company, &names))
        }
        @if let Some(user) = &user {
            section {
                h2 { "Resource, as the API returns it" }
                (resource(user, &console.base_url))
            }
        }
        section {
            h2 { "Commands" }
            (commands(console, company, id, user.as_ref()))
        }
    };
    Ok(Page {
        section: Section::Users,
        title: "A user's life",
        company: Some(company),
        content,
    })
}

/// Reads the changes: all if one call gives them, else the first, and those from the last change of an attribute on.
async fn read(
    console: &Console,
    company: CompanyId,
    id: UserId,
    recent: Timestamp,
) -> Result<Life, StoreError> {
    let read = async |since| {
        console
            .store
            .first_changes_of_user(company, id, since)
            .await
    };
    let mut all = read(Timestamp::UNIX_EPOCH).await?;
    let mut is_cut = !all.is_last;
    if is_cut {
        let recent = read(recent).await?;
        let after = all.entries.last().map(|entry| entry.at);
        let later = recent.entries.into_iter();
        all.entries
            .extend(later.filter(|entry| after.is_none_or(|after| after < entry.at)));
    }
    let mut changes = all.entries;
    changes.reverse();
    is_cut |= changes.len() > CHANGES;
    changes.truncate(CHANGES);
    Ok(Life { changes, is_cut })
}

fn now(user: Option<&User>, id: UserId) -> Markup {
    let Some(user) = user else {
        return html! {
            p { (badge("off", "anonymised")) " Nothing personal is left, and the user cannot come back." }
            dl.facts { dt { "id" } dd.id { (id) } }
        };
    };
    html! {
        dl.facts {
            dt { "userName" }
            dd { (foreign(user.document.string("userName").unwrap_or_default())) }
            @if let Some(name) = user.document.string("displayName") {
                dt { "displayName" }
                dd { (foreign(name)) }
            }
            dt { "State" }
            dd { (state(user.state())) }
            @if let Some(rename) = &user.renames.user_name {
                dt { "Name before the soft delete" }
                dd { (foreign(&rename.original)) }
            }
            dt { "id" }
            dd.id { (id) }
            dt { "Created" }
            dd { (time(user.created)) }
            dt { "Attributes last changed" }
            dd { (time(user.last_modified)) }
            @if !user.permissions.is_empty() {
                dt { "Permissions" }
                dd { @for permission in &user.permissions { (permission.as_str()) " " } }
            }
            @if !user.keys.is_empty() {
                dt { "API keys" }
                dd { @for key in user.keys.keys() { span.id { (key) } " " } }
            }
        }
    }
}

fn timeline(life: &Life, company: CompanyId, names: &KeyNames) -> Markup {
    html! {
        @if life.is_cut {
            p.notice { "There are more changes than a page shows. " code { "audit" } " below prints all of them." }
        }
        @if life.changes.is_empty() {
            p { "The audit trail has nothing about this user." }
        } @else {
            ol.timeline reversed {
                @for entry in &life.changes {
                    li {
                        p { strong { (what(entry)) } " " (details(entry)) }
                        p.faint {
                            (time(entry.at)) " by " (actor(&entry.actor, company, names))
                            ", request " span.id { (foreign(&entry.request_id)) }
                        }
                    }
                }
            }
        }
    }
}

fn resource(user: &User, base_url: &str) -> Markup {
    let id = user.id.to_string();
    let rendered = render(&USER, &id, user.document.clone(), &user.meta(), base_url);
    let text = serde_json::to_string_pretty(&rendered).unwrap_or_default();
    let whole = text.chars().count();
    let shown = within(&text, MAX_RESOURCE);
    html! {
        pre { code { bdi { (shown) } } }
        @if shown.chars().count() < whole {
            p.notice { "The resource is longer than a page shows. " code { "user show" } " below prints all of it." }
        }
    }
}

/// Returns the beginning of a text that takes up to so many characters once it is escaped.
fn within(text: &str, limit: usize) -> String {
    let mut left = limit;
    let mut shown = String::new();
    for c in text.chars() {
        let c = match c {
            '\n' => c,
            c => visible(c),
        };
        let length = match c {
            '"' => "&quot;".len(),
            '&' => "&amp;".len(),
            '<' | '>' => "&lt;".len(),
            c => c.len_utf8(),
        };
        let Some(rest) = left.checked_sub(length) else {
            break;
        };
        left = rest;
        shown.push(c);
    }
    shown
}

fn commands(console: &Console, company: CompanyId, id: UserId, user: Option<&User>) -> Markup {
    let (company, id) = (company.to_string(), id.to_string());
    let line = |words: &[&str]| {
        let words = [words, &["--company", &company]].concat();
        shown(&console.commands.line(&words))
    };
    html! {
        @if let Some(user) = user {
            @if !user.is_active() {
                h3 { "Activate the user again, under the names before a soft delete" }
                (line(&["user", "restore", &id]))
            }
            h3 { "Erase all that is personal, for good" }
            (line(&["erase", &id]))
            h3 { "Show all that is stored" }
            (line(&["user", "show", &id, "--json"]))
        }
        h3 { "Show the audit trail" }
        (line(&["audit", "--user", &id]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_cut_by_what_it_takes_on_the_page() {
        assert_eq!(within("{\"a\": 1}\n", 100), "{\"a\": 1}\n");
        assert_eq!(within("\"\"\"", 13), "\"\"");
        assert_eq!(within("<<&é", 8), "<<");
        assert_eq!(within("a\u{202e}b", 100), "a\u{fffd}b");
    }
}

//! API keys: how long each is valid and whether it is used, and the commands that change them.

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use paradigm_scim::directory::api_key::{Validity, WARNING_DAYS};
use paradigm_scim::directory::{ApiKey, CompanyId, KeyId, UserId};

use super::commands::{Commands, shown};
use super::page::{Page, PageError, Section, badge, pager, table};
use super::text::{day, days_between, foreign, time};
use super::{Console, companies};

/// Most keys of a part of the list.
const LISTED: usize = 50;
/// How long a new key is valid, in the commands.
const LIFETIME: &str = "180d";

/// How long a key is still accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeLeft {
    /// Its time is over.
    Expired,
    /// So many days.
    Days(i64),
    /// It never expires.
    Unlimited,
    /// It is revoked, whatever its time.
    Revoked,
}

impl TimeLeft {
    pub(super) fn of(key: &ApiKey, now: Timestamp) -> Self {
        match (key.validity(now), key.days_left(now)) {
            (Validity::Revoked, _) => Self::Revoked,
            (Validity::Expired, _) => Self::Expired,
            (Validity::Valid, Some(days)) => Self::Days(days),
            (Validity::Valid, None) => Self::Unlimited,
        }
    }

    /// Returns whether the key is accepted.
    pub(super) fn is_valid(self) -> bool {
        matches!(self, Self::Days(_) | Self::Unlimited)
    }

    pub(super) fn shown(self) -> Markup {
        match self {
            Self::Revoked => badge("off", "revoked"),
            Self::Expired => badge("bad", "expired"),
            Self::Days(0) => badge("bad", "expires today"),
            Self::Days(1) => badge("bad", "1 day"),
            Self::Days(days) if days <= WARNING_DAYS => badge("warn", &format!("{days} days")),
            Self::Days(days) => badge("good", &format!("{days} days")),
            Self::Unlimited => badge("good", "no expiry"),
        }
    }
}

/// Shows the last day on which a key was used.
pub(super) fn last_use(key: &ApiKey, today: Date) -> Markup {
    let Some(last) = key.last_used else {
        return html! { "never" };
    };
    let ago = match days_between(last, today) {
        ..=0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    };
    html! { time datetime=(last) { (last) } " (" (ago) ")" }
}

/// Shows a key by name and id.
pub(super) fn named(key: &ApiKey) -> Markup {
    html! {
        @if !key.name.is_empty() { (foreign(&key.name)) " " }
        span.id { (key.id) }
    }
}

/// Returns the command that replaces a key by another.
pub(super) fn rotate(commands: &Commands, company: CompanyId, key: KeyId) -> String {
    let (key, company) = (key.to_string(), company.to_string());
    commands.line(&[
        "key",
        "rotate",
        &key,
        "--company",
        &company,
        "--overlap",
        "72h",
        "--expires",
        LIFETIME,
    ])
}

/// Returns the command that revokes a key.
pub(super) fn revoke(commands: &Commands, company: CompanyId, key: KeyId) -> String {
    let (key, company) = (key.to_string(), company.to_string());
    commands.line(&["key", "revoke", &key, "--company", &company])
}

/// Returns the command that creates a key for an owner, or for one that the operator names.
pub(super) fn create(commands: &Commands, company: CompanyId, owner: Option<UserId>) -> String {
    let company = company.to_string();
    let owner = owner.map_or("USER".to_owned(), |owner| owner.to_string());
    commands.line(&[
        "key",
        "create",
        "--company",
        &company,
        "--owner",
        &owner,
        "--name",
        "NAME",
        "--expires",
        LIFETIME,
    ])
}

/// Returns the page of a company's keys.
pub(super) async fn page(
    console: &Console,
    company: CompanyId,
    after: Option<KeyId>,
) -> Result<Page, PageError> {
    let found = companies::required(console, company).await?;
    let keys = console.store.api_keys_after(company, after, LISTED).await?;
    let (now, base) = (console.now(), format!("/companies/{company}/keys"));
    let next = keys.entries.last().filter(|_| !keys.is_last);
    let next = next.map(|last| format!("{base}?after={}", last.id));
    let content = html! {
        p { "Company " (companies::linked(&found)) }
        section {
            h2 { "Keys" }
            @if keys.entries.is_empty() {
                p { "There are no keys here." }
            } @else {
                (table("Keys", &["Key", "Valid for", "Last used", "Created", "Owner"], &html! {
                    @for key in &keys.entries { (row(console, key, now)) }
                }))
            }
            (pager(after.map(|_| base.as_str()), next.as_deref()))
        }
        section {
            h2 { "Create a key" }
            p { "The owner is a user who may manage users (" code { "user grant" } "). The command shows the token once." }
            (shown(&create(&console.commands, company, None)))
        }
    };
    Ok(Page {
        section: Section::Keys,
        title: "Keys",
        company: Some(company),
        content,
    })
}

fn row(console: &Console, key: &ApiKey, now: Timestamp) -> Markup {
    let (company, owner) = (key.company, key.owner);
    html! {
        tr {
            th scope="row" { (named(key)) }
            td {
                (TimeLeft::of(key, now).shown())
                @if let Some(expires) = key.expires { " " span.faint { "until " (time(expires)) } }
            }
            td { (last_use(key, day(now))) }
            td { (time(key.created)) }
            td { a.id href={ "/companies/" (company) "/users/" (owner) } { (owner) } }
        }
        @if key.revoked.is_none() {
            tr.more {
                td colspan="5" {
                    details {
                        summary { "Rotate or revoke " span.id { (key.id) } }
                        (shown(&rotate(&console.commands, company, key.id)))
                        (shown(&revoke(&console.commands, company, key.id)))
                    }
                }
            }
        }
    }
}

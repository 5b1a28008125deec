//! The users of a company: found by a value, or listed from one to the next.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use maud::{Markup, html};
use paradigm_scim::directory::{Company, CompanyId, User, UserId};
use paradigm_scim::store::{AuditEntry, Lookup, StoreError};

use super::commands::shown;
use super::page::{Page, PageError, Section, pager, state, table};
use super::text::{counted, foreign, time};
use super::trail::{KeyNames, actor, what};
use super::{Console, companies, overview};

/// Most users of a part of the list, or that a search shows.
pub(super) const LISTED: usize = 25;
/// Calls of the store that run at the same time.
const AT_ONCE: usize = 8;

/// A user, with the last change if the trail has it.
struct Row {
    user: User,
    last: Option<AuditEntry>,
}

/// What a search found.
struct Found {
    users: Vec<User>,
    /// How many users were found, though not all of them are shown.
    total: usize,
    /// The id that was searched, if nobody has it now.
    gone: Option<UserId>,
    /// Whether more users than can be read have the value.
    is_too_many: bool,
}

/// Returns the page with the users after one.
pub(super) async fn page(
    console: &Console,
    company: CompanyId,
    after: Option<UserId>,
) -> Result<Page, PageError> {
    let found = companies::required(console, company).await?;
    let users = console.store.users_after(company, after, LISTED).await?;
    let base = format!("/companies/{company}/users");
    let next = users.entries.last().filter(|_| !users.is_last);
    let next = next.map(|last| format!("{base}?after={}", last.id));
    let total = console.store.count_users(company).await?;
    let list = rows(console, company, users.entries).await?;
    let content = html! {
        (search(&found))
        section {
            h2 { (counted(total, "user", "users")) ", oldest first" }
            (list)
            (pager(after.map(|_| base.as_str()), next.as_deref()))
        }
        section {
            h2 { "Create a user" }
            (shown(&console.commands.line(&["user", "create", "USERNAME", "--company", &company.to_string()])))
        }
    };
    Ok(of(company, content))
}

/// Returns the page with the users that have a value.
pub(super) async fn find(
    console: &Console,
    company: CompanyId,
    value: &str,
) -> Result<Page, PageError> {
    let value = value.trim();
    if value.is_empty() {
        return page(console, company, None).await;
    }
    let of_company = companies::required(console, company).await?;
    let found = by_value(console, company, value).await?;
    let (total, gone) = (found.total, found.gone);
    let list = rows(console, company, found.users).await?;
    let content = html! {
        (search(&of_company))
        section {
            h2 { (counted(total, "user", "users")) " found" }
            @if found.is_too_many {
                p.notice { "More users have this email or externalId than can be read." }
            }
            @if total > LISTED { p { "The first " (LISTED) " are shown." } }
            @if let Some(id) = gone {
                p {
                    "No user has this id now. If a user had it, "
                    a href={ "/companies/" (company) "/users/" (id) } { "the audit trail" }
                    " has the changes."
                }
            }
            (list)
            p { a href={ "/companies/" (company) "/users" } { "All users" } }
        }
    };
    Ok(of(company, content))
}

fn of(company: CompanyId, content: Markup) -> Page {
    Page {
        section: Section::Users,
        title: "Users",
        company: Some(company),
        content,
    }
}

/// Shows the form. It sends a POST, because what is searched may be personal, and URLs are kept.
fn search(company: &Company) -> Markup {
    html! {
        p { "Company " (companies::linked(company)) }
        form.find action={ "/companies/" (company.id) "/users" } method="post" autocomplete="off" {
            label {
                "userName, email, externalId or id"
                input name="value" type="search" maxlength="1024" spellcheck="false" autocapitalize="none";
            }
            button type="submit" { "Find" }
        }
    }
}

/// Finds users by id, `userName`, email and `externalId`, without reading others.
async fn by_value(console: &Console, company: CompanyId, value: &str) -> Result<Found, StoreError> {
    let store = &console.store;
    let looked_up = async |lookup| match store.user_ids_by_lookup(company, lookup, value).await {
        Ok(ids) => Ok((ids, false)),
        Err(StoreError::TooManyMatches) => Ok((Vec::new(), true)),
        Err(error) => Err(error),
    };
    let (named, by_email, by_external_id) = tokio::try_join!(
        store.user_by_user_name(company, value),
        looked_up(Lookup::Email),
        looked_up(Lookup::ExternalId),
    )?;
    let searched = UserId::parse(value);
    let mut ids: Vec<UserId> = searched.into_iter().collect();
    ids.extend(named.map(|user| user.id));
    ids.extend(by_email.0);
    ids.extend(by_external_id.0);
    ids.sort_unstable();
    ids.dedup();
    let total = ids.len();
    ids.truncate(LISTED);
    let users = store.users(company, &ids).await?;
    let gone = searched.filter(|id| users.iter().all(|user| user.id != *id));
    Ok(Found {
        total: total - usize::from(gone.is_some()),
        users,
        gone,
        is_too_many: by_email.1 || by_external_id.1,
    })
}

async fn rows(
    console: &Console,
    company: CompanyId,
    users: Vec<User>,
) -> Result<Markup, StoreError> {
    let store = &console.store;
    let keys = store.api_keys_after(company, None, overview::KEYS).await?;
    let names = KeyNames::of(&keys.entries);
    let rows: Vec<Row> = stream::iter(users)
        .map(|user| async move {
            // The change that set the time is the first, and changes of permissions and keys follow.
            let since = user.last_modified;
            let changes = store.first_changes_of_user(company, user.id, since).await?;
            let last = changes.entries.into_iter().next_back();
            Ok::<_, StoreError>(Row { user, last })
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    if rows.is_empty() {
        return Ok(html! { p { "There are no users here." } });
    }
    let columns = ["User", "State", "Last change", "Made by"];
    Ok(table(
        "Users",
        &columns,
        &html! {
            @for row in &rows { (shown_row(company, row, &names)) }
        },
    ))
}

fn shown_row(company: CompanyId, row: &Row, names: &KeyNames) -> Markup {
    let user = &row.user;
    html! {
        tr {
            th scope="row" {
                a href={ "/companies/" (company) "/users/" (user.id) } {
                    (foreign(user.document.string("userName").unwrap_or("(no userName)")))
                }
                @if let Some(name) = user.document.string("displayName") {
                    br; span.faint { (foreign(name)) }
                }
            }
            td { (state(user.state())) }
            @match &row.last {
                Some(last) => {
                    td { (time(last.at)) br; (what(last)) }
                    td { (actor(&last.actor, company, names)) }
                }
                None => {
                    td { (time(user.last_modified)) }
                    td.faint { "not in the audit trail" }
                }
            }
        }
    }
}

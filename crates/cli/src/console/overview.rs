//! The overview: companies with their users and keys, what needs attention, and the changes of the last month.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::ToSpan as _;
use jiff::civil::Date;
use maud::{Markup, html};
use paradigm_scim::directory::{ApiKey, Company, CompanyId};
use paradigm_scim::store::{BoundedCount, Listing, StoreError};

use super::attention::{self, Keyring};
use super::commands::shown;
use super::keys::{TimeLeft, last_use, named};
use super::page::{Page, PageError, Section, pager, status, table};
use super::text::{day, foreign, grouped};
use super::{Console, chart, companies};

/// Most companies of a part of the overview.
pub(super) const COMPANIES: usize = 10;
/// Most keys of a company that are read for it.
pub(super) const KEYS: usize = 100;
/// Most keys that are shown: those that expire first.
const SHOWN_KEYS: usize = 20;
/// Days of the chart, today included.
pub(super) const DAYS: i64 = 30;
/// Most changes of a company that are counted on a day.
pub(super) const COUNTED: usize = 500;
/// Calls of the store that run at the same time for a company.
const AT_ONCE: usize = 8;

/// What is read of a company.
struct Reading {
    company: Company,
    users: usize,
    keys: Listing<ApiKey>,
    /// Changes per day, oldest first.
    days: Vec<(Date, BoundedCount)>,
}

/// Returns the overview of the companies after one.
pub(super) async fn page(console: &Console, after: Option<CompanyId>) -> Result<Page, PageError> {
    let companies = console.store.companies_after(after, COMPANIES).await?;
    let next = companies.entries.last().filter(|_| !companies.is_last);
    let next = next.map(|last| format!("/?after={}", last.id));
    let readings = read(console, companies.entries).await?;
    let more = pager(after.map(|_| "/"), next.as_deref());
    Ok(Page {
        section: Section::Overview,
        title: "Overview",
        company: match readings.as_slice() {
            [only] => Some(only.company.id),
            _ => None,
        },
        content: content(console, &readings, &more),
    })
}

/// Returns the overview of one company.
pub(super) async fn of_company(console: &Console, id: CompanyId) -> Result<Page, PageError> {
    let company = companies::required(console, id).await?;
    let commands = &console.commands;
    let change = companies::suspend_or_resume(commands, &company);
    let readings = read(console, vec![company]).await?;
    Ok(Page {
        section: Section::Companies,
        title: "Company",
        company: Some(id),
        content: html! {
            (content(console, &readings, &html! {}))
            section {
                h2 { "Change the company" }
                (shown(&change))
                (shown(&commands.line(&["audit", "--company", &id.to_string()])))
            }
        },
    })
}

/// Reads what is shown of companies, one after another: a server beside the console needs connections too.
async fn read(console: &Console, companies: Vec<Company>) -> Result<Vec<Reading>, StoreError> {
    let mut readings = Vec::with_capacity(companies.len());
    for company in companies {
        readings.push(read_one(console, company).await?);
    }
    Ok(readings)
}

async fn read_one(console: &Console, company: Company) -> Result<Reading, StoreError> {
    let (store, id, now) = (&console.store, company.id, console.now());
    let days = (0..DAYS).rev().map(|ago| now - (24 * ago).hours());
    let days = stream::iter(days)
        .map(|at| async move {
            let counted = store.changes_on_day(id, at, COUNTED).await?;
            Ok::<_, StoreError>((day(at), counted))
        })
        .buffered(AT_ONCE)
        .try_collect();
    let (users, keys, days) = tokio::try_join!(
        store.count_users(id),
        store.api_keys_after(id, None, KEYS),
        days
    )?;
    Ok(Reading {
        company,
        users,
        keys,
        days,
    })
}

fn content(console: &Console, readings: &[Reading], more: &Markup) -> Markup {
    let keyrings: Vec<Keyring<'_>> = readings
        .iter()
        .map(|reading| Keyring {
            company: &reading.company,
            keys: &reading.keys.entries,
            is_complete: reading.keys.is_last,
        })
        .collect();
    html! {
        section {
            h2 { "Needs attention" }
            (attention::list(&keyrings, &console.commands, console.now()))
        }
        div.columns {
            section {
                h2 { "Companies" }
                @if readings.is_empty() {
                    p { "There are no companies here. This command creates one:" }
                    (shown(&console.commands.line(&["company", "create", "NAME"])))
                } @else {
                    (table("Companies", &["Company", "Status", "Users", "Last changes", "See"], &html! {
                        @for reading in readings { (row(reading)) }
                    }))
                }
                (more)
            }
            section {
                h2 { "Changes of the last " (DAYS) " days" }
                (chart::changes_per_day(&together(readings)))
                p.faint {
                    "From the audit trail of the companies above, in UTC. Of each company at most "
                    (grouped(COUNTED)) " changes are counted on a day."
                }
            }
        }
        section {
            h2 { "Keys, by days to expiry" }
            (keys(console, readings))
        }
    }
}

fn row(reading: &Reading) -> Markup {
    let id = reading.company.id;
    let last = reading
        .days
        .iter()
        .rev()
        .find(|(_, counted)| counted.least > 0);
    html! {
        tr {
            th scope="row" { (companies::linked(&reading.company)) }
            td { (status(reading.company.status)) }
            td.number { (grouped(reading.users)) }
            td {
                @match last {
                    Some((day, _)) => { time datetime=(day) { (day) } }
                    None => { "none in " (DAYS) " days" }
                }
            }
            td {
                a href={ "/companies/" (id) "/users" } { "Users" } " "
                a href={ "/companies/" (id) "/keys" } { "Keys" }
            }
        }
    }
}

/// Adds the changes of all companies up.
fn together(readings: &[Reading]) -> Vec<(Date, BoundedCount)> {
    let mut total: Vec<(Date, BoundedCount)> = Vec::new();
    for reading in readings {
        if total.is_empty() {
            total.clone_from(&reading.days);
            continue;
        }
        for ((_, total), (_, counted)) in total.iter_mut().zip(&reading.days) {
            total.least += counted.least;
            total.is_exact &= counted.is_exact;
        }
    }
    total
}

fn keys(console: &Console, readings: &[Reading]) -> Markup {
    let now = console.now();
    let mut keys: Vec<(TimeLeft, &ApiKey, &Company)> = Vec::new();
    for reading in readings {
        let of_company = reading.keys.entries.iter();
        let valid = of_company.map(|key| (TimeLeft::of(key, now), key, &reading.company));
        keys.extend(valid.filter(|(left, ..)| *left != TimeLeft::Revoked));
    }
    keys.sort_by_key(|(left, key, _)| (*left, key.id));
    let more = keys.len().saturating_sub(SHOWN_KEYS);
    let is_cut = readings.iter().any(|reading| !reading.keys.is_last);
    html! {
        @if keys.is_empty() {
            p { "There are no keys that are not revoked." }
        } @else {
            (table("Keys, by days to expiry", &["Key", "Valid for", "Last used", "Company"], &html! {
                @for (left, key, company) in keys.iter().take(SHOWN_KEYS) {
                    tr {
                        th scope="row" { (named(key)) }
                        td { (left.shown()) }
                        td { (last_use(key, day(now))) }
                        td { (foreign(&company.name)) }
                    }
                }
            }))
        }
        @if more > 0 { p { "And " (more) " more: see the keys of each company." } }
        @if is_cut { p.notice { "A company has more than " (KEYS) " keys, and only the first " (KEYS) " were read here. Its own page of keys has all." } }
    }
}

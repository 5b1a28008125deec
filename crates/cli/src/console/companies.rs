//! Companies, and the commands that change them.

use maud::{Markup, html};
use paradigm_scim::directory::{Company, CompanyId, CompanyStatus};

use super::Console;
use super::commands::{Commands, shown};
use super::page::{Page, PageError, Section, pager, status, table};
use super::text::{foreign, time};

/// Most companies of a part of the list.
const LISTED: usize = 50;

/// Returns a company that must be there.
pub(super) async fn required(console: &Console, id: CompanyId) -> Result<Company, PageError> {
    let found = console.store.company(id).await?;
    found.ok_or(PageError::NotFound)
}

/// Returns the only company there is.
pub(super) async fn only(console: &Console) -> Result<Option<CompanyId>, PageError> {
    let companies = console.store.companies_after(None, 1).await?;
    let only = companies.entries.first().filter(|_| companies.is_last);
    Ok(only.map(|company| company.id))
}

/// Shows a company's name, which leads to its overview.
pub(super) fn linked(company: &Company) -> Markup {
    html! { a href={ "/companies/" (company.id) } { (foreign(&company.name)) } }
}

/// Returns the command that suspends a company, or resumes a suspended one.
pub(super) fn suspend_or_resume(commands: &Commands, company: &Company) -> String {
    let id = company.id.to_string();
    let command = match company.status {
        CompanyStatus::Active => "suspend",
        CompanyStatus::Suspended => "resume",
    };
    commands.line(&["company", command, &id])
}

/// Returns the page of all companies.
pub(super) async fn page(console: &Console, after: Option<CompanyId>) -> Result<Page, PageError> {
    let companies = console.store.companies_after(after, LISTED).await?;
    let next = companies.entries.last().filter(|_| !companies.is_last);
    let next = next.map(|last| format!("/companies?after={}", last.id));
    let content = html! {
        section {
            h2 { "Companies" }
            @if companies.entries.is_empty() {
                p { "There are no companies here." }
            } @else {
                (table("Companies", &["Company", "Status", "Created", "See"], &html! {
                    @for company in &companies.entries { (row(console, company)) }
                }))
            }
            (pager(after.map(|_| "/companies"), next.as_deref()))
        }
        section {
            h2 { "Create a company" }
            (shown(&console.commands.line(&["company", "create", "NAME"])))
        }
    };
    Ok(Page {
        section: Section::Companies,
        title: "Companies",
        company: None,
        content,
    })
}

fn row(console: &Console, company: &Company) -> Markup {
    let id = company.id;
    html! {
        tr {
            th scope="row" { (linked(company)) }
            td { (status(company.status)) }
            td { (time(company.created)) }
            td {
                a href={ "/companies/" (id) "/users" } { "Users" } " "
                a href={ "/companies/" (id) "/keys" } { "Keys" }
            }
        }
        tr.more {
            td colspan="4" {
                details {
                    summary {
                        @match company.status {
                            CompanyStatus::Active => "Suspend ",
                            CompanyStatus::Suspended => "Resume ",
                        }
                        span.id { (id) }
                    }
                    (shown(&suspend_or_resume(&console.commands, company)))
                }
            }
        }
    }
}

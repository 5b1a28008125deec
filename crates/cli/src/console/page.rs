//! What all pages have: head, navigation, and the parts that they are made of.

use maud::{DOCTYPE, Markup, html};
use paradigm_scim::directory::{CompanyId, CompanyStatus, State};
use paradigm_scim::store::StoreError;

use super::commands::Commands;

/// The name of the console, after the title of each page.
const NAME: &str = "Paradigm SCIM console";

/// A part of the console, as the navigation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Overview,
    Companies,
    Users,
    Keys,
    Requests,
    Health,
}

impl Section {
    const ALL: [Self; 6] = [
        Self::Overview,
        Self::Companies,
        Self::Users,
        Self::Keys,
        Self::Requests,
        Self::Health,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Companies => "Companies",
            Self::Users => "Users",
            Self::Keys => "Keys",
            Self::Requests => "Requests",
            Self::Health => "Health",
        }
    }

    /// Returns where it is, if possible for a company.
    fn path(self, company: Option<CompanyId>) -> String {
        match (self, company) {
            (Self::Overview, _) => "/".to_owned(),
            (Self::Companies, _) => "/companies".to_owned(),
            (Self::Users, Some(company)) => format!("/companies/{company}/users"),
            (Self::Users, None) => "/users".to_owned(),
            (Self::Keys, Some(company)) => format!("/companies/{company}/keys"),
            (Self::Keys, None) => "/keys".to_owned(),
            (Self::Requests, _) => "/requests".to_owned(),
            (Self::Health, _) => "/health".to_owned(),
        }
    }
}

/// A page. Its title has nothing personal, because browsers keep titles.
pub(super) struct Page {
    pub(super) section: Section,
    pub(super) title: &'static str,
    /// The company that it is about.
    pub(super) company: Option<CompanyId>,
    pub(super) content: Markup,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum PageError {
    /// Nothing is at the path.
    NotFound,
    /// What was sent cannot be used, and why.
    Refused(&'static str),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Page {
    /// Returns the document.
    pub(super) fn document(&self, commands: &Commands) -> Markup {
        let body = html! {
            a.skip href="#content" { "Skip to the content" }
            header.top {
                p.name { (NAME) }
                nav aria-label="Pages" {
                    ul {
                        @for section in Section::ALL {
                            li {
                                a href=(section.path(self.company))
                                    aria-current=[(section == self.section).then_some("page")] {
                                    (section.name())
                                }
                            }
                        }
                    }
                }
                form action="/leave" method="post" { button type="submit" { "End session" } }
            }
            main id="content" {
                h1 { (self.title) }
                @if !commands.reach_it() {
                    p.notice { "The directory is in the memory of this server: commands cannot reach it." }
                }
                (self.content)
            }
            footer {
                p { "Store: " (commands.store()) ". These pages change nothing: each change is a command to run." }
            }
        };
        document(self.title, &body)
    }
}

/// Returns a document that is shown without a session.
pub(super) fn outside(title: &str, content: &Markup) -> Markup {
    let body = html! {
        header.top { p.name { (NAME) } }
        main id="content" {
            h1 { (title) }
            (content)
        }
    };
    document(title, &body)
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " - " (NAME) }
                link rel="stylesheet" href="/style.css";
                // Without it browsers ask for one.
                link rel="icon" href="data:,";
            }
            body { (body) }
        }
    }
}

/// Returns a table that scrolls by itself where the screen is narrow. `label` names it for screen readers.
pub(super) fn table(label: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Returns the links of a list that has several pages.
pub(super) fn pager(first: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Parts of the list" {
                @if let Some(first) = first { a href=(first) { "First part" } }
                @if let Some(next) = next { a href=(next) { "Next part" } }
            }
        }
    }
}

/// Shows the state of a user.
pub(super) fn state(state: State) -> Markup {
    let (kind, words) = match state {
        State::Active => ("good", "active"),
        State::Deactivated => ("off", "deactivated"),
        State::SoftDeleted => ("off", "soft-deleted"),
        State::Anonymised => ("off", "anonymised"),
    };
    badge(kind, words)
}

/// Shows the status of a company.
pub(super) fn status(status: CompanyStatus) -> Markup {
    match status {
        CompanyStatus::Active => badge("good", "active"),
        CompanyStatus::Suspended => badge("bad", "suspended"),
    }
}

/// Shows a word in the colours of its kind: `good`, `off`, `warn` or `bad`.
pub(super) fn badge(kind: &str, words: &str) -> Markup {
    html! { span class={ "badge " (kind) } { (words) } }
}

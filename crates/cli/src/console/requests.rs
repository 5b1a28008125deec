//! The last requests of the server beside the console, or where its log is.

use jiff::Timestamp;
use maud::{Markup, html};
use paradigm_scim::directory::CompanyId;

use super::Console;
use super::page::{Page, Section, badge, pager, table};
use super::recent_requests::{KEPT, NumberedRequest, RecentRequests, RequestFilter};
use super::text::{foreign, grouped, time};

/// Most requests of a part of the list.
const LISTED: usize = 100;

/// The same in CloudWatch Logs Insights, over the log groups of the handlers.
const QUERY: &str = "fields @timestamp, route, status, Latency, company, key, rule, attribute, operation, scimType, requestId
| filter message = \"request\" and status >= 400
| sort @timestamp desc
| limit 1000";

/// Returns the page of requests.
pub(super) fn page(console: &Console, before: Option<u64>, filter: RequestFilter) -> Page {
    let content = match &console.requests {
        Some(requests) => list(requests, before, filter),
        None => elsewhere(),
    };
    Page {
        section: Section::Requests,
        title: "Requests",
        company: None,
        content,
    }
}

fn elsewhere() -> Markup {
    html! {
        section {
            h2 { "Beside a server" }
            p { "The last requests are in the memory of the server that served them. Start it with a console of its own:" }
            (super::commands::shown(&super::commands::line(["serve", "--console"])))
        }
        section {
            h2 { "On AWS" }
            p { "Run this query in CloudWatch Logs Insights, over the log groups of the functions. Without the second line it shows all requests." }
            pre { code { (QUERY) } }
        }
    }
}

fn list(requests: &RecentRequests, before: Option<u64>, filter: RequestFilter) -> Markup {
    let (page, is_more) = requests.before(before, filter, LISTED);
    let base = match filter {
        RequestFilter::All => "/requests",
        RequestFilter::Refused => "/requests?only=refused",
    };
    let next = page.last().filter(|_| is_more);
    let next = next.map(|last| {
        let separator = if filter == RequestFilter::All {
            '?'
        } else {
            '&'
        };
        format!("{base}{separator}before={}", last.number)
    });
    let current = |this: RequestFilter| (this == filter).then_some("true");
    let columns = [
        "Time and request",
        "Route",
        "Status",
        "Taken",
        "Refused for",
        "Company and key",
    ];
    html! {
        p {
            "The last requests of this process, newest first; it keeps " (grouped(KEPT)) ". "
            a href="/requests" aria-current=[current(RequestFilter::All)] { "All requests" } " · "
            a href="/requests?only=refused" aria-current=[current(RequestFilter::Refused)] { "Refused and failed ones" }
        }
        section {
            h2 { @match filter { RequestFilter::All => "All requests", RequestFilter::Refused => "Refused and failed requests" } }
            @if page.is_empty() {
                p { "There are none." }
            } @else {
                (table("Requests", &columns, &html! { @for request in &page { (row(request)) } }))
            }
            (pager(before.map(|_| base), next.as_deref()))
        }
    }
}

fn row(request: &NumberedRequest) -> Markup {
    let record = &request.record;
    let at = Timestamp::from_millisecond(record.timestamp).unwrap_or_default();
    let company = record.company.as_deref().and_then(CompanyId::parse);
    let kind = match record.status {
        ..400 => "good",
        // Groups are refused as documented.
        400..=499 | 501 => "warn",
        _ => "bad",
    };
    html! {
        tr {
            td { (time(at)) br; span.id { (foreign(&record.request_id)) } }
            th scope="row" { (record.route.to_string()) }
            td { (badge(kind, &record.status.to_string())) }
            td.number { (record.taken.as_millis()) " ms" }
            td { (refusal(request)) }
            td {
                @if let Some(company) = company { a.id href={ "/companies/" (company) } { (company) } }
                @if let Some(key) = &record.key { br; span.id { (foreign(key)) } }
            }
        }
    }
}

/// Shows the rule that a request broke, and where.
fn refusal(request: &NumberedRequest) -> Markup {
    let record = &request.record;
    html! {
        @if let Some(rule) = record.rule { code { (rule) } }
        @if let Some(attribute) = &record.attribute { " " (foreign(attribute)) }
        @if let Some(operation) = record.operation { " in operation " (operation) }
        @if let Some(cause) = &record.cause { " " (foreign(cause)) }
    }
}

//! Whether the instance is well: what it needs to serve, what `doctor` found, and what `check` found last.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

use super::Console;
use super::commands::{Commands, line, path, shown};
use super::doctor_runner::{DoctorRun, DoctorRunner};
use super::page::{Page, Section, badge, table};
use super::text::{counted, foreign, time};

/// Longest report of `check` that is read, in bytes.
const MAX_REPORT_BYTES: u64 = 1024 * 1024;
/// Most findings that are shown.
const SHOWN_FINDINGS: usize = 50;

/// Something that is needed to serve requests, and why it is missing.
pub(crate) struct Need {
    pub(crate) name: &'static str,
    pub(crate) failure: Option<String>,
}

/// Checks what is needed to serve requests.
pub(crate) type CheckNeeds = Arc<dyn Fn() -> BoxFuture<'static, Vec<Need>> + Send + Sync>;

/// Where the health of an instance is found.
pub(crate) struct Health {
    pub(crate) needs: CheckNeeds,
    /// `None` if the URL of the instance is not known.
    pub(crate) doctor: Option<Arc<DoctorRunner>>,
    /// File with what `check --json` has printed.
    pub(crate) check_report: Option<PathBuf>,
}

/// Returns the page of the instance's health.
pub(super) async fn page(console: &Console) -> Page {
    let health = &console.health;
    let needs = (health.needs)().await;
    let report = health.check_report.clone();
    let report = tokio::task::spawn_blocking(move || report.map(|file| LastCheck::read(&file)));
    let report = report.await.unwrap_or_default();
    let content = html! {
        section {
            h2 { "What the instance needs" }
            (table("What the instance needs", &["Need", "State"], &html! {
                @for need in &needs {
                    tr {
                        th scope="row" { (need.name) }
                        td {
                            @match &need.failure {
                                None => (badge("good", "ok")),
                                Some(failure) => { (badge("bad", "missing")) " " (foreign(failure)) }
                            }
                        }
                    }
                }
            }))
            p.faint { "Checked now. It writes nothing." }
        }
        section {
            h2 { "The instance as clients see it (doctor)" }
            @match &health.doctor {
                Some(doctor) => (by_doctor(doctor)),
                None => {
                    p { "The console does not know the URL of the instance. Start it with " code { "--url URL" } ", or run:" }
                    (shown(&line(["doctor", "--url", "URL", "--token-file", "FILE"])))
                }
            }
        }
        section {
            h2 { "The items of the table (check)" }
            (by_check(report.as_ref(), health.check_report.as_deref(), &console.commands))
        }
    };
    Page {
        section: Section::Health,
        title: "Health",
        company: None,
        content,
    }
}

fn by_doctor(doctor: &DoctorRunner) -> Markup {
    html! {
        p { "Checks " code { (doctor.url()) } " from this machine, as " code { "doctor" } " does. It changes nothing except the day on which the key was last used." }
        form action="/health" method="post" { button type="submit" { "Run doctor" } }
        @if doctor.is_running() { p.notice { "It is running. Open this page again in a moment." } }
        @match doctor.last() {
            None => p { "It was not run since the console started." },
            Some(DoctorRun { at, report: Err(failure) }) => {
                p { (badge("bad", "failed")) " " (time(at)) ": " (foreign(&failure)) }
            }
            Some(DoctorRun { at, report: Ok(report) }) => {
                p { "Run at " (time(at)) "." }
                (table("Checks of doctor", &["Check", "Outcome", "Seen", "To change"], &html! {
                    @for check in report.get("checks").and_then(Value::as_array).into_iter().flatten() {
                        (doctors_check(check))
                    }
                }))
            }
        }
    }
}

fn doctors_check(check: &Value) -> Markup {
    let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
    let outcome = match text("outcome") {
        "passed" => badge("good", "passed"),
        "warned" => badge("warn", "warned"),
        "failed" => badge("bad", "failed"),
        _ => badge("off", "skipped"),
    };
    html! {
        tr {
            th scope="row" { (foreign(text("check"))) }
            td { (outcome) }
            td { (foreign(text("saw"))) }
            td { (foreign(text("change"))) }
        }
    }
}

/// What `check --json` printed, and when.
struct LastCheck {
    report: Result<Value, String>,
    at: Option<Timestamp>,
}

impl LastCheck {
    fn read(file: &Path) -> Self {
        let mut text = String::new();
        let read = File::open(file).and_then(|open| {
            let modified = open.metadata()?.modified()?;
            open.take(MAX_REPORT_BYTES).read_to_string(&mut text)?;
            Ok(modified)
        });
        match read {
            Err(error) => Self {
                report: Err(error.kind().to_string()),
                at: None,
            },
            Ok(modified) => Self {
                report: serde_json::from_str(&text)
                    .map_err(|_| "it is no report of check, or longer than 1 MiB".to_owned()),
                at: Timestamp::try_from(modified).ok(),
            },
        }
    }
}

fn by_check(report: Option<&LastCheck>, file: Option<&Path>, commands: &Commands) -> Markup {
    html! {
        @match report.map(|report| (&report.report, report.at)) {
            None => p { "The console shows no findings of " code { "check" } ". Let it write a report, and start the console with " code { "--check-report FILE" } "." },
            Some((Err(failure), _)) => {
                p { (badge("warn", "no report")) " " code { (file.map(path).unwrap_or_default()) } ": " (foreign(failure)) }
            }
            Some((Ok(report), at)) => {
                (findings(report))
                @if let Some(at) = at { p.faint { "Written at " (time(at)) "." } }
            }
        }
        (shown(&commands.line(&["check", "--json"])))
    }
}

fn findings(report: &Value) -> Markup {
    let number = |name: &str| report.get(name).and_then(Value::as_u64).unwrap_or_default();
    let findings = report.get("findings").and_then(Value::as_array);
    let findings = findings.map(Vec::as_slice).unwrap_or_default();
    let left = findings
        .iter()
        .filter(|finding| finding.get("isRepaired") != Some(&Value::Bool(true)));
    let left: Vec<&Value> = left.collect();
    html! {
        p {
            @if left.is_empty() { (badge("good", "consistent")) } @else { (badge("bad", &counted(left.len(), "finding", "findings"))) }
            " " (number("items")) " items of " (number("companies")) " companies with " (number("users")) " users were read."
        }
        @if !left.is_empty() {
            (table("Findings of check", &["Finding", "About", "Item"], &html! {
                @for finding in left.iter().take(SHOWN_FINDINGS) { (shown_finding(finding)) }
            }))
            @if left.len() > SHOWN_FINDINGS { p { "The first " (SHOWN_FINDINGS) " are shown." } }
        }
    }
}

fn shown_finding(finding: &Value) -> Markup {
    let text = |name: &str| {
        finding
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    html! {
        tr {
            th scope="row" { (foreign(text("fault"))) }
            td { (foreign(text("about"))) }
            td.id { (foreign(text("pk"))) " / " (foreign(text("sk"))) }
        }
    }
}

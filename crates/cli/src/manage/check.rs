//! `check`: checks whether the items of the table agree with each other, also while it is in use. With `--repair` it
//! shows what would repair them.

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use paradigm_scim::directory::{CompanyId, Operation};
use paradigm_scim::store::Store;
use paradigm_scim::store::check::{Finding, Remedy, Repaired, Survey, Suspect, Verdict};
use paradigm_scim::store::usage::{Usage, measured};
use serde_json::{Value, json};

use super::directory::{self, operator_change};
use crate::consumption::{consumed, print_consumed};
use crate::output::{Format, line};
use crate::store_arguments::StoreArguments;
use crate::{Failure, progress};

/// Suspicious items that are examined at the same time.
const AT_ONCE: usize = 8;
/// How often an item is examined again if it changes before its repair.
const ATTEMPTS: usize = 5;

#[derive(Args)]
pub(crate) struct Check {
    /// Check only this company, by id or name; the whole table is read all the same
    #[arg(long, value_name = "COMPANY")]
    company: Option<String>,
    /// Show for each finding what would repair it
    #[arg(long)]
    repair: bool,
    /// Write the repairs
    #[arg(long, requires = "repair")]
    yes: bool,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    format: Format,
}

/// The result of the repairs of a verdict.
#[derive(Clone, Copy)]
enum RepairOutcome {
    /// There was nothing to repair.
    Left,
    Repaired,
    /// The repair was tried and not made, for this reason.
    Failed(&'static str),
}

#[derive(Default)]
struct CheckReport {
    findings: Vec<Value>,
    found: usize,
    repaired: usize,
}

impl Check {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let store = self.store.open().await?;
        let company = match &self.company {
            Some(company) => Some(directory::company(&store, company).await?.id),
            None => None,
        };
        let (examined, usage) = measured(self.examine(&store, company)).await;
        let (read, report) = examined?;
        self.conclude(&read, report, &usage)
    }

    /// Reads the table and returns what was read, and what is wrong.
    async fn examine(
        &self,
        store: &Store,
        company: Option<CompanyId>,
    ) -> Result<(Value, CheckReport), Failure> {
        let progress = match store.approximate_items().await {
            Some(items) => progress::bar("reading", usize::try_from(items).unwrap_or(usize::MAX)),
            None => progress::spinner("reading"),
        };
        let mut survey = store.survey(company, |items| progress.inc(items)).await?;
        progress.finish_and_clear();
        if survey.needs_recount() {
            let progress = progress::bar(
                "counting again",
                usize::try_from(survey.items()).unwrap_or(usize::MAX),
            );
            store
                .recount(&mut survey, |items| progress.inc(items))
                .await?;
            progress.finish_and_clear();
        }
        let read = read(&survey);
        let report = self.verify(store, survey.into_suspects()).await?;
        Ok((read, report))
    }

    async fn verify(&self, store: &Store, suspects: Vec<Suspect>) -> Result<CheckReport, Failure> {
        let progress = progress::bar("reading again", suspects.len());
        let mut verdicts = stream::iter(&suspects)
            .map(async |suspect| (suspect, store.examine(suspect).await))
            .buffered(AT_ONCE);
        let mut report = CheckReport::default();
        while let Some((suspect, verdict)) = verdicts.next().await {
            let verdict = verdict?;
            let outcome = self.repair(store, suspect, &verdict).await?;
            progress.inc(1);
            for finding in &verdict.findings {
                if let Some(text) = report.note(finding, outcome, self) {
                    progress.suspend(|| line(&text))?;
                }
            }
        }
        progress.finish_and_clear();
        Ok(report)
    }

    async fn repair(
        &self,
        store: &Store,
        suspect: &Suspect,
        found: &Verdict,
    ) -> Result<RepairOutcome, Failure> {
        let (true, Some(company)) = (self.yes && found.is_repairable(), found.company) else {
            return Ok(RepairOutcome::Left);
        };
        let change = || operator_change(company, Operation::Repair);
        let mut repaired = store.repair(found, &change()).await?;
        for _ in 1..ATTEMPTS {
            if repaired != Repaired::ChangedMeanwhile {
                break;
            }
            let again = store.examine(suspect).await?;
            repaired = store.repair(&again, &change()).await?;
        }
        Ok(match repaired {
            Repaired::Done => RepairOutcome::Repaired,
            Repaired::ChangedMeanwhile => {
                RepairOutcome::Failed("it keeps changing; check again later")
            }
            Repaired::UserNameTaken => RepairOutcome::Failed(
                "another user of the company has the userName now; give one of the two another",
            ),
        })
    }

    fn conclude(&self, read: &Value, report: CheckReport, usage: &Usage) -> Result<(), Failure> {
        let CheckReport {
            findings,
            found,
            repaired,
        } = report;
        if self.format.is_json() {
            let mut record = read.clone();
            if let Some(members) = record.as_object_mut() {
                members.insert("findings".to_owned(), findings.into());
                members.insert("repaired".to_owned(), repaired.into());
                members.insert("consumed".to_owned(), consumed(usage));
            }
            self.format.record(&record)?;
        } else {
            let number = |name: &str| read.get(name).and_then(Value::as_u64).unwrap_or_default();
            line(&format!(
                "{} items of {} companies with {} users were read: {found} findings, {repaired} repaired",
                number("items"),
                number("companies"),
                number("users"),
            ))?;
            print_consumed(usage)?;
        }
        match (found - repaired, self.repair) {
            (0, _) => Ok(()),
            (left, false) => {
                Err(format!("{left} findings; --repair shows what can be done").into())
            }
            (left, true) if !self.yes => {
                Err(format!("{left} findings; --yes does what can be done").into())
            }
            (left, true) => Err(format!("{left} findings are left").into()),
        }
    }
}

impl CheckReport {
    /// Counts a finding, and returns its text, which is printed at once: there may be many. Scripts read all at the
    /// end.
    fn note(&mut self, finding: &Finding, outcome: RepairOutcome, check: &Check) -> Option<String> {
        self.found += 1;
        self.repaired += usize::from(is_repaired(finding, outcome));
        if check.format.is_json() {
            self.findings.push(shown(finding, outcome));
            return None;
        }
        let Finding {
            fault,
            pk,
            sk,
            remedy,
        } = finding;
        let mut text = format!("{}: {pk} / {sk}\n    {fault}", fault.name());
        if check.repair {
            let what = match (remedy, outcome) {
                (Remedy::Advice(advice), _) => format!("not repaired: {advice}"),
                (Remedy::Write(_), RepairOutcome::Failed(reason)) => {
                    format!("not repaired: {reason}")
                }
                (Remedy::Write(write), RepairOutcome::Repaired) => format!("repaired: {write}"),
                (Remedy::Write(write), RepairOutcome::Left) => format!("would repair: {write}"),
            };
            text = format!("{text}\n    {what}");
        }
        Some(text)
    }
}

fn read(survey: &Survey) -> Value {
    json!({
        "items": survey.items(),
        "companies": survey.companies(),
        "users": survey.users(),
    })
}

fn is_repaired(finding: &Finding, outcome: RepairOutcome) -> bool {
    match (finding.remedy, outcome) {
        (Remedy::Write(_), RepairOutcome::Repaired) => true,
        (Remedy::Write(_), RepairOutcome::Left | RepairOutcome::Failed(_))
        | (Remedy::Advice(_), _) => false,
    }
}

fn shown(finding: &Finding, outcome: RepairOutcome) -> Value {
    let (repair, advice) = match (finding.remedy, outcome) {
        (Remedy::Write(write), RepairOutcome::Failed(reason)) => (Some(write), Some(reason)),
        (Remedy::Write(write), _) => (Some(write), None),
        (Remedy::Advice(advice), _) => (None, Some(advice)),
    };
    json!({
        "fault": finding.fault.name(),
        "pk": finding.pk,
        "sk": finding.sk,
        "about": finding.fault.to_string(),
        "repair": repair,
        "advice": advice,
        "isRepaired": is_repaired(finding, outcome),
    })
}

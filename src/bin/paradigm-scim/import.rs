//! `user import`: brings an existing directory in before an identity provider takes over.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::pin::pin;

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use indicatif::ProgressBar;
use paradigm_scim::directory::{CompanyId, Operation, User, UserId};
use paradigm_scim::scim::resource::Document;
use paradigm_scim::scim::schema::USER;
use paradigm_scim::scim::{ScimError, dialect};
use paradigm_scim::store::{Store, StoreError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Failure;
use crate::open::{now, operator_change};
use crate::output::line;
use crate::signal::end_signal;
use crate::user::InCompany;

/// Users that are written at the same time.
const AT_ONCE: usize = 16;
/// Most lines that are reported one by one.
const REPORTED: usize = 100;

#[derive(Args)]
pub(crate) struct Import {
    /// A file with one user a line, each as the body of a SCIM POST
    file: PathBuf,
    #[command(flatten)]
    place: InCompany,
}

/// What became of a line.
enum Outcome {
    Created,
    /// The user was there before, with the same attributes.
    Present,
    /// A user of that name is there, with other attributes.
    Conflict,
    Invalid(String),
    Failed(StoreError),
}

#[derive(Default)]
struct Report {
    created: usize,
    present: usize,
    /// Line numbers, from 1, and why.
    problems: Vec<(usize, String)>,
}

impl Import {
    /// Imports line by line. Ended early it has done what it tells, and a second run does the
    /// rest: a user who is there is left alone.
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let open = || {
            File::open(&self.file)
                .map_err(|error| format!("{} cannot be read: {error}", self.file.display()))
        };
        let lines = BufReader::new(open()?).lines().count();
        let progress = ProgressBar::new(lines.try_into().unwrap_or(u64::MAX));
        let numbered = BufReader::new(open()?).lines().zip(1..);
        let mut outcomes = stream::iter(numbered)
            .map(async |(text, number)| {
                let outcome = match text {
                    Ok(text) if text.trim().is_empty() => Outcome::Present,
                    Ok(text) => import(&store, company, &text).await,
                    Err(error) => Outcome::Invalid(format!("it cannot be read: {error}")),
                };
                (number, outcome)
            })
            .buffer_unordered(AT_ONCE);
        let mut report = Report::default();
        let mut end = pin!(end_signal()?);
        let is_cut_short = loop {
            let next = tokio::select! {
                next = outcomes.next() => next,
                () = &mut end => break true,
            };
            match next {
                Some((number, outcome)) => report.note(number, outcome)?,
                None => break false,
            }
            progress.inc(1);
        };
        progress.finish_and_clear();
        report.print(self.place.format.is_json(), is_cut_short)
    }
}

async fn import(store: &Store, company: CompanyId, text: &str) -> Outcome {
    let user = match parse(text) {
        Ok(user) => user,
        Err(reason) => return Outcome::Invalid(reason),
    };
    let change = operator_change(company, Operation::Create);
    match store.create_user(&change, &user).await {
        Ok(()) => Outcome::Created,
        Err(StoreError::UserNameTaken) => {
            let name = user.document.string("userName").unwrap_or_default();
            match store.user_by_user_name(company, name).await {
                Ok(Some(there)) if there.document == user.document => Outcome::Present,
                Ok(_) => Outcome::Conflict,
                Err(error) => Outcome::Failed(error),
            }
        }
        Err(error) => Outcome::Failed(error),
    }
}

/// The user of a line, or why it holds none.
fn parse(text: &str) -> Result<User, String> {
    let mut input: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("no JSON object (column {})", error.column()))?;
    dialect::resource(&mut input, &USER);
    let document = Document::from_input(input, &USER).map_err(|ScimError { detail, .. }| detail)?;
    User::new(UserId::new(Uuid::now_v7()), document, now()).map_err(|error| error.to_string())
}

impl Report {
    /// # Errors
    /// The store does not work; there is no use in going on.
    fn note(&mut self, number: usize, outcome: Outcome) -> Result<(), Failure> {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Present => self.present += 1,
            Outcome::Conflict => {
                let reason = "a user of this userName is there, with other attributes";
                self.problems.push((number, reason.to_owned()));
            }
            Outcome::Invalid(reason) => self.problems.push((number, reason)),
            Outcome::Failed(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn print(mut self, is_json: bool, is_cut_short: bool) -> Result<(), Failure> {
        self.problems.sort();
        let (created, present, problems) = (self.created, self.present, self.problems.len());
        if is_json {
            let told = |(line, reason): &(usize, String)| json!({"line": line, "reason": reason});
            line(&serde_json::to_string_pretty(&json!({
                "created": created,
                "present": present,
                "problems": self.problems.iter().map(told).collect::<Vec<_>>(),
                "isCutShort": is_cut_short,
            }))?)?;
        } else {
            for (number, reason) in self.problems.iter().take(REPORTED) {
                line(&format!("line {number}: {reason}"))?;
            }
            if problems > REPORTED {
                line(&format!("and {} more; see --json", problems - REPORTED))?;
            }
            line(&format!(
                "{created} created, {present} there before, {problems} not imported"
            ))?;
        }
        if is_cut_short {
            Err("ended early; the same command does the rest".into())
        } else if problems > 0 {
            Err(format!("{problems} lines were not imported").into())
        } else {
            Ok(())
        }
    }
}

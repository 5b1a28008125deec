//! `user import`: imports an existing directory, before an identity provider takes over.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use futures_util::stream::{self, StreamExt as _};
use indicatif::ProgressBar;
use paradigm_scim::directory::{CompanyId, Operation, USER, User, UserId};
use paradigm_scim::store::layout::COUNTER_SHARDS;
use paradigm_scim::store::usage::{Usage, measured};
use paradigm_scim::store::{Store, StoreError};
use scim::resource::Document;
use scim::{ScimError, dialect};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::directory::InCompany;
use super::directory::{now, operator_change};
use crate::Failure;
use crate::consumption::{consumed, print_consumed};
use crate::end_signal::end_signal;
use crate::output::{Format, line};

/// Users that are written at the same time: one of each counter, so that none waits for another's counter.
const AT_ONCE: usize = COUNTER_SHARDS as usize;
/// Longest line, in bytes: several times the largest user.
const MAX_LINE_BYTES: usize = 1024 * 1024;
/// Failures of the store in a row after which the import ends.
const TOO_MANY_FAILURES: usize = 5;
/// Most lines that are reported one by one.
const REPORTED: usize = 100;

#[derive(Args)]
pub(crate) struct Import {
    /// A file with one user a line, each as the body of a SCIM POST
    file: PathBuf,
    #[command(flatten)]
    place: InCompany,
}

/// The result of a line.
enum LineOutcome {
    /// The line was empty.
    Blank,
    Created,
    /// The user existed before, with the same attributes.
    Present,
    /// A user with that name exists, with other attributes.
    Conflict,
    Invalid(String),
    Failed(StoreError),
    /// The file could not be read any further.
    Unread(io::Error),
}

/// Why a line was not imported.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// Its number, from 1.
    line: usize,
    /// For scripts: `conflict`, `invalid` or `failed`.
    kind: &'static str,
    reason: String,
}

#[derive(Default)]
struct ImportReport {
    created: usize,
    present: usize,
    problems: Vec<Problem>,
    failures_in_a_row: usize,
    /// Whether lines are left that were not read.
    is_cut_short: bool,
    unread: Option<io::Error>,
}

impl Import {
    /// Imports line by line. If it ends early, it has done what it reports, and a second run does the
    /// rest: users that are there stay as they are.
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        let (store, company) = self.place.open().await?;
        let cannot_be_read = |error| format!("{} cannot be read: {error}", self.file.display());
        let file = File::open(&self.file).map_err(cannot_be_read)?;
        let metadata = file.metadata().map_err(cannot_be_read)?;
        if metadata.is_dir() {
            return Err(format!("{} is a folder", self.file.display()).into());
        }
        // A pipe has no length.
        let progress = match metadata.len() {
            0 => ProgressBar::new_spinner(),
            length => ProgressBar::new(length),
        };
        let is_over = Arc::new(AtomicBool::new(false));
        tokio::spawn(ending(end_signal()?, Arc::clone(&is_over)));
        let mut lines = Lines::new(progress.wrap_read(file));
        let numbered = std::iter::from_fn(|| match is_over.load(Ordering::Relaxed) {
            true => None,
            false => lines.next(),
        });
        let free_counters = RefCell::new((0..COUNTER_SHARDS).collect::<Vec<_>>());
        let mut outcomes = stream::iter(numbered.zip(1..))
            .map(async |(text, number)| match text {
                Ok(Ok(text)) => {
                    let counter = free_counters.borrow_mut().pop().unwrap_or_default();
                    let outcome = import(&store, company, &text, counter).await;
                    free_counters.borrow_mut().push(counter);
                    (number, outcome)
                }
                Ok(Err(reason)) => (number, LineOutcome::Invalid(reason)),
                Err(error) => (number, LineOutcome::Unread(error)),
            })
            .buffer_unordered(AT_ONCE);
        let mut report = ImportReport::default();
        let noting = async {
            while let Some((number, outcome)) = outcomes.next().await {
                report.note(number, outcome);
                if report.failures_in_a_row >= TOO_MANY_FAILURES {
                    is_over.store(true, Ordering::Relaxed);
                }
            }
        };
        let ((), usage) = measured(noting).await;
        progress.finish_and_clear();
        report.is_cut_short = is_over.load(Ordering::Relaxed) || report.unread.is_some();
        report.print(&self.place.format, &usage)?;
        if let Some(error) = report.unread {
            Err(cannot_be_read(error).into())
        } else if report.is_cut_short {
            Err("interrupted; run the same command again to import the rest".into())
        } else if !report.problems.is_empty() {
            Err(format!("{} lines were not imported", report.problems.len()).into())
        } else {
            Ok(())
        }
    }
}

/// Reads no more lines after a signal; lines under way are finished.
async fn ending(end: impl Future<Output = ()>, is_over: Arc<AtomicBool>) {
    end.await;
    is_over.store(true, Ordering::Relaxed);
}

/// The lines of a file, or why one cannot be used; none after a read error.
struct Lines<R> {
    reader: BufReader<R>,
    is_first: bool,
    is_broken: bool,
}

impl<R: Read> Lines<R> {
    fn new(reader: R) -> Self {
        Self {
            reader: BufReader::new(reader),
            is_first: true,
            is_broken: false,
        }
    }

    /// Returns the next line; empty at the end.
    fn read(&mut self) -> io::Result<Result<Vec<u8>, String>> {
        let mut bytes = Vec::new();
        // With the line feed.
        let limit = u64::try_from(MAX_LINE_BYTES + 1).unwrap_or(u64::MAX);
        (&mut self.reader)
            .take(limit)
            .read_until(b'\n', &mut bytes)?;
        if bytes.len() > MAX_LINE_BYTES && !bytes.ends_with(b"\n") {
            self.reader.skip_until(b'\n')?;
            return Ok(Err(format!("it is longer than {MAX_LINE_BYTES} bytes")));
        }
        Ok(Ok(bytes))
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = io::Result<Result<String, String>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_broken {
            return None;
        }
        let bytes = match self.read() {
            Ok(Ok(bytes)) if bytes.is_empty() => return None,
            Ok(Ok(bytes)) => bytes,
            Ok(Err(reason)) => return Some(Ok(Err(reason))),
            Err(error) => {
                self.is_broken = true;
                return Some(Err(error));
            }
        };
        let is_first = std::mem::replace(&mut self.is_first, false);
        let text = String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned());
        Some(Ok(text.map(|text| match text.strip_prefix('\u{feff}') {
            Some(text) if is_first => text.to_owned(),
            _ => text,
        })))
    }
}

/// Imports the user of a line, counted by this counter.
async fn import(store: &Store, company: CompanyId, text: &str, counter: u8) -> LineOutcome {
    if text.trim().is_empty() {
        return LineOutcome::Blank;
    }
    let user = match parse(text, counted_by(counter)) {
        Ok(user) => user,
        Err(reason) => return LineOutcome::Invalid(reason),
    };
    let change = operator_change(company, Operation::Create);
    match store.create_user(&change, &user).await {
        Ok(()) => LineOutcome::Created,
        Err(StoreError::UserNameTaken) => {
            let name = user.document.string("userName").unwrap_or_default();
            match store.user_by_user_name(company, name).await {
                Ok(Some(there)) if there.document == user.document => LineOutcome::Present,
                Ok(_) => LineOutcome::Conflict,
                Err(error) => LineOutcome::Failed(error),
            }
        }
        Err(error) => LineOutcome::Failed(error),
    }
}

/// Returns a new id that this counter counts.
fn counted_by(counter: u8) -> UserId {
    loop {
        let id = UserId::new(Uuid::now_v7());
        if id.shard(COUNTER_SHARDS) == counter {
            return id;
        }
    }
}

/// Returns the user of a line, or why the line has none.
fn parse(text: &str, id: UserId) -> Result<User, String> {
    let mut input: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("it is not a JSON object (column {})", error.column()))?;
    dialect::resource(&mut input, &USER);
    let document = Document::from_input(input, &USER).map_err(|ScimError { detail, .. }| detail)?;
    User::new(id, document, now()).map_err(|error| error.to_string())
}

impl ImportReport {
    fn note(&mut self, number: usize, outcome: LineOutcome) {
        self.failures_in_a_row = match &outcome {
            LineOutcome::Failed(_) => self.failures_in_a_row + 1,
            _ => 0,
        };
        let (kind, reason) = match outcome {
            LineOutcome::Blank => return,
            LineOutcome::Created => {
                self.created += 1;
                return;
            }
            LineOutcome::Present => {
                self.present += 1;
                return;
            }
            LineOutcome::Unread(error) => {
                self.unread = Some(error);
                return;
            }
            LineOutcome::Conflict => {
                let reason = "a user with this userName exists, with other attributes";
                ("conflict", reason.to_owned())
            }
            LineOutcome::Invalid(reason) => ("invalid", reason),
            LineOutcome::Failed(error) => ("failed", error.to_string()),
        };
        self.problems.push(Problem {
            line: number,
            kind,
            reason,
        });
    }

    fn print(&mut self, format: &Format, usage: &Usage) -> Result<(), Failure> {
        self.problems.sort();
        let (created, present, problems) = (self.created, self.present, self.problems.len());
        if format.is_json() {
            let to_json = |Problem { line, kind, reason }: &Problem| json!({"line": line, "kind": kind, "reason": reason});
            return line(&serde_json::to_string_pretty(&json!({
                "created": created,
                "present": present,
                "problems": self.problems.iter().map(to_json).collect::<Vec<_>>(),
                "isCutShort": self.is_cut_short,
                "consumed": consumed(usage),
            }))?);
        }
        for problem in self.problems.iter().take(REPORTED) {
            line(&format!("line {}: {}", problem.line, problem.reason))?;
        }
        if problems > REPORTED {
            line(&format!("and {} more; see --json", problems - REPORTED))?;
        }
        line(&format!(
            "{created} created, {present} existed before, {problems} not imported"
        ))?;
        print_consumed(usage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_user_is_counted_by_the_counter_that_is_free() {
        for counter in 0..COUNTER_SHARDS {
            assert_eq!(counted_by(counter).shard(COUNTER_SHARDS), counter);
        }
    }

    #[test]
    fn a_line_may_have_a_mebibyte_and_what_follows_is_read_all_the_same() {
        for (length, is_read) in [
            (MAX_LINE_BYTES - 1, true),
            (MAX_LINE_BYTES, true),
            (MAX_LINE_BYTES + 1, false),
            (2 * MAX_LINE_BYTES, false),
        ] {
            let text = " ".repeat(length);
            let read = |text: &str| -> Vec<Result<usize, String>> {
                let lines = Lines::new(text.as_bytes());
                let length = |line: String| line.trim_end_matches('\n').len();
                lines.map(|line| line.unwrap().map(length)).collect()
            };
            let expected = match is_read {
                true => Ok(length),
                false => Err("it is longer than 1048576 bytes".to_owned()),
            };
            let followed = read(&format!("{text}\n{{}}"));
            assert_eq!(followed, [expected.clone(), Ok(2)]);
            assert_eq!(read(&text), [expected]);
        }
    }
}

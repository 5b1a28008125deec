//! What the commands print: tables for people, JSON for scripts.

use std::io::{self, Write as _};

use clap::Args;
use serde_json::{Map, Value};

use crate::Failure;

/// How a command prints its result.
#[derive(Args)]
pub(crate) struct Format {
    /// Print JSON, for scripts
    #[arg(long)]
    json: bool,
}

impl Format {
    /// Returns whether the result is for a script.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints one record: its members line by line, or as a JSON object.
    pub(crate) fn record(&self, record: &Value) -> Result<(), Failure> {
        if self.json {
            return line(&serde_json::to_string_pretty(record)?);
        }
        let members = record.as_object().map(Map::iter).into_iter().flatten();
        for (name, value) in members {
            line(&format!("{name}: {}", plain(value)))?;
        }
        Ok(())
    }

    /// Prints records: a table of the columns, or a JSON array.
    pub(crate) fn records(&self, columns: &[&str], records: &[Value]) -> Result<(), Failure> {
        if self.json {
            return line(&serde_json::to_string_pretty(records)?);
        }
        let cell = |record: &Value, column: &str| record.get(column).map(plain).unwrap_or_default();
        let widths: Vec<usize> = columns
            .iter()
            .map(|column| {
                let cells = records
                    .iter()
                    .map(|record| cell(record, column).chars().count());
                cells.chain([column.len()]).max().unwrap_or_default()
            })
            .collect();
        let row = |cells: Vec<String>| {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        line(&row(columns
            .iter()
            .map(|column| (*column).to_owned())
            .collect()))?;
        for record in records {
            line(&row(columns
                .iter()
                .map(|column| cell(record, column))
                .collect()))?;
        }
        Ok(())
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // What a client made of a name must not control the terminal, or add rows.
        Value::String(text) => text
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        value => value.to_string(),
    }
}

/// Prints a line to standard output, at once.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// Returns whether the program ends because the reader of its output has ended, such as `head`: that needs no message.
pub(crate) fn is_closed(failure: &Failure) -> bool {
    failure
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Prints why the program ends, with all causes.
pub(crate) fn complain(failure: &Failure) {
    let mut text = format!("error: {failure}");
    let mut next = failure.source();
    while let Some(cause) = next {
        text = format!("{text}\n  because: {cause}");
        next = cause.source();
    }
    // If standard error is closed, nobody can read an error either.
    let _ = writeln!(io::stderr(), "{text}");
}

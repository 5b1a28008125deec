//! `copy`: moves a directory to another store, of the same engine or another.

use clap::Args;
use jiff::Timestamp;
use paradigm_scim::config::DEFAULT_TABLE;
use paradigm_scim::store::Store;
use paradigm_scim::store::copy::{Comparison, Copied, Difference};
use paradigm_scim::store::usage::{Usage, measured};
use postgres::DEFAULT_CONNECTIONS;
use serde_json::json;

use crate::consumption::{consumed, print_consumed};
use crate::output::{Format, line};
use crate::place::Place;
use crate::{Failure, progress};

/// How a store is named.
const PLACES: &str = "a folder with an embedded store, the URL of a DynamoDB endpoint (http:// or https://), the URL of a PostgreSQL database (postgres://), or @FILE for a file that has one of these URLs";

#[derive(Args)]
pub(crate) struct Copy {
    #[arg(long, value_name = "STORE", help = format!("Copy from this store, to which nobody may write: {PLACES}"))]
    from: String,
    #[arg(
        long,
        value_name = "STORE",
        help = "Copy to this store, which must be empty or have a part of the copy; a folder is made, a table or a schema must be there"
    )]
    to: String,
    /// Name of the table in the source, if it is in DynamoDB or embedded
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TABLE)]
    from_table: String,
    /// Name of the table in the target, if it is in DynamoDB or embedded
    #[arg(long, value_name = "NAME", default_value = DEFAULT_TABLE)]
    to_table: String,
    #[command(flatten)]
    format: Format,
}

impl Copy {
    pub(crate) async fn run(&self) -> Result<(), Failure> {
        if self.from == self.to && self.from_table == self.to_table {
            return Err("source and target are the same store".into());
        }
        let (from, to) = (Place::parse(&self.from)?, Place::parse(&self.to)?);
        let source = from.open(&self.from_table, DEFAULT_CONNECTIONS).await?;
        let target = to.open_or_make(&self.to_table, DEFAULT_CONNECTIONS).await?;
        // What expires during the copy is compared as it was at the beginning.
        let now = Timestamp::now();
        let copying = async {
            require_nothing_else(&source, &target, now).await?;
            let copied = copy(&source, &target, now).await?;
            let comparison = compare(&source, &target, copied.items, now).await?;
            Ok::<_, Failure>((copied, comparison))
        };
        let (done, usage) = measured(copying).await;
        let (copied, comparison) = done?;
        self.report(&copied, &comparison, &usage)
    }

    fn report(
        &self,
        copied: &Copied,
        comparison: &Comparison,
        usage: &Usage,
    ) -> Result<(), Failure> {
        let count = |difference| {
            comparison
                .counts
                .get(&difference)
                .copied()
                .unwrap_or_default()
        };
        let (missing, changed) = (count(Difference::Missing), count(Difference::Changed));
        let additional = count(Difference::Additional);
        if self.format.is_json() {
            let named = comparison.named.iter().map(|(difference, key)| {
                json!({"difference": name(*difference), "pk": key.pk, "sk": key.sk})
            });
            line(&serde_json::to_string_pretty(&json!({
                "items": copied.items,
                "written": copied.written,
                "missing": missing,
                "changed": changed,
                "additional": additional,
                "differences": named.collect::<Vec<_>>(),
                "consumed": consumed(usage),
            }))?)?;
        } else {
            let there = copied.items - copied.written;
            line(&format!(
                "{} items: {} copied, {there} were there",
                copied.items, copied.written
            ))?;
            print_consumed(usage)?;
            for (difference, key) in &comparison.named {
                line(&format!("{}: {} / {}", name(*difference), key.pk, key.sk))?;
            }
        }
        if comparison.is_equal() {
            return match self.format.is_json() {
                true => Ok(()),
                false => line("The target has the same items as the source."),
            };
        }
        Err(format!(
            "the stores differ: {missing} items are missing in the target, {changed} are different, {additional} are only there. Somebody wrote to one of them meanwhile: stop all services on both, and run the same command again"
        )
        .into())
    }
}

const fn name(difference: Difference) -> &'static str {
    match difference {
        Difference::Missing => "missing",
        Difference::Changed => "changed",
        Difference::Additional => "additional",
    }
}

/// Fails if the target has items that the source does not have: the target has another directory then, or the source was
/// written to after an earlier copy.
async fn require_nothing_else(
    source: &Store,
    target: &Store,
    now: Timestamp,
) -> Result<(), Failure> {
    let progress = progress::spinner("reading the target");
    let additional = source
        .additional(target, now, |items| progress.inc(items))
        .await?;
    progress.finish_and_clear();
    match additional.first() {
        None => Ok(()),
        Some(first) => Err(format!(
            "the target has {} items that the source does not have, such as {} / {}; copy to an empty store",
            additional.len(),
            first.pk,
            first.sk
        )
        .into()),
    }
}

async fn copy(source: &Store, target: &Store, now: Timestamp) -> Result<Copied, Failure> {
    let progress = match source.approximate_items().await {
        Some(items) => progress::bar("copying", usize::try_from(items).unwrap_or(usize::MAX)),
        None => progress::spinner("copying"),
    };
    let copied = source
        .copy_to(target, now, |items| progress.inc(items))
        .await?;
    progress.finish_and_clear();
    Ok(copied)
}

async fn compare(
    source: &Store,
    target: &Store,
    items: u64,
    now: Timestamp,
) -> Result<Comparison, Failure> {
    let both = usize::try_from(items.saturating_mul(2)).unwrap_or(usize::MAX);
    let progress = progress::bar("comparing", both);
    let comparison = source
        .compare(target, now, |items| progress.inc(items))
        .await?;
    progress.finish_and_clear();
    Ok(comparison)
}

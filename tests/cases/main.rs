//! One test for each file of cases, so that one can be run alone: `cargo test --test cases -- NAME`. A test's name is
//! that of its function and the file's path.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

mod conversations;
mod dialects;
mod documents;
mod events;
mod filters;
mod patches;
mod stream;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use serde_json::Value;
use tokio::runtime::Builder;

use conversations::{conversation, conversation_on_dynamodb};
use dialects::dialect_rule;
use documents::documents;
use events::event;
use filters::filters;
use patches::patch;
use stream::stream;

datatest_stable::harness! {
    { test = conversation, root = "tests/data/conversations", pattern = JSON },
    { test = conversation, root = "tests/data/idp", pattern = JSON },
    { test = conversation, root = "tests/data/rfc", pattern = JSON },
    { test = conversation_on_dynamodb, root = "tests/data/conversations", pattern = JSON },
    { test = conversation_on_dynamodb, root = "tests/data/idp", pattern = JSON },
    { test = conversation_on_dynamodb, root = "tests/data/rfc", pattern = JSON },
    { test = dialect_rule, root = "crates/scim/tests/data/dialects", pattern = JSON },
    { test = documents, root = "crates/scim/tests/data", pattern = r"^documents\.json$" },
    { test = event, root = "events", pattern = r"^[^.]+\.json$" },
    { test = filters, root = "crates/scim/tests/data", pattern = r"^filters\.json$" },
    { test = patch, root = "crates/scim/tests/data/patches", pattern = JSON },
    { test = stream, root = "tests/data/stream", pattern = JSON },
}

const JSON: &str = r"\.json$";

/// Runs the cases of a file, and fails with what they found wrong.
fn run<F: Future<Output = Vec<String>>>(
    path: &Path,
    cases: impl FnOnce(Value) -> F,
) -> datatest_stable::Result<()> {
    let cases = cases(serde_json::from_str(&std::fs::read_to_string(path)?)?);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let failures = runtime.block_on(cases);
    match failures.is_empty() {
        true => Ok(()),
        false => Err(failures.join("\n").into()),
    }
}

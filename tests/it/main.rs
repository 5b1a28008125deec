//! Tests of the service. Modules are named after routes and subjects. Cases that look alike are JSON files, which
//! `tests/cases` runs.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

mod accept;
mod architecture;
mod audit;
mod authentication;
mod budgets;
mod copy;
mod counting;
mod cursors;
mod discovery;
mod documents;
mod engines;
mod events;
mod fault_matrix;
mod faults;
mod handlers;
mod isolation;
mod limits;
mod logs;
mod oauth;
mod openapi;
mod policies;
mod properties;
mod refusals;
mod releases;
mod scans;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod work;

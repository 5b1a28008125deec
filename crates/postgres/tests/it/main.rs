//! Tests on a real server: `.ci/run postgres` starts one and runs them. Each test has a database of its own.
//!
//! `SCIM_TEST_POSTGRES` is the URL of a superuser on a server that nothing else uses: `scripts/postgres run COMMAND…`
//! sets it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout
)]

mod actions;
mod concurrency;
mod conditions;
mod engines;
mod faults;
mod migrations;
mod plans;
mod values;
mod views;

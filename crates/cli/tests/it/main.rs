//! Tests of the program, which runs as a process.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

mod admin;
mod check;
mod client_credentials;
mod command;
mod concurrency;
mod console;
mod copy;
mod desynchronisation;
mod doctor;
mod embedded;
mod erasure;
mod keys;
mod logs;
mod outputs;
mod program;
mod serve;
mod shutdown;
mod simulate;
mod tls;
mod tokens;

//! The one integration test binary. Modules are named after routes and subjects; cases that look
//! alike are JSON files in `tests/data`.

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
mod conversations;
mod counting;
mod cursors;
mod dialects;
mod discovery;
mod documents;
mod engines;
mod events;
mod fault_matrix;
mod faults;
mod filters;
mod handlers;
mod isolation;
mod limits;
mod logs;
mod openapi;
mod patches;
mod policies;
mod properties;
mod refusals;
mod releases;
mod runtime_api;
mod scans;
mod table;
mod work;

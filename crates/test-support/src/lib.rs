//! What tests of the service and of the program share.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs
)]

pub mod authority;
pub mod counted;
pub mod data;
pub mod dynamodb;
pub mod engine;
pub mod fill;
pub mod findings;
pub mod front;
pub mod histories;
pub mod http;
pub mod marked;
pub mod postgres;
pub mod raw;
pub mod world;

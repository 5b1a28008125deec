//! Tests of the protocol: data cases in `tests/data`, and properties over generated input.
//!
//! ```sh
//! # 10^7 cases, 2 * 10^6 of each of the five properties: 75 minutes of one core.
//! PROPTEST_CASES=2000000 cargo test -p scim --test protocol -- --nocapture
//! ```
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod dialect_rules;
mod filters;
mod generate;
mod parsers;
mod patches;
mod resources;

use scim::schema::{ENTERPRISE_USER, ResourceType, USER_SCHEMA};

/// Cases of a property; of a cheap one [`CHEAP_CASES`].
const CASES: u32 = 20_000;
const CHEAP_CASES: u32 = 100_000;

static USER: ResourceType = ResourceType {
    name: "User",
    endpoint: "/Users",
    description: "User account",
    schema: &USER_SCHEMA,
    extensions: &[&ENTERPRISE_USER],
};
